# Runs the formula's installation and its test with the least of Homebrew's classes that it needs:
#
#     ruby homebrew.rb FORMULA PREFIX
require 'English'
require 'pathname'
require 'socket'

# What a formula calls.
class Formula
  class << self
    attr_reader :checks

    def test(&block)
      @checks = block
    end

    %i[desc homepage license head depends_on conflicts_with].each { |name| define_method(name) { |*, **| nil } }
  end

  attr_reader :prefix

  def initialize(prefix)
    @prefix = Pathname(prefix)
  end

  def bin
    prefix / 'bin'
  end

  # Where the test runs.
  def testpath
    Pathname.pwd
  end

  # Homebrew's folders have a method that installs files.
  def pkgshare
    folder = prefix / 'share/scaproust'
    folder.define_singleton_method(:install) do |files|
      mkpath
      files.each { |file| (self / File.basename(file)).write(File.read(file)) }
    end
    folder
  end

  def system(*arguments)
    Kernel.system(*arguments.map(&:to_s), exception: true)
  end

  def spawn(*arguments)
    Kernel.spawn(*arguments.map { |argument| argument.is_a?(Pathname) ? argument.to_s : argument })
  end

  def shell_output(command)
    output = `#{command}`
    raise "#{command} fails" unless $CHILD_STATUS.success?

    output
  end

  def free_port
    TCPServer.open('127.0.0.1', 0) { |server| server.addr[1] }
  end

  def assert_match(expected, actual)
    raise "#{actual} has no #{expected}" unless actual.include?(expected)
  end

  def assert_equal(expected, actual)
    raise "#{actual} is not #{expected}" unless actual == expected
  end
end

def ENV.cc
  'cc'
end

formula, prefix = ARGV
require File.expand_path(formula)
scaproust = Scaproust.new(prefix)
scaproust.install
ENV['PKG_CONFIG_PATH'] = "#{prefix}/lib/pkgconfig"
ENV['LD_LIBRARY_PATH'] = "#{prefix}/lib"
Dir.chdir(ENV.fetch('TMPDIR')) { scaproust.instance_eval(&Scaproust.checks) }

# There is no release yet: `brew install --HEAD packaging/homebrew/scaproust.rb` builds the main branch.
class Scaproust < Formula
  desc "Scalability protocols: libnanomsg written in Rust"
  homepage "https://github.com/blabaere/scaproust"
  license any_of: ["MIT", "Apache-2.0"]
  head "https://github.com/blabaere/scaproust.git", branch: "main"

  depends_on "rust" => :build
  depends_on "pkgconf" => :test

  conflicts_with "nanomsg", because: "both install libnanomsg and nanocat"

  def install
    system "make", "install", "PREFIX=#{prefix}"
    pkgshare.install Dir["examples/*.c"]
  end

  test do
    flags = shell_output("pkgconf --cflags --libs nanomsg").chomp.split
    system ENV.cc, pkgshare/"pubsub.c", "-o", "pubsub", *flags
    assert_match "weather: rain", shell_output("./pubsub")

    address = "tcp://127.0.0.1:#{free_port}"
    report = "ipc://#{testpath}/report"
    server = spawn({ "NN_MONITOR" => report }, bin/"nanocat", "--rep", "--bind", address, "--data", "hello")
    begin
      answer = shell_output("#{bin}/nanocat --req --connect #{address} --data x --raw --count 1 --recv-timeout 30")
      assert_equal "hello", answer
      assert_match address, shell_output("#{bin}/nntop --once #{report}")
    ensure
      Process.kill "TERM", server
      Process.wait server
    end
  end
end

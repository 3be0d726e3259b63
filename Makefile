# All commands of this project. `make help` lists them.

# --- Versions -------------------------------------------------------------------------------------------------------
# The version for pkg-config and CMake: the C library's release with this interface. Cargo.toml has it for cargo-c.
RELEASE := $(shell packaging/version package.metadata.capi.pkg_config)
# The oldest compiler that the code needs.
RUST := $(shell sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
# The interface version comes from the public header, as in build.rs: libnanomsg.so.6, in the file libnanomsg.so.6.0.1.
header_version = $(shell awk '$$2 == "NN_VERSION_$(1)" { print $$3 }' include/nanomsg/nn.h)
AGE := $(call header_version,AGE)
INTERFACE := $(shell expr $(call header_version,CURRENT) - $(AGE))
FILE_VERSION := $(INTERFACE).$(AGE).$(call header_version,REVISION)
# The interface version of the C library's previous release: its programs load this library through a link.
INTERFACE_BEFORE := 5

# --- Folders: all of these can be set on the command line -----------------------------------------------------------
# PREFIX: absolute, or relative to this folder. LIBDIR and MANDIR: absolute, or relative to PREFIX. DESTDIR goes before
# all of them.
PREFIX ?= /usr/local
LIBDIR ?= lib
MANDIR ?= share/man
DESTDIR ?=
CARGO ?= cargo
CC ?= cc

# KIND: release, or debug for a library that checks its assertions and the order of its locks.
KIND := release
# TLS: no for a library and a nanocat without the transports tls+tcp and wss.
TLS := yes
FEATURES := $(if $(filter no,$(TLS)),,--features tls)
# What the Rust tests, the lints and the documentation cover: every feature of the library.
ALL_FEATURES := --features "$(if $(filter no,$(TLS)),,tls )scaproust/futures scaproust/bytes scaproust/serde scaproust/testing scaproust/tracing"
TARGET := $(or $(CARGO_TARGET_DIR),target)
# RUST_TARGET: another system or processor, by Rust's name for it, such as x86_64-unknown-linux-musl.
RUST_TARGET :=
BUILD = $(TARGET)/$(if $(RUST_TARGET),$(RUST_TARGET)/)$(KIND)
STAGE = $(TARGET)/$(if $(filter release,$(KIND)),,$(KIND)-)stage

# $(call under,FOLDER,PATH): the path itself when it is absolute. (firstword: a path may have spaces.)
under = $(if $(filter /%,$(firstword $(2))),$(2),$(1)/$(2))
prefix := $(call under,$(CURDIR),$(PREFIX))
libdir := $(call under,$(prefix),$(LIBDIR))
includedir := $(prefix)/include/nanomsg
mandir := $(call under,$(prefix),$(MANDIR))
cmakedir := $(libdir)/cmake/nanomsg-$(RELEASE)
CMAKE_FILES := nanomsg-config.cmake nanomsg-config-version.cmake
MANUAL := $(notdir $(wildcard docs/man/*.[1-9]))
destdir := $(if $(DESTDIR),$(call under,$(CURDIR),$(DESTDIR)))

# --- Differences between platforms ----------------------------------------------------------------------------------
# LIBS_PRIVATE: the libraries that a program needs besides libnanomsg.a: the output of `rustc --print native-static-libs`,
# without -lc and -lgcc_s (the compiler adds that, or its static form).
# RUNTIME_NAME: the name by which the loader finds the shared library. STATIC_LIBRARY: installs libnanomsg.a; with GNU's
# tools, all but its public functions are made local.
ifeq ($(shell uname -s),Darwin)
  BUILT := libnanomsg.dylib
  FILE := libnanomsg.$(FILE_VERSION).dylib
  LINKS := libnanomsg.$(INTERFACE).dylib libnanomsg.dylib
  LINK_BEFORE := libnanomsg.$(INTERFACE_BEFORE).dylib
  LIBS_PRIVATE := -liconv -lSystem -lm
  RUNTIME_NAME := @rpath/libnanomsg.$(INTERFACE).dylib
  STATIC_LIBRARY = install -m 644 "$(1)" "$(2)"
else
  BUILT := libnanomsg.so
  FILE := libnanomsg.so.$(FILE_VERSION)
  LINKS := libnanomsg.so.$(INTERFACE) libnanomsg.so
  LINK_BEFORE := libnanomsg.so.$(INTERFACE_BEFORE)
  LIBS_PRIVATE := -lutil -lrt -lpthread -lm -ldl
  RUNTIME_NAME := libnanomsg.so.$(INTERFACE)
  STATIC_LIBRARY = install/static-library "$(1)" "$(2)" capi-tests/exports.txt $(UNWINDER)
endif
# With musl there is the static library only. It contains the unwinder of Rust's standard library, as musl's compilers have none.
IS_STATIC := $(findstring -musl,$(RUST_TARGET))
ifdef IS_STATIC
  LIBS_PRIVATE :=
  UNWINDER = "$$(rustc --print sysroot)/lib/rustlib/$(RUST_TARGET)/lib/self-contained/libunwind.a"
endif

# With the time of day, which shows what takes long.
heading = @printf '\n== %s (%s)\n' "$(1)" "$$(date +%T)"

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: build install install-library install-package cinstall cargo-cinstall uninstall stage demo check dependencies \
        components fmt clippy doc package test loom shuttle installed cinstalled abi bindings capi debug-capi without-tls memcheck \
        interop portable apple windows bench bench-rust bench-rust-peers bench-beside bench-page site processors soak sanitize \
        deny semver faults fuzz simulate bite upstream deb deb-check packaging-check bindings-check clean help

# --- Build and install ----------------------------------------------------------------------------------------------
build: ## build the release library
	@problem=; found=$$($(CARGO) --version 2>/dev/null | cut -d' ' -f2); \
	if ! command -v $(CARGO) >/dev/null; then problem="$(CARGO) not found"; \
	elif [ "$$found" ] && ! echo "$$found" | awk -F. -v least=$(RUST) \
	    '{ split(least, l, "."); exit !($$1 > l[1] || $$1 == l[1] && $$2 + 0 >= l[2]) }'; then problem="$(CARGO) $$found is too old"; fi; \
	if [ -z "$$problem" ]; then \
	    $(CARGO) build --locked $(FEATURES) $(if $(filter release,$(KIND)),--release) $(if $(RUST_TARGET),--target $(RUST_TARGET)) --workspace; \
	elif [ -e "$(BUILD)/$(if $(IS_STATIC),libnanomsg.a,$(BUILT))" ]; then echo "$$problem: using the library that was built before"; \
	else echo "$$problem: install Rust $(RUST) or newer first (https://rustup.rs; on Debian 12 also the packages cargo-web and rustc-web)" >&2; exit 1; fi

install: install-library install-package ## install everything (PREFIX=/usr/local LIBDIR=lib MANDIR=share/man DESTDIR=)
	@echo "installed $(if $(IS_STATIC),libnanomsg.a,$(FILE)) into $(destdir)$(libdir)"

install-library: build # the files that `cargo cinstall` installs too
	@install -d "$(destdir)$(libdir)" "$(destdir)$(includedir)"
ifndef IS_STATIC
	@install -m 755 "$(BUILD)/$(BUILT)" "$(destdir)$(libdir)/$(FILE)"
	@for link in $(LINKS); do ln -sf $(FILE) "$(destdir)$(libdir)/$$link"; done
endif
	@install -m 644 include/nanomsg/*.h "$(destdir)$(includedir)/"
	@for page in $(MANUAL); do \
	    install -d "$(destdir)$(mandir)/man$${page##*.}" && \
	        install -m 644 docs/man/$$page "$(destdir)$(mandir)/man$${page##*.}/" || exit 1; \
	done

# The files that cargo-c does not install, or installs differently: its static library exports all of Rust's symbols, and its
# nanomsg.pc names -lgcc_s, which does not exist for a fully static program.
install-package: build
	@install -d "$(destdir)$(libdir)/pkgconfig"
	@$(call STATIC_LIBRARY,$(BUILD)/libnanomsg.a,$(destdir)$(libdir)/libnanomsg.a)
	@PREFIX='$(prefix)' LIBDIR='$(LIBDIR)' VERSION='$(RELEASE)' LIBS_PRIVATE='$(LIBS_PRIVATE)' \
	    pkgconfig/fill pkgconfig/nanomsg.pc.in > "$(destdir)$(libdir)/pkgconfig/nanomsg.pc"
ifndef IS_STATIC
	@install -d "$(destdir)$(cmakedir)"
	@ln -sf $(FILE) "$(destdir)$(libdir)/$(LINK_BEFORE)"
	@for file in $(CMAKE_FILES); do \
	    PREFIX='$(prefix)' LIBDIR='$(LIBDIR)' VERSION='$(RELEASE)' FILE='$(FILE)' RUNTIME_NAME='$(RUNTIME_NAME)' \
	        cmake/fill cmake/$$file.in > "$(destdir)$(cmakedir)/$$file" || exit 1; \
	done
endif

cinstall: cargo-cinstall install-package install-nanocat ## the same as install, with `cargo cinstall` (needs cargo-c)

cargo-cinstall:
	@$(CARGO) cinstall --locked --release $(FEATURES) --prefix "$(prefix)" --libdir "$(libdir)" --datadir "$(patsubst %/man,%,$(mandir))" \
	    $(if $(destdir),--destdir "$(destdir)")

uninstall: ## remove the installed files (same PREFIX, LIBDIR and DESTDIR)
	@for header in include/nanomsg/*.h; do rm -f "$(destdir)$(includedir)/$${header##*/}"; done
	@for file in $(FILE) $(LINKS) $(LINK_BEFORE) libnanomsg.a pkgconfig/nanomsg.pc; do rm -f "$(destdir)$(libdir)/$$file"; done
	@for file in $(CMAKE_FILES); do rm -f "$(destdir)$(cmakedir)/$$file"; done
	@for page in $(MANUAL); do rm -f "$(destdir)$(mandir)/man$${page##*.}/$$page"; done
	@rmdir "$(destdir)$(includedir)" "$(destdir)$(cmakedir)" 2>/dev/null || true
	@echo "removed nanomsg from $(destdir)$(prefix)"

stage: # an installation inside the build folder, for the demo, the tests and the benchmark
	@$(MAKE) --no-print-directory install PREFIX='$(STAGE)' LIBDIR=lib DESTDIR=

# --- nanocat and nntop: the programs, nanocat's links, their manual pages and their completions ------------------------
TOOLS := nanocat nntop
bindir := $(prefix)/bin
man1dir := $(mandir)/man1
# The file with the completions for each shell; + stands for the program.
COMPLETIONS := bash:share/bash-completion/completions/+ zsh:share/zsh/site-functions/_+ \
               fish:share/fish/vendor_completions.d/+.fish

.PHONY: install-nanocat uninstall-nanocat installed-nanocat installed-nntop
install: install-nanocat
uninstall: uninstall-nanocat
installed: installed-nanocat installed-nntop

install-nanocat: build
	@install -d "$(destdir)$(bindir)" "$(destdir)$(man1dir)"
	@for link in $$("$(BUILD)/nanocat" --generate links); do ln -sf nanocat "$(destdir)$(bindir)/$$link"; done
	@for tool in $(TOOLS); do \
	    install -m 755 "$(BUILD)/$$tool" "$(destdir)$(bindir)/" && \
	        "$(BUILD)/$$tool" --generate man > "$(destdir)$(man1dir)/$$tool.1" || exit 1; \
	    for file in $(COMPLETIONS); do \
	        shell=$${file%%:*} file="$(destdir)$(prefix)/$$(echo "$${file#*:}" | sed "s/+/$$tool/")"; \
	        install -d "$$(dirname "$$file")" && "$(BUILD)/$$tool" --generate "$$shell" > "$$file" || exit 1; \
	    done; \
	done

uninstall-nanocat:
	@for link in "$(destdir)$(bindir)"/nn_*; do \
	    if [ "$$(readlink "$$link")" = nanocat ]; then rm -f "$$link"; fi; \
	done
	@for tool in $(TOOLS); do \
	    rm -f "$(destdir)$(bindir)/$$tool" "$(destdir)$(man1dir)/$$tool.1"; \
	    for file in $(COMPLETIONS); do rm -f "$(destdir)$(prefix)/$$(echo "$${file#*:}" | sed "s/+/$$tool/")"; done; \
	done

installed-nanocat:
	$(call heading,Installation: nanocat)
	@$(MAKE) --no-print-directory stage
	@.ci/installed-nanocat "$(STAGE)"

installed-nntop: # in a terminal of tmux
	$(call heading,Installation: nntop)
	@$(MAKE) --no-print-directory stage
	@.ci/installed-nntop "$(STAGE)"

# --- Demo and benchmark ---------------------------------------------------------------------------------------------
demo: ## build the library, then run three small C programs with it
	@.ci/dependencies demo
	@$(MAKE) --no-print-directory stage
	@examples/demo "$(STAGE)"

# BAR=1 and other settings reach the script through the environment.
bench: ## compare with libnanomsg, nng and libzmq (ONLY="shape/push/*" ROUNDS=5 BAR=1; more in benches/run.sh)
	@.ci/dependencies bench
	@$(MAKE) --no-print-directory stage
	@benches/run.sh "$(STAGE)"

bench-rust: ## the costs of the Rust interface: tasks beside bare streams of tokio, a message beside one through the C interface
	@$(CARGO) bench --locked --bench face

bench-rust-peers: ## round trips of tasks beside those of anng and zeromq, which are fetched from crates.io (some minutes)
	@.ci/dependencies bench
	@$(CARGO) run --quiet --locked --release --manifest-path benches/rust-peers/Cargo.toml --target-dir "$(TARGET)/rust-peers"

bench-beside: ## a ping-pong with a process that has TLS handshakes, half-open ones, or a monitor meanwhile (ROUNDS=5)
	@$(MAKE) --no-print-directory stage
	@benches/beside "$(STAGE)"

bench-page: # write docs/benchmarks.md from what has been measured in portions
	@benches/page

site: ## build the documentation site and run the programs on it (builds mdBook first, which takes some minutes)
	@.ci/dependencies site
	@$(MAKE) --no-print-directory stage
	$(call heading,Documentation site)
	@.ci/site "$(TARGET)" "$(STAGE)"

# --- Check ----------------------------------------------------------------------------------------------------------
# Nothing is built twice here, so that incremental compilation would only take disk space.
check: export CARGO_INCREMENTAL := 0
check: dependencies components fmt clippy doc package test loom shuttle installed abi bindings capi debug-capi without-tls memcheck interop fuzz simulate ## all tests
	$(call heading,All checks passed)

dependencies: # Debian packages: the C library to compare with, its headers, its nanocat
	$(call heading,Packages)
	@.ci/dependencies check

components: # rustfmt and clippy, which minimal toolchains lack
	$(call heading,Toolchain)
	@.ci/components

fmt:
	$(call heading,Format: cargo fmt)
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	@$(CARGO) fmt --check --manifest-path simulation/Cargo.toml

clippy:
	$(call heading,Lints: cargo clippy)
	@$(CARGO) clippy --locked --workspace --all-targets $(ALL_FEATURES) -- -D warnings
	@$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@RUSTFLAGS='--cfg fuzzing' $(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET)/fuzz" \
	    -- -D warnings
	@RUSTFLAGS='--cfg simulated' $(CARGO) clippy --locked --manifest-path simulation/Cargo.toml \
	    --target-dir "$(TARGET)/simulated" -- -D warnings

doc:
	$(call heading,Documentation: cargo doc)
	@RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked $(ALL_FEATURES) --workspace --no-deps

package: # each package is built from the files that it would be published with
	$(call heading,Packages: cargo package)
	@.ci/package "$(TARGET)"

test: ## the Rust tests alone
	$(call heading,Rust tests: cargo test)
	@$(CARGO) test --locked $(ALL_FEATURES) --workspace

# A target folder of its own, because the flag rebuilds everything. Without LTO, which takes minutes and has no effect on
# tests. The tests are listed first, because a filter without a match would succeed.
loom: export RUSTFLAGS := --cfg loom
loom: export CARGO_PROFILE_RELEASE_LTO := off
loom: export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16
loom: LOOM := $(CARGO) test --locked --release --package scaproust --lib --target-dir "$(TARGET)/loom" loom_
loom: ## the interleaving tests of the lock-free parts alone
	$(call heading,Interleavings: loom)
	@$(LOOM) -- --list | grep ': test$$' >/dev/null || { echo "there are no loom tests" >&2; exit 1; }
	@$(LOOM)

# As for loom. Debug assertions check the order of the locks. ITERATIONS is the number of schedules of each test.
shuttle: export RUSTFLAGS := --cfg simulated --cfg shuttle
shuttle: export CARGO_PROFILE_RELEASE_LTO := off
shuttle: export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16
shuttle: export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS := true
shuttle: SHUTTLE := $(CARGO) test --locked --release --package scaproust --lib --target-dir "$(TARGET)/shuttle" shuttle_
shuttle: ## random schedules of sockets, lanes and the reactor (ITERATIONS=100000)
	$(call heading,Schedules: shuttle)
	@$(SHUTTLE) -- --list | grep ': test$$' >/dev/null || { echo "there are no shuttle tests" >&2; exit 1; }
	@$(if $(ITERATIONS),ITERATIONS="$(ITERATIONS)") $(SHUTTLE)

installed: # an installation: names, versions, links, pkg-config, CMake, static linking
	$(call heading,Installation)
	@$(MAKE) --no-print-directory stage
	@.ci/installed "$(STAGE)" "$(RELEASE)"

cinstalled: ## compare `make cinstall` with `make install` (builds cargo-c first, which takes long)
	$(call heading,Installation: cargo cinstall)
	@.ci/dependencies check
	@.ci/cinstalled "$(TARGET)" "$(RELEASE)"

abi: # the binary interface, compared with Debian's library
	$(call heading,Binary interface: abidiff)
	@$(MAKE) --no-print-directory stage
	@.ci/abi "$(STAGE)"

bindings: # bindings made from our headers, compared with those made from Debian's
	$(call heading,Bindings: bindgen)
	@$(MAKE) --no-print-directory stage
	@.ci/bindings "$(STAGE)"

bindings-check: ## install bindings for Python, JavaScript, Perl, Rust and Ruby; run docs/bindings.md and their tests (ONLY="perl rust")
	$(call heading,Bindings: docs/bindings.md)
	@.ci/dependencies bindings
	@$(MAKE) --no-print-directory stage
	@.ci/bindings-check "$(STAGE)"

capi: ## the C tests alone
	$(call heading,C tests: capi-tests)
	@$(MAKE) --no-print-directory stage
	@capi-tests/run "$(STAGE)"

# The behaviour tests, and the hostile and fault tests with many threads, forks or exits that a slow library passes too. Not
# faults/closed: with debug assertions, Rust's standard library aborts the process when it closes a descriptor that the program
# has closed already.
debug-capi: KIND := debug
debug-capi: ## some of the C tests, with a library that checks the order of its locks
	$(call heading,C tests: a debug library)
	@$(MAKE) --no-print-directory stage KIND=debug
	@capi-tests/behaviour/run "$(STAGE)"
	@ONLY="close_race races requests stranger term websocket" capi-tests/hostile/run "$(STAGE)"
	@ONLY="exiting forking killed" capi-tests/faults/run "$(STAGE)"

without-tls: ## some of the C tests, with a library without TLS
	$(call heading,C tests: a library without TLS)
	@$(MAKE) --no-print-directory stage KIND=debug TLS=no STAGE="$(TARGET)/without-tls"
	@.ci/without-tls "$(TARGET)/without-tls"

interop: ## conversations with the C library, nng, a browser and node (UPDATE_INTEROP=1 writes docs/interop.md)
	$(call heading,Interoperability: docs/interop.md)
	@.ci/dependencies interop
	@$(MAKE) --no-print-directory stage
	@interop/run "$(STAGE)"

portable: ## the tests without the system calls that only Linux has
	@.ci/portable

apple: ## compile for macOS (builds Rust's standard library first; Debian only)
	$(call heading,Compiling for macOS)
	@.ci/apple

windows: ## the tests on Windows, or with wine (Debian: builds Rust's standard library first)
	@.ci/windows

processors: ## the tests on other processors, most of them emulated (ONLY=s390x; builds Rust's standard library first)
	@.ci/processors

fuzz: ## each fuzz target for 12 seconds (ONLY=calls SECONDS_EACH=600; more in fuzz/run)
	$(call heading,Fuzzing)
	@.ci/dependencies check
	@fuzz/run

simulate: ## simulated worlds for a minute, with the seed of the day (SECONDS_OF_WORLDS=3600 SEED=7; more in simulation/run)
	$(call heading,Simulation)
	@simulation/run

bite: ## puts faults into the library one at a time, and requires that simulated worlds find them (some minutes)
	@simulation/bite

soak: MINUTES ?= 60
soak: ## an hour of mixed traffic after a minute of races and 800,000 requests; `make check` has a minute and five seconds (MINUTES=60)
	@.ci/dependencies check
	@$(MAKE) --no-print-directory stage
	@ONLY=races SECONDS_OF_RACES=60 capi-tests/hostile/run "$(STAGE)"
	@$(CARGO) test --locked --release --package scaproust --test conversations -- --ignored
	@SECONDS_OF_LOAD=$$(($(MINUTES) * 60)) capi-tests/load/run "$(STAGE)"

faults: ## fault tests at full length: 10,000 killed peers, the library unloaded 1,000 times
	@.ci/dependencies check
	@$(MAKE) --no-print-directory stage
	@KILLS=10000 UNLOADS=1000 capi-tests/faults/run "$(STAGE)"

memcheck: # some of the C tests under valgrind
	$(call heading,Memory: valgrind memcheck)
	@$(MAKE) --no-print-directory stage
	@.ci/sanitize short

sanitize: ## all C tests under AddressSanitizer, ThreadSanitizer and valgrind, and fuzzing (most of an hour)
	@.ci/dependencies sanitize
	@$(MAKE) --no-print-directory stage
	$(call heading,Memory: AddressSanitizer)
	@.ci/sanitize address
	$(call heading,Data races: ThreadSanitizer)
	@.ci/sanitize thread
	$(call heading,Memory: valgrind memcheck)
	@.ci/sanitize memcheck

semver: BASE ?=
semver: ## compares the Rust interface with that of the last tag (BASE=REVISION for another one; builds cargo-semver-checks first, which takes long)
	$(call heading,Interface: cargo semver-checks)
	@.ci/semver "$(TARGET)" $(BASE)

deny: ## licences, advisories and sources of the dependencies (builds cargo-deny first, which takes long)
	$(call heading,Dependencies: cargo deny)
	@.ci/deny "$(TARGET)"

upstream: REPEAT ?= 20
upstream: ## the C library's own tests, each twenty times in a row, and as often on one core (REPEAT=20)
	$(call heading,The C library's own tests: $(REPEAT) times each)
	@.ci/dependencies check
	@$(MAKE) --no-print-directory stage
	@REPEAT=$(REPEAT) capi-tests/upstream "$(STAGE)"
	$(call heading,The C library's own tests: $(REPEAT) times each on one core)
	@REPEAT=$(REPEAT) CORE=0 JOBS=1 capi-tests/upstream "$(STAGE)"

# --- Packages ---------------------------------------------------------------------------------------------------------
deb: ## Debian packages, built from vendored crates, in target/deb
	$(call heading,Debian packages)
	@.ci/dependencies deb
	@packaging/deb "$(TARGET)/deb"

deb-check: ## build them in a new Debian system, and run criterion, janus and Perl's NanoMsg::Raw there (root; some minutes)
	$(call heading,Debian packages in a new system)
	@.ci/dependencies deb-check
	@.ci/deb-check "$(TARGET)/deb-check"

packaging-check: ## build the RPM packages, and run the formula of Homebrew and the port of vcpkg with stand-ins for those
	$(call heading,Packages for RPM and Homebrew and vcpkg)
	@.ci/dependencies packaging
	@$(MAKE) --no-print-directory build
	@.ci/packaging/run "$(TARGET)/packaging"

# --- Housekeeping ---------------------------------------------------------------------------------------------------
clean: ## remove all build products
	@$(CARGO) clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

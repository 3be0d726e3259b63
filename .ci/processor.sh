# What building for another processor needs to know: sourced by .ci/cross and .ci/processors.
# shellcheck shell=bash

# The targets of `make processors`, those first that find most: 32 bits, then big endian. The last is another C library.
# shellcheck disable=SC2034 # .ci/processors uses it.
processors="i686-unknown-linux-gnu s390x-unknown-linux-gnu armv7-unknown-linux-gnueabihf aarch64-unknown-linux-gnu
    riscv64gc-unknown-linux-gnu x86_64-unknown-linux-musl"

# tools TARGET: sets `triple`, the name of the C library's folder; `cc`, the compiler; `binutils`, the prefix of the names of
# GNU's tools; and `emulator`, the file in /usr/lib/binfmt.d of what runs such programs, empty if the kernel runs them.
tools() {
    emulator=
    case $1 in
        i686-unknown-linux-gnu) triple=i686-linux-gnu ;;
        s390x-unknown-linux-gnu) triple=s390x-linux-gnu emulator=qemu-s390x ;;
        armv7-unknown-linux-gnueabihf) triple=arm-linux-gnueabihf emulator=qemu-arm ;;
        aarch64-unknown-linux-gnu) triple=aarch64-linux-gnu emulator=qemu-aarch64 ;;
        riscv64gc-unknown-linux-gnu) triple=riscv64-linux-gnu emulator=qemu-riscv64 ;;
        x86_64-unknown-linux-musl) triple=x86_64-linux-musl cc=musl-gcc binutils= && return ;;
        *) return 1 ;;
    esac
    cc=$triple-gcc binutils=$triple-
}

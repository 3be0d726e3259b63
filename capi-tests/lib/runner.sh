# The parts that all runners share: the folders, the compiler, jobs in parallel, the counts.
# Sourced by each of them, with PREFIX as the first argument.
# shellcheck shell=bash

set -u
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(dirname "$here")/target/capi-tests
cc=${CC:-cc}
jobs_at_once=${JOBS:-2}
passed=0
failed=0
failures=
serial=0

stop() {
    echo "$*" >&2
    exit 2
}

# The folder that `make install PREFIX=…` filled.
take_prefix() {
    [ $# -eq 1 ] || stop "usage: $0 PREFIX (the folder that make install PREFIX=… filled)"
    prefix=$(cd "$1" 2>/dev/null && pwd) || stop "$1: no such folder"
    # An installation for musl has the static library only.
    local files='include/nanomsg/nn.h lib/libnanomsg.so lib/libnanomsg.so.5' file
    ours=$prefix/lib/libnanomsg.so.5
    if [ -n "${STATIC:-}" ]; then
        files='include/nanomsg/nn.h lib/libnanomsg.a'
        ours=$prefix/lib/libnanomsg.a
    fi
    for file in $files; do
        [ -e "$prefix/$file" ] || stop "$prefix/$file is missing: run make install PREFIX=$1"
    done
    mkdir -p "$build"
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || stop "$tool is missing: install the packages that make check names"
    done
}

# The C library, by the name that programs ask the loader for. It is always one of this machine's processor.
need_reference() {
    local folder
    for folder in $("${PLAIN_CC:-$cc}" -print-search-dirs | sed -n 's/^libraries: =//p' | tr : ' '); do
        if [ -e "$folder/libnanomsg.so.5" ]; then
            reference=$(readlink -f "$folder/libnanomsg.so.5")
            return
        fi
    done
    stop "libnanomsg.so.5 is missing: install libnanomsg5 and libnanomsg-dev"
}

# compile OUTPUT SOURCE ARGUMENTS...: prints the errors, if there are any.
compile() {
    local output=$1 source=$2
    shift 2
    "$cc" -std=gnu11 -Wall -Wextra -Werror -O1 -g -I "$prefix/include" -o "$output" "$source" \
        "$@" -lpthread
}

# Each job has a range of ports of its own, below those that the kernel gives out. Its start
# depends on the process, so that two runs at the same time rarely collide.
next_ports() {
    serial=$((serial + 1))
    NN_TEST_PORT=$((10000 + ($$ * 40 + serial * 40) % 22000))
    export NN_TEST_PORT
}

# start NAME COMMAND...: runs the command in a new folder of its own, when fewer than
# $jobs_at_once others run. Its exit status is the outcome; its output is kept in $results.
start() {
    local name=$1
    shift
    while [ "$(jobs -rp | wc -l)" -ge "$jobs_at_once" ]; do
        wait -n
    done
    order+=("$name")
    rm -rf "${results:?}/$name"
    mkdir -p "$results/$name/folder"
    next_ports
    (
        exec 9>&-
        cd "$results/$name/folder" || exit 1
        "$@" >"$results/$name/output" 2>&1
        echo $? >"$results/$name/status"
    ) &
}

# begin PART: takes its folder exclusively: a second run of the same part waits for the first.
begin() {
    exec 9>"$build/$1.lock"
    flock 9
    results=$build/$1
    rm -rf "$results"
    mkdir -p "$results"
    order=()
}

# Waits for all jobs and counts them; shows what the failing ones printed.
gather() {
    local name status
    wait
    for name in ${order[@]+"${order[@]}"}; do
        status=$(cat "$results/$name/status" 2>/dev/null)
        count "$name" "${status:-1}" "$results/$name/output"
    done
    order=()
}

# count NAME STATUS OUTPUT. With $shows_figures, the output of a passing program is shown as well.
count() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok      $1"
        [ -z "${shows_figures-}" ] || sed 's/^/        /' "$3"
    else
        failed=$((failed + 1))
        failures+=$(show_failure "$@")$'\n'
        show_failure "$@"
    fi
}

show_failure() {
    echo "FAILED  $1 (status $2)"
    [ ! -e "$3" ] || sed 's/^/        /' "$3"
}

# closing NAME: the failures again, for a log that is cut in the middle, and the last line of a part. Its exit status: nothing
# tested is a failure.
closing() {
    [ "$failed" -eq 0 ] || printf -- '-- failures\n%s' "$failures"
    echo "$1: $passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# Runs a program on our library, or on the C library; a program that hangs is a failure.
# UNDER is a command that runs ours, such as valgrind, which makes it slower.
on_ours() {
    # shellcheck disable=SC2086 # The command has words.
    LD_LIBRARY_PATH=$prefix/lib timeout -k 5 $((${LIMIT:-90} * ${PATIENCE:-1})) ${UNDER:-} "$@"
}

# asserts SOURCE NAME ARGUMENTS...: compiles a program for our library alone, and runs it.
asserts() {
    local source=$1 program=$results/$2/program
    shift 2
    compile "$program" "$source" "$@" -L "$prefix/lib" -lnanomsg || return 1
    loads_ours "$program" || return 1
    on_ours "$program"
}

on_reference() {
    NN_REFERENCE=1 EMULATOR_THREADS=0 LD_LIBRARY_PATH='' timeout -k 5 "${LIMIT:-90}" "$@"
}

# loads FILE PROGRAM: whether the loader takes the library from the file. (ldd knows programs of this processor only.)
loads() {
    local taken
    taken=$(LD_TRACE_LOADED_OBJECTS=1 "$2" | sed -n 's/^\s*libnanomsg\.so\.[0-9]* => \(\S*\) .*/\1/p')
    [ -n "$taken" ] && [ "$(readlink -f "$taken")" = "$(readlink -f "$1")" ]
}

# loads_ours PROGRAM: whether the program runs with our library. With STATIC, it contains the library.
loads_ours() {
    [ -n "${STATIC:-}" ] || LD_LIBRARY_PATH=$prefix/lib loads "$ours" "$1" ||
        { echo "our library is not loaded"; return 1; }
}

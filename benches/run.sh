#!/usr/bin/env bash
# Runs the benchmark on this library and its peers, and prints tables of medians and ratios.
#
#     benches/run.sh [PREFIX [CASE...]]   PREFIX is where this library is installed, by default target/stage
#
# benches/cases prints the names of the cases; a CASE need not be one of those: shape/answer/ipc/100/7/0. The
# environment selects some of those that benches/cases prints:
#
#     ONLY="flow/tcp/64 shape/push/tcp/*"   by their names
#     KINDS="latency flow handover fanout calls topics filtered shape busy one-core growth"
#     SHAPES="answer push"                  as in c/shapes.c
#     TRANSPORTS="inproc ipc ipc+shm tcp ws tls+tcp wss"   ipc+shm: ipc, for this library with shared memory
#     SIZES="1 64 1024 65536 1048576"
#     GO_ON=1                               only those that have not been measured yet
#
# OMQ=1 adds omq-libzmq to the peers; it is built first (benches/omq).
#
# Their results are kept in target/bench/kept, and `benches/page` writes docs/benchmarks.md from them; so a long run can be
# made in portions. Without a selection, everything is measured anew, and the page is written at the end.
#
# Results of other settings, and of a CASE that is named, are only printed (and left in target/bench/tried):
#
#     PEERS="ours libnanomsg nng libzmq omq bare spin"
#     ROUNDS=5                              3 for shapes
#     RUN_SECONDS=0.25 WARM_UP=0.08
#     SYSCALLS=0                            do not count system calls; counting takes a run under strace for each peer and flood
#     UNDER="nice"                          a command to run each program with
#
# BAR=1: fails if this library is above the bar in a shape that was measured, and prints which (preface.md).
#
# Figures drift with the load of the machine, so every round of a case runs each peer once, one after the other, and only
# figures of the same rounds are compared.
set -euo pipefail

differs=${PEERS:-}${ROUNDS:-}${RUN_SECONDS:-}${WARM_UP:-}${SYSCALLS:-}${UNDER:-}${*:2}
chosen=${ONLY:-}${KINDS:-}${SHAPES:-}${TRANSPORTS:-}${SIZES:-}${GO_ON:-}
PEERS=${PEERS:-ours libnanomsg nng libzmq ${OMQ:+omq} bare spin}
ROUNDS=${ROUNDS:-}
RUN_SECONDS=${RUN_SECONDS:-0.25}
WARM_UP=${WARM_UP:-0.08}
SYSCALLS=${SYSCALLS:-1}
read -ra under <<<"${UNDER:-}"
TRACED_SECONDS=0.1
# For tls+tcp and wss. The name is the certificate's; nng verifies no address of IP.
certificates=$(cd "$(dirname "$0")/../scaproust/src/tls/certificates" && pwd)
export NN_TLS_CA_FILE=$certificates/ca.pem NN_TLS_CERT_FILE=$certificates/server.pem NN_TLS_SERVER_NAME=localhost
# The exit status of a program whose library cannot do the case (c/measure.h).
CANNOT=3

project=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$project/target}
ours=$(cd "${1:-$target/stage}" && pwd)/lib
mkdir -p "$target/bench"
all_results=$(cd "$target/bench" && pwd)
results=$all_results/kept
[[ -z $differs ]] || results=$all_results/tried
programs=$all_results/programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
cd "$project"

benches/build "$programs"
[[ " $PEERS " != *" omq "* ]] || benches/omq "$all_results/omq"
[[ $(LD_LIBRARY_PATH=$ours ldd "$programs/nanomsg-bench") == *"libnanomsg.so.5 => $ours/"* ]] || {
    echo "the benchmark would not load the library in $ours" >&2
    exit 1
}

# among WORD LIST: whether a pattern of the list matches, or the list is empty
among() {
    local pattern patterns
    read -ra patterns <<<"$2"
    ((${#patterns[@]} > 0)) || return 0
    for pattern in "${patterns[@]}"; do
        # shellcheck disable=SC2053 # it is a pattern
        [[ $1 != $pattern ]] || return 0
    done
    return 1
}

# split NAME: sets the variables that the name of a case contains; `shape` is empty unless the case is one
split() {
    shape='' transport='' size='' count='' pause=''
    case $1 in
        growth/*) IFS=/ read -r kind program_name <<<"$1" ;;
        shape/* | busy/* | one-core/*) IFS=/ read -r kind shape transport size count pause <<<"$1" ;;
        *) IFS=/ read -r kind transport size <<<"$1" ;;
    esac
    # The other libraries do not know it, and use their ipc.
    unset NN_IPC_SHM
    [[ $transport != ipc+shm ]] || export NN_IPC_SHM=1048576
}

# cases [CASE...]: those to run, one a line
cases() {
    local name kind shape transport size count pause program_name
    if (($# > 0)); then
        printf '%s\n' "$@"
        return
    fi
    benches/cases | while read -r name; do
        split "$name"
        ! among "$name" "${ONLY:-}" || ! among "$kind" "${KINDS:-}" || ! among "$transport" "${TRANSPORTS:-}" ||
            ! among "$size" "${SIZES:-}" || ! among "$shape" "${SHAPES:-}" ||
            [[ ${GO_ON:-} && -e $results/$name.tsv ]] || echo "$name"
    done
}

# exists PEER: whether the peer can do the case
exists() {
    case $1/$kind/$transport in
        libzmq/*/ws* | omq/*/ws* | bare/*/ws*) return 1 ;;
        ours/*/tls+tcp | nng/*/tls+tcp | ours/*/wss | nng/*/wss) ;;
        */tls+tcp | */wss) return 1 ;;
        ours/filtered/*) ;;
        */filtered/* | bare/topics/*) return 1 ;;
        ours/* | libnanomsg/* | spin/latency/inproc) ;;
        spin/*) return 1 ;;
        bare/latency/* | bare/flow/* | bare/calls/ipc | bare/calls/tcp) ;;
        *)
            # nng has no call like nn_poll. A bare socket has one connection, unless it is a REP of the kernel's sockets.
            case $1/$shape/$transport/$count in
                nng/poll/*) return 1 ;;
                nng/* | libzmq/* | omq/*) ;;
                bare/answer/* | bare/back/* | bare/work/* | bare/self/* | bare/push/* | bare/stages/*) ;;
                bare/ask/inproc/1 | bare/serve/inproc/1) ;;
                bare/*/inproc/*) return 1 ;;
                bare/ask/* | bare/serve/* | bare/short/* | bare/poll/* | bare/epoll/*) ;;
                bare/*) return 1 ;;
            esac
            ;;
    esac
}

# next_port [COUNT]: sets `port` to the first of COUNT loopback ports, below those that the system gives out by itself;
# each run takes the next ones that are free.
free_port=$((20000 + RANDOM % 8000))
next_port() {
    port=$((free_port < 30000 ? free_port : 20000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    free_port=$((port + ${1:-1}))
}

# Sets an address for the case. A program may bind the following ones too: the next one, or, where it polls, one for each socket.
serial=0
new_address() {
    case $transport in
        inproc) address=inproc://bench ;;
        ipc | ipc+shm) address=ipc://$work/socket-$((++serial)) ;;
        *)
            if [[ $shape == *poll ]]; then next_port "$count"; else next_port 2; fi
            address=$transport://127.0.0.1:$port
            ;;
    esac
}

# use PEER: sets `program` and what LD_LIBRARY_PATH it needs
use() {
    library_path=
    case $1 in
        ours) program=nanomsg library_path=$ours ;;
        libnanomsg) program=nanomsg ;;
        libzmq) program=zmq ;;
        omq) program=zmq library_path=$all_results/omq ;;
        *) program=$1 ;;
    esac
    program=$programs/$program
}

# failed WHAT: goes on without this figure; the run fails at its end
failed() {
    echo "failed: $1" >&2
    : >"$work/failed"
}

# Sets for the case the number of rounds, their duration, and further arguments of the program.
settings() {
    rounds=${ROUNDS:-5} seconds=$RUN_SECONDS more=() wrapper=("${under[@]}") variant=bench
    [[ $shape ]] || return 0
    rounds=${ROUNDS:-3} more=("$count" "$pause") variant=shapes
    # With so few messages a 99th percentile takes longer to measure.
    [[ $shape/$count/$pause != push/1/2000 && $shape/$count/$pause != pub/1/1000 ]] ||
        seconds=$(awk "BEGIN { print $seconds * 4 }")
    case $kind in
        busy) more+=(loops) ;;
        one-core) wrapper+=(taskset -c "$(awk '/^Cpus_allowed_list/ { split($2, core, /[-,]/); print core[1] }' /proc/self/status)") ;;
    esac
}

# run PEER SECONDS [WRAPPER...]: sets `result` of the case, or returns 1
run() {
    local status=0
    use "$1"
    new_address
    result=$(LD_LIBRARY_PATH=$library_path "${@:3}" "$program-$variant" "${shape:-$kind}" "$address" "$size" "$WARM_UP" "$2" \
        "${more[@]}" 2>"$work/errors") || status=$?
    if ((status == CANNOT)); then
        result=cannot
    elif ((status != 0)); then
        cat "$work/errors" >&2
        failed "$1 $name"
        return 1
    fi
}

traced=(strace -f -qq -ttt -e raw=all -e signal=none -o "$work/trace")

# calls_in_trace BEGIN END PID: the number of system calls in this time, without those of the measuring process
calls_in_trace() {
    awk -v begin="$1" -v end="$2" -v pid="$3" '
        $1 != pid && $2 >= begin && $2 < end && $3 ~ /^[a-z_0-9]+\(/ { calls++ }
        END { print calls + 0 }' "$work/trace"
}

# trace PEER: sets `result` to the messages and system calls during the measurement
trace() {
    local field
    run "$1" "$TRACED_SECONDS" "${traced[@]}" || return
    IFS=$'\t' read -ra field <<<"$result"
    result=${field[0]}$'\t'$(calls_in_trace "${field[@]:5:3}")
}

# grow PEER PROGRAM: prints lines of the peer's figures
grow() {
    local line
    use "$1"
    case $2 in
        connections) next_port && set -- "$1" "$2" "tcp://127.0.0.1:$port" 10000 ;;
        sockets) set -- "$1" "$2" 10000 ;;
        subscriptions) set -- "$1" "$2" 100000 ;;
        idle) next_port && set -- "$1" "$2" "tcp://127.0.0.1:$port" "${traced[@]}" ;;
    esac
    {
        if [[ $2 == idle ]]; then
            LD_LIBRARY_PATH=$library_path "${@:4}" "$program-growth" "${@:2:2}"
        else
            LD_LIBRARY_PATH=$library_path "$program-growth" "${@:2}"
        fi || failed "$1 growth/$2"
    } | while IFS=$'\t' read -ra line; do
        [[ ${line[0]} != watched ]] || line=(syscalls "$(calls_in_trace "${line[@]:1}")")
        printf 'growth\t%s\t%s\t%s\t%s\n' "$name" "$1" "${line[0]}" "${line[1]}"
    done
}

# Prints the lines of one case: each run, each traced run, each figure of a growth program.
measure() {
    local peer round peers=()
    local -A given_up=()
    if [[ $kind == growth ]]; then
        for peer in ours libnanomsg nng libzmq; do
            ! among "$peer" "$PEERS" || grow "$peer" "$program_name"
        done
        return
    fi
    settings
    for peer in $PEERS; do ! exists "$peer" || peers+=("$peer"); done
    for ((round = 0; round < rounds; round++)); do
        for peer in "${peers[@]}"; do
            [[ ! ${given_up[$peer]:-} ]] || continue
            # Once is enough, since finding out can take long.
            run "$peer" "$seconds" "${wrapper[@]}" || { given_up[$peer]=1; continue; }
            [[ $result != cannot ]] || given_up[$peer]=1
            printf 'run\t%s\t%s\t%s\n' "$name" "$peer" "$result"
        done
    done
    [[ $SYSCALLS != 0 && -z $shape ]] || return 0
    for peer in "${peers[@]}"; do
        trace "$peer" || continue
        printf 'calls\t%s\t%s\t%s\n' "$name" "$peer" "$result"
    done
}

cases "${@:2}" >"$work/list"
[[ -z $differs && $chosen ]] || rm -rf "$results"
mkdir -p "$results"
done=0
total=$(wc -l <"$work/list")
# The programs must not read the list as their stdin.
while read -ru 4 name; do
    echo "[$((++done))/$total] $name" >&2
    split "$name"
    measure >"$work/case"
    mkdir -p "$(dirname "$results/$name")"
    mv "$work/case" "$results/$name.tsv"
done 4<"$work/list"

{
    version() { dpkg-query -W -f '${Version}' "$1"; }
    # With bbr large messages over TCP take up to twice as long.
    congestion_control=$(cat /proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null || echo "an unknown congestion control")
    echo "$(uname -srm), $(nproc) cores, TCP with $congestion_control; medians of ${ROUNDS:-5} rounds (shapes: ${ROUNDS:-3}) of $RUN_SECONDS s;" \
        "libnanomsg $(version libnanomsg5), nng $(version libnng1), libzmq $(version libzmq5)${OMQ:+, $(sed -n 's/^\(omq-libzmq\) = "=\(.*\)"/\1 \2/p' benches/omq)}"
} >"$results/machine"

benches/report "$results" "$work/list"
[[ $differs$chosen ]] || benches/page
if [[ ${BAR:-} ]]; then
    benches/report "$results" "$work/list" misses >"$work/misses"
    cat "$work/misses" >&2
    [[ ! -s $work/misses ]] || : >"$work/failed"
fi
[[ ! -e $work/failed ]]

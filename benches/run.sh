#!/usr/bin/env bash
# Runs the benchmark on this library and its peers, and prints tables of medians and ratios.
#
#     benches/run.sh [PREFIX]       PREFIX is where this library is installed: target/stage if nothing is said
#
# The environment can choose less or more:
#
#     ONLY="flow/tcp/64 latency/*"  cases by their names: KIND/TRANSPORT/SIZE, or growth/PROGRAM
#     KINDS="latency flow handover fanout calls growth"
#     TRANSPORTS="inproc ipc tcp ws"
#     SIZES="1 64 1024 65536 1048576"
#     PEERS="ours libnanomsg nng libzmq bare spin"
#     ROUNDS=5 RUN_SECONDS=0.25 WARM_UP=0.08
#     SYSCALLS=0                    do not count system calls, which takes a run under strace for each peer and case
#
# All figures are left in target/bench/. When nothing is chosen, the tables and plots go to docs/ as well.
#
# Figures drift with the machine's mood, so every round of a case runs each peer once, one after the other, and only
# figures of the same rounds are compared.
set -euo pipefail

chosen=${ONLY:-}${KINDS:-}${TRANSPORTS:-}${SIZES:-}${PEERS:-}${ROUNDS:-}${RUN_SECONDS:-}${WARM_UP:-}${SYSCALLS:-}
ONLY=${ONLY:-}
KINDS=${KINDS:-latency flow handover fanout calls growth}
TRANSPORTS=${TRANSPORTS:-inproc ipc tcp ws}
SIZES=${SIZES:-1 64 1024 65536 1048576}
PEERS=${PEERS:-ours libnanomsg nng libzmq bare spin}
ROUNDS=${ROUNDS:-5}
RUN_SECONDS=${RUN_SECONDS:-0.25}
WARM_UP=${WARM_UP:-0.08}
SYSCALLS=${SYSCALLS:-1}
TRACED_SECONDS=0.1

project=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$project/target}
ours=$(cd "${1:-$target/stage}" && pwd)/lib
mkdir -p "$target/bench"
results=$(cd "$target/bench" && pwd)
programs=$results/programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
cd "$project"

benches/build "$programs"
[[ $(LD_LIBRARY_PATH=$ours ldd "$programs/nanomsg-bench") == *"libnanomsg.so.5 => $ours/"* ]] || {
    echo "the benchmark would not load the library in $ours" >&2
    exit 1
}

has() { [[ " $1 " == *" $2 "* ]]; }

# named NAME: whether ONLY names it, or names nothing
named() {
    local pattern
    set -f
    # shellcheck disable=SC2086 # ONLY is a list
    set -- "$1" $ONLY
    set +f
    (($# > 1)) || return 0
    for pattern in "${@:2}"; do
        # shellcheck disable=SC2053 # it is a pattern
        [[ $1 != $pattern ]] || return 0
    done
    return 1
}

# exists PEER KIND TRANSPORT: whether the peer can do such a case
exists() {
    case $1/$2/$3 in
        ours/* | libnanomsg/*) ;;
        spin/latency/inproc) ;;
        libzmq/*/ws | bare/*/ws | spin/*) return 1 ;;
        bare/latency/* | bare/flow/* | bare/calls/ipc | bare/calls/tcp) ;;
        bare/*) return 1 ;;
    esac
}

# cases: those to run, one a line
cases() {
    local kind transport size
    for kind in $KINDS; do
        for transport in $TRANSPORTS; do
            for size in $SIZES; do
                case $kind/$transport/$size in
                    growth/*) continue ;;
                    # A publisher's messages bear a number, for the losses to be counted.
                    fanout/*/[1-7]) continue ;;
                    # Other ways to send small messages, and other patterns over ws, would tell nothing new.
                    handover/*/1 | handover/*/64 | handover/*/1024 | handover/ws/* | fanout/ws/* | calls/ws/*) continue ;;
                esac
                named "$kind/$transport/$size" && echo "$kind $transport $size"
            done
        done
    done
    true
}

# Loopback ports below those that the system hands out by itself; each run takes the next one where nobody answers.
port=$((20000 + RANDOM % 8000))
next_port() {
    port=$((port + 1))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
}

address() {
    case $1 in
        inproc) address=inproc://bench ;;
        ipc) address=ipc://$work/socket-$((++serial)) ;;
        tcp) next_port && address=tcp://127.0.0.1:$port ;;
        ws) next_port && address=ws://127.0.0.1:$port ;;
    esac
}
serial=0

# use PEER: sets `program` and what LD_LIBRARY_PATH it needs
use() {
    library_path=
    case $1 in
        ours) program=nanomsg library_path=$ours ;;
        libnanomsg) program=nanomsg ;;
        libzmq) program=zmq ;;
        *) program=$1 ;;
    esac
    program=$programs/$program
}

# failed WHAT: goes on without this figure; the whole fails at its end
failed() {
    echo "failed: $1" >&2
    : >"$work/failed"
}

# run PEER KIND TRANSPORT SIZE SECONDS [WRAPPER...]: sets `result`, or returns 1
run() {
    use "$1"
    address "$3"
    result=$(LD_LIBRARY_PATH=$library_path "${@:6}" "$program-bench" "$2" "$address" "$4" "$WARM_UP" "$5") || {
        failed "$1 $2/$3/$4"
        return 1
    }
}

traced=(strace -f -qq -ttt -e raw=all -e signal=none -o "$work/trace")

# calls_in_trace BEGIN END PID: how many system calls there were in this time, without those of the process that measured
calls_in_trace() {
    awk -v begin="$1" -v end="$2" -v pid="$3" '
        $1 != pid && $2 >= begin && $2 < end && $3 ~ /^[a-z_0-9]+\(/ { calls++ }
        END { print calls + 0 }' "$work/trace"
}

# trace PEER KIND TRANSPORT SIZE: sets `result` to messages and system calls while it was measured
trace() {
    local field
    run "$@" "$TRACED_SECONDS" "${traced[@]}" || return
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
        printf '%s\t%s\t%s\t%s\n' "$2" "${line[0]}" "$1" "${line[1]}"
    done
}

list=$(cases)
count=$(grep -c . <<<"$list" || true)
# Each run a line, as bench.c prints it; each traced run a line.
: >"$results/runs.tsv"
: >"$results/syscalls.tsv"
# Each figure of a growth program a line.
: >"$results/growth.tsv"
done=0
while read -r kind transport size; do
    [[ $kind ]] || continue
    echo "[$((++done))/$count] $kind/$transport/$size" >&2
    peers=
    for peer in $PEERS; do exists "$peer" "$kind" "$transport" && peers+=" $peer"; done
    for ((round = 1; round <= ROUNDS; round++)); do
        for peer in $peers; do
            run "$peer" "$kind" "$transport" "$size" "$RUN_SECONDS" || continue
            printf '%s\t%s\t%s\t%s\t%s\n' "$kind" "$transport" "$size" "$peer" "$result" >>"$results/runs.tsv"
        done
    done
    [[ $SYSCALLS != 0 ]] || continue
    for peer in $peers; do
        trace "$peer" "$kind" "$transport" "$size" || continue
        printf '%s\t%s\t%s\t%s\t%s\n' "$kind" "$transport" "$size" "$peer" "$result" >>"$results/syscalls.tsv"
    done
done <<<"$list"

for program_name in connections sockets subscriptions idle; do
    if ! has "$KINDS" growth || ! named "growth/$program_name"; then continue; fi
    echo "growth/$program_name" >&2
    for peer in ours libnanomsg nng libzmq; do
        ! has "$PEERS" "$peer" || grow "$peer" "$program_name" >>"$results/growth.tsv"
    done
done

{
    version() { dpkg-query -W -f '${Version}' "$1"; }
    echo "$(uname -srm), $(nproc) cores; medians of $ROUNDS rounds of $RUN_SECONDS s;" \
        "libnanomsg $(version libnanomsg5), nng $(version libnng1), libzmq $(version libzmq5)"
} >"$results/machine"

benches/report "$results"
if [[ -z $chosen ]]; then
    benches/plot "$results/summary.tsv" docs/benchmarks
    benches/report "$results" --document >docs/benchmarks.md
fi
[[ ! -e $work/failed ]]

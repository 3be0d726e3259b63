#!/usr/bin/env bash
# Runs one benchmark program on this library and on Debian's libnanomsg in turn, and prints medians and ratios.
#
#     benches/run.sh PREFIX         PREFIX is where this library is installed
#
# The environment can choose less or more:
#     ROUNDS=5  RUN_SECONDS=0.5  KINDS="flow latency"  TRANSPORTS="inproc ipc tcp"  SIZES="1 64 1024 65536"
#
# Figures drift with the machine's mood, so only those of one round are compared: every round runs both libraries,
# ours, theirs, ours, theirs. How many messages a run needs to last RUN_SECONDS is found out beforehand, for each
# library on its own: what one of them needs for half a second may be over in a blink on the other.
set -euo pipefail

ROUNDS=${ROUNDS:-5}
RUN_SECONDS=${RUN_SECONDS:-0.5}
KINDS=${KINDS:-flow latency}
TRANSPORTS=${TRANSPORTS:-inproc ipc tcp}
SIZES=${SIZES:-1 64 1024 65536}

ours=$(cd "$1" && pwd)/lib
cd "$(dirname "$0")/.."
theirs=$(dirname "$(dpkg -L libnanomsg5 | grep '/libnanomsg\.so\.5$')")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT

# Both libraries answer to the name libnanomsg.so.5, so one and the same program runs on either.
${CC:-cc} -O2 -Wall -Wextra "-I$(dirname "$ours")/include" -o "$work/bench" benches/c/bench.c \
    "-L$theirs" -l:libnanomsg.so.5 -pthread
for folder in "$ours" "$theirs"; do
    [[ $(LD_LIBRARY_PATH=$folder ldd "$work/bench") == *"libnanomsg.so.5 => $folder/"* ]] || {
        echo "the benchmark would not load the library in $folder" >&2
        exit 1
    }
done

# Loopback ports below those that the system hands out by itself; each run takes the next one where nobody answers.
port=$((20000 + RANDOM % 8000))
address() {
    case $1 in
        inproc) address=inproc://bench ;;
        ipc) address=ipc://$work/socket ;;
        tcp)
            port=$((port + 1))
            while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
            address=tcp://127.0.0.1:$port
            ;;
    esac
}

# run LIBRARY KIND TRANSPORT SIZE COUNT: sets `result`
run() {
    address "$3"
    result=$(LD_LIBRARY_PATH=$1 "$work/bench" "$2" "$address" "$4" "$5")
}

# count_for RESULT KIND SECONDS: how many messages last so long
count_for() {
    awk -v result="$1" -v kind="$2" -v seconds="$3" 'BEGIN {
        count = kind == "flow" ? seconds * result : seconds * 1e6 / result / 2
        printf "%d", count < 100 ? 100 : count
    }'
}

# calibrate LIBRARY KIND TRANSPORT SIZE: sets `count`; in two steps, because a short run is mostly its beginning
calibrate() {
    run "$@" 500
    run "$@" "$(count_for "$result" "$2" 0.05)"
    count=$(count_for "$result" "$2" "$RUN_SECONDS")
}

median() { sort -g "$1" | awk '{ value[NR] = $1 } END { printf "%.3f\n", (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'; }

row() { printf '%-8s %-9s %7s %13s %13s %9s\n' "$@"; }

echo "$(uname -sr), $(nproc) cores; medians of $ROUNDS rounds of $RUN_SECONDS s"
echo "ours:   $ours"
echo "theirs: $theirs"
for kind in $KINDS; do
    case $kind in
        flow) printf '\nMessages per second, PUSH to PULL. Ratio: ours / theirs; above 1 is better.\n\n' ;;
        latency) printf '\nMicroseconds one way, PAIR. Ratio: theirs / ours; above 1 is better.\n\n' ;;
    esac
    row case transport bytes ours theirs ratio
    for transport in $TRANSPORTS; do
        for size in $SIZES; do
            calibrate "$ours" "$kind" "$transport" "$size"
            our_count=$count
            calibrate "$theirs" "$kind" "$transport" "$size"
            their_count=$count
            rm -f "$work"/ours "$work"/theirs
            for ((round = 0; round < ROUNDS; round++)); do
                run "$ours" "$kind" "$transport" "$size" "$our_count"
                echo "$result" >>"$work/ours"
                run "$theirs" "$kind" "$transport" "$size" "$their_count"
                echo "$result" >>"$work/theirs"
            done
            our_median=$(median "$work/ours")
            their_median=$(median "$work/theirs")
            ratio=$(awk -v ours="$our_median" -v theirs="$their_median" -v kind="$kind" \
                'BEGIN { printf "%.2f", kind == "flow" ? ours / theirs : theirs / ours }')
            format=%.0f
            [[ $kind == flow ]] || format=%.2f
            # shellcheck disable=SC2059 # the formats are the two above
            row "$kind" "$transport" "$size" "$(printf "$format" "$our_median")" "$(printf "$format" "$their_median")" "$ratio"
        done
    done
done

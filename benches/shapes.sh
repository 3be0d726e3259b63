#!/usr/bin/env bash
# Measures shapes of conversation between a flood and a ping-pong, with this library and its peers in turn.
#
#     benches/shapes.sh PREFIX [CASE...]        PREFIX is where this library is installed, such as target/stage
#
# A case is KIND:TRANSPORT:SIZE:COUNT:PAUSE, as in c/shapes.c. Printed are medians of the rounds. The environment can say
# PEERS="ours libnanomsg nng libzmq", ROUNDS=3, RUN_SECONDS=0.4, and UNDER="taskset 1", a command to run each program with.
set -euo pipefail

(($# > 0)) || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
ours=$(cd "$1" && pwd)/lib
shift
PEERS=${PEERS:-ours libnanomsg nng libzmq}
ROUNDS=${ROUNDS:-3}
RUN_SECONDS=${RUN_SECONDS:-0.4}
WARM_UP=0.15
if (($# == 0)); then
    for transport in tcp ipc; do
        set -- "$@" {answer:$transport:100:{1,2,5,20}:0,back:$transport:100:{1,5}:0,work:$transport:100:1:{5,20,100}} \
            {push:$transport:100:1:{5,30,200,2000},push:$transport:100:10:1000,pub:$transport:100:{1,8}:30} \
            self:$transport:100:1:0 {spread,gather,fan}:$transport:64:{8,16,24,60}:0
    done
fi

programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
"$(dirname "$0")/build" "$programs"
cd "$programs"
port=$((20000 + RANDOM % 8000))

# measure PEER CASE: prints a line of figures, as c/shapes.c does
measure() {
    local kind transport size count pause address program=$1 library=
    IFS=: read -r kind transport size count pause <<<"$2"
    port=$((port + 3))
    case $transport in
        tcp | ws) address=$transport://127.0.0.1:$port ;;
        *) address=$transport://shape-$port ;;
    esac
    case $1 in
        ours) program=nanomsg library=$ours ;;
        libnanomsg) program=nanomsg ;;
        libzmq) program=zmq ;;
    esac
    # shellcheck disable=SC2086 # UNDER has words
    LD_LIBRARY_PATH=$library ${UNDER:-} "./$program-shapes" "$kind" "$address" "$size" "$WARM_UP" "$RUN_SECONDS" "$count" "$pause"
}

printf '%-26s %-11s %12s %12s %12s %14s\n' case library 'median us' '99 % us' 'messages/s' 'CPU us/message'
for case in "$@"; do
    for peer in $PEERS; do
        for ((round = 0; round < ROUNDS; round++)); do measure "$peer" "$case" || true; done >"$programs/figures"
        median() { sort -g | awk '{ line[NR] = $1 } END { if (NR) print line[int((NR + 1) / 2)]; else print "failed" }'; }
        printf '%-26s %-11s %12s %12s %12s %14s\n' "$case" "$peer" "$(cut -f 4 figures | median)" "$(cut -f 5 figures | median)" \
            "$(awk '{ printf "%.0f\n", $1 / $2 }' figures | median)" "$(awk '$1 { printf "%.2f\n", $3 / $1 * 1e6 }' figures | median)"
    done
done

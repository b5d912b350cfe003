#!/usr/bin/env bash
# The link between two hosts is cut in mid-run: the job ends within a set time and says where each rank was last seen; once the link is mended,
# --resume reaches the undisturbed weights. A cut shorter than run.stall_timeout is survived without a word.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=tests/sim/two-hosts.sh
. "$(dirname "$0")/../sim/two-hosts.sh"

hosts=()
cleanup() {
    hosts_down
    rm -rf "$scratch"
}
trap cleanup EXIT
hosts_up elmcut "$scratch" 2>"$scratch/stderr" || skip "$(cat "$scratch/stderr")"

export OMP_NUM_THREADS=1
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
# mpirun's own daemons notice a dead link by keepalives alone: these take some 10 s.
keepalive=(--mca oob_tcp_keepalive_time 4 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 3)
train=("${over_link[@]}" "${keepalive[@]}" -np 2 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-elm.ini" --set "data.store=$scratch/digits.h5"
    --set checkpoint.every_epochs=1 --set optim.epochs=60 --set run.stall_timeout=6)

# begin FOLDER: trains in the background until there is a checkpoint.
begin() {
    "${train[@]}" --run-dir "$1" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null &
    run=$!
    wait_for_checkpoint "$1"
}

finish() {
    code=0
    wait "$run" || code=$?
}

# same_weights FOLDER
same_weights() {
    h5diff -q "$scratch/calm/checkpoint.h5" "$1/checkpoint.h5" /model || fail "weights differ between $scratch/calm and $1"
}

begin "$scratch/calm"
finish
[ "$code" -eq 0 ] || fail "the undisturbed run ended with $code"

begin "$scratch/short"
link_cut
sleep 2
link_heal
finish
[ "$code" -eq 0 ] || fail "a cut of 2 s was not survived (exit code $code)"
says_not stderr "no rank has made progress"
same_weights "$scratch/short"

begin "$scratch/long"
link_cut
began=$SECONDS
finish
took=$((SECONDS - began))
[ "$code" -ne 0 ] || fail "a cut link went unnoticed"
[ "$took" -le 40 ] || fail "the job ended only $took s after the cut"
says stderr "no rank has made progress since \(run.stall_timeout = 6 s\)"
says stderr "rank 0 on .* step [0-9]+, for [0-9.]+ s, heard of"
says stderr "rank 1 on .* step [0-9]+, for [0-9.]+ s, heard of"
link_heal
tries=0
while [ -n "$(ip netns pids "${hosts[0]}")$(ip netns pids "${hosts[1]}")" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "processes are left behind 30 s later"
    sleep 0.1
done
expect 0 "${train[@]}" --run-dir "$scratch/long" --resume
says stdout "Resuming from"
same_weights "$scratch/long"
echo "a link cut for good: ended $took s after it, with everybody's last place; resumed to the same weights; a cut of 2 s survived"

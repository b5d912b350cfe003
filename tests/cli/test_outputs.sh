#!/usr/bin/env bash
# Where outputs go: devices and pipes are written into and stay what they are, links stay links, modes stay, HDF5 refuses what cannot be sought.
# A run that was killed between a checkpoint and its link: evaluation and export say what they read, --resume mends the folder.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
cd "$scratch"
bin=$ELMPI_BIN
expect 0 "$bin/elmpi-prepare" digits --out d.h5
printf '[run]\nname = x\n[data]\nstore = %s\n[model]\nname = mlp:8\n[optim]\nepochs = 2\nbatch = 200\n' "$scratch/d.h5" >job.ini
expect 0 "$bin/elmpi-train" job.ini --run-dir run
evaluate=("$bin/elmpi-evaluate" run/checkpoint.h5)

expect 0 "${evaluate[@]}" --json -
/usr/bin/python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["step"] == 6' stdout || fail "stdout is not the evaluation"
says stderr 'checkpoint.h5, epoch 2.00, step 6'
mkfifo fifo
cat fifo >got &
expect 0 "${evaluate[@]}" --json fifo --quiet
wait
expect 0 "${evaluate[@]}" --json plain.json --quiet
same got plain.json
[ -p fifo ] || fail "the FIFO was replaced"
mkdir there
ln -s ../there/e.json run/link.json
echo old >there/e.json
chmod 640 there/e.json
expect 0 "${evaluate[@]}" --json run/link.json --quiet
[ -L run/link.json ] || fail "the link was replaced"
same there/e.json plain.json
[ "$(stat -c %a there/e.json)" = 640 ] || fail "the mode has changed"
expect 1 "${evaluate[@]}" --json there --quiet
says stderr 'it is a folder'
expect 1 "${evaluate[@]}" --json /dev/full --quiet
says stderr 'cannot write \(/dev/full\): disk full'
for command in "elmpi-evaluate run/checkpoint.h5 --quiet --json x.json --embeddings" "elmpi-evaluate run/checkpoint.h5 --quiet --json x.json --analysis" \
    "elmpi-prepare digits --force --out"; do
    # shellcheck disable=SC2086 # words
    expect 2 "$bin"/$command fifo
    says stderr 'written back and forth \(fifo\)'
    # shellcheck disable=SC2086
    expect 2 "$bin"/$command /dev/null
    [ -c /dev/null ] || fail "$command has replaced /dev/null"
done
for command in "elmpi-evaluate run/checkpoint.h5 --quiet --json" "elmpi-bench --model mlp:8 --steps 1 --batch 8 --timeline"; do
    # shellcheck disable=SC2086
    expect 0 "$bin"/$command /dev/null
    [ -c /dev/null ] || fail "$command has replaced /dev/null"
done
if [ "$(id -u)" -eq 0 ] && mknod null.html c 1 3 2>/dev/null && mknod null.onnx c 1 3; then
    expect 0 "$bin/elmpi-export" run/checkpoint.h5 --to null.onnx
    ! command -v gnuplot >/dev/null || expect 0 "$bin/elmpi-report" run --out null.html
    if [ ! -c null.html ] || [ ! -c null.onnx ]; then fail "a device was replaced"; fi
fi
[ -z "$(find . -name '*.tmp-*' -o -name '*.part')" ] || fail "left unfinished: $(find . -name '*.tmp-*' -o -name '*.part')"

for steps in 5 3; do # an older checkpoint is there, or none
    run=killed-$steps
    expect 137 env "ELMPI_FAULT=kill@checkpoint-link:rank=0:step=$steps" "$bin/elmpi-train" job.ini --run-dir "$run" --max-steps "$steps" --set checkpoint.every_epochs=1
    if [ -e "$run/checkpoint.h5" ]; then
        expect 0 "$bin/elmpi-evaluate" "$run/checkpoint.h5" --json x.json
        says stdout 'checkpoint.h5, epoch 1.00, step 3'
        says stderr "warning: this is not the newest checkpoint of its folder, which is checkpoint-1-$steps.h5"
        expect 0 "$bin/elmpi-export" "$run/checkpoint.h5" --to x.onnx
        says stdout 'step 3'
        says stderr "warning: this is not the newest"
    fi
    expect 0 "$bin/elmpi-train" job.ini --run-dir "$run" --max-steps "$steps" --set checkpoint.every_epochs=1 --resume
    says stdout "Nothing left to do"
    [ "$(readlink "$run/checkpoint.h5")" = "checkpoint-1-$steps.h5" ] || fail "checkpoint.h5 leads to $(readlink "$run/checkpoint.h5")"
    expect 0 "$bin/elmpi-evaluate" "$run/checkpoint.h5" --json x.json
    says_not stderr 'not the newest'
done

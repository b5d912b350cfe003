#!/usr/bin/env bash
# The moving average of weights (optim.ema): its definition, the same on any number of ranks, resumed bit for bit, evaluated, exported and predicted
# with on its own; a run without it is as it was.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
evaluate=$ELMPI_BIN/elmpi-evaluate
export=$ELMPI_BIN/elmpi-export
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=2 --set optim.warmup_epochs=0 --set optim.schedule=constant --set model.name=cifar-resnet8)

run() {
    local name=$1
    shift
    expect 0 "$train" "$job" "${common[@]}" --run-dir "$scratch/$name" "$@"
}
figure() {
    sed -n 's/.*"balanced_accuracy": *\([0-9.]*\).*/\1/p' "$1" | head -1
}

# It begins as the first weights and follows them by its definition, running statistics too; what trains does not see it.
run plain
run whole --set optim.ema=0.9
checkpoint=$scratch/whole/checkpoint.h5
for group in model optimizer; do
    h5diff "$scratch/plain/checkpoint.h5" "$checkpoint" "/$group" "/$group" || fail "the average changes /$group"
done
if h5ls "$scratch/plain/checkpoint.h5/ema" >/dev/null 2>&1; then
    fail "an average of a run that keeps none"
fi
run begun --set optim.ema=0.9 --max-steps 0
h5diff "$scratch/begun/checkpoint.h5" "$scratch/begun/checkpoint.h5" /model /ema || fail "the average does not begin as the first weights"
for step in 1 2; do
    run "step$step" --set optim.ema=0.9 --max-steps "$step"
done
/usr/bin/python3 - "$scratch" <<'PY'
import h5py, numpy, sys
at = [h5py.File('%s/%s/checkpoint.h5' % (sys.argv[1], name)) for name in ('begun', 'step1', 'step2')]
names = []
at[0]['model'].visititems(lambda name, what: names.append(name) if isinstance(what, h5py.Dataset) else None)
assert any('running_var' in name for name in names)
for name in names:
    w = [numpy.float64(f['model/' + name][()]) for f in at]
    wanted = 0.81 * w[0] + 0.09 * w[1] + 0.1 * w[2]
    found = at[2]['ema/' + name][()]
    error = numpy.abs(found - wanted).max()
    assert error <= 1e-6 * max(1, numpy.abs(wanted).max()), (name, error)
PY

# A stopped run goes on bit for bit; another decay is another run.
run cut --set optim.ema=0.9 --max-steps 5
run cut --set optim.ema=0.9 --resume
for group in model ema; do
    h5diff "$checkpoint" "$scratch/cut/checkpoint.h5" "/$group" "/$group" || fail "a resumed run has another /$group"
done
expect 2 "$train" "$job" "${common[@]}" --set optim.ema=0.8 --run-dir "$scratch/cut" --resume
expect 2 "$train" "$job" "${common[@]}" --set optim.ema=1 --run-dir "$scratch/refused"

# Any number of ranks, also where each has running statistics of its own, which are averaged.
for ranks in 2 3 4; do
    for bn in global rank; do
        expect_mpi 0 "$ranks" "$train" "$job" "${common[@]}" --set optim.ema=0.9 --set model.bn=$bn --run-dir "$scratch/on-$ranks-$bn" --max-steps 1
    done
    h5diff -q -d 1e-4 "$scratch/step1/checkpoint.h5" "$scratch/on-$ranks-global/checkpoint.h5" /ema/fc.weight || fail "$ranks ranks have another average"
done

# Evaluated on its own: the same figures on any ranks, in a file of its own, and as those of a network that begins with the exported average.
expect 0 "$evaluate" "$checkpoint"
expect 0 "$evaluate" "$checkpoint" --weights last --json "$scratch/last.json"
[ "$(figure "$scratch/last.json")" = "$(figure "$scratch/whole/evaluation.json")" ] || fail "--weights last is not the default"
expect 0 "$evaluate" "$checkpoint" --weights ema
says stdout 'moving average \(optim.ema = 0.9\)'
grep -q '"weights": "ema"' "$scratch/whole/evaluation-checkpoint-ema-fc.json" || fail "evaluation of the average does not say so"
expect_mpi 0 3 "$evaluate" "$checkpoint" --weights ema --json "$scratch/three.json"
same "$scratch/whole/evaluation-checkpoint-ema-fc.json" "$scratch/three.json"
expect 0 "$export" "$checkpoint" --weights ema --to "$scratch/ema.safetensors"
says stdout 'moving average'
expect 0 "$export" "$checkpoint" --to "$scratch/last.safetensors"
if cmp -s "$scratch/ema.safetensors" "$scratch/last.safetensors"; then
    fail "the exported average is the last weights"
fi
# What is written of them says which they are.
expect 0 "$export" "$checkpoint" --weights ema --to "$scratch/ema.onnx"
expect 0 "$evaluate" "$checkpoint" --weights ema --embeddings "$scratch/ema-e.h5" --analysis "$scratch/ema-a.h5" --json "$scratch/tables.json"
expect 0 "$evaluate" "$checkpoint" --embeddings "$scratch/last-e.h5" --analysis "$scratch/last-a.h5" --json "$scratch/tables.json"
/usr/bin/python3 -c 'import sys; from PIL import Image; Image.new("L", (8, 8), 128).save(sys.argv[1])' "$scratch/gray.png"
for weights in ema last; do
    expect 0 "$ELMPI_BIN/elmpi-predict" "$checkpoint" "$scratch/gray.png" --weights $weights --out "$scratch/p.csv" --embeddings "$scratch/$weights-p.h5"
done
/usr/bin/python3 - "$scratch" <<'PY'
import h5py, json, struct, sys
for weights in ('ema', 'last'):
    with open('%s/%s.safetensors' % (sys.argv[1], weights), 'rb') as f:
        header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
    assert header['__metadata__']['weights'] == weights, header['__metadata__']
    for kind in 'eap':
        found = h5py.File('%s/%s-%s.h5' % (sys.argv[1], weights, kind), 'r').attrs['weights']
        assert found in (weights, weights.encode()), (kind, weights, found)
onnx = open(sys.argv[1] + '/ema.onnx', 'rb').read()
assert b'weights\x12\x03ema' in onnx
PY
run again --init "$scratch/ema.safetensors" --max-steps 0
h5diff "$checkpoint" "$scratch/again/checkpoint.h5" /ema /model || fail "what was exported is not the average"
expect 0 "$evaluate" "$scratch/again/checkpoint.h5"
[ "$(figure "$scratch/again/evaluation.json")" = "$(figure "$scratch/three.json")" ] || fail "the average and a network that begins with it differ"

# Refusals.
expect 2 "$evaluate" "$checkpoint" --weights emma
says stderr 'did you mean ema'
for program in "$evaluate $scratch/plain/checkpoint.h5" "$export $scratch/plain/checkpoint.h5 --to $scratch/x.onnx" \
    "$ELMPI_BIN/elmpi-predict $scratch/plain/checkpoint.h5 $scratch"; do
    # shellcheck disable=SC2086 # words
    expect 2 $program --weights ema
    says stderr 'no moving average of its weights.*optim\.ema'
done
absent "$scratch/x.onnx"

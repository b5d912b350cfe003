#!/usr/bin/env bash
# elmpi-evaluate: the same figures on any number of ranks and as an independent forward pass in NumPy gives; clear refusals.
set -euo pipefail
. "$(dirname "$0")/../cli/lib.sh"

evaluate=$ELMPI_BIN/elmpi-evaluate
run=$scratch/run
export OMP_NUM_THREADS=1

# --- the command line
expect 0 "$evaluate" --help
says stdout '--classifier'
says stdout 'fc .*last layer'
expect 0 "$evaluate" --version
expect 2 "$evaluate"
says stderr 'elmpi-evaluate: error: .*checkpoint'
expect 2 "$evaluate" x.h5 --classifier fcc
says stderr 'unknown classifier fcc \(--classifier\): did you mean fc\? Else use one of fc, '
expect 2 "$evaluate" x.h5 --groups king
says stderr 'elm or kang'
expect 2 "$evaluate" x.h5 --splitt test
says stderr 'did you mean --split'
expect 1 "$evaluate" "$scratch/missing.h5"
says stderr 'missing.h5'
expect_mpi 1 3 "$evaluate" "$scratch/missing.h5"
says stderr 'missing.h5'
[ "$(grep -c 'elmpi-evaluate: error' "$scratch/stderr")" -eq 1 ] || fail "more than one rank speaks"

# --- a small checkpoint
cat >"$scratch/job.ini" <<INI
[run]
name = moons
[data]
store = $scratch/moons.h5
[model]
name = mlp:16,8,2
[loss]
logit = ce
[optim]
epochs = 3
batch = 50
lr = 0.1
INI
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
expect 0 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$run"
mv "$run/evaluation.json" "$scratch/trained.json" # what the run itself found at its end

# --- table and file
cd "$scratch" # the checkpoint's folder counts, not the working directory
expect 0 "$evaluate" run/checkpoint.h5
says stdout 'balanced accuracy +[0-9.]+ %'
says stdout 'head +[0-9]+  >= 100'
[ -s run/evaluation.json ] || fail "no evaluation.json beside the checkpoint"
absent run/evaluation.json.part
for key in balanced_accuracy accuracy correct images; do
    grep "\"$key\":" trained.json >"$scratch/during"
    grep "\"$key\":" run/evaluation.json >"$scratch/after"
    same "$scratch/during" "$scratch/after"
done

# --- any number of ranks, more than batches included: the same bytes
for ranks in 2 3 4; do
    expect_mpi 0 "$ranks" "$evaluate" run/checkpoint.h5 --quiet --json "$scratch/$ranks.json"
    [ ! -s "$scratch/stdout" ] || fail "--quiet prints"
    same run/evaluation.json "$scratch/$ranks.json"
done

# --- other choices have files of their own
expect 0 "$evaluate" run/checkpoint.h5 --split train
[ -s run/evaluation-checkpoint-fc-train.json ] || fail "no file for the training split"
expect 0 "$evaluate" run/checkpoint.h5 --groups kang
says stdout 'head +[0-9]+  > 100'
[ -s run/evaluation-checkpoint-fc-kang.json ] || fail "no file for the other group rule"
expect 1 "$evaluate" run/checkpoint.h5 --split nosuch
says stderr 'nosuch'

# --- an independent forward pass
check_figures() {
    /usr/bin/python3 - "$scratch/moons.h5" run/checkpoint.h5 run/evaluation.json <<'PYTHON'
import json, sys
import h5py, numpy
store, checkpoint, figures = h5py.File(sys.argv[1]), h5py.File(sys.argv[2]), json.load(open(sys.argv[3]))
x, labels = store["test/features"][:].astype("f8"), store["test/labels"][:]
weights = {name: checkpoint["model/" + name][:].astype("f8") for name in checkpoint["model"]}
for layer in range(3):
    x = numpy.maximum(x @ weights[f"hidden{layer}.weight"].T + weights[f"hidden{layer}.bias"], 0)
predicted = (x @ weights["fc.weight"].T + weights["fc.bias"]).argmax(1)
recall = [float((predicted[labels == c] == c).mean()) for c in range(2)]
counts = store["classes/train_count"][:]
group = [0 if n >= 100 else 1 if n >= 20 else 2 for n in counts]
assert figures["images"] == len(labels)
assert abs(figures["accuracy"] - (predicted == labels).mean()) < 1e-12, figures["accuracy"]
assert abs(figures["balanced_accuracy"] - numpy.mean(recall)) < 1e-12
assert numpy.allclose(figures["per_class_accuracy"], recall, atol=1e-12)
for g, name in enumerate(["head", "torso", "tail"]):
    members = [recall[c] for c in range(2) if group[c] == g]
    expected = numpy.mean(members) if members else None
    assert figures["groups"][name] == expected or abs(figures["groups"][name] - expected) < 1e-12, name
assert figures["classifier"] == "fc" and figures["checkpoint"] == "run/checkpoint.h5"
PYTHON
}
if /usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null; then
    check_figures || fail "the figures differ from an independent forward pass"
else
    echo "note: no h5py for /usr/bin/python3: the independent forward pass was left out"
fi

# --- what does not fit
expect 2 "$evaluate" run/checkpoint.h5 --data "$scratch/nowhere.h5"
says stderr 'nowhere.h5.*--data'
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
expect_mpi 1 2 "$evaluate" run/checkpoint.h5 --data "$scratch/digits.h5"
says stderr '2 classes.*digits has 10'

# --- broken files: refused on one rank and on several, and nothing written
mkdir broken
target=$(readlink -f run/checkpoint.h5)
head -c 3000 "$target" >broken/short.h5
cp "$target" broken/flipped.h5
printf '\xff' | dd of=broken/flipped.h5 bs=1 seek=$(($(stat -c %s "$target") / 2)) conv=notrunc status=none
cmp -s "$target" broken/flipped.h5 && printf '\x00' | dd of=broken/flipped.h5 bs=1 seek=$(($(stat -c %s "$target") / 2)) conv=notrunc status=none
: >broken/empty.h5
for name in short flipped empty; do
    expect 1 "$evaluate" "broken/$name.h5"
    says stderr "$name.h5"
    expect_mpi 1 2 "$evaluate" "broken/$name.h5"
    absent "broken/evaluation-$name-fc.json"
done
expect 1 "$evaluate" run/checkpoint.h5 --json "$scratch/no/folder/x.json"
says stderr 'no/folder/x.json'

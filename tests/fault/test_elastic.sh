#!/usr/bin/env bash
# Elastic resume: a run stopped in mid-epoch on some ranks and resumed on others sees the same images in the same order, and ends within fp32's
# rounding of the run that was never disturbed. Pairs "a b": quick ones, or with ELMPI_ELASTIC=full all of 1..4 (tests/full/test_elastic.sh).
#
# Tolerance: of each tensor, the distance is at most 1 % of its length (measured: mostly 5e-7, up to 0.3 %): sums are taken in another order, and
# a ReLU near zero that opens or closes amplifies what that changes; another order of images, or a lost step, is far off (see the controls at the end).
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

/usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is not installed"
export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
settings=("$ELMPI_SOURCE/jobs/digits-elm.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=2 --set optim.warmup_epochs=1 --set optim.lr=0.02
    --set optim.batch=48 --set checkpoint.every_epochs=0)
samplers=(instance class-balanced)
if [ "${ELMPI_ELASTIC:-quick}" = full ]; then
    pairs=("1 2" "1 3" "1 4" "2 1" "2 3" "2 4" "3 1" "3 2" "3 4" "4 1" "4 2" "4 3")
    samplers+=(progressive class-aware:2 sqrt)
else
    pairs=("1 3" "4 2" "3 1")
fi

# distance FOLDER FOLDER: the largest over tensors, as a share of the tensor's length; of metrics.csv's losses, of the value.
distance() {
    /usr/bin/python3 - "$1" "$2" <<'END'
import csv, sys
import h5py, numpy
worst = 0.0
with h5py.File(sys.argv[1] + "/checkpoint.h5") as a, h5py.File(sys.argv[2] + "/checkpoint.h5") as b:
    def compare(name, item):
        global worst
        if not isinstance(item, h5py.Dataset):
            return
        x, y = item[...].astype(float), b["model"][name][...].astype(float)
        worst = max(worst, numpy.linalg.norm(x - y) / max(numpy.linalg.norm(x), 1e-6 * x.size ** 0.5))
    a["model"].visititems(compare)
    assert a.attrs["step"] == b.attrs["step"] and a.attrs["epoch"] == b.attrs["epoch"]
rows = [list(csv.DictReader(open(folder + "/metrics.csv"))) for folder in sys.argv[1:3]]
assert len(rows[0]) == len(rows[1]) > 0
metrics = 0.0
for r, s in zip(*rows):
    assert [r[k] for k in ("epoch", "step", "lr")] == [s[k] for k in ("epoch", "step", "lr")]
    # which anchors meet a positive depends on the images of a batch alone
    assert [r[k] for k in r if k.startswith("positives")] == [s[k] for k in s if k.startswith("positives")], "other images in the batches"
    for k in ("loss", "logit_loss"):
        metrics = max(metrics, abs(float(r[k]) - float(s[k])) / abs(float(r[k])))
    metrics = max(metrics, abs(float(r["train_accuracy"]) - float(s["train_accuracy"])))
print("%.3g %.3g" % (worst, metrics))
END
}

# near FOLDER FOLDER WHAT
near() {
    local weights metrics
    read -r weights metrics < <(distance "$1" "$2") || fail "$3: other images, steps or rates"
    echo "$3: weights off by $weights, metrics by $metrics"
    awk -v a="$weights" -v b="$metrics" 'BEGIN { exit !(a <= 0.01 && b <= 0.01) }' || fail "$3: weights off by $weights, metrics by $metrics"
}

for sampler in "${samplers[@]}"; do
    own=("${settings[@]}" --set "data.sampler=$sampler")
    expect_mpi 0 2 "$train" "${own[@]}" --run-dir "$scratch/calm-$sampler"
    for pair in "${pairs[@]}"; do
        read -r a b <<<"$pair"
        run=$scratch/run-$sampler-$a-$b
        expect_mpi 0 "$a" "$train" "${own[@]}" --run-dir "$run" --max-steps 13
        expect_mpi 0 "$b" "$train" "${own[@]}" --run-dir "$run" --resume
        says stdout "Resuming with $b rank.* what $a rank"
        near "$scratch/calm-$sampler" "$run" "$sampler, $a ranks, then $b"
    done
done

# Controls: another order, other images and another seed are not near.
expect_mpi 0 2 "$train" "${settings[@]}" --set data.sampler=sequential --run-dir "$scratch/ordered"
if (near "$scratch/calm-instance" "$scratch/ordered" "control") >/dev/null 2>&1; then
    fail "the comparison does not notice another order"
fi
if (near "$scratch/calm-instance" "$scratch/calm-class-balanced" "control") >/dev/null 2>&1; then
    fail "the comparison does not notice other images"
fi
expect_mpi 0 2 "$train" "${settings[@]}" --set run.seed=1 --run-dir "$scratch/other"
if (near "$scratch/calm-instance" "$scratch/other" "control") >/dev/null 2>&1; then
    fail "the comparison does not notice another seed"
fi

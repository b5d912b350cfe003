#!/usr/bin/env bash
# What a newcomer meets: a job that names no network, a schedule that is longer than the run, stores without a test split or with an unbalanced one, a
# store that is not there, weights of PyTorch's under the names that its programs give them.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
prepare=$ELMPI_BIN/elmpi-prepare
train=$ELMPI_BIN/elmpi-train
evaluate=$ELMPI_BIN/elmpi-evaluate
export=$ELMPI_BIN/elmpi-export
# images FOLDER SPLIT COUNT...: so many images of each class.
images() {
    /usr/bin/python3 - "$@" <<'END'
import os, random, struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
folder, split, counts = sys.argv[1], sys.argv[2], [int(n) for n in sys.argv[3:]]
for c, count in enumerate(counts):
    os.makedirs("%s/%s/c%d" % (folder, split, c))
    for i in range(count):
        draw = random.Random("%s%d%d" % (split, c, i))
        rows = b"".join(b"\0" + bytes(draw.randrange(256) for _ in range(120)) for _ in range(40))
        open("%s/%s/c%d/%d.png" % (folder, split, c, i), "wb").write(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
END
}
# job STORE [LINE...]: the shortest job for it, lines under [data].
job() {
    printf '[run]\nname = first\nprecision = fp32\n[optim]\nepochs = 1\nbatch = 4\nlr = 0.01\nwarmup_epochs = 0\nschedule = constant\n[data]\nstore = %s\n' "$1"
    shift
    printf '%s\n' "$@"
}

# --- no model in the job: one that fits the input, and it is written down
images "$scratch/p" train 4 4
images "$scratch/p" val 2 2
expect 0 "$prepare" pictures --archive "$scratch/p" --out "$scratch/val.h5"
job "$scratch/val.h5" "crop = 32" >"$scratch/small.ini"
expect 0 "$train" "$scratch/small.ini" --run-dir "$scratch/small"
grep -qx 'name = cifar-resnet32' "$scratch/small/job.ini" || fail "not cifar-resnet32 for 32 pixels"
expect 0 "$train" "$scratch/small.ini" --set data.crop=224 --max-steps 0 --run-dir "$scratch/large"
grep -qx 'name = resnet18' "$scratch/large/job.ini" || fail "not resnet18 for 224 pixels"
expect 0 "$prepare" two-moons --out "$scratch/moons.h5"
job "$scratch/moons.h5" >"$scratch/moons.ini"
expect 0 "$train" "$scratch/moons.ini" --set optim.batch=100 --run-dir "$scratch/moons"
grep -qx 'name = mlp:64,64' "$scratch/moons/job.ini" || fail "not a perceptron for vectors"
expect 0 "$evaluate" "$scratch/moons/checkpoint.h5"
expect 0 "$train" "$scratch/moons.ini" --set optim.batch=100 --set optim.epochs=2 --run-dir "$scratch/moons" --resume

# --- no test split: training reports on val, under its name; elmpi-evaluate says how to
expect 0 "$train" "$scratch/small.ini" --set run.evaluate_every_epochs=1 --set optim.epochs=2 --run-dir "$scratch/on-val"
says stdout 'balanced val set'
says stdout 'val balanced [0-9.]+%'
says stdout 'Best on the val set'
says_not stdout 'test (set|split|balanced)'
grep -q '"split": "val"' "$scratch/on-val/evaluation.json" || fail "evaluation.json does not say val"
expect 2 "$evaluate" "$scratch/on-val/checkpoint.h5"
says stderr 'no test split .*--split val'
expect 0 "$evaluate" "$scratch/on-val/checkpoint.h5" --split val
expect 0 "$train" "$scratch/small.ini" --set run.evaluate_every_epochs=1 --set optim.epochs=3 --run-dir "$scratch/on-val" --resume

# --- balanced only where it is
images "$scratch/p" test 3 1
expect 0 "$prepare" pictures --archive "$scratch/p" --out "$scratch/all.h5"
job "$scratch/all.h5" "crop = 32" >"$scratch/all.ini"
expect 0 "$train" "$scratch/all.ini" --set model.name=cifar-resnet8 --run-dir "$scratch/all"
says stdout 'test set of 4 images, not balanced'
says_not stdout ', balanced test set'
images "$scratch/q" train 4 4
expect 0 "$prepare" pictures --archive "$scratch/q" --out "$scratch/none.h5"
job "$scratch/none.h5" "crop = 32" >"$scratch/none.ini"
expect 0 "$train" "$scratch/none.ini" --set model.name=cifar-resnet8 --run-dir "$scratch/none"
says stdout 'no test set'

# --- a list without labels says so
(cd "$scratch/p" && find test -name '*.png') >"$scratch/unlabeled.txt"
expect 1 "$prepare" pictures --archive "$scratch/p" --test-list "$scratch/unlabeled.txt" --out "$scratch/x.h5"
says stderr 'no label behind the path \(.*unlabeled.txt, line 1\): an unlabeled list'
sed 's/^/0 /' "$scratch/unlabeled.txt" >"$scratch/turned.txt" # the label in front
expect 1 "$prepare" pictures --archive "$scratch/p" --test-list "$scratch/turned.txt" --out "$scratch/x.h5"
says stderr 'no label behind the path'
absent "$scratch/x.h5"

# --- a schedule that is longer than the run
expect 0 "$train" "$ELMPI_SOURCE/jobs/cifar100-lt-ce.ini" --set "data.store=$scratch/all.h5" --set data.crop=32 --set data.imbalance=0 --set optim.epochs=2 --set data.augment=none \
    --set model.name=cifar-resnet8 --set optim.batch=4 --set run.precision=fp32 --max-steps 1 --run-dir "$scratch/beyond"
says stdout "differs from the paper's set-up: .*which puts optim.warmup_epochs 15, optim.milestones 96,192,224 beyond the run's end"
says stderr "warning: the run ends at epoch 2, before optim.warmup_epochs 15, optim.milestones 96,192,224"
says_not stderr "before .*before"

# --- a store that is not there is the job's mistake, on any number of ranks
for ranks in 1 2; do
    expect_mpi 2 "$ranks" "$train" "$scratch/small.ini" --set data.store=nowhere.h5 --run-dir "$scratch/x"
    says stderr 'cannot open the store \(nowhere.h5\)'
    expect_mpi 2 "$ranks" "$train" "$scratch/small.ini" --set data.store=nowhere.h5 --set model.name=cifar-resnet8 --run-dir "$scratch/x"
done
expect 2 "$evaluate" "$scratch/all/checkpoint.h5" --data nowhere.h5
absent "$scratch/x"

# --- weights under other names
expect 0 "$export" "$scratch/all/checkpoint.h5" --to "$scratch/plain.SafeTensors"
expect 0 "$export" "$scratch/all/checkpoint.h5" --to "$scratch/net.ONNX"
expect 2 "$export" "$scratch/all/checkpoint.h5" --to "$scratch/net.pth"
says stderr 'PyTorch reads the former \(safetensors'
/usr/bin/python3 - "$scratch/plain.SafeTensors" "$scratch" <<'END'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
def write(name, rename):
    text = json.dumps({k if k == "__metadata__" else rename(k): v for k, v in header.items()}).encode()
    open(sys.argv[2] + "/" + name, "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n:])
write("wrapped.SAFETENSORS", lambda k: "module." + k)
write("both.safetensors", lambda k: "_orig_mod.module." + k)
write("some.safetensors", lambda k: "module." + k if k.startswith("fc") else k)
END
for file in plain.SafeTensors wrapped.SAFETENSORS both.safetensors; do
    expect 0 "$train" "$scratch/all.ini" --set model.name=cifar-resnet8 --init "$scratch/$file" --max-steps 0 --run-dir "$scratch/from-$file"
    h5diff -q "$scratch/all/checkpoint.h5" "$scratch/from-$file/checkpoint.h5" /model /model || fail "other weights from $file"
done
expect 1 "$train" "$scratch/all.ini" --set model.name=cifar-resnet8 --init "$scratch/some.safetensors" --max-steps 0 --run-dir "$scratch/x"
printf 'PK\3\4' >"$scratch/weights.pth"
for name in weights.pth weights.PT; do
    cp "$scratch/weights.pth" "$scratch/copy-$name"
    expect_mpi 2 2 "$train" "$scratch/all.ini" --set model.name=cifar-resnet8 --init "$scratch/copy-$name" --run-dir "$scratch/x"
    says stderr 'a PyTorch file.*save_file'
done
absent "$scratch/x"
echo "first steps"

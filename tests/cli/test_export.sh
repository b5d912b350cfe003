#!/usr/bin/env bash
# elmpi-export and the way back: what is exported begins another run with the same weights, to the bit; clear refusals, nothing left behind.
# TensorBoard: event files where asked for, a new one for each start.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
export=$ELMPI_BIN/elmpi-export
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
common=(--set "data.store=$store" --set optim.epochs=2 --set optim.warmup_epochs=0 --set optim.schedule=constant --set model.name=cifar-resnet8)

# --- the command line
expect 0 "$export" --help
says stdout '\.safetensors or \.onnx'
expect 0 "$export" --version
expect 2 "$export" --to x.onnx
says stderr 'elmpi-export: error: .*checkpoint'
expect 2 "$export" x.h5
says stderr 'no name for the file \(--to\)'
expect 2 "$export" x.h5 --to x.pt
says stderr 'no known format \(x\.pt\).*\.safetensors or \.onnx'
expect 1 "$export" "$scratch/missing.h5" --to "$scratch/x.onnx"
says stderr 'missing\.h5'

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
expect_mpi 0 2 "$train" "$job" "${common[@]}" --set run.tensorboard=true --run-dir "$scratch/first"
checkpoint=$scratch/first/checkpoint.h5

# --- both formats; the same bytes again
for format in safetensors onnx; do
    expect 0 "$export" "$checkpoint" --to "$scratch/a.$format"
    says stdout "written to .*a\.$format"
    expect 0 "$export" "$checkpoint" --to "$scratch/b.$format" --data "$store"
    same "$scratch/a.$format" "$scratch/b.$format"
done

# --- a checkpoint is complete: no store is needed, unless it is one of before that
mv "$store" "$scratch/away.h5"
expect 0 "$export" "$checkpoint" --to "$scratch/c.onnx"
same "$scratch/a.onnx" "$scratch/c.onnx"
/usr/bin/python3 - "$(readlink -f "$checkpoint")" "$scratch/older.h5" <<'EOF'
import hashlib, h5py, shutil, sys
shutil.copyfile(sys.argv[1], sys.argv[2])
with h5py.File(sys.argv[2], 'r+', libver=('v110', 'v110')) as file:
    del file['input']
b = bytearray(open(sys.argv[2], 'rb').read())
head = b'ELMPI checkpoint 1\nlength %d\nsha256 %s\n' % (len(b) - 512, hashlib.sha256(b[512:]).hexdigest().encode())
b[:512] = head + bytes(512 - len(head))
open(sys.argv[2], 'wb').write(b)
EOF
expect 2 "$export" "$scratch/older.h5" --to "$scratch/d.onnx"
says stderr 'older checkpoint does not.*digits\.h5.*--data'
expect 0 "$export" "$scratch/older.h5" --to "$scratch/d.onnx" --data "$scratch/away.h5"
same "$scratch/a.onnx" "$scratch/d.onnx"
mv "$scratch/away.h5" "$store"
head -c 4000 "$scratch/a.safetensors" | tail -c +9 | tr -d '\0' >"$scratch/header"
for word in '"format":"pt"' '"resize":"0"' '"crop":"0"' '"mean":"\[' '"std":"\[' '"model":"cifar-resnet8"' '"dataset":"digits"' '"bn1.num_batches_tracked":.*"I64"' '"layer3.0.conv2.weight"'; do
    grep -aqE "$word" "$scratch/header" || fail "the header does not say $word"
done

# --- and back: the weights and statistics of the run, on one rank and on two
for ranks in 1 2; do
    expect_mpi 0 "$ranks" "$train" "$job" "${common[@]}" --init "$scratch/a.safetensors" --max-steps 0 --run-dir "$scratch/back-$ranks"
    says stdout 'Weights from .*a\.safetensors'
    h5diff -q "$checkpoint" "$scratch/back-$ranks/checkpoint.h5" /model /model || fail "weights have changed on their way ($ranks ranks)"
done
expect 0 "$export" "$scratch/back-1/checkpoint.h5" --to "$scratch/again.onnx"

# --- weights that do not fit name the tensor and the remedy
expect_mpi 1 2 "$train" "$job" "${common[@]}" --set model.name=cifar-resnet20 --init "$scratch/a.safetensors" --run-dir "$scratch/no"
says stderr 'lacks a weight.*\(layer1\.1\.conv1\.weight\)'
absent "$scratch/no"
expect 0 "$train" "$job" "${common[@]}" --set model.name=cifar-resnet20 --max-steps 0 --run-dir "$scratch/deeper"
expect 0 "$export" "$scratch/deeper/checkpoint.h5" --to "$scratch/deeper.safetensors"
expect 1 "$train" "$job" "${common[@]}" --init "$scratch/deeper.safetensors" --run-dir "$scratch/no"
says stderr 'does not have \(model/layer1\.1\.'
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
printf '[run]\nname = mlp\n[data]\nstore = %s\n[model]\nname = mlp:16,8,2\n[optim]\nepochs = 1\nbatch = 50\nlr = 0.1\n' "$scratch/moons.h5" >"$scratch/moons.ini"
expect 0 "$train" "$scratch/moons.ini" --run-dir "$scratch/moons"
for format in safetensors onnx; do
    expect 0 "$export" "$scratch/moons/checkpoint.h5" --to "$scratch/moons.$format"
done
# factors on the logits are folded in, also on the way out
expect 0 "$train" "$job" "${common[@]}" --set model.train=scale --set "run.init=$checkpoint" --run-dir "$scratch/lws"
expect 0 "$export" "$scratch/lws/checkpoint.h5" --to "$scratch/lws.safetensors"
if grep -aq 'fc.scale' "$scratch/lws.safetensors"; then fail "factors are left in the file"; fi

# --- what cannot be exported, and what cannot be begun with
expect 1 "$export" "$store" --to "$scratch/x.onnx"
says stderr 'digits\.h5'
head -c 5000 "$(readlink -f "$checkpoint")" >"$scratch/short.h5"
expect 1 "$export" "$scratch/short.h5" --to "$scratch/x.onnx"
says stderr 'short\.h5'
expect 2 "$export" "$checkpoint" --to "$scratch/x.onnx" --data "$scratch/nowhere.h5"
says stderr 'nowhere\.h5.*--data'
expect 1 "$export" "$checkpoint" --to "$scratch/x.onnx" --data "$scratch/moons.h5"
says stderr 'knows 10 classes, the data set two-moons has 2.*--data'
expect 1 "$export" "$checkpoint" --to "$scratch/no/folder/x.onnx"
says stderr 'cannot write .*no/folder/x\.onnx'
absent "$scratch/x.onnx" "$scratch/no"
head -c 6000 "$scratch/a.safetensors" >"$scratch/cut.safetensors"
expect_mpi 1 2 "$train" "$job" "${common[@]}" --init "$scratch/cut.safetensors" --run-dir "$scratch/no"
says stderr 'not a sound safetensors file \(.*cut\.safetensors\)'
[ "$(grep -c 'elmpi-train: error' "$scratch/stderr")" -eq 1 ] || fail "more than one rank speaks"
absent "$scratch/no"
if compgen -G "$scratch/*.tmp-*" >/dev/null; then fail "a temporary file is left"; fi

# --- event files: none unless asked for, one a start
if compgen -G "$scratch/back-1/events*" >/dev/null; then fail "an event file nobody asked for"; fi
[ "$(find "$scratch/first" -name 'events.out.tfevents.*' | wc -l)" -eq 1 ] || fail "not one event file after one start"
grep -aq 'brain.Event:2' "$scratch"/first/events.out.tfevents.* || fail "no version in the event file"
grep -aq 'epoch/test_balanced_accuracy' "$scratch"/first/events.out.tfevents.* || fail "no accuracy in the event file"
expect_mpi 0 2 "$train" "$job" "${common[@]}" --set optim.epochs=3 --set run.tensorboard=true --run-dir "$scratch/first" --resume
[ "$(find "$scratch/first" -name 'events.out.tfevents.*' | wc -l)" -eq 2 ] || fail "not two event files after two starts"

#!/usr/bin/env bash
# A data set is its images: others of the same length in the same places are refused at the start, on resuming and in evaluation; the same
# images in other shards are the same data set. Stores without digests are compared with what the run began with.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip "python3-h5py is not installed"
cd "$scratch"
export OMP_NUM_THREADS=1

# draw SEED COUNT [CHANGED..]: p.tar
draw() {
    /usr/bin/python3 "$ELMPI_SOURCE/tests/cli/random_images.py" p.tar "$@"
}
# run CODE FOLDER OPTIONS..
run() {
    expect "$1" "$ELMPI_BIN/elmpi-train" k.ini --run-dir "${@:2}"
}
printf '[run]\nname=x\nprecision=fp32\n[data]\nstore=%s/s.h5\ncrop=32\n[model]\nname=cifar-resnet8\n[optim]\nepochs=2\nbatch=64\n' "$scratch" >k.ini

draw 1 600
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5
run 0 begun --max-steps 3
says_not stdout 'digests'
for copy in a b c d e; do cp -r begun "$copy"; done
run 0 undisturbed

echo "other images of the same length"
draw 2 600
for verify in sample all; do
    run 1 a --resume --set data.verify=$verify
    says stderr 'an image is not the one that the store was made with \(c0/0000.png, image 0 of train, at byte 512 of .*p.tar\)'
    run 1 new --set data.verify=$verify
    says stderr 'is not the one that the store was made with'
done
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" k.ini --run-dir a --resume
says stderr 'is not the one that the store was made with'
expect 1 "$ELMPI_BIN/elmpi-evaluate" begun/checkpoint.h5 --split train
says stderr 'is not the one that the store was made with'

echo "prepared from other images"
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5 --force
run 1 b --resume
says stderr "another data set than the checkpoint's .*other labels or images in its training set"

echo "one image that is in no sample"
draw 1 600 2
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5 --force
run 1 c --resume --set data.verify=none # the store's digests are others
says stderr "another data set than the checkpoint's"
draw 1 600
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5 --force
draw 1 600 2
run 0 found --max-steps 1 --set data.verify=sample
run 1 found2 --max-steps 1 --set data.verify=all
says stderr 'is not the one that the store was made with \(c0/0002.png'
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" k.ini --run-dir found3 --max-steps 1 --set data.verify=all
run 0 found4 --max-steps 1 --set data.verify=none

echo "the same images in other shards"
draw 1 600
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5 --force --copy
rm p.tar
run 0 e --resume
h5diff -q e/checkpoint.h5 undisturbed/checkpoint.h5 /model || fail "other weights"

echo "a store of an earlier version, without digests"
draw 1 600
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5 --force
/usr/bin/python3 -c '
import h5py
with h5py.File("s.h5", "r+") as store:
    del store["train/digest"]'
run 0 old --max-steps 3
says stdout 'keeps no digests of its images'
cp -r old old2
run 0 old --resume
draw 2 600
run 1 old2 --resume
says stderr "another data set than the checkpoint's"

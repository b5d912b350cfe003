#!/usr/bin/env bash
# Paths in job files as a user writes them: expanded in every path option and in an include, never a folder called $TMPDIR or ~; paths on the command
# line stay as the shell gave them.
# shellcheck disable=SC2016 # dollar signs that elmpi is to read
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
mkdir "$scratch/images" "$scratch/tmp" "$scratch/home" "$scratch/here"
cd "$scratch/here"
/usr/bin/python3 - "$scratch/images" <<'END'
import os, sys, zlib, struct
def png(path, value):
    rows = b"".join(b"\0" + bytes([value, 90, 255 - value] * 40) for _ in range(40))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 8, 2, 0, 0, 0))
                           + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
for split in ("train", "test"):
    for c in range(2):
        os.makedirs("%s/%s/c%d" % (sys.argv[1], split, c))
        for i in range(4):
            png("%s/%s/c%d/%d.png" % (sys.argv[1], split, c, i), 60 * i + c)
END
export HOME=$scratch/home TMPDIR=$scratch/tmp
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive "$scratch/images" --copy --out "$HOME/s.h5"
cat >"$HOME/base.ini" <<'END'
[run]
precision = fp32
name = l
[data]
store = ~/s.h5
crop = 32
stage = $TMPDIR/shards
[model]
name = cifar-resnet8
[optim]
epochs = 1
batch = 4
lr = 0.01
warmup_epochs = 0
schedule = constant
END
cp "$HOME/base.ini" j.ini

nothing_odd() {
    if find . -name '*$*' -o -name '~*' | grep -q .; then fail "a folder with an odd name: $(find . -name '*$*' -o -name '~*')"; fi
}

expect 0 "$train" j.ini --run-dir r
[ -n "$(ls "$TMPDIR/shards")" ] || fail "nothing in \$TMPDIR/shards"
grep -qx "stage = $TMPDIR/shards" r/job.ini || fail "job.ini does not say where"
expect 0 "$train" j.ini --run-dir r --resume
expect 0 "$ELMPI_BIN/elmpi-evaluate" r/checkpoint.h5
printf '[job]\ninclude = ${HOME}/base.ini\n[run]\nname = l2\ninit = $ELM_FIRST/checkpoint.h5\n' >k.ini
ELM_FIRST=$PWD/r expect 0 "$train" k.ini --set 'data.stage=~/staged' --set 'data.store=$HOME/s.h5' --run-dir r2
[ -n "$(ls "$HOME/staged")" ] || fail "nothing in ~/staged"
expect 2 "$train" k.ini --run-dir r3
says stderr 'run.init = \$ELM_FIRST/checkpoint.h5 needs the environment variable ELM_FIRST, which is not set \(k.ini:5\)'
nothing_odd
expect 2 "$train" j.ini --set 'run.name=$TMPDIR'
says stderr 'no name for a run \(run.name, --set\)'
nothing_odd

# --- the command line's own paths
mkdir '$ELM_DIR'
cp -rL r '$ELM_DIR/r'
mv "$HOME/s.h5" '$ELM_DIR/s.h5'
cp "$HOME"/s-*.tar '$ELM_DIR/'
expect 0 "$ELMPI_BIN/elmpi-evaluate" '$ELM_DIR/r/checkpoint.h5' --data '$ELM_DIR/s.h5' --json e.json
expect 0 "$ELMPI_BIN/elmpi-export" '$ELM_DIR/r/checkpoint.h5' --data '$ELM_DIR/s.h5' --to m.onnx
expect 0 "$train" j.ini --set 'data.store=$$ELM_DIR/s.h5' --init '$ELM_DIR/r/checkpoint.h5' --run-dir '$ELM_DIR/again'
grep -qx 'init = $$ELM_DIR/r/checkpoint.h5' '$ELM_DIR/again/job.ini' || fail "job.ini does not keep the path"
expect 0 "$train" '$ELM_DIR/again/job.ini' --run-dir '$ELM_DIR/again' --resume
expect 0 "$ELMPI_BIN/elmpi-evaluate" '$ELM_DIR/again/checkpoint.h5' --json f.json
echo "paths of jobs mean what a shell would make of them"

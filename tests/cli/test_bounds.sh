#!/usr/bin/env bash
# Memory and time of every program's inputs, whatever a file promises: forged, endless and deeply nested ones end in an error within 1 GiB (the
# bounds that docs/inputs.md states are lower for most), measured over the program and the processes that it starts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip "python3-h5py is not installed"
sanitized && skip "a sanitizer's memory is not the program's"
cd "$scratch"
export OMP_NUM_THREADS=1

cat >measure.py <<'EOF'
"""measure.py MIB COMMAND..: runs it; its exit code, or 90 with what was taken where that is more than MIB, 91 after a crash or two minutes."""
import resource, subprocess, sys
try:
    code = subprocess.run(sys.argv[2:], timeout=120).returncode
except subprocess.TimeoutExpired:
    code = -1
taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print('%d MiB, exit code %d' % (taken, code), file=sys.stderr)
sys.exit(90 if taken > int(sys.argv[1]) else 91 if code < 0 else code)
EOF
# bounded CODE MIB COMMAND..
bounded() {
    expect "$1" /usr/bin/python3 measure.py "${@:2}"
    echo "$(tail -n 1 stderr): $(grep -m1 -o 'error: .*' stderr | cut -c1-90 || true)"
}

/usr/bin/python3 "$ELMPI_SOURCE/tests/cli/random_images.py" p.tar 1 8
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out s.h5
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out d.h5
printf '[run]\nname=x\n[data]\nstore=%s/d.h5\n[model]\nname=mlp:8\n[optim]\nepochs=1\n' "$scratch" >j.ini
expect 0 "$ELMPI_BIN/elmpi-train" j.ini --run-dir r --max-steps 2
expect 0 "$ELMPI_BIN/elmpi-evaluate" r/checkpoint.h5
expect 0 "$ELMPI_BIN/elmpi-evaluate" r/checkpoint.h5 --analysis r/analysis.h5 --tsne-classes 0
printf 'epoch,step,loss\n1,2,0.5\n' >r/metrics.csv
prepare=("$ELMPI_BIN/elmpi-prepare" pictures --archive p.tar --out x.h5)

echo "endless inputs"
bounded 1 256 "${prepare[@]}" --train-list /dev/zero
printf 'c0/0000.png 0\n' >list.txt
bounded 1 256 "${prepare[@]}" --train-list list.txt --class-names /dev/zero
bounded 2 256 "$ELMPI_BIN/elmpi-train" /dev/zero
printf '[job]\ninclude = /dev/zero\n' >include.ini
bounded 2 256 "$ELMPI_BIN/elmpi-train" include.ini
bounded 1 256 "$ELMPI_BIN/elmpi-evaluate" /dev/zero
bounded 1 256 "$ELMPI_BIN/elmpi-export" /dev/zero --to m.onnx
bounded 1 256 "$ELMPI_BIN/elmpi-train" j.ini --run-dir none --set data.store=/dev/zero

echo "texts that promise or nest"
head -c 300000000 /dev/zero | tr '\0' 'a' >letters
bounded 1 256 "${prepare[@]}" --train-list letters
(printf '{"images": [{"file_name": "' && cat letters) >text.json
bounded 1 256 "${prepare[@]}" --train-list text.json
(printf '{"images": ' && tr a '[' <letters) >deep.json
bounded 1 256 "${prepare[@]}" --train-list deep.json
rm letters text.json deep.json
for file in job.ini metrics.csv evaluation.json; do
    cp -r r bad
    case $file in
    job.ini) /usr/bin/python3 -c 'print("[run]\nname = x\n" + "a=1\n" * 250000)' >bad/job.ini ;;
    metrics.csv) /usr/bin/python3 -c 'print(",".join("c%d" % i for i in range(60)) + "\n" * 30000000)' >bad/metrics.csv ;;
    evaluation.json) /usr/bin/python3 -c 'print("{\"images\": " + "[" * 50000000)' >bad/evaluation.json ;;
    esac
    code=1
    [ "$file" != job.ini ] || code=2
    bounded "$code" 1024 "$ELMPI_BIN/elmpi-report" bad --out bad.html
    ln -sf /dev/zero "bad/$file"
    bounded 1 1024 "$ELMPI_BIN/elmpi-report" bad --out bad.html
    rm -rf bad
done

echo "safetensors"
/usr/bin/python3 -c '
import struct
open("long.safetensors", "wb").write(struct.pack("<Q", 1 << 40) + b"{}")
open("deep.safetensors", "wb").write(struct.pack("<Q", 90000000) + b"{\"a\":" + b"[" * 89999995)
open("large.safetensors", "wb").write(struct.pack("<Q", 80) + b"{\"a\":{\"dtype\":\"F32\",\"shape\":[1099511627776],\"data_offsets\":[0,4398046511104]}}   ")'
for file in long deep large; do
    bounded 1 512 "$ELMPI_BIN/elmpi-train" j.ini --run-dir none --init $file.safetensors
done
rm ./*.safetensors

echo "HDF5: chunks that inflate to more than their header says, or headers that say much"
# bomb FILE ARRAY KIND: chunk: what is stored is 1.5 GB of zeros; wide: the text type is 4,000 bytes wide, for as many rows as deflate makes of 1 MB.
bomb() {
    /usr/bin/python3 - "$@" <<'EOF'
import sys, zlib, h5py, numpy as np
path, name, kind = sys.argv[1:]
f = h5py.File(path, 'r+')
old = f[name]
shape, dtype = old.shape, old.dtype
del f[name]
zeros = zlib.compress(b'\0' * (1_500_000_000 if kind == 'chunk' else 1), 9)
if kind == 'chunk':
    d = f.create_dataset(name, shape, dtype, chunks=shape, compression='gzip')
    d.id.write_direct_chunk((0,) * len(shape), zeros)
elif kind == 'double': # deflate twice
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_chunk(shape)
    p.set_deflate(9)
    p.set_deflate(9)
    d = h5py.Dataset(h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(dtype), h5py.h5s.create_simple(shape), p))
    d.id.write_direct_chunk((0,) * len(shape), zlib.compress(zlib.compress(b'\0' * 1_500_000_000, 9), 9))
elif kind == 'rows': # a million rows that a file of this size can hold, compressed
    rows, width = 1 << 20, 4000 if dtype.kind == 'S' else 1
    t = 'S%d' % width if dtype.kind == 'S' else dtype
    d = f.create_dataset(name, (rows,), t, chunks=(1 << 14,), compression='gzip')
    chunk = zlib.compress(b'\0' * (d.dtype.itemsize << 14), 9)
    for k in range(0, rows, 1 << 14):
        d.id.write_direct_chunk((k,), chunk)
EOF
}
for array in train/images train/labels classes/name classes/train_count; do
    for kind in chunk double rows; do
        [ "$array" != classes/train_count ] || [ "$kind" = rows ] || continue # small, as below
        cp d.h5 b.h5
        bomb b.h5 $array $kind
        bounded 1 1024 "$ELMPI_BIN/elmpi-train" j.ini --run-dir none --set "data.store=$scratch/b.h5"
    done
done
# Small arrays: HDF5 writes no chunk there that is so much larger than its header says, but as many rows as it likes.
for array in train/offset train/name shards/path shards/size_bytes train/digest; do
    cp s.h5 b.h5
    bomb b.h5 $array rows
    bounded 1 1024 "$ELMPI_BIN/elmpi-train" j.ini --run-dir none --set "data.store=$scratch/b.h5" --set data.crop=32
done
for array in classes/train_count test/margin train/labels; do
    cp -r r bad
    bomb bad/analysis.h5 $array rows
    bounded 1 1024 "$ELMPI_BIN/elmpi-report" bad --out bad.html
    rm -r bad
done

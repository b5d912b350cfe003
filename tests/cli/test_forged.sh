#!/usr/bin/env bash
# HDF5 files whose own structures are forged, with a digest that is right: every program says so and ends with 1, or reads what is unharmed.
# A byte is changed in each kind of structure, at several places; memory that malloc gives is not zero.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$scratch"
export MALLOC_PERTURB_=85 OMP_NUM_THREADS=1

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out d.h5
printf '[run]\nname=x\nprecision=fp32\n[data]\nstore=%s/d.h5\n[model]\nname=mlp:8\n[optim]\nepochs=1\n' "$scratch" >j.ini
expect 0 "$ELMPI_BIN/elmpi-train" j.ini --run-dir r --max-steps 1
expect 0 "$ELMPI_BIN/elmpi-evaluate" r/checkpoint.h5 --analysis r/analysis.h5 --tsne-classes 0

# forge FROM TO SIGNATURE PLACE: one byte of that structure; a checkpoint's digest is put right. Fails where FROM has none.
forge() {
    /usr/bin/python3 - "$@" <<'EOF'
import hashlib, sys
source, target, signature, place = sys.argv[1:]
b = bytearray(open(source, 'rb').read())
block = 512 if b.startswith(b'ELMPI checkpoint') else 0
i = b.find(signature.encode(), block + 8)
if i < 0 or i + int(place) >= len(b):
    sys.exit(1)
b[i + int(place)] ^= 1
if block:
    head = b'ELMPI checkpoint 1\nlength %d\nsha256 %s\n' % (len(b) - 512, hashlib.sha256(b[512:]).hexdigest().encode())
    b[:512] = head + bytes(512 - len(head))
open(target, 'wb').write(b)
EOF
}

tried=0
# ends_well WHAT COMMAND...: 0 or 1, and then an error with a text.
ends_well() {
    local what=$1 code=0
    shift
    timeout --kill-after=10 "$limit" "$@" >stdout 2>stderr </dev/null || code=$?
    [ "$code" -le 1 ] || fail "$what: exit code $code: $*"
    [ "$code" -eq 0 ] || grep -q ': error: .' stderr || fail "$what: no error is told: $*"
    tried=$((tried + 1))
}

cp -r r damaged
sed "s|^store=.*|store=$scratch/f-store.h5|" j.ini >forged-store.ini
for signature in OHDR FRHP FHDB FHIB BTHD BTLF TREE SNOD HEAP GCOL FADB FAHD EAHD EADB BTIN; do
    for place in 5 14 30; do
        what="$signature + $place"
        if forge r/checkpoint.h5 f.h5 "$signature" "$place"; then
            ends_well "$what" "$ELMPI_BIN/elmpi-export" f.h5 --to f.onnx
            cp f.h5 "damaged/$(readlink r/checkpoint.h5 || echo checkpoint.h5)"
            ends_well "$what" "$ELMPI_BIN/elmpi-train" j.ini --run-dir damaged --resume --max-steps 1
        fi
        if forge d.h5 f-store.h5 "$signature" "$place"; then
            ends_well "$what" "$ELMPI_BIN/elmpi-train" forged-store.ini --run-dir "r-$signature-$place" --max-steps 0
        fi
        if forge r/analysis.h5 damaged/analysis.h5 "$signature" "$place"; then
            ends_well "$what" "$ELMPI_BIN/elmpi-report" damaged --out f.html
        fi
    done
done
[ "$tried" -ge 30 ] || fail "only $tried forged files were tried"

# With a second rank, which waits for the verdict of the first.
forge r/checkpoint.h5 f.h5 OHDR 9
expect_mpi 1 2 "$ELMPI_BIN/elmpi-evaluate" f.h5 --json e.json --quiet
grep -q 'f.h5' stderr || fail "the file is not named"
[ ! -e e.json ] || fail "a result was written"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-evaluate" r/checkpoint.h5 --json e.json --quiet
echo "$tried commands with forged files ended with a result or an error"

#!/usr/bin/env bash
# A rank of elmpi-predict is killed while predictions are being written: the job ends with an error, the file of an earlier run stays as it
# was, and the next run gives every prediction.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

export OMP_NUM_THREADS=1
predict=$ELMPI_BIN/elmpi-predict
cd "$scratch"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out digits.h5
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-ce.ini" --set "data.store=$PWD/digits.h5" --set optim.epochs=1 --set optim.warmup_epochs=0 \
    --set optim.schedule=constant --set model.name=mlp:8 --run-dir digits
/usr/bin/python3 - <<'END_OF_SCRIPT'
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
open("one.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) +
                            chunk(b"IDAT", zlib.compress(bytes(9 * 8))) + chunk(b"IEND", b""))
open("list.txt", "w").write("one.png\n" * 2000)
open("long.txt", "w").write("one.png\n" * 400000) # seconds on the fastest machine
END_OF_SCRIPT

# ranks_of FILE: process and rank of each process that writes predictions there.
ranks_of() {
    local process
    for process in $(pgrep -f -- "^$predict .*--out $1"); do
        tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | sed -nE "s/^(OMPI_COMM_WORLD_RANK|PMI_RANK)=([0-9]+)$/$process \2/p" | head -n 1
    done
}

for rank in 0 1; do
    echo "rank $rank is killed"
    out=$scratch/killed-$rank.csv
    echo "of an earlier run" >"$out"
    timeout --kill-after=10 "$limit" "${mpirun[@]}" -np 2 "$predict" digits/checkpoint.h5 long.txt --out "$out" >stdout 2>stderr </dev/null &
    job=$!
    tries=0
    victim=
    until [ -n "$victim" ] && compgen -G "$out.tmp-*" >/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 3000 ] || fail "nothing is being written after 300 s"
        kill -0 "$job" 2>/dev/null || fail "the job has ended before its rank was killed"
        sleep 0.1
        victim=$(ranks_of "$out" | awk -v rank="$rank" '$2 == rank { print $1 }' | head -n 1)
    done
    kill -KILL "$victim"
    code=0
    wait "$job" || code=$?
    if [ "$code" -eq 0 ] || [ "$code" -eq 124 ]; then fail "exit code $code after the kill"; fi
    [ "$(cat "$out")" = "of an earlier run" ] || fail "the earlier predictions have changed"
    [ -z "$(ranks_of "$out")" ] || fail "processes are left"
    # A killed process cannot remove its own unfinished file; the other ranks leave none.
    [ "$rank" -eq 0 ] || absent "$out".tmp-*
    rm -f "$out".tmp-*
    expect_mpi 0 2 "$predict" digits/checkpoint.h5 list.txt --out "$out"
    [ "$(wc -l <"$out")" -eq 2001 ] || fail "not all predictions in the run afterwards"
done

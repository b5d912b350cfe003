#!/usr/bin/env bash
# Ranks that were started with different jobs, command lines, programs, stores or libraries are refused at the start, with the difference, and
# the run folder is as it was.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

export OMP_NUM_THREADS=1
job=$ELMPI_SOURCE/jobs/two-moons-elm.ini
train=$ELMPI_BIN/elmpi-train
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/a.h5"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --seed 1 --out "$scratch/b.h5"
common=("$job" --set "data.store=$scratch/a.h5" --run-dir "$scratch/run" --max-steps 2)

# refused CODE PATTERN OTHER-COMMAND...: rank 0 runs the common command, rank 1 the other one.
refused() {
    local code=$1 pattern=$2
    shift 2
    expect_ranks "$code" "$train" "${common[@]}" : "$@"
    says stderr "$pattern"
    [ "$(grep -c "elmpi-train: error" "$scratch/stderr")" -eq 1 ] || fail "not told once"
    absent "$scratch/run"
}

refused 2 'the job of rank 1 is not that of rank 0: "lr = 0.3" there, "lr = 0.1" on rank 0' "$train" "${common[@]}" --set optim.lr=0.3
refused 2 'the command line of rank 1 .*"max-steps 3" there, "max-steps 2"' "$train" "${common[@]}" --max-steps 3
refused 2 'the command line of rank 1 .*"resume 1" there' "$train" "${common[@]}" --resume

# A store with the same name, counts and place on another host, but other points.
cp "$ELMPI_BIN/elmpi-train" "$scratch/other"
mkdir "$scratch/host0" "$scratch/host1"
cp "$scratch/a.h5" "$scratch/host0/moons.h5"
cp "$scratch/b.h5" "$scratch/host1/moons.h5"
relative=("$job" --set data.store=moons.h5 --run-dir "$scratch/run" --max-steps 2)
expect_ranks 1 env -C "$scratch/host0" "$train" "${relative[@]}" : env -C "$scratch/host1" "$train" "${relative[@]}"
says stderr "another data set than rank 0's"
absent "$scratch/run"

# Another build: the same program but for its build ID.
/usr/bin/python3 - "$scratch/other" <<'PYTHON'
import sys
path = sys.argv[1]
program = bytearray(open(path, "rb").read())
note = program.find(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")  # a 20-byte NT_GNU_BUILD_ID
assert note >= 0, "no build ID: the test, or the linker's flags, are wrong"
program[note + 16] ^= 1
open(path, "wb").write(program)
PYTHON
refused 2 'the program of rank 1 is not that of rank 0: "build ' "$scratch/other" "${common[@]}"

# Another library, or one that says so.
cat >"$scratch/version.c" <<'C'
int H5get_libversion(unsigned *major, unsigned *minor, unsigned *release)
{
    *major = 9, *minor = 8, *release = 7;
    return 0;
}
C
cc -shared -fPIC -o "$scratch/version.so" "$scratch/version.c"
# A sanitizer's run-time library must be the first to be loaded.
sanitized || refused 2 'a library of rank 1 is not that of rank 0: "HDF5 9.8.7" there, "HDF5 [0-9.]*" on rank 0' env LD_PRELOAD="$scratch/version.so" "$train" "${common[@]}"

# And alike they start.
expect_ranks 0 "$train" "${common[@]}" : "$train" "${common[@]}"
echo "different jobs, command lines, stores, builds and libraries are refused with the difference"

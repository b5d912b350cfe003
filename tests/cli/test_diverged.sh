#!/usr/bin/env bash
# A run that diverges ends with an error, whatever breaks first; nothing that is not finite gets into a checkpoint or out of one, and "intact" is said
# only of a checkpoint that was read again.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
cat >"$scratch/job.ini" <<END
[run]
name = diverged
precision = fp32
[data]
store = $scratch/digits.h5
augment = none
[model]
name = cifar-resnet8
[optim]
epochs = 4
batch = 64
lr = 100
warmup_epochs = 0
schedule = constant
[checkpoint]
every_epochs = 0
END

check_finite() {
    /usr/bin/python3 - "$1" <<'END'
import sys, h5py, numpy
with h5py.File(sys.argv[1]) as file:
    file.visititems(lambda name, item: sys.exit(name + " is not finite") if isinstance(item, h5py.Dataset) and item.dtype == "f4"
                    and not numpy.isfinite(item[...]).all() else None)
END
}

# --- rates from high to absurd: an error, or finite weights
for rate in 100 1e6; do
    for ranks in 1 2; do
        code=0
        mpirun --oversubscribe --bind-to none -np "$ranks" "$train" "$scratch/job.ini" --run-dir "$scratch/r-$rate-$ranks" --set optim.lr="$rate" \
            >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || code=$?
        case $code in
        0) check_finite "$scratch/r-$rate-$ranks/checkpoint.h5" || fail "rate $rate on $ranks ranks: exit 0" ;;
        1) says stderr "not finite.*(lower optim.lr|take an earlier)" ;;
        *) fail "exit code $code with rate $rate" ;;
        esac
    done
done
says stderr "there is no checkpoint yet"
says_not stderr "intact"

# A checkpoint like the one given with one value of a tensor replaced.
altered() {
    /usr/bin/python3 - "$@" <<'END'
import hashlib, h5py, io, sys
data = open(sys.argv[1], "rb").read()
body = io.BytesIO(data[512:])
with h5py.File(body, "r+") as file:
    values = file["/model/" + sys.argv[3]][...]
    values[1] = float(sys.argv[4])
    file["/model/" + sys.argv[3]][...] = values
body = body.getvalue()
head = b"ELMPI checkpoint 1\nlength %d\nsha256 %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode())
open(sys.argv[2], "wb").write(head.ljust(512, b"\0") + body)
END
}

expect 0 "$train" "$scratch/job.ini" --run-dir "$scratch/kept" --set optim.lr=0.01 --max-steps 3

# --- a checkpoint with NaN, as an earlier elmpi may have left one: neither evaluated, nor exported, nor a beginning
altered "$scratch/kept/checkpoint.h5" "$scratch/nan.h5" bn1.running_var nan
expect 1 "$ELMPI_BIN/elmpi-evaluate" "$scratch/nan.h5"
says stderr "bn1.running_var holds NaN"
expect 1 "$ELMPI_BIN/elmpi-export" "$scratch/nan.h5" --to "$scratch/nan.safetensors"
says stderr "bn1.running_var holds NaN"
absent "$scratch/nan.safetensors"
expect 1 "$train" "$scratch/job.ini" --run-dir "$scratch/from-nan" --init "$scratch/nan.h5"
says stderr "bn1.running_var holds NaN"

# --- a last step that breaks the weights, where loss and gradient are finite: no checkpoint of it
altered "$scratch/kept/checkpoint.h5" "$scratch/large.h5" fc.bias 3e38
expect 1 "$train" "$scratch/job.ini" --run-dir "$scratch/last" --init "$scratch/large.h5" --set optim.lr=1e6 --set optim.weight_decay=1 --max-steps 1
says stderr "fc.bias is not finite any more \(step 1\): no checkpoint of it is written"
[ -z "$(find "$scratch/last" -name 'checkpoint*')" ] || fail "a checkpoint that is not finite"
echo "what diverges ends with an error, and nothing of it is kept"

#!/usr/bin/env bash
# The class bank in whole runs: what is told of it, an empty one is scope global, resumed runs go on bit for bit, also on other ranks and
# without the bank in the checkpoint.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
cd "$scratch"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out digits.h5
settings=("$ELMPI_SOURCE/jobs/digits-elm.ini" --set data.store=digits.h5 --set optim.epochs=4 --set loss.lambda=0.05 --set run.precision=fp32)
bank=("${settings[@]}" --set loss.scope=bank)

# train RANKS FOLDER ARGUMENT...
train() {
    local ranks=$1 folder=$2
    shift 2
    expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "$@" --run-dir "$folder"
}

# column FOLDER NAME: its values.
column() {
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; if (!c) exit 1; next } { print $c }' "$1/metrics.csv"
}

# close TOLERANCE FOLDER FOLDER: losses of every epoch, relative.
close() {
    paste <(column "$2" embed_loss; column "$2" loss) <(column "$3" embed_loss; column "$3" loss) |
        awk -v most="$1" '{ d = $1 - $2; if (d < 0) d = -d; if (d > most * ($1 + 1e-9)) { print; bad = 1 } n++ } END { exit bad || n < 8 }' ||
        fail "losses of $2 and $3 differ by more than $1"
}

# same_result FOLDER FOLDER: weights, momentum, losses, what is told of the bank.
same_result() {
    local part
    for part in /model /optimizer /history/loss /history/embed_loss /history/bank_tail /history/bank_drift; do
        h5diff -q "$1/checkpoint.h5" "$2/checkpoint.h5" "$part" || fail "$part differs between $1 and $2"
    done
}

# --- what is told
train 2 calm "${bank[@]}"
says stdout 'bank [0-9]+/[0-9]+/[0-9]+% \(drift [0-9.]+\)'
[ "$(column calm bank_head | tail -n 1)" = 1 ] || fail "after an epoch every head image has others of its class in the bank"
column calm bank_drift | tail -n 1 | awk '{ exit !($1 > 0 && $1 < 2) }' || fail "the drift is not between 0 and 2"
train 2 global "${settings[@]}"
! head -n 1 global/metrics.csv | grep -q bank || fail "a run without a bank has columns about it"

# --- without entries: scope global, by a cap of none, by age, before its epoch
for empty in per_class=0 max_age=0 start_epoch=100; do
    train 2 "empty-$empty" "${bank[@]}" --set "loss.bank.$empty"
    close 2e-3 global "empty-$empty"
    [ "$(column "empty-$empty" bank_tail | sort -u)" = 0 ] || fail "$empty: an anchor met a positive in the bank"
done
if diff -q <(column global embed_loss) <(column calm embed_loss) >/dev/null; then
    fail "the bank changes nothing"
fi

# --- resumed in mid-epoch: bit for bit on the same ranks, within rounding on others, with entries in bf16 too
train 2 cut "${bank[@]}" --max-steps 17
train 2 cut "${bank[@]}" --resume
same_result calm cut
train 2 other "${bank[@]}" --max-steps 17
for ranks in 1 3; do
    cp -r other "other-$ranks"
    train "$ranks" "other-$ranks" "${bank[@]}" --resume
    close 5e-3 calm "other-$ranks"
done
half=("${bank[@]}" --set loss.bank.precision=bf16 --set loss.bank.momentum=0.5 --set loss.bank.per_class=7 --set loss.bank.normalizer=mean --set optim.accumulate=2)
train 2 half-calm "${half[@]}"
train 2 half-cut "${half[@]}" --max-steps 17
train 2 half-cut "${half[@]}" --resume
same_result half-calm half-cut

# --- the bank is not in the checkpoint: smaller, and made anew
cp -r other anew
train 2 small "${bank[@]}" --set checkpoint.bank=false --max-steps 17
[ "$(stat -Lc %s small/checkpoint.h5)" -lt "$(stat -Lc %s other/checkpoint.h5)" ] || fail "checkpoint.bank=false saves nothing"
train 3 small "${bank[@]}" --set checkpoint.bank=false --resume
says stdout "making it anew by a pass over the training set"
close 0.5 calm small
# ... but what a checkpoint has is used
train 2 anew "${bank[@]}" --set checkpoint.bank=false --resume
says_not stdout "making it anew"
same_result calm anew

# --- a checkpoint whose bank was torn or changed is passed over; every reader of checkpoints reads one with a bank
newest=$(readlink -f calm/checkpoint.h5)
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$newest"
h5dump -a bank_records "$newest" >stdout 2>stderr || fail "HDF5's own tools cannot open a checkpoint with a bank"
printf 'x' | dd of="$newest" bs=1 seek=$(($(stat -c %s "$newest") - 5000)) conv=notrunc status=none
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${bank[@]}" --run-dir calm --resume
says stderr "SHA-256 does not match"
same_result cut calm

# --- a disk that is full before, at and within the bank: an error on all ranks, nobody waits for rank 0
for free in 400k 640k 700k; do
    mkdir -p small-disk
    if [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o "size=$free" tmpfs small-disk 2>/dev/null; then
        break
    fi
    code=0
    (expect_mpi 1 3 "$ELMPI_BIN/elmpi-train" "${bank[@]}" --run-dir small-disk/run --max-steps 3) || code=1
    left=$(find small-disk -name '*.h5*')
    umount small-disk
    if [ "$code" -ne 0 ] || [ -n "$left" ]; then
        fail "a full disk ($free) ended otherwise: $left"
    fi
    says stderr "disk full"
done

# --- center and dro: exact class means, the same on any ranks and after a resume
for term in center dro; do
    means=("${bank[@]}" --set "loss.embed=$term" --set loss.lambda=0.003)
    for ranks in 1 3; do
        train "$ranks" "$term-$ranks" "${means[@]}"
    done
    close 5e-3 "$term-1" "$term-3"
    train 3 "$term-cut" "${means[@]}" --max-steps 17
    train 3 "$term-cut" "${means[@]}" --resume
    same_result "$term-3" "$term-cut"
    [ "$(column "$term-3" bank_head | tail -n 1)" = 1 ] || fail "$term: the bank is not full after an epoch"
done

# --- another scope is another run, and so is another precision of the bank
expect_mpi 2 2 "$ELMPI_BIN/elmpi-train" "${bank[@]}" --set loss.bank.precision=bf16 --run-dir cut --resume
says stderr "loss.bank.precision"
expect_mpi 2 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir cut --resume
says stderr "loss.scope"
echo "the class bank: as it should be in whole runs"

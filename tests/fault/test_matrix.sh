#!/usr/bin/env bash
# The fault matrix: a rank fails (killed, exits, returns an error, has no memory left, is stopped) in a phase of the run. Every time the job has
# to end in bounded time with a non-zero code and the cause named, nothing is left behind, and --resume reaches the undisturbed run's weights and
# history bit for bit. ELMPI_MATRIX=full runs every phase, kind, number of ranks and failing rank (tests/full/test_matrix.sh).
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

export OMP_NUM_THREADS=1
limit=600 # seconds before a run counts as hung; a stopped rank is to be noticed after 3, or 15 while ranks have not met
store=$scratch/moons.h5
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$store"
# The pull term sends class slices; every rank has images.
settings=("$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$store" --set optim.batch=100 --set optim.epochs=3 --set checkpoint.every_epochs=0.4
    --set checkpoint.keep=2 --set run.evaluate_every_epochs=1 --set "model.name=mlp:16,8,2")

# train RANKS FOLDER [ARGUMENT...]: its exit code in $code; nothing may take longer than $limit.
train() {
    local ranks=$1 folder=$2
    shift 2
    code=0
    timeout --kill-after=5 "$limit" "${mpirun[@]}" -np "$ranks" "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$folder" "$@" \
        >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || code=$?
}

# same_result FOLDER FOLDER
same_result() {
    local part
    for part in /model /optimizer /history/loss /history/train_accuracy /history/test_balanced_accuracy; do
        h5diff -q "$1/checkpoint.h5" "$2/checkpoint.h5" "$part" || fail "$row: $part differs from the undisturbed run's"
    done
    cut -d, -f1-13 "$1/metrics.csv" >"$scratch/a.csv"
    cut -d, -f1-13 "$2/metrics.csv" >"$scratch/b.csv"
    same "$scratch/a.csv" "$scratch/b.csv"
}

# What the user must read, by kind of failure; mpirun speaks for ranks that die without a word.
declare -A cause=(
    [kill]="exited on signal 9"
    [exit]="[Ee]xit code|exited"
    [error]="failed on purpose"
    [memory]="out of memory|allocate|resource|exited on signal|Exit code|no rank has made progress"
    [stop]="no rank has made progress since"
)

# check_cause KIND RANK: it is named, and an error of ours once.
check_cause() {
    sed -i '/fault injection:/d' "$scratch/stderr"
    # Open MPI 5 breaks its own lines anywhere.
    tr -s ' \n' ' ' <"$scratch/stderr" >"$scratch/joined"
    says joined "${cause[$1]}"
    case $1 in
    error) [ "$(grep -c "${cause[error]}" "$scratch/stderr")" -eq 1 ] || fail "$row: the error is not told once" ;;
    stop)
        # Before there is a folder ranks take turns, and on a busy machine the next may speak before the launcher has ended it.
        case $row in
        *@launch:* | *@mpi-init:* | *@job:*) [ "$(grep -c "${cause[stop]}" "$scratch/stderr")" -ge 1 ] || fail "$row: the stall is not told" ;;
        *) [ "$(grep -c "${cause[stop]}" "$scratch/stderr")" -eq 1 ] || fail "$row: the stall is not told once" ;;
        esac
        case $phase in
        launch | mpi-init | job | start) return 0 ;; # the run folder is not yet taken: no heartbeats
        esac
        says stderr "rank $2 on .*no heartbeat for"
        grep -q "${cause[stop]}" "$folder/log.txt" || fail "$row: the stall is not in log.txt"
        ;;
    esac
}

# Steps: 20 an epoch, 60 in all, checkpoints after every 8. Phase, step at which it is entered for the fault, ranks that enter it (all, or 0).
phases=(
    "launch 0 all" "mpi-init 0 all" "job 0 all" "start 0 all" "data 0 all" "network 0 all" "restore 0 all" "input 1 all" "forward 5 all" "gather 6 all" "classify 7 all" "loss 9 all" "backward 11 all"
    "allreduce 13 all" "update 15 all" "metrics 20 all" "checkpoint 24 all" "checkpoint-write 32 0" "checkpoint-rename 16 0" "checkpoint-link 48 0" "evaluation 40 all"
    "finish 60 all"
)

# strike RANKS PHASE STEP RANK KIND: one row of the matrix.
rows=0
survived=0
strike() {
    local ranks=$1 phase=$2 step=$3 rank=$4 kind=$5
    row="$kind@$phase:rank=$rank:step=$step on $ranks ranks"
    folder=$scratch/run
    rm -rf "$folder"
    local began=$SECONDS
    # On a busy machine ranks may stand still for a while by themselves. Without memory MPI itself may wait for ever.
    local patience=30
    case $kind in
    stop | memory) patience=3 ;;
    esac
    ELMPI_FAULT=$kind@$phase:rank=$rank:step=$step train "$ranks" "$folder" --set "run.stall_timeout=$patience"
    [ "$code" -ne 124 ] && [ "$code" -ne 137 ] || [ "$kind" = kill ] || fail "$row: no end after $limit s"
    [ $((SECONDS - began)) -lt $((limit - 5)) ] || fail "$row: no end after $limit s"
    [ "$(grep -c "fault injection: rank $rank" "$scratch/stderr")" -eq 1 ] || fail "$row: the fault was not injected"
    if [ "$code" -ne 0 ]; then
        check_cause "$kind" "$rank"
    elif [ "$kind" = memory ]; then # a phase that needs none goes on
        survived=$((survived + 1))
    else
        fail "$row: exit code 0"
    fi
    if pgrep -f "elmpi-train.*--run-dir $folder" >/dev/null; then
        fail "$row: processes are left"
    fi
    train "$ranks" "$folder" --resume
    [ "$code" -eq 0 ] || fail "$row: --resume ended with $code"
    same_result "$scratch/calm-$ranks" "$folder"
    if compgen -G "$folder/*.tmp-*" >/dev/null || compgen -G "$folder/heartbeat-*" >/dev/null; then
        fail "$row: unfinished files are left"
    fi
    rows=$((rows + 1))
    echo "ok: $row"
}

# calm RANKS: the undisturbed run.
calm() {
    [ ! -e "$scratch/calm-$1" ] || return 0
    train "$1" "$scratch/calm-$1"
    [ "$code" -eq 0 ] || fail "the undisturbed run on $1 ranks ended with $code"
}

# fits KIND PHASE: there is such a failure. MPI_Finalize returns no errors; sanitizers need more address space than memory leaves them.
fits() {
    [ "$1@$2" != error@finish ] && { [ "$1" != memory ] || ! $sanitized; }
}
sanitized=false
! sanitized || sanitized=true

# quick: each phase and each kind at least once.
quick() {
    local kinds=(kill stop exit error memory) i=0 entry phase step who ranks rank kind
    for entry in "${phases[@]}"; do
        read -r phase step who <<<"$entry"
        ranks=$((2 + i % 3))
        rank=$((ranks - 1))
        if [ "$who" = 0 ] || [ $((i % 2)) -eq 1 ]; then rank=0; fi
        calm "$ranks"
        kind=${kinds[i % 5]}
        fits "$kind" "$phase" || kind="kill"
        strike "$ranks" "$phase" "$step" "$rank" "$kind"
        i=$((i + 1))
    done
}

full() {
    local entry phase step who ranks rank kind
    for ranks in 2 3 4; do
        calm "$ranks"
        for entry in "${phases[@]}"; do
            read -r phase step who <<<"$entry"
            for rank in 0 $((ranks - 1)); do
                [ "$who" = all ] || [ "$rank" -eq 0 ] || continue
                for kind in kill exit error memory stop; do
                    ! fits "$kind" "$phase" || strike "$ranks" "$phase" "$step" "$rank" "$kind"
                done
            done
        done
    done
}

if [ "${ELMPI_MATRIX:-quick}" = full ]; then
    full
else
    quick
fi
echo "$rows faults injected ($survived of them survived without ending), every resumed run equals the undisturbed one bit for bit"

# What the batch scripts share. Sourced by them; a site edits the scripts, not this.
# shellcheck shell=bash

say() {
    echo "elmpi: $*"
}

die() {
    echo "elmpi: error: $*" >&2
    exit 2
}

# store_of JOB [ARGUMENT...]: the data store that elmpi-train will open.
store_of() {
    local job=$1 store='' word
    shift
    store=$(sed -n '/^\[data\]/,/^\[/s/^store *= *\([^;]*[^; ]\).*/\1/p' "$job" | head -n 1)
    for word in "$@"; do
        case $word in data.store=*) store=${word#data.store=} ;; esac
    done
    echo "$store"
}

# stage STORE: copies the store to every node's local disk, once a node; prints where.
stage() {
    local folder=${TMPDIR:-/tmp}/elmpi-$SLURM_JOB_ID
    srun --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 bash -c "mkdir -p '$folder' && cp '$1' '$folder/'" ||
        die "cannot copy $1 to $folder on every node: set stage=false or TMPDIR to a larger disk"
    echo "$folder/$(basename "$1")"
}

# elmpi_run JOB [ELMPI-TRAIN ARGUMENT...]: trains with --resume on all nodes of the allocation. At the time limit, and on preemption, the run writes a
# checkpoint, ends with 75 and is put back into the queue; after a node failure Slurm does that itself.
elmpi_run() {
    local job=$1 train=${elmpi:?set by the batch script}/build/bin/elmpi-train store code=0 child
    shift
    # shellcheck disable=SC2086 # several modules
    [ -z "${modules:-}" ] || module load $modules
    [ -x "$train" ] || die "there is no $train: build first (cmake --preset release && cmake --build build), or set ELMPI_HOME to the elmpi folder"
    [ -e "$job" ] || die "there is no job file $job"
    store=$(store_of "$job" "$@")
    [ -e "$store" ] || die "there is no data store $store: make it with elmpi-prepare (README, Programs), or name yours: sbatch ... --set data.store=FILE"
    if [ "${stage:-false}" = true ]; then
        store=$(stage "$store")
        set -- "$@" --set "data.store=$store"
    fi

    export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
    local launch=(mpirun --bind-to none)
    if srun --mpi=list 2>&1 | grep -q pmix; then
        launch=(srun --mpi=pmix --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --kill-on-bad-exit=1)
    fi
    say "job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)): $SLURM_NTASKS ranks x $OMP_NUM_THREADS threads on $SLURM_JOB_NODELIST"
    "${launch[@]}" "$train" "$job" --resume "$@" &
    child=$!
    trap 'say "asked to stop: the run writes a checkpoint"; kill -USR1 "$child" 2>/dev/null || true' USR1 TERM
    # A trapped signal ends `wait` early, and only `wait PID` knows the run's own status.
    while :; do
        code=0
        wait "$child" || code=$?
        kill -0 "$child" 2>/dev/null || break
    done
    if [ "$code" -eq 75 ]; then
        say "stopped and resumable: back into the queue"
        scontrol requeue "$SLURM_JOB_ID"
        sleep 60 # Slurm ends this script
    fi
    return "$code"
}

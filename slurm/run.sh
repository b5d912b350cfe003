# What the batch scripts share. Sourced by them; a site edits the scripts, not this.
# shellcheck shell=bash

elmpi_child='' # the launcher, once it runs
elmpi_asked=no # yes: Slurm has asked us to stop

say() {
    echo "elmpi: $*"
}

die() {
    echo "elmpi: error: $*" >&2
    exit 2
}

# Slurm's warning (USR1 before the time limit, TERM at preemption) goes on to the ranks. The trap stands from the first moment: a warning that
# finds none would end this script, and the job with it.
asked_to_stop() {
    elmpi_asked=yes
    say "asked to stop: the run writes a checkpoint"
    [ -z "$elmpi_child" ] || kill -USR1 "$elmpi_child" 2>/dev/null || true
}
trap asked_to_stop USR1 TERM

# find_program: elmpi-train of the folder that the job was submitted from, of the elmpi that the scripts belong to (a clone, an installation), or of
# the PATH.
find_program() {
    local path
    for path in "${elmpi:?set by the batch script}/build/bin" "${scripts:?set by the batch script}/../build/bin" "$scripts/../../../bin"; do
        train=$path/elmpi-train
        [ ! -x "$train" ] || return 0
    done
    train=$(command -v elmpi-train)
}

# shape: ranks a node and threads a rank, as the allocation has them. Without --ntasks-per-node one rank a socket; without --cpus-per-task the
# node's CPUs in equal parts.
shape() {
    nodes=$SLURM_JOB_NUM_NODES
    per_node=${SLURM_NTASKS_PER_NODE:-}
    if [ -z "$per_node" ] && [ -n "${SLURM_NTASKS:-}" ]; then
        per_node=$(((SLURM_NTASKS + nodes - 1) / nodes))
    fi
    [ -n "$per_node" ] || per_node=$(lscpu -p=SOCKET | grep -v '^#' | sort -u | wc -l)
    ranks=${SLURM_NTASKS:-$((nodes * per_node))}
    threads=${SLURM_CPUS_PER_TASK:-$((SLURM_CPUS_ON_NODE / per_node))}
    [ "$threads" -ge 1 ] || threads=1
}

# choose_launcher: srun where Slurm has PMIx, else mpirun, which finds the allocation itself. Hydra is the mpirun of MPICH and Intel MPI, whose ranks
# would each be alone under PMIx.
choose_launcher() {
    local kind=${launcher:-auto} flags=(--map-by "ppr:$per_node:node" --bind-to none)
    case $(mpirun --version 2>&1) in
    *HYDRA* | *Intel* | *MVAPICH*)
        flags=(-ppn "$per_node")
        [ "$kind" != auto ] || kind=mpirun
        ;;
    esac
    if [ "$kind" = auto ]; then
        kind=mpirun
        if srun --mpi=list 2>&1 | grep -q pmix; then
            kind=srun
        fi
    fi
    case $kind in
    srun) launch=(srun --mpi=pmix --nodes="$nodes" --ntasks="$ranks" --ntasks-per-node="$per_node" --cpus-per-task="$threads" --kill-on-bad-exit=1) ;;
    mpirun) launch=(mpirun -np "$ranks" "${flags[@]}") ;;
    *) die "unknown launcher ($kind): auto, srun or mpirun" ;;
    esac
    command -v "${launch[0]}" >/dev/null || die "${launch[0]} is not there: name the MPI module in the settings of the batch script"
}

# job_line: what Slurm knows of this job (one of an array's tasks: `scontrol show job` lists all of them under the first one's number). Nothing where
# the controller does not answer.
job_line() {
    local tries
    for tries in 1 2 3 4 5; do
        if scontrol -o show job "$SLURM_JOB_ID" 2>/dev/null | grep "^JobId=$SLURM_JOB_ID "; then
            return 0
        fi
        [ "$tries" -eq 5 ] || sleep 2
    done
}

# job_field LINE NAME
job_field() {
    sed -n "s/^\(.* \)\?$2=\([^ ]*\).*/\2/p" <<<"$1"
}

# still_running: Slurm lets this start of the job go on. Not so once it is canceled, requeued by another or preempted for good (COMPLETING), or started
# anew elsewhere while this script was cut off (another number of restarts); a time limit that came without a warning is for us to answer.
still_running() {
    local line state
    line=$(job_line)
    state=$(job_field "$line" JobState)
    [ "$(job_field "$line" Restarts)" = "${SLURM_RESTART_COUNT:-0}" ] || return 1
    [ "$state" = RUNNING ] || { [ "$state" = COMPLETING ] && [ "$(job_field "$line" Reason)" = TimeLimit ]; }
}

# is_preempted: within the grace that Slurm gives before it takes the nodes.
is_preempted() {
    case $(job_field "$(job_line)" PreemptTime) in '' | None) return 1 ;; esac
}

requeue() {
    local name=$SLURM_JOB_ID
    [ -z "${SLURM_ARRAY_JOB_ID:-}" ] || name=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID # the first task's number stands for the whole array
    trap - USR1 TERM # Slurm ends this script now
    if scontrol requeue "$name"; then
        sleep 60
    fi
    say "the job is not back in the queue: if it should go on, submit it again, it resumes"
}

# lost_nodes: names of the allocation's nodes that do not answer, which Slurm itself may take minutes to notice. All are asked at once.
lost_nodes() {
    local node
    for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
        {
            timeout 60 srun --overlap --nodes=1 --ntasks=1 --ntasks-per-node=1 --cpus-per-task=1 --nodelist="$node" true >/dev/null 2>&1 || echo "$node"
        } &
    done
    wait
}

# launch_and_wait COMMAND...: its exit code. A trapped signal ends `wait` early, and only `wait PID` knows the launcher's own status.
launch_and_wait() {
    local code=0
    "$@" &
    elmpi_child=$!
    while :; do
        code=0
        wait "$elmpi_child" || code=$?
        kill -0 "$elmpi_child" 2>/dev/null || break
    done
    elmpi_child=''
    return "$code"
}

# elmpi_run JOB [ELMPI-TRAIN ARGUMENT...]: trains with --resume on the whole allocation. Asked to stop, the run writes a checkpoint, ends with 75 and
# the job goes back into the queue; so it does when a node is lost. Any other failure is final.
elmpi_run() {
    local job=$1 train='' code=0
    local nodes per_node ranks threads launch=()
    shift
    # shellcheck disable=SC2086 # several modules
    [ -z "${modules:-}" ] || module load $modules
    find_program || die "there is no elmpi-train in $elmpi/build/bin, near $scripts or on the PATH: build first (cmake --preset release && cmake --build build), or name the module that brings it in the settings of the batch script"
    export ELMPI_JOBS=${ELMPI_JOBS:-$elmpi/jobs} # jobs of one's own go before the installed ones
    shape
    choose_launcher
    if [ "${stage:-no}" = yes ]; then
        set -- "$@" --set "data.stage=${TMPDIR:-/tmp}/elmpi-$SLURM_JOB_ID"
    fi

    export OMP_NUM_THREADS=$threads
    # mpirun's daemons find out within half a minute, not eight, that a node is cut off.
    export OMPI_MCA_oob_tcp_keepalive_time=10 OMPI_MCA_oob_tcp_keepalive_intvl=5 OMPI_MCA_oob_tcp_keepalive_probes=4
    export PRTE_MCA_oob_tcp_keepalive_time=10 PRTE_MCA_oob_tcp_keepalive_intvl=5 PRTE_MCA_oob_tcp_keepalive_probes=4
    say "job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)): $ranks ranks x $threads threads on $SLURM_JOB_NODELIST (${launch[0]})"
    if [ "$elmpi_asked" = yes ]; then # before anything ran
        code=75
    else
        launch_and_wait "${launch[@]}" "$train" --resume "$@" -- "$job" || code=$?
    fi
    [ "$code" -eq 0 ] || after_failure "$code"
    say "ended with exit code $code"
    return "$code"
}

# after_failure CODE: back into the queue with what should go on. 128 and more: a signal that came before the ranks could answer it.
after_failure() {
    local code=$1 lost
    [ "$code" -ne 2 ] || return 0
    if ! still_running; then
        say "Slurm has ended this start of the job: a canceled job resumes when it is submitted again"
    elif [ "$code" -eq 75 ] || { [ "$elmpi_asked" = yes ] && [ "$code" -ge 128 ]; }; then
        say "stopped and resumable: back into the queue"
        requeue
    elif is_preempted; then # mpirun loses the ranks' own exit code to the end of its daemons
        say "preempted: back into the queue"
        requeue
    else
        lost=$(lost_nodes)
        # Whoever cancels the job meanwhile makes every question fail.
        if [ -n "$lost" ] && still_running; then
            say "no answer from ${lost//$'\n'/, }: back into the queue"
            requeue
        fi
    fi
}

# Helpers of the tests that submit the batch scripts to a real Slurm on this machine (slurm-lab.sh). Sourced after cli/lib.sh.
# shellcheck shell=bash

lab=$ELMPI_SOURCE/tests/full/slurm-lab.sh
export LAB=${scratch:?set by cli/lib.sh}/lab

# start_slurm NODES: a Slurm, and a user's elmpi folder, which becomes the working folder. Skips the test where that is impossible.
start_slurm() {
    local program home=$scratch/elmpi
    [ "$(id -u)" -eq 0 ] || skip "a Slurm of our own needs root"
    for program in slurmctld slurmd munged mungekey ip; do
        command -v "$program" >/dev/null || skip "$program is not installed (apt-get install slurm-wlm munge iproute2)"
    done
    unshare --net true 2>/dev/null || skip "no network namespaces here"
    chmod 755 "$scratch"
    mkdir -p "$LAB"
    trap '"$lab" down >/dev/null 2>&1; rm -rf "$scratch"' EXIT
    "$lab" up "$1" >"$scratch/stdout" 2>&1 || fail "Slurm does not come up"
    mkdir -p "$home/build" "$home/data"
    ln -s "$ELMPI_BIN" "$home/build/bin"
    ln -s "$ELMPI_SOURCE/jobs" "$ELMPI_SOURCE/slurm" "$home/"
    cd "$home" || exit 1
}

slurm() {
    SLURM_CONF=$LAB/slurm.conf "$lab" run "$@"
}

# submit WORD...: sbatch; the job's number.
submit() {
    slurm sbatch --parsable "$@"
}

# field JOB NAME: what scontrol shows.
field() {
    slurm scontrol show job "$1" 2>/dev/null | sed -n "s/^\(.* \)\?$2=\([^ ]*\).*/\2/p" | head -n 1
}

# output JOB: its log.
output() {
    cat slurm-*-"$1".out 2>/dev/null
}

# wait_for JOB STATE: hurries a requeued job along, which Slurm would hold back for two minutes; not in the first seconds, when the old start's last
# messages may still come and would be taken for the new one's.
wait_for() {
    local tries=0 bad=0 pending=0 state
    while :; do
        state=$(field "$1" JobState)
        [ "$state" != "$2" ] || return 0
        case $state in
        PENDING)
            pending=$((pending + 1))
            [ "$pending" -lt 10 ] || slurm scontrol update "JobId=$1" StartTime=now >/dev/null 2>&1 || true
            # Slurm holds a job whose start met the leftovers of the one before on a node that has just come back.
            case $(field "$1" Reason) in *held* | *launch_failed*) slurm scontrol release "$1" >/dev/null 2>&1 || true ;; esac
            ;;
        FAILED | CANCELLED | TIMEOUT | NODE_FAIL) # for a moment also on the way back into the queue
            bad=$((bad + 1))
            [ "$bad" -lt 20 ] || fail "job $1 ended as $state: $(output "$1" | tail -n 20)"
            ;;
        COMPLETED) fail "job $1 completed before $2: $(output "$1" | tail -n 20)" ;;
        esac
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "job $1 is $state after 300 s, not $2"
        sleep 0.5
    done
}

# wait_until SECONDS WHAT COMMAND...: until the command succeeds.
wait_until() {
    local tries=$(($1 * 2)) what=$2
    shift 2
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "not in time: $what"
        sleep 0.5
    done
}

# logged JOB TEXT
logged() {
    output "$1" | grep -q -- "$2"
}

# node_of JOB: the number of its first node.
node_of() {
    slurm scontrol show hostnames "$(field "$1" NodeList)" | sed -n '1s/.*n//p'
}

# ranks_of FOLDER: process numbers of the ranks that train there; nodes are namespaces of this machine.
ranks_of() {
    local pid
    for pid in $(pgrep -x elmpi-train); do
        if [ "$(readlink "/proc/$pid/cwd")" = "$PWD" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- " $1 "; then
            echo "$pid"
        fi
    done
}

# hold FOLDER: its ranks stand still, so that what is to happen to the run happens before its end, however fast the machine; $held names them.
hold() {
    mapfile -t held < <(ranks_of "$1")
    [ "${#held[@]}" -gt 0 ] || fail "no rank trains in $1"
    kill -STOP "${held[@]}"
}

let_go() {
    kill -CONT "${held[@]}" 2>/dev/null || true
}

gone() {
    ! kill -0 "${held[@]}" 2>/dev/null
}

same_weights() {
    local part
    for part in /model /optimizer /history/loss; do
        h5diff -q "$1/checkpoint.h5" "$2/checkpoint.h5" "$part" || fail "$part differs: $1 $2"
    done
}

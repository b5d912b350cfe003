#!/usr/bin/env bash
# Which cores ranks run on: all threads of a rank have its share of the node, whatever the launcher did to it, and no more than a user allows.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
train=$ELMPI_BIN/elmpi-train
unset OMP_NUM_THREADS
[ "$elmpi_cores" -ge 2 ] || skip "one core cannot be divided"
cd "$scratch"
"$ELMPI_BIN/elmpi-prepare" two-moons --out moons.h5 >/dev/null
cat >job.ini <<JOB
[run]
name = moons
[data]
store = moons.h5
[model]
name = mlp:16,8,2
[loss]
logit = ce
[optim]
epochs = 1000000
batch = 512
lr = 0.01
JOB

# masks_of FOLDER: a line a rank, in the order of their numbers: the different masks of its threads.
masks_of() {
    local pid
    for pid in $(pgrep -x elmpi-train); do
        if is_of "$pid" "$1"; then
            cat "/proc/$pid"/task/*/status 2>/dev/null | sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' | sort -u | paste -sd' ' || true
        fi
    done | sort
}

# reloads_of FOLDER: the masks that ranks had before they were loaded again, so that libgomp counts all CPUs of the node.
reloads_of() {
    local pid
    for pid in $(pgrep -x elmpi-train); do
        if is_of "$pid" "$1"; then
            tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^ELMPI_PINNED_CPUS=//p' || true
        fi
    done
}

# is_of PID FOLDER: a rank of the run in this folder. Others on this machine may end while they are looked at.
is_of() {
    { tr '\0' ' ' <"/proc/$1/cmdline" | grep -q -- " $2 "; } 2>/dev/null
}

# observe NAME COMMAND...: the masks of a run under this launcher once it has made steps, in NAME.masks; the run is then stopped.
observe() {
    local name=$1 tries=0 launched
    shift
    timeout --kill-after=10 "$limit" "$@" "$train" job.ini --run-dir "$name" --set run.threads=0 >"$name.log" 2>&1 </dev/null &
    launched=$!
    until grep -q . "$name/metrics.csv" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -ge 1200 ] || ! kill -0 "$launched" 2>/dev/null; then
            fail "no step of $name: $(tail -n 20 "$name.log")"
        fi
        sleep 0.1
    done
    masks_of "$name" >"$name.masks"
    reloads_of "$name" >"$name.reloads"
    stop_ranks "$name"
    wait "$launched" || true
    [ -s "$name.masks" ] || fail "no rank of $name was seen"
}

stop_ranks() {
    local pid
    for pid in $(pgrep -x elmpi-train); do
        if is_of "$pid" "$1"; then
            kill -USR1 "$pid" 2>/dev/null || true
        fi
    done
}

bare=("${mpirun[0]:-mpirun}")
free=("${bare[@]}" --bind-to none)
case $("${bare[@]}" --version 2>&1) in
*HYDRA*) bound=("${bare[@]}" -bind-to core) free=("${bare[@]}" -bind-to none) ;;
*) bound=("${bare[@]}" --bind-to core) ;;
esac

for ranks in 1 2; do
    observe "plain-$ranks" "${bare[@]}" -np "$ranks"
    observe "free-$ranks" "${free[@]}" -np "$ranks"
    observe "bound-$ranks" "${bound[@]}" -np "$ranks"
    same "plain-$ranks.masks" "free-$ranks.masks"
    same "plain-$ranks.masks" "bound-$ranks.masks"
    [ "$(wc -l <"plain-$ranks.masks")" -eq "$ranks" ] || fail "not $ranks ranks: $(cat "plain-$ranks.masks")"
    grep -q '^cores ' "plain-$ranks/log.txt" || fail "the log does not say which cores"
done
allowed=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
[ "$(cat plain-1.masks)" = "$allowed" ] || fail "one rank has $(cat plain-1.masks), not all of $allowed"
[ "$(sort -u plain-2.masks | wc -l)" -eq 2 ] || fail "two ranks have the same cores: $(cat plain-2.masks)"


# A pinned rank is loaded again; one that is free, or that a user confined, is not.
[ "$(wc -l <bound-1.reloads)" -eq 1 ] || fail "a rank bound to one core was not loaded again"
[ ! -s free-1.reloads ] || fail "an unbound rank was loaded again"

# A user's own choice holds: before the launcher, and before a program that nobody launched.
last=${allowed##*[-,]}
observe inside taskset -c "$last" "${bare[@]}" -np 1
[ "$(cat inside.masks)" = "$last" ] || fail "taskset -c $last mpirun: $(cat inside.masks)"
[ ! -s inside.reloads ] || fail "taskset mpirun: the rank was loaded again"
observe alone taskset -c "$last"
[ "$(cat alone.masks)" = "$last" ] || fail "taskset -c $last elmpi-train: $(cat alone.masks)"

# OpenMP that has chosen its places when it was loaded.
observe places env OMP_PROC_BIND=true "${bare[@]}" -np 1
[ "$(cat places.masks)" = "$allowed" ] || fail "OMP_PROC_BIND=true: $(cat places.masks)"

# More ranks than cores: nobody is pinned to less than he had.
many=$((elmpi_cores + 1))
expect_mpi 0 "$many" "$train" job.ini --run-dir many --set optim.epochs=1
says stdout '^cores .*more ranks than cores'

# Off, here and in the other programs.
expect 0 "${bare[@]}" -np 1 "$train" job.ini --run-dir off --set optim.epochs=1 --set run.binding=launcher
says stdout '^cores .*as the launcher bound'
expect 0 "${bare[@]}" -np 1 "$ELMPI_BIN/elmpi-evaluate" off/checkpoint.h5
says stdout '^cores .*as the launcher bound'
expect 0 "${bare[@]}" -np 1 "$ELMPI_BIN/elmpi-evaluate" off/checkpoint.h5 --binding auto
says stdout '^cores '
says_not stdout 'as the launcher bound'
expect 2 "$ELMPI_BIN/elmpi-evaluate" off/checkpoint.h5 --binding never
says stderr 'run.binding'
expect 0 "${bare[@]}" -np 1 "$ELMPI_BIN/elmpi-bench" --model mlp:16,8,2 --batch 64 --steps 1 --set run.binding=launcher
says stdout '^cores .*as the launcher bound'
expect 0 "$train" job.ini --run-dir off --resume --set optim.epochs=2 --set run.binding=auto
echo "the ranks' cores are their share of the node"

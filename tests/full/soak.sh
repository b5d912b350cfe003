#!/usr/bin/env bash
# usage: tests/full/soak.sh FOLDER MINUTES [SECONDS] -- elmpi-train ARGUMENT...
#
# Trains with `mpirun -np 2`, kills a rank of it at random every SECONDS (180) or so and resumes, for MINUTES at least (a finished run begins anew
# in another folder) and to the end of the run at hand. Writes FOLDER/soak.csv: seconds, resident KiB and open files of the larger rank, every 10 s.
# Compares the weights of every finished run with FOLDER/calm/checkpoint.h5, the undisturbed run's, which is trained first where it is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/environment.sh
. "$here/../../tools/environment.sh"
bin=${ELMPI_BIN:-$elmpi_root/build/bin}
choose_mpirun "$bin"
folder=$1 minutes=$2
shift 2
every=180
if [ "$1" != -- ]; then
    every=$1
    shift
fi
shift
mkdir -p "$folder"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

# start RUN [--resume]: in the background; the launcher's number in $launcher.
start() {
    "${mpirun[@]}" -np 2 "$bin/elmpi-train" "${arguments[@]}" --run-dir "$1" "${@:2}" >>"$1.log" 2>&1 </dev/null &
    launcher=$!
}
arguments=("$@")

if [ ! -e "$folder/calm/evaluation.json" ]; then
    resume=()
    [ ! -e "$folder/calm" ] || resume=(--resume)
    start "$folder/calm" "${resume[@]}"
    wait "$launcher"
fi

# measure RUN: a row of soak.csv.
measure() {
    local pid resident=0 files=0 n
    for pid in $(pgrep -f "elmpi-train .*--run-dir $1( |\$)"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = elmpi-train ] || continue
        n=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue
        [ "${n:-0}" -le "$resident" ] || resident=$n
        n=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
        [ "$n" -le "$files" ] || files=$n
    done
    [ "$resident" -eq 0 ] || echo "$SECONDS,$1,$resident,$files" >>"$folder/soak.csv"
}

echo seconds,run,resident_kib,open_files >"$folder/soak.csv"
SECONDS=0
kills=0 ends=0 number=0
RANDOM=1
while [ $SECONDS -lt $((minutes * 60)) ]; do
    number=$((number + 1))
    run=$folder/run-$number
    rm -rf "$run" "$run.log"
    start "$run"
    code=1
    while [ "$code" -ne 0 ]; do
        next=$((SECONDS + every / 2 + RANDOM % every))
        while kill -0 "$launcher" 2>/dev/null && [ $SECONDS -lt $next ]; do
            sleep 1
            [ $((SECONDS % 10)) -ne 0 ] || measure "$run"
        done
        if kill -0 "$launcher" 2>/dev/null; then
            mapfile -t ranks < <(pgrep -P "$launcher")
            kill -KILL "${ranks[RANDOM % ${#ranks[@]}]}" 2>/dev/null && kills=$((kills + 1))
        fi
        code=0
        wait "$launcher" || code=$?
        [ "$code" -eq 0 ] || start "$run" --resume
    done
    for part in /model /optimizer /history/loss; do
        if ! h5diff -q "$folder/calm/checkpoint.h5" "$run/checkpoint.h5" "$part"; then
            echo "soak.sh: error: $part of $run differs from the undisturbed run's" >&2
            exit 1
        fi
    done
    ends=$((ends + 1))
    echo "$SECONDS s: run $number ended with the undisturbed run's weights, $kills ranks killed so far"
done

# Memory and files at their most, in the first and in the last third. (Means would tell how old the processes were: killed ones begin small.)
awk -F, 'NR > 1 { resident[++n] = $3; files[n] = $4 }
    function larger(x, y) { return x > y ? x : y }
    END {
        third = int(n / 3)
        for (i = 1; i <= third; i++) {
            early = larger(early, resident[i]); late = larger(late, resident[n + 1 - i])
            early_files = larger(early_files, files[i]); late_files = larger(late_files, files[n + 1 - i])
        }
        printf "resident memory of the larger rank: at most %.1f MiB in the first third, %.1f in the last; open files %d and %d (%d samples)\n", \
            early / 1024, late / 1024, early_files, late_files, n
        exit late > 1.03 * early || late_files > early_files + 1
    }' "$folder/soak.csv"
echo "$kills ranks killed in $((SECONDS / 60)) minutes, $ends runs ended, each with the undisturbed run's weights to the bit"

#!/usr/bin/env bash
# Trains several jobs with several seeds, one after another, and prints their accuracies beside the paper's.
set -euo pipefail
# shellcheck source=tools/environment.sh
. "$(dirname "$0")/environment.sh"

usage() {
    cat <<'TEXT'
usage: tools/compare.sh JOB[:CLASSIFIER]... [--seeds 0,1,2] [--set KEY=VALUE]... [--ranks N] [--out FOLDER] [--table]

JOB is what elmpi-train takes: a job file, or the name of a job such as cifar100-lt-elm (elmpi-train --list-jobs). JOB:CLASSIFIER evaluates the same runs with another classifier than the
network's own: cifar100-lt-ce:tau-norm (elmpi-evaluate --help lists them). tau-norm chooses tau on held-out images: add --set data.holdout=2, or have a
data set with a val split. A second stage (cifar100-lt-crt) begins with its first stage's checkpoint of the same seed, which is trained before
it where that has not been done.

  --seeds LIST       seeds (default 0)
  --set KEY=VALUE    override an option in all jobs (repeatable)
  --ranks N          ranks of mpirun (default 1: one process with a thread a core)
  --out FOLDER       folder of the runs, FOLDER/<job>-seed<seed> (default runs/compare)
  --table            print what has been finished, train nothing

Run it from where the jobs' data/ is. A comparison that was interrupted continues where it was when the command is repeated. The table (mean
and, with several seeds, standard deviation) goes to stdout, each seed's figures to FOLDER/comparison.csv, all else to stderr.
TEXT
}

stop_with() {
    echo "compare.sh: error: $2" >&2
    exit "$1"
}

say() {
    echo "compare.sh: $*" >&2
}

bin=${ELMPI_BIN:-$elmpi_root/build/bin}
choose_mpirun "$bin"
paper=$elmpi_root/docs/paper-table2.csv
words=() settings=()
seeds=0 ranks=1 out=runs/compare train=yes
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --table) train=no ;;
    --seeds | --set | --ranks | --out)
        [ $# -ge 2 ] || stop_with 2 "missing value ($1): see --help"
        case $1 in
        --seeds) seeds=$2 ;;
        --set) settings+=(--set "$2") ;;
        --ranks) ranks=$2 ;;
        --out) out=$2 ;;
        esac
        shift
        ;;
    --seeds=*) seeds=${1#*=} ;;
    --set=*) settings+=(--set "${1#*=}") ;;
    --ranks=*) ranks=${1#*=} ;;
    --out=*) out=${1#*=} ;;
    --)
        shift
        words+=("$@")
        break
        ;;
    -*) stop_with 2 "unknown flag ($1): see --help" ;;
    *) words+=("$1") ;;
    esac
    shift
done
if [ ${#words[@]} -eq 0 ]; then
    usage >&2
    exit 2
fi
[[ $seeds =~ ^[0-9]+(,[0-9]+)*$ ]] || stop_with 2 "no list of seeds (--seeds $seeds): write 0,1,2"
[[ $ranks =~ ^[1-9][0-9]*$ ]] || stop_with 2 "no number of ranks (--ranks $ranks): give one from 1 on"
[ -x "$bin/elmpi-train" ] || stop_with 1 "elmpi is not built ($bin/elmpi-train): cmake --preset release && cmake --build build, or set ELMPI_BIN"
IFS=, read -ra seed_list <<<"$seeds"
case $out in
-* | *=*) out=./$out ;; # no option of another program, no assignment of awk's
esac

# resolved JOB: the job with all its options, as elmpi-train reads it.
export ELMPI_JOBS=${ELMPI_JOBS:+$ELMPI_JOBS:}$elmpi_root/jobs
resolved() {
    "$bin/elmpi-train" --print-job "${settings[@]}" -- "$1"
}

# file_of WORD, classifier_of WORD: the parts of JOB:CLASSIFIER.
file_of() {
    local job=${1%:*} refused
    [ ! -f "$1" ] || job=$1
    refused=$(resolved "$job" 2>&1 >/dev/null) || stop_with 2 "not a job ($job): ${refused#*error: }"
    echo "$job"
}
classifier_of() {
    if [ -f "$1" ]; then
        echo fc
        return
    fi
    case $1 in
    *:*) echo "${1##*:}" ;;
    *) echo fc ;;
    esac
}

child=
# A run that is asked to stop writes a checkpoint first.
ask_to_stop() {
    stopping=yes
    [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null || true
}
stopping=no
trap ask_to_stop INT TERM USR1

# run PROGRAM ARGUMENT...: on as many ranks as asked for.
run() {
    local command=("$bin/$1" "${@:2}") code=0
    if [ "$ranks" -gt 1 ]; then
        command=("${mpirun[@]}" -np "$ranks" "${command[@]}")
    fi
    "${command[@]}" >&2 &
    child=$!
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do # a signal has ended the wait, not the program
        code=0
        wait "$child" || code=$?
    done
    child=
    if [ "$stopping" = yes ]; then
        say "stopped; the same command continues"
        exit 75
    fi
    return "$code"
}

# first_stage_of JOB: the job whose checkpoint a second stage begins with, as its line "init = runs/JOB/checkpoint.h5" says.
first_stage_of() {
    resolved "$1" | sed -nE 's|^init = runs/([^/ ]+)/checkpoint\.h5$|\1|p'
}

# train_one FILE SEED FOLDER: begins or continues; a finished run is left as it is.
train_one() {
    local code=0 first from=()
    first=$(first_stage_of "$1")
    if [ -n "$first" ]; then
        from=(--set "run.init=$out/$first-seed$2/checkpoint.h5")
        [ -s "$out/$first-seed$2/evaluation.json" ] || train_one "$(file_of "$first")" "$2" "$out/$first-seed$2"
    fi
    say "$(basename -- "$1" .ini), seed $2"
    run elmpi-train "${from[@]}" "${settings[@]}" --set "run.seed=$2" --run-dir "$3" --resume -- "$1" || code=$?
    [ "$code" -ne 75 ] || exit 75
    [ "$code" -eq 0 ] || stop_with "$code" "training failed ($3): see above; the same command tries again"
}

# figures_of FOLDER CLASSIFIER: where its evaluation is.
figures_of() {
    if [ "$2" = fc ]; then
        echo "$1/evaluation.json"
    else
        echo "$1/evaluation-$2.json"
    fi
}

# evaluate_one FOLDER CLASSIFIER: the last checkpoint, once.
evaluate_one() {
    local figures
    figures=$(figures_of "$1" "$2")
    if [ -s "$figures" ] && [ "$figures" -nt "$1/checkpoint.h5" ]; then
        return
    fi
    run elmpi-evaluate "$1/checkpoint.h5" --classifier "$2" --json "$figures" || {
        say "evaluation failed ($1, $2): see above; the table goes without it"
        failed=yes
    }
}

# per_cent FILE KEY: a figure, empty where it is null. The figures come before the other places of the same key.
per_cent() {
    awk -v key="\"$2\":" '$1 == key { sub(/,$/, "", $2); if ($2 != "null") printf "%.4f", 100 * $2; exit }' <"$1"
}

# field TEXT: of a CSV file.
field() {
    case $1 in
    *[,\"]*) printf '"%s"' "${1//\"/\"\"}" ;;
    *) printf '%s' "$1" ;;
    esac
}

declare -A seen=()
for word in "${words[@]}"; do
    file=$(file_of "$word")
    row=$(basename -- "$file" .ini):$(classifier_of "$word")
    [ -z "${seen[$row]:-}" ] || stop_with 2 "$row is given twice (command line): remove one of them"
    seen[$row]=yes
done
mkdir -p -- "$out"
rows=$out/comparison.csv
failed=no
table=$(mktemp)
trap 'rm -f -- "$table"' EXIT
echo "job,classifier,seed,balanced,head,torso,tail" >"$rows.new"
for word in "${words[@]}"; do
    file=$(file_of "$word")
    job=$(basename -- "$file" .ini)
    classifier=$(classifier_of "$word")
    for seed in "${seed_list[@]}"; do
        folder=$out/$job-seed$seed
        if [ "$train" = yes ]; then
            train_one "$file" "$seed" "$folder"
            evaluate_one "$folder" "$classifier"
        fi
        figures=$(figures_of "$folder" "$classifier")
        [ -s "$figures" ] || continue
        values=("$(per_cent "$figures" balanced_accuracy)" "$(per_cent "$figures" head)" "$(per_cent "$figures" torso)" "$(per_cent "$figures" tail)")
        echo "$(field "$job"),$classifier,$seed,$(IFS=, && echo "${values[*]}")" >>"$rows.new"
        printf '%s\037' "$job" "$classifier" "$seed" "${values[@]}" >>"$table"
        echo >>"$table"
    done
done
mv -- "$rows.new" "$rows"

# The paper's figure is that of the row whose job and classifier these are; "menon-" names another set-up of the same method.
awk '
NR == FNR {
    if (/^#/) next
    if ($1 == "method") for (i = 4; i <= NF; i++) set[i] = $i
    else for (i = 4; i <= NF; i++) paper[set[i] "-" $2, $3] = $i
    next
}
{
    key = $1 SUBSEP $2
    if (!(key in seeds)) order[++rows] = key
    seeds[key]++
    for (i = 4; i <= 7; i++) if ($i != "") { n[key, i]++; sum[key, i] += $i; squares[key, i] += $i * $i }
}
function cell(key, i,    mean, variance) {
    if (!n[key, i]) return "-"
    mean = sum[key, i] / n[key, i]
    if (n[key, i] == 1) return sprintf("%.2f", mean)
    variance = (squares[key, i] - n[key, i] * mean * mean) / (n[key, i] - 1)
    return sprintf("%.2f ± %.2f", mean, variance > 0 ? sqrt(variance) : 0)
}
END {
    print "| job | seeds | balanced | head | torso | tail | paper |"
    print "|---|---|---|---|---|---|---|"
    for (r = 1; r <= rows; r++) {
        key = order[r]
        split(key, part, SUBSEP)
        job = part[1]
        sub(/-menon-/, "-", job)
        printf "| %s%s | %d |", part[1], part[2] == "fc" ? "" : ":" part[2], seeds[key]
        for (i = 4; i <= 7; i++) printf " %s |", cell(key, i)
        print " " ((job, part[2]) in paper ? paper[job, part[2]] : "-") " |"
    }
}' FS=, "$paper" FS='\037' "$table"
[ "$failed" = no ]

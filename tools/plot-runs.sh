#!/usr/bin/env bash
# Draws runs side by side as SVG: training curves, and accuracy of head, torso and tail classes at the end. Needs gnuplot.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tools/plot-runs.sh OUT.svg RUN-FOLDER...

Left: balanced test accuracy where a run measured it (run.evaluate_every_epochs), else training loss, by epoch.
Right: balanced accuracy and accuracy of head, torso and tail classes after the last epoch. Reads metrics.csv.
TEXT
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
esac
if [ $# -lt 2 ]; then
    usage >&2
    exit 2
fi
command -v gnuplot >/dev/null || {
    echo "plot-runs.sh: error: gnuplot is missing (figures): apt-get install gnuplot-nox" >&2
    exit 1
}
# Any name: one that begins with a dash is no option, one with "=" no assignment, and gnuplot doubles its quotes.
path() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf './%s\n' "$1" ;;
    esac
}
quote() {
    printf "'%s'" "${1//\'/\'\'}"
}
out=$(path "$1")
shift

# column NAME FILE: the place of a column, from 1.
column() {
    head -n 1 -- "$2" | tr , '\n' | grep -nx "$1" | cut -d: -f1
}

# Colours that color-blind readers tell apart (Okabe and Ito).
colors=('#0072B2' '#E69F00' '#009E73' '#CC79A7' '#56B4E9' '#D55E00')
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
curves=()
bars=()
i=0
for run in "$@"; do
    csv=$(path "$run")/metrics.csv
    [ -s "$csv" ] || {
        echo "plot-runs.sh: error: no metrics ($csv): give folders of finished runs" >&2
        exit 1
    }
    name=$(basename -- "$run")
    color=${colors[i % ${#colors[@]}]}
    epoch=$(column epoch "$csv")
    test=$(column test_balanced_accuracy "$csv")
    loss=$(column loss "$csv")
    awk -F, -v x="$epoch" -v y="$test" 'NR > 1 && $y != "" { print $x, 100 * $y }' "$csv" >"$data/test$i"
    awk -F, -v x="$epoch" -v y="$loss" 'NR > 1 { print $x, $y }' "$csv" >"$data/loss$i"
    awk -F, -v a="$test" 'END { print 0, 100 * $a; print 1, 100 * $(a + 2); print 2, 100 * $(a + 3); print 3, 100 * $(a + 4) }' "$csv" >"$data/bars$i"
    curves+=("$i")
    width=$(awk -v n=$# 'BEGIN { print 0.8 / n }')
    shift_by=$(awk -v n=$# -v i=$i -v w="$width" 'BEGIN { print (i - (n - 1) / 2) * w }')
    bars+=("$(quote "$data/bars$i") using (\$1 + $shift_by):2:($width * 0.92) with boxes lc rgb '$color' title $(quote "$name") noenhanced")
    bars+=("$(quote "$data/bars$i") using (\$1 + $shift_by):2:(sprintf('%.1f', \$2)) with labels offset 0,0.6 font ',9' notitle")
    i=$((i + 1))
done

measured='test'
label="balanced test accuracy (%)"
for n in "${curves[@]}"; do
    if [ "$(wc -l <"$data/test$n")" -lt 2 ]; then
        measured='loss'
        label="training loss"
    fi
done
lines=()
for n in "${curves[@]}"; do
    lines+=("$(quote "$data/$measured$n") with linespoints pt 7 ps 0.4 lw 2 lc rgb '${colors[n % ${#colors[@]}]}' notitle")
done

join() {
    local IFS=,
    echo "$*"
}

mkdir -p -- "$(dirname -- "$out")"
gnuplot <<GNUPLOT
set terminal svg size 960,380 font 'Helvetica,12' background rgb 'white'
set output $(quote "$out")
set multiplot layout 1,2
set border 3 lc rgb '#555555'
set tics nomirror
set grid ytics lc rgb '#dddddd'
set xlabel 'epoch'
set ylabel '$label'
plot $(join "${lines[@]}")
set style fill solid 1 noborder
set xlabel 'classes'
set ylabel 'test accuracy (%)'
set yrange [0:*]
set xrange [-0.6:3.6]
set xtics ('all, balanced' 0, 'head' 1, 'torso' 2, 'tail' 3)
set key top right
plot $(join "${bars[@]}")
unset multiplot
GNUPLOT
echo "$out"

#!/usr/bin/env bash
# Draws how many anchors of a class find a positive, by the size of the class and the pull term's scope, as SVG. Needs gnuplot.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tools/plot-bank.sh OUT.svg NAME:BATCH:RANKS:COUNTS.txt...

One panel a data set, whose classes' training images are in COUNTS.txt, one count a line. An anchor of a class of n images, in a batch of B
of N images drawn without repetition (the sampler "instance"), meets another of its class in the batch (scope global), or in its rank's share
of it (scope rank), with the probability of the hypergeometric distribution; in the class bank, once it is full, whenever n > 1.
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
    echo "plot-bank.sh: error: gnuplot is missing (figures): apt-get install gnuplot-nox" >&2
    exit 1
}
quote() { # for gnuplot
    printf "'%s'" "${1//\'/\'\'}"
}
out=$1
shift
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT

# shares BATCH RANKS COUNTS: lines of class size and shares for rank, global, bank, in per cent; on stderr the means over anchors of a group.
shares() {
    sort -n -- "$3" | awk -v batch="$1" -v ranks="$2" '
        function meets(n, others,   i, none) { # at least one of n - 1 among others of the total - 1
            none = 1
            for (i = 0; i < others; i++)
                none *= 1 - (n - 1) / (total - 1 - i) > 0 ? 1 - (n - 1) / (total - 1 - i) : 0
            return 100 * (1 - none)
        }
        { count[NR] = $1; total += $1 }
        END {
            for (c = 1; c <= NR; c++) {
                n = count[c]
                if (n != last) {
                    rank = meets(n, batch / ranks - 1); global = meets(n, batch - 1); bank = n > 1 ? 100 : 0
                    print n, rank, global, bank
                }
                last = n
                g = n >= 100 ? "head" : n >= 20 ? "torso" : "tail"
                anchors[g] += n; r[g] += n * rank; b[g] += n * global; k[g] += n * bank
            }
            for (g in anchors)
                printf "%s: rank %.1f%%, global %.1f%%, bank %.1f%%\n", g, r[g] / anchors[g], b[g] / anchors[g], k[g] / anchors[g] >"/dev/stderr"
        }'
}

panels=()
for panel in "$@"; do
    IFS=: read -r name batch ranks counts <<<"$panel"
    if [ -z "${counts:-}" ] || [ ! -r "$counts" ]; then
        echo "plot-bank.sh: error: no class counts ($panel): give NAME:BATCH:RANKS:COUNTS.txt" >&2
        exit 2
    fi
    echo "$name, batch $batch, $ranks ranks" >&2
    shares "$batch" "$ranks" "$counts" >"$data/${#panels[@]}"
    panels+=("set title $(quote "$name, batch $batch, $ranks ranks") noenhanced
plot $(quote "$data/${#panels[@]}") using 1:2 with lines lw 2 lc rgb '#E69F00' title 'rank', \\
     '' using 1:3 with lines lw 2 lc rgb '#0072B2' title 'global', \\
     '' using 1:4 with lines lw 2 lc rgb '#009E73' title 'bank'")
done

{
    cat <<GNUPLOT
set terminal svg size $((480 * ${#panels[@]})),400 font 'Helvetica,12' background rgb 'white'
set output $(quote "$out")
set multiplot layout 1,${#panels[@]}
set border 3 lc rgb '#555555'
set tics nomirror
set grid ytics lc rgb '#dddddd'
set logscale x
set xtics (2, 5, 10, 20, 50, 100, 200, 500, 1000)
set yrange [0:105]
set xlabel 'training images of the class'
set ylabel 'anchors with a positive, %'
set key at graph 0.04, graph 0.9 left Left reverse samplen 2
set arrow from 20, 0 to 20, 105 nohead lc rgb '#bbbbbb' dt 3
set arrow from 100, 0 to 100, 105 nohead lc rgb '#bbbbbb' dt 3
GNUPLOT
    printf '%s\n' "${panels[@]}"
    echo "unset multiplot"
} | gnuplot

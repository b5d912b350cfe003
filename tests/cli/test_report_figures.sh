#!/usr/bin/env bash
# What elmpi-report's figures show: a sweep's means and deviations over seeds, axes around a single point, each class in a color of its own, the
# diagonal of a calibration, no heading without content.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need "$(command -v gnuplot || echo gnuplot)" "gnuplot"
cd "$scratch"
export OMP_NUM_THREADS=1

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out d.h5
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-elm.ini" --set data.store=d.h5 --set optim.epochs=2 --run-dir base
# run NAME LAMBDA SEED BALANCED [MORE]: a run that reports that accuracy.
run() {
    cp -r base "$1"
    sed -i "s/^name = digits-elm$/name = $1/; s/^lambda = .*/lambda = $2/; s/^seed = .*/seed = $3/; ${5:-}" "$1/job.ini"
    sed -i "s/\"balanced_accuracy\": [0-9.]*/\"balanced_accuracy\": $4/" "$1/evaluation.json"
}
run a0 0.1 0 0.50
run a1 0.1 1 0.56
run a2 0.1 2 0.59
run b0 0.01 0 0.40
run b1 0.01 1 0.44
run c0 1 0 0.30
run d0 0.1 0 0.90 's/^momentum = .*/momentum = 0.5/' # a sweep of its own
run d1 1 0 0.80 's/^momentum = .*/momentum = 0.5/'
expect 0 "$ELMPI_BIN/elmpi-report" a0 b0 a1 c0 b1 a2 d0 d1 --out r.html
cat >wanted <<'EOF'
"weight of the embedding term","logadj + pull",0.01,42,2.82842712
"weight of the embedding term","logadj + pull",0.1,55,4.58257569
"weight of the embedding term","logadj + pull",1,30,0
"weight of the embedding term","logadj + pull, other settings (1)",0.1,90,0
"weight of the embedding term","logadj + pull, other settings (1)",1,80,0
EOF
tail -n +2 r-figures/lambda.csv | sort -t, -k2,2 -k4,4g >got # by series, then by value
diff <(sort wanted) <(sort got) || fail "means and deviations over seeds"
awk -F, 'NR > 1 { if ($2 == series && $3 <= x) exit 1; series = $2; x = $3 }' <(grep -v 'other settings' r-figures/lambda.csv) || fail "points out of order"
grep -q 'with yerrorlines' r-figures/lambda.gp || fail "no bars of deviation"
if grep -q '<h2>Confusions' r.html; then
    fail "a heading without content"
fi

# A single evaluation: an axis in whole epochs.
expect 0 "$ELMPI_BIN/elmpi-report" c0 --out one.html
if [ -s one-figures/accuracy.csv ]; then
    grep -q '^set xrange \[1:3\]' one-figures/accuracy.gp || fail "the axis around epoch 2"
fi

# Eleven classes and more: no color twice; the diagonal; Confusions with content.
expect 0 "$ELMPI_BIN/elmpi-evaluate" base/checkpoint.h5 --analysis base/analysis.h5 --tsne-classes 10
for k in $(seq 0 39); do
    cp -r base "many-$k"
    sed -i "s/^name = digits-elm$/name = many-$k/" "many-$k/job.ini"
done
expect 0 "$ELMPI_BIN/elmpi-report" many-* --out many.html
[ "$(grep -o "lc rgb '#[0-9A-F]*'" many-figures/speed.gp | grep -v '#010203' | sort -u | wc -l)" -eq 40 ] || fail "a color stands for two runs"
[ "$(grep -oE "pt [0-9]+ ps 0.45 lc rgb '#[0-9A-F]*'" many-figures/tsne.gp | grep -o '#.*' | sort -u | wc -l)" -eq 10 ] || fail "a color stands for two classes"
grep -q '^plot x with lines' many-figures/calibration.gp || fail "no diagonal"
grep -q '^set xrange \[0:100\]' many-figures/calibration.gp || fail "calibration's axis"
grep -q '<h2>Confusions' many.html || fail "no confusions"

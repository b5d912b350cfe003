#!/usr/bin/env bash
# elmpi-report: every figure of runs with and without an analysis, numbers that are the files' own, mistakes told, nothing half-written.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
need "$(command -v gnuplot || echo gnuplot)" "gnuplot"

export OMP_NUM_THREADS=1
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
# train NAME JOB SETTINGS...
train() {
    expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/$2.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=3 \
        --set run.evaluate_every_epochs=1 --run-dir "$scratch/$1" --set "run.name=$1" "${@:3}"
}
train digits-ce digits-ce
train digits-elm digits-elm
train 'odd-<name>&' digits-elm --set loss.lambda=0.1
for run in digits-ce digits-elm; do
    expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/$run/checkpoint.h5" --analysis "$scratch/$run/analysis.h5"
done
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/digits-ce" "$scratch/digits-elm" "$scratch/odd-<name>&" --out "$scratch/r.html"
figures=(training accuracy groups margins train-margins margin-cdf distances tsne coverage shift calibration lambda speed)
if h5ls "$scratch/digits-ce/analysis.h5" | grep -q '^spectrum'; then # a build with ScaLAPACK
    figures+=(spectra)
fi
for figure in "${figures[@]}"; do
    for kind in svg pdf csv; do
        [ -s "$scratch/r-figures/$figure.$kind" ] || fail "no $figure.$kind"
    done
    grep -q "id=\"$figure\"" "$scratch/r.html" || fail "no figure $figure on the page"
done
if grep -nE '(src|href)=["'\'']?(https?:|//)' "$scratch/r.html"; then
    fail "the page needs a network"
fi
grep -q 'odd-&lt;name&gt;&amp;' "$scratch/r.html" || fail "a run's name is not escaped"
if grep -q '<name>' "$scratch/r.html"; then
    fail "a run's name is written as it stands"
fi
balanced=$(sed -n 's/.*"balanced_accuracy": \([0-9.]*\).*/\1/p' "$scratch/digits-elm/evaluation.json" | awk '{ printf "%.2f", 100 * $1 }')
grep -q "<b>$balanced</b>" "$scratch/r.html" || fail "the table lacks digits-elm's $balanced"
awk -F, -v wanted="$balanced" '$2 == "\"digits-elm\"" && $3 == 0 { found = ($4 - wanted) ^ 2 < 1e-4 } END { exit !found }' "$scratch/r-figures/groups.csv" ||
    fail "the bars lack it"
grep -q '10 of 10' "$scratch/r.html" || fail "Proposition 1 does not hold for every class"

# Other runs under the same name: what they do not show is gone. Names that a script or a table must not take literally.
cp -r "$scratch/digits-ce" "$scratch/tricky"
sed -i "s/^name = .*/name = it's \"so\" \`date\`/" "$scratch/tricky/job.ini"
rm "$scratch/tricky/analysis.h5"
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/tricky" --out "$scratch/s.html"
cp "$scratch/r-figures/lambda.svg" "$scratch/s-figures/"
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/tricky" --out "$scratch/s.html"
[ ! -e "$scratch/s-figures/lambda.svg" ] || fail "an earlier report's figure stayed"
grep -q "it's \&quot;so\&quot; \`date\`" "$scratch/s.html" || fail "a name with quotes is not written as it is"
grep -q "it's \"\"so\"\" " "$scratch/s-figures/speed.csv" || fail "a table's field is not quoted"

# Runs of one job: by their folders, with as much of the path as tells them apart; others keep their names.
mkdir -p "$scratch/a/seed0" "$scratch/b"
cp -r "$scratch/digits-ce" "$scratch/twin"
cp "$scratch/digits-ce"/{job.ini,metrics.csv,evaluation.json} "$scratch/a/seed0"
cp -r "$scratch/a/seed0" "$scratch/a/seed1"
cp -r "$scratch/a/seed0" "$scratch/b/seed0"
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/digits-elm" "$scratch/digits-ce" "$scratch/twin/" --out "$scratch/t.html"
for name in digits-elm digits-ce twin; do
    grep -q "<th scope=row>$name</th>" "$scratch/t.html" || fail "no run is called $name"
done
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/a/seed0" "$scratch/a/seed1" "$scratch/b/seed0" --out "$scratch/t.html"
for name in a/seed0 a/seed1 b/seed0; do
    grep -q "<th scope=row>$name</th>" "$scratch/t.html" || fail "no run is called $name"
done

echo "mistakes"
expect 2 "$ELMPI_BIN/elmpi-report" "$scratch/digits-ce" --out "$scratch/r.pdf"
says stderr 'ends in .html'
cp "$scratch/r.html" "$scratch/before.html"
expect 2 "$ELMPI_BIN/elmpi-report" "$scratch" --out "$scratch/r.html"
says stderr 'there is no job.ini'
expect 2 "$ELMPI_BIN/elmpi-report" "$scratch/digits-ce" "$scratch/digits-ce/" --out "$scratch/r.html"
says stderr 'two runs that cannot be told apart'
head -c 4000 "$scratch/digits-ce/analysis.h5" >"$scratch/twin/analysis.h5"
expect 1 "$ELMPI_BIN/elmpi-report" "$scratch/twin" --out "$scratch/r.html"
says stderr 'make the file anew'
cp "$scratch/digits.h5" "$scratch/twin/analysis.h5"
expect 1 "$ELMPI_BIN/elmpi-report" "$scratch/twin" --out "$scratch/r.html"
rm "$scratch/twin/analysis.h5"
echo '{"images": 3' >"$scratch/twin/evaluation.json"
expect 1 "$ELMPI_BIN/elmpi-report" "$scratch/twin" --out "$scratch/r.html"
says stderr 'this is no evaluation'
expect 1 "$ELMPI_BIN/elmpi-report" "$scratch/digits-ce" --out "$scratch/absent/r.html"
same "$scratch/before.html" "$scratch/r.html"
[ ! -e "$scratch/r.html.part" ] || fail "a partial page was left behind"

#!/usr/bin/env bash
# The report in a real browser: no error on its console, nothing asked of a network, every figure there and visible, in light and dark.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need "$(command -v chromium || echo chromium)" "chromium"
need "$(command -v gnuplot || echo gnuplot)" "gnuplot"

export OMP_NUM_THREADS=1
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
for method in ce elm; do
    expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-$method.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=3 --run-dir "$scratch/$method"
    expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/$method/checkpoint.h5" --analysis "$scratch/$method/analysis.h5"
done
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/ce" "$scratch/elm" --out "$scratch/report.html"

# A copy with a script at its end that measures the figures and writes what it found into the page.
sed 's#</body>#<script>window.onload=()=>{const all=[...document.querySelectorAll("figure svg")];const seen=all.filter(s=>{const b=s.getBoundingClientRect();return b.width>200\&\&b.height>150\&\&s.querySelectorAll("path").length>2});const ink=getComputedStyle(document.body).color;const text=all.map(s=>getComputedStyle(s.querySelector("text")).fill);document.title="figures "+seen.length+" of "+all.length+" ink "+text.filter(c=>c==ink).length}</script></body>#' \
    "$scratch/report.html" >"$scratch/probe.html"
for scheme in 1 0; do # light, dark
    timeout 1200 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/profile" --blink-settings=preferredColorScheme=$scheme \
        --enable-logging=stderr --host-resolver-rules='MAP * ~NOTFOUND' --dump-dom "file://$scratch/probe.html" >"$scratch/dom" 2>"$scratch/log" ||
        fail "chromium fails: $(tail -3 "$scratch/log")"
    if grep -E 'CONSOLE' "$scratch/log"; then
        fail "the console has something to say"
    fi
    title=$(sed -n 's/.*<title>\([^<]*\)<.*/\1/p' "$scratch/dom" | head -1)
    echo "$title"
    [[ $title =~ ^figures\ ([0-9]+)\ of\ ([0-9]+)\ ink\ ([0-9]+)$ ]] || fail "the probe said nothing"
    if [ "${BASH_REMATCH[1]}" -ne "${BASH_REMATCH[2]}" ] || [ "${BASH_REMATCH[1]}" -lt 12 ] || [ "${BASH_REMATCH[3]}" -ne "${BASH_REMATCH[2]}" ]; then
        fail "not every figure is visible in the page's colors"
    fi
done

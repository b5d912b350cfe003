#!/usr/bin/env bash
# Layouts and the choice among them: every layout trains and resumes bit for bit, auto follows the measured figures, which a cache keeps,
# the resolved job repeats what was chosen, and checkpoints of before layouts were chosen go on.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1 ELMPI_MEASURE=on
limit=300
train=$ELMPI_BIN/elmpi-train
cd "$scratch"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out digits.h5
job=("$ELMPI_SOURCE/jobs/digits-elm.ini" --set data.store=digits.h5 --set optim.epochs=2 --set optim.warmup_epochs=1)

# chosen FOLDER LAYOUT PRECISION: what a run's resolved job names.
chosen() {
    grep -qx "layout = $2" "$1/job.ini" || fail "$1 is not in layout $2: $(grep layout "$1/job.ini")"
    grep -qx "precision = $3" "$1/job.ini" || fail "$1 is not in $3"
}

# same_weights FOLDER FOLDER
same_weights() {
    h5diff -q "$1/checkpoint.h5" "$2/checkpoint.h5" /model || fail "$1 and $2 computed different weights"
}

echo "wrong layouts"
expect 2 "$train" "${job[@]}" --set run.layout=nwhc --run-dir refused
says stderr 'run.layout'
expect_mpi 2 2 "$train" "${job[@]}" --set run.backend=openblas --set run.layout=nhwc --run-dir refused
says stderr '^elmpi-train: error: .*run.layout'
absent refused
expect 0 "$train" "${job[@]}" --set run.backend=openblas --max-steps 2 --run-dir portable
chosen portable nchw fp32
says_not stdout 'measured'

"$train" "${job[@]}" --set run.backend=onednn --set run.layout=blocked --set run.precision=fp32 --max-steps 2 --run-dir blocked \
    >stdout 2>stderr || { says stderr 'no oneDNN' && skip "oneDNN is not built in"; }
chosen blocked blocked fp32

echo "channels last: resumed, on ranks, evaluated"
last=("${job[@]}" --set run.layout=nhwc --set run.precision=fp32 --set run.backend=onednn)
expect_mpi 0 2 "$train" "${last[@]}" --max-steps 9 --run-dir calm
expect_mpi 0 2 "$train" "${last[@]}" --max-steps 4 --run-dir cut
expect_mpi 0 2 "$train" "${last[@]}" --max-steps 9 --run-dir cut --resume
chosen cut nhwc fp32
same_weights calm cut
expect_mpi 2 2 "$train" "${last[@]}" --set run.layout=blocked --max-steps 12 --run-dir cut --resume
says stderr 'run.layout was "nhwc"'
expect 0 "$ELMPI_BIN/elmpi-evaluate" calm/checkpoint.h5 --json one.json
expect_mpi 0 3 "$ELMPI_BIN/elmpi-evaluate" calm/checkpoint.h5 --json three.json
same one.json three.json
expect 0 "$ELMPI_BIN/elmpi-evaluate" calm/checkpoint.h5 --layout blocked --json blocked.json
expect 0 "$ELMPI_BIN/elmpi-evaluate" calm/checkpoint.h5 --backend openblas --json openblas.json
expect 2 "$ELMPI_BIN/elmpi-evaluate" calm/checkpoint.h5 --backend openblas --layout nhwc
says stderr 'run.layout'
ELMPI_CACHE=off expect 0 "$ELMPI_BIN/elmpi-evaluate" calm/checkpoint.h5 --layout auto --json auto.json
says stdout '^Computing with '

echo "auto: measured once, then as kept"
export ELMPI_CACHE=$scratch/cache/below
open=("${job[@]}" --set run.precision=auto --max-steps 3)
expect 0 "$train" "${open[@]}" --run-dir first
says stdout '^Computing with .*measured now, in images/s: .*nhwc'
expect 0 "$train" "${open[@]}" --run-dir second
says stdout '^Computing with .*as measured before'
same_weights first second
[ "$(find "$ELMPI_CACHE" -type f | wc -l)" -eq 1 ] || fail "the cache holds other files"
kept=$(echo "$ELMPI_CACHE"/choice-*.txt)

# figures NAME SECONDS...: the cache says so of these candidates, and 1 s of all others that can compute here.
figures() {
    local line=()
    sed -i -E '/(onednn|openblas) .* inf /! s/^((onednn|openblas) .* )[^ ]+ [01]$/\11 0/' "$kept"
    while [ $# -gt 0 ]; do
        line=("$1" "$2")
        sed -i -E "s/^(${line[0]} )[0-9][^ ]* 0\$/\\1${line[1]} 0/" "$kept"
        shift 2
    done
}

figures "onednn nhwc fp32" 0.5
expect 0 "$train" "${open[@]}" --run-dir quick-last
chosen quick-last nhwc fp32
figures "onednn nhwc fp32" 0.98
expect 0 "$train" "${open[@]}" --run-dir hardly-quicker
chosen hardly-quicker blocked fp32
figures "openblas nchw fp32" 0.5
expect 0 "$train" "${open[@]}" --run-dir no-onednn
chosen no-onednn nchw fp32
grep -qx 'backend = openblas' no-onednn/job.ini || fail "OpenBLAS was not taken"
if ! grep -q 'bf16 inf' "$kept"; then
    figures "onednn nhwc bf16" 0.5
    expect 0 "$train" "${open[@]}" --run-dir half
    chosen half nhwc bf16
    figures "onednn nhwc bf16" 1
    expect 0 "$train" "${open[@]}" --run-dir not-half
    chosen not-half blocked fp32
    # What was chosen stays chosen, and the resolved job repeats it, whatever is quicker now.
    expect 0 "$train" "${open[@]}" --max-steps 6 --run-dir half --resume
    chosen half nhwc bf16
    says_not stdout 'Computing with'
    expect 0 "$train" half/job.ini --max-steps 6 --run-dir again
    chosen again nhwc bf16
    same_weights half again
    # The least able rank decides, also over what the cache says.
    figures "onednn nhwc bf16" 0.1
    expect_ranks 0 "$train" "${open[@]}" --run-dir mixed : env ONEDNN_MAX_CPU_ISA=AVX2 "$train" "${open[@]}" --run-dir mixed
    grep -qx 'precision = fp32' mixed/job.ini || fail "bf16 although one rank lacks it"
fi

echo "a cache that is of no use"
printf 'rubbish\n' >"$kept"
expect 0 "$train" "${open[@]}" --run-dir rubbish
says stdout 'cache of speed measurements is not used: .*damaged'
says stdout 'measured now'
expect 0 "$train" "${open[@]}" --run-dir mended
says stdout 'as measured before'
same_weights rubbish mended
: >file
ELMPI_CACHE=$scratch/file/below expect 0 "$train" "${open[@]}" --run-dir nowhere
says stdout 'cache of speed measurements is not used: .*cannot be'
ELMPI_CACHE=off expect 0 "$train" "${open[@]}" --run-dir off
says stdout 'measured now'
says_not stdout 'cache'
ELMPI_CACHE='' XDG_CACHE_HOME=$scratch/xdg expect 0 "$train" "${open[@]}" --run-dir xdg
compgen -G "$scratch/xdg/elmpi/choice-*.txt" >/dev/null || fail "XDG_CACHE_HOME is not followed"
ELMPI_MEASURE=off expect 0 "$train" "${open[@]}" --run-dir unmeasured
says_not stdout 'measured'
chosen unmeasured blocked fp32

echo "checkpoints of before layouts were chosen"
# forget FOLDER: its checkpoints' job names no layout any more.
forget() {
    /usr/bin/python3 - "$(readlink -f "$1/checkpoint.h5")" <<'END'
import hashlib, sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
key = b"\nlayout = "
assert data.count(key) == 1
place = data.index(key) + 1
data[place:place + 1] = b";"
head = bytes(data[:512])
old = hashlib.sha256(open(path, "rb").read()[512:])
new = hashlib.sha256(bytes(data[512:]))
for form in ("digest", "hexdigest"):
    a, b = getattr(old, form)(), getattr(new, form)()
    a, b = (a.encode(), b.encode()) if form == "hexdigest" else (a, b)
    if a in head:
        data[:512] = head.replace(a, b)
        open(path, "wb").write(data)
        sys.exit(0)
sys.exit("no digest in the head")
END
}
for layout in blocked nhwc; do
    expect 0 "$train" "${job[@]}" --set run.precision=fp32 --set run.layout=$layout --max-steps 4 --run-dir "old-$layout"
    forget "old-$layout"
done
before=$(sed -n 's/^layout = //p' unmeasured/job.ini) # what oneDNN asks for on CPUs without AMX
expect 0 "$train" "${job[@]}" --set run.precision=fp32 --max-steps 8 --run-dir old-blocked --resume
chosen old-blocked "$before" fp32
expect 0 "$train" "${job[@]}" --set run.precision=fp32 --set run.layout=blocked --max-steps 8 --run-dir new-blocked
same_weights old-blocked new-blocked
expect 2 "$train" "${job[@]}" --set run.precision=fp32 --set run.layout=nhwc --max-steps 8 --run-dir old-nhwc --resume
says stderr 'run.layout was "blocked"'
expect 0 "$ELMPI_BIN/elmpi-evaluate" old-blocked/checkpoint.h5

echo "the bench"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-bench" --model cifar-resnet8 --batch 8 --steps 1 --layout nhwc --json
tail -n 1 stdout | grep -Eq '"cpu": "[^"]+", "isa": "[^"]+", "layout": "nhwc", "library": "oneDNN [0-9.]+", "implementation": "[^"]+"' || fail "no machine in the JSON line"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-bench" --model cifar-resnet8 --batch 8 --steps 1 --precision auto --json
says stdout '^Computing with .*images/s'
expect 2 "$ELMPI_BIN/elmpi-bench" --model cifar-resnet8 --layout 16
says stderr 'layout'

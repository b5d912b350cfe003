#!/usr/bin/env bash
# elmpi-bench: what it prints, and its trace. tests/full/test_speed.sh judges speeds.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

bench=$ELMPI_BIN/elmpi-bench
cd "$scratch"
need /usr/bin/python3 "Python, which reads the JSON"

# number FILE EXPRESSION: of `j`, the JSON in the file's last line.
number() {
    /usr/bin/python3 -c 'import json, sys; j = json.loads(open(sys.argv[1]).read().splitlines()[-1]); print(eval(sys.argv[2]))' "$1" "$2"
}

# holds FILE CONDITION
holds() {
    [ "$(number "$1" "$2")" = True ] || fail "not so: $2: $(tail -n 1 "$1")"
}

echo "wrong command lines"
expect 2 "$bench" --model nothing
expect 2 "$bench" --set loss.embed=none-such
expect 1 "$bench" --model cifar-resnet8 --batch 8 --steps 1 --timeline "$scratch/no/such/folder/trace.json"
says stderr 'cannot write .*no/such/folder'
expect 0 "$bench" --model mlp:16,2 --batch 8 --steps 1 --json
holds "$scratch/stdout" 'j["isa"] in ("baseline", "avx2", "avx512", "avx512-bf16") and j["cpu"] and "OpenBLAS" in j["libraries"]'

echo "figures and trace"
export OMP_NUM_THREADS=1
expect_mpi 0 2 "$bench" --model cifar-resnet8 --batch 32 --steps 4 --set loss.embed=pull --timeline trace.json --json
says stdout '^ +conv +weights '
holds "$scratch/stdout" 'j["ranks"] == 2 and 0 < j["peak_share"] and j["layers"]["conv data"] > 0 and j["layers"]["allreduce bucket"] > 0'
/usr/bin/python3 - <<'PYTHON' || fail "the trace is not what viewers read"
import json
events = json.load(open("trace.json"))
spans = [e for e in events if e["ph"] == "X"]
assert {e["pid"] for e in spans} == {0, 1} and {e["tid"] for e in spans} == {0, 1}
assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in spans)
assert sum(e["name"] == "forward" and e["pid"] == 0 for e in spans) == 3, "not the last three steps"
for name in "conv forward", "conv weights", "conv data", "norm forward", "norm backward", "loss", "update", "allreduce bucket":
    assert any(e["name"] == name for e in spans), name
PYTHON

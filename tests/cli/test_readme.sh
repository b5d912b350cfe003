#!/usr/bin/env bash
# Every block of commands that README.md marks as runnable (<!-- runnable --> before it) runs as it stands there, one after another in one folder,
# with the programs on PATH and a folder my-images of two classes. A block with a wrong command fails.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need /usr/bin/python3 "Debian's python3"
if sanitized; then
    skip "the commands train longer than a sanitizer's build should"
fi

# What a reader has: a clone with its programs on PATH. mpirun is the one that belongs to the build, with the flags for fewer cores than ranks.
tree=$scratch/tree
mkdir -p "$tree" "$scratch/bin"
ln -s "$ELMPI_SOURCE"/{jobs,tools,slurm,docs} "$tree"
printf '#!/bin/sh\nexec %s "$@"\n' "$(printf '%q ' "$(command -v "${mpirun[0]}")" "${mpirun[@]:1}")" >"$scratch/bin/mpirun"
chmod +x "$scratch/bin/mpirun"
export PATH=$scratch/bin:$ELMPI_BIN:$PATH OMP_NUM_THREADS=1
/usr/bin/python3 "$ELMPI_SOURCE/tests/cli/random_images.py" "$scratch/images.tar" 1 16
mkdir "$tree/my-images"
tar -xf "$scratch/images.tar" -C "$tree/my-images"

# blocks PAGE: writes $scratch/block-<n> for each and prints their number.
blocks() {
    rm -f "$scratch"/block-*
    awk -v out="$scratch/block-" '
        /^<!-- runnable -->$/ { marked = NR; next }
        /^```/ && inside { inside = 0; close(out count); next }
        /^```/ && marked == NR - 1 { inside = 1; count++; next }
        inside { print > (out count) }
        END { print count + 0 }' "$1"
}

# run_block N: bash stops at the first command that fails.
run_block() {
    (cd "$tree" && timeout --kill-after=10 "$limit" bash -euo pipefail "$scratch/block-$1") >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
}

page=$ELMPI_SOURCE/README.md
count=$(blocks "$page")
[ "$count" -eq "$(grep -c '^<!-- runnable -->$' "$page")" ] || fail "a mark in README.md has no block of commands behind it"
[ "$count" -ge 2 ] || fail "README.md marks only $count blocks as runnable"
for number in $(seq "$count"); do
    run_block "$number" || fail "README.md, runnable block $number: a command fails: $(cat "$scratch/block-$number")"
done
[ -s "$tree/runs/mine.html" ] || fail "the commands for one's own images have left no report"
grep -q '"balanced_accuracy"' "$tree"/runs/mine/evaluation*.json || fail "the commands for one's own images have left no evaluation"

# A wrong command is found, also where others follow it.
sed 's/^elmpi-evaluate /&--no-such-flag /' "$page" >"$scratch/wrong.md"
blocks "$scratch/wrong.md" >/dev/null
rm -rf "$tree"/{data,runs,mine.ini}
if run_block 1; then
    fail "a wrong command in a runnable block passes"
fi
says stderr 'no-such-flag'
echo "README.md: $count blocks of commands run"

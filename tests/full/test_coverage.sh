#!/usr/bin/env bash
# An index with iNaturalist 2018's real class counts: what a rank's start costs, and how often the pull term finds a partner.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

counts=$ELMPI_SOURCE/../shared/data/lists/inat18/train_class_counts.txt
need "$counts" "iNaturalist 2018's class counts"
need "$ELMPI_BIN/../tests/write_index" "tests/write_index"

expect 0 "$ELMPI_BIN/../tests/write_index" "$counts" "$scratch/inat2018.h5"
expect 0 "$ELMPI_BIN/elmpi-bench" --coverage "$scratch/inat2018.h5" --batch 1024 --model resnet50
cat "$scratch/stdout"
says stdout "437513 training images of 8142 classes"

# Scope global does not depend on the ranks; scope rank is the same on one rank and falls with their number; slices are less than everything.
awk '$2 == "|" && $1 ~ /^[0-9]+$/ {
         if (rows++ == 0) { all = $3; if ($8 != $3) exit bad = 1 }
         else if ($3 != all || $8 >= last || $13 <= 0 || $13 >= $14) exit bad = 1
         last = $8
     }
     END { exit bad || rows != 6 }' "$scratch/stdout" || fail "the table does not add up"
awk '/index read in/ { exit !($10 < 2 && $(NF - 1) < 64) }' "$scratch/stdout" || fail "a start within 2 s and 64 MiB expected"

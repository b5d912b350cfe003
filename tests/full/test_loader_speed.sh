#!/usr/bin/env bash
# Decoding and augmentation on one core, elmpi's loader against torchvision, on the same images: at least 1.5 times as many a second of
# processor time.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

archive=$ELMPI_SOURCE/../shared/data/caltech101-lt.tar
need "$archive" "the Caltech-101 archive"
need "$ELMPI_BIN/../tests/loader_speed" "tests/loader_speed"
/usr/bin/python3 -c 'import torchvision' 2>/dev/null || skip "python3-torchvision is not installed"

expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive "$archive" --out "$scratch/caltech.h5"
tar -C "$scratch" -xf "$archive"
folder=$scratch/caltech101-lt/images

# rate COMMAND...: its last line's number.
rate() {
    expect 0 "$@"
    sed -n 's/^images_per_cpu_second //p' "$scratch/stdout"
}

for crop in 224 128; do
    ours=0 theirs=0
    for _ in 1 2 3; do # the two take turns, so that both meet whatever else the machine does; the best of each counts
        ours=$(printf '%s\n' "$ours" "$(rate "$ELMPI_BIN/../tests/loader_speed" "$scratch/caltech.h5" 3000 "$crop")" | sort -g | tail -n 1)
        theirs=$(printf '%s\n' "$theirs" "$(rate /usr/bin/python3 "$ELMPI_SOURCE/tests/full/torchvision_speed.py" "$folder" 1500 "$crop")" | sort -g | tail -n 1)
    done
    ratio=$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')
    echo "crop $crop: $ours images a second of processor time, torchvision $theirs: $ratio times"
    awk -v ratio="$ratio" 'BEGIN { exit !(ratio >= 1.5) }' || fail "crop $crop: $ratio times torchvision, 1.5 expected"
done

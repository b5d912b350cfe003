#!/bin/bash
# Makes optdigits.tar.gz again, byte for byte, from the copy in Debian's python3-sklearn.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=${1:-/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/optdigits"
gzip -dc "$source" >"$work/optdigits/digits.csv"
cp "$here/CITATION.txt" "$work/optdigits/"
chmod 644 "$work"/optdigits/*
chmod 755 "$work/optdigits"
tar -C "$work" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - optdigits | gzip -9n >"$here/optdigits.tar.gz"

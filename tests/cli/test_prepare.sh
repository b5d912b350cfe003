#!/usr/bin/env bash
# elmpi-prepare as a user meets it: help, exit codes, messages; archives that are missing, cut off, damaged or of something else; a full disk.
# After each failure nothing new stands in the store's folder.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

prepare=$ELMPI_BIN/elmpi-prepare
digits=$ELMPI_SOURCE/src/prepare/sets/digits/optdigits.tar.gz
stores=$scratch/stores
mkdir "$stores"

# unchanged COUNT: the folder holds so many files, none of them half written.
unchanged() {
    [ "$(find "$stores" -type f | wc -l)" -eq "$1" ] || fail "something was left in the folder: $(find "$stores" -type f)"
    [ -z "$(find "$stores" -name '*.part')" ] || fail "a .part file was left"
}

# zeros BYTES FILE: a file of zero bytes.
zeros() {
    mkdir -p "$(dirname "$2")"
    head -c "$1" /dev/zero >"$2"
}

echo "help and version"
expect 0 "$prepare" --help
for word in cifar10 cifar100 digits two-moons --archive --out --imbalance --seed --images --force; do
    says stdout "$word"
done
expect 0 "$prepare" --version
says stdout '^elmpi-prepare [0-9]+\.[0-9]+'

echo "wrong command lines"
expect 2 "$prepare"
says stderr 'elmpi-prepare: error: the source is missing'
expect 2 "$prepare" digits
says stderr '[-]-out'
expect 2 "$prepare" digits --otu x.h5
says stderr 'unknown flag --otu .*did you mean --out'
expect 2 "$prepare" digits --out
says stderr 'missing value \(--out\)'
expect 2 "$prepare" digits moons --out x.h5
says stderr 'one argument too many'
expect 2 "$prepare" digitz --out "$stores/x.h5"
says stderr 'did you mean digits'
expect 2 "$prepare" digits --imbalance many --out "$stores/x.h5"
says stderr 'bad value "many" \(--imbalance\)'
expect 2 "$prepare" digits --imbalance 0.5 --out "$stores/x.h5"
expect 2 "$prepare" digits --force=yes --out "$stores/x.h5"
expect 2 "$prepare" two-moons --images 1 --out "$stores/x.h5"
expect 2 "$prepare" cifar100 --out "$stores/x.h5"
says stderr 'cifar-100-binary.tar.gz'
expect 2 "$prepare" cifar100 --archive x --imbalance 100 --out "$stores/x.h5"
says stderr 'data.imbalance'
unchanged 0

echo "the data sets elmpi brings along"
expect 0 "$prepare" digits --out "$stores/deep/down/digits.h5"
says stdout 'train +417 images; by class: 124 88 63'
says stdout 'test +500 images'
says_not stdout '%'
expect 0 "$prepare" digits --out="$stores/again.h5" --archive "$digits"
same "$stores/again.h5" "$stores/deep/down/digits.h5"
expect 0 "$prepare" two-moons --out "$stores/moons.h5"
says stdout 'train +2000 images; by class: 1900 100'
unchanged 3

echo "an existing store"
cp "$stores/moons.h5" "$scratch/before.h5"
expect 1 "$prepare" two-moons --seed 7 --out "$stores/moons.h5"
says stderr 'exists already \(.*moons.h5\): --force'
same "$stores/moons.h5" "$scratch/before.h5"
expect 0 "$prepare" two-moons --seed 7 --force --out "$stores/moons.h5"
if cmp -s "$stores/moons.h5" "$scratch/before.h5"; then
    fail "--force --seed 7 gave the old store"
fi
cp "$stores/moons.h5" "$scratch/before.h5"
expect 1 "$prepare" digits --force --archive /nowhere/digits.tar --out "$stores/moons.h5"
same "$stores/moons.h5" "$scratch/before.h5"

echo "bad archives"
expect 1 "$prepare" cifar100 --archive "$scratch/nowhere.tar.gz" --out "$stores/x.h5"
says stderr 'nowhere.tar.gz\): No such file'
expect 1 "$prepare" cifar100 --archive "$scratch" --out "$stores/x.h5"
says stderr 'a folder instead of an archive'
: >"$scratch/empty.tar.gz"
expect 1 "$prepare" cifar100 --archive "$scratch/empty.tar.gz" --out "$stores/x.h5"
echo "a page that says 404 and not what was asked for" >"$scratch/page.html"
expect 1 "$prepare" cifar100 --archive "$scratch/page.html" --out "$stores/x.h5"
says stderr 'cannot read the archive .*page.html'
expect 1 "$prepare" cifar100 --archive "$digits" --out "$stores/x.h5"
says stderr 'lacks train.bin .*optdigits.tar.gz\): give cifar-100-binary.tar.gz'
expect 1 "$prepare" cifar10 --archive "$digits" --out "$stores/x.h5"
says stderr 'lacks data_batch_1.bin'
size=$(stat -c %s "$digits")
for cut in 1 10 1000 $((size / 2)) $((size - 1)); do
    head -c "$cut" "$digits" >"$scratch/cut.tar.gz"
    expect 1 "$prepare" digits --archive "$scratch/cut.tar.gz" --out "$stores/x.h5"
    says stderr 'cut.tar.gz'
done
for at in 100 5000 $((size / 2)) $((size - 8)); do
    cp "$digits" "$scratch/damaged.tar.gz"
    printf '\x5a\xa5\x5a\xa5' | dd of="$scratch/damaged.tar.gz" bs=1 seek="$at" conv=notrunc status=none
    expect 1 "$prepare" digits --archive "$scratch/damaged.tar.gz" --out "$stores/x.h5"
    says stderr 'damaged.tar.gz'
done
unchanged 3

echo "archives with the right names and the wrong content"
zeros 153699999 "$scratch/short/train.bin"
zeros 30740000 "$scratch/short/test.bin"
seq 100 >"$scratch/short/fine_label_names.txt"
tar -C "$scratch" -cf "$scratch/short.tar" short
expect 1 "$prepare" cifar100 --archive "$scratch/short.tar" --out "$stores/x.h5"
says stderr 'wrong size .*train.bin\): 153699999 bytes instead of 153700000'
zeros 153700000 "$scratch/short/train.bin"
tar -C "$scratch" -czf "$scratch/blank.tar.gz" short
expect 1 "$prepare" cifar100 --archive "$scratch/blank.tar.gz" --out "$stores/x.h5"
says stderr 'wrong class counts .*class 0 has 50000 training and 10000 test images instead of 500 and 100'
seq 99 >"$scratch/short/fine_label_names.txt"
tar -C "$scratch" -czf "$scratch/blank.tar.gz" short
expect 1 "$prepare" cifar100 --archive "$scratch/blank.tar.gz" --out "$stores/x.h5"
says stderr '99 instead of 100'
rm -r "$scratch/short" "$scratch/short.tar" "$scratch/blank.tar.gz"
unchanged 3

echo "places where no store can be"
touch "$scratch/file"
expect 1 "$prepare" digits --out "$scratch/file/digits.h5"
says stderr "$scratch/file"
expect 1 "$prepare" digits --force --out "$stores"
says stderr 'that is a folder'
if [ "$(id -u)" -ne 0 ]; then
    mkdir -m 555 "$scratch/locked"
    expect 1 "$prepare" digits --out "$scratch/locked/digits.h5"
    says stderr 'Permission denied'
fi

# On a disk of SIZE: fails in words, leaves the disk empty.
full_disk() {
    local disk=$scratch/disk
    mkdir -p "$disk"
    mount -t tmpfs -o "size=$1" tmpfs "$disk" 2>/dev/null || return 0
    trap 'umount "$scratch/disk"; rm -rf "$scratch"' EXIT
    shift
    expect 1 "$prepare" "$@" --out "$disk/store.h5"
    says stderr 'No space left on device'
    says_not stderr 'HDF5|infinite'
    absent "$disk/store.h5" "$disk/store.h5.part"
    umount "$disk"
    trap 'rm -rf "$scratch"' EXIT
    echo "  $*: refused"
}

echo "a full disk"
[ "$(id -u)" -eq 0 ] || echo "  skipped: only root can make a small disk"
if [ "$(id -u)" -eq 0 ]; then
    full_disk 64k digits
    full_disk 1100k digits
    full_disk 3m two-moons --images 1000000
fi

cifar=$ELMPI_SOURCE/../shared/data/cifar-100-rho10.tar.xz
if [ -r "$cifar" ]; then
    echo "CIFAR-100"
    expect 0 "$prepare" cifar100 --archive "$cifar" --out "$stores/cifar100.h5"
    says stdout 'train +50000 images; by class: 500 500 500 500 500 \.\.\. 500 500 500 500 500'
    says stdout 'test +10000 images; by class: 100'
    unchanged 4
    head -c 5000000 "$cifar" >"$scratch/cut.tar.xz"
    expect 1 "$prepare" cifar100 --archive "$scratch/cut.tar.xz" --out "$stores/x.h5"
    says stderr 'truncated or corrupt archive .*cut.tar.xz, at entry cifar-100-binary/'
    if [ "$(id -u)" -eq 0 ]; then
        full_disk 20m cifar100 --archive "$cifar"
    fi
    unchanged 4
    if command -v h5ls >/dev/null; then
        expect 0 h5ls -r "$stores/cifar100.h5"
        says stdout '/train/images +Dataset \{50000/Inf, 32, 32, 3\}'
    fi
else
    echo "  skipped: ../shared/data/cifar-100-rho10.tar.xz is not there"
fi
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    echo "h5py"
    cat >"$scratch/look.py" <<'END'
import sys, h5py
with h5py.File(sys.argv[1]) as store:
    assert store.attrs["format"] in (b"elmpi-store", "elmpi-store"), store.attrs["format"]
    assert store["train/images"].shape == (417, 8, 8, 1) and store["train/images"].dtype == "uint8"
    assert store["test/labels"].shape == (500,) and store["test/labels"].dtype == "int32"
    assert list(store["classes/train_count"]) == [list(store["train/labels"][:]).count(c) for c in range(10)]
    assert [name.decode() for name in store["classes/name"]] == [str(c) for c in range(10)]
    assert store.attrs["mean"].shape == (1,) and store.attrs["std"][0] > 0
END
    expect 0 /usr/bin/python3 "$scratch/look.py" "$stores/deep/down/digits.h5"
fi
echo "elmpi-prepare: all as it should be"

#!/usr/bin/env bash
# Images from an archive to a trained and evaluated network, as a user meets them: messages, reports, shards that move, images that break.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

prepare=$ELMPI_BIN/elmpi-prepare
archive=$ELMPI_SOURCE/../shared/data/caltech101-lt.tar
stores=$scratch/stores
mkdir "$stores"

echo "wrong command lines"
expect 2 "$prepare" pictures --out "$stores/x.h5"
says stderr 'no archive \(--archive\)'
expect 2 "$prepare" imagenet-lt --archive x.tar --out "$stores/x.h5"
says stderr 'ImageNet_LT_train.txt'
expect 2 "$prepare" inat2018 --archive x.tar --out "$stores/x.h5"
says stderr 'train2018.json'
expect 2 "$prepare" pictures --archive x.tar --class-names names.txt --out "$stores/x.h5"
says stderr '--class-names'
expect 2 "$prepare" digits --strict --out "$stores/x.h5"
says stderr 'digits does not use this option \(--strict\)'
expect 1 "$prepare" pictures --archive "$scratch/nowhere.tar" --out "$stores/x.h5"
says stderr 'nowhere.tar'
expect 1 "$prepare" pictures --archive "$stores" --out "$stores/x.h5"
says stderr 'no image found'
absent "$stores"/*

need "$archive" "the Caltech-101 archive"

# Four classes, the first half of each for training.
list() {
    awk -v part="$1" '{ class = $1; sub(/\/.*/, "", class) } class ~ /^(airplanes|Motorbikes|ketch|yin_yang)$/ {
        if (!(class in label)) label[class] = labels++
        n[class]++
        if (n[class] <= 24 && (n[class] % 3 == 0) == (part == "test")) print $1, label[class] }' "$scratch/caltech101-lt/train.txt"
}
tar -C "$scratch" -xf "$archive" caltech101-lt/train.txt
list train >"$scratch/train.txt"
list test >"$scratch/test.txt"
count=$(wc -l <"$scratch/train.txt")
lists=(--train-list "$scratch/train.txt" --test-list "$scratch/test.txt")

echo "the original tar, where it is"
expect 0 "$prepare" pictures --archive "$archive" "${lists[@]}" --strict --out "$stores/place.h5"
says stdout "train +$count images; by class: "
says stdout 'images in 1 shard'
[ "$(find "$stores" -type f | wc -l)" -eq 1 ] || fail "more than the store was made: $(ls "$stores")"

echo "a list that names what is not there"
echo "airplanes/image_9999.jpg 0" | cat "$scratch/train.txt" - >"$scratch/more.txt"
expect 1 "$prepare" pictures --archive "$archive" --train-list "$scratch/more.txt" --strict --out "$stores/more.h5"
says stderr '--strict'
absent "$stores/more.h5"
expect 0 "$prepare" pictures --archive "$archive" --train-list "$scratch/more.txt" --out "$stores/more.h5"
says stderr 'warning: 1 image listed but in no archive, left out \(see .*more-report.txt\)'
grep -qx 'missing: airplanes/image_9999.jpg: train' "$stores/more-report.txt" || fail "the report does not say it"

echo "copied into shards"
expect 0 "$prepare" pictures --archive "$archive" "${lists[@]}" --copy --shard-mib 1 --decode --out "$stores/copy.h5"
mkdir "$scratch/node"
mv "$stores"/copy-*.tar "$scratch/node"

echo "damaged images, told by decoding"
tar -C "$scratch" -xf "$archive" caltech101-lt/images/airplanes caltech101-lt/images/ketch
mkdir -p "$scratch/damage/a"
cp "$scratch"/caltech101-lt/images/airplanes/*.jpg "$scratch/damage/a"
damaged=$(find "$scratch/damage/a" -name '*.jpg' | sort | head -n 1)
size=$(stat -c %s "$damaged")
dd if=/dev/zero of="$damaged" bs=1 seek=$((size / 3)) count=$((size / 3)) conv=notrunc status=none
expect 0 "$prepare" pictures --archive "$scratch/damage" --decode --out "$stores/damage.h5"
grep -q "$(basename "$damaged").*damaged" "$stores/damage-report.txt" || fail "the damaged image is not reported"

echo "two archives of one name cannot lie in one folder of shards"
mkdir "$scratch/one" "$scratch/other" "$scratch/both"
tar -C "$scratch/caltech101-lt/images" -cf "$scratch/one/x.tar" airplanes
tar -C "$scratch/caltech101-lt/images" -cf "$scratch/other/x.tar" ketch
expect 0 "$prepare" pictures --archive "$scratch/one/x.tar" --archive "$scratch/other/x.tar" --out "$stores/twice.h5"

echo "resized while they are copied"
resize=(pictures --archive "$archive" --train-list "$scratch/caltech101-lt/train.txt" --resize 160 --shard-mib 1)
mkdir "$stores/whole" "$stores/cut"
expect 0 "$prepare" "${resize[@]}" --threads 1 --out "$stores/whole/small.h5"
says stdout 'images in [0-9]+ shard'
"$prepare" "${resize[@]}" --threads 2 --out "$stores/cut/small.h5" >/dev/null 2>&1 &
killed=$! # to be stopped when the first shard is whole and in the journal
until compgen -G "$stores/cut/small-*-00001.tar" >/dev/null || ! kill -0 "$killed" 2>/dev/null; do
    sleep 0.01
done
kill -KILL "$killed" 2>/dev/null || true
wait "$killed" || true
[ -e "$stores/cut/small.h5.journal" ] || fail "it was not interrupted in the middle"
absent "$stores/cut/small.h5"
expect 0 "$prepare" "${resize[@]}" --threads 2 --out "$stores/cut/small.h5"
says stdout 'continuing an interrupted preparation'
diff -r "$stores/whole" "$stores/cut" || fail "an interrupted and continued preparation gives other files"
# numbers SIDE STORE: that side of all training images, as the index says.
numbers() {
    h5dump -y -w 0 -d "/train/$1" "$2" | sed -n '/^ *DATA {/,/}/p' | grep -oE '[0-9]+'
}
paste -d ' ' <(numbers width "$stores/whole/small.h5") <(numbers height "$stores/whole/small.h5") >"$scratch/sides"
[ "$(wc -l <"$scratch/sides")" -eq "$(wc -l <"$scratch/caltech101-lt/train.txt")" ] || fail "not every image is in the index"
awk '{ short = $1 < $2 ? $1 : $2; if (short > 160) exit bad = 1; made += short == 160 } END { exit bad || made < NR / 2 }' "$scratch/sides" ||
    fail "short sides of at most 160 pixels expected, most of them just that"
expect 0 "$prepare" pictures --archive "$(find "$stores/whole" -name 'small-*-00000.tar')" --train-list "$scratch/caltech101-lt/train.txt" --decode --out "$stores/again.h5"
says_not stderr 'unreadable' # what was written decodes, and is as large as the index says
expect 2 "$prepare" pictures --archive "$archive" --quality 80 --out "$stores/x.h5"
says stderr '--resize'
expect 2 "$prepare" digits --resize 96 --out "$stores/x.h5"
says stderr 'digits does not use this option \(--resize\)'

echo "one preparation at a time"
expect 1 flock "$stores/busy.h5.journal" "$prepare" pictures --archive "$scratch/one/x.tar" --out "$stores/busy.h5"
says stderr 'another elmpi-prepare is at work'
absent "$stores/busy.h5"

printf '[run]\nname = images\nthreads = 1\n[data]\nstore = %s\ncrop = 32\n[model]\nname = resnet18\n[loss]\nlogit = logadj\n[optim]\nepochs = 1\nbatch = 16\nlr = 0.01\n' \
    "$stores/place.h5" >"$scratch/job.ini"

echo "training and evaluation"
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/none"
says stderr "a shard lies outside of $stores, .*data.shards=$(dirname "$(realpath "$archive")") .* or data.outside=allow"
sed -i 's/^crop = 32$/crop = 32\noutside = allow/' "$scratch/job.ini"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/place" --set data.verify=none # nor does its evaluation below
says_not stderr 'unreadable'
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/none" --set "data.store=$stores/copy.h5"
says stderr 'data.shards'
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/copy" --set "data.store=$stores/copy.h5" --set "data.shards=$scratch/node"
expect 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/none" --set data.augment=crop-flip
says stderr 'data.augment'
cp "$scratch/one/x.tar" "$scratch/both/x.tar"
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/none" --set "data.store=$stores/twice.h5" --set "data.shards=$scratch/both"
says stderr 'two shards of the store have one name'
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/place/checkpoint.h5" --json "$scratch/first.json"
expect_mpi 0 3 "$ELMPI_BIN/elmpi-evaluate" "$scratch/place/checkpoint.h5" --data "$stores/copy.h5" --shards "$scratch/node" --json "$scratch/second.json"
same "$scratch/first.json" "$scratch/second.json"

echo "shards copied to the node"
stage=(--set "data.stage=$scratch/local/disk")
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/staged" "${stage[@]}"
says stdout "Shards copied to $scratch/local/disk"
same "$scratch/local/disk/$(basename "$archive")" "$archive"
[ "$(find "$scratch/local/disk" -type f | wc -l)" -eq 1 ] || fail "more than the shard was left: $(ls "$scratch/local/disk")"
h5diff -q "$scratch/place/checkpoint.h5" "$scratch/staged/checkpoint.h5" /model || fail "staged shards train other weights"
made=$(stat -c %Y.%i "$scratch/local/disk"/*.tar)
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/staged2" "${stage[@]}" --max-steps 1
says_not stdout 'Shards copied'
[ "$made" = "$(stat -c %Y.%i "$scratch/local/disk"/*.tar)" ] || fail "a shard that was there was copied again"
printf 'x' | dd of="$scratch/local/disk/$(basename "$archive")" bs=1 seek=7 conv=notrunc status=none # another file of the same length
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/staged3" "${stage[@]}" --max-steps 1
same "$scratch/local/disk/$(basename "$archive")" "$archive"
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/none" --set data.stage=/proc/elmpi
says stderr 'data.stage'
absent "$scratch/none/checkpoint.h5"
mkdir "$scratch/small"
if mount -t tmpfs -o size=1m tmpfs "$scratch/small" 2>/dev/null; then
    trap 'umount "$scratch/small"; rm -rf "$scratch"' EXIT
    expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/none" --set "data.stage=$scratch/small"
    says stderr 'no room for the shards'
    [ -z "$(ls "$scratch/small")" ] || fail "something was left on the full disk"
    umount "$scratch/small"
    trap 'rm -rf "$scratch"' EXIT
else
    echo "not tried: a disk that is too small (no right to mount one)"
fi

# spoil SPLIT ROW: wipes the second half of an image in the shards that have moved.
spoil() {
    local shard offset length
    read -r shard offset length < <(/usr/bin/python3 -c '
import sys, h5py
with h5py.File(sys.argv[1]) as store:
    split = store[sys.argv[2]]
    row = int(sys.argv[3])
    print(store["shards/path"][split["shard"][row]].decode(), split["offset"][row], split["length"][row])' "$stores/copy.h5" "$1" "$2")
    dd if=/dev/zero of="$scratch/node/$shard" bs=1 seek=$((offset + length / 2)) count=$((length - length / 2)) conv=notrunc status=none
}

/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip "python3-h5py is not installed: the rest"
echo "images that break"
copy=(--set "data.store=$stores/copy.h5" --set "data.shards=$scratch/node")
cp -r "$scratch/node" "$scratch/whole"
spoil train 0
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/changed" "${copy[@]}" --set data.unreadable=0.05
says stderr 'an image is not the one that the store was made with \('
rm -r "$scratch/node"
mv "$scratch/whole" "$scratch/node"
spoil train 3
copy+=(--set data.verify=none)
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/one" "${copy[@]}" --set data.unreadable=0.05
says stderr "unreadable image: airplanes/image_0005.jpg \(.*copy-.*tar, byte [0-9]+\): truncated: the next one"
expect_mpi 1 2 "$ELMPI_BIN/elmpi-train" "$scratch/job.ini" --run-dir "$scratch/two" "${copy[@]}" --set data.unreadable=0
says stderr "1 of $count images cannot be read"
# A class bank that is made anew on resuming is as patient with them as training is.
banked=("$scratch/job.ini" --run-dir "$scratch/banked" "${copy[@]}" --set data.unreadable=0.05 --set loss.embed=pull --set loss.lambda=0.01
    --set loss.scope=bank --set checkpoint.bank=false)
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${banked[@]}" --max-steps 2
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${banked[@]}" --resume
says stdout "making it anew by a pass over the training set"
spoil test 2
expect_mpi 0 2 "$ELMPI_BIN/elmpi-evaluate" "$scratch/place/checkpoint.h5" --data "$stores/copy.h5" --shards "$scratch/node" --json "$scratch/wrong.json"
says stderr 'unreadable image: airplanes/.*counted as wrong'

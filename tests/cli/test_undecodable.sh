#!/usr/bin/env bash
# Images whose header and end are sound but whose data are not: preparation decodes and leaves them out; with --no-decode evaluation goes by its rule
# (wrong, or omit), whatever the classifier and the number of ranks, and says so; training tells what to change, and --resume then goes on.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
prepare=$ELMPI_BIN/elmpi-prepare
train=$ELMPI_BIN/elmpi-train
evaluate=$ELMPI_BIN/elmpi-evaluate
# Three classes of 8 training and 4 test images; one of each split is damaged within.
/usr/bin/python3 - "$scratch/images" <<'END'
import os, random, struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(path, color, broken):
    draw = random.Random(path)
    rows = b"".join(b"\0" + bytes(min(255, max(0, c + draw.randrange(-40, 40))) for _ in range(40) for c in color) for _ in range(40))
    data = zlib.compress(rows)
    if broken:
        data = data[:200] + bytes(300) + data[500:]
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 8, 2, 0, 0, 0)) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
for split, count in (("train", 8), ("test", 4)):
    for c, color in enumerate(((200, 60, 60), (60, 200, 60), (60, 60, 200))):
        folder = "%s/%s/c%d" % (sys.argv[1], split, c)
        os.makedirs(folder)
        for i in range(count):
            png("%s/%d.png" % (folder, i), color, c == 1 and i == 2)
END
cat >"$scratch/job.ini" <<END
[run]
name = l
precision = fp32
evaluate_every_epochs = 1
[data]
store = $scratch/s.h5
crop = 32
unreadable = 0.05
[model]
name = cifar-resnet8
[optim]
epochs = 2
batch = 6
lr = 0.01
warmup_epochs = 0
schedule = constant
END

# --- the default: both are found, whatever the number of threads, and the store is the same
for threads in 1 3; do
    expect 0 "$prepare" pictures --archive "$scratch/images" --copy --threads "$threads" --out "$scratch/t$threads/s.h5"
    says stderr 'warning: 2 .*unreadable'
    says stdout '36 images read and decoded in .* a second with'
    [ "$(grep -c 'c1/2.png' "$scratch/t$threads/s-report.txt")" -eq 2 ] || fail "the report does not name both: $(cat "$scratch/t$threads/s-report.txt")"
done
diff -r "$scratch/t1" "$scratch/t3" || fail "the number of threads changes the store"
expect 1 "$prepare" pictures --archive "$scratch/images" --strict --out "$scratch/strict.h5"
absent "$scratch/strict.h5"
expect 0 "$prepare" pictures --archive "$scratch/images" --resize 64 --out "$scratch/small/s.h5" # smaller than that: as they are, and decoded
says stderr 'warning: 2 .*unreadable'
expect 2 "$prepare" pictures --archive "$scratch/images" --decode --no-decode --out "$scratch/x.h5"
expect 2 "$prepare" digits --no-decode --out "$scratch/x.h5"
says stderr 'digits does not use this option \(--no-decode\)'

# --- in a hurry: training and evaluation meet them
expect 0 "$prepare" pictures --archive "$scratch/images" --no-decode --out "$scratch/s.h5"
says_not stderr 'unreadable'
value() {
    /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2]))' "$1" "$2"
}
for ranks in 1 2 3; do
    expect_mpi 0 "$ranks" "$train" "$scratch/job.ini" --run-dir "$scratch/run-$ranks"
    says stderr 'unreadable image: .*test/c1/2.png .*counted as wrong'
    says stdout '1 image could not be read and count'
    [ "$(value "$scratch/run-$ranks/evaluation.json" images)" = 12 ] || fail "not 12 images"
    [ "$(value "$scratch/run-$ranks/evaluation.json" unreadable_images)" = 1 ] || fail "not 1 unreadable image"
done
checkpoint=$scratch/run-1/checkpoint.h5
for classifier in fc posthoc-la tau-norm; do
    for ranks in 1 2; do
        extra=()
        [ "$classifier" != tau-norm ] || extra=(--tau 0.5)
        expect_mpi 0 "$ranks" "$evaluate" "$checkpoint" --classifier "$classifier" "${extra[@]}" --json "$scratch/wrong.json"
        expect_mpi 0 "$ranks" "$evaluate" "$checkpoint" --classifier "$classifier" "${extra[@]}" --unreadable omit --json "$scratch/omit.json"
        says stderr 'left out'
        /usr/bin/python3 - "$scratch/wrong.json" "$scratch/omit.json" <<'END' || fail "$classifier on $ranks ranks"
import json, sys
wrong, omit = (json.load(open(p)) for p in sys.argv[1:])
assert wrong["per_class_images"] == [4, 4, 4] and omit["per_class_images"] == [4, 3, 4], (wrong, omit)
assert wrong["correct"] == omit["correct"] and wrong["images"] == 12 and omit["images"] == 11
assert wrong["unreadable_images"] == omit["unreadable_images"] == 1
assert wrong["unreadable_images_are"] == "counted as wrong" and omit["unreadable_images_are"] == "left out"
assert abs(wrong["per_class_accuracy"][1] * 4 - omit["per_class_accuracy"][1] * 3) < 1e-9
END
    done
done
expect 2 "$evaluate" "$checkpoint" --unreadable perhaps
says stderr 'data.unreadable_test = perhaps is no choice'
expect 1 "$evaluate" "$checkpoint" --classifier ncm # class means of a training set with a hole would be others
says stderr 'unreadable image: .*train/c1/2.png.*elmpi-prepare'

# --- more than training tolerates: what the message says to change may change
expect 1 "$train" "$scratch/job.ini" --set data.unreadable=0 --run-dir "$scratch/strict"
says stderr 'raise data.unreadable and go on with --resume'
expect 0 "$train" "$scratch/job.ini" --set data.unreadable=0.05 --run-dir "$scratch/strict" --resume
expect 0 "$train" "$scratch/job.ini" --set data.unreadable_test=omit --run-dir "$scratch/run-1" --resume
echo "undecodable images are found, counted and said"

#!/usr/bin/env bash
# elmpi-predict: the same bytes from any number of ranks and any way to name the images, the accuracy that elmpi-evaluate finds, unreadable
# images reported and passed over, inputs that are refused, nothing left behind.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
predict=$ELMPI_BIN/elmpi-predict
archive=$ELMPI_SOURCE/../shared/data/caltech101-lt.tar
cd "$scratch"

# listed FILE: the paths of a CSV's lines.
listed() {
    tail -n +2 "$1" | cut -d, -f1
}

# accuracy CSV: correct, images: the class is the image's folder, as in the trees below.
accuracy() {
    tail -n +2 "$1" | awk -F, '{ n = split($1, part, "/"); right += part[n - 1] == $2 } END { print right + 0, NR }'
}

# evaluated JSON: the same of an evaluation.
evaluated() {
    /usr/bin/python3 -c 'import json, sys; e = json.load(open(sys.argv[1])); print(e["correct"], e["images"])' "$1"
}

echo "command lines"
expect 0 "$predict" --help
says stdout 'IMAGE\|FOLDER\|LIST\|ARCHIVE'
expect 2 "$predict"
says stderr 'a checkpoint or what to classify is missing'
expect 2 "$predict" x.h5
expect 2 "$predict" x.h5 pics --prior posthoc-al
says stderr 'did you mean posthoc-la'
expect 2 "$predict" x.h5 pics --tau 0.5
says stderr '--prior posthoc-la'
expect 2 "$predict" x.h5 pics --top 0
expect 2 "$predict" x.h5 pics --embeddings -
says stderr '--embeddings'
expect_mpi 1 2 "$predict" missing.h5 pics
says stderr 'missing\.h5'
[ "$(grep -c 'elmpi-predict: error' stderr)" -eq 1 ] || fail "more than one rank speaks"

echo "digits: images of one channel, as the store has them"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out digits.h5
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-ce.ini" --set "data.store=$PWD/digits.h5" --set optim.epochs=2 --set optim.warmup_epochs=0 \
    --set optim.schedule=constant --set model.name=cifar-resnet8 --run-dir digits
/usr/bin/python3 - <<'EOF'
import h5py, pathlib, struct, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
with h5py.File('digits.h5') as store:
    names = [n.decode() if isinstance(n, bytes) else n for n in store['classes/name'][:]]
    for i, (image, label) in enumerate(zip(store['test/images'][:], store['test/labels'][:])):
        h, w = image.shape[:2]
        rows = b''.join(b'\0' + row.tobytes() for row in image.reshape(h, w))
        folder = pathlib.Path('numbers', names[label])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ('%04d.png' % i)).write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 0, 0, 0, 0)) +
                                                chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
EOF
for prior in fc posthoc-la; do
    expect 0 "$ELMPI_BIN/elmpi-evaluate" digits/checkpoint.h5 --classifier $prior --json $prior.json
    name=$prior
    [ $prior = posthoc-la ] || name=plain
    expect 0 "$predict" digits/checkpoint.h5 numbers --prior $name --top 1 --out $prior.csv
    says stdout ' 0 unreadable: written to '
    [ "$(accuracy $prior.csv)" = "$(evaluated $prior.json)" ] || fail "$prior: $(accuracy $prior.csv) here, $(evaluated $prior.json) in the evaluation"
done
if cmp -s fc.csv posthoc-la.csv; then fail "the prior makes no difference"; fi

echo "outputs that fail, or would replace each other"
find numbers -name '*.png' | LC_ALL=C sort | head -n 250 >one-round.txt
mkfifo leaves
(head -c 20 leaves >first-bytes) & # and goes away: more than a pipe holds is still to come, all of it in the last round
expect 1 "$predict" digits/checkpoint.h5 one-round.txt --top 10 --json --out leaves --embeddings left.h5
wait
says stderr 'cannot write \(leaves\): its reader has gone'
absent left.h5
expect_mpi 2 2 "$predict" digits/checkpoint.h5 numbers --out twice --embeddings ./twice
says stderr 'would replace the embeddings. file \(--out twice\)'
absent twice
cp digits/checkpoint.h5 kept.h5
ln -s kept.h5 alias.h5
for flag in --out --embeddings; do
    expect 2 "$predict" kept.h5 numbers $flag alias.h5
    says stderr "would replace the checkpoint \($flag alias\.h5\)"
done
same kept.h5 digits/checkpoint.h5

echo "a list that comes slowly is no stall, one that does not come is"
slow_list() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        head -n 1 one-round.txt
        sleep 1
    done
}
slow_list | ELMPI_STALL_TIMEOUT=8 "${mpirun[@]}" -np 2 "$predict" digits/checkpoint.h5 - --out slow.csv >stdout 2>stderr || fail "a slow list"
[ "$(wc -l <slow.csv)" -eq 13 ] || fail "not all of a slow list"
mkfifo silent
ELMPI_STALL_TIMEOUT=8 expect_mpi 1 2 "$predict" digits/checkpoint.h5 silent --out silent.csv
says stderr 'no rank has made progress since'
absent silent.csv

echo "an archive of large files needs no memory for all of them"
if ! sanitized; then
    /usr/bin/python3 - "$predict" <<'EOF'
import pathlib, resource, subprocess, sys, zipfile
first = min(pathlib.Path('numbers').rglob('*.png')).read_bytes()
with zipfile.ZipFile('large.zip', 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    for i in range(8):
        archive.writestr('%d.png' % i, first + bytes(150 << 20))
subprocess.run([sys.argv[1], 'digits/checkpoint.h5', 'large.zip', '--out', 'large.csv'], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
assert used < 800, '%d MiB for 8 files of 150 MiB each' % used
EOF
    [ "$(wc -l <large.csv)" -eq 9 ] || fail "not all of the archive: $(cat large.csv)"
    rm large.zip
fi

echo "vectors are no images"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out moons.h5
printf '[run]\nname = mlp\n[data]\nstore = %s\n[model]\nname = mlp:16,8,2\n[optim]\nepochs = 1\nbatch = 50\nlr = 0.1\n' "$PWD/moons.h5" >moons.ini
expect 0 "$ELMPI_BIN/elmpi-train" moons.ini --run-dir moons
expect_mpi 2 2 "$predict" moons/checkpoint.h5 numbers --out no.csv
says stderr 'vectors of 2 features, no images'
absent no.csv

need "$archive" "the Caltech-101 archive"
echo "images of any size"
tar -xf "$archive" caltech101-lt/images/{airplanes,Motorbikes,ketch,yin_yang}
for class in airplanes Motorbikes ketch yin_yang; do
    mkdir -p "pics/train/$class" "pics/test/$class"
    n=0
    while read -r file; do
        n=$((n + 1))
        if [ $((n % 3)) -eq 0 ]; then cp "$file" "pics/test/$class"; else cp "$file" "pics/train/$class"; fi
    done < <(find "caltech101-lt/images/$class" -name '*.jpg' | LC_ALL=C sort | head -n 240)
done
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive pics --out store.h5
printf '[run]\nname = p\nprecision = fp32\n[data]\nstore = %s\ncrop = 32\n[model]\nname = cifar-resnet8\n[optim]\nepochs = 15\nwarmup_epochs = 0\nschedule = constant\nbatch = 32\nlr = 0.05\n' \
    "$PWD/store.h5" >job.ini
expect 0 "$ELMPI_BIN/elmpi-train" job.ini --run-dir run
expect 0 "$ELMPI_BIN/elmpi-evaluate" run/checkpoint.h5
mkdir away
mv store.h5 store*.tar pics/train away/ 2>/dev/null || mv store.h5 pics/train away/ # nothing of the data set is needed
checkpoint=run/checkpoint.h5

expect 0 "$predict" $checkpoint pics --top 3 --out one.csv
says stdout 'images in [0-9.]+ s \([0-9.]+ a second\), 0 unreadable: written to one\.csv'
[ "$(head -n 1 one.csv)" = path,class1,probability1,class2,probability2,class3,probability3 ] || fail "the first line: $(head -n 1 one.csv)"
[ "$(accuracy one.csv)" = "$(evaluated run/evaluation.json)" ] || fail "$(accuracy one.csv) here, $(evaluated run/evaluation.json) in the evaluation"
find pics -type f | LC_ALL=C sort >paths
listed one.csv | LC_ALL=C sort | cmp -s - paths || fail "not every image is there once"

echo "any number of ranks, any way"
for ranks in 1 2 3; do
    expect_mpi 0 $ranks "$predict" $checkpoint pics --top 3 --out "ranks-$ranks.csv" --embeddings "ranks-$ranks.h5"
    same one.csv "ranks-$ranks.csv"
    h5diff -q ranks-1.h5 "ranks-$ranks.h5" || fail "embeddings of $ranks ranks differ"
done
/usr/bin/python3 - <<'EOF'
import csv, h5py, numpy
with h5py.File('ranks-3.h5') as file, open('one.csv') as predictions:
    rows = list(csv.DictReader(predictions))
    paths = [p.decode() if isinstance(p, bytes) else p for p in file['pictures/path'][:]]
    names = [n.decode() if isinstance(n, bytes) else n for n in file['classes/name'][:]]
    assert file.attrs['format'] in (b'elmpi-pictures', 'elmpi-pictures'), file.attrs['format']
    assert paths == [r['path'] for r in rows]
    assert [names[c] for c in file['pictures/class'][:]] == [r['class1'] for r in rows]
    assert file['pictures/embeddings'].shape[0] == len(rows) and numpy.isfinite(file['pictures/embeddings'][:]).all()
    assert all(1 >= float(r['probability1']) >= float(r['probability2']) >= float(r['probability3']) >= 0 for r in rows)
EOF
expect 0 "$predict" $checkpoint pics --top 3
same one.csv stdout
says stderr '0 unreadable'
listed one.csv >list.txt
expect_mpi 0 2 "$predict" $checkpoint list.txt --top 3 --out list.csv
same one.csv list.csv
sed 's/$/\r/' list.txt >dos.txt
expect 0 "$predict" $checkpoint dos.txt --top 3 --out dos.csv
same one.csv dos.csv
"$predict" $checkpoint - --top 3 --out stdin.csv <list.txt >stdout 2>stderr || fail "a list on standard input"
same one.csv stdin.csv
"${mpirun[@]}" -np 2 "$predict" $checkpoint - --top 3 --out stdin-2.csv <list.txt >stdout 2>stderr || fail "a list on standard input, 2 ranks"
same one.csv stdin-2.csv
tail -n +2 one.csv | cut -d, -f2- >values
tar -cf pics.tar pics
tar -czf pics.tar.gz pics
LC_ALL=C /usr/bin/python3 -m zipfile -c pics.zip pics/
for form in tar tar.gz zip; do
    expect 0 "$predict" $checkpoint pics.$form --top 3 --out "$form-1.csv"
    expect_mpi 0 3 "$predict" $checkpoint pics.$form --top 3 --out "$form-3.csv"
    same "$form-1.csv" "$form-3.csv"
    listed "$form-1.csv" | sed "s|^pics\.$form/||" | LC_ALL=C sort | cmp -s - paths || fail "not every image of the $form is there"
    [ "$(accuracy "$form-1.csv")" = "$(accuracy one.csv)" ] || fail "$form: another accuracy"
done
mkdir -p packed/deep
mv pics.tar.gz packed/deep/
expect_mpi 0 2 "$predict" $checkpoint packed --top 3 --out packed.csv
[ "$(accuracy packed.csv)" = "$(accuracy one.csv)" ] || fail "archives in a folder: another accuracy"
mapfile -t few < <(head -n 3 list.txt)
expect 0 "$predict" $checkpoint "${few[@]}" --top 3 --out few.csv
head -n 4 one.csv | cut -d, -f1,2 >expected
cut -d, -f1,2 few.csv | cmp -s - expected || fail "single images are not what they are in a folder"

echo "priors and forms"
expect 0 "$predict" $checkpoint pics --top 4 --prior posthoc-la --tau 0 --out tau0.csv
expect 0 "$predict" $checkpoint pics --top 9 --out all.csv
same tau0.csv all.csv
expect 0 "$predict" $checkpoint pics --top 2 --json --out out.json
/usr/bin/python3 - <<'EOF'
import csv, json
with open('all.csv') as table, open('out.json') as lines:
    for row, line in zip(csv.DictReader(table), lines, strict=True):
        made = json.loads(line)
        assert made['path'] == row['path'] and made['predictions'][1]['class'] == row['class2']
        assert made['predictions'][0]['probability'] == float(row['probability1'])
    assert abs(sum(float(row['probability%d' % k]) for k in (1, 2, 3, 4)) - 1) < 1e-5
EOF

echo "names that need quotes"
mkdir odd
cp "${few[0]}" 'odd/a, "b".jpg'
cp "${few[0]}" $'odd/esc\e[31m.jpg'
expect 0 "$predict" $checkpoint odd --top 1
says stdout '^"odd/a, ""b""\.jpg",'

echo "unreadable images are reported, counted and passed over"
mkdir -p bad/.hidden bad/__MACOSX bad/sub
cp "${few[0]}" bad/a.jpg
cp "${few[1]}" bad/sub/z.JPEG
cp "${few[1]}" bad/.hidden/no.jpg
cp "${few[1]}" bad/__MACOSX/no.jpg
head -c 900 "${few[0]}" >bad/cut.jpg
echo text >bad/notes.txt
echo text >bad/text.png
touch bad/b.gif bad/empty.jpg Thumbs.db
ln -s nowhere.jpg bad/link.jpg
for ranks in 1 2 3; do
    expect_mpi 0 $ranks "$predict" $checkpoint bad --top 1 --out "bad-$ranks.csv" --embeddings bad.h5
    same bad-1.csv "bad-$ranks.csv"
    says stderr 'warning: cannot read the image \(bad/cut\.jpg\): .*truncated'
    says stderr 'warning: cannot read the image \(bad/b\.gif\): neither JPEG nor PNG'
    says stderr 'warning: cannot read the image \(bad/link\.jpg\): a symbolic link that leads nowhere'
    says stderr 'warning: cannot read the image \(bad/empty\.jpg\)'
    says stdout '2 images in .*, 5 unreadable, 3 other files passed over'
done
[ "$(listed bad-1.csv | tr '\n' ' ')" = 'bad/a.jpg bad/sub/z.JPEG ' ] || fail "classified: $(listed bad-1.csv)"
expect_mpi 1 2 "$predict" $checkpoint bad --top 1 --strict --out strict.csv
says stderr 'error: 5 images cannot be read \(--strict\)'
same bad-1.csv strict.csv
printf '%s\nnowhere/x.jpg\nbad\n\n' "${few[0]}" >mixed.txt
expect 0 "$predict" $checkpoint mixed.txt --top 1 --out mixed.csv
says stderr 'nowhere/x\.jpg\): No such file'
says stderr '\(bad\): a folder'
[ "$(wc -l <mixed.csv)" -eq 2 ] || fail "not one image: $(cat mixed.csv)"

echo "nothing to classify, and what is no input"
mkdir none
echo text >none/readme.txt
expect_mpi 1 2 "$predict" $checkpoint none --out no.csv
says stderr 'no image found \(none; 1 other files\)'
expect_mpi 1 2 "$predict" $checkpoint bad/cut.jpg bad/text.png --out no.csv --embeddings no.h5
says stderr 'none of the 2 images can be read \(bad/cut\.jpg: '
expect_mpi 2 2 "$predict" $checkpoint nowhere --out no.csv
says stderr 'cannot find the images \(nowhere\)'
expect 2 "$predict" $checkpoint away/store.h5 --out no.csv
says stderr 'an HDF5 file is no image.*elmpi-evaluate'
head -c 3000 /dev/zero >zeros
expect 2 "$predict" $checkpoint zeros --out no.csv
says stderr 'no image and nothing that holds any \(zeros\)'
head -c 20000 pics.zip >cut.zip
expect_mpi 1 2 "$predict" $checkpoint cut.zip --out no.csv
says stderr 'cut\.zip'
expect_mpi 1 2 "$predict" $checkpoint pics --out nowhere/no.csv
says stderr 'cannot write .*nowhere/no\.csv'
expect 1 "$predict" $checkpoint pics --top 1 --out /dev/full
says stderr 'cannot write .*/dev/full'
absent no.csv no.h5 nowhere
if compgen -G '*.tmp-*' >/dev/null || compgen -G '*.part' >/dev/null; then fail "a temporary file is left"; fi
echo "predicted: $(accuracy one.csv)"

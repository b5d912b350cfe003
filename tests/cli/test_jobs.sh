#!/usr/bin/env bash
# Every job of jobs/, files as well as pairs of a set-up and a method, is listed, resolves and runs two steps, on small stores instead of its
# own: digits for CIFAR, a few drawn images for the sets of images. A new job is covered without a change here.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

train=$ELMPI_BIN/elmpi-train
jobs=$ELMPI_SOURCE/jobs
export OMP_NUM_THREADS=1
need /usr/bin/python3 "Python, which draws the images"

# Ten classes of 12 down to 3 images in plain PNG, which Python writes without further modules.
draw_images() {
    /usr/bin/python3 - "$1" <<'PYTHON'
import os, random, struct, sys, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

random.seed(0)
for label in range(10):
    for split, count in ("train", 12 - label), ("test", 1):
        folder = f"{sys.argv[1]}/{split}/class{label}"
        os.makedirs(folder)
        for i in range(count):
            width, height = random.randint(34, 50), random.randint(34, 50)
            rows = b"".join(b"\0" + bytes((label * 25 + random.randint(0, 20)) % 256 for _ in range(3 * width)) for _ in range(height))
            header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            with open(f"{folder}/{split}{label}-{i}.png", "wb") as file:
                file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
    local split
    for split in train test; do
        (cd "$1/$split" && find . -name '*.png' | sort | sed -E 's|^\./class([0-9])(/.*)|class\1\2 \1|') >"$1/$split.txt"
    done
    tar -C "$1/train" -cf "$1/images.tar" .
    tar -C "$1/test" -rf "$1/images.tar" .
}

# print_job JOB: the resolved job, without the comment that says where it comes from.
print_job() {
    expect 0 "$train" --print-job "$1"
    grep -v '^;' "$scratch/stdout" >"$scratch/printed"
}
# printed_says LINE...: whole lines of it.
printed_says() {
    local line
    for line in "$@"; do
        grep -qxF -- "$line" "$scratch/printed" || fail "not in the resolved job: $line"
    done
}
# Without the machinery that would start more processes: a tenth of the time.
alone=(env OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self)

echo "the list"
export ELMPI_JOBS=$jobs
expect 0 "$train" --list-jobs
cp "$scratch/stdout" "$scratch/list"
mapfile -t names < <(awk '{ print $1 }' "$scratch/list")
{
    for file in "$jobs"/*.ini; do
        basename "$file" .ini
    done
    for setup in "$jobs"/setups/*.ini; do
        for method in "$jobs"/methods/*.ini; do
            echo "$(basename "$setup" .ini)-$(basename "$method" .ini)"
        done
    done
} | LC_ALL=C sort -u >"$scratch/expected"
printf '%s\n' "${names[@]}" >"$scratch/stdout"
same "$scratch/stdout" "$scratch/expected"
[ "${#names[@]}" -gt 170 ] || fail "only ${#names[@]} jobs"
grep -Eqx "digits-logadj +$(sed -n '1s/^; //p' "$jobs/methods/logadj.ini" | sed 's/[().]/\\&/g')" "$scratch/list" || fail "the list does not say what a method is"
! grep -Evq '^[^ ]+ +[A-Za-z]' "$scratch/list" || fail "a job without a comment: $(grep -Ev '^[^ ]+ +[A-Za-z]' "$scratch/list")"
expect 0 "$train" --help
says stdout '^  --list-jobs +print the names'
expect_mpi 0 2 "$train" --list-jobs
[ "$(grep -c '^digits-elm ' "$scratch/stdout")" -eq 1 ] || fail "more than one rank prints the list"
expect_mpi 2 2 "$train" digits-eml
says stderr 'did you mean digits-elm'

echo "every job resolves, by name and by path, under its own name"
mkdir "$scratch/resolved"
for name in "${names[@]}"; do
    "${alone[@]}" "$train" --print-job "$name" >"$scratch/resolved/$name" 2>"$scratch/stderr" || fail "$name does not resolve"
    [ "$(sed -n '/^\[run\]/{n;p}' "$scratch/resolved/$name")" = "name = $name" ] || fail "run.name is not the job's name: $name"
done
cd "$jobs"
for job in cifar100-lt-elm cifar100-lt-elm.ini ./cifar100-lt-elm.ini ../jobs/cifar100-lt-elm.ini "$jobs/cifar100-lt-elm.ini"; do
    ELMPI_JOBS='' print_job "$job"
    grep -v '^;' "$scratch/resolved/cifar100-lt-elm" | cmp -s - "$scratch/printed" || fail "$job is another job"
done
cd "$scratch"

echo "a file of its own says what set-up and method do not"
for file in "$jobs"/*.ini; do
    name=$(basename "$file" .ini)
    for setup in "$jobs"/setups/*.ini; do
        method=$jobs/methods/${name#"$(basename "$setup" .ini)"-}.ini
        [ -e "$method" ] || continue
        printf '[job]\ninclude = %s, %s\n' "$setup" "$method" >"$scratch/$name.ini"
        print_job "$scratch/$name.ini"
        ! grep -v '^;' "$scratch/resolved/$name" | cmp -s - "$scratch/printed" || fail "$file says nothing of its own"
        rm "$scratch/$name.ini"
    done
done
# resolved_as JOB LINE...
resolved_as() {
    cp "$scratch/resolved/$1" "$scratch/printed"
    printed_says "${@:2}"
}
resolved_as cifar100-lt-elm 'embed = pull' 'lambda = 0.01' 'pull.alpha = sqrt-n' 'epochs = 256' 'store = data/cifar100.h5'
resolved_as cifar10-lt-elm 'lambda = 0.01' 'pull.alpha = pi' 'store = data/cifar10.h5'
resolved_as cifar10-lt-menon-elm 'pull.alpha = pi' 'epochs = 1241' 'name = cifar-resnet32-menon' 'milestones = 604,926,1128'
resolved_as cifar100-lt-menon-elm 'pull.alpha = sqrt-n' 'epochs = 1419' 'warmup_epochs = 22'
resolved_as imagenet-lt-elm 'lambda = 0.001' 'pull.alpha = sqrt-pi' 'pull.scale = 10' 'batch = 512'
resolved_as two-moons-elm 'lambda = 0.01' 'pull.alpha = pi' 'name = mlp:16,8,2'
resolved_as inat2018-cb-focal 'weights.beta = 0.999' 'cb-focal.gamma = 0.5'
resolved_as inat2018-ldam-drw 'ldam.margin = 0.3' 'weights.epoch = 72'
resolved_as cifar10-lt-ldam-drw 'weights.epoch = 160' 'epochs = 200' 'milestones = 160,180' 'gamma = 0.01'
resolved_as caltech101-lt-ce-drw 'weights.epoch = 24' 'epochs = 30'
resolved_as inat2018-crt 'epochs = 30' 'init = runs/inat2018-ce/checkpoint.h5'
resolved_as digits-crt 'epochs = 10' 'init = runs/digits-ce/checkpoint.h5' 'train = classifier' 'lr = 0.2'
resolved_as digits-equalization 'equalization.lambda = 0.05'
resolved_as digits-hybrid-sc 'epochs = 100'

echo "the first stages that a job names are jobs"
mapfile -t firsts < <(sed -nE 's|^init = runs/([^/]+)/checkpoint.h5$|\1|p' "$scratch"/resolved/* | sort -u)
for first in "${firsts[@]}"; do
    [ -e "$scratch/resolved/$first" ] || fail "there is no job $first, with whose checkpoint others begin"
done
[ "${#firsts[@]}" -eq 12 ] || fail "not ce and dro-features of six data sets: ${firsts[*]}"

echo "stores"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/two-moons.h5"
mkdir "$scratch/drawn"
draw_images "$scratch/drawn"
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive "$scratch/drawn/images.tar" --train-list "$scratch/drawn/train.txt" \
    --test-list "$scratch/drawn/test.txt" --strict --out "$scratch/images.h5"

# store_of JOB, settings_of JOB: what stands in for its data and makes it small; the job's own model and batch take hours.
store_of() {
    case $(basename "$1") in
    two-moons-*) echo two-moons ;;
    digits-* | cifar*) echo digits ;;
    *) echo images ;;
    esac
}
settings_of() {
    local store first
    store=$(store_of "$1")
    first=$scratch/first/$store/checkpoint.h5
    printf '%s\n' --set "data.store=$scratch/$store.h5" --set data.imbalance=0 --set optim.batch=16
    case $store in
    digits) printf '%s\n' --set model.name=cifar-resnet8 ;;
    images) printf '%s\n' --set model.name=cifar-resnet8 --set data.crop=32 --set data.resize=36 --set data.threads=1 ;;
    esac
    if [ -e "$first" ] && grep -Eq '^init = .' "$scratch/resolved/$(basename "$1" .ini)"; then # a second stage
        printf '%s\n' --set "run.init=$first"
    fi
}

# run_job JOB: two steps of it.
run_job() {
    local name settings
    name=$(basename "$1" .ini)
    mapfile -t settings < <(settings_of "$1")
    if ! timeout --kill-after=10 "$limit" "$train" "$1" "${settings[@]}" --max-steps 2 --run-dir "$scratch/runs/$name" >"$scratch/$name.log" 2>&1; then
        echo "$1 does not run: $(tail -n 1 "$scratch/$name.log")" >"$scratch/$name.failed"
    fi
}

echo "first stages"
expect 0 "$train" "$jobs/digits-ce.ini" --set "data.store=$scratch/digits.h5" --max-steps 0 --run-dir "$scratch/first/digits"
mapfile -t small < <(settings_of "$jobs/caltech101-lt-ce.ini")
expect 0 "$train" "$jobs/caltech101-lt-ce.ini" "${small[@]}" --max-steps 0 --run-dir "$scratch/first/images"

echo "every job on two ranks or one"
mpi_jobs=(digits-elm cifar100-lt-elm imagenet-lt-elm)
for name in "${mpi_jobs[@]}"; do
    mapfile -t small < <(settings_of "$jobs/$name.ini")
    expect_mpi 0 2 "$train" "$jobs/$name.ini" "${small[@]}" --max-steps 2 --run-dir "$scratch/mpi/$name"
done
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self
count=0
for name in "${names[@]}"; do
    run_job "$jobs/$name.ini" &
    count=$((count + 1))
    [ $((count % 4)) -ne 0 ] || wait
done
wait
if compgen -G "$scratch/*.failed" >/dev/null; then
    cat "$scratch"/*.failed >"$scratch/stderr"
    fail "$(find "$scratch" -name '*.failed' | wc -l) of $count jobs"
fi
echo "$count jobs"

echo "what they say of the paper's set-up"
grep -Eq "differs from the paper's set-up: .*optim.batch 16 \(512\)" "$scratch/imagenet-lt-elm.log" || fail "no word of the batch: $(cat "$scratch/imagenet-lt-elm.log")"
grep -Eq "differs from the paper's set-up: .*optim.nesterov true \(false\)" "$scratch/cifar100-lt-menon-ce.log" || fail "no word of menon's set-up"
! grep -q "differs" "$scratch/digits-ce.log" || fail "digits has no set-up of the paper"

echo "a resolved job needs no other file"
mkdir "$scratch/alone"
cp "$scratch/runs/cifar100-lt-elm/job.ini" "$scratch/alone"
expect 0 "$train" "$scratch/alone/job.ini" --max-steps 2 --run-dir "$scratch/alone/run"
grep -qxF "; $jobs/methods/elm.ini" "$scratch/alone/job.ini" || fail "job.ini does not say what was included"
! grep -q '^;' "$scratch/alone/run/job.ini" || fail "nothing was included here"
grep -v '^;' "$scratch/alone/job.ini" | sed 1d | cmp - "$scratch/alone/run/job.ini" || fail "the resolved job resolves to another"

echo "recipes that no job uses"
for recipe in "$jobs"/recipes/*.ini; do
    grep -Eqr "^include = (.*[ /])?$(basename "$recipe")" "$jobs" || fail "nobody includes $recipe"
done

echo "mistakes in an included file name that file"
printf '[job]\ninclude = below.ini\n[run]\nname = x\n' >"$scratch/above.ini"
expect 2 "$train" "$scratch/above.ini"
says stderr "below.ini, included at .*above.ini:2\): No such file"
printf '[optim]\nlrr = 1\n' >"$scratch/below.ini"
expect 2 "$train" "$scratch/above.ini"
says stderr "unknown key optim.lrr \(.*below.ini:2\): did you mean optim.lr"

echo "a job that is a pair is included as a file is"
printf '[job]\ninclude = %s\n[optim]\nlr = 0.125\n' "$jobs/digits-elm.ini" >"$scratch/own.ini"
print_job "$scratch/own.ini"
printed_says 'name = own' 'lr = 0.125' 'embed = pull' 'store = data/digits.h5'
printf '[job]\ninclude = %s\n' "$jobs/digits-eml.ini" >"$scratch/own.ini"
expect 2 "$train" "$scratch/own.ini"
says stderr 'digits-eml.ini, included at .*own.ini:2\): No such file'
expect 2 "$train" "$jobs/digits-eml.ini"
says stderr 'did you mean .*jobs/digits-elm.ini'

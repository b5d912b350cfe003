#!/usr/bin/env bash
# An installation: its files, the installed programs run from another folder by a job's name, and uninstalled nothing is left.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build=$ELMPI_BIN/..
prefix=$scratch/prefix
programs=(prepare train evaluate predict report export bench methods)
[ -f "$build/cmake_install.cmake" ] || skip "the programs are not in a build folder ($build)"
export OMP_NUM_THREADS=1

# The build folder's own list of what is installed is not the test's to lose.
if [ -f "$build/install_manifest.txt" ]; then
    cp "$build/install_manifest.txt" "$scratch/manifest"
    trap 'cp "$scratch/manifest" "$build/install_manifest.txt"; rm -rf "$scratch"' EXIT
fi

expect 0 cmake --install "$build" --prefix "$prefix"
for program in "${programs[@]}"; do
    [ -x "$prefix/bin/elmpi-$program" ] || fail "elmpi-$program is not installed"
done
for file in share/doc/elmpi/{LICENSE,README.md,CONTRIBUTING.md,CHANGELOG.md,docs/methods.md} share/elmpi/jobs/{cifar10-lt-elm.ini,setups/cifar100-lt.ini,methods/elm.ini,recipes/cifar-lt.ini} share/elmpi/slurm/{run,inat,sweep}.sh share/elmpi/slurm/README.md; do
    [ -s "$prefix/$file" ] || fail "$file is not installed"
done
[ -x "$prefix/share/elmpi/slurm/inat.sh" ] || fail "the batch scripts are not executable"

echo "programs from another folder"
mkdir "$scratch/elsewhere"
cd "$scratch/elsewhere"
expect 0 "$prefix/bin/elmpi-prepare" digits --out data/digits.h5
expect_mpi 0 2 "$prefix/bin/elmpi-train" digits-elm --set optim.epochs=1
[ -s runs/digits-elm/evaluation.json ] || fail "the run is not in the working folder"
expect 2 "$prefix/bin/elmpi-train" digits-eml
says stderr "$prefix/share/elmpi/jobs.*did you mean digits-elm"
expect 0 "$prefix/bin/elmpi-train" --list-jobs
says stdout '^cifar100-lt-elm +ELM: '
(cd "$ELMPI_SOURCE" && expect 0 "$ELMPI_BIN/elmpi-train" --list-jobs && cp "$scratch/stdout" "$scratch/listed")
expect 0 "$prefix/bin/elmpi-train" --list-jobs
same "$scratch/stdout" "$scratch/listed"
expect 0 "$prefix/bin/elmpi-train" "$prefix/share/elmpi/jobs/digits-elm.ini" --max-steps 0 --run-dir runs/by-path
mkdir own
cp runs/digits-elm/job.ini own/first.ini
expect 0 env ELMPI_JOBS=/nowhere:own "$prefix/bin/elmpi-train" first --max-steps 0 --run-dir runs/first

echo "versions"
expect 0 "$prefix/bin/elmpi-train" --version
for line in '^elmpi-train [0-9]' '^commit: +[^ ]' '^kernels for [^ ]+' '^MPI: +[A-Z]' '^oneDNN: +([0-9]|none)' '^HDF5: +[0-9]' '^OpenBLAS: +[0-9]' '^ScaLAPACK: +[0-9nu]'; do
    says stdout "$line"
done

# Both are made when the programs are built, but not by every build.
if [ -d "$prefix/share/man" ]; then
    echo "man pages"
    for program in "${programs[@]}"; do
        page=$prefix/share/man/man1/elmpi-$program.1
        for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' 'SEE ALSO'; do
            grep -qx "\.SH $section" "$page" || fail "elmpi-$program.1 has no section $section"
        done
        for flag in $("$prefix/bin/elmpi-$program" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
            grep -qF "\\fB${flag//-/\\-}" "$page" || fail "elmpi-$program.1 does not know $flag"
        done
        if command -v groff >/dev/null; then
            groff -man -Tutf8 -ww "$page" >"$scratch/page" 2>"$scratch/stderr" || fail "groff does not read elmpi-$program.1"
            [ ! -s "$scratch/stderr" ] || fail "groff complains about elmpi-$program.1"
        fi
    done
    grep -q '^75\|75 stopped' "$prefix/share/man/man1/elmpi-train.1" || fail "elmpi-train.1 does not say what 75 means"

    echo "completion"
    # complete_line PROGRAM WORD...: what is offered for the last word.
    complete_line() {
        PATH=$prefix/bin:$PATH bash -c '
            . "$1"
            shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            function="_${1//-/_}"
            "$function"
            printf "%s\n" "${COMPREPLY[@]}"' bash "$prefix/share/bash-completion/completions/$1" "$@"
    }
    # offers WORD PROGRAM WORD...
    offers() {
        local wanted=$1
        shift
        complete_line "$@" >"$scratch/stdout" 2>"$scratch/stderr" || true
        grep -qxF -- "$wanted" "$scratch/stdout" || fail "\"$*\" does not offer $wanted"
    }
    offers --resume elmpi-train --re
    offers cifar100-lt-elm elmpi-train cifar100
    offers cifar10-lt-menon-elm elmpi-train cifar10-lt-m
    offers --list-jobs elmpi-train --li
    PATH=$prefix/bin:$PATH elmpi-train --list-jobs | awk '{ print $1 }' >"$scratch/listed"
    (cd "$scratch/elsewhere/own" && complete_line elmpi-train '') | grep -v '[.]ini$' >"$scratch/stdout"
    same "$scratch/stdout" "$scratch/listed"
    offers run.binding= elmpi-train job.ini --set run.b
    offers launcher elmpi-train job.ini --set run.binding = la
    offers pull elmpi-train job.ini --set loss.embed = ''
    offers tau-norm elmpi-evaluate x.h5 --classifier tau
    offers cifar100 elmpi-prepare cifar1
    offers runs elmpi-train job --run-dir ru
    [ "$(complete_line elmpi-train job --max-steps 1)" = '' ] || fail "a number is completed"
fi

echo "uninstalled"
touch "$prefix/share/elmpi/jobs/mine.ini"
expect 0 cmake --build "$build" --target uninstall
[ "$(find "$prefix" ! -type d)" = "$prefix/share/elmpi/jobs/mine.ini" ] || fail "left behind: $(find "$prefix" ! -type d)"
rm "$prefix/share/elmpi/jobs/mine.ini"
expect 0 cmake --install "$build" --prefix "$prefix"
expect 0 cmake --build "$build" --target uninstall
absent "$prefix/share/elmpi" "$prefix/share/doc/elmpi"
[ "$(find "$prefix" ! -type d)" = '' ] || fail "left behind: $(find "$prefix" ! -type d)"
echo "installed, used, uninstalled"

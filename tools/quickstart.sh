#!/usr/bin/env bash
# From nothing to a trained and evaluated long-tail classifier: packages, build, data, training on 4 ranks, evaluation, report.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

usage() {
    cat <<'TEXT'
usage: tools/quickstart.sh

Installs what is missing, builds elmpi into build/, makes a long-tailed training set of handwritten digits in data/, trains
cross-entropy, logit adjustment and ELM (embedding and logit margins) on it with 4 MPI ranks and evaluates them. The
comparison is runs/report.html, the results are in runs/digits-ce/, runs/digits-logadj/ and runs/digits-elm/; those of an
earlier quickstart are moved aside to runs/digits-elm.<n> and so on, never overwritten.
TEXT
}

case ${1:-} in
"") ;;
-h | --help)
    usage
    exit 0
    ;;
*)
    echo "quickstart.sh: error: unknown option ($1): see tools/quickstart.sh --help" >&2
    exit 2
    ;;
esac

ranks=4
store=data/digits.h5
methods=(ce logadj elm)
bin=build/bin
cd "$elmpi_root"
started=$SECONDS

# As many threads a rank as cores are left for it; on images this small more than four only wait for each other.
threads=$((elmpi_cores / ranks))
threads=$((threads < 1 ? 1 : threads > 4 ? 4 : threads))
export OMP_NUM_THREADS=$threads

# move_aside FOLDER: to the first free FOLDER.<n>.
move_aside() {
    local number=1
    while [ -e "$1.$number" ]; do
        number=$((number + 1))
    done
    mv "$1" "$1.$number"
    echo "an earlier run is kept in $1.$number"
}

step "packages"
tools/packages.sh build report
echo "ready"

step "build"
cmake --preset release -DELMPI_TESTS=OFF --log-level=WARNING
cmake --build --preset release -j "$elmpi_cores"
choose_mpirun "$bin"
# What a reader has to type where this script has set the environment. Other launchers than Open MPI's need no flags.
typed="$(basename "${mpirun[0]}") -np $ranks"
if [ ${#mpirun[@]} -gt 1 ]; then
    typed+=" --oversubscribe --bind-to none"
    [ "$(id -u)" -ne 0 ] || typed+=" --allow-run-as-root"
fi

step "data"
mkdir -p data runs
if [ -e "$store" ]; then
    echo "$store is there already"
else
    "$bin/elmpi-prepare" digits --out "$store"
fi

for method in "${methods[@]}"; do
    run=runs/digits-$method
    step "$method: training on $ranks ranks, threads each: $threads"
    if [ -e "$run" ]; then
        move_aside "$run"
    fi
    "${mpirun[@]}" -np "$ranks" "$bin/elmpi-train" "jobs/digits-$method.ini" --run-dir "$run"
    step "$method: evaluation"
    "${mpirun[@]}" -np "$ranks" "$bin/elmpi-evaluate" "$run/checkpoint.h5" --analysis "$run/analysis.h5"
done

step "report"
"$bin/elmpi-report" "${methods[@]/#/runs/digits-}" --out runs/report.html --quiet
echo "open runs/report.html in a browser"

step "done in $((SECONDS - started)) s"
cat <<TEXT
  runs/report.html       the three methods side by side: accuracies, margins, distances, embeddings
  $run/evaluation.json   the figures above, for programs
  $run/metrics.csv       loss and accuracies, epoch by epoch
  $run/checkpoint.h5     weights and optimizer state (HDF5: h5ls -r reads it)
  $run/job.ini           every option of the run, resolved

Try next:
  another weight of the pull term
    $typed $bin/elmpi-train jobs/digits-elm.ini --set loss.lambda=0.1 --run-dir runs/digits-lambda
  CIFAR-100 long-tail
    $bin/elmpi-prepare cifar100 --archive cifar-100-binary.tar.gz --out data/cifar100.h5
    $typed $bin/elmpi-train jobs/cifar100-lt-elm.ini
  every option
    $bin/elmpi-train --help
TEXT

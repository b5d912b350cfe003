#!/usr/bin/env bash
# One option of a job over several values, a task of a job array each:
#   sbatch --array=0-5 slurm/sweep.sh cifar100-lt-elm loss.lambda 1 0.3 0.1 0.03 0.01 0.003
# from the folder that has data/ and gets runs/; then elmpi-report runs/cifar100-lt-elm-loss.lambda-* draws accuracy against the value.
#SBATCH --job-name=elmpi-sweep
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%A_%a.out
# Two minutes before the time limit the script is told; the run writes a checkpoint and the job goes back into the queue.
#SBATCH --signal=B:USR1@120

# The site's settings (slurm/README.md).
##SBATCH --partition=cpu
##SBATCH --account=project
modules=""                             # e.g. "OpenMPI HDF5 libarchive oneDNN OpenBLAS"
launcher=${ELMPI_LAUNCHER:-auto}       # srun, mpirun; auto: srun where Slurm has PMIx
stage=no                               # the store is read into memory once: nothing to copy
elmpi=${ELMPI_HOME:-$SLURM_SUBMIT_DIR} # data/ and runs/ are here, on a file system that all nodes see

set -euo pipefail
if [ $# -lt 3 ]; then
    echo "sweep.sh: error: no values: sbatch --array=0-N slurm/sweep.sh JOB KEY VALUE..." >&2
    exit 2
fi
job=$1 key=$2
shift 2
values=("$@")
number=${SLURM_ARRAY_TASK_ID:-0}
if [ "$number" -ge ${#values[@]} ]; then
    echo "sweep.sh: error: task $number has no value, there are ${#values[@]}: --array=0-$((${#values[@]} - 1))" >&2
    exit 2
fi
cd "$elmpi"
# Slurm runs a copy of this script: run.sh lies beside the original, or where elmpi is installed.
original=$(scontrol show job "${SLURM_JOB_ID:-}" 2>/dev/null | sed -n 's/^ *Command=//p' | head -n 1) || true
while [ ! -f "$original" ] && [[ $original == *' '* ]]; do original=${original% *}; done # without the arguments
for scripts in "$(dirname "$0")" "$(dirname "/$original")" "$elmpi/slurm" "$(dirname "/$(command -v elmpi-train || true)")/../share/elmpi/slurm" ''; do
    [ ! -f "$scripts/run.sh" ] || break
done
if [ -z "$scripts" ]; then
    echo "elmpi: error: run.sh is not there (beside ${original:-the script}, in $elmpi/slurm, beside elmpi-train): submit the script where elmpi has it, or put elmpi-train on the PATH" >&2
    exit 2
fi
# shellcheck source=slurm/run.sh
. "$scripts/run.sh"
elmpi_run "$job" --set "$key=${values[number]}" --set "run.name=$(basename -- "$job" .ini)-$key-${values[number]}"

#!/usr/bin/env bash
# CIFAR100-LT with ELM on part of one node:  sbatch slurm/cifar100.sh [--set KEY=VALUE]...   from the folder that has data/ and gets runs/.
#SBATCH --job-name=elmpi-cifar100
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.out
# Two minutes before the time limit the script is told; the run writes a checkpoint and the job goes back into the queue.
#SBATCH --signal=B:USR1@120

# The site's settings (slurm/README.md).
##SBATCH --partition=cpu
##SBATCH --account=project
modules=""                             # e.g. "OpenMPI HDF5 libarchive oneDNN OpenBLAS"
launcher=${ELMPI_LAUNCHER:-auto}       # srun, mpirun; auto: srun where Slurm has PMIx
stage=no                               # the store is read into memory once: nothing to copy
elmpi=${ELMPI_HOME:-$SLURM_SUBMIT_DIR} # data/ and runs/ are here, on a file system that all nodes see
job=${ELMPI_JOB:-cifar100-lt-elm} # a name or a path

set -euo pipefail
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
elmpi_run "$job" "$@"

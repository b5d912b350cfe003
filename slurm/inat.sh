#!/usr/bin/env bash
# iNaturalist 2018 with ELM on whole nodes:  sbatch [--nodes=N] slurm/inat.sh [--set KEY=VALUE]...   from the folder that has data/ and gets runs/.
#SBATCH --job-name=elmpi-inat
#SBATCH --nodes=2
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=1-00:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.out
# Five minutes before the time limit the script is told; the run writes a checkpoint and the job goes back into the queue, as often as it takes.
#SBATCH --signal=B:USR1@300

# The site's settings (slurm/README.md). Without --ntasks-per-node there is one rank a socket, each with its share of the node's CPUs.
##SBATCH --partition=cpu
##SBATCH --account=project
##SBATCH --ntasks-per-node=2
modules=""                             # e.g. "OpenMPI HDF5 libarchive libjpeg-turbo oneDNN OpenBLAS"
launcher=${ELMPI_LAUNCHER:-auto}       # srun, mpirun; auto: srun where Slurm has PMIx
stage=${ELMPI_STAGE:-no}               # yes: copy the image shards to each node's $TMPDIR first
elmpi=${ELMPI_HOME:-$SLURM_SUBMIT_DIR} # data/ and runs/ are here, on a file system that all nodes see
job=${ELMPI_JOB:-inat2018-elm} # a name or a path

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

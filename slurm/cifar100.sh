#!/usr/bin/env bash
# CIFAR100-LT with ELM on one node:  sbatch slurm/cifar100.sh [--set KEY=VALUE]...   from the elmpi folder.
#SBATCH --job-name=elmpi-cifar100
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.out
# Two minutes before the time limit the script is told; the run writes a checkpoint and the job goes back into the queue.
#SBATCH --signal=B:USR1@120

# The site's settings.
##SBATCH --partition=cpu
##SBATCH --account=project
modules=""  # e.g. "OpenMPI HDF5 libarchive oneDNN OpenBLAS"
stage=false # true: copy the data store to each node's $TMPDIR first
elmpi=${ELMPI_HOME:-$SLURM_SUBMIT_DIR}
job=${ELMPI_JOB:-$elmpi/jobs/cifar100-lt-elm.ini}

set -euo pipefail
cd "$elmpi" # data/ and runs/ are here
. slurm/run.sh
elmpi_run "$job" "$@"

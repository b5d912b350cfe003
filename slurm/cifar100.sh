#!/usr/bin/env bash
# CIFAR100-LT with ELM on part of one node:  sbatch slurm/cifar100.sh [--set KEY=VALUE]...   from the elmpi folder.
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
job=${ELMPI_JOB:-$elmpi/jobs/cifar100-lt-elm.ini}

set -euo pipefail
cd "$elmpi"
. slurm/run.sh
elmpi_run "$job" "$@"

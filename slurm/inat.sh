#!/usr/bin/env bash
# iNaturalist 2018 with ELM on whole nodes:  sbatch [--nodes=N] slurm/inat.sh [--set KEY=VALUE]...   from the elmpi folder.
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
stage=${ELMPI_STAGE:-no}               # yes: copy the picture shards to each node's $TMPDIR first
elmpi=${ELMPI_HOME:-$SLURM_SUBMIT_DIR} # data/ and runs/ are here, on a file system that all nodes see
job=${ELMPI_JOB:-$elmpi/jobs/inat2018-elm.ini}

set -euo pipefail
cd "$elmpi"
. slurm/run.sh
elmpi_run "$job" "$@"

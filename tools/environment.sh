# What every script and shell test sets up: where the project is, how many cores there are, how MPI starts and behaves on one machine. To be
# sourced.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those who source this

elmpi_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
elmpi_cores=$(env -u OMP_NUM_THREADS nproc) # nproc would answer with OMP_NUM_THREADS

# How MPI behaves on one machine. Names that a library does not know it ignores, so those of all are set: Open MPI 4, Open MPI 5 (which starts
# processes by PRRTE), MPICH.
# Containers run as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
# More ranks than cores: a waiting rank gives its core away (an allreduce of 4 KB: 25 us instead of 19 ms; MPICH 1 ms instead of 30 ms).
export OMPI_MCA_mpi_yield_when_idle=1 MPIR_CVAR_ENABLE_HEAVY_YIELD=1
# Containers often forbid reading another process's memory; Open MPI then warns on every message.
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_smsc=^cma

# choose_mpirun [FOLDER]: sets the array mpirun, how ranks are started on this machine, any number of them: "${mpirun[@]}" -np 4 PROGRAM. FOLDER
# has elmpi's programs; its build says which launcher belongs to their MPI (another one would start ranks that are each alone).
choose_mpirun() {
    local launcher=${ELMPI_MPIRUN:-}
    if [ -z "$launcher" ] && [ -s "${1:-}/../launcher" ]; then
        launcher=$(<"$1/../launcher")
    fi
    mpirun=("${launcher:-mpirun}")
    case $("${mpirun[0]}" --version 2>&1) in
    # Open MPI 5 complains of every interface that its TCP cannot pair with itself; on one machine there is nothing to do for it.
    *"Open MPI"* | *OpenRTE* | *PRRTE*) mpirun+=(--oversubscribe --bind-to none --mca btl ^tcp) ;;
    *) ;; # Hydra, of MPICH and Intel MPI, does both by itself
    esac
}

# step TEXT...: a heading in a script's output.
step() {
    printf '\n== %s\n' "$*"
}

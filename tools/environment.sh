# What every script and shell test sets up: where the project is, how many cores there are, how Open MPI behaves on one machine. To be sourced.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those who source this

elmpi_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
elmpi_cores=$(env -u OMP_NUM_THREADS nproc) # nproc would answer with OMP_NUM_THREADS

# Containers run as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# More ranks than cores: a waiting rank gives its core away (an allreduce of 4 KB: 25 us instead of 19 ms).
export OMPI_MCA_mpi_yield_when_idle=1
# Containers often forbid reading another process's memory; Open MPI then warns on every message.
export OMPI_MCA_btl_vader_single_copy_mechanism=none

# step TEXT...: a heading in a script's output.
step() {
    printf '\n== %s\n' "$*"
}

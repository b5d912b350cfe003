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
    local noted
    noted=$(dirname "${1:-/}")/launcher
    if [ -z "$launcher" ] && [ -s "$noted" ]; then
        launcher=$(<"$noted")
    fi
    mpirun=("${launcher:-mpirun}")
    case $("${mpirun[0]}" --version 2>&1) in
    # Where there is no shared memory ranks use TCP. Open MPI 5 complains of interfaces that it cannot pair with themselves, but not of lo.
    *"Open MPI"* | *OpenRTE* | *PRRTE*) mpirun+=(--oversubscribe --bind-to none --mca btl_tcp_if_include lo) ;;
    *) ;; # Hydra, of MPICH and Intel MPI, does both by itself
    esac
}

# step TEXT...: a heading in a script's output.
step() {
    printf '\n== %s\n' "$*"
}

# describe_machine BUILD: what is tested, and on what.
describe_machine() {
    local name
    name=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}") || true
    printf 'system     %s, kernel %s, %s cores\n' "${name:-unknown}" "$(uname -r)" "$elmpi_cores"
    cat "$1/configuration.txt"
}

# Totals of tests: summed up in a script, and over scripts where ELMPI_TOTALS names a file.
elmpi_totals=(0 0 0)

# add_totals PASSED FAILED SKIPPED
add_totals() {
    elmpi_totals=($((elmpi_totals[0] + $1)) $((elmpi_totals[1] + $2)) $((elmpi_totals[2] + $3)))
    [ -z "${ELMPI_TOTALS:-}" ] || echo "$1 $2 $3" >>"$ELMPI_TOTALS"
}

# add_report FILE: what ctest's JUnit report counts.
add_report() {
    local name value tests=0 failures=0 left_out=0
    for name in tests failures skipped disabled; do
        value=$(sed -n "s/^.*[[:space:]]$name=\"\([0-9]*\)\".*$/\1/p;T;q" "$1")
        case $name in
        tests) tests=$value ;;
        failures) failures=$value ;;
        *) left_out=$((left_out + value)) ;;
        esac
    done
    add_totals $((tests - failures - left_out)) "$failures" "$left_out"
}

# print_totals: the closing line, unless another script will sum up.
print_totals() {
    [ -n "${ELMPI_TOTALS:-}" ] || printf '\n%s passed, %s failed, %s skipped\n' "${elmpi_totals[@]}"
}

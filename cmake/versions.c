/* What --version says beside the program's own version: how it was built and with what. From the libraries' headers alone, so that programs
 * which do not link one can name it too. */
#include <stdio.h>

#include <hdf5.h>
#include <mpi.h>
#include <openblas_config.h>
#ifdef ELM_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl_version.h>
#endif

#include "versions.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static void print_mpi(void)
{
#if defined OMPI_MAJOR_VERSION
    printf("MPI:       Open MPI %d.%d.%d\n", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION);
#elif defined I_MPI_NUMVERSION
    printf("MPI:       Intel MPI %s\n", TEXT(I_MPI_NUMVERSION));
#elif defined MPICH_VERSION
    printf("MPI:       MPICH %s\n", MPICH_VERSION);
#else
    printf("MPI:       a library of standard %d.%d\n", MPI_VERSION, MPI_SUBVERSION);
#endif
}

/* OPENBLAS_VERSION is " OpenBLAS 0.3.21 ". */
static void print_openblas(void)
{
    char name[32] = "", version[32] = "unknown version";
    sscanf(OPENBLAS_VERSION, " %31s %31s", name, version);
    printf("OpenBLAS:  %s\n", version);
}

void elm_versions_print(void)
{
    printf("commit:    %s\n", ELMPI_GIT);
    print_mpi();
#ifdef ELM_HAVE_ONEDNN
    printf("oneDNN:    %d.%d.%d\n", DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH);
#else
    printf("oneDNN:    none: convolutions run on OpenBLAS\n");
#endif
    printf("HDF5:      %d.%d.%d\n", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
    print_openblas();
    printf("ScaLAPACK: %s\n", ELM_SCALAPACK_VERSION);
}

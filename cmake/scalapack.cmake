# ScaLAPACK, optional, of the MPI that was found: one of another MPI would bring that MPI into the program. Sets ELMPI_HAVE_SCALAPACK,
# ELMPI_SCALAPACK_NAME and the target elmpi_scalapack.
set(ELMPI_SCALAPACK_NAME "none: no --classifier lda, no Fisher spectrum")
set(scalapack_lost "elmpi-evaluate is built without --classifier lda and without the analysis' Fisher spectrum")
if(NOT ELMPI_SCALAPACK)
  string(APPEND ELMPI_SCALAPACK_NAME " (ELMPI_SCALAPACK=OFF)")
  message(STATUS "ELMPI_SCALAPACK=OFF: ${scalapack_lost}")
  return()
endif()

set(scalapack_debian "libscalapack-${ELMPI_MPI_FAMILY}-dev")
if(ELMPI_MPI_FAMILY STREQUAL "other")
  set(scalapack_debian "(of this MPI)")
endif()
find_library(SCALAPACK_LIBRARY NAMES scalapack-${ELMPI_MPI_FAMILY} scalapack)
if(NOT SCALAPACK_LIBRARY)
  message(WARNING "No ScaLAPACK for ${ELMPI_MPI_NAME} was found: ${scalapack_lost}. "
                  "Debian: apt-get install ${scalapack_debian}; Spack: spack install netlib-scalapack. Silence this with -DELMPI_SCALAPACK=OFF.")
  return()
endif()
elmpi_needed("${SCALAPACK_LIBRARY}" scalapack_needed)
elmpi_mpi_mismatch("${scalapack_needed}" mismatch)
if(mismatch)
  message(WARNING "ScaLAPACK (${SCALAPACK_LIBRARY}) is built for another MPI: it loads ${mismatch}, and elmpi uses ${ELMPI_MPI_NAME}. It is not used: ${scalapack_lost}. "
                  "Debian: apt-get install ${scalapack_debian}; Spack: spack install netlib-scalapack; then -DSCALAPACK_LIBRARY=/path. Silence this with -DELMPI_SCALAPACK=OFF.")
  return()
endif()

# It brings a BLAS of its own choice, so programs that do not call it must not load it.
add_library(elmpi_scalapack INTERFACE)
target_link_libraries(elmpi_scalapack INTERFACE "-Wl,--push-state,--as-needed,${SCALAPACK_LIBRARY},--pop-state")
set(ELMPI_HAVE_SCALAPACK TRUE)
get_filename_component(ELMPI_SCALAPACK_NAME "${SCALAPACK_LIBRARY}" REALPATH)

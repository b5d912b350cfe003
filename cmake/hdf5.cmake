# HDF5 1.10 or newer, the serial build. Sets ELMPI_HDF5_NAME.
set(HDF5_PREFER_PARALLEL FALSE)
find_package(HDF5 COMPONENTS C QUIET)
elmpi_require(HDF5_FOUND "HDF5" "libhdf5-dev" "hdf5 ~mpi")

if(NOT HDF5_VERSION)
  set(HDF5_VERSION "(no version)")
elseif(HDF5_VERSION VERSION_LESS 1.10)
  message(FATAL_ERROR "elmpi needs HDF5 1.10 or newer; found: HDF5 ${HDF5_VERSION} (${HDF5_C_INCLUDE_DIRS}).\n"
                      "  Its checkpoints are written in the format of 1.10. Install a newer HDF5 and name its folder with -DHDF5_ROOT=/path.")
elseif(HDF5_VERSION VERSION_GREATER_EQUAL 2)
  message(WARNING "HDF5 ${HDF5_VERSION} is newer than any that elmpi was tested with (1.10 to 1.14): run tools/test.sh before you rely on its checkpoints, "
                  "or name the folder of an HDF5 1.14 with -DHDF5_ROOT=/path.")
endif()

set(ELMPI_HDF5_NAME "${HDF5_VERSION}")
if(HDF5_IS_PARALLEL)
  string(APPEND ELMPI_HDF5_NAME " (parallel)")
  foreach(library IN LISTS HDF5_C_LIBRARIES)
    elmpi_needed("${library}" needed)
    elmpi_mpi_mismatch("${needed}" mismatch)
    if(mismatch)
      message(FATAL_ERROR "HDF5 ${HDF5_VERSION} (${library}) is a parallel build for another MPI: it loads ${mismatch}, and elmpi uses ${ELMPI_MPI_NAME}. "
                          "Two MPIs in one program do not work.\n  elmpi needs the serial HDF5 only. Debian: apt-get install libhdf5-dev; Spack: spack install hdf5 ~mpi; "
                          "then -DHDF5_ROOT=/path.")
    endif()
  endforeach()
endif()

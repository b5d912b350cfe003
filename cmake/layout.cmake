# How installed programs find what lies beside them.
# ELMPI_SHARE_FROM_BIN: from the folder of the programs to jobs/ and slurm/. A build folder gets the same layout by a link, so that its programs
# find the source's jobs.
file(RELATIVE_PATH ELMPI_SHARE_FROM_BIN ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_DATADIR}/elmpi)
cmake_path(SET share NORMALIZE ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${ELMPI_SHARE_FROM_BIN})
cmake_path(IS_PREFIX CMAKE_BINARY_DIR ${share} share_is_in_build)
if(share_is_in_build)
  file(MAKE_DIRECTORY ${share})
  foreach(folder jobs slurm)
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${share}/${folder} SYMBOLIC)
  endforeach()
endif()

option(ELMPI_RPATH "Programs remember where the libraries were found; OFF for distribution packages" ON)
# Libraries outside the system's folders (Spack, modules) are found by installed programs too.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ${ELMPI_RPATH})

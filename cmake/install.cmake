# What an installation has beside the programs, and how the programs find it.
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

# Libraries outside the system's folders (Spack, modules) are found by installed programs too.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ${ELMPI_RPATH})

install(DIRECTORY jobs DESTINATION ${CMAKE_INSTALL_DATADIR}/elmpi)
install(DIRECTORY slurm DESTINATION ${CMAKE_INSTALL_DATADIR}/elmpi USE_SOURCE_PERMISSIONS)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# cmake --build BUILD --target uninstall: what the last `cmake --install` of this folder has put somewhere, and the folders that this empties.
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -D BUILD=${CMAKE_BINARY_DIR} -P ${CMAKE_SOURCE_DIR}/cmake/uninstall.cmake VERBATIM)

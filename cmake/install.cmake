# What an installation has beside the programs.
install(DIRECTORY jobs DESTINATION ${CMAKE_INSTALL_DATADIR}/elmpi)
install(DIRECTORY slurm DESTINATION ${CMAKE_INSTALL_DATADIR}/elmpi USE_SOURCE_PERMISSIONS)
install(FILES README.md CONTRIBUTING.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# cmake --build BUILD --target uninstall: what the last `cmake --install` of this folder has put somewhere, and the folders that this empties.
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -D BUILD=${CMAKE_BINARY_DIR} -P ${CMAKE_SOURCE_DIR}/cmake/uninstall.cmake VERBATIM)

# A distribution's package names no folders of libraries.
if(NOT ELMPI_RPATH)
  get_target_property(options elmpi_openblas INTERFACE_LINK_OPTIONS)
  if(options)
    list(FILTER options EXCLUDE REGEX "rpath")
    set_target_properties(elmpi_openblas PROPERTIES INTERFACE_LINK_OPTIONS "${options}")
  endif()
endif()

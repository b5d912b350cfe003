# libelmpi: all modules as one shared library, with the public headers, a pkg-config file and a CMake package, for programs outside this tree
# (tests/library/example.c is one). elmpi's own programs do not need it: they are linked with the modules.
option(ELMPI_LIBRARY "libelmpi, its headers, pkg-config file and CMake package" ON)
if(NOT ELMPI_LIBRARY OR ELMPI_SANITIZE OR ELMPI_FUZZ)
  return()
endif()
get_property(objects GLOBAL PROPERTY ELMPI_OBJECTS)
get_property(links GLOBAL PROPERTY ELMPI_LINKS)
list(REMOVE_DUPLICATES links)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/library.map CONTENT "{ global: elm_*; local: *; };\n")
add_library(elmpi SHARED ${objects})
target_link_libraries(elmpi PRIVATE ${links} elmpi_flags)
set_target_properties(elmpi PROPERTIES LINKER_LANGUAGE C)
target_link_options(elmpi PRIVATE -Wl,--version-script=${CMAKE_BINARY_DIR}/library.map -Wl,--no-undefined)
target_include_directories(elmpi INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(elmpi PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_BINARY_DIR}/library.map)

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/elmpi)
install(TARGETS elmpi EXPORT elmpiTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT elmpiTargets NAMESPACE elmpi:: DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/elmpiConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/elmpiConfig.cmake CONTENT "include(\${CMAKE_CURRENT_LIST_DIR}/elmpiTargets.cmake)\n" @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/elmpiConfig.cmake ${CMAKE_BINARY_DIR}/elmpiConfigVersion.cmake DESTINATION ${package})
# ${pcfiledir}: the prefix may be another one than at configure time.
file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/elmpi.pc @ONLY CONTENT [=[
prefix=${pcfiledir}/@up@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: elmpi
Description: @PROJECT_DESCRIPTION@
Version: @PROJECT_VERSION@
Libs: -L${libdir} -lelmpi
Cflags: -I${includedir}
]=])
install(FILES ${CMAKE_BINARY_DIR}/elmpi.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY include/elmpi DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# ELMPI_GIT: the commit that is built, for checkpoints. Where there is no git cmake/commit.txt names it: git itself writes it into an archive
# (.gitattributes), tools/packaging/build-deb.sh into a package's source. Else it is the version alone.
set(ELMPI_GIT ${PROJECT_VERSION})
file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/commit.txt commit LIMIT_COUNT 1)
if(commit MATCHES "^[0-9A-Za-z.-]+$")
  set(ELMPI_GIT "${PROJECT_VERSION}-${commit}")
endif()
find_package(Git QUIET)
if(GIT_FOUND AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(described)
    set(ELMPI_GIT "${PROJECT_VERSION}-${described}")
    if(EXISTS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD) # a new commit configures anew
      set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
    endif()
  endif()
endif()

# elmpi_versions: commit and libraries for --version.
set(scalapack_version "none: no classifier lda, no spectra")
if(ELMPI_HAVE_SCALAPACK)
  set(scalapack_version "unknown version")
  get_filename_component(scalapack_name ${SCALAPACK_LIBRARY} NAME_WE)
  string(REGEX REPLACE "^lib" "" scalapack_name ${scalapack_name})
  pkg_check_modules(SCALAPACK_PC QUIET ${scalapack_name})
  if(SCALAPACK_PC_VERSION)
    set(scalapack_version ${SCALAPACK_PC_VERSION})
  endif()
endif()
add_library(elmpi_versions STATIC ${CMAKE_SOURCE_DIR}/cmake/versions.c)
target_include_directories(elmpi_versions PUBLIC ${CMAKE_SOURCE_DIR}/cmake
  PRIVATE $<TARGET_PROPERTY:MPI::MPI_C,INTERFACE_INCLUDE_DIRECTORIES> $<TARGET_PROPERTY:hdf5::hdf5,INTERFACE_INCLUDE_DIRECTORIES> ${OPENBLAS_INCLUDE_DIR})
target_compile_definitions(elmpi_versions PRIVATE ELMPI_GIT="${ELMPI_GIT}" ELM_SCALAPACK_VERSION="${scalapack_version}")
target_compile_options(elmpi_versions PRIVATE $<TARGET_PROPERTY:elmpi_flags,INTERFACE_COMPILE_OPTIONS>)
if(ELMPI_HAVE_ONEDNN)
  target_compile_definitions(elmpi_versions PRIVATE ELM_HAVE_ONEDNN)
  target_include_directories(elmpi_versions SYSTEM PRIVATE ${ONEDNN_INCLUDE_DIR})
endif()

# ELMPI_GIT: the commit that is built, for checkpoints; the version where there is no git (a release archive).
set(ELMPI_GIT ${PROJECT_VERSION})
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

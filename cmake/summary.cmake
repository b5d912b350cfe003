# What was found, for whoever configures and, in a file, for scripts (tools/test.sh).
set(processor "${CMAKE_SYSTEM_PROCESSOR}")
cmake_host_system_information(RESULT processor_name QUERY PROCESSOR_NAME)
if(NOT CMAKE_CROSSCOMPILING AND EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo model REGEX "^model name" LIMIT_COUNT 1)
  string(REGEX REPLACE "^[^:]*: *" "" processor_name "${model}")
endif()
if(processor_name)
  set(processor "${processor_name} (${CMAKE_SYSTEM_PROCESSOR})")
endif()
set(launcher "${ELMPI_MPI_LAUNCHER}")
if(NOT launcher)
  set(launcher "no launcher")
endif()
set(summary "CPU        ${processor}
compiler   ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}
MPI        ${ELMPI_MPI_NAME} (MPI ${MPI_C_VERSION}), ${launcher}
HDF5       ${ELMPI_HDF5_NAME}
oneDNN     ${ELMPI_ONEDNN_NAME}
OpenBLAS   ${ELMPI_OPENBLAS_NAME}
ScaLAPACK  ${ELMPI_SCALAPACK_NAME}
")
file(WRITE ${CMAKE_BINARY_DIR}/configuration.txt "${summary}")
string(STRIP "${summary}" summary)
string(REPLACE "\n" "\n--   " summary "${summary}")
message(STATUS "elmpi ${ELMPI_GIT}\n--   ${summary}")

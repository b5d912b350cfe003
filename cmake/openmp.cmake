# OpenMP of the compiler, and which run-time library it is: with two of them in a program, each starts a thread for every core.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -fopenmp)
check_c_source_compiles("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }" ELMPI_OPENMP_WORKS)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT ELMPI_OPENMP_WORKS)
  message(FATAL_ERROR "elmpi needs a compiler with OpenMP; found: ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION} (${CMAKE_C_COMPILER}), which builds no program with "
                      "-fopenmp.\n  gcc has it built in; for clang on Debian: apt-get install libomp-dev; elsewhere name another compiler with -DCMAKE_C_COMPILER=gcc.")
endif()
set(elmpi_openmp_ours libomp)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(elmpi_openmp_ours libgomp)
elseif(CMAKE_C_COMPILER_ID MATCHES "Intel")
  set(elmpi_openmp_ours libiomp5)
endif()

# elmpi_check_openmp(<what> <library>): warns where a library brings another OpenMP than the compiler's.
function(elmpi_check_openmp what library)
  elmpi_needed("${library}" needed)
  list(FILTER needed INCLUDE REGEX "^lib(gomp|omp|iomp5)[.]")
  list(FILTER needed EXCLUDE REGEX "^${elmpi_openmp_ours}[.]")
  if(needed)
    message(WARNING "${what} (${library}) was built with another OpenMP than elmpi: it loads ${needed}, and ${CMAKE_C_COMPILER_ID} uses ${elmpi_openmp_ours}. Both start threads "
                    "for all cores, and steps take longer. Use a build of ${what} with ${elmpi_openmp_ours}, or its compiler for elmpi (-DCMAKE_C_COMPILER=...).")
  endif()
endfunction()

# How elmpi is compiled. `elmpi_flags` carries it to every target.
add_library(elmpi_flags INTERFACE)
target_include_directories(elmpi_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_options(elmpi_flags INTERFACE -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes)
# Reductions may be vectorised where a kernel asks for it (omp simd), nowhere else: results stay what the source says.
target_compile_options(elmpi_flags INTERFACE -fopenmp -fno-math-errno -fno-trapping-math)
target_link_options(elmpi_flags INTERFACE -fopenmp -Wl,--build-id=sha1) # by it ranks tell whether they run the same build
if(ELMPI_MARCH)
  target_compile_options(elmpi_flags INTERFACE -march=${ELMPI_MARCH})
endif()
if(ELMPI_WERROR)
  target_compile_options(elmpi_flags INTERFACE -Werror)
endif()
if(ELMPI_SANITIZE)
  target_compile_options(elmpi_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(elmpi_flags INTERFACE -fsanitize=address,undefined)
endif()
if(ELMPI_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "ELMPI_FUZZ=ON needs clang, and the compiler is ${CMAKE_C_COMPILER_ID}: configure a new build folder with "
                        "-DCMAKE_C_COMPILER=clang (tests/fuzz/run.sh does it).\n  Debian/Ubuntu: apt-get install clang libclang-rt-dev libomp-dev")
  endif()
  # Recovering from undefined behaviour would let libFuzzer take it for a good run. Alignment, overflow and bounds are what is looked for.
  target_compile_options(elmpi_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(elmpi_flags INTERFACE -fsanitize=address,undefined)
endif()

# elmpi_room(<name> SOURCES ... USES rooms... LINKS libraries...): one room of the house, a static library.
function(elmpi_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LINKS" ${ARGN})
  add_library(elmpi_${name} STATIC ${ROOM_SOURCES})
  set_target_properties(elmpi_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  foreach(room IN LISTS ROOM_USES)
    target_link_libraries(elmpi_${name} PUBLIC elmpi_${room})
  endforeach()
  target_link_libraries(elmpi_${name} PRIVATE ${ROOM_LINKS} PUBLIC elmpi_flags)
endfunction()

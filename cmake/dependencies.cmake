# Libraries, each found once. What is missing is named together with the packages that bring it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(elmpi_require found what debian spack)
  if(NOT ${found})
    message(FATAL_ERROR "elmpi needs ${what}.\n  Debian/Ubuntu: apt-get install ${debian}\n  Spack: spack install ${spack}\n"
                        "  (tools/test.sh and tools/quickstart.sh install everything themselves)")
  endif()
endfunction()

# elmpi_needed(<library> <result>): what a shared library itself loads, by soname; empty for an archive, or where readelf is missing.
function(elmpi_needed library result)
  set(needed "")
  if(CMAKE_READELF AND EXISTS "${library}")
    execute_process(COMMAND ${CMAKE_READELF} -d ${library} OUTPUT_VARIABLE said ERROR_QUIET)
    string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*" lines "${said}")
    foreach(line IN LISTS lines)
      if(line MATCHES "\\[(.*)\\]")
        list(APPEND needed ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endif()
  set(${result} "${needed}" PARENT_SCOPE)
endfunction()

include(cmake/mpi.cmake)
include(cmake/hdf5.cmake)

pkg_check_modules(ARCHIVE QUIET IMPORTED_TARGET libarchive)
elmpi_require(ARCHIVE_FOUND "libarchive" "libarchive-dev" "libarchive")

pkg_check_modules(ZLIB QUIET IMPORTED_TARGET zlib)
elmpi_require(ZLIB_FOUND "zlib" "zlib1g-dev" "zlib")

# The version number is libjpeg-turbo's: reading part of an image came with its 1.5, and no other libjpeg has it.
pkg_check_modules(JPEG QUIET IMPORTED_TARGET libjpeg>=1.5)
if(JPEG_FOUND)
  include(CheckSymbolExists)
  set(CMAKE_REQUIRED_LIBRARIES PkgConfig::JPEG)
  check_symbol_exists(jpeg_crop_scanline "stdio.h;jpeglib.h" ELMPI_JPEG_IS_TURBO)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
elmpi_require(ELMPI_JPEG_IS_TURBO "libjpeg-turbo 1.5 or newer" "libjpeg-dev" "libjpeg-turbo")

pkg_check_modules(PNG QUIET IMPORTED_TARGET libpng)
elmpi_require(PNG_FOUND "libpng" "libpng-dev" "libpng")

pkg_check_modules(ZLIB QUIET IMPORTED_TARGET zlib)
elmpi_require(ZLIB_FOUND "zlib" "zlib1g-dev" "zlib")

pkg_check_modules(INIH QUIET IMPORTED_TARGET inih)
elmpi_require(INIH_FOUND "inih" "libinih-dev" "inih")

pkg_check_modules(YAJL QUIET IMPORTED_TARGET yajl)
elmpi_require(YAJL_FOUND "yajl" "libyajl-dev" "yajl")

pkg_check_modules(CRYPTO QUIET IMPORTED_TARGET libcrypto)
elmpi_require(CRYPTO_FOUND "OpenSSL's libcrypto" "libssl-dev" "openssl")

include(cmake/openmp.cmake)
include(cmake/openblas.cmake)
include(cmake/onednn.cmake)
include(cmake/scalapack.cmake)

if(ELMPI_TESTS)
  pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)
  elmpi_require(CMOCKA_FOUND "cmocka for the tests (or -DELMPI_TESTS=OFF)" "libcmocka-dev" "cmocka")
endif()

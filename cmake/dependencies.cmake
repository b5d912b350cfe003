# Libraries, each found once. What is missing is named together with the packages that bring it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(elmpi_require found what debian spack)
  if(NOT ${found})
    message(FATAL_ERROR "elmpi needs ${what}.\n  Debian/Ubuntu: apt-get install ${debian}\n  Spack: spack install ${spack}\n"
                        "  (tools/test.sh and tools/quickstart.sh install everything themselves)")
  endif()
endfunction()

find_package(MPI COMPONENTS C QUIET)
elmpi_require(MPI_C_FOUND "an MPI library (Open MPI)" "libopenmpi-dev openmpi-bin" "openmpi")

find_package(HDF5 COMPONENTS C QUIET)
elmpi_require(HDF5_FOUND "HDF5" "libhdf5-dev" "hdf5")

pkg_check_modules(ARCHIVE QUIET IMPORTED_TARGET libarchive)
elmpi_require(ARCHIVE_FOUND "libarchive" "libarchive-dev" "libarchive")

# The version number is libjpeg-turbo's: reading part of a picture came with its 1.5, and no other libjpeg has it.
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

# Debian keeps each OpenBLAS build in a folder of its own; the OpenMP one shares its threads with oneDNN and with elmpi.
find_path(OPENBLAS_INCLUDE_DIR NAMES cblas.h PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp openblas-openmp openblas)
find_library(OPENBLAS_LIBRARY NAMES openblas PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp openblas-openmp openblas)
if(OPENBLAS_INCLUDE_DIR AND OPENBLAS_LIBRARY)
  set(OPENBLAS_FOUND TRUE)
  add_library(elmpi_openblas INTERFACE)
  target_include_directories(elmpi_openblas SYSTEM INTERFACE ${OPENBLAS_INCLUDE_DIR})
  target_link_libraries(elmpi_openblas INTERFACE ${OPENBLAS_LIBRARY})
  get_filename_component(openblas_dir ${OPENBLAS_LIBRARY} DIRECTORY)
  target_link_options(elmpi_openblas INTERFACE -Wl,-rpath,${openblas_dir})
endif()
elmpi_require(OPENBLAS_FOUND "OpenBLAS (OpenMP build)" "libopenblas-openmp-dev" "openblas threads=openmp")

if(ELMPI_ONEDNN)
  find_path(ONEDNN_INCLUDE_DIR NAMES oneapi/dnnl/dnnl.h)
  find_library(ONEDNN_LIBRARY NAMES dnnl)
  if(ONEDNN_INCLUDE_DIR AND ONEDNN_LIBRARY)
    add_library(elmpi_onednn INTERFACE)
    target_include_directories(elmpi_onednn SYSTEM INTERFACE ${ONEDNN_INCLUDE_DIR})
    target_link_libraries(elmpi_onednn INTERFACE ${ONEDNN_LIBRARY})
    set(ELMPI_HAVE_ONEDNN TRUE)
  else()
    message(WARNING "oneDNN not found: convolutions run on OpenBLAS, several times slower. "
                    "Debian: apt-get install libdnnl-dev; Spack: spack install onednn. Silence this with -DELMPI_ONEDNN=OFF.")
  endif()
else()
  message(STATUS "ELMPI_ONEDNN=OFF: convolutions run on OpenBLAS, several times slower")
endif()

if(ELMPI_SCALAPACK)
  find_library(SCALAPACK_LIBRARY NAMES scalapack-openmpi scalapack)
  if(SCALAPACK_LIBRARY)
    # It brings a BLAS of its own choice, so programs that do not call it must not load it.
    add_library(elmpi_scalapack INTERFACE)
    target_link_libraries(elmpi_scalapack INTERFACE "-Wl,--push-state,--as-needed,${SCALAPACK_LIBRARY},--pop-state")
    set(ELMPI_HAVE_SCALAPACK TRUE)
  else()
    message(WARNING "ScaLAPACK not found: elmpi-evaluate is built without --classifier lda. "
                    "Debian: apt-get install libscalapack-openmpi-dev; Spack: spack install netlib-scalapack. Silence this with -DELMPI_SCALAPACK=OFF.")
  endif()
else()
  message(STATUS "ELMPI_SCALAPACK=OFF: elmpi-evaluate is built without --classifier lda")
endif()

if(ELMPI_TESTS)
  pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)
  elmpi_require(CMOCKA_FOUND "cmocka for the tests (or -DELMPI_TESTS=OFF)" "libcmocka-dev" "cmocka")
endif()

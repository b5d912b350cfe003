/* Input: what every fuzz target begins and ends with. A target hands any bytes whatever to one
 * of elmpi's readers, as a user would hand it a file from outside, and checks what the reader
 * promises for all of them: no crash (the sanitizers' part), an error with a text or a result,
 * nothing left allocated. */
#ifndef ELMPI_TESTS_FUZZ_INPUT_H
#define ELMPI_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

/** libFuzzer's entry, which each target defines. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/** A file in $TMPDIR. (One that exists in memory alone would be faster, but HDF5 does not open
 * those.) */
typedef struct fuzz_file {
    int descriptor;
    char path[256];
} fuzz_file;

fuzz_file fuzz_file_make(const void *bytes, size_t size_bytes);
/** With ELMPI_FUZZ_KEEP in the environment it becomes that file: what a script of hdf5_forge.h
 * made, say, to be kept as a regression. */
void fuzz_file_remove(fuzz_file *file);

/** Ends the program, so that the input is kept. */
_Noreturn void fuzz_fail(const char *promise);

static inline void fuzz_demand(bool good, const char *promise)
{
    if (!good)
        fuzz_fail(promise);
}

/** A call has returned `status`: on failure there must be an exit code and a text for the user. */
void fuzz_check_status(int status, const elm_error *err);

/** Blocks that the target allocated must have been freed by its end. */
int64_t fuzz_begin(void);
void fuzz_end(int64_t begun);

/** Takes numbers off the front of the input; 0 when it is used up. */
typedef struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
} fuzz_bytes;

unsigned fuzz_take(fuzz_bytes *bytes, unsigned below);

#endif

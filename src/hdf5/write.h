/* HDF5 write: what HDF5's writers need besides HDF5. */
#ifndef ELMPI_HDF5_WRITE_H
#define ELMPI_HDF5_WRITE_H

#include <hdf5.h>

#include "elmpi/output.h"

/** Creates an HDF5 file (bounds V110) where the output is written (begun with ELM_OUTPUT_SEEK).
 * -1 on failure, which is noted. */
hid_t elm_h5_create(elm_output *output, hid_t creation);

/** Everything to the file, which is then closed; after a failure, of this call or noted before,
 * it is given up. */
void elm_h5_finish(hid_t file, elm_output *output);

/** The file is given up: what HDF5 still writes, now and while it is closed, goes nowhere. HDF5
 * 1.10 cannot close a file on a disk that is full, and crashes at the end of a process that
 * holds such a file. The caller closes what it has open. */
void elm_h5_give_up(hid_t file);

#endif

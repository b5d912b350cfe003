/* HDF5 probe: reads all of an array, to see whether its file can be trusted. */
#ifndef ELMPI_HDF5_PROBE_H
#define ELMPI_HDF5_PROBE_H

#include "hdf5/read.h"

/** Reads whatever HDF5's structures say of an array, and its values too where they are at most
 * 256 MiB: for the process that reads a file first (base/file/guard.h). 0, or -1 where they
 * contradict each other. */
int elm_h5_probe(const elm_h5_array *array);

#endif

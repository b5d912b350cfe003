/* Broadcast: a checkpoint shared by all ranks. */
#ifndef ELMPI_CHECKPOINT_BROADCAST_H
#define ELMPI_CHECKPOINT_BROADCAST_H

#include "elmpi/checkpoint.h"
#include "elmpi/comm.h"

/** Hands rank 0's checkpoint to all: every other rank gets a copy of its own, tensors included.
 *  Ranks:  collective; *checkpoint counts on rank 0 only
 *  Owns:   the caller calls elm_checkpoint_free
 *  Errors: memory, agreed by all ranks; rank 0 keeps *checkpoint, it is NULL elsewhere */
int elm_checkpoint_broadcast_all(elm_comm *comm, elm_checkpoint **checkpoint, elm_error *err);

/** Reads a checkpoint on rank 0 and hands it to all: every rank gets a copy of its own, tensors
 * included.
 *  Ranks:  collective; `path` counts on rank 0 only
 *  Owns:   the caller calls elm_checkpoint_free
 *  Errors: elm_checkpoint_read's and memory, agreed by all ranks; *checkpoint is NULL then */
int elm_checkpoint_read_all(elm_comm *comm, const char *path, elm_checkpoint **checkpoint,
                            elm_error *err);

#endif

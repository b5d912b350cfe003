/* Grid: the ranks of a job as rows and columns, and matrices laid over them in blocks, as
 * ScaLAPACK wants them. */
#ifndef ELMPI_COMM_GRID_H
#define ELMPI_COMM_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/comm.h"

typedef struct elm_grid elm_grid;

/** Where this rank stands. Ranks beyond rows * columns take no part: row and column are -1. */
typedef struct elm_grid_place {
    int context; /* BLACS context, for ScaLAPACK's descriptors; -1 outside */
    int rows, columns, row, column;
} elm_grid_place;

/** Lays the first rows * columns ranks out row by row; rows 0: as square as all ranks allow.
 *  Ranks:  collective; rows and columns must agree
 *  Owns:   the caller, until elm_grid_destroy_all, before elm_comm_finish_all
 *  Errors: ELM_EXIT_USAGE for a grid that the ranks do not fill; memory: agreed by all ranks */
int elm_grid_create_all(elm_grid **grid, elm_comm *comm, int rows, int columns, elm_error *err);
/** Ranks:  collective. Accepts NULL. */
void elm_grid_destroy_all(elm_grid *grid);

elm_grid_place elm_grid_where(const elm_grid *grid);

/** Whether it is true on all ranks of a grid.
 *  Ranks:  collective over the grid's; those outside must not call */
bool elm_grid_agree_all(elm_grid_place place, bool mine);

/** How many of `count` rows (or columns), dealt out in blocks, the `place`-th of `places` holds;
 * 0 for place -1. */
int64_t elm_grid_share(int64_t count, int64_t block, int place, int places);
/** Which row (or column) of the whole its `local`-th one is. */
int64_t elm_grid_index(int64_t local, int64_t block, int place, int places);

#endif

/* Process grids: every cell of a matrix lies on exactly one rank, whatever the grid and the
 * block; grids that do not fit are refused. */

#include "comm/grid.h"
#include "elmpi/memory.h"

static int failures = 0;

static void expect(int holds)
{
    failures += !holds;
}

/* Each rank adds 1 to its cells; all must then be 1. */
static void check_cover(elm_comm *comm, int rows, int columns, int64_t n, int64_t block)
{
    elm_grid *grid = NULL;
    elm_error err;
    const int created = elm_grid_create_all(&grid, comm, rows, columns, &err);
    expect(created == 0);
    if (created != 0)
        return;
    const elm_grid_place p = elm_grid_where(grid);
    int64_t owners[37 * 37] = {0};
    const int64_t local_rows = elm_grid_share(n, block, p.row, p.rows),
                  local_columns = elm_grid_share(n, block, p.column, p.columns);
    for (int64_t i = 0; i < local_rows; i++)
        for (int64_t j = 0; j < local_columns; j++)
            owners[elm_grid_index(i, block, p.row, p.rows) * n +
                   elm_grid_index(j, block, p.column, p.columns)]++;
    elm_comm_sum_counts_all(comm, owners, n * n);
    for (int64_t i = 0; i < n * n; i++)
        expect(owners[i] == 1);
    elm_grid_destroy_all(grid);
}

int main(int argc, char **argv)
{
    elm_comm *comm = NULL;
    elm_error err;
    if (elm_comm_start_all(&comm, &argc, &argv, &err) != 0)
        return 1;
    const int size = elm_comm_size(comm);
    const int64_t lengths[] = {1, 2, 5, 37}, blocks[] = {1, 3, 8, 64};
    for (int l = 0; l < 4; l++)
        for (int b = 0; b < 4; b++) {
            for (int rows = 1; rows <= size; rows++)
                /* 3 ranks as 2 x 1: one is left over */
                check_cover(comm, rows, size / rows, lengths[l], blocks[b]);
            check_cover(comm, 0, 0, lengths[l], blocks[b]);
        }
    elm_grid *grid = NULL;
    expect(elm_grid_create_all(&grid, comm, size + 1, 1, &err) == -1 && grid == NULL &&
           err.code == ELM_EXIT_USAGE);
    expect(elm_alloc_live() <= 1); /* the comm itself */
    elm_comm_finish_all(comm);
    return failures != 0;
}

/* A BLACS grid of its own per elm_grid: its messages travel on a duplicate of the communicator
 * and cannot be confused with others. */
#include "comm/grid.h"

#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

/* BLACS ships no header. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
void Cblacs_gridexit(int context);
void Cigamn2d(int context, const char *scope, const char *topology, int rows, int columns, int *a,
              int lda, int *row_of, int *column_of, int places, int row, int column);

struct elm_grid {
    MPI_Comm comm;
    int handle;
    elm_grid_place place;
};

static void most_square(int size, int *rows, int *columns)
{
    for (int r = 1; r * r <= size; r++)
        if (size % r == 0) {
            *rows = r;
            *columns = size / r;
        }
}

int elm_grid_create_all(elm_grid **out, elm_comm *comm, int rows, int columns, elm_error *err)
{
    *out = NULL;
    if (rows == 0)
        most_square(comm->size, &rows, &columns);
    if (rows < 1 || columns < 1 || columns > comm->size / rows)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "a grid of %d x %d does not fit on %d ranks (process grid): choose a smaller one", rows,
            columns, comm->size);
    elm_grid *grid = elm_alloc(1, sizeof *grid, err);
    if (elm_comm_agree_all(comm, grid != NULL ? 0 : -1, err) != 0 || grid == NULL) {
        elm_free(grid);
        return -1;
    }
    ELM_MPI(MPI_Comm_dup(comm->world, &grid->comm));
    grid->handle = Csys2blacs_handle(grid->comm);
    grid->place = (elm_grid_place){grid->handle, rows, columns, -1, -1};
    Cblacs_gridinit(&grid->place.context, "Row", rows, columns);
    if (comm->rank < rows * columns)
        Cblacs_gridinfo(grid->place.context, &rows, &columns, &grid->place.row,
                        &grid->place.column);
    else
        grid->place.context = -1;
    *out = grid;
    return 0;
}

bool elm_grid_agree_all(elm_grid_place place, bool mine)
{
    int least = mine, nobody = 0;
    Cigamn2d(place.context, "All", " ", 1, 1, &least, 1, &nobody, &nobody, -1, -1, -1);
    return least == 1;
}

void elm_grid_destroy_all(elm_grid *grid)
{
    if (grid == NULL)
        return;
    if (grid->place.context >= 0)
        Cblacs_gridexit(grid->place.context);
    Cfree_blacs_system_handle(grid->handle);
    ELM_MPI(MPI_Comm_free(&grid->comm));
    elm_free(grid);
}

elm_grid_place elm_grid_where(const elm_grid *grid)
{
    return grid->place;
}

int64_t elm_grid_share(int64_t count, int64_t block, int place, int places)
{
    if (place < 0)
        return 0;
    const int64_t before = (count / (block * places)) * block,
                  rest = count % (block * places) - place * block;
    return before + (rest < 0 ? 0 : rest < block ? rest : block);
}

int64_t elm_grid_index(int64_t local, int64_t block, int place, int places)
{
    return (local / block * places + place) * block + local % block;
}

/* Leaks, one of them in an OpenMP region, and a read of what nobody wrote, planted beside
 * libraries' own: LeakSanitizer has to find the first leak, valgrind all. */
#include <stdio.h>
#include <stdlib.h>

#include "elmpi/comm.h"

static void *lose(size_t size)
{
    char *memory = malloc(size);
    return memory[size / 2] == 'x' ? memory : NULL;
}

int main(int argc, char **argv)
{
    elm_comm *comm = NULL;
    elm_error err = {0};
    if (elm_comm_start_all(&comm, &argc, &argv, &err))
        return 2;
    printf("%p\n", lose(4321));
#pragma omp parallel num_threads(2)
    {
        void *mine = lose(8765);
#pragma omp critical
        printf("%p\n", mine);
    }
    elm_comm_finish_all(comm);
    return 0;
}

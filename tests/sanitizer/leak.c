/* A leak and a read of what nobody wrote, planted beside a library's own: valgrind and LeakSanitizer have to find the leak, valgrind both.
 */
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
    elm_comm_finish_all(comm);
    return 0;
}

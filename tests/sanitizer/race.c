/* A data race, planted: ThreadSanitizer has to find it. */
#include <pthread.h>

static int shared;

static void *add(void *context)
{
    for (int i = 0; i < 100000; i++)
        shared++;
    return context;
}

int main(void)
{
    pthread_t other;
    if (pthread_create(&other, NULL, add, NULL))
        return 2;
    add(NULL);
    pthread_join(other, NULL);
    return shared == 0;
}

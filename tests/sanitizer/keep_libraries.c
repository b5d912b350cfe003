/* Sanitizers name a library by the place where it is loaded: none is unloaded, or Open MPI's
 * plug-ins would have left when leaks are looked for. */
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

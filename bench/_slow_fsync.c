/* A disk whose flushes take longer: loaded before the C library (LD_PRELOAD), it adds so many microseconds to each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void linger(void)
{
    const char *added = getenv("SLOW_FSYNC_US");
    if (added)
        usleep((useconds_t)atoi(added));
}

int fsync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    linger();
    return next(fd);
}

int fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    linger();
    return next(fd);
}

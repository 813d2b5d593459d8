/* Preloaded into a test's process: makes a chosen write, truncation or fsync of a store's files fail.
 *
 * disk_fail(n, error, sticky): the n-th call from now on fails with `error`, and all later ones if
 * `sticky`; n = 0 ends it. disk_calls(): calls since then. Files whose name has ".db" count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fail_at, fail_error, fail_sticky, calls;

void disk_fail(int at, int error, int sticky) {
    fail_at = at, fail_error = error, fail_sticky = sticky, calls = 0;
}

int disk_calls(void) { return calls; }

static int fails(int fd) {
    char link[64], path[512];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, ".db")) return 0;
    calls++;
    if (fail_at == 0 || (fail_sticky ? calls < fail_at : calls != fail_at)) return 0;
    errno = fail_error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    return fails(fd) ? -1 : REAL(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fails(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fails(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}
int ftruncate(int fd, off_t size) { return fails(fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fails(fd) ? -1 : REAL(ftruncate64)(fd, size); }
int fsync(int fd) { return fails(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : REAL(fdatasync)(fd); }

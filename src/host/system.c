/* SPDX-License-Identifier: MIT */
#include "host/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/sha256.h"

int peri_system_mkdirs(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return ENOMEM;
    int status = 0;
    const size_t n = strlen(copy);
    for (size_t i = 1; i <= n && status == 0; i++) {
        if (copy[i] != '/' && copy[i] != '\0')
            continue;
        const char kept = copy[i];
        struct stat st;
        copy[i] = '\0';
        if (mkdir(copy, 0777) != 0) {
            status = errno;
            if (status == EEXIST || status == EROFS || status == EACCES)
                status = stat(copy, &st) == 0 ? (S_ISDIR(st.st_mode) ? 0 : ENOTDIR) : status;
        }
        copy[i] = kept;
    }
    free(copy);
    return status;
}

char peri_system_kind(const char *path, size_t *size)
{
    struct stat st;
    *size = 0;
    if (stat(path, &st) != 0)
        return 0;
    if (S_ISREG(st.st_mode))
        *size = (size_t)st.st_size;
    return S_ISREG(st.st_mode) ? 'f' : S_ISDIR(st.st_mode) ? 'd' : 'o';
}

/* Opens a regular file; O_NONBLOCK since a pipe would be waited for before it can be told. */
static int open_regular(const char *path, int *fd, struct stat *st)
{
    memset(st, 0, sizeof *st);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return errno;
    int status = fstat(*fd, st) != 0 ? errno : S_ISDIR(st->st_mode) ? EISDIR : 0;
    if (status == 0 && !S_ISREG(st->st_mode))
        status = EINVAL;
    if (status != 0)
        close(*fd);
    return status;
}

int peri_system_stat(const char *path, peri_system_file *file)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EINVAL;
    *file = (peri_system_file){st.st_dev, st.st_ino, (unsigned long long)st.st_size,
                               (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
    return 0;
}

int peri_system_hash(const char *path, bool (*stopped)(void *), void *context, char hex[65])
{
    int fd;
    struct stat st;
    int status = open_regular(path, &fd, &st);
    if (status != 0)
        return status;
    char chunk[1 << 16];
    peri_sha256 sha;
    ssize_t n;
    peri_sha256_start(&sha);
    while (status == 0 &&
           ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR) || n < 0)) {
        if (n < 0 && errno != EINTR)
            status = errno;
        else if (stopped != NULL && stopped(context))
            status = EINTR;
        else if (n > 0)
            peri_sha256_add(&sha, chunk, (size_t)n);
    }
    close(fd);
    peri_sha256_finish(&sha, hex);
    return status;
}

int peri_system_read(const char *path, size_t most, bool last, char **bytes, size_t *n,
                     size_t *size)
{
    int fd;
    struct stat st;
    int status = open_regular(path, &fd, &st);
    if (status != 0)
        return status;
    *size = (size_t)st.st_size;
    const size_t wanted = *size < most ? *size : most;
    off_t at = last ? (off_t)(*size - wanted) : 0;
    *n = 0;
    *bytes = malloc(wanted + 1);
    if (*bytes == NULL)
        status = ENOMEM;
    while (status == 0 && *n < wanted) {
        const ssize_t got = pread(fd, *bytes + *n, wanted - *n, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = errno;
        if (got <= 0)
            break;
        *n += (size_t)got;
        at += got;
    }
    close(fd);
    if (status != 0) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

void peri_system_base64(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = bytes;
    for (; n > 0; p += 3, n -= n < 3 ? n : 3) {
        const unsigned bits =
            (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? (unsigned)p[2] : 0);
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = n > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = n > 2 ? digits[bits & 63] : '=';
    }
    *out = '\0';
}

int peri_system_lock(const char *path, int *fd, long *holder)
{
    char text[32] = "";
    *holder = 0;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*fd < 0)
        return errno;
    int status = flock(*fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    /* Such as Lustre without its option flock, and some of FUSE. */
    if (status == ENOSYS || status == EOPNOTSUPP || status == ENOLCK || status == EINVAL)
        status = ENOTSUP;
    if (status == 0 || status == ENOTSUP) {
        const int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(*fd, 0) != 0 || write(*fd, text, (size_t)n) != n)
            status = errno;
    } else if (read(*fd, text, sizeof text - 1) > 0) {
        *holder = strtol(text, NULL, 10);
    }
    if (status != 0 && status != ENOTSUP) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

void peri_system_cpu(char *name, size_t size)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");
    snprintf(name, size, "unknown");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", colon + (colon[1] == ' ' ? 2 : 1));
        break;
    }
    if (f != NULL)
        fclose(f);
}

double peri_system_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

size_t peri_system_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

int peri_system_columns(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

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

int peri_system_hash(const char *path, char hex[65])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    char chunk[1 << 16];
    peri_sha256 sha;
    ssize_t n;
    peri_sha256_start(&sha);
    while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            peri_sha256_add(&sha, chunk, (size_t)n);
    const int status = n < 0 ? errno : 0;
    close(fd);
    peri_sha256_finish(&sha, hex);
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
    if (status == 0) {
        const int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(*fd, 0) != 0 || write(*fd, text, (size_t)n) != n)
            status = errno;
    } else if (read(*fd, text, sizeof text - 1) > 0) {
        *holder = strtol(text, NULL, 10);
    }
    if (status != 0) {
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

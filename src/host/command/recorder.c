/* SPDX-License-Identifier: MIT */
#include "host/command/recorder.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/mpi.h"

/* A path that was asked for. What the job itself wrote, before or after it read it, says nothing of
 * what it depends on. */
typedef struct noted {
    struct noted *next;
    bool written;
    char path[];
} noted;

enum { BUCKETS = 1 << 10, MOST = 1 << 16 };

static struct {
    noted *buckets[BUCKETS];
    size_t count;
    char *folder;
    pthread_mutex_t lock;
} record = {.lock = PTHREAD_MUTEX_INITIALIZER};

FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fopen64(const char *path, const char *mode);
int __real_open(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __real_stat(const char *path, struct stat *st);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_stat(const char *path, struct stat *st);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

/* Whether the system makes it up, or it is the job's own. */
static bool is_left_out(const char *path)
{
    static const char *const folders[] = {"/proc/", "/sys/", "/dev/"};
    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++)
        if (strncmp(path, folders[k], strlen(folders[k])) == 0)
            return true;
    const size_t n = strlen(record.folder);
    return strncmp(path, record.folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static noted **bucket_of(const char *path)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = path; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return &record.buckets[hash % BUCKETS];
}

static void note(const char *path, bool written)
{
    if (record.folder == NULL || path == NULL || *path == '\0' || is_left_out(path))
        return;
    pthread_mutex_lock(&record.lock);
    noted **const bucket = bucket_of(path);
    noted *p = *bucket;
    while (p != NULL && strcmp(p->path, path) != 0)
        p = p->next;
    const size_t n = strlen(path) + 1;
    if (p == NULL && record.count < MOST && (p = malloc(sizeof *p + n)) != NULL) {
        p->next = *bucket;
        p->written = false;
        memcpy(p->path, path, n);
        *bucket = p;
        record.count++;
    }
    if (p != NULL)
        p->written |= written;
    pthread_mutex_unlock(&record.lock);
}

static void finish(void)
{
    char path[4096];
    char rank[16] = ""; /* each rank of a job leaves its own */
    if (peri_mpi_rank() > 0)
        snprintf(rank, sizeof rank, "-%d", peri_mpi_rank());
    if (snprintf(path, sizeof path, "%s/.reads%s", record.folder, rank) >= (int)sizeof path)
        return;
    /* Whatever stands there, such as a pipe, which would wait for a reader. */
    unlink(path);
    FILE *f = __real_fopen(path, "wxe");
    if (f == NULL)
        return;
    for (size_t k = 0; k < BUCKETS; k++)
        for (const noted *p = record.buckets[k]; p != NULL; p = p->next)
            if (!p->written)
                fwrite(p->path, 1, strlen(p->path) + 1, f);
    fclose(f);
}

void peri_recorder_start(const char *folder)
{
    record.folder = strdup(folder);
    if (record.folder != NULL)
        atexit(finish);
}

static bool writes(const char *mode)
{
    return strpbrk(mode, "wa+") != NULL && mode[0] != 'r';
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    note(path, writes(mode));
    return __real_fopen(path, mode);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    note(path, writes(mode));
    return __real_fopen64(path, mode);
}

#define OPEN(real)                                                                                 \
    va_list list;                                                                                  \
    va_start(list, flags);                                                                         \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;           \
    va_end(list);                                                                                  \
    note(path, (flags & O_ACCMODE) != O_RDONLY);                                                   \
    return real(path, flags, mode)

int __wrap_open(const char *path, int flags, ...)
{
    OPEN(__real_open);
}

int __wrap_open64(const char *path, int flags, ...)
{
    OPEN(__real_open64);
}

int __wrap_stat(const char *path, struct stat *st)
{
    note(path, false);
    return __real_stat(path, st);
}

int __wrap_rename(const char *from, const char *to)
{
    note(from, true);
    note(to, true);
    return __real_rename(from, to);
}

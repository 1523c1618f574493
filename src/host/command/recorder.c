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

/* A set of paths, with open addressing. What the job itself wrote, before or after it read it, says
 * nothing of what it depends on. */
typedef struct {
    char *path;
    bool written;
} entry;

enum { MOST = 1 << 16 };

static struct {
    entry *entries;
    size_t size, count;
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

static entry *find(const char *path)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = path; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    size_t at = (size_t)hash & (record.size - 1);
    while (record.entries[at].path != NULL && strcmp(record.entries[at].path, path) != 0)
        at = (at + 1) & (record.size - 1);
    return &record.entries[at];
}

static bool grow(void)
{
    entry *const before = record.entries;
    const size_t size = record.size;
    entry *const entries = calloc(size != 0 ? 2 * size : 64, sizeof *entries);
    if (entries == NULL)
        return false;
    record.entries = entries;
    record.size = size != 0 ? 2 * size : 64;
    for (size_t k = 0; k < size; k++)
        if (before[k].path != NULL)
            *find(before[k].path) = before[k];
    free(before);
    return true;
}

static void note(const char *path, bool written)
{
    if (record.folder == NULL || path == NULL || *path == '\0' || is_left_out(path))
        return;
    pthread_mutex_lock(&record.lock);
    if (2 * record.count < record.size || (record.count < MOST && grow())) {
        entry *e = find(path);
        if (e->path == NULL && (e->path = strdup(path)) != NULL)
            record.count++;
        e->written |= written && e->path != NULL;
    }
    pthread_mutex_unlock(&record.lock);
}

static void finish(void)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/.reads", record.folder) >= (int)sizeof path)
        return;
    /* Whatever stands there, such as a pipe, which would wait for a reader. */
    unlink(path);
    FILE *f = __real_fopen(path, "wxe");
    if (f == NULL)
        return;
    for (size_t k = 0; k < record.size; k++)
        if (record.entries[k].path != NULL && !record.entries[k].written)
            fwrite(record.entries[k].path, 1, strlen(record.entries[k].path) + 1, f);
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

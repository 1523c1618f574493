/* SPDX-License-Identifier: MIT
 *
 * What the runner and an experiment ask of the machine: folders, locks, times, names. No Lua.
 * Functions that can fail return 0 or an errno value.
 */
#ifndef PERIGEE_HOST_SYSTEM_H
#define PERIGEE_HOST_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the folder and those above it. 0 when it is there already. */
int peri_system_mkdirs(const char *path);

/* 'f' a regular file, 'd' a folder, 'o' something else, 0 nothing there. *size: bytes of a file. */
char peri_system_kind(const char *path, size_t *size);

/* A regular file by what tells it from another and one state of it from the next. */
typedef struct {
    unsigned long long device, inode, size;
    long long changed; /* nanoseconds since 1970 */
} peri_system_file;

/* EINVAL when it is no regular file. Nothing here waits for a pipe. */
int peri_system_stat(const char *path, peri_system_file *file);

/* The SHA-256 of a regular file, as peri_sha256_finish writes it. EINTR once stopped() is true. */
int peri_system_hash(const char *path, bool (*stopped)(void *), void *context, char hex[65]);

/* Reads at most `most` bytes of a regular file into memory from malloc, the last ones when `last`,
 * else the first. *size: how many bytes the file has. */
int peri_system_read(const char *path, size_t most, bool last, char **bytes, size_t *n,
                     size_t *size);

/* Writes base64 of n bytes and a NUL: 4 * ((n + 2) / 3) + 1 bytes. */
void peri_system_base64(const void *bytes, size_t n, char *out);

/* Opens (and makes) the file and takes an exclusive lock on it, which lasts until the descriptor
 * is closed or the process ends. EWOULDBLOCK when another process holds it; *holder is then the
 * number that process wrote into the file, 0 if none can be read. ENOTSUP where the file system
 * knows no locks; the file is open then all the same, with this process's number in it. */
int peri_system_lock(const char *path, int *fd, long *holder);

/* The processor's name as /proc/cpuinfo gives it, "unknown" where it does not. */
void peri_system_cpu(char *name, size_t size);

/* Seconds since 1970 with fractions, and the most memory this process was resident with. */
double peri_system_now(void);
size_t peri_system_peak(void);

/* Columns of the terminal at fd, 0 if it is none. */
int peri_system_columns(int fd);

#endif

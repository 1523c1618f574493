/* SPDX-License-Identifier: MIT
 *
 * Files out, so that nothing is lost. Links are followed to the file they mean. Where that is
 * absent or a regular file, the bytes go to a temporary file beside it, which is synchronised
 * and takes its place when all of them are there; until then the old file is as it was.
 * Anything else (a device, a pipe) is written directly, each write checked; a closed pipe is an
 * error and no signal.
 */
#ifndef PERIGEE_FORMAT_WRITER_H
#define PERIGEE_FORMAT_WRITER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "format/fault.h"

typedef struct {
    int fd; /* -1: closed */
    bool direct, sync;
    uint64_t at; /* of the next byte */
    size_t used;
    char target[PATH_MAX], temporary[PATH_MAX];
    unsigned char buffer[32 * 1024];
} peri_writer;

/* sync: whether commit waits until the bytes are on the disk. */
peri_io peri_writer_open(peri_writer *w, const char *path, bool sync, peri_fault *fault);
peri_io peri_writer_write(peri_writer *w, const void *data, size_t n, peri_fault *fault);

/* Goes to an offset already written; not on pipes. */
peri_io peri_writer_seek(peri_writer *w, uint64_t offset, peri_fault *fault);

/* Makes the file what was written. On failure the temporary file is gone and the old one there. */
peri_io peri_writer_commit(peri_writer *w, peri_fault *fault);

/* Gives up; nothing after commit, so it may follow in any case. */
void peri_writer_abort(peri_writer *w);

/* All of it in one call. */
peri_io peri_writer_save(const char *path, const void *data, size_t n, bool sync,
                         peri_fault *fault);

#endif

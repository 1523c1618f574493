/* SPDX-License-Identifier: MIT
 *
 * Where every reader gets its bytes: a file or a block of memory, as it is or inflated from gzip
 * while it is read. One struct, owned by whoever declared it; close may be called twice.
 *
 * Content is counted from 0: `position` is the offset of the next byte a reader sees. A limit
 * bounds the content taken; nothing believes a length that peri_source_at_most() contradicts.
 *
 * gzip: RFC 1952, several members after one another, zero bytes of padding after the last one.
 * Anything else after it, a wrong CRC or length, a reserved flag or a cut stream is refused.
 */
#ifndef PERIGEE_FORMAT_SOURCE_H
#define PERIGEE_FORMAT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "format/fault.h"
#include "format/memory.h"
#include "kernel/stop.h"

enum { PERI_WINDOW = 256 * 1024 }; /* the most that can be looked at in one piece */

typedef struct peri_source {
    peri_memory memory;
    const peri_stop *stop; /* may be NULL */
    uint64_t limit;        /* bytes of content, at most */

    /* the raw side: a descriptor, a function, or memory already at hand */
    int fd; /* -1: none */
    size_t (*pull)(void *ud, void *out, size_t n, peri_io *status, peri_fault *fault);
    void *pull_ud;
    uint64_t raw_size; /* PERI_NO_BYTE where it is not known */
    uint64_t raw_taken;
    unsigned char *input; /* compressed bytes, when inflating */
    size_t input_size;

    /* the content side */
    unsigned char *window;
    size_t window_size; /* 0: the window is somebody else's memory */
    size_t start, end;
    uint64_t position;

    /* gzip */
    z_stream z;
    gz_header header;
    bool inflating, in_member, z_open;
    bool ours;             /* the member's checksum is computed here, not by zlib */
    uint32_t crc, length;  /* of the member so far */
    unsigned char tail[8]; /* the last compressed bytes taken */
    bool ended;            /* the raw side has no more */
} peri_source;

/* A closed source: what a userdata holds before anything is acquired. */
void peri_source_init(peri_source *s, const peri_memory *memory, const peri_stop *stop,
                      uint64_t limit);
peri_io peri_source_open(peri_source *s, const char *path, peri_fault *fault);

/* The bytes must live as long as the source. */
void peri_source_bytes(peri_source *s, const void *data, size_t size);

/* Raw bytes from a function: it returns how many it put at out (0: no more), or sets *status and
 * *fault. raw_size as above. */
peri_io peri_source_function(peri_source *s,
                             size_t (*pull)(void *, void *, size_t, peri_io *, peri_fault *),
                             void *ud, uint64_t raw_size, peri_fault *fault);

/* Whether the content begins as gzip does; from then on it is inflated. Only before anything has
 * been taken. */
peri_io peri_source_gunzip(peri_source *s, bool *is_gzip, peri_fault *fault);

void peri_source_close(peri_source *s);

/* *bytes points to the next *count bytes of content, count being at least n (n <= PERI_WINDOW)
 * unless the content ends before. Nothing is taken. */
peri_io peri_source_peek(peri_source *s, size_t n, const unsigned char **bytes, size_t *count,
                         peri_fault *fault);

/* Takes n bytes that peek has shown. */
static inline void peri_source_skip(peri_source *s, size_t n)
{
    s->start += n;
    s->position += n;
}

/* Passes over n bytes: read where it must be, jumped over in a plain file. */
peri_io peri_source_advance(peri_source *s, uint64_t n, peri_fault *fault);

/* Exactly n bytes, or PERI_IO_BAD "the file ends early". */
peri_io peri_source_read(peri_source *s, void *out, size_t n, peri_fault *fault);

/* As peek, but fewer than n is PERI_IO_BAD "the file ends early". */
peri_io peri_source_need(peri_source *s, size_t n, const unsigned char **bytes, peri_fault *fault);

/* No more than this many bytes of content can follow. Deflate turns a byte into at most 1032. */
uint64_t peri_source_at_most(const peri_source *s);

/* PERI_IO_OK when `bytes` of content can still follow, else the fault that says so. */
peri_io peri_source_claim(const peri_source *s, uint64_t bytes, const char *what,
                          peri_fault *fault);

/* Reads to the end, so that a checksum there is checked. *extra: bytes of content that were left.
 */
peri_io peri_source_finish(peri_source *s, uint64_t *extra, peri_fault *fault);

/* All that is left, as one block out of the source's memory (capacity *taken for give-back). */
peri_io peri_source_slurp(peri_source *s, unsigned char **out, size_t *length, size_t *taken,
                          peri_fault *fault);

/* zlib's two hooks over a peri_memory (opaque). */
void *peri_zlib_take(void *memory, unsigned items, unsigned size);
void peri_zlib_give(void *memory, void *block);

#endif

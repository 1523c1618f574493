/* SPDX-License-Identifier: MIT
 *
 * What a reader or writer says when it cannot go on: the kind, the place, a static phrase, and at
 * most one short piece of detail (a name from the file, two numbers), printable and bounded. The
 * binding joins them to `PATH: reason detail (byte N)`.
 */
#ifndef PERIGEE_FORMAT_FAULT_H
#define PERIGEE_FORMAT_FAULT_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    PERI_IO_OK = 0,
    PERI_IO_END,     /* no more bytes */
    PERI_IO_BAD,     /* the content is damaged, hostile or not supported */
    PERI_IO_STRANGE, /* it is well formed, but nothing that becomes an array of numbers */
    PERI_IO_INEXACT, /* an integer that the array's dtype cannot hold exactly */
    PERI_IO_LIMIT,   /* more than max_bytes */
    PERI_IO_MEMORY,  /* an allocation failed */
    PERI_IO_SYSTEM,  /* facts: error_number */
    PERI_IO_INTERRUPTED
} peri_io;

#define PERI_NO_BYTE UINT64_MAX

typedef struct {
    peri_io kind;
    int error_number;      /* errno, for PERI_IO_SYSTEM */
    uint64_t byte;         /* offset from 0 in the (inflated) content, or PERI_NO_BYTE */
    uint64_t line, column; /* for text formats; 0 where unknown */
    size_t index;          /* PERI_IO_INEXACT: the element, counted from 0 in file order */
    const char *reason;    /* static */
    char detail[120];      /* "" or printable text */
} peri_fault;

/* Each sets *fault and returns its kind. */
peri_io peri_fail(peri_fault *fault, peri_io kind, uint64_t byte, const char *reason);
peri_io peri_fail_system(peri_fault *fault, int error_number, const char *what);
peri_io peri_fail_memory(peri_fault *fault);

/* As peri_fail, with `length` bytes of the file's own text as detail, made printable and cut. */
peri_io peri_fail_text(peri_fault *fault, peri_io kind, uint64_t byte, const char *reason,
                       const char *text, size_t length);

/* As peri_fail, with a detail written by a printf format of ours. */
peri_io peri_fail_format(peri_fault *fault, peri_io kind, uint64_t byte, const char *reason,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Copies text into out (capacity > 4), printable ASCII and whole UTF-8 kept, the rest as \xNN,
 * ending in "..." where cut. */
void peri_printable(char *out, size_t capacity, const char *text, size_t length);

#endif

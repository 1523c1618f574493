/* SPDX-License-Identifier: MIT
 *
 * NumPy's .npz: a zip archive of .npy files, stored or deflated, through minizip.
 *
 * Names are keys and never paths. Before the first member is read the directory is gone through:
 * members must lie inside the file and may not share a byte with one another; encrypted ones and
 * methods other than stored and deflated are refused.
 */
#ifndef PERIGEE_FORMAT_NPZ_H
#define PERIGEE_FORMAT_NPZ_H

#include "format/source.h"
#include "format/writer.h"
#include "kernel/view.h"

enum { PERI_NPZ_NAME_MAX = 1024 };

typedef struct {
    peri_source *outer;
    peri_fault *fault;
    unsigned char *bytes; /* the archive, where it is in memory */
    size_t length, taken;
    uint64_t size, at;
    void *zip;
    bool first, opened;
    char name[PERI_NPZ_NAME_MAX + 1]; /* of the member, without .npy */
    peri_source member;               /* its content */
} peri_npz;

void peri_npz_init(peri_npz *z, peri_source *outer);
void peri_npz_close(peri_npz *z);

bool peri_npz_sniff(const unsigned char *bytes, size_t count);

/* Opens the archive that `outer` is at the beginning of. */
peri_io peri_npz_open(peri_npz *z, peri_fault *fault);

/* The next member; *more false after the last. Then its content is read from z->member and
 * peri_npz_leave() checks what is left of it. */
peri_io peri_npz_next(peri_npz *z, bool *more, peri_fault *fault);
peri_io peri_npz_leave(peri_npz *z, peri_fault *fault);

/* Writes n arrays under their names (without .npy), in that order, dated 1980-01-01. */
peri_io peri_npz_write(peri_writer *w, size_t n, const char *const names[],
                       const peri_view arrays[], bool compress, peri_fault *fault);

#endif

/* SPDX-License-Identifier: MIT
 *
 * NumPy's .npz: a zip archive of .npy files, each an array by the name before .npy.
 */
#ifndef PERIGEE_FORMAT_NPZ_H
#define PERIGEE_FORMAT_NPZ_H

#include "format/writer.h"
#include "format/zip.h"
#include "kernel/view.h"

enum { PERI_NPZ_NAME_MAX = PERI_ZIP_NAME_MAX - 4 };

/* The length of the array's name in the name of its member. */
size_t peri_npz_name(const char *member);

/* Writes n arrays under their names (without .npy), in that order. */
peri_io peri_npz_write(peri_writer *w, size_t n, const char *const names[],
                       const peri_view arrays[], bool compress, const peri_memory *memory,
                       peri_fault *fault);

#endif

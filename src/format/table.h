/* SPDX-License-Identifier: MIT
 *
 * What pg.save writes besides .npy and .npz: tables of numbers as CSV, matrices as PNG.
 */
#ifndef PERIGEE_FORMAT_TABLE_H
#define PERIGEE_FORMAT_TABLE_H

#include "format/memory.h"
#include "format/writer.h"
#include "kernel/view.h"

/* A 2-d array (rows x columns) or a 1-d one (a column), numbers so that they read back the same.
 * names: of the columns, or NULL; quoted where they must be. */
peri_io peri_csv_write(peri_writer *w, const peri_view *a, const char *const names[],
                       char separator, peri_fault *fault);

/* height x width, or height x width x 1, 3 or 4 of grey, RGB or RGBA. Values are rounded (half to
 * even) and clamped to 0..255; NaN becomes 0. */
peri_io peri_png_write(peri_writer *w, const peri_view *a, const peri_memory *memory,
                       peri_fault *fault);

/* Pixels as peri_png_encode() takes them, into a file. */
peri_io peri_png_save(const char *path, const unsigned char *pixels, size_t stride, size_t width,
                      size_t height, int channels, bool sync, const peri_memory *memory,
                      peri_fault *fault);

#endif

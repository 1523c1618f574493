/* SPDX-License-Identifier: MIT
 *
 * The one PNG writer: 8-bit grey (channels 1), RGB (3) or RGBA (4), through stb_image_write's
 * to-memory form with zlib's deflate. The same pixels give the same bytes.
 *
 * pixels: height rows of width*channels bytes, rows stride bytes apart (stride >= width*channels).
 * stb computes sizes in int; (width*channels + 1) * height may be at most 1 << 30 here.
 */
#ifndef PERIGEE_FORMAT_PNG_H
#define PERIGEE_FORMAT_PNG_H

#include "format/fault.h"
#include "format/memory.h"

/* On PERI_IO_OK *out is a block of *length bytes out of `memory`, the caller's to give back. */
peri_io peri_png_encode(const peri_memory *memory, const unsigned char *pixels, size_t stride,
                        size_t width, size_t height, int channels, unsigned char **out,
                        size_t *length, peri_fault *fault);

#endif

/* SPDX-License-Identifier: MIT
 *
 * IDX, the format of MNIST and Fashion-MNIST: two zero bytes, the type (8 u1, 9 i1, 11 i2, 12 i4,
 * 13 f4, 14 f8), the number of axes, each extent as a big-endian 32-bit integer, then the elements,
 * row-major and big-endian.
 */
#ifndef PERIGEE_FORMAT_IDX_H
#define PERIGEE_FORMAT_IDX_H

#include "format/element.h"
#include "format/source.h"

/* As peri_npy_header. */
peri_io peri_idx_header(peri_source *s, peri_layout *layout, peri_fault *fault);

bool peri_idx_sniff(const unsigned char *bytes, size_t count);

#endif

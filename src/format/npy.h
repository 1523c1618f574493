/* SPDX-License-Identifier: MIT
 *
 * NumPy's .npy, versions 1 to 3: magic, version, header length, a Python dictionary literal with
 * the keys descr, fortran_order and shape, then the elements. The literal is read by a scanner
 * that knows these three things and nothing else; nothing is evaluated and nothing nests.
 *
 * Source: numpy/lib/format.py's description of the format.
 */
#ifndef PERIGEE_FORMAT_NPY_H
#define PERIGEE_FORMAT_NPY_H

#include "format/element.h"
#include "format/source.h"

enum { PERI_NPY_HEADER_MAX = 64 * 1024 };

/* Reads the header; the elements follow (peri_element_read with layout->element, layout->size
 * times). layout has been measured and the elements are known to be able to follow. */
peri_io peri_npy_header(peri_source *s, peri_layout *layout, peri_fault *fault);

/* Writes NumPy's own header of version 1.0 for a row-major array of this dtype and shape to out,
 * which holds PERI_NPY_HEADER_ROOM bytes. Returns its length, a multiple of 64. */
enum { PERI_NPY_HEADER_ROOM = 1024 };
size_t peri_npy_format_header(int dtype, int ndim, const size_t *shape, char *out);

#endif

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

/* Hands header (version 1.0, as NumPy's) and elements, row-major, of an array of any strides to
 * put(ud, bytes, n, fault), piece by piece, until one fails. */
peri_io peri_npy_put(const peri_view *array,
                     peri_io (*put)(void *ud, const void *data, size_t n, peri_fault *fault),
                     void *ud, peri_fault *fault);

/* The elements alone. */
peri_io peri_npy_put_elements(const peri_view *array,
                              peri_io (*put)(void *ud, const void *data, size_t n,
                                             peri_fault *fault),
                              void *ud, peri_fault *fault);

/* How many bytes header and elements are. */
uint64_t peri_npy_size(const peri_view *array);

#endif

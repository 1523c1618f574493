/* SPDX-License-Identifier: MIT
 *
 * Elements as files hold them, and how they become those of an array.
 *
 * NumPy's kinds: 'b' truth values of 1 byte, 'i' and 'u' integers of 1, 2, 4, 8 bytes, 'f'
 * floating point of 2, 4, 8 bytes, each in either byte order; 'B' the upper half of an f4
 * (bfloat16). B, f2 and f4 become PERI_F32, b
 * PERI_BOOL, u1 PERI_U8, the rest PERI_F64, unless told otherwise. Between floating types values
 * are rounded (bits are kept where the types agree, NaN payloads too); an integer that the array's
 * dtype cannot hold is refused when `exact`.
 */
#ifndef PERIGEE_FORMAT_ELEMENT_H
#define PERIGEE_FORMAT_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "format/fault.h"
#include "format/source.h"
#include "kernel/view.h"

typedef struct {
    char kind; /* 'b', 'i', 'u', 'f' or 'B'; 0: none */
    unsigned char size;
    bool swapped; /* not this machine's byte order */
} peri_element;

/* What an array read from a file is like. */
typedef struct {
    peri_element element;
    bool fortran; /* first index runs fastest */
    int ndim;
    size_t shape[PERI_MAX_NDIM];
    size_t size; /* product of the extents */
} peri_layout;

/* NumPy's descr: "<f8", "|b1", ">i4", "f4". False for any other kind. */
bool peri_element_parse(const char *text, size_t length, peri_element *out);

/* What an array of them is, as said above. */
int peri_element_dtype(peri_element e);

/* Multiplies the extents into layout->size. False when the array would not fit memory, whatever
 * the extents that are 0. */
bool peri_layout_measure(peri_layout *layout);

/* Reads count elements of the source into out (count elements of dtype). On PERI_IO_INEXACT
 * fault->index is the element counted from 0 in the order of the file, and detail its value. */
peri_io peri_element_read(peri_source *s, peri_element e, size_t count, int dtype, bool exact,
                          void *out, peri_fault *fault);

/* The same from memory. byte: where `in` stands in the file, for the fault. */
peri_io peri_element_convert(peri_element e, const void *in, size_t count, int dtype, bool exact,
                             void *out, uint64_t byte, peri_fault *fault);

/* "an f32 cannot hold it exactly" */
const char *peri_element_refusal(int dtype);

/* Whether the bytes of such elements are an array's of that dtype as they are. */
bool peri_element_is_native(peri_element e, int dtype);

#endif

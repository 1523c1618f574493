/* SPDX-License-Identifier: MIT
 *
 * .safetensors: the length of a header (8 bytes, little-endian), the header, and the bytes of all
 * tensors. The header is a JSON object of {"dtype", "shape", "data_offsets"} by name, and
 * optionally "__metadata__", an object of strings. Tensors follow one another without a hole, in
 * any order of their names, and fill the file. The header is read by a scanner that knows this
 * form and no other JSON.
 *
 * Source: github.com/huggingface/safetensors, README "Format" and the checks of its reader.
 */
#ifndef PERIGEE_FORMAT_SAFETENSORS_H
#define PERIGEE_FORMAT_SAFETENSORS_H

#include "format/element.h"
#include "format/source.h"
#include "format/writer.h"
#include "kernel/view.h"

enum { PERI_TENSOR_HEADER_MAX = 100 << 20 };

typedef struct {
    char *name;    /* of its length, ended by NUL, which it may not hold */
    char dtype[8]; /* as the file calls it; layout.element.kind is 0 where it is no array's */
    peri_layout layout;
    uint64_t begin, end; /* behind the header */
} peri_tensor;

typedef struct {
    peri_source *source;
    char *header;
    size_t length, room;  /* of the header */
    peri_tensor *tensors; /* as they lie in the file */
    size_t n, tensors_room;
    uint64_t data; /* where they begin in the content */
} peri_safetensors;

void peri_safetensors_init(peri_safetensors *t, peri_source *source);
void peri_safetensors_close(peri_safetensors *t);

bool peri_safetensors_sniff(const unsigned char *bytes, size_t count);

/* Reads the header. */
peri_io peri_safetensors_open(peri_safetensors *t, peri_fault *fault);

/* Goes to where tensor i begins; never back. */
peri_io peri_safetensors_goto(peri_safetensors *t, size_t i, peri_fault *fault);

/* Writes n arrays under their names, which are UTF-8 and ordered. */
peri_io peri_safetensors_write(peri_writer *w, size_t n, const char *const names[],
                               const peri_view arrays[], const peri_memory *memory,
                               peri_fault *fault);

#endif

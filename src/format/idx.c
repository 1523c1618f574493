/* SPDX-License-Identifier: MIT
 *
 * Reading IDX headers. */
#include "format/idx.h"

#include <string.h>

static peri_element element_of(int type)
{
    static const struct {
        int type;
        char kind;
        unsigned char size;
    } known[] = {{8, 'u', 1}, {9, 'i', 1}, {11, 'i', 2}, {12, 'i', 4}, {13, 'f', 4}, {14, 'f', 8}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type)
            return (peri_element){known[i].kind, known[i].size,
                                  known[i].size > 1 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__};
    return (peri_element){0};
}

bool peri_idx_sniff(const unsigned char *bytes, size_t count)
{
    return count >= 4 && bytes[0] == 0 && bytes[1] == 0 && element_of(bytes[2]).kind != 0 &&
           bytes[3] > 0;
}

peri_io peri_idx_header(peri_source *s, peri_layout *layout, peri_fault *fault)
{
    const unsigned char *bytes;
    memset(layout, 0, sizeof *layout);
    peri_io status = peri_source_need(s, 4, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    if (bytes[0] != 0 || bytes[1] != 0)
        return peri_fail(fault, PERI_IO_BAD, s->position, "this is not an IDX file");
    layout->element = element_of(bytes[2]);
    if (layout->element.kind == 0)
        return peri_fail_format(fault, PERI_IO_BAD, s->position + 2,
                                "an IDX file of this type is not known:", "0x%02x", bytes[2]);
    layout->ndim = bytes[3];
    if (layout->ndim < 1 || layout->ndim > PERI_MAX_NDIM)
        return peri_fail_format(fault, PERI_IO_BAD, s->position + 3,
                                "an IDX file has 1 to 32 axes, not", "%d", bytes[3]);
    peri_source_skip(s, 4);
    const uint64_t place = s->position;
    const size_t length = 4 * (size_t)layout->ndim;
    status = peri_source_need(s, length, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    for (size_t i = 0; i < length; i += 4)
        layout->shape[i / 4] = (size_t)bytes[i] << 24 | (size_t)bytes[i + 1] << 16 |
                               (size_t)bytes[i + 2] << 8 | (size_t)bytes[i + 3];
    peri_source_skip(s, length);
    if (!peri_layout_measure(layout))
        return peri_fail(fault, PERI_IO_BAD, place, "the shape is larger than any memory");
    return peri_source_claim(s, (uint64_t)layout->size * layout->element.size, "the shape needs",
                             fault);
}

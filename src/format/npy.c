/* SPDX-License-Identifier: MIT
 *
 * The scanner walks the header once, left to right, with one position. */
#include "format/npy.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *text;
    size_t length, at;
    uint64_t base; /* offset of text in the file */
    peri_fault *fault;
} scanner;

static peri_io refuse(scanner *h, const char *reason)
{
    return peri_fail(h->fault, PERI_IO_BAD, h->base + h->at, reason);
}

static void skip_space(scanner *h)
{
    while (h->at < h->length && strchr(" \t\n\r\f", h->text[h->at]) != NULL && h->text[h->at] != 0)
        h->at++;
}

/* Takes c, after space, if it is next. */
static bool take(scanner *h, char c)
{
    skip_space(h);
    if (h->at >= h->length || h->text[h->at] != c)
        return false;
    h->at++;
    return true;
}

static bool take_word(scanner *h, const char *word)
{
    const size_t n = strlen(word);
    skip_space(h);
    if (h->length - h->at < n || memcmp(h->text + h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* A string in either kind of quotes, without escapes. */
static peri_io take_string(scanner *h, const char **text, size_t *length)
{
    skip_space(h);
    const char quote = h->at < h->length ? h->text[h->at] : 0;
    if (quote != '\'' && quote != '"')
        return refuse(h, "the header of the .npy is damaged: a string belongs here");
    const char *start = h->text + h->at + 1;
    const char *end = memchr(start, quote, h->length - h->at - 1);
    if (end == NULL)
        return refuse(h, "the header of the .npy is damaged: a string does not end");
    *text = start;
    *length = (size_t)(end - start);
    h->at += *length + 2;
    return PERI_IO_OK;
}

static peri_io take_extent(scanner *h, size_t *extent)
{
    size_t n = 0, digits = 0;
    skip_space(h);
    while (h->at < h->length && h->text[h->at] >= '0' && h->text[h->at] <= '9') {
        if (__builtin_mul_overflow(n, (size_t)10, &n) ||
            __builtin_add_overflow(n, (size_t)(h->text[h->at] - '0'), &n) || n > PTRDIFF_MAX)
            return refuse(h, "an extent of the shape is too large");
        h->at++;
        digits++;
    }
    if (digits == 0)
        return refuse(h, "an extent of the shape must be a whole number, 0 or more");
    if (h->at < h->length && h->text[h->at] == 'L') /* Python 2 */
        h->at++;
    *extent = n;
    return PERI_IO_OK;
}

static peri_io take_shape(scanner *h, peri_layout *layout)
{
    if (!take(h, '('))
        return refuse(h, "the shape must be a tuple");
    layout->ndim = 0;
    bool comma = true;
    while (!take(h, ')')) {
        if (!comma)
            return refuse(h, "the shape is damaged");
        size_t extent = 0;
        const peri_io status = take_extent(h, &extent);
        if (status != PERI_IO_OK)
            return status;
        if (layout->ndim == PERI_MAX_NDIM)
            return refuse(h, "the array has more than 32 axes");
        layout->shape[layout->ndim++] = extent;
        comma = take(h, ',');
    }
    if (layout->ndim == 1 && !comma)
        return refuse(h, "the shape must be a tuple"); /* (6) is a number */
    return PERI_IO_OK;
}

static peri_io take_field(scanner *h, peri_layout *layout, unsigned *seen)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    const char *key = NULL;
    size_t length = 0;
    peri_io status = take_string(h, &key, &length);
    if (status != PERI_IO_OK)
        return status;
    unsigned field = 0;
    while (field < 3 && (strlen(keys[field]) != length || memcmp(keys[field], key, length) != 0))
        field++;
    if (field == 3 || (*seen & 1u << field) != 0)
        return refuse(h, "the header of the .npy has a key that does not belong there");
    *seen |= 1u << field;
    if (!take(h, ':'))
        return refuse(h, "the header of the .npy is damaged: a colon belongs here");
    if (field == 2)
        return take_shape(h, layout);
    if (field == 1) {
        layout->fortran = take_word(h, "True");
        if (!layout->fortran && !take_word(h, "False"))
            return refuse(h, "fortran_order must be True or False");
        return PERI_IO_OK;
    }
    skip_space(h);
    if (h->at < h->length && h->text[h->at] == '[')
        return peri_fail(h->fault, PERI_IO_STRANGE, h->base + h->at,
                         "a structured dtype cannot become an array of numbers");
    const uint64_t place = h->base + h->at;
    status = take_string(h, &key, &length);
    if (status != PERI_IO_OK)
        return status;
    if (!peri_element_parse(key, length, &layout->element))
        return peri_fail_text(h->fault, PERI_IO_STRANGE, place,
                              "its dtype cannot become an array of numbers:", key, length);
    return PERI_IO_OK;
}

static peri_io scan(scanner *h, peri_layout *layout)
{
    unsigned seen = 0;
    if (!take(h, '{'))
        return refuse(h, "the header of the .npy is damaged: a dictionary belongs here");
    bool comma = true;
    while (!take(h, '}')) {
        if (!comma)
            return refuse(h, "the header of the .npy is damaged: a comma belongs here");
        const peri_io status = take_field(h, layout, &seen);
        if (status != PERI_IO_OK)
            return status;
        comma = take(h, ',');
    }
    skip_space(h);
    if (h->at != h->length)
        return refuse(h, "the header of the .npy is damaged: it goes on after its end");
    if (seen != 7)
        return refuse(h, "the header of the .npy lacks descr, fortran_order or shape");
    return PERI_IO_OK;
}

peri_io peri_npy_header(peri_source *s, peri_layout *layout, peri_fault *fault)
{
    const unsigned char *bytes;
    memset(layout, 0, sizeof *layout);
    peri_io status = peri_source_need(s, 8, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    if (memcmp(bytes, "\x93NUMPY", 6) != 0)
        return peri_fail(fault, PERI_IO_STRANGE, s->position, "this is not a .npy file");
    const int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return peri_fail_format(fault, PERI_IO_BAD, s->position + 6,
                                "a .npy of this version is not known:", "%d.%d", version, bytes[7]);
    peri_source_skip(s, 8);
    const size_t width = version == 1 ? 2 : 4;
    status = peri_source_need(s, width, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    size_t length = bytes[0] | (size_t)bytes[1] << 8;
    if (width == 4)
        length |= (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    if (length > PERI_NPY_HEADER_MAX)
        return peri_fail_format(fault, PERI_IO_BAD, s->position, "the header of the .npy claims",
                                "%zu bytes; at most %d are read", length, PERI_NPY_HEADER_MAX);
    peri_source_skip(s, width);
    status = peri_source_need(s, length, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    scanner h = {(const char *)bytes, length, 0, s->position, fault};
    status = scan(&h, layout);
    if (status != PERI_IO_OK)
        return status;
    peri_source_skip(s, length);
    if (!peri_layout_measure(layout))
        return peri_fail(fault, PERI_IO_BAD, h.base, "the shape is larger than any memory");
    return peri_source_claim(s, (uint64_t)layout->size * layout->element.size, "the shape needs",
                             fault);
}

enum { HEADER_ROOM = 1024 }; /* 32 extents of 19 digits and what stands around them */

/* NumPy's name of the dtype, as this machine keeps it. */
static const char *descr(int dtype)
{
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    switch ((peri_dtype)dtype) {
    case PERI_F64:
        return little ? "<f8" : ">f8";
    case PERI_F32:
        return little ? "<f4" : ">f4";
    case PERI_BOOL:
        return "|b1";
    case PERI_U8:
        return "|u1";
    }
    return "";
}

static size_t format_header(const peri_view *array, char out[HEADER_ROOM])
{
    static const char before[10] = "\x93NUMPY\1\0";
    memcpy(out, before, sizeof before);
    size_t n = 10;
    n +=
        (size_t)snprintf(out + n, HEADER_ROOM - n,
                         "{'descr': '%s', 'fortran_order': False, 'shape': (", descr(array->dtype));
    for (int axis = 0; axis < array->ndim; axis++)
        n += (size_t)snprintf(out + n, HEADER_ROOM - n, axis == 0 ? "%zu" : ", %zu",
                              array->shape[axis]);
    n += (size_t)snprintf(out + n, HEADER_ROOM - n, "%s), }", array->ndim == 1 ? "," : "");
    while (n % 64 != 63)
        out[n++] = ' ';
    out[n++] = '\n';
    out[8] = (char)((n - 10) & 255);
    out[9] = (char)((n - 10) >> 8);
    return n;
}

uint64_t peri_npy_size(const peri_view *array)
{
    char header[HEADER_ROOM];
    return format_header(array, header) +
           (uint64_t)peri_view_size(array) * peri_dtype_size(array->dtype);
}

peri_io peri_npy_put_elements(const peri_view *array,
                              peri_io (*put)(void *ud, const void *data, size_t n,
                                             peri_fault *fault),
                              void *ud, peri_fault *fault)
{
    char buffer[16 * 1024];
    const size_t size = peri_view_size(array), width = peri_dtype_size(array->dtype);
    if (size == 0)
        return PERI_IO_OK;
    if (peri_view_is_contiguous(array))
        return put(ud, array->data, size * width, fault);
    /* An odometer over the indices; `at` is where it points. */
    size_t index[PERI_MAX_NDIM] = {0}, used = 0;
    const char *at = array->data;
    for (size_t done = 0; done < size; done++) {
        memcpy(buffer + used, at, width);
        used += width;
        if (used == sizeof buffer || done + 1 == size) {
            const peri_io written = put(ud, buffer, used, fault);
            if (written != PERI_IO_OK)
                return written;
            used = 0;
        }
        for (int axis = array->ndim - 1; axis >= 0; axis--) {
            const ptrdiff_t step = array->stride[axis] * (ptrdiff_t)width;
            at += step;
            if (++index[axis] < array->shape[axis])
                break;
            at -= step * (ptrdiff_t)array->shape[axis];
            index[axis] = 0;
        }
    }
    return PERI_IO_OK;
}

peri_io peri_npy_put(const peri_view *array,
                     peri_io (*put)(void *ud, const void *data, size_t n, peri_fault *fault),
                     void *ud, peri_fault *fault)
{
    char header[HEADER_ROOM];
    const peri_io status = put(ud, header, format_header(array, header), fault);
    return status == PERI_IO_OK ? peri_npy_put_elements(array, put, ud, fault) : status;
}

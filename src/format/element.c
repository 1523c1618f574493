/* SPDX-License-Identifier: MIT
 *
 * Conversion of elements. One loop a kind and width; byte order is put right on the way in. */
#include "format/element.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 64 * 1024 };

bool peri_element_parse(const char *text, size_t length, peri_element *out)
{
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    *out = (peri_element){0};
    if (length == 3) {
        if (text[0] == (little ? '>' : '<'))
            out->swapped = true;
        else if (text[0] != (little ? '<' : '>') && text[0] != '|' && text[0] != '=')
            return false;
        text++;
    } else if (length != 2)
        return false;
    const char kind = text[0], width = text[1];
    const bool known = (kind == 'b' && width == '1') ||
                       ((kind == 'i' || kind == 'u') &&
                        (width == '1' || width == '2' || width == '4' || width == '8')) ||
                       (kind == 'f' && (width == '2' || width == '4' || width == '8'));
    if (!known)
        return false;
    out->kind = kind;
    out->size = (unsigned char)(width - '0');
    if (out->size == 1)
        out->swapped = false;
    return true;
}

int peri_element_dtype(peri_element e)
{
    if (e.kind == 'b')
        return PERI_BOOL;
    if (e.kind == 'u' && e.size == 1)
        return PERI_U8;
    return (e.kind == 'f' && e.size <= 4) || e.kind == 'B' ? PERI_F32 : PERI_F64;
}

bool peri_element_is_native(peri_element e, int dtype)
{
    if (e.swapped || e.size != peri_dtype_size(dtype))
        return false;
    switch ((peri_dtype)dtype) {
    case PERI_F64:
    case PERI_F32:
        return e.kind == 'f';
    case PERI_BOOL: /* a file's truth is any byte but 0 */
        return false;
    case PERI_U8:
        return e.kind == 'u';
    }
    return false;
}

bool peri_layout_measure(peri_layout *layout)
{
    size_t nonzero = sizeof(double), size = 1;
    for (int axis = 0; axis < layout->ndim; axis++) {
        const size_t n = layout->shape[axis];
        if (n != 0 && __builtin_mul_overflow(nonzero, n, &nonzero))
            return false;
        size *= n;
    }
    layout->size = size;
    return nonzero <= PTRDIFF_MAX;
}

static inline uint16_t get2(const unsigned char *p, bool swapped)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t get4(const unsigned char *p, bool swapped)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return swapped ? __builtin_bswap32(v) : v;
}

static inline uint64_t get8(const unsigned char *p, bool swapped)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return swapped ? __builtin_bswap64(v) : v;
}

/* IEEE binary16 to the bits of binary32; every value fits, and a NaN keeps its payload. */
static uint32_t widen(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, fraction = h & 0x3ff;
    const uint32_t exponent = (h >> 10) & 31;
    if (exponent == 31)
        return sign | 0x7f800000 | fraction << 13;
    if (exponent != 0)
        return sign | (exponent + 112) << 23 | fraction << 13;
    if (fraction == 0)
        return sign;
    const uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21; /* brings the top bit to 10 */
    return sign | (113 - shift) << 23 | (fraction << shift & 0x3ff) << 13;
}

static bool fits_signed(int64_t v, int dtype)
{
    return PERI_REAL_PICK(dtype, (double)v < 0x1p63 && (int64_t)(double)v == v,
                          (float)v < 0x1p63f && (int64_t)(float)v == v);
}

static bool fits_unsigned(uint64_t v, int dtype)
{
    return PERI_REAL_PICK(dtype, (double)v < 0x1p64 && (uint64_t)(double)v == v,
                          (float)v < 0x1p64f && (uint64_t)(float)v == v);
}

#define EACH(expression)                                                                           \
    for (size_t i = 0; i < count; i++) {                                                           \
        const unsigned char *p = in + i * e.size;                                                  \
        (void)p;                                                                                   \
        PERI_REAL_DO(dtype, ((double *)out)[i] = (double)(expression),                             \
                     ((float *)out)[i] = (float)(expression));                                     \
    }

static void convert_integers(peri_element e, const unsigned char *in, size_t count, int dtype,
                             void *out)
{
    const bool sw = e.swapped;
    if (e.kind == 'b') {
        EACH(p[0] != 0)
    } else if (e.kind == 'i') {
        switch (e.size) {
        case 1:
            EACH((int8_t)p[0])
            break;
        case 2:
            EACH((int16_t)get2(p, sw))
            break;
        case 4:
            EACH((int32_t)get4(p, sw))
            break;
        default:
            EACH((int64_t)get8(p, sw))
        }
    } else {
        switch (e.size) {
        case 1:
            EACH(p[0])
            break;
        case 2:
            EACH(get2(p, sw))
            break;
        case 4:
            EACH(get4(p, sw))
            break;
        default:
            EACH(get8(p, sw))
        }
    }
}

/* The first element that the dtype cannot hold, or count. */
static size_t first_inexact(peri_element e, const unsigned char *in, size_t count, int dtype,
                            char value[32])
{
    if (e.size < 4 || (e.size == 4 && peri_is_f64(dtype)))
        return count;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *p = in + i * e.size;
        if (e.kind == 'i') {
            const int64_t v =
                e.size == 8 ? (int64_t)get8(p, e.swapped) : (int32_t)get4(p, e.swapped);
            if (fits_signed(v, dtype))
                continue;
            snprintf(value, 32, "%" PRId64, v);
        } else {
            const uint64_t v = e.size == 8 ? get8(p, e.swapped) : get4(p, e.swapped);
            if (fits_unsigned(v, dtype))
                continue;
            snprintf(value, 32, "%" PRIu64, v);
        }
        return i;
    }
    return count;
}

static void convert_floats(peri_element e, const unsigned char *in, size_t count, int dtype,
                           void *out)
{
    if (e.size == 8 && peri_is_f64(dtype)) {
        for (size_t i = 0; i < count; i++) {
            const uint64_t bits = get8(in + 8 * i, e.swapped);
            memcpy((double *)out + i, &bits, 8);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const unsigned char *p = in + i * e.size;
        if (e.size == 8) {
            const uint64_t bits = get8(p, e.swapped);
            double v;
            memcpy(&v, &bits, 8);
            ((float *)out)[i] = (float)v;
            continue;
        }
        const uint32_t bits = e.kind == 'B' ? (uint32_t)get2(p, e.swapped) << 16
                              : e.size == 4 ? get4(p, e.swapped)
                                            : widen(get2(p, e.swapped));
        float v;
        memcpy(&v, &bits, 4);
        PERI_REAL_DO(dtype, ((double *)out)[i] = v, memcpy((float *)out + i, &bits, 4));
    }
}

/* Element p as a number; of 64-bit integers the nearest. */
static double value_of(peri_element e, const unsigned char *p)
{
    double v;
    if (e.kind == 'f' || e.kind == 'B')
        convert_floats(e, p, 1, PERI_F64, &v);
    else
        convert_integers(e, p, 1, PERI_F64, &v);
    return v;
}

/* Into a dtype that only stores: values that it has, or the nearest. */
static peri_io convert_stored(peri_element e, const unsigned char *in, size_t count, int dtype,
                              bool exact, void *out, uint64_t byte, peri_fault *fault)
{
    for (size_t i = 0; i < count; i++) {
        const double v = value_of(e, in + i * e.size);
        if (exact && !peri_fits(dtype, v)) {
            peri_fail_format(fault, PERI_IO_INEXACT, byte + i * e.size, peri_element_refusal(dtype),
                             "%.17g", v);
            fault->index = i;
            return PERI_IO_INEXACT;
        }
        peri_write_at(dtype, out, (ptrdiff_t)i, rint(v));
    }
    return PERI_IO_OK;
}

const char *peri_element_refusal(int dtype)
{
    switch ((peri_dtype)dtype) {
    case PERI_F64:
        return "an f64 cannot hold it exactly";
    case PERI_F32:
        return "an f32 cannot hold it exactly";
    case PERI_BOOL:
        return "a bool cannot hold it exactly";
    case PERI_U8:
        return "a u8 cannot hold it exactly";
    }
    return "";
}

peri_io peri_element_convert(peri_element e, const void *in, size_t count, int dtype, bool exact,
                             void *out, uint64_t byte, peri_fault *fault)
{
    if (count == 0)
        return PERI_IO_OK;
    if (peri_element_is_native(e, dtype)) {
        memcpy(out, in, count * e.size);
        return PERI_IO_OK;
    }
    if (!peri_is_real(dtype))
        return convert_stored(e, in, count, dtype, exact, out, byte, fault);
    if (e.kind == 'f' || e.kind == 'B') {
        convert_floats(e, in, count, dtype, out);
        return PERI_IO_OK;
    }
    if (exact && e.kind != 'b') {
        char value[32];
        const size_t i = first_inexact(e, in, count, dtype, value);
        if (i < count) {
            peri_fail_format(fault, PERI_IO_INEXACT, byte + i * e.size, peri_element_refusal(dtype),
                             "%s", value);
            fault->index = i;
            return PERI_IO_INEXACT;
        }
    }
    convert_integers(e, in, count, dtype, out);
    return PERI_IO_OK;
}

peri_io peri_element_read(peri_source *s, peri_element e, size_t count, int dtype, bool exact,
                          void *out, peri_fault *fault)
{
    if (peri_element_is_native(e, dtype))
        return peri_source_read(s, out, count * e.size, fault);
    const size_t most = CHUNK / e.size;
    size_t done = 0;
    while (done < count) {
        const size_t n = count - done < most ? count - done : most;
        const unsigned char *bytes;
        peri_io status = peri_source_need(s, n * e.size, &bytes, fault);
        if (status == PERI_IO_OK)
            status = peri_element_convert(e, bytes, n, dtype, exact,
                                          (char *)out + done * peri_dtype_size(dtype), s->position,
                                          fault);
        if (status == PERI_IO_INEXACT)
            fault->index += done;
        if (status != PERI_IO_OK)
            return status;
        peri_source_skip(s, n * e.size);
        done += n;
    }
    return PERI_IO_OK;
}

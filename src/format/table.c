/* SPDX-License-Identifier: MIT
 *
 * Writing CSV and PNG. */
#include "format/table.h"

#include <math.h>
#include <string.h>

#include "format/csv.h"
#include "format/number.h"
#include "format/png.h"

static peri_io put_name(peri_writer *w, const char *name, char separator, peri_fault *fault)
{
    /* What a reader could take for a separator, a number or a missing value stands in quotes. */
    const char special[] = {'"', '\n', '\r', '#', ' ', '\t', ',', ';', '|', separator, 0};
    if (strpbrk(name, special) == NULL && peri_csv_is_name(name, strlen(name)))
        return peri_writer_write(w, name, strlen(name), fault);
    peri_io status = peri_writer_write(w, "\"", 1, fault);
    for (const char *p = name; *p != 0 && status == PERI_IO_OK; p++)
        status = peri_writer_write(w, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1, fault);
    return status == PERI_IO_OK ? peri_writer_write(w, "\"", 1, fault) : status;
}

peri_io peri_csv_write(peri_writer *w, const peri_view *a, const char *const names[],
                       char separator, peri_fault *fault)
{
    if (a->ndim != 1 && a->ndim != 2)
        return peri_fail_format(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                "a table has 1 or 2 axes, and this array has", "%d", a->ndim);
    const size_t rows = a->shape[0], columns = a->ndim == 2 ? a->shape[1] : 1;
    const ptrdiff_t down = a->stride[0], right = a->ndim == 2 ? a->stride[1] : 0;
    peri_io status = PERI_IO_OK;
    for (size_t j = 0; names != NULL && j < columns && status == PERI_IO_OK; j++) {
        status = put_name(w, names[j], separator, fault);
        if (status == PERI_IO_OK)
            status = peri_writer_write(w, j + 1 < columns ? &separator : "\n", 1, fault);
    }
    for (size_t i = 0; i < rows && status == PERI_IO_OK; i++)
        for (size_t j = 0; j < columns && status == PERI_IO_OK; j++) {
            char text[PERI_NUMBER_ROOM + 1];
            const double v = peri_get(a, (ptrdiff_t)i * down + (ptrdiff_t)j * right);
            size_t n = PERI_REAL_PICK(peri_promote1(a->dtype), peri_number_format(v, text),
                                      peri_number_format_f32((float)v, text));
            text[n++] = j + 1 < columns ? separator : '\n';
            status = peri_writer_write(w, text, n, fault);
        }
    return status;
}

static unsigned char to_byte(double v)
{
    return v >= 255 ? 255 : v > 0 ? (unsigned char)nearbyint(v) : 0;
}

static peri_io write_encoded(peri_writer *w, const unsigned char *pixels, size_t stride,
                             size_t width, size_t height, int channels, const peri_memory *memory,
                             peri_fault *fault)
{
    unsigned char *png;
    size_t length;
    peri_io status =
        peri_png_encode(memory, pixels, stride, width, height, channels, &png, &length, fault);
    if (status != PERI_IO_OK)
        return status;
    status = peri_writer_write(w, png, length, fault);
    peri_give(memory, png, length);
    return status;
}

peri_io peri_png_write(peri_writer *w, const peri_view *a, const peri_memory *memory,
                       peri_fault *fault)
{
    const size_t channels = a->ndim == 3 ? a->shape[2] : 1;
    if ((a->ndim != 2 && a->ndim != 3) || (channels != 1 && channels != 3 && channels != 4))
        return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE,
                         "an image is height x width, or height x width x 3 for colours");
    const size_t height = a->shape[0], width = a->shape[1], n = height * width * channels;
    if (n == 0)
        return peri_fail_format(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                "an image without pixels cannot be written:", "%zux%zu", height,
                                width);
    if (n > (size_t)1 << 30)
        return peri_fail_format(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                "the image is too large:", "%zux%zux%zu", height, width, channels);
    unsigned char *pixels = peri_take(memory, n);
    if (pixels == NULL)
        return peri_fail_memory(fault);
    unsigned char *to = pixels;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < channels; c++)
                *to++ =
                    to_byte(peri_get(a, (ptrdiff_t)y * a->stride[0] + (ptrdiff_t)x * a->stride[1] +
                                            (a->ndim == 3 ? (ptrdiff_t)c * a->stride[2] : 0)));
    const peri_io status =
        write_encoded(w, pixels, width * channels, width, height, (int)channels, memory, fault);
    peri_give(memory, pixels, n);
    return status;
}

peri_io peri_png_save(const char *path, const unsigned char *pixels, size_t stride, size_t width,
                      size_t height, int channels, bool sync, const peri_memory *memory,
                      peri_fault *fault)
{
    peri_writer w;
    peri_io status = peri_writer_open(&w, path, sync, fault);
    if (status == PERI_IO_OK)
        status = write_encoded(&w, pixels, stride, width, height, channels, memory, fault);
    if (status == PERI_IO_OK)
        return peri_writer_commit(&w, fault);
    peri_writer_abort(&w);
    return status;
}

/* SPDX-License-Identifier: MIT
 *
 * stb_image_write asks for memory in few places but forgets a block when a later request fails,
 * so its requests are kept in a short list while it runs, and whatever it leaves is given back. */
#include "format/png.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "format/source.h"

/* Between this file and vendor/stb.c. */
void *peri_stb_malloc(size_t size);
void peri_stb_free(void *block);
unsigned char *peri_stb_deflate(unsigned char *data, int length, int *out_length, int quality);
unsigned char *stbi_write_png_to_mem(const unsigned char *pixels, int stride_bytes, int x, int y,
                                     int n, int *out_len);

enum { MAX_BLOCKS = 8 };

typedef struct {
    void *start;
    size_t size;
} block;

/* The encoder at work in this thread. */
static _Thread_local struct {
    const peri_memory *memory;
    block blocks[MAX_BLOCKS];
} at_work;

void *peri_stb_malloc(size_t size)
{
    for (int i = 0; i < MAX_BLOCKS; i++) {
        block *b = &at_work.blocks[i];
        if (b->start != NULL)
            continue;
        b->start = peri_take(at_work.memory, size);
        b->size = size;
        return b->start;
    }
    return NULL;
}

void peri_stb_free(void *start)
{
    for (int i = 0; i < MAX_BLOCKS; i++) {
        block *b = &at_work.blocks[i];
        if (b->start != start || start == NULL)
            continue;
        peri_give(at_work.memory, b->start, b->size);
        b->start = NULL;
        return;
    }
}

unsigned char *peri_stb_deflate(unsigned char *data, int length, int *out_length, int quality)
{
    (void)quality;
    z_stream z = {
        .zalloc = peri_zlib_take, .zfree = peri_zlib_give, .opaque = (void *)at_work.memory};
    if (deflateInit(&z, 6) != Z_OK)
        return NULL;
    const uLong bound = deflateBound(&z, (uLong)length);
    unsigned char *out = bound < INT_MAX / 2 + 1u ? peri_stb_malloc(bound) : NULL;
    int done = Z_MEM_ERROR;
    if (out != NULL) {
        z.next_in = data;
        z.avail_in = (uInt)length;
        z.next_out = out;
        z.avail_out = (uInt)bound;
        done = deflate(&z, Z_FINISH);
    }
    *out_length = (int)z.total_out;
    deflateEnd(&z);
    if (done == Z_STREAM_END)
        return out;
    peri_stb_free(out);
    return NULL;
}

peri_io peri_png_encode(const peri_memory *memory, const unsigned char *pixels, size_t stride,
                        size_t width, size_t height, int channels, unsigned char **out,
                        size_t *length, peri_fault *fault)
{
    const size_t n = (size_t)channels, most = (size_t)1 << 30;
    if (n != 1 && n != 3 && n != 4)
        return peri_fail_format(fault, PERI_IO_BAD, PERI_NO_BYTE, "a PNG has 1, 3 or 4 channels",
                                "not %d", channels);
    if (width == 0 || height == 0)
        return peri_fail_format(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                "an image without pixels cannot be written:", "%zux%zu", height,
                                width);
    if (width > most / n || height > most / (width * n + 1) || stride > most ||
        stride > INT_MAX / height)
        return peri_fail_format(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                "the image is too large:", "%zux%zux%zu", height, width, n);
    memset(&at_work, 0, sizeof at_work);
    at_work.memory = memory;
    int size = 0;
    unsigned char *png =
        stbi_write_png_to_mem(pixels, (int)stride, (int)width, (int)height, channels, &size);
    for (int i = 0; i < MAX_BLOCKS; i++) {
        block *b = &at_work.blocks[i];
        if (b->start != NULL && b->start != png)
            peri_give(memory, b->start, b->size);
    }
    if (png == NULL)
        return peri_fail_memory(fault);
    *out = png;
    *length = (size_t)size;
    return PERI_IO_OK;
}

/* SPDX-License-Identifier: MIT
 *
 * The three decoders. Each works row by row out of the source; what it needs for itself comes out
 * of the source's memory (libjpeg's own allocator is outside). Limits are checked on the header:
 * deflate cannot make more than 1032 bytes of one, a JPEG spends at least a bit on 64 pixels. */
#include "format/image.h"

#include <limits.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* After stdio.h, which it needs. */
#include <jpeglib.h>

#include "kernel/view.h"

enum { MOST_PIXELS = 1 << 29, MOST_SIDE = 1 << 24 };

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

peri_image_kind peri_image_sniff(const unsigned char *bytes, size_t count)
{
    if (count >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return PERI_IMAGE_PNG;
    if (count >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        return PERI_IMAGE_JPEG;
    if (count >= 3 && bytes[0] == 'P' &&
        (bytes[1] == '2' || bytes[1] == '3' || bytes[1] == '5' || bytes[1] == '6') &&
        (bytes[2] == '#' || is_space(bytes[2])))
        return PERI_IMAGE_PNM;
    return PERI_IMAGE_NONE;
}

void peri_image_init(peri_image *m, peri_source *source)
{
    memset(m, 0, sizeof *m);
    m->source = source;
}

static void put(int dtype, void *out, size_t at, double v)
{
    peri_write_at(dtype, out, (ptrdiff_t)at, peri_is_real(dtype) ? v : rint(v));
}

/* Checks the extents against what memory and the limit hold. */
static peri_io measure(peri_image *m, double width, double height, peri_fault *fault)
{
    const peri_source *s = m->source;
    if (width < 1 || height < 1)
        return peri_fail(fault, PERI_IO_BAD, s->position, "the image has no pixels");
    if (width > MOST_SIDE || height > MOST_SIDE || width * height > MOST_PIXELS)
        return peri_fail_format(fault, PERI_IO_BAD, s->position,
                                "the image is too large:", "%.0fx%.0f", height, width);
    m->width = (size_t)width;
    m->height = (size_t)height;
    const uint64_t bytes = (uint64_t)m->width * m->height * (unsigned)m->channels * 8;
    if (bytes > s->limit)
        return peri_fail_format(fault, PERI_IO_LIMIT, s->position,
                                "the image needs more than max_bytes,", "%llu",
                                (unsigned long long)s->limit);
    return PERI_IO_OK;
}

/* ---- PGM and PPM ---------------------------------------------------------------------------- */

/* A whole number after blanks and comments; the byte after it is not taken. */
static peri_io pnm_number(peri_source *s, unsigned most, unsigned *out, peri_fault *fault)
{
    const unsigned char *b;
    size_t count, digits = 0;
    bool comment = false;
    *out = 0;
    for (;;) {
        const peri_io status = peri_source_peek(s, 1, &b, &count, fault);
        if (status != PERI_IO_OK)
            return status;
        if (count == 0 && digits == 0)
            return peri_fail(fault, PERI_IO_BAD, s->position, "the file ends early");
        if (count == 0)
            return PERI_IO_OK;
        const int c = *b;
        if (comment || (digits == 0 && (c == '#' || is_space(c)))) {
            comment = comment ? c != '\n' && c != '\r' : c == '#';
        } else if (c >= '0' && c <= '9') {
            *out = *out * 10 + (unsigned)(c - '0');
            digits++;
            if (*out > most)
                return peri_fail_format(fault, PERI_IO_BAD, s->position,
                                        "a number of the image is larger than", "%u", most);
        } else if (digits == 0) {
            return peri_fail(fault, PERI_IO_BAD, s->position, "a number of the image is missing");
        } else {
            return PERI_IO_OK;
        }
        peri_source_skip(s, 1);
    }
}

static peri_io pnm_open(peri_image *m, peri_fault *fault)
{
    peri_source *s = m->source;
    const unsigned char *b;
    peri_io status = peri_source_need(s, 2, &b, fault);
    if (status != PERI_IO_OK)
        return status;
    m->plain = b[1] == '2' || b[1] == '3';
    m->channels = b[1] == '2' || b[1] == '5' ? 1 : 3;
    peri_source_skip(s, 2);
    unsigned width, height;
    status = pnm_number(s, INT_MAX, &width, fault);
    if (status == PERI_IO_OK)
        status = pnm_number(s, INT_MAX, &height, fault);
    if (status == PERI_IO_OK)
        status = pnm_number(s, 65535, &m->most, fault);
    if (status == PERI_IO_OK)
        status = measure(m, width, height, fault);
    if (status != PERI_IO_OK)
        return status;
    if (m->most == 0)
        return peri_fail(fault, PERI_IO_BAD, s->position, "the image's largest value is 0");
    /* One blank ends the header; before it, some writers put a comment. */
    status = peri_source_need(s, 1, &b, fault);
    if (status != PERI_IO_OK)
        return status;
    if (!is_space(*b))
        return peri_fail(fault, PERI_IO_BAD, s->position, "the header of the image is damaged");
    peri_source_skip(s, 1);
    m->scale = 255.0 / m->most;
    m->bytes = m->most == 255;
    const uint64_t samples = (uint64_t)m->width * m->height * (unsigned)m->channels;
    return peri_source_claim(s, m->plain ? samples * 2 - 1 : samples * (m->most > 255 ? 2 : 1),
                             "the image needs", fault);
}

static peri_io pnm_read(peri_image *m, int dtype, void *out, peri_fault *fault)
{
    peri_source *s = m->source;
    const size_t n = m->width * m->height * (size_t)m->channels;
    const size_t width = m->most > 255 ? 2 : 1;
    size_t left = 0;
    const unsigned char *b = NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        if (m->plain) {
            const peri_io status = pnm_number(s, m->most, &v, fault);
            if (status != PERI_IO_OK)
                return status;
        } else {
            if (left == 0) {
                left = n - i < 32768 ? n - i : 32768;
                const peri_io status = peri_source_need(s, left * width, &b, fault);
                if (status != PERI_IO_OK)
                    return status;
                peri_source_skip(s, left * width);
            }
            v = width == 2 ? (unsigned)b[0] << 8 | b[1] : b[0];
            b += width;
            left--;
            if (v > m->most)
                return peri_fail_format(fault, PERI_IO_BAD, s->position - left * width - width,
                                        "a number of the image is larger than", "%u", m->most);
        }
        put(dtype, out, i, m->most == 255 ? v : v * 255.0 / m->most);
    }
    /* Text ends in a newline, which is nothing left over. */
    for (size_t count = 1; m->plain && count > 0;) {
        const peri_io status = peri_source_peek(s, 1, &b, &count, fault);
        if (status != PERI_IO_OK)
            return status;
        if (count > 0 && !is_space(*b))
            break;
        peri_source_skip(s, count > 0);
    }
    return PERI_IO_OK;
}

/* ---- PNG ------------------------------------------------------------------------------------ */

typedef struct {
    png_structp png;
    png_infop info;
    peri_source *source;
    peri_fault *fault;
    unsigned char *rows; /* one, or all when interlaced */
    size_t rows_size;
    bool interlaced, alpha, wide;
    int samples; /* a pixel, alpha among them */
    png_colorp palette;
    png_bytep clear; /* alpha of the first nclear colours */
    int ncolours, nclear;
} png_codec;

static void png_fail(png_structp png, png_const_charp message)
{
    png_codec *c = png_get_error_ptr(png);
    if (c->fault->kind == PERI_IO_OK)
        peri_fail_text(c->fault, PERI_IO_BAD, c->source->position, "damaged PNG:", message,
                       strlen(message));
    png_longjmp(png, 1);
}

static void png_ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void png_pull(png_structp png, png_bytep out, size_t n)
{
    png_codec *c = png_get_io_ptr(png);
    if (peri_source_read(c->source, out, n, c->fault) != PERI_IO_OK)
        png_longjmp(png, 1);
}

static png_voidp png_take(png_structp png, png_alloc_size_t size)
{
    png_codec *c = png_get_mem_ptr(png);
    size_t *head = peri_take(&c->source->memory, size + 16);
    if (head == NULL) {
        peri_fail_memory(c->fault);
        return NULL;
    }
    *head = size + 16;
    return (char *)head + 16;
}

static void png_give(png_structp png, png_voidp block)
{
    png_codec *c = png_get_mem_ptr(png);
    if (block != NULL) {
        size_t *head = (void *)((char *)block - 16);
        peri_give(&c->source->memory, head, *head);
    }
}

/* Up to the first row's data; jumps end here. */
static bool png_begin(png_codec *c, peri_image *m)
{
    if (setjmp(png_jmpbuf(c->png)) != 0)
        return false;
    png_set_read_fn(c->png, c, png_pull);
    png_set_benign_errors(c->png, 0);
    png_set_crc_action(c->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(c->png, MOST_SIDE, MOST_SIDE);
    png_set_chunk_malloc_max(c->png, 1 << 20);
    /* Text and profiles are passed over unread: a few bytes of them can unfold to gigabytes. */
    static png_byte unread[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0eXIf\0hIST\0tIME\0pCAL\0sCAL\0"
                               "oFFs\0pHYs\0gAMA\0cHRM\0sRGB\0bKGD\0sBIT";
    png_set_keep_unknown_chunks(c->png, PNG_HANDLE_CHUNK_NEVER, unread, (int)(sizeof unread / 5));
    png_read_info(c->png, c->info);
    const png_byte type = png_get_color_type(c->png, c->info);
    const bool clear = png_get_valid(c->png, c->info, PNG_INFO_tRNS) != 0;
    c->alpha = clear || (type & PNG_COLOR_MASK_ALPHA) != 0;
    m->channels = c->alpha ? 4 : (type & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
    if (measure(m, png_get_image_width(c->png, c->info), png_get_image_height(c->png, c->info),
                c->fault) != PERI_IO_OK)
        return false;
    const size_t packed = png_get_rowbytes(c->png, c->info);
    if (peri_source_claim(c->source, (packed + 1) * m->height / 1040, "the image needs at least",
                          c->fault) != PERI_IO_OK)
        return false;
    if (type == PNG_COLOR_TYPE_PALETTE) {
        /* libpng would look up an index beyond the palette's end. */
        png_set_packing(c->png);
        png_get_PLTE(c->png, c->info, &c->palette, &c->ncolours);
        if (clear)
            png_get_tRNS(c->png, c->info, &c->clear, &c->nclear, NULL);
    } else {
        png_set_expand(c->png); /* 1 2 4 bits to 8, a colour that is clear to alpha */
    }
    c->interlaced = png_get_interlace_type(c->png, c->info) != PNG_INTERLACE_NONE;
    png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    c->samples = png_get_channels(c->png, c->info);
    c->wide = png_get_bit_depth(c->png, c->info) == 16;
    m->bytes = !c->wide;
    const size_t row = png_get_rowbytes(c->png, c->info);
    if (row != m->width * (size_t)c->samples * (c->wide ? 2 : 1))
        png_error(c->png, "rows of another length");
    const size_t size = row * (c->interlaced ? m->height : 1);
    if (size > c->source->limit) {
        peri_fail_format(c->fault, PERI_IO_LIMIT, PERI_NO_BYTE,
                         "the image needs more than max_bytes,", "%llu",
                         (unsigned long long)c->source->limit);
        return false;
    }
    c->rows = peri_take(&c->source->memory, size);
    if (c->rows == NULL) {
        peri_fail_memory(c->fault);
        return false;
    }
    c->rows_size = size;
    memset(c->rows, 0, size);
    return true;
}

static void png_put_row(const png_codec *c, const peri_image *m, const unsigned char *row,
                        int dtype, void *out, size_t at)
{
    const size_t width = c->wide ? 2 : 1, n = (size_t)m->channels;
    const bool grey = c->samples < 3;
    if (!c->wide && n == (size_t)c->samples && peri_dtype_size(dtype) == 1) {
        memcpy((unsigned char *)out + at, row, n * m->width);
        return;
    }
    for (size_t x = 0; x < m->width; x++, row += width * (size_t)c->samples)
        for (size_t k = 0; k < n; k++) {
            /* grey with alpha becomes the same in three colours */
            const size_t sample = !grey ? k : k == 3 ? 1 : 0;
            const unsigned char *from = row + width * sample;
            put(dtype, out, at++, c->wide ? (from[0] << 8 | from[1]) * 255.0 / 65535 : from[0]);
        }
}

/* False when an index has no colour. */
static bool png_put_colours(const png_codec *c, const peri_image *m, const unsigned char *row,
                            int dtype, void *out, size_t at)
{
    for (size_t x = 0; x < m->width; x++) {
        const int index = row[x];
        if (index >= c->ncolours)
            return false;
        const png_color colour = c->palette[index];
        put(dtype, out, at++, colour.red);
        put(dtype, out, at++, colour.green);
        put(dtype, out, at++, colour.blue);
        if (c->alpha)
            put(dtype, out, at++, index < c->nclear ? c->clear[index] : 255);
    }
    return true;
}

static bool png_rows(png_codec *c, const peri_image *m, int dtype, void *out)
{
    if (setjmp(png_jmpbuf(c->png)) != 0)
        return false;
    const size_t row = png_get_rowbytes(c->png, c->info);
    const size_t each = m->width * (size_t)m->channels;
    const int passes = c->interlaced ? 7 : 1;
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < m->height; y++) {
            unsigned char *to = c->rows + (c->interlaced ? y * row : 0);
            png_read_row(c->png, to, NULL);
            if (pass < passes - 1)
                continue;
            if (c->palette == NULL)
                png_put_row(c, m, to, dtype, out, y * each);
            else if (!png_put_colours(c, m, to, dtype, out, y * each))
                png_error(c->png, "a pixel has a colour beyond the palette");
        }
    png_read_end(c->png, NULL);
    return true;
}

static void png_close(peri_image *m)
{
    png_codec *c = m->codec;
    peri_fault ignored = {0};
    c->fault = &ignored;
    if (c->png != NULL)
        png_destroy_read_struct(&c->png, c->info != NULL ? &c->info : NULL, NULL);
    peri_give(&m->source->memory, c->rows, c->rows_size);
    peri_give(&m->source->memory, c, sizeof *c);
    m->codec = NULL;
}

static peri_io png_open(peri_image *m, peri_fault *fault)
{
    png_codec *c = peri_take(&m->source->memory, sizeof *c);
    if (c == NULL)
        return peri_fail_memory(fault);
    memset(c, 0, sizeof *c);
    m->codec = c;
    c->source = m->source;
    c->fault = fault;
    fault->kind = PERI_IO_OK;
    c->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, c, png_fail, png_ignore, c, png_take,
                                      png_give);
    if (c->png != NULL)
        c->info = png_create_info_struct(c->png);
    if (c->png == NULL || c->info == NULL)
        return peri_fail_memory(fault);
    return png_begin(c, m) ? PERI_IO_OK : fault->kind;
}

static peri_io png_read(peri_image *m, int dtype, void *out, peri_fault *fault)
{
    png_codec *c = m->codec;
    c->fault = fault;
    fault->kind = PERI_IO_OK;
    return png_rows(c, m, dtype, out) ? PERI_IO_OK : fault->kind;
}

/* ---- JPEG ----------------------------------------------------------------------------------- */

typedef struct {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back its address */
    struct jpeg_source_mgr input;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf jump;
    peri_source *source;
    peri_fault *fault;
    size_t shown; /* bytes of the window that libjpeg works on */
    unsigned char *row;
    size_t row_size;
    bool created;
} jpeg_codec;

static void jpeg_fail(j_common_ptr jpeg)
{
    jpeg_codec *c = (jpeg_codec *)(void *)jpeg->err;
    if (c->fault->kind == PERI_IO_OK) {
        char message[JMSG_LENGTH_MAX];
        jpeg->err->format_message(jpeg, message);
        peri_fail_text(c->fault, PERI_IO_BAD, c->source->position, "damaged JPEG:", message,
                       strlen(message));
    }
    longjmp(c->jump, 1);
}

/* A warning says that something was repaired. */
static void jpeg_say(j_common_ptr jpeg, int level)
{
    if (level < 0)
        jpeg_fail(jpeg);
}

static void jpeg_nothing(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

/* Takes what libjpeg has used of the window. */
static void jpeg_settle(jpeg_codec *c)
{
    peri_source_skip(c->source, c->shown - c->input.bytes_in_buffer);
    c->shown = c->input.bytes_in_buffer = 0;
}

static boolean jpeg_pull(j_decompress_ptr jpeg)
{
    jpeg_codec *c = (jpeg_codec *)(void *)jpeg->err;
    c->input.bytes_in_buffer = 0;
    jpeg_settle(c);
    const unsigned char *bytes;
    if (peri_source_need(c->source, 1, &bytes, c->fault) != PERI_IO_OK)
        longjmp(c->jump, 1);
    c->shown = c->source->end - c->source->start;
    c->input.next_input_byte = bytes;
    c->input.bytes_in_buffer = c->shown;
    return TRUE;
}

static void jpeg_skip(j_decompress_ptr jpeg, long n)
{
    jpeg_codec *c = (jpeg_codec *)(void *)jpeg->err;
    while (n > 0) {
        if (c->input.bytes_in_buffer == 0)
            jpeg_pull(jpeg);
        const size_t some =
            (size_t)n < c->input.bytes_in_buffer ? (size_t)n : c->input.bytes_in_buffer;
        c->input.next_input_byte += some;
        c->input.bytes_in_buffer -= some;
        n -= (long)some;
    }
}

/* A progressive file may ask for the whole image to be gone over again and again. */
static void jpeg_watch(j_common_ptr jpeg)
{
    jpeg_codec *c = (jpeg_codec *)(void *)jpeg->err;
    if (((j_decompress_ptr)jpeg)->input_scan_number > 100) {
        peri_fail(c->fault, PERI_IO_BAD, c->source->position, "the JPEG has too many scans");
        longjmp(c->jump, 1);
    }
    if (peri_stop_requested(c->source->stop)) {
        peri_fail(c->fault, PERI_IO_INTERRUPTED, PERI_NO_BYTE, "interrupted");
        longjmp(c->jump, 1);
    }
}

static bool jpeg_begin(jpeg_codec *c, peri_image *m)
{
    if (setjmp(c->jump) != 0)
        return false;
    c->jpeg.err = jpeg_std_error(&c->errors);
    c->errors.error_exit = jpeg_fail;
    c->errors.emit_message = jpeg_say;
    jpeg_create_decompress(&c->jpeg);
    c->created = true;
    c->input.init_source = c->input.term_source = jpeg_nothing;
    c->input.fill_input_buffer = jpeg_pull;
    c->input.skip_input_data = jpeg_skip;
    c->input.resync_to_restart = jpeg_resync_to_restart;
    c->jpeg.src = &c->input;
    c->progress.progress_monitor = jpeg_watch;
    c->jpeg.progress = &c->progress;
    jpeg_read_header(&c->jpeg, TRUE);
    if (c->jpeg.num_components != 1 && c->jpeg.num_components != 3) {
        peri_fail_format(c->fault, PERI_IO_BAD, c->source->position,
                         "a JPEG is read with 1 or 3 components, not", "%d",
                         c->jpeg.num_components);
        return false;
    }
    m->channels = c->jpeg.num_components;
    c->jpeg.out_color_space = m->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    if (measure(m, c->jpeg.image_width, c->jpeg.image_height, c->fault) != PERI_IO_OK)
        return false;
    const uint64_t blocks = (uint64_t)((m->width + 7) / 8) * ((m->height + 7) / 8);
    /* With chroma at half, four blocks of grey may share the bits of one: 1/8 byte a block. */
    if (peri_source_claim(c->source, blocks / 8 > 64 ? blocks / 8 - 64 : 0,
                          "the image needs at least", c->fault) != PERI_IO_OK)
        return false;
    c->row_size = m->width * (size_t)m->channels;
    c->row = peri_take(&c->source->memory, c->row_size);
    if (c->row == NULL) {
        c->row_size = 0;
        peri_fail_memory(c->fault);
        return false;
    }
    return true;
}

static bool jpeg_rows(jpeg_codec *c, const peri_image *m, int dtype, void *out)
{
    if (setjmp(c->jump) != 0)
        return false;
    jpeg_start_decompress(&c->jpeg);
    const bool as_they_are = peri_dtype_size(dtype) == 1;
    for (size_t y = 0; y < m->height; y++) {
        JSAMPROW row = c->row;
        if (jpeg_read_scanlines(&c->jpeg, &row, 1) != 1) {
            peri_fail(c->fault, PERI_IO_BAD, c->source->position, "the JPEG ends early");
            return false;
        }
        if (as_they_are)
            memcpy((unsigned char *)out + y * c->row_size, c->row, c->row_size);
        for (size_t i = 0; !as_they_are && i < c->row_size; i++)
            put(dtype, out, y * c->row_size + i, c->row[i]);
    }
    jpeg_finish_decompress(&c->jpeg);
    jpeg_settle(c);
    return true;
}

static void jpeg_close(peri_image *m)
{
    jpeg_codec *c = m->codec;
    if (c->created)
        jpeg_destroy_decompress(&c->jpeg);
    peri_give(&m->source->memory, c->row, c->row_size);
    peri_give(&m->source->memory, c, sizeof *c);
    m->codec = NULL;
}

static peri_io jpeg_open(peri_image *m, peri_fault *fault)
{
    jpeg_codec *c = peri_take(&m->source->memory, sizeof *c);
    if (c == NULL)
        return peri_fail_memory(fault);
    memset(c, 0, sizeof *c);
    m->codec = c;
    c->source = m->source;
    c->fault = fault;
    fault->kind = PERI_IO_OK;
    m->bytes = true;
    return jpeg_begin(c, m) ? PERI_IO_OK : fault->kind;
}

static peri_io jpeg_read(peri_image *m, int dtype, void *out, peri_fault *fault)
{
    jpeg_codec *c = m->codec;
    c->fault = fault;
    fault->kind = PERI_IO_OK;
    return jpeg_rows(c, m, dtype, out) ? PERI_IO_OK : fault->kind;
}

/* ---- which ---------------------------------------------------------------------------------- */

peri_io peri_image_open(peri_image *m, peri_image_kind kind, peri_fault *fault)
{
    m->kind = kind;
    switch (kind) {
    case PERI_IMAGE_PNG:
        return png_open(m, fault);
    case PERI_IMAGE_JPEG:
        return jpeg_open(m, fault);
    case PERI_IMAGE_PNM:
        return pnm_open(m, fault);
    default:
        return peri_fail(fault, PERI_IO_BAD, 0, "this is no image that can be read");
    }
}

peri_io peri_image_read(peri_image *m, int dtype, void *out, peri_fault *fault)
{
    switch (m->kind) {
    case PERI_IMAGE_PNG:
        return png_read(m, dtype, out, fault);
    case PERI_IMAGE_JPEG:
        return jpeg_read(m, dtype, out, fault);
    default:
        return pnm_read(m, dtype, out, fault);
    }
}

void peri_image_close(peri_image *m)
{
    if (m->codec == NULL)
        return;
    if (m->kind == PERI_IMAGE_PNG)
        png_close(m);
    else
        jpeg_close(m);
}

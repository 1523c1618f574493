/* SPDX-License-Identifier: MIT
 *
 * Writing zip archives. A stored member is gone through twice, first for its checksum, so that the
 * header before it is right at once; the header of a deflated one is written again. The directory
 * is kept until the end. ZIP64 only where 32 bits do not do. */
#include "format/zip.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

enum { LOCAL = 30, EXTRA64 = 20, MOST_HEADER = LOCAL + PERI_ZIP_NAME_MAX + EXTRA64 };
enum { DATE = 33 }; /* 1980-01-01 */

void peri_zip_begin(peri_zip_writer *z, peri_writer *w, const peri_memory *memory)
{
    *z = (peri_zip_writer){.writer = w, .memory = memory};
}

void peri_zip_drop(peri_zip_writer *z)
{
    peri_give(z->memory, z->directory, z->room);
    z->directory = NULL;
    z->room = 0;
}

static unsigned char *put2(unsigned char *b, unsigned v)
{
    b[0] = (unsigned char)v;
    b[1] = (unsigned char)(v >> 8);
    return b + 2;
}

static unsigned char *put4(unsigned char *b, uint32_t v)
{
    return put2(put2(b, v & 0xffff), v >> 16);
}

static unsigned char *put8(unsigned char *b, uint64_t v)
{
    return put4(put4(b, (uint32_t)v), (uint32_t)(v >> 32));
}

static uint32_t narrow(uint64_t v)
{
    return v >= UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

typedef struct {
    const char *name;
    size_t name_length;
    bool deflate, ascii, wide; /* wide: its local header has ZIP64's sizes */
    uint64_t size, packed, header;
    uint32_t crc;
} member;

static unsigned char *put_common(unsigned char *b, const member *m, bool wide)
{
    b = put2(b, wide ? 45 : 20);
    b = put2(b, m->ascii ? 0 : 1 << 11);
    b = put2(b, m->deflate ? Z_DEFLATED : 0);
    b = put4(b, (uint32_t)DATE << 16);
    return put4(b, m->crc);
}

static peri_io write_header(peri_zip_writer *z, const member *m, peri_fault *fault)
{
    unsigned char header[MOST_HEADER], *b = header;
    b = put4(b, 0x04034b50);
    b = put_common(b, m, m->wide);
    b = put4(b, m->wide ? UINT32_MAX : (uint32_t)m->packed);
    b = put4(b, m->wide ? UINT32_MAX : (uint32_t)m->size);
    b = put2(b, (unsigned)m->name_length);
    b = put2(b, m->wide ? EXTRA64 : 0);
    memcpy(b, m->name, m->name_length);
    b += m->name_length;
    if (m->wide)
        b = put8(put8(put2(put2(b, 1), 16), m->size), m->packed);
    return peri_writer_write(z->writer, header, (size_t)(b - header), fault);
}

/* Keeps the member's entry for the directory. */
static peri_io remember(peri_zip_writer *z, const member *m, peri_fault *fault)
{
    unsigned char extra[4 + 24], *x = extra + 4;
    if (m->size >= UINT32_MAX)
        x = put8(x, m->size);
    if (m->packed >= UINT32_MAX)
        x = put8(x, m->packed);
    if (m->header >= UINT32_MAX)
        x = put8(x, m->header);
    const size_t more = (size_t)(x - extra) > 4 ? (size_t)(x - extra) : 0;
    put2(put2(extra, 1), (unsigned)(more > 4 ? more - 4 : 0));
    const size_t bytes = 46 + m->name_length + more;
    if (bytes > z->room - z->used) {
        const size_t room = (z->room + bytes) * 2;
        void *grown = z->memory->call(z->memory->ud, z->directory, z->room, room);
        if (grown == NULL)
            return peri_fail_memory(fault);
        z->directory = grown;
        z->room = room;
    }
    unsigned char *b = z->directory + z->used;
    b = put4(b, 0x02014b50);
    b = put2(b, 3 << 8 | (more > 0 ? 45 : 20)); /* made on Unix */
    b = put_common(b, m, more > 0);
    b = put4(b, narrow(m->packed));
    b = put4(b, narrow(m->size));
    b = put2(b, (unsigned)m->name_length);
    b = put2(b, (unsigned)more);
    b = put2(put4(b, 0), 0); /* no note, one disk, no inner attributes */
    b = put4(b, (uint32_t)0100644 << 16);
    b = put4(b, narrow(m->header));
    memcpy(b, m->name, m->name_length);
    memcpy(b + m->name_length, extra, more);
    z->used += bytes;
    z->n++;
    return PERI_IO_OK;
}

static peri_io sink_crc(void *ud, const void *data, size_t n, peri_fault *fault)
{
    (void)fault;
    *(uint32_t *)ud = libdeflate_crc32(*(uint32_t *)ud, data, n);
    return PERI_IO_OK;
}

static peri_io sink_file(void *ud, const void *data, size_t n, peri_fault *fault)
{
    return peri_writer_write(ud, data, n, fault);
}

typedef struct {
    peri_writer *writer;
    z_stream z;
    uint32_t crc;
    uint64_t packed;
    unsigned char out[64 * 1024];
} deflating;

static peri_io compress_some(deflating *d, int flush, peri_fault *fault)
{
    int done;
    do {
        d->z.next_out = d->out;
        d->z.avail_out = sizeof d->out;
        done = deflate(&d->z, flush);
        const size_t n = sizeof d->out - d->z.avail_out;
        const peri_io status = peri_writer_write(d->writer, d->out, n, fault);
        if (status != PERI_IO_OK)
            return status;
        d->packed += n;
    } while (d->z.avail_out == 0 || (flush == Z_FINISH && done != Z_STREAM_END));
    return PERI_IO_OK;
}

static peri_io sink_deflate(void *ud, const void *data, size_t n, peri_fault *fault)
{
    deflating *d = ud;
    const unsigned char *from = data;
    while (n > 0) {
        const size_t some = n < 1 << 18 ? n : 1 << 18; /* in cache for both */
        d->crc = libdeflate_crc32(d->crc, from, some);
        d->z.next_in = (unsigned char *)from;
        d->z.avail_in = (uInt)some;
        const peri_io status = compress_some(d, Z_NO_FLUSH, fault);
        if (status != PERI_IO_OK)
            return status;
        from += some;
        n -= some;
    }
    return PERI_IO_OK;
}

typedef peri_io (*putter)(const void *content, peri_zip_sink sink, void *ud, peri_fault *fault);

static peri_io add_stored(peri_zip_writer *z, member *m, putter put, const void *content,
                          peri_fault *fault)
{
    peri_io status = put(content, sink_crc, &m->crc, fault);
    m->packed = m->size;
    m->wide = m->size >= UINT32_MAX;
    if (status == PERI_IO_OK)
        status = write_header(z, m, fault);
    return status == PERI_IO_OK ? put(content, sink_file, z->writer, fault) : status;
}

static peri_io add_deflated(peri_zip_writer *z, member *m, putter put, const void *content,
                            peri_fault *fault)
{
    deflating *d = peri_take(z->memory, sizeof *d);
    if (d == NULL)
        return peri_fail_memory(fault);
    memset(&d->z, 0, sizeof d->z);
    d->writer = z->writer;
    d->crc = 0;
    d->packed = 0;
    d->z.zalloc = peri_zlib_take;
    d->z.zfree = peri_zlib_give;
    d->z.opaque = (void *)z->memory;
    m->wide = m->size >= UINT32_MAX - (1 << 24); /* deflate can make it a little longer */
    peri_io status = deflateInit2(&d->z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK
                         ? write_header(z, m, fault)
                         : peri_fail_memory(fault);
    if (status == PERI_IO_OK)
        status = put(content, sink_deflate, d, fault);
    if (status == PERI_IO_OK)
        status = compress_some(d, Z_FINISH, fault);
    deflateEnd(&d->z);
    m->crc = d->crc;
    m->packed = d->packed;
    peri_give(z->memory, d, sizeof *d);
    const uint64_t end = z->writer->at;
    if (status == PERI_IO_OK)
        status = peri_writer_seek(z->writer, m->header, fault);
    if (status == PERI_IO_OK)
        status = write_header(z, m, fault);
    return status == PERI_IO_OK ? peri_writer_seek(z->writer, end, fault) : status;
}

peri_io peri_zip_add(peri_zip_writer *z, const char *name, uint64_t size, bool deflate, putter put,
                     const void *content, peri_fault *fault)
{
    member m = {.name = name,
                .name_length = strlen(name),
                .deflate = deflate,
                .ascii = true,
                .size = size,
                .header = z->writer->at};
    for (size_t i = 0; i < m.name_length; i++)
        m.ascii = m.ascii && (unsigned char)name[i] < 0x80;
    const peri_io status =
        deflate ? add_deflated(z, &m, put, content, fault) : add_stored(z, &m, put, content, fault);
    return status == PERI_IO_OK ? remember(z, &m, fault) : status;
}

peri_io peri_zip_end(peri_zip_writer *z, peri_fault *fault)
{
    const uint64_t at = z->writer->at;
    unsigned char end[56 + 20 + 22], *b = end;
    if (at >= UINT32_MAX || z->n >= UINT16_MAX || z->used >= UINT32_MAX) {
        b = put4(b, 0x06064b50);
        b = put8(b, 56 - 12);
        b = put2(put2(b, 3 << 8 | 45), 45);
        b = put8(b, 0);
        b = put8(put8(b, z->n), z->n);
        b = put8(put8(b, z->used), at);
        b = put8(put4(put4(b, 0x07064b50), 0), at + z->used);
        b = put4(b, 1);
    }
    b = put4(put4(b, 0x06054b50), 0);
    const unsigned n = z->n >= UINT16_MAX ? UINT16_MAX : (unsigned)z->n;
    b = put2(put2(b, n), n);
    b = put2(put4(put4(b, narrow(z->used)), narrow(at)), 0);
    const peri_io status = peri_writer_write(z->writer, z->directory, z->used, fault);
    return status == PERI_IO_OK ? peri_writer_write(z->writer, end, (size_t)(b - end), fault)
                                : status;
}

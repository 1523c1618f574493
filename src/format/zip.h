/* SPDX-License-Identifier: MIT
 *
 * Zip archives, with ZIP64: members stored or deflated, one read at a time, and written one after
 * another. Names are keys and never paths.
 *
 * Reading goes by the directory at the end, which must end where its end record begins. Each
 * member must lie before the next one, so that no two share a byte; its local header must repeat
 * its name and method. Encrypted members and other methods are refused when they are entered.
 *
 * Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", version 6.3.10, sections 4.3 to
 * 4.5.
 */
#ifndef PERIGEE_FORMAT_ZIP_H
#define PERIGEE_FORMAT_ZIP_H

#include "format/source.h"
#include "format/writer.h"

enum { PERI_ZIP_NAME_MAX = 1024 };

typedef struct {
    const char *name;
    uint64_t size, packed; /* of the content, and of what the archive holds of it */
    uint64_t header, end;  /* of its local header, and what it must end before */
    uint32_t crc;
    uint16_t method, flags;
} peri_zip_entry;

typedef struct {
    peri_source *outer;
    unsigned char *bytes; /* the archive, where it is in memory */
    size_t length, taken;
    uint64_t size;
    peri_zip_entry *entries; /* in the order of the directory */
    size_t n;
    char *names;
    size_t names_size;

    /* the member that is open */
    peri_source member;
    const peri_zip_entry *entry;
    uint64_t at;    /* of its next byte in the archive */
    uint64_t left;  /* of these bytes */
    uint64_t given; /* of its content so far */
    uint32_t crc;
    unsigned char *input; /* its deflated bytes */
    z_stream z;
    bool z_open, z_ended;
} peri_zip;

void peri_zip_init(peri_zip *z, peri_source *outer);
void peri_zip_close(peri_zip *z);

bool peri_zip_sniff(const unsigned char *bytes, size_t count);

/* Reads the directory of the archive that `outer` is at the beginning of. A plain file is then
 * read where its members are; anything else is taken into memory. */
peri_io peri_zip_open(peri_zip *z, peri_fault *fault);

/* Makes z->member the content of entries[i]; peri_zip_leave() reads what is left of it, of which
 * there may be none, and with it the checksum. */
peri_io peri_zip_enter(peri_zip *z, size_t i, peri_fault *fault);
peri_io peri_zip_leave(peri_zip *z, peri_fault *fault);

/* ---- writing ---- */

typedef struct {
    peri_writer *writer;
    const peri_memory *memory;
    unsigned char *directory; /* entries of what is written so far */
    size_t used, room, n;
} peri_zip_writer;

void peri_zip_begin(peri_zip_writer *z, peri_writer *w, const peri_memory *memory);

/* Writes a member: put() hands its content, the same each time, to sink(ud, ...). It is called
 * twice for a stored member. `size`: of the content. Dated 1980-01-01. */
typedef peri_io (*peri_zip_sink)(void *ud, const void *data, size_t n, peri_fault *fault);
peri_io peri_zip_add(peri_zip_writer *z, const char *name, uint64_t size, bool deflate,
                     peri_io (*put)(const void *content, peri_zip_sink sink, void *ud,
                                    peri_fault *fault),
                     const void *content, peri_fault *fault);

/* Writes the directory. peri_zip_drop() gives the memory back, however it went. */
peri_io peri_zip_end(peri_zip_writer *z, peri_fault *fault);
void peri_zip_drop(peri_zip_writer *z);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Reading zip archives. A stored member is read straight into whoever wants it, a deflated one
 * inflated into it, in pieces that are in cache for the checksum. */
#include "format/zip.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_MEMBERS = 1 << 20,
    END = 22,   /* bytes of the end record */
    END64 = 56, /* of ZIP64's */
    LOCATOR = 20,
    ENTRY = 46, /* of an entry of the directory, without its name */
    LOCAL = 30, /* of a local header, without its name */
    INPUT = 64 * 1024,
    PIECE = 256 * 1024
};

void peri_zip_init(peri_zip *z, peri_source *outer)
{
    memset(z, 0, sizeof *z);
    z->outer = outer;
    z->member.fd = -1;
}

static void close_member(peri_zip *z)
{
    peri_source_close(&z->member);
    if (z->z_open)
        inflateEnd(&z->z);
    z->z_open = false;
    peri_give(&z->outer->memory, z->input, INPUT);
    z->input = NULL;
    z->entry = NULL;
}

void peri_zip_close(peri_zip *z)
{
    if (z->outer == NULL)
        return;
    const peri_memory *m = &z->outer->memory;
    close_member(z);
    peri_give(m, z->entries, z->n * sizeof *z->entries);
    peri_give(m, z->names, z->names_size);
    peri_give(m, z->bytes, z->taken);
    z->entries = NULL;
    z->names = NULL;
    z->bytes = NULL;
    z->outer = NULL;
}

bool peri_zip_sniff(const unsigned char *bytes, size_t count)
{
    return count >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

static uint16_t get2(const unsigned char *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

static uint32_t get4(const unsigned char *b)
{
    return get2(b) | (uint32_t)get2(b + 2) << 16;
}

static uint64_t get8(const unsigned char *b)
{
    return get4(b) | (uint64_t)get4(b + 4) << 32;
}

/* Up to n bytes at an offset of the archive; *got 0 only at its end. */
static peri_io read_some(const peri_zip *z, uint64_t at, void *out, size_t n, size_t *got,
                         peri_fault *fault)
{
    if (at > z->size || n > z->size - at)
        n = at > z->size ? 0 : (size_t)(z->size - at);
    *got = n;
    if (n == 0)
        return PERI_IO_OK;
    if (z->bytes != NULL) {
        memcpy(out, z->bytes + at, n);
        return PERI_IO_OK;
    }
    ssize_t r;
    do
        r = pread(z->outer->fd, out, n, (off_t)at);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return peri_fail_system(fault, errno, "cannot read");
    *got = (size_t)r;
    return PERI_IO_OK;
}

static peri_io read_all(const peri_zip *z, uint64_t at, void *out, size_t n, peri_fault *fault)
{
    unsigned char *to = out;
    while (n > 0) {
        size_t got;
        const peri_io status = read_some(z, at, to, n, &got, fault);
        if (status != PERI_IO_OK)
            return status;
        if (got == 0) {
            peri_fail(fault, PERI_IO_BAD, at, "the archive ends early");
            return PERI_IO_BAD;
        }
        at += got;
        to += got;
        n -= got;
    }
    return PERI_IO_OK;
}

static peri_io no_directory(peri_fault *fault)
{
    peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE, "the archive is damaged: it has no directory");
    return PERI_IO_BAD;
}

static peri_io bad_member(const char *name, const char *reason, peri_fault *fault)
{
    return peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE, reason, name, strlen(name));
}

/* ---- the directory -------------------------------------------------------------------------- */

typedef struct {
    uint64_t count, size, at;
} directory;

/* The end record is the last that fits the comment behind it. */
static peri_io find_end(const peri_zip *z, uint64_t *at, unsigned char end[END], peri_fault *fault)
{
    enum { MOST = END + 65535 };
    const size_t n = z->size < MOST ? (size_t)z->size : MOST;
    if (n < END)
        return no_directory(fault);
    peri_io status = read_all(z, z->size - END, end, END, fault);
    if (status != PERI_IO_OK)
        return status;
    *at = z->size - END;
    if (memcmp(end, "PK\5\6", 4) == 0 && get2(end + 20) == 0)
        return PERI_IO_OK;
    unsigned char *tail = peri_take(&z->outer->memory, n);
    if (tail == NULL)
        return peri_fail_memory(fault);
    status = read_all(z, z->size - n, tail, n, fault);
    bool found = false;
    for (size_t i = n - END + 1; status == PERI_IO_OK && !found && i-- > 0;)
        if (memcmp(tail + i, "PK\5\6", 4) == 0 && get2(tail + i + 20) == n - END - i) {
            memcpy(end, tail + i, END);
            *at = z->size - n + i;
            found = true;
        }
    peri_give(&z->outer->memory, tail, n);
    if (status != PERI_IO_OK)
        return status;
    return found ? PERI_IO_OK : no_directory(fault);
}

/* Where the directory is, by the end record or by ZIP64's before it. */
static peri_io find_directory(const peri_zip *z, directory *d, peri_fault *fault)
{
    unsigned char end[END], locator[LOCATOR], end64[END64];
    uint64_t at = 0;
    peri_io status = find_end(z, &at, end, fault);
    if (status != PERI_IO_OK)
        return status;
    *d = (directory){get2(end + 10), get4(end + 12), get4(end + 16)};
    if (at >= LOCATOR + END64) {
        status = read_all(z, at - LOCATOR, locator, LOCATOR, fault);
        if (status != PERI_IO_OK)
            return status;
        if (memcmp(locator, "PK\6\7", 4) == 0) {
            const uint64_t place = get8(locator + 8);
            if (place > at - LOCATOR - END64)
                return no_directory(fault);
            status = read_all(z, place, end64, END64, fault);
            if (status != PERI_IO_OK)
                return status;
            if (memcmp(end64, "PK\6\6", 4) != 0)
                return no_directory(fault);
            *d = (directory){get8(end64 + 32), get8(end64 + 40), get8(end64 + 48)};
            at = place;
        }
    }
    if (d->at > at || d->size != at - d->at || d->count > d->size / ENTRY)
        return no_directory(fault);
    if (d->count > MOST_MEMBERS)
        return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE, "the archive has too many members");
    return PERI_IO_OK;
}

/* ZIP64's extra field holds the 64-bit values of those that are all ones, in this order. */
static bool widen(peri_zip_entry *e, const unsigned char *extra, size_t length)
{
    uint64_t *wide[3];
    size_t wanted = 0;
    if (e->size == UINT32_MAX)
        wide[wanted++] = &e->size;
    if (e->packed == UINT32_MAX)
        wide[wanted++] = &e->packed;
    if (e->header == UINT32_MAX)
        wide[wanted++] = &e->header;
    while (wanted > 0 && length >= 4) {
        const size_t n = get2(extra + 2);
        if (n > length - 4)
            return false;
        if (get2(extra) == 1) {
            if (n < 8 * wanted)
                return false;
            for (size_t i = 0; i < wanted; i++)
                *wide[i] = get8(extra + 4 + 8 * i);
            return true;
        }
        extra += 4 + n;
        length -= 4 + n;
    }
    return wanted == 0;
}

static peri_io damaged_directory(peri_fault *fault)
{
    return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE, "the directory of the archive is damaged");
}

/* The directory's n bytes become entries. */
static peri_io take_entries(peri_zip *z, const directory *d, const unsigned char *bytes,
                            peri_fault *fault)
{
    size_t left = (size_t)d->size, names = 0;
    for (size_t i = 0; i < z->n; i++) {
        peri_zip_entry *e = &z->entries[i];
        if (left < ENTRY || memcmp(bytes, "PK\1\2", 4) != 0)
            return damaged_directory(fault);
        const size_t name = get2(bytes + 28), extra = get2(bytes + 30), note = get2(bytes + 32);
        if (name + extra + note > left - ENTRY)
            return damaged_directory(fault);
        if (name > PERI_ZIP_NAME_MAX)
            return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE,
                             "the archive has a name of more than 1024 bytes");
        if (name == 0 || memchr(bytes + ENTRY, 0, name) != NULL)
            return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE,
                             "the archive has a name that is empty or holds a NUL byte");
        e->name = z->names + names;
        memcpy(z->names + names, bytes + ENTRY, name);
        z->names[names + name] = 0;
        names += name + 1;
        e->flags = get2(bytes + 8);
        e->method = get2(bytes + 10);
        e->crc = get4(bytes + 16);
        e->packed = get4(bytes + 20);
        e->size = get4(bytes + 24);
        e->header = get4(bytes + 42);
        if (!widen(e, bytes + ENTRY + name, extra))
            return damaged_directory(fault);
        if (e->header > d->at || e->packed > d->at - e->header)
            return bad_member(e->name,
                              "a member of the archive claims more than the file has:", fault);
        bytes += ENTRY + name + extra + note;
        left -= ENTRY + name + extra + note;
    }
    return left == 0 ? PERI_IO_OK : damaged_directory(fault);
}

static int by_header(const void *a, const void *b)
{
    const peri_zip_entry *x = *(peri_zip_entry *const *)a, *y = *(peri_zip_entry *const *)b;
    return (x->header > y->header) - (x->header < y->header);
}

/* Each member ends before the next one begins. */
static peri_io order_members(peri_zip *z, uint64_t end, peri_fault *fault)
{
    const size_t bytes = z->n * sizeof(peri_zip_entry *);
    peri_zip_entry **order = peri_take(&z->outer->memory, bytes);
    if (order == NULL)
        return peri_fail_memory(fault);
    for (size_t i = 0; i < z->n; i++)
        order[i] = &z->entries[i];
    qsort(order, z->n, sizeof(peri_zip_entry *), by_header);
    peri_io status = PERI_IO_OK;
    for (size_t i = 0; i < z->n && status == PERI_IO_OK; i++) {
        peri_zip_entry *e = order[i];
        e->end = i + 1 < z->n ? order[i + 1]->header : end;
        if (e->end - e->header < LOCAL || e->end - e->header - LOCAL < e->packed)
            status = peri_fail(fault, PERI_IO_BAD, e->header, "members of the archive overlap");
    }
    peri_give(&z->outer->memory, order, bytes);
    return status;
}

static peri_io read_directory(peri_zip *z, peri_fault *fault)
{
    directory d;
    peri_io status = find_directory(z, &d, fault);
    if (status != PERI_IO_OK || d.count == 0)
        return status;
    const uint64_t cost = d.size + d.count * (sizeof *z->entries + sizeof(void *));
    if (cost > z->outer->limit)
        return peri_fail_format(fault, PERI_IO_LIMIT, PERI_NO_BYTE,
                                "the directory of the archive needs more than max_bytes,", "%llu",
                                (unsigned long long)z->outer->limit);
    const peri_memory *m = &z->outer->memory;
    z->names_size = (size_t)d.size;
    z->names = peri_take(m, z->names_size);
    z->entries = peri_take(m, (size_t)d.count * sizeof *z->entries);
    if (z->entries != NULL)
        z->n = (size_t)d.count;
    unsigned char *bytes = peri_take(m, (size_t)d.size);
    if (z->names == NULL || z->entries == NULL || bytes == NULL) {
        peri_give(m, bytes, (size_t)d.size);
        return peri_fail_memory(fault);
    }
    memset(z->entries, 0, z->n * sizeof *z->entries);
    status = read_all(z, d.at, bytes, (size_t)d.size, fault);
    if (status == PERI_IO_OK)
        status = take_entries(z, &d, bytes, fault);
    peri_give(m, bytes, (size_t)d.size);
    return status == PERI_IO_OK ? order_members(z, d.at, fault) : status;
}

peri_io peri_zip_open(peri_zip *z, peri_fault *fault)
{
    peri_source *s = z->outer;
    if (s->fd >= 0 && !s->inflating && s->raw_size != PERI_NO_BYTE) {
        z->size = s->raw_size;
    } else {
        const peri_io status = peri_source_slurp(s, &z->bytes, &z->length, &z->taken, fault);
        if (status != PERI_IO_OK)
            return status;
        z->size = z->length;
    }
    return read_directory(z, fault);
}

/* ---- a member ------------------------------------------------------------------------------- */

static peri_io ends(peri_zip *z, peri_fault *fault)
{
    if (z->given != z->entry->size || z->left > 0 || z->z.avail_in > 0)
        return bad_member(z->entry->name,
                          "a member of the archive has another size than it says:", fault);
    if (z->crc != z->entry->crc)
        return bad_member(z->entry->name, "the checksum of a member does not match:", fault);
    return PERI_IO_OK;
}

static peri_io take_stored(peri_zip *z, unsigned char *out, size_t n, size_t *got,
                           peri_fault *fault)
{
    if (n > z->left)
        n = (size_t)z->left;
    const peri_io status = read_some(z, z->at, out, n < PIECE ? n : PIECE, got, fault);
    z->at += *got;
    z->left -= *got;
    return status;
}

static peri_io take_deflated(peri_zip *z, unsigned char *out, size_t n, size_t *got,
                             peri_fault *fault)
{
    const uInt room = (uInt)(n < PIECE ? n : PIECE);
    z->z.next_out = out;
    z->z.avail_out = room;
    while (z->z.avail_out == room && !z->z_ended) {
        if (z->z.avail_in == 0 && z->left > 0) {
            size_t some;
            const peri_io status = read_some(
                z, z->at, z->input, z->left < INPUT ? (size_t)z->left : INPUT, &some, fault);
            if (status != PERI_IO_OK)
                return status;
            z->z.next_in = z->input;
            z->z.avail_in = (uInt)some;
            z->at += some;
            z->left -= some;
        }
        const int done = inflate(&z->z, Z_NO_FLUSH);
        if (done == Z_MEM_ERROR)
            return peri_fail_memory(fault);
        if (done == Z_STREAM_END)
            z->z_ended = true;
        else if (done != Z_OK)
            return bad_member(z->entry->name, "a member of the archive is damaged:", fault);
    }
    *got = room - z->z.avail_out;
    return PERI_IO_OK;
}

/* What the member's source is filled from. */
static size_t pull(void *ud, void *out, size_t n, peri_io *status, peri_fault *fault)
{
    peri_zip *z = ud;
    size_t got = 0;
    *status =
        z->z_open ? take_deflated(z, out, n, &got, fault) : take_stored(z, out, n, &got, fault);
    if (*status != PERI_IO_OK)
        return 0;
    z->crc = libdeflate_crc32(z->crc, out, got);
    z->given += got;
    if (z->given > z->entry->size)
        *status = bad_member(z->entry->name,
                             "a member of the archive has another size than it says:", fault);
    else if (got == 0)
        *status = ends(z, fault);
    return *status == PERI_IO_OK ? got : 0;
}

/* Reads the local header, which says where the content begins. */
static peri_io find_content(peri_zip *z, peri_fault *fault)
{
    const peri_zip_entry *e = z->entry;
    unsigned char local[LOCAL + PERI_ZIP_NAME_MAX];
    const size_t name = strlen(e->name);
    if (e->end - e->header < LOCAL + name)
        return bad_member(e->name, "a member of the archive is damaged:", fault);
    const peri_io status = read_all(z, e->header, local, LOCAL + name, fault);
    if (status != PERI_IO_OK)
        return status;
    if (memcmp(local, "PK\3\4", 4) != 0 || get2(local + 8) != e->method ||
        get2(local + 26) != name || memcmp(local + LOCAL, e->name, name) != 0)
        return bad_member(e->name, "a member of the archive is damaged:", fault);
    z->at = e->header + LOCAL + name + get2(local + 28);
    if (z->at > e->end || e->packed > e->end - z->at)
        return peri_fail(fault, PERI_IO_BAD, z->at, "members of the archive overlap");
    z->left = e->packed;
    return PERI_IO_OK;
}

peri_io peri_zip_enter(peri_zip *z, size_t i, peri_fault *fault)
{
    close_member(z);
    const peri_zip_entry *e = z->entry = &z->entries[i];
    if ((e->flags & 1) != 0)
        return bad_member(e->name, "a member of the archive is encrypted:", fault);
    if (e->method != 0 && e->method != Z_DEFLATED)
        return bad_member(e->name,
                          "a member of the archive is neither stored nor deflated:", fault);
    if (e->method == 0 && e->packed != e->size)
        return bad_member(e->name, "a member of the archive has two sizes:", fault);
    peri_io status = find_content(z, fault);
    if (status != PERI_IO_OK)
        return status;
    z->given = 0;
    z->crc = 0;
    z->z_ended = false;
    memset(&z->z, 0, sizeof z->z);
    peri_source_init(&z->member, &z->outer->memory, z->outer->stop, z->outer->limit);
    if (e->method == Z_DEFLATED) {
        z->input = peri_take(&z->outer->memory, INPUT);
        z->z.zalloc = peri_zlib_take;
        z->z.zfree = peri_zlib_give;
        z->z.opaque = &z->outer->memory;
        if (z->input == NULL || inflateInit2(&z->z, -MAX_WBITS) != Z_OK)
            return peri_fail_memory(fault);
        z->z_open = true;
    }
    /* What deflate can make of the bytes that are there bounds what the directory claims. */
    uint64_t most = e->packed;
    if (e->method != 0)
        most = most > UINT64_MAX / 2048 ? UINT64_MAX / 2 : most * 1032 + 65536;
    return peri_source_function(&z->member, pull, z, most < e->size ? most : e->size, fault);
}

peri_io peri_zip_leave(peri_zip *z, peri_fault *fault)
{
    uint64_t extra;
    const peri_io status = peri_source_finish(&z->member, &extra, fault);
    if (status != PERI_IO_OK)
        return status;
    if (extra > 0)
        return peri_fail_text(fault, PERI_IO_BAD, z->member.position,
                              "other bytes follow the array in", z->entry->name,
                              strlen(z->entry->name));
    close_member(z);
    return PERI_IO_OK;
}

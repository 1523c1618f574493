/* SPDX-License-Identifier: MIT
 *
 * minizip reads and writes through functions given here: on the source's descriptor at offsets of
 * its own, on memory, or on a writer. What goes wrong below it is remembered in the fault. */
#include "format/npz.h"

#include <errno.h>
#include <minizip/unzip.h>
#include <minizip/zip.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/npy.h"

enum { MAX_MEMBERS = 65535 };

void peri_npz_init(peri_npz *z, peri_source *outer)
{
    memset(z, 0, sizeof *z);
    z->outer = outer;
    z->member.fd = -1;
}

void peri_npz_close(peri_npz *z)
{
    if (z->outer == NULL)
        return;
    peri_source_close(&z->member);
    if (z->zip != NULL)
        unzClose(z->zip); /* closes the member too */
    z->zip = NULL;
    peri_give(&z->outer->memory, z->bytes, z->taken);
    z->bytes = NULL;
    z->outer = NULL;
}

bool peri_npz_sniff(const unsigned char *bytes, size_t count)
{
    return count >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

/* ---- reading -------------------------------------------------------------------------------- */

static voidpf zip_open(voidpf opaque, const void *name, int mode)
{
    (void)name;
    (void)mode;
    return opaque;
}

static uLong zip_read(voidpf opaque, voidpf stream, void *out, uLong n)
{
    peri_npz *z = opaque;
    (void)stream;
    /* minizip takes an end where none may be for zeros, so that is told as an error. */
    if (z->at > z->size || n > z->size - z->at) {
        if (z->fault != NULL && z->fault->kind == PERI_IO_OK)
            peri_fail(z->fault, PERI_IO_BAD, z->size, "the archive ends early");
        return 0;
    }
    if (z->bytes != NULL) {
        memcpy(out, z->bytes + z->at, n);
        z->at += n;
        return n;
    }
    uLong done = 0;
    while (done < n) {
        const ssize_t r = pread(z->outer->fd, (char *)out + done, n - done, (off_t)(z->at + done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0 && z->fault != NULL && z->fault->kind == PERI_IO_OK)
            peri_fail_system(z->fault, errno, "cannot read");
        if (r <= 0)
            break;
        done += (uLong)r;
    }
    z->at += done;
    return done;
}

static ZPOS64_T zip_tell(voidpf opaque, voidpf stream)
{
    (void)stream;
    return ((peri_npz *)opaque)->at;
}

static long zip_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
    peri_npz *z = opaque;
    (void)stream;
    const uint64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR   ? z->at
                          : origin == ZLIB_FILEFUNC_SEEK_END ? z->size
                                                             : 0;
    if (offset > z->size - (from < z->size ? from : z->size))
        return -1;
    z->at = from + offset;
    return 0;
}

static int zip_close(voidpf opaque, voidpf stream)
{
    (void)opaque;
    (void)stream;
    return 0;
}

static int zip_error(voidpf opaque, voidpf stream)
{
    (void)stream;
    const peri_npz *z = opaque;
    return z->fault != NULL && z->fault->kind != PERI_IO_OK;
}

static peri_io damaged(peri_npz *z, int code, const char *reason, peri_fault *fault)
{
    (void)z;
    if (fault->kind != PERI_IO_OK) /* something below has spoken */
        return fault->kind;
    if (code == UNZ_INTERNALERROR)
        return peri_fail_memory(fault);
    return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE, reason);
}

static peri_io damaged_member(peri_npz *z, const char *reason, peri_fault *fault)
{
    if (fault->kind != PERI_IO_OK)
        return fault->kind;
    return peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE, reason, z->name, strlen(z->name));
}

typedef struct {
    uint64_t start, end;
} range;

static int by_start(const void *a, const void *b)
{
    const uint64_t x = ((const range *)a)->start, y = ((const range *)b)->start;
    return (x > y) - (x < y);
}

/* The member's entry in the directory: its name into z->name, and whether it can be read. */
static peri_io describe(peri_npz *z, unz_file_info64 *info, peri_fault *fault)
{
    const int code =
        unzGetCurrentFileInfo64(z->zip, info, z->name, sizeof z->name - 1, NULL, 0, NULL, 0);
    if (code != UNZ_OK)
        return damaged(z, code, "the directory of the archive is damaged", fault);
    if (info->size_filename > PERI_NPZ_NAME_MAX)
        return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE,
                         "the archive has a name of more than 1024 bytes");
    z->name[info->size_filename] = 0;
    if (strlen(z->name) != info->size_filename || info->size_filename == 0)
        return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE,
                         "the archive has a name that is empty or holds a NUL byte");
    if ((info->flag & 1) != 0)
        return damaged_member(z, "a member of the archive is encrypted:", fault);
    if (info->compression_method != 0 && info->compression_method != Z_DEFLATED)
        return damaged_member(z, "a member of the archive is neither stored nor deflated:", fault);
    if (info->compression_method == 0 && info->compressed_size != info->uncompressed_size)
        return damaged_member(z, "a member of the archive has two sizes:", fault);
    return PERI_IO_OK;
}

/* Where each member's bytes are. */
static peri_io locate(peri_npz *z, range *ranges, size_t n, peri_fault *fault)
{
    int code = unzGoToFirstFile(z->zip);
    for (size_t i = 0; i < n; i++) {
        unz_file_info64 info;
        if (code != UNZ_OK)
            return damaged(z, code, "the directory of the archive is damaged", fault);
        const peri_io status = describe(z, &info, fault);
        if (status != PERI_IO_OK)
            return status;
        int method, level;
        code = unzOpenCurrentFile2(z->zip, &method, &level, 1);
        if (code != UNZ_OK)
            return code == UNZ_INTERNALERROR
                       ? peri_fail_memory(fault)
                       : damaged_member(z, "a member of the archive is damaged:", fault);
        ranges[i].start = unzGetCurrentFileZStreamPos64(z->zip);
        if (__builtin_add_overflow(ranges[i].start, (uint64_t)info.compressed_size,
                                   &ranges[i].end) ||
            ranges[i].end > z->size)
            return damaged_member(z,
                                  "a member of the archive claims more than the file has:", fault);
        unzCloseCurrentFile(z->zip);
        code = i + 1 < n ? unzGoToNextFile(z->zip) : UNZ_OK;
    }
    qsort(ranges, n, sizeof *ranges, by_start);
    for (size_t i = 1; i < n; i++)
        if (ranges[i].start < ranges[i - 1].end)
            return peri_fail(fault, PERI_IO_BAD, ranges[i].start, "members of the archive overlap");
    return PERI_IO_OK;
}

/* An archive of nothing is its end record alone, which minizip does not find at offset 0. */
static bool is_empty(peri_npz *z)
{
    unsigned char end[22];
    if (z->size != sizeof end || zip_read(z, NULL, end, sizeof end) != sizeof end)
        return false;
    z->at = 0;
    return memcmp(end, "PK\5\6\0\0\0\0\0\0\0\0", 12) == 0;
}

static peri_io open_archive(peri_npz *z, peri_fault *fault)
{
    if (is_empty(z))
        return PERI_IO_OK;
    zlib_filefunc64_def functions = {zip_open, zip_read,  NULL,      zip_tell,
                                     zip_seek, zip_close, zip_error, z};
    z->zip = unzOpen2_64("", &functions);
    unz_global_info64 global;
    if (z->zip == NULL)
        return damaged(z, 0, "the archive is damaged: it has no directory", fault);
    if (unzGetGlobalInfo64(z->zip, &global) != UNZ_OK || global.number_entry > MAX_MEMBERS)
        return damaged(z, 0, "the archive has too many members", fault);
    const size_t n = (size_t)global.number_entry;
    if (n == 0)
        return PERI_IO_OK;
    range *ranges = peri_take(&z->outer->memory, n * sizeof *ranges);
    if (ranges == NULL)
        return peri_fail_memory(fault);
    const peri_io status = locate(z, ranges, n, fault);
    peri_give(&z->outer->memory, ranges, n * sizeof *ranges);
    z->first = true;
    return status;
}

peri_io peri_npz_open(peri_npz *z, peri_fault *fault)
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
    z->fault = fault;
    fault->kind = PERI_IO_OK;
    const peri_io status = open_archive(z, fault);
    z->fault = NULL;
    return status;
}

static size_t pull(void *ud, void *out, size_t n, peri_io *status, peri_fault *fault)
{
    peri_npz *z = ud;
    z->fault = fault;
    fault->kind = PERI_IO_OK;
    const int got = unzReadCurrentFile(z->zip, out, n < 1 << 20 ? (unsigned)n : 1 << 20);
    z->fault = NULL;
    if (got < 0)
        *status = damaged_member(z, "a member of the archive is damaged:", fault);
    return got < 0 ? 0 : (size_t)got;
}

peri_io peri_npz_next(peri_npz *z, bool *more, peri_fault *fault)
{
    *more = false;
    if (!z->first && !z->opened)
        return PERI_IO_OK; /* an empty archive */
    z->fault = fault;
    fault->kind = PERI_IO_OK;
    const int code = z->first ? unzGoToFirstFile(z->zip) : unzGoToNextFile(z->zip);
    z->first = false;
    z->opened = true;
    if (code == UNZ_END_OF_LIST_OF_FILE)
        return PERI_IO_OK;
    if (code != UNZ_OK)
        return damaged(z, code, "the directory of the archive is damaged", fault);
    unz_file_info64 info;
    peri_io status = describe(z, &info, fault);
    if (status != PERI_IO_OK)
        return status;
    const int opened = unzOpenCurrentFile(z->zip);
    if (opened != UNZ_OK)
        return opened == UNZ_INTERNALERROR
                   ? peri_fail_memory(fault)
                   : damaged_member(z, "a member of the archive is damaged:", fault);
    z->fault = NULL;
    const size_t length = strlen(z->name);
    if (length > 4 && strcmp(z->name + length - 4, ".npy") == 0)
        z->name[length - 4] = 0;
    /* What deflate can make of the bytes that are there bounds what the directory claims. */
    uint64_t most = info.compressed_size;
    if (info.compression_method != 0)
        most = most > UINT64_MAX / 2048 ? UINT64_MAX / 2 : most * 1032 + 65536;
    if (most > info.uncompressed_size)
        most = info.uncompressed_size;
    peri_source_close(&z->member);
    peri_source_init(&z->member, &z->outer->memory, z->outer->stop, z->outer->limit);
    status = peri_source_function(&z->member, pull, z, most, fault);
    *more = status == PERI_IO_OK;
    return status;
}

peri_io peri_npz_leave(peri_npz *z, peri_fault *fault)
{
    uint64_t extra;
    peri_io status = peri_source_finish(&z->member, &extra, fault);
    if (status != PERI_IO_OK)
        return status;
    if (extra > 0)
        return peri_fail_text(fault, PERI_IO_BAD, z->member.position,
                              "other bytes follow the array in", z->name, strlen(z->name));
    peri_source_close(&z->member);
    z->fault = fault;
    fault->kind = PERI_IO_OK;
    const int code = unzCloseCurrentFile(z->zip);
    z->fault = NULL;
    if (code != UNZ_OK)
        return damaged_member(z, "the checksum of a member does not match:", fault);
    return PERI_IO_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct {
    peri_writer *writer;
    peri_fault *fault;
    uint64_t end;
} out_file;

static uLong out_write(voidpf opaque, voidpf stream, const void *data, uLong n)
{
    out_file *o = opaque;
    (void)stream;
    if (o->fault->kind != PERI_IO_OK ||
        peri_writer_write(o->writer, data, n, o->fault) != PERI_IO_OK)
        return 0;
    if (o->writer->at > o->end)
        o->end = o->writer->at;
    return n;
}

static ZPOS64_T out_tell(voidpf opaque, voidpf stream)
{
    (void)stream;
    return ((out_file *)opaque)->writer->at;
}

static long out_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
    out_file *o = opaque;
    (void)stream;
    const uint64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR   ? o->writer->at
                          : origin == ZLIB_FILEFUNC_SEEK_END ? o->end
                                                             : 0;
    if (o->fault->kind != PERI_IO_OK)
        return -1;
    return peri_writer_seek(o->writer, from + offset, o->fault) == PERI_IO_OK ? 0 : -1;
}

static voidpf out_open(voidpf opaque, const void *name, int mode)
{
    (void)name;
    (void)mode;
    return opaque;
}

static uLong out_read(voidpf opaque, voidpf stream, void *out, uLong n)
{
    (void)opaque;
    (void)stream;
    (void)out;
    (void)n;
    return 0;
}

static int out_error(voidpf opaque, voidpf stream)
{
    (void)stream;
    return ((out_file *)opaque)->fault->kind != PERI_IO_OK;
}

static peri_io put_in_zip(void *zip, const void *data, size_t n, peri_fault *fault)
{
    const char *from = data;
    while (n > 0) {
        const size_t some = n < 1 << 20 ? n : 1 << 20;
        if (zipWriteInFileInZip(zip, from, (unsigned)some) != ZIP_OK)
            return fault->kind != PERI_IO_OK ? fault->kind : peri_fail_memory(fault);
        from += some;
        n -= some;
    }
    return PERI_IO_OK;
}

static peri_io zip_sink(void *ud, const void *data, size_t n, peri_fault *fault)
{
    return put_in_zip(ud, data, n, fault);
}

static peri_io write_member(void *zip, const char *name, const peri_view *array, bool compress,
                            peri_fault *fault)
{
    char file[PERI_NPZ_NAME_MAX + 8];
    const size_t length = strlen(name);
    if (length == 0 || length > PERI_NPZ_NAME_MAX - 4)
        return peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE,
                              "a name in an archive has 1 to 1020 bytes, not", name, length);
    snprintf(file, sizeof file, "%s.npy", name);
    bool ascii = true;
    for (size_t i = 0; i < length; i++)
        ascii = ascii && (unsigned char)name[i] < 0x80;
    const size_t bytes = peri_view_size(array) * peri_dtype_size(array->dtype);
    const zip_fileinfo info = {.dosDate = 0x210000}; /* 1980-01-01 */
    const int code =
        zipOpenNewFileInZip4_64(zip, file, &info, NULL, 0, NULL, 0, NULL, compress ? Z_DEFLATED : 0,
                                6, 0, -MAX_WBITS, DEF_MEM_LEVEL, Z_DEFAULT_STRATEGY, NULL, 0, 0x314,
                                ascii ? 0 : 1 << 11, bytes > UINT32_MAX - (1 << 20));
    if (code != ZIP_OK)
        return fault->kind != PERI_IO_OK ? fault->kind : peri_fail_memory(fault);
    const peri_io status = peri_npy_put(array, zip_sink, zip, fault);
    if (status == PERI_IO_OK && zipCloseFileInZip(zip) != ZIP_OK)
        return fault->kind != PERI_IO_OK ? fault->kind : peri_fail_memory(fault);
    return status;
}

peri_io peri_npz_write(peri_writer *w, size_t n, const char *const names[],
                       const peri_view arrays[], bool compress, peri_fault *fault)
{
    out_file out = {w, fault, 0};
    zlib_filefunc64_def functions = {out_open, out_read,  out_write, out_tell,
                                     out_seek, zip_close, out_error, &out};
    fault->kind = PERI_IO_OK;
    void *zip = zipOpen2_64("", APPEND_STATUS_CREATE, NULL, &functions);
    if (zip == NULL)
        return fault->kind != PERI_IO_OK ? fault->kind : peri_fail_memory(fault);
    peri_io status = PERI_IO_OK;
    for (size_t i = 0; i < n && status == PERI_IO_OK; i++)
        status = write_member(zip, names[i], &arrays[i], compress, fault);
    const int closed = zipClose(zip, NULL);
    if (status == PERI_IO_OK && fault->kind != PERI_IO_OK)
        return fault->kind;
    if (status == PERI_IO_OK && closed != ZIP_OK)
        return peri_fail_memory(fault);
    return status;
}

/* SPDX-License-Identifier: MIT
 *
 * Bytes in. Big reads bypass the window: a plain file is read straight into the reader's memory,
 * a gzipped one inflated into it, in pieces that stay in cache for the checksum that follows. */
#include "format/source.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT = 64 * 1024, PIECE = 256 * 1024, READ_PIECE = 8 * 1024 * 1024 };

void *peri_zlib_take(void *memory, unsigned items, unsigned size)
{
    /* zlib gives no size back when it frees, so each block starts with its own. */
    const size_t bytes = (size_t)items * size + 16;
    size_t *head = peri_take(memory, bytes);
    if (head == NULL)
        return NULL;
    *head = bytes;
    return (char *)head + 16;
}

void peri_zlib_give(void *memory, void *block)
{
    size_t *head = (void *)((char *)block - 16);
    peri_give(memory, head, *head);
}

void peri_source_init(peri_source *s, const peri_memory *memory, const peri_stop *stop,
                      uint64_t limit)
{
    memset(s, 0, sizeof *s);
    s->memory = *memory;
    s->stop = stop;
    s->limit = limit;
    s->fd = -1;
}

static peri_io make_window(peri_source *s, peri_fault *fault)
{
    s->window = peri_take(&s->memory, PERI_WINDOW);
    if (s->window == NULL)
        return peri_fail_memory(fault);
    s->window_size = PERI_WINDOW;
    s->start = s->end = 0;
    return PERI_IO_OK;
}

peri_io peri_source_open(peri_source *s, const char *path, peri_fault *fault)
{
    do
        s->fd = open(path, O_RDONLY | O_CLOEXEC);
    while (s->fd < 0 && errno == EINTR && !peri_stop_requested(s->stop));
    if (s->fd < 0 && errno == EINTR)
        return peri_fail(fault, PERI_IO_INTERRUPTED, PERI_NO_BYTE, "interrupted");
    if (s->fd < 0)
        return peri_fail_system(fault, errno, "cannot open");
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return peri_fail_system(fault, errno, "cannot look at the file");
    if (S_ISDIR(st.st_mode))
        return peri_fail_system(fault, EISDIR, "cannot read");
    s->raw_size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : PERI_NO_BYTE;
    return make_window(s, fault);
}

void peri_source_bytes(peri_source *s, const void *data, size_t size)
{
    s->window = (unsigned char *)data;
    s->end = size;
    s->raw_size = s->raw_taken = size;
    s->ended = true;
}

peri_io peri_source_function(peri_source *s,
                             size_t (*pull)(void *, void *, size_t, peri_io *, peri_fault *),
                             void *ud, uint64_t raw_size, peri_fault *fault)
{
    s->pull = pull;
    s->pull_ud = ud;
    s->raw_size = raw_size;
    return make_window(s, fault);
}

void peri_source_close(peri_source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->z_open)
        inflateEnd(&s->z);
    s->z_open = false;
    if (s->window_size != 0)
        peri_give(&s->memory, s->window, s->window_size);
    s->window = NULL;
    s->window_size = s->start = s->end = 0;
    if (s->input_size != 0)
        peri_give(&s->memory, s->input, s->input_size);
    s->input = NULL;
    s->input_size = 0;
    s->ended = true;
}

/* Up to n raw bytes; *got 0 at the end. */
static peri_io raw_read(peri_source *s, void *out, size_t n, size_t *got, peri_fault *fault)
{
    *got = 0;
    if (s->ended)
        return PERI_IO_OK;
    if (peri_stop_requested(s->stop))
        return peri_fail(fault, PERI_IO_INTERRUPTED, PERI_NO_BYTE, "interrupted");
    if (s->pull != NULL) {
        peri_io status = PERI_IO_OK;
        *got = s->pull(s->pull_ud, out, n, &status, fault);
        if (status != PERI_IO_OK)
            return status;
    } else {
        ssize_t r;
        do
            r = read(s->fd, out, n < READ_PIECE ? n : READ_PIECE);
        while (r < 0 && errno == EINTR && !peri_stop_requested(s->stop));
        if (r < 0 && errno == EINTR)
            return peri_fail(fault, PERI_IO_INTERRUPTED, PERI_NO_BYTE, "interrupted");
        if (r < 0)
            return peri_fail_system(fault, errno, "cannot read");
        *got = (size_t)r;
    }
    s->raw_taken += *got;
    if (*got == 0)
        s->ended = true;
    return PERI_IO_OK;
}

/* Offset of the next compressed byte. */
static uint64_t raw_place(const peri_source *s)
{
    return s->raw_taken - s->z.avail_in;
}

static peri_io more_input(peri_source *s, peri_fault *fault)
{
    if (s->z.avail_in != 0 || s->ended)
        return PERI_IO_OK;
    size_t got;
    const peri_io status = raw_read(s, s->input, s->input_size, &got, fault);
    s->z.next_in = s->input;
    s->z.avail_in = (uInt)got;
    return status;
}

/* zlib checks the header. Its checksum of the content takes three times as long as libdeflate's, so
 * the rest of the member goes without it and is checked here. */
static void begin_member(peri_source *s)
{
    s->in_member = true;
    s->ours = false;
    s->crc = s->length = 0;
    memset(&s->header, 0, sizeof s->header);
    inflateValidate(&s->z, 1);
    inflateGetHeader(&s->z, &s->header);
}

/* Notes what inflate() took and gave. */
static void account(peri_source *s, const unsigned char *in, const unsigned char *out)
{
    const size_t taken = (size_t)(s->z.next_in - in), given = (size_t)(s->z.next_out - out);
    if (taken >= sizeof s->tail) {
        memcpy(s->tail, s->z.next_in - sizeof s->tail, sizeof s->tail);
    } else if (taken > 0) {
        memmove(s->tail, s->tail + taken, sizeof s->tail - taken);
        memcpy(s->tail + sizeof s->tail - taken, in, taken);
    }
    s->crc = libdeflate_crc32(s->crc, out, given);
    s->length += (uint32_t)given;
}

static uint32_t little(const unsigned char *b)
{
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* After a member: PERI_IO_OK when its trailer is right. */
static peri_io end_member(peri_source *s, peri_fault *fault)
{
    s->in_member = false;
    if (!s->ours)
        return PERI_IO_OK;
    const char *wrong = little(s->tail) != s->crc          ? "incorrect data check"
                        : little(s->tail + 4) != s->length ? "incorrect length check"
                                                           : NULL;
    if (wrong == NULL)
        return PERI_IO_OK;
    return peri_fail_text(fault, PERI_IO_BAD, raw_place(s), "damaged gzip data:", wrong,
                          strlen(wrong));
}

/* At a member's end: skips padding, and opens the next member if there is one. */
static peri_io next_member(peri_source *s, bool *more, peri_fault *fault)
{
    *more = false;
    bool padding = false;
    for (;;) {
        const peri_io status = more_input(s, fault);
        if (status != PERI_IO_OK)
            return status;
        if (s->z.avail_in == 0)
            return PERI_IO_OK;
        if (*s->z.next_in != 0)
            break;
        padding = true;
        s->z.next_in++;
        s->z.avail_in--;
    }
    if (*s->z.next_in != 0x1f || padding)
        return peri_fail(fault, PERI_IO_BAD, raw_place(s),
                         "there are other bytes after the gzip data");
    inflateReset(&s->z);
    begin_member(s);
    *more = true;
    return PERI_IO_OK;
}

/* Inflates up to n bytes to out; *got 0 at the end of the last member. */
static peri_io inflate_to(peri_source *s, unsigned char *out, size_t n, size_t *got,
                          peri_fault *fault)
{
    *got = 0;
    while (*got < n) {
        if (!s->in_member) {
            bool more;
            const peri_io status = next_member(s, &more, fault);
            if (status != PERI_IO_OK || !more)
                return status;
        }
        const peri_io status = more_input(s, fault);
        if (status != PERI_IO_OK)
            return status;
        if (peri_stop_requested(s->stop))
            return peri_fail(fault, PERI_IO_INTERRUPTED, PERI_NO_BYTE, "interrupted");
        if (s->z.avail_in == 0)
            return peri_fail(fault, PERI_IO_BAD, raw_place(s), "the gzip data end early");
        const uInt piece = (uInt)(n - *got < PIECE ? n - *got : PIECE);
        s->z.next_out = out + *got;
        s->z.avail_out = piece;
        const unsigned char *const in = s->z.next_in;
        const int done = inflate(&s->z, Z_NO_FLUSH);
        account(s, in, out + *got);
        *got += piece - s->z.avail_out;
        if (done == Z_STREAM_END) {
            const peri_io ended = end_member(s, fault);
            if (ended != PERI_IO_OK)
                return ended;
        } else if (done == Z_OK && s->header.done == 1 && !s->ours) {
            inflateValidate(&s->z, 0);
            s->ours = true;
        } else if (done == Z_MEM_ERROR)
            return peri_fail_memory(fault);
        else if (done != Z_OK && done != Z_BUF_ERROR)
            return peri_fail_text(fault, PERI_IO_BAD, raw_place(s), "damaged gzip data:",
                                  s->z.msg != NULL ? s->z.msg : "wrong header",
                                  s->z.msg != NULL ? strlen(s->z.msg) : 12);
    }
    return PERI_IO_OK;
}

/* Up to n bytes of content behind the window's end; *got 0 at the end. */
static peri_io fetch(peri_source *s, unsigned char *out, size_t n, size_t *got, peri_fault *fault)
{
    /* What the reader has seen so far is the position and what waits in the window. */
    const uint64_t seen = s->position + (s->end - s->start);
    if (seen >= s->limit) {
        /* Only a byte more tells a file of just this size from a longer one. */
        unsigned char one;
        const peri_io status =
            s->inflating ? inflate_to(s, &one, 1, got, fault) : raw_read(s, &one, 1, got, fault);
        if (status != PERI_IO_OK || *got == 0)
            return status;
        *got = 0;
        return peri_fail_format(fault, PERI_IO_LIMIT, PERI_NO_BYTE,
                                "the content is larger than max_bytes,", "%llu",
                                (unsigned long long)s->limit);
    }
    if (n > s->limit - seen)
        n = (size_t)(s->limit - seen);
    return s->inflating ? inflate_to(s, out, n, got, fault) : raw_read(s, out, n, got, fault);
}

peri_io peri_source_peek(peri_source *s, size_t n, const unsigned char **bytes, size_t *count,
                         peri_fault *fault)
{
    if (s->end - s->start < n && s->window_size != 0) {
        memmove(s->window, s->window + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
        while (s->end < n) {
            size_t got;
            /* A plain file fills the window, an inflating one only as much as is wanted soon:
             * what is in the window is copied once more. */
            size_t room = s->window_size - s->end;
            if (s->inflating && room > 4096 && n - s->end < 4096)
                room = 4096;
            const peri_io status = fetch(s, s->window + s->end, room, &got, fault);
            if (status != PERI_IO_OK)
                return status;
            if (got == 0)
                break;
            s->end += got;
        }
    }
    *bytes = s->window + s->start;
    *count = s->end - s->start;
    return PERI_IO_OK;
}

static peri_io ends_early(const peri_source *s, uint64_t have, peri_fault *fault)
{
    return peri_fail(fault, PERI_IO_BAD, s->position + have, "the file ends early");
}

peri_io peri_source_need(peri_source *s, size_t n, const unsigned char **bytes, peri_fault *fault)
{
    size_t count;
    const peri_io status = peri_source_peek(s, n, bytes, &count, fault);
    if (status != PERI_IO_OK)
        return status;
    return count >= n ? PERI_IO_OK : ends_early(s, count, fault);
}

peri_io peri_source_read(peri_source *s, void *out, size_t n, peri_fault *fault)
{
    unsigned char *to = out;
    size_t waiting = s->end - s->start;
    if (waiting > n)
        waiting = n;
    if (waiting > 0)
        memcpy(to, s->window + s->start, waiting);
    peri_source_skip(s, waiting);
    to += waiting;
    n -= waiting;
    while (n > 0) {
        if (n < 4096 && s->window_size != 0) {
            const unsigned char *bytes;
            const peri_io status = peri_source_need(s, n, &bytes, fault);
            if (status != PERI_IO_OK)
                return status;
            memcpy(to, bytes, n);
            peri_source_skip(s, n);
            return PERI_IO_OK;
        }
        size_t got;
        const peri_io status = fetch(s, to, n, &got, fault);
        if (status != PERI_IO_OK)
            return status;
        if (got == 0)
            return ends_early(s, 0, fault);
        to += got;
        n -= got;
        s->position += got;
    }
    return PERI_IO_OK;
}

peri_io peri_source_advance(peri_source *s, uint64_t n, peri_fault *fault)
{
    const size_t waiting = s->end - s->start;
    if (n <= waiting) {
        peri_source_skip(s, (size_t)n);
        return PERI_IO_OK;
    }
    if (s->window_size == 0)
        return ends_early(s, waiting, fault);
    if (s->fd >= 0 && !s->inflating && s->raw_size != PERI_NO_BYTE) {
        peri_source_skip(s, waiting);
        n -= waiting;
        if (s->raw_taken > s->raw_size || n > s->raw_size - s->raw_taken)
            return ends_early(s, 0, fault);
        if (n > s->limit || s->position > s->limit - n)
            return peri_source_claim(s, n, "what is passed over has", fault);
        if (lseek(s->fd, (off_t)n, SEEK_CUR) < 0)
            return peri_fail_system(fault, errno, "cannot read");
        s->start = s->end = 0;
        s->raw_taken += n;
        s->position += n;
        return PERI_IO_OK;
    }
    while (n > 0) {
        const unsigned char *bytes;
        size_t count;
        const size_t want = n < PERI_WINDOW ? (size_t)n : PERI_WINDOW;
        const peri_io status = peri_source_peek(s, want, &bytes, &count, fault);
        if (status != PERI_IO_OK)
            return status;
        if (count < want)
            return ends_early(s, count, fault);
        peri_source_skip(s, want);
        n -= want;
    }
    return PERI_IO_OK;
}

peri_io peri_source_gunzip(peri_source *s, bool *is_gzip, peri_fault *fault)
{
    const unsigned char *bytes;
    size_t count;
    const peri_io status = peri_source_peek(s, 2, &bytes, &count, fault);
    if (status != PERI_IO_OK)
        return status;
    *is_gzip = count >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
    if (!*is_gzip)
        return PERI_IO_OK;
    /* What is in the window becomes input; the window is made anew. */
    unsigned char *const raw = s->window + s->start;
    if (s->window_size != 0) {
        s->input = s->window;
        s->input_size = s->window_size;
    }
    s->window_size = 0;
    s->window = NULL;
    s->start = s->end = 0;
    s->z.zalloc = peri_zlib_take;
    s->z.zfree = peri_zlib_give;
    s->z.opaque = &s->memory;
    s->z.next_in = raw;
    s->inflating = true;
    /* A block of memory beyond 4 GiB would not fit zlib's counter. */
    if (count > UINT32_MAX)
        return peri_fail(fault, PERI_IO_LIMIT, PERI_NO_BYTE, "the gzip data are too large");
    s->z.avail_in = (uInt)count;
    /* inflateInit2 with 16 added: a gzip header and trailer, checked by zlib. */
    if (inflateInit2(&s->z, 15 + 16) != Z_OK)
        return peri_fail_memory(fault);
    s->z_open = true;
    begin_member(s);
    return make_window(s, fault);
}

uint64_t peri_source_at_most(const peri_source *s)
{
    const uint64_t here = s->end - s->start;
    const uint64_t seen = s->position + here;
    const uint64_t allowed = s->limit > seen ? s->limit - seen : 0;
    if (s->raw_size == PERI_NO_BYTE && !s->ended)
        return here + allowed;
    /* A file that grows while it is read is read as far as it was. */
    uint64_t more = s->raw_size > s->raw_taken ? s->raw_size - s->raw_taken : 0;
    if (s->inflating) {
        /* A code of one bit can stand for 258 bytes; zlib itself holds up to 32 KiB more. */
        more += s->z.avail_in;
        more = more > UINT64_MAX / 2048 ? UINT64_MAX / 2 : more * 1032 + 65536;
    }
    return here + (more < allowed ? more : allowed);
}

peri_io peri_source_claim(const peri_source *s, uint64_t bytes, const char *what, peri_fault *fault)
{
    if (bytes <= peri_source_at_most(s))
        return PERI_IO_OK;
    if (s->limit < s->position || bytes > s->limit - s->position)
        return peri_fail_format(fault, PERI_IO_LIMIT, s->position, what,
                                "%llu bytes, more than max_bytes, %llu", (unsigned long long)bytes,
                                (unsigned long long)s->limit);
    return peri_fail_format(fault, PERI_IO_BAD, s->position, what,
                            "%llu bytes, more than the file has", (unsigned long long)bytes);
}

peri_io peri_source_finish(peri_source *s, uint64_t *extra, peri_fault *fault)
{
    *extra = s->end - s->start;
    if (!s->inflating) {
        if (s->pull != NULL)
            for (;;) { /* a checksum waits at the end */
                peri_source_skip(s, s->end - s->start);
                const unsigned char *bytes;
                size_t count;
                const peri_io status = peri_source_peek(s, 1, &bytes, &count, fault);
                if (status != PERI_IO_OK)
                    return status;
                if (count == 0)
                    return PERI_IO_OK;
                *extra += count;
            }
        if (s->raw_size != PERI_NO_BYTE && s->raw_size > s->raw_taken)
            *extra += s->raw_size - s->raw_taken;
        return PERI_IO_OK;
    }
    peri_source_skip(s, s->end - s->start);
    for (;;) {
        size_t got;
        s->start = s->end = 0;
        const peri_io status = fetch(s, s->window, s->window_size, &got, fault);
        if (status != PERI_IO_OK)
            return status;
        if (got == 0)
            return PERI_IO_OK;
        *extra += got;
        s->position += got;
    }
}

peri_io peri_source_slurp(peri_source *s, unsigned char **out, size_t *length, size_t *taken,
                          peri_fault *fault)
{
    *out = NULL;
    *length = *taken = 0;
    for (;;) {
        const unsigned char *bytes;
        size_t count;
        peri_io status = peri_source_peek(s, 1, &bytes, &count, fault);
        if (status == PERI_IO_OK && *length + count > *taken) {
            size_t want = *taken * 2 > *length + count ? *taken * 2 : *length + count;
            if (!s->inflating && s->raw_size != PERI_NO_BYTE &&
                *length + peri_source_at_most(s) >= want)
                want = *length + (size_t)peri_source_at_most(s);
            unsigned char *grown = s->memory.call(s->memory.ud, *out, *taken, want);
            if (grown == NULL)
                status = peri_fail_memory(fault);
            else {
                *out = grown;
                *taken = want;
            }
        }
        if (status != PERI_IO_OK) {
            peri_give(&s->memory, *out, *taken);
            *out = NULL;
            return status;
        }
        if (count == 0)
            return PERI_IO_OK;
        if (*out != NULL)
            memcpy(*out + *length, bytes, count);
        *length += count;
        peri_source_skip(s, count);
    }
}

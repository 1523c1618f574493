/* SPDX-License-Identifier: MIT
 *
 * Each reader run to its end over a block of memory or a file, as pg.load runs it but without Lua:
 * for the fuzz targets and for the sweeps of tests/kernel/test_faults.c. Everything is given back
 * however it ends; *sum, if not NULL, gets a number that depends on all that was read.
 */
#ifndef PERIGEE_FUZZ_DRIVE_H
#define PERIGEE_FUZZ_DRIVE_H

#include <stdlib.h>
#include <string.h>

#include "format/csv.h"
#include "format/idx.h"
#include "format/image.h"
#include "format/npy.h"
#include "format/pickle.h"
#include "format/safetensors.h"
#include "format/source.h"
#include "format/zip.h"

typedef struct {
    const char *path; /* or NULL, then: */
    const unsigned char *bytes;
    size_t size;
    peri_memory memory;
    uint64_t limit;
    double sum;
    peri_fault fault;
} drive;

static inline void drive_add(drive *d, const void *data, size_t n)
{
    const unsigned char *b = data;
    const size_t step = n / 4096 + 1;
    for (size_t i = 0; i < n; i += step)
        d->sum = d->sum * 0.999 + b[i];
}

static inline peri_io drive_open(drive *d, peri_source *s)
{
    bool gzipped;
    peri_source_init(s, &d->memory, NULL, d->limit);
    peri_io status = PERI_IO_OK;
    if (d->path != NULL)
        status = peri_source_open(s, d->path, &d->fault);
    else
        peri_source_bytes(s, d->bytes, d->size);
    return status == PERI_IO_OK ? peri_source_gunzip(s, &gzipped, &d->fault) : status;
}

static inline peri_io drive_end(drive *d, peri_source *s, peri_io status)
{
    uint64_t extra;
    if (status == PERI_IO_OK)
        status = peri_source_finish(s, &extra, &d->fault);
    peri_source_close(s);
    return status;
}

static inline peri_io drive_elements(drive *d, peri_source *s, const peri_layout *l)
{
    const int dtype = peri_element_dtype(l->element);
    const size_t bytes = l->size * peri_dtype_size(dtype);
    if (bytes > d->limit)
        return peri_fail(&d->fault, PERI_IO_LIMIT, 0, "too large");
    void *out = peri_take(&d->memory, bytes + 1);
    if (out == NULL)
        return peri_fail_memory(&d->fault);
    const peri_io status = peri_element_read(s, l->element, l->size, dtype, true, out, &d->fault);
    if (status == PERI_IO_OK)
        drive_add(d, out, bytes);
    peri_give(&d->memory, out, bytes + 1);
    return status;
}

static inline peri_io drive_npy(drive *d)
{
    peri_source s;
    peri_layout l;
    peri_io status = drive_open(d, &s);
    if (status == PERI_IO_OK)
        status = peri_npy_header(&s, &l, &d->fault);
    if (status == PERI_IO_OK)
        status = drive_elements(d, &s, &l);
    return drive_end(d, &s, status);
}

static inline peri_io drive_idx(drive *d)
{
    peri_source s;
    peri_layout l;
    peri_io status = drive_open(d, &s);
    if (status == PERI_IO_OK)
        status = peri_idx_header(&s, &l, &d->fault);
    if (status == PERI_IO_OK)
        status = drive_elements(d, &s, &l);
    return drive_end(d, &s, status);
}

static inline peri_io drive_gzip(drive *d)
{
    peri_source s;
    unsigned char *all = NULL;
    size_t length = 0, taken = 0;
    peri_io status = drive_open(d, &s);
    if (status == PERI_IO_OK)
        status = peri_source_slurp(&s, &all, &length, &taken, &d->fault);
    if (status == PERI_IO_OK) {
        drive_add(d, all, length);
        peri_give(&d->memory, all, taken);
    }
    return drive_end(d, &s, status);
}

/* Once as numbers and once, with everything else turned on, as cells. */
static inline peri_io drive_csv_as(drive *d, const peri_csv_options *options)
{
    peri_source s;
    peri_csv c;
    peri_io status = drive_open(d, &s);
    if (status == PERI_IO_OK) {
        peri_csv_init(&c, &s, options);
        status = peri_csv_read(&c, &d->fault);
        if (status == PERI_IO_OK) {
            drive_add(d, c.values, c.nvalues * sizeof *c.values);
            drive_add(d, c.names, c.names_length);
            drive_add(d, c.text, c.text_length);
        }
        double *out = options->text ? peri_take(&d->memory, (c.rows + 1) * sizeof *out) : NULL;
        if (status == PERI_IO_OK && options->text && out == NULL)
            status = peri_fail_memory(&d->fault);
        for (size_t j = 0; status == PERI_IO_OK && out != NULL && j < c.columns; j++) {
            bool numbers;
            status = peri_csv_column(&c, j, out, &numbers, &d->fault);
        }
        peri_give(&d->memory, out, (c.rows + 1) * sizeof *out);
        peri_csv_close(&c);
    }
    return drive_end(d, &s, status);
}

static inline peri_io drive_csv(drive *d)
{
    const peri_csv_options numbers = {.header = -1, .comment = -2, .decimal = '.', .exact = true};
    const size_t first = 0;
    const peri_csv_options cells = {.header = -1,
                                    .comment = '#',
                                    .decimal = ',',
                                    .thousands = '.',
                                    .missing = true,
                                    .text = true,
                                    .numbers = &first,
                                    .ntaken = 1};
    if (d->path == NULL && drive_csv_as(d, &cells) == PERI_IO_MEMORY)
        return PERI_IO_MEMORY;
    return drive_csv_as(d, &numbers);
}

static inline peri_io drive_image(drive *d)
{
    peri_source s;
    peri_image m;
    const unsigned char *bytes;
    size_t count;
    peri_io status = drive_open(d, &s);
    if (status == PERI_IO_OK)
        status = peri_source_peek(&s, 16, &bytes, &count, &d->fault);
    if (status == PERI_IO_OK) {
        peri_image_init(&m, &s);
        status = peri_image_open(&m, peri_image_sniff(bytes, count), &d->fault);
        const size_t size = m.width * m.height * (size_t)m.channels * sizeof(double);
        if (status == PERI_IO_OK) {
            void *out = peri_take(&d->memory, size);
            status = out != NULL ? peri_image_read(&m, PERI_F64, out, &d->fault)
                                 : peri_fail_memory(&d->fault);
            if (status == PERI_IO_OK)
                drive_add(d, out, size);
            peri_give(&d->memory, out, size);
        }
        peri_image_close(&m);
    }
    return drive_end(d, &s, status);
}

static inline peri_io drive_npz(drive *d)
{
    peri_source s;
    peri_zip z;
    peri_io status = drive_open(d, &s);
    peri_zip_init(&z, &s);
    if (status == PERI_IO_OK)
        status = peri_zip_open(&z, &d->fault);
    for (size_t i = 0; status == PERI_IO_OK && i < z.n; i++) {
        peri_layout l;
        drive_add(d, z.entries[i].name, strlen(z.entries[i].name));
        status = peri_zip_enter(&z, i, &d->fault);
        if (status == PERI_IO_OK)
            status = peri_npy_header(&z.member, &l, &d->fault);
        if (status == PERI_IO_OK)
            status = drive_elements(d, &z.member, &l);
        if (status == PERI_IO_OK)
            status = peri_zip_leave(&z, &d->fault);
    }
    peri_zip_close(&z);
    peri_source_close(&s);
    return status;
}

static inline peri_io drive_safetensors(drive *d)
{
    peri_source s;
    peri_safetensors t;
    peri_io status = drive_open(d, &s);
    peri_safetensors_init(&t, &s);
    if (status == PERI_IO_OK)
        status = peri_safetensors_open(&t, &d->fault);
    for (size_t i = 0; status == PERI_IO_OK && i < t.n; i++) {
        drive_add(d, t.tensors[i].name, strlen(t.tensors[i].name));
        if (t.tensors[i].layout.element.kind == 0)
            continue;
        status = peri_safetensors_goto(&t, i, &d->fault);
        if (status == PERI_IO_OK)
            status = drive_elements(d, &s, &t.tensors[i].layout);
    }
    peri_safetensors_close(&t);
    return drive_end(d, &s, status);
}

/* A host for pickles: a block of memory an object, and what it must be checked on the way. */
typedef struct {
    void **blocks;
    size_t *sizes, n, room;
} drive_host;

static inline void *drive_put(drive *d, drive_host *h, uint32_t id, size_t size)
{
    if (id >= h->room) {
        const size_t more = id * 2 + 64;
        void **blocks = peri_take(&d->memory, more * sizeof *blocks);
        size_t *sizes = peri_take(&d->memory, more * sizeof *sizes);
        if (blocks == NULL || sizes == NULL) {
            peri_give(&d->memory, blocks, more * sizeof *blocks);
            peri_give(&d->memory, sizes, more * sizeof *sizes);
            return NULL;
        }
        memset(blocks, 0, more * sizeof *blocks);
        memset(sizes, 0, more * sizeof *sizes);
        for (size_t i = 0; i < h->room; i++) {
            blocks[i] = h->blocks[i];
            sizes[i] = h->sizes[i];
        }
        peri_give(&d->memory, h->blocks, h->room * sizeof *blocks);
        peri_give(&d->memory, h->sizes, h->room * sizeof *sizes);
        h->blocks = blocks;
        h->sizes = sizes;
        h->room = more;
    }
    peri_give(&d->memory, h->blocks[id], h->sizes[id]);
    h->sizes[id] = size + 1;
    return h->blocks[id] = peri_take(&d->memory, size + 1);
}

static inline void drive_use(drive *d, const drive_host *h, const peri_pickle_value *v)
{
    if (v->tag > PERI_PICKLE_OBJECT)
        abort();
    if (v->tag == PERI_PICKLE_OBJECT) {
        if (v->as.id == 0 || v->as.id >= h->room || h->blocks[v->as.id] == NULL)
            abort();
        drive_add(d, &v->as.id, sizeof v->as.id);
    } else if (v->tag != PERI_PICKLE_NONE) {
        drive_add(d, &v->as, sizeof v->as);
    }
}

static inline peri_io drive_serve(drive *d, drive_host *h, peri_pickle *p,
                                  const peri_pickle_event *e)
{
    char *block;
    drive_add(d, &e->kind, sizeof e->kind);
    switch (e->kind) {
    case PERI_PICKLE_STRING:
        block = drive_put(d, h, e->id, e->length);
        if (block == NULL)
            return peri_fail_memory(&d->fault);
        if (e->length > 0)
            memcpy(block, e->text, e->length);
        drive_add(d, block, e->length);
        peri_pickle_keep(p, e->id, block);
        return PERI_IO_OK;
    case PERI_PICKLE_LIST:
    case PERI_PICKLE_DICT:
    case PERI_PICKLE_TUPLE:
        for (size_t i = 0; i < e->n; i++)
            drive_use(d, h, &e->items[i]);
        return drive_put(d, h, e->id, 0) != NULL ? PERI_IO_OK : peri_fail_memory(&d->fault);
    case PERI_PICKLE_APPEND:
    case PERI_PICKLE_SET:
        if (e->id >= h->room || h->blocks[e->id] == NULL)
            abort();
        for (size_t i = 0; i < e->n; i++)
            drive_use(d, h, &e->items[i]);
        return PERI_IO_OK;
    case PERI_PICKLE_BLOB:
        block = drive_put(d, h, e->id, e->length);
        return block != NULL ? peri_pickle_fill(p, block, &d->fault) : peri_fail_memory(&d->fault);
    case PERI_PICKLE_ARRAY: {
        const size_t size = e->layout.size * peri_dtype_size(e->dtype);
        if (size > d->limit)
            return peri_fail(&d->fault, PERI_IO_LIMIT, 0, "too large");
        block = drive_put(d, h, e->id, size);
        if (block == NULL)
            return peri_fail_memory(&d->fault);
        const peri_io status = peri_pickle_fill(p, block, &d->fault);
        if (status == PERI_IO_OK)
            drive_add(d, block, size);
        return status;
    }
    case PERI_PICKLE_VIEW: {
        if (e->layout.size * 8 > h->sizes[e->blob] - 1)
            abort();
        drive_add(d, h->blocks[e->blob], e->layout.size * 8);
        return drive_put(d, h, e->id, 0) != NULL ? PERI_IO_OK : peri_fail_memory(&d->fault);
    }
    case PERI_PICKLE_TENSOR:
        drive_add(d, e->text, e->length);
        for (int axis = 0; axis < e->layout.ndim; axis++)
            drive_add(d, &e->stride[axis], sizeof e->stride[axis]);
        return drive_put(d, h, e->id, 0) != NULL ? PERI_IO_OK : peri_fail_memory(&d->fault);
    case PERI_PICKLE_TEXT:
        if (e->length > h->sizes[e->id] - 1)
            abort();
        drive_add(d, h->blocks[e->id], e->length);
        peri_pickle_keep(p, e->id, h->blocks[e->id]);
        return PERI_IO_OK;
    case PERI_PICKLE_DONE:
        drive_use(d, h, &e->value);
    }
    return PERI_IO_OK;
}

static inline peri_io drive_pickle_as(drive *d, bool torch)
{
    peri_source s;
    peri_pickle p;
    drive_host h = {0};
    peri_io status = drive_open(d, &s);
    peri_pickle_init(&p, &s, -1, true);
    p.torch = torch;
    peri_pickle_event e = {.kind = PERI_PICKLE_STRING};
    while (status == PERI_IO_OK && e.kind != PERI_PICKLE_DONE) {
        status = peri_pickle_next(&p, &e, &d->fault);
        if (status == PERI_IO_OK)
            status = drive_serve(d, &h, &p, &e);
    }
    for (size_t i = 0; i < h.room; i++)
        peri_give(&d->memory, h.blocks[i], h.sizes[i]);
    peri_give(&d->memory, h.blocks, h.room * sizeof *h.blocks);
    peri_give(&d->memory, h.sizes, h.room * sizeof *h.sizes);
    peri_pickle_close(&p);
    return drive_end(d, &s, status);
}

static inline peri_io drive_pickle(drive *d)
{
    return drive_pickle_as(d, false);
}

/* The pickle of a checkpoint. */
static inline peri_io drive_torch(drive *d)
{
    return drive_pickle_as(d, true);
}

typedef struct {
    const char *name; /* of the fuzz target and its folder of seeds */
    peri_io (*run)(drive *);
} drive_reader;

static const drive_reader drive_readers[] = {
    {"npy", drive_npy},       {"npz", drive_npz},
    {"pickle", drive_pickle}, {"gzip", drive_gzip},
    {"idx", drive_idx},       {"csv", drive_csv},
    {"image", drive_image},   {"safetensors", drive_safetensors},
    {"torch", drive_torch},
};

#endif

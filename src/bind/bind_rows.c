/* SPDX-License-Identifier: MIT
 *
 * pg.rows: an array in a file, some rows at a time, so that its size does not matter. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/io_errors.h"
#include "bind/loader.h"
#include "format/idx.h"
#include "format/npy.h"

typedef struct {
    peri_source source;
    peri_layout layout;
    const char *path; /* kept alive by the iterator's upvalue */
    int dtype;
    size_t done, size; /* rows given so far, and at a time */
} reader;

static int close_reader(lua_State *L);

static const peri_handle_kind reader_kind = {.name = "rows", .close = close_reader};

static int close_reader(lua_State *L)
{
    reader *r = peri_test_handle(L, 1, &reader_kind);
    if (r != NULL)
        peri_source_close(&r->source);
    return 0;
}

static reader *push_reader(lua_State *L)
{
    reader *r = peri_push_handle(L, &reader_kind, sizeof *r, 0);
    const peri_memory memory = peri_state_memory(L);
    peri_source_init(&r->source, &memory, &peri_getstate(L)->stop, UINT64_MAX);
    return r;
}

static void open_file(lua_State *L, reader *r)
{
    peri_fault fault = {0};
    bool gzipped;
    const unsigned char *bytes;
    size_t count;
    peri_check_io(L, r->path, peri_source_open(&r->source, r->path, &fault), &fault);
    peri_check_io(L, r->path, peri_source_gunzip(&r->source, &gzipped, &fault), &fault);
    peri_check_io(L, r->path, peri_source_peek(&r->source, 6, &bytes, &count, &fault), &fault);
    if (count >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0) {
        peri_check_io(L, r->path, peri_npy_header(&r->source, &r->layout, &fault), &fault);
    } else if (peri_idx_sniff(bytes, count)) {
        peri_check_io(L, r->path, peri_idx_header(&r->source, &r->layout, &fault), &fault);
    } else {
        peri_error(L, "%s: only .npy and IDX files can be read by rows", r->path);
    }
    if (r->layout.ndim == 0)
        peri_error(L, "%s: its array has no axes, so no rows", r->path);
    if (r->layout.fortran && r->layout.ndim > 1)
        peri_error(L, "%s: its array is stored column by column; pg.load reads it whole", r->path);
}

/* The iterator. Upvalue 1: the reader, 2: the path. */
static int next_rows(lua_State *L)
{
    reader *r = lua_touserdata(L, lua_upvalueindex(1));
    const size_t left = r->layout.shape[0] - r->done;
    peri_fault fault = {0};
    if (left == 0) {
        uint64_t extra;
        peri_check_io(L, r->path, peri_source_finish(&r->source, &extra, &fault), &fault);
        peri_source_close(&r->source);
        return 0;
    }
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, r->layout.shape, sizeof shape);
    shape[0] = left < r->size ? left : r->size;
    peri_array *a = peri_push_array(L, r->dtype, r->layout.ndim, shape);
    const peri_io status =
        peri_element_read(&r->source, r->layout.element, a->size, r->dtype, true, a->data, &fault);
    if (status == PERI_IO_INEXACT) {
        const size_t row = r->done + fault.index * shape[0] / a->size + 1;
        peri_error(L, "%s: row %I has %s; %s", r->path, (LUAI_UACINT)row, fault.detail,
                   fault.reason);
    }
    peri_check_io(L, r->path, status, &fault);
    r->done += shape[0];
    return 1;
}

/*** pg.rows(path [, opts]) -> iterator
 * The array in a file, some rows at a time: for X in pg.rows(path) do ... end. The file is read as
 * it is needed, so that arrays larger than memory can be worked through.
 * @param path  string: a .npy or IDX file, also gzipped
 * @param opts.size  integer, default 4096: rows at a time; the last time may give fewer
 * @param opts.dtype  "f64" or "f32"; default: as pg.load
 * @return iterator  gives arrays of at most size rows
 * @error a file that is neither, or whose array is stored column by column
 */
static int rows(lua_State *L)
{
    static const char *const names[] = {"size", "dtype", NULL};
    const char *path = peri_arg_path(L, 1);
    lua_settop(L, 2);
    peri_options(L, 2, names);
    const size_t size = (size_t)peri_option_integer(L, 2, "size", 4096, 1, LUA_MAXINTEGER);
    peri_option_push(L, 2, "dtype");
    const int dtype = peri_arg_dtype(L, 3, -1);
    reader *r = push_reader(L);
    r->path = path;
    r->size = size;
    open_file(L, r);
    r->dtype = dtype >= 0 ? dtype : peri_element_dtype(r->layout.element);
    /* The for statement closes its fourth value when the loop is left early. */
    lua_pushvalue(L, -1);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, next_rows, 2);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_rotate(L, -3, 2);
    return 4;
}

PERI_OPENER(rows)
{
    static const luaL_Reg functions[] = {{"rows", rows}, {NULL, NULL}};
    peri_functions(L, functions);
    return 0;
}

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
    size_t first, end; /* rows of the file, from 0 */
    size_t done, size; /* the next row, and how many at a time */
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
    const size_t left = r->end - r->done;
    peri_fault fault = {0};
    if (left == 0) {
        uint64_t extra;
        /* The checksum of gzip data is at their end, which a part does not go to. */
        if (r->end == r->layout.shape[0])
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

/* The option rows = {lo, hi}: both count, from 1, or from the end where they are negative. */
static void rows_option(lua_State *L, int arg, reader *r)
{
    const lua_Integer n = (lua_Integer)r->layout.shape[0];
    lua_Integer bounds[2] = {1, n};
    r->first = 0;
    r->end = r->layout.shape[0];
    if (peri_option_push(L, arg, "rows") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    const int pair = lua_gettop(L);
    if (!lua_istable(L, pair) || lua_rawlen(L, pair) != 2)
        peri_argerror(L, arg, "rows: expected {first, last}, got %s", peri_push_got(L, pair));
    for (int i = 0; i < 2; i++) {
        int whole;
        lua_rawgeti(L, pair, i + 1);
        bounds[i] = lua_tointegerx(L, -1, &whole);
        if (!whole || lua_type(L, -1) != LUA_TNUMBER)
            peri_argerror(L, arg, "rows: expected whole numbers, got %s", peri_push_got(L, -1));
        if (bounds[i] < 0)
            bounds[i] += n + 1;
        lua_pop(L, 1);
    }
    if (bounds[0] < 1 || bounds[1] > n || bounds[1] < bounds[0] - 1)
        peri_argerror(L, arg, "rows: {%I, %I} is not within 1..%I", (LUAI_UACINT)bounds[0],
                      (LUAI_UACINT)bounds[1], (LUAI_UACINT)n);
    r->first = (size_t)bounds[0] - 1;
    r->end = (size_t)bounds[1];
    lua_pop(L, 1);
}

/* Goes to the first row: past what is before it, without reading it where the file is plain. */
static void go_to_first(lua_State *L, reader *r)
{
    peri_fault fault = {0};
    uint64_t bytes = r->layout.element.size;
    for (int axis = 1; axis < r->layout.ndim; axis++)
        bytes *= r->layout.shape[axis];
    peri_check_io(L, r->path, peri_source_advance(&r->source, bytes * r->first, &fault), &fault);
    r->done = r->first;
}

/*** pg.rows(path [, opts]) -> iterator
 * The array in a file, some rows at a time: for X in pg.rows(path) do ... end. The file is read as
 * it is needed, so that arrays larger than memory can be worked through.
 * @param path  string: a .npy or IDX file, also gzipped
 * @param opts.size  integer, default 4096: rows at a time; the last time may give fewer
 * @param opts.rows  {lo, hi}: only rows lo to hi; a plain file is read there and nowhere else
 * @param opts.dtype  "f64", "f32", "u8" or "bool"; default: as pg.load
 * @return iterator  gives arrays of at most size rows
 * @error a file that is neither, or whose array is stored column by column; rows outside of it
 */
static int rows(lua_State *L)
{
    /* It stands behind __call, so stack index 1 is pg.rows. */
    static const char *const names[] = {"size", "dtype", "rows", NULL};
    enum { PATH = 2, OPTIONS };
    const char *path = peri_arg_path(L, PATH);
    lua_settop(L, OPTIONS);
    peri_options(L, OPTIONS, names);
    const size_t size = (size_t)peri_option_integer(L, OPTIONS, "size", 4096, 1, LUA_MAXINTEGER);
    const int dtype = peri_option_dtype(L, OPTIONS, -1, true);
    reader *r = push_reader(L);
    r->path = path;
    r->size = size;
    open_file(L, r);
    rows_option(L, OPTIONS, r);
    go_to_first(L, r);
    r->dtype = dtype >= 0 ? dtype : peri_element_dtype(r->layout.element);
    /* The for statement closes its fourth value when the loop is left early. */
    lua_pushvalue(L, -1);
    lua_pushvalue(L, PATH);
    lua_pushcclosure(L, next_rows, 2);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_rotate(L, -3, 2);
    return 4;
}

/*** pg.rows.count(path) -> n, shape, dtype
 * How many rows the array in a file has, its shape and the dtype that pg.load gives it: what stands
 * in its header, and nothing else is read.
 * @param path  string: a .npy or IDX file, also gzipped
 * @return n  integer
 * @return shape  table of integers, as a.shape
 * @return dtype  string
 */
static int count(lua_State *L)
{
    const char *path = peri_arg_path(L, 1);
    lua_settop(L, 1);
    reader *r = push_reader(L);
    lua_toclose(L, -1);
    r->path = path;
    open_file(L, r);
    const peri_layout layout = r->layout;
    lua_pushinteger(L, (lua_Integer)layout.shape[0]);
    /* A view of one element, again and again, has the shape. */
    const size_t one = 1;
    const ptrdiff_t stride[PERI_MAX_NDIM] = {0};
    peri_array *a = peri_push_zeros(L, PERI_F64, 1, &one);
    peri_push_view(L, -1, a->data, layout.ndim, layout.shape, stride);
    lua_getfield(L, -1, "shape");
    lua_replace(L, -3);
    lua_pop(L, 1);
    lua_pushstring(L, peri_dtype_name(peri_element_dtype(layout.element)));
    return 3;
}

PERI_OPENER(rows)
{
    static const luaL_Reg functions[] = {{"count", count}, {NULL, NULL}};
    static const luaL_Reg call[] = {{"rows", rows}, {NULL, NULL}};
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    peri_module(L, "rows", functions);
    lua_createtable(L, 0, 2);
    peri_set_functions(L, call, PERI_METHOD);
    lua_getfield(L, -1, "rows");
    lua_setfield(L, -2, "__call");
    lua_pushnil(L);
    lua_setfield(L, -2, "rows");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "rows");
    lua_pop(L, 1);
    return 0;
}

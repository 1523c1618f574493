/* SPDX-License-Identifier: MIT
 *
 * pg.load, pg.save, pg.none.
 *
 * A loader is a userdata that holds every reader's state and is closed when the function ends,
 * however it ends. Writers hold nothing across a call that may raise: what they need is made
 * first, then one C function opens, writes and closes. */
#include "bind/bind_io.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <lualib.h>

#include "bind/internal.h"
#include "format/csv.h"
#include "format/idx.h"
#include "format/image.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/pickle.h"
#include "format/source.h"
#include "format/table.h"
#include "format/writer.h"

static const char none_key, names_key, loader_key;

peri_memory peri_state_memory(lua_State *L)
{
    peri_memory memory;
    memory.call = lua_getallocf(L, &memory.ud);
    return memory;
}

void peri_push_none(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &none_key);
}

/* ---- errors --------------------------------------------------------------------------------- */

/* Errors of the world stand without the script's line: they are not its fault. */
void peri_check_io(lua_State *L, const char *path, peri_io status, const peri_fault *fault)
{
    if (status == PERI_IO_OK)
        return;
    luaL_checkstack(L, 12, "error");
    if (status == PERI_IO_INTERRUPTED)
        peri_check(L, 0, PERI_ERR_INTERRUPTED, NULL);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    char text[PATH_MAX];
    peri_printable(text, sizeof text, path, strlen(path));
    luaL_addstring(&b, text);
    luaL_addstring(&b, ": ");
    luaL_addstring(&b, fault->reason);
    if (status == PERI_IO_SYSTEM) {
        luaL_addstring(&b, ": ");
        luaL_addstring(&b, strerror(fault->error_number));
    }
    if (fault->detail[0] != 0) {
        luaL_addchar(&b, ' ');
        luaL_addstring(&b, fault->detail);
    }
    char place[64] = "";
    if (fault->line > 0)
        snprintf(place, sizeof place, " (line %" PRIu64 ", column %" PRIu64 ")", fault->line,
                 fault->column);
    else if (fault->byte != PERI_NO_BYTE)
        snprintf(place, sizeof place, " (byte %" PRIu64 ")", fault->byte);
    luaL_addstring(&b, place);
    luaL_pushresult(&b);
    lua_error(L);
}

/* "PATH: element (2, 1) is 9007199254740993; an f64 cannot hold it exactly (byte 144)" */
static void check_elements(lua_State *L, const char *path, peri_io status, const peri_layout *l,
                           const peri_fault *fault)
{
    if (status != PERI_IO_INEXACT) {
        peri_check_io(L, path, status, fault);
        return;
    }
    size_t index[PERI_MAX_NDIM], rest = fault->index;
    for (int k = l->ndim - 1; k >= 0; k--) {
        const int axis = l->fortran ? l->ndim - 1 - k : k;
        index[axis] = rest % l->shape[axis] + 1;
        rest /= l->shape[axis];
    }
    peri_fault told = *fault;
    const char *where = l->ndim == 1 ? "" : peri_push_shape(L, l->ndim, index);
    if (l->ndim == 1)
        where = lua_pushfstring(L, "%I", (LUAI_UACINT)index[0]);
    told.detail[0] = 0;
    told.reason = lua_pushfstring(L, "element %s is %s; %s, {exact=false} rounds it", where,
                                  fault->detail, fault->reason);
    peri_check_io(L, path, PERI_IO_BAD, &told);
}

/* ---- tables with names ---------------------------------------------------------------------- */

static bool key_less(lua_State *L, int a, int b)
{
    const int ta = lua_type(L, a), tb = lua_type(L, b);
    if (ta != tb)
        return ta == LUA_TNUMBER || (tb != LUA_TNUMBER && ta < tb);
    if (ta == LUA_TNUMBER || ta == LUA_TSTRING)
        return lua_compare(L, a, b, LUA_OPLT) != 0;
    if (ta == LUA_TBOOLEAN)
        return lua_toboolean(L, a) < lua_toboolean(L, b);
    return false;
}

static int compare_keys(lua_State *L)
{
    lua_pushboolean(L, key_less(L, 1, 2));
    return 1;
}

/* (state, key) -> next key, value. The state holds the keys in order and where we are. */
static int next_key(lua_State *L)
{
    lua_settop(L, 1);
    lua_rawgeti(L, 1, 0);
    lua_Integer at = lua_tointeger(L, -1);
    for (;;) {
        at++;
        lua_pushinteger(L, at);
        lua_rawseti(L, 1, 0);
        if (lua_rawgeti(L, 1, at) == LUA_TNIL)
            return 1;
        lua_rawgeti(L, 1, -1);
        lua_pushvalue(L, -2);
        if (lua_rawget(L, -2) != LUA_TNIL) { /* it may be gone by now */
            lua_remove(L, -2);
            return 2;
        }
        lua_settop(L, 1);
    }
}

static int ordered_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_Integer n = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++n);
    }
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, LUA_TABLIBNAME);
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "sort");
        lua_pushvalue(L, 2);
        lua_pushcfunction(L, compare_keys);
        lua_call(L, 2, 0);
    }
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_rawseti(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, 2, -1);
    lua_pushcfunction(L, next_key);
    lua_insert(L, 2);
    return 2;
}

void peri_order_keys(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
    lua_setmetatable(L, -2);
}

/* ---- loading -------------------------------------------------------------------------------- */

typedef enum { NPY, NPZ, PICKLE, IDX, CSV, TSV, JSON, PNG, JPEG, PNM, UNKNOWN } file_format;

static const char *const load_formats[] = {"npy",  "npz", "pickle", "idx", "csv", "tsv",
                                           "json", "png", "jpeg",   "pnm", NULL};

typedef struct {
    peri_source source;
    peri_npz npz;
    peri_pickle pickle;
    peri_csv csv;
    peri_image image;
    unsigned char *text; /* a whole file in memory */
    size_t text_length, text_taken;
    /* how to load */
    const char *path;
    int dtype; /* -1: as the file suggests */
    bool exact;
    uint64_t limit, arrays; /* bytes of arrays allowed, and made so far */
} loader;

static int close_loader(lua_State *L)
{
    loader *l = lua_touserdata(L, 1);
    peri_pickle_close(&l->pickle);
    peri_csv_close(&l->csv);
    peri_image_close(&l->image);
    peri_npz_close(&l->npz);
    peri_give(&l->source.memory, l->text, l->text_taken);
    l->text = NULL;
    peri_source_close(&l->source);
    return 0;
}

/* The smaller of 4 GiB and half of the machine's memory, unless the state has a limit. */
static uint64_t default_limit(lua_State *L)
{
    uint64_t limit = (uint64_t)4 << 30;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (peri_memory_limit(L) > 0)
        limit = peri_memory_limit(L);
    if (pages > 0 && page > 0 && (uint64_t)pages * (uint64_t)page / 2 < limit)
        limit = (uint64_t)pages * (uint64_t)page / 2;
    return limit;
}

/* Readers' and writers' own memory comes from the state's allocator, which collects nothing when
 * it runs out; so what is dead goes first where a limit is near. */
static void make_room(lua_State *L)
{
    if (peri_memory_limit(L) > 0 && peri_bytes_held(L) > peri_memory_limit(L) / 2)
        lua_gc(L, LUA_GCCOLLECT);
}

static loader *push_loader(lua_State *L)
{
    make_room(L);
    loader *l = lua_newuserdatauv(L, sizeof *l, 0);
    memset(l, 0, sizeof *l);
    const peri_memory memory = peri_state_memory(L);
    peri_source_init(&l->source, &memory, &peri_getstate(L)->stop, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &loader_key);
    lua_setmetatable(L, -2);
    lua_toclose(L, -1);
    return l;
}

static void check(lua_State *L, const loader *l, peri_io status, const peri_fault *fault)
{
    peri_check_io(L, l->path, status, fault);
}

/* An array for what a file describes; its memory is in the order of the file. */
static peri_array *push_for(lua_State *L, loader *l, const peri_layout *layout, int dtype)
{
    size_t shape[PERI_MAX_NDIM];
    const uint64_t bytes = (uint64_t)layout->size * peri_dtype_size(dtype);
    if (bytes > l->limit - l->arrays) {
        peri_fault fault;
        peri_fail_format(&fault, PERI_IO_LIMIT, PERI_NO_BYTE,
                         "its arrays need more than max_bytes,", "%" PRIu64, l->limit);
        check(L, l, PERI_IO_LIMIT, &fault);
    }
    l->arrays += bytes;
    for (int axis = 0; axis < layout->ndim; axis++)
        shape[axis] = layout->shape[layout->fortran ? layout->ndim - 1 - axis : axis];
    return peri_push_array(L, dtype, layout->ndim, shape);
}

/* Replaces the array on top, which lies in memory with the first index fastest, by a view that has
 * the layout's shape. */
static void turn(lua_State *L, const peri_layout *layout)
{
    if (!layout->fortran || layout->ndim < 2)
        return;
    const peri_array *a = lua_touserdata(L, -1);
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    for (int axis = 0; axis < a->ndim; axis++) {
        shape[axis] = a->shape[a->ndim - 1 - axis];
        stride[axis] = a->stride[a->ndim - 1 - axis];
    }
    peri_push_view(L, -1, a->data, a->ndim, shape, stride);
    lua_remove(L, -2);
}

static int dtype_for(const loader *l, peri_element e)
{
    return l->dtype >= 0 ? l->dtype : peri_element_dtype(e);
}

/* Pushes the array whose elements come next. */
static void push_elements(lua_State *L, loader *l, peri_source *s, const peri_layout *layout)
{
    peri_fault fault;
    const int dtype = dtype_for(l, layout->element);
    peri_array *a = push_for(L, l, layout, dtype);
    const peri_io status =
        peri_element_read(s, layout->element, layout->size, dtype, l->exact, a->data, &fault);
    check_elements(L, l->path, status, layout, &fault);
    turn(L, layout);
}

static void push_npy(lua_State *L, loader *l, peri_source *s)
{
    peri_fault fault;
    peri_layout layout;
    check(L, l, peri_npy_header(s, &layout, &fault), &fault);
    push_elements(L, l, s, &layout);
}

static void push_idx(lua_State *L, loader *l)
{
    peri_fault fault;
    peri_layout layout;
    check(L, l, peri_idx_header(&l->source, &layout, &fault), &fault);
    push_elements(L, l, &l->source, &layout);
}

static void push_npz(lua_State *L, loader *l)
{
    peri_fault fault;
    peri_npz_init(&l->npz, &l->source);
    check(L, l, peri_npz_open(&l->npz, &fault), &fault);
    lua_newtable(L);
    peri_order_keys(L);
    for (;;) {
        bool more;
        check(L, l, peri_npz_next(&l->npz, &more, &fault), &fault);
        if (!more)
            return;
        lua_pushstring(L, l->npz.name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            peri_fail_text(&fault, PERI_IO_BAD, PERI_NO_BYTE,
                           "two members of the archive are named", l->npz.name,
                           strlen(l->npz.name));
            check(L, l, PERI_IO_BAD, &fault);
        }
        lua_pop(L, 1);
        /* An error inside names the member, too. */
        const char *path = l->path;
        l->path = lua_pushfstring(L, "%s[%s]", path, l->npz.name);
        push_npy(L, l, &l->npz.member);
        l->path = path;
        lua_remove(L, -2);
        check(L, l, peri_npz_leave(&l->npz, &fault), &fault);
        lua_rawset(L, -3);
    }
}

/* ---- pickles -------------------------------------------------------------------------------- */

static void push_value(lua_State *L, int values, const peri_pickle_value *v)
{
    switch (v->tag) {
    case PERI_PICKLE_BOOL:
        lua_pushboolean(L, v->as.i != 0);
        break;
    case PERI_PICKLE_INT:
        lua_pushinteger(L, v->as.i);
        break;
    case PERI_PICKLE_FLOAT:
        lua_pushnumber(L, v->as.f);
        break;
    case PERI_PICKLE_OBJECT:
        lua_rawgeti(L, values, v->as.id);
        break;
    default:
        peri_push_none(L);
    }
}

static void keep_string(lua_State *L, loader *l, int values, uint32_t id)
{
    const char *bytes = lua_tostring(L, -1);
    lua_rawseti(L, values, id);
    peri_pickle_keep(&l->pickle, id, bytes);
}

static void fill_dict(lua_State *L, loader *l, int values, const peri_pickle_event *e)
{
    lua_rawgeti(L, values, e->id);
    for (size_t i = 0; i < e->n; i += 2) {
        push_value(L, values, &e->items[i]);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            peri_fault fault;
            check(L, l, peri_pickle_refuse(&l->pickle, "a dict has the same key twice", &fault),
                  &fault);
        }
        lua_pop(L, 1);
        push_value(L, values, &e->items[i + 1]);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

static void fill_list(lua_State *L, int values, const peri_pickle_event *e)
{
    lua_rawgeti(L, values, e->id);
    for (size_t i = 0; i < e->n; i++) {
        push_value(L, values, &e->items[i]);
        lua_rawseti(L, -2, (lua_Integer)(e->at + i) + 1);
    }
    lua_pop(L, 1);
}

static void make_blob(lua_State *L, loader *l, int values, const peri_pickle_event *e)
{
    peri_fault fault;
    const size_t n = (e->length + sizeof(double) - 1) / sizeof(double);
    peri_array *a = peri_push_array(L, PERI_F64, 1, &n);
    void *memory = a->data;
    lua_rawseti(L, values, e->id);
    check(L, l, peri_pickle_fill(&l->pickle, memory, &fault), &fault);
}

static void make_array(lua_State *L, loader *l, int values, const peri_pickle_event *e)
{
    peri_fault fault;
    peri_array *a = push_for(L, l, &e->layout, e->dtype);
    check_elements(L, l->path, peri_pickle_fill(&l->pickle, a->data, &fault), &e->layout, &fault);
    turn(L, &e->layout);
    lua_rawseti(L, values, e->id);
    if (e->blob != 0) {
        lua_pushnil(L);
        lua_rawseti(L, values, e->blob);
    }
}

/* The bytes came before what they are; now they are an array as they stand. */
static void make_view(lua_State *L, int values, const peri_pickle_event *e)
{
    lua_rawgeti(L, values, e->blob);
    const peri_array *blob = lua_touserdata(L, -1);
    ptrdiff_t stride[PERI_MAX_NDIM], step = 1;
    const peri_layout *layout = &e->layout;
    for (int k = layout->ndim - 1; k >= 0; k--) {
        const int axis = layout->fortran ? layout->ndim - 1 - k : k;
        stride[axis] = step;
        step *= (ptrdiff_t)(layout->shape[axis] > 0 ? layout->shape[axis] : 1);
    }
    peri_push_view(L, -1, blob->data, layout->ndim, layout->shape, stride);
    lua_rawseti(L, values, e->id);
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, values, e->blob);
}

/* Serves one event. True after the last, the result being on top of the stack. */
static bool serve(lua_State *L, loader *l, int values, const peri_pickle_event *e)
{
    switch (e->kind) {
    case PERI_PICKLE_STRING:
        lua_pushlstring(L, e->text, e->length);
        keep_string(L, l, values, e->id);
        return false;
    case PERI_PICKLE_LIST:
        lua_newtable(L);
        lua_rawseti(L, values, e->id);
        return false;
    case PERI_PICKLE_DICT:
        lua_newtable(L);
        peri_order_keys(L);
        lua_rawseti(L, values, e->id);
        return false;
    case PERI_PICKLE_TUPLE:
        lua_createtable(L, e->n < INT_MAX ? (int)e->n : 0, 0);
        lua_rawseti(L, values, e->id);
        fill_list(L, values, e);
        return false;
    case PERI_PICKLE_APPEND:
        fill_list(L, values, e);
        return false;
    case PERI_PICKLE_SET:
        fill_dict(L, l, values, e);
        return false;
    case PERI_PICKLE_BLOB:
        make_blob(L, l, values, e);
        return false;
    case PERI_PICKLE_ARRAY:
        make_array(L, l, values, e);
        return false;
    case PERI_PICKLE_VIEW:
        make_view(L, values, e);
        return false;
    case PERI_PICKLE_TEXT: {
        lua_rawgeti(L, values, e->id);
        const peri_array *blob = lua_touserdata(L, -1);
        lua_pushlstring(L, blob->data, e->length);
        lua_remove(L, -2);
        keep_string(L, l, values, e->id);
        return false;
    }
    case PERI_PICKLE_DONE:
        push_value(L, values, &e->value);
        return true;
    }
    return false;
}

static void push_pickle(lua_State *L, loader *l)
{
    peri_fault fault;
    lua_newtable(L);
    const int values = lua_gettop(L);
    peri_pickle_init(&l->pickle, &l->source, l->dtype, l->exact);
    for (;;) {
        peri_pickle_event event;
        check(L, l, peri_pickle_next(&l->pickle, &event, &fault), &fault);
        if (serve(L, l, values, &event))
            break;
    }
    lua_remove(L, values);
}

/* ---- text and images ------------------------------------------------------------------------ */

static int push_csv(lua_State *L, loader *l, char separator)
{
    peri_fault fault;
    peri_csv_init(&l->csv, &l->source, separator);
    check(L, l, peri_csv_read(&l->csv, &fault), &fault);
    const peri_csv *c = &l->csv;
    const int dtype = l->dtype >= 0 ? l->dtype : PERI_F64;
    const size_t shape[2] = {c->rows, c->columns};
    peri_array *a = peri_push_array(L, dtype, 2, shape);
    for (size_t i = 0; i < c->nvalues; i++)
        if (dtype == PERI_F32)
            ((float *)a->data)[i] = (float)c->values[i];
        else
            ((double *)a->data)[i] = c->values[i];
    if (c->nnames == 0)
        return 1;
    lua_createtable(L, (int)(c->nnames < INT_MAX ? c->nnames : 0), 0);
    const char *name = c->names;
    for (size_t i = 0; i < c->nnames; i++) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        name += strlen(name) + 1;
    }
    return 2;
}

static void push_image(lua_State *L, loader *l, peri_image_kind kind)
{
    peri_fault fault;
    peri_image_init(&l->image, &l->source);
    check(L, l, peri_image_open(&l->image, kind, &fault), &fault);
    const int dtype = l->dtype >= 0 ? l->dtype : PERI_F64;
    const size_t shape[3] = {l->image.height, l->image.width, (size_t)l->image.channels};
    peri_array *a = peri_push_array(L, dtype, l->image.channels == 1 ? 2 : 3, shape);
    check(L, l, peri_image_read(&l->image, dtype, a->data, &fault), &fault);
}

static void push_module(lua_State *L, const char *name)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

static void push_json(lua_State *L, loader *l)
{
    peri_fault fault;
    check(L, l, peri_source_slurp(&l->source, &l->text, &l->text_length, &l->text_taken, &fault),
          &fault);
    push_module(L, "_json");
    lua_getfield(L, -1, "decode");
    lua_remove(L, -2);
    lua_pushlstring(L, (const char *)l->text, l->text_length);
    peri_push_none(L);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        if (lua_type(L, -1) == LUA_TSTRING)
            lua_pushfstring(L, "%s: %s", l->path, lua_tostring(L, -1));
        lua_error(L);
    }
}

/* ---- which ---------------------------------------------------------------------------------- */

/* Whether the path ends so, a .gz after it left aside. */
static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    const size_t m = strlen(suffix);
    if (n > 3 && strcasecmp(path + n - 3, ".gz") == 0)
        n -= 3;
    return n > m && strncasecmp(path + n - m, suffix, m) == 0;
}

static file_format sniff(const char *path, const unsigned char *bytes, size_t count)
{
    if (count >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0)
        return NPY;
    if (peri_npz_sniff(bytes, count))
        return NPZ;
    switch (peri_image_sniff(bytes, count)) {
    case PERI_IMAGE_PNG:
        return PNG;
    case PERI_IMAGE_JPEG:
        return JPEG;
    case PERI_IMAGE_PNM:
        return PNM;
    case PERI_IMAGE_NONE:
        break;
    }
    if (peri_idx_sniff(bytes, count))
        return IDX;
    if (has_suffix(path, ".tsv"))
        return TSV;
    if (has_suffix(path, ".csv") || has_suffix(path, ".txt"))
        return CSV;
    if (has_suffix(path, ".json"))
        return JSON;
    size_t i = 0;
    while (i < count && (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r')))
        i++;
    if (i < count && (bytes[i] == '{' || bytes[i] == '['))
        return JSON;
    return peri_pickle_sniff(bytes, count) ? PICKLE : UNKNOWN;
}

static file_format choose(lua_State *L, loader *l)
{
    peri_fault fault;
    const unsigned char *bytes;
    size_t count;
    check(L, l, peri_source_peek(&l->source, 16, &bytes, &count, &fault), &fault);
    const file_format format = sniff(l->path, bytes, count);
    if (format != UNKNOWN)
        return format;
    if (count == 0)
        peri_fail(&fault, PERI_IO_BAD, PERI_NO_BYTE, "the file is empty");
    else
        peri_fail_text(
            &fault, PERI_IO_BAD, 0,
            "its content is none that load knows (npy, npz, pickle, IDX, JSON, PNG, "
            "JPEG, PGM, PPM; CSV goes by its suffix or {format=\"csv\"}); it begins with",
            (const char *)bytes, count < 8 ? count : 8);
    check(L, l, PERI_IO_BAD, &fault);
    return UNKNOWN;
}

static int push_content(lua_State *L, loader *l, file_format format)
{
    switch (format) {
    case NPY:
        push_npy(L, l, &l->source);
        break;
    case NPZ:
        push_npz(L, l);
        break;
    case PICKLE:
        push_pickle(L, l);
        break;
    case IDX:
        push_idx(L, l);
        break;
    case CSV:
        return push_csv(L, l, 0);
    case TSV:
        return push_csv(L, l, '\t');
    case JSON:
        push_json(L, l);
        break;
    case PNG:
        push_image(L, l, PERI_IMAGE_PNG);
        break;
    case JPEG:
        push_image(L, l, PERI_IMAGE_JPEG);
        break;
    default:
        push_image(L, l, PERI_IMAGE_PNM);
    }
    return 1;
}

/* Reads to the end, for the checksums; says what was left unread. */
static void finish(lua_State *L, loader *l)
{
    peri_fault fault;
    uint64_t extra;
    const uint64_t at = l->source.position;
    check(L, l, peri_source_finish(&l->source, &extra, &fault), &fault);
    if (extra == 0)
        return;
    char text[96];
    snprintf(text, sizeof text,
             "%" PRIu64 " bytes after the end of the content were not read (byte %" PRIu64 ")",
             extra, at);
    lua_warning(L, l->path, 1);
    lua_warning(L, ": ", 1);
    lua_warning(L, text, 0);
}

/* opts.dtype, or -1 where it is not given. */
static int option_dtype(lua_State *L, int arg)
{
    static const char *const names[] = {"f64", "float64", "f32", "float32"};
    const int type = peri_option_push(L, arg, "dtype");
    int dtype = -1;
    for (int i = 0; type == LUA_TSTRING && i < 4; i++)
        if (strcmp(lua_tostring(L, -1), names[i]) == 0)
            dtype = i < 2 ? PERI_F64 : PERI_F32;
    if (type != LUA_TNIL && dtype < 0)
        peri_argerror(L, arg, "dtype: expected \"f64\" or \"f32\", got %s", peri_push_got(L, -1));
    lua_pop(L, 1);
    return dtype;
}

/*** pg.load(path [, opts]) -> value [, names]
 * Reads a file: .npy, .npz, a Python pickle of data, IDX (MNIST), JSON, PNG, JPEG, PGM or PPM,
 * known by its content; CSV by the suffix .csv, .tsv or .txt. Each may be gzipped.
 *
 * An array has the dtype f32 where the file holds floats of 2 or 4 bytes, else f64. Images are
 * h x w or h x w x 3 with values 0..255. From .npz comes a table of arrays by name, from CSV a
 * second result with the names of the columns when there is a header. In a pickle or JSON lists and
 * tuples become sequences, dicts tables, None and null pg.none; only numbers, text, containers and
 * NumPy arrays are read from a pickle, nothing in it is ever called.
 * @param path  string
 * @param opts.dtype  string: "f64" or "f32", whatever the file holds
 * @param opts.exact  boolean: true (default) refuses an integer that the dtype cannot hold exactly
 * @param opts.max_bytes  integer: the most that the content and its arrays may take (default: the
 *   state's memory limit, else 4 GiB, and never above half of the machine's memory)
 * @param opts.format  string: "npy", "npz", "pickle", "idx", "csv", "tsv", "json", "png", "jpeg"
 *   or "pnm", where neither content nor suffix tell
 * @return value  array, table, number or string
 * @return names  table of strings: the columns of a CSV with a header
 * @error `PATH: reason (byte N)` for anything that cannot be read whole and exactly
 */
static int load(lua_State *L)
{
    static const char *const known[] = {"dtype", "exact", "max_bytes", "format", NULL};
    const char *path = peri_arg_path(L, 1);
    lua_settop(L, 2);
    peri_options(L, 2, known);
    const int dtype = option_dtype(L, 2);
    const bool exact = peri_option_boolean(L, 2, "exact", true);
    const lua_Integer limit =
        peri_option_integer(L, 2, "max_bytes", (lua_Integer)default_limit(L), 1, LUA_MAXINTEGER);
    int format = peri_option_choice(L, 2, "format", load_formats, UNKNOWN);
    peri_fault fault = {0};
    loader *l = push_loader(L);
    l->path = path;
    l->dtype = dtype;
    l->exact = exact;
    l->limit = l->source.limit = (uint64_t)limit;
    check(L, l, peri_source_open(&l->source, path, &fault), &fault);
    bool gzipped;
    check(L, l, peri_source_gunzip(&l->source, &gzipped, &fault), &fault);
    if (format == UNKNOWN)
        format = (int)choose(L, l);
    const int results = push_content(L, l, (file_format)format);
    if (format != NPZ)
        finish(L, l);
    return results;
}

/* ---- saving --------------------------------------------------------------------------------- */

typedef struct {
    const char *path;
    bool sync, compress;
    char separator;
    peri_memory memory;
} saving;

static peri_io put_bytes(void *ud, const void *data, size_t n, peri_fault *fault)
{
    return peri_writer_write(ud, data, n, fault);
}

/* Commits, or gives up and keeps the fault. */
static peri_io end_file(peri_writer *w, peri_io status, peri_fault *fault)
{
    if (status == PERI_IO_OK)
        return peri_writer_commit(w, fault);
    peri_writer_abort(w);
    return status;
}

/* The array at 2, made from a number or nested table if need be. */
static peri_view value_at(lua_State *L, int arg)
{
    return peri_view_of(peri_arg_operand(L, arg, "value"));
}

static void save_npy(lua_State *L, const saving *s)
{
    peri_fault fault = {0};
    const peri_view a = value_at(L, 2);
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(&w, peri_npy_put(&a, put_bytes, &w, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Pushes an array for each field of the table at 2, in the order of their names, which go to
 * names[] and stay alive as the table's keys. */
static void gather(lua_State *L, size_t n, const char **names, peri_view *arrays)
{
    size_t k = 0;
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        lua_pop(L, 1);
        names[k++] = lua_tostring(L, -1);
    }
    qsort(names, n, sizeof *names, compare_names);
    luaL_checkstack(L, (int)n + 12, "too many arrays");
    for (k = 0; k < n; k++) {
        lua_getfield(L, 2, names[k]);
        const int type = lua_type(L, -1);
        const int at = lua_gettop(L);
        if (type != LUA_TNUMBER && type != LUA_TTABLE && peri_test_array(L, at) == NULL)
            peri_argerror(L, 2, "value: field '%s': expected array, got %s", names[k],
                          peri_push_got(L, at));
        arrays[k] = peri_view_of(peri_arg_operand(L, at, lua_pushfstring(L, "value.%s", names[k])));
        lua_settop(L, at);
    }
}

static void save_npz(lua_State *L, const saving *s)
{
    if (lua_type(L, 2) != LUA_TTABLE)
        peri_argerror(L, 2, "value: expected a table of arrays by name, got %s",
                      peri_push_got(L, 2));
    size_t n = 0;
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            peri_argerror(L, 2, "value: the arrays of an .npz have names, and one has the key %s",
                          peri_push_got(L, -1));
        if (strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
            peri_argerror(L, 2, "value: a name holds a NUL byte");
        n++;
    }
    if (n > 65535)
        peri_argerror(L, 2, "value: more than 65535 arrays");
    const char **names = peri_push_scratch(L, (n + 1) * sizeof *names);
    peri_view *arrays = peri_push_scratch(L, (n + 1) * sizeof *arrays);
    gather(L, n, names, arrays);
    peri_fault fault = {0};
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(&w, peri_npz_write(&w, n, names, arrays, s->compress, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

/* The names in opts.columns, checked against the array's columns; NULL where there are none. */
static const char **columns_for(lua_State *L, const peri_view *a)
{
    const int type = peri_option_push(L, 3, "columns");
    const int at = lua_gettop(L);
    if (type == LUA_TNIL)
        return NULL;
    const size_t columns = a->ndim == 2 ? a->shape[1] : 1;
    if (type != LUA_TTABLE || lua_rawlen(L, at) != columns)
        peri_argerror(L, 3, "columns: expected a table of %I names, got %s", (LUAI_UACINT)columns,
                      type == LUA_TTABLE
                          ? lua_pushfstring(L, "one of %I", (LUAI_UACINT)lua_rawlen(L, at))
                          : peri_push_got(L, at));
    const char **names = peri_push_scratch(L, (columns + 1) * sizeof *names);
    for (size_t j = 0; j < columns; j++) {
        if (lua_rawgeti(L, at, (lua_Integer)j + 1) != LUA_TSTRING)
            peri_argerror(L, 3, "columns: expected a string, got %s", peri_push_got(L, -1));
        names[j] = lua_tostring(L, -1); /* the table keeps it */
        lua_pop(L, 1);
    }
    return names;
}

static void save_csv(lua_State *L, const saving *s)
{
    peri_fault fault = {0};
    const peri_view a = value_at(L, 2);
    const char *const *names = columns_for(L, &a);
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(&w, peri_csv_write(&w, &a, names, s->separator, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

static void save_png(lua_State *L, const saving *s)
{
    peri_fault fault = {0};
    const peri_view a = value_at(L, 2);
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(&w, peri_png_write(&w, &a, &s->memory, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

static void save_json(lua_State *L, const saving *s)
{
    push_module(L, "_json");
    lua_getfield(L, -1, "encode");
    lua_pushvalue(L, 2);
    peri_push_none(L);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        if (lua_type(L, -1) != LUA_TSTRING)
            lua_error(L);
        peri_argerror(L, 2, "value: %s", lua_tostring(L, -1));
    }
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    peri_fault fault = {0};
    peri_check_io(L, s->path, peri_writer_save(s->path, text, n, s->sync, &fault), &fault);
}

static int save_format(lua_State *L, const char *path)
{
    static const char *const names[] = {"npy", "npz", "csv", "tsv", "json", "png", NULL};
    static const file_format formats[] = {NPY, NPZ, CSV, TSV, JSON, PNG};
    const int given = peri_option_choice(L, 3, "format", names, -1);
    if (given >= 0)
        return (int)formats[given];
    const size_t n = strlen(path);
    for (int i = 0; names[i] != NULL; i++) {
        const size_t m = strlen(names[i]);
        if (n > m && path[n - m - 1] == '.' && strcasecmp(path + n - m, names[i]) == 0)
            return (int)formats[i];
    }
    if (n > 4 && strcasecmp(path + n - 4, ".txt") == 0)
        return TSV;
    return peri_argerror(L, 1,
                         "path: expected a name that ends in .npy, .npz, .csv, .json or .png (or "
                         "{format=}), got %s",
                         peri_push_got(L, 1));
}

/*** pg.save(path, value [, opts])
 * Writes a file by its suffix: an array to .npy, .csv (1-d or 2-d) or .png (h x w, or h x w x 3;
 * values 0..255, rounded and clamped, NaN as 0), a table of arrays by name to .npz, a table to
 * .json. The file is there whole or not at all: until everything is written an old one stays.
 * @param path  string
 * @param value  array; for .npz a table of arrays by name; for .json a table, number or string
 * @param opts.format  string: "npy", "npz", "csv", "tsv", "json" or "png", whatever the suffix
 * @param opts.compress  boolean: deflate the arrays of an .npz (default false)
 * @param opts.columns  table of strings: the header of a CSV
 * @param opts.sync  boolean: wait until the disk has it (default true)
 * @error `PATH: reason`
 */
static int save(lua_State *L)
{
    static const char *const known[] = {"format", "compress", "columns", "sync", NULL};
    saving s = {.path = peri_arg_target(L, 1), .memory = peri_state_memory(L)};
    lua_settop(L, 3);
    peri_options(L, 3, known);
    if (lua_isnil(L, 2))
        peri_argerror(L, 2, "value: expected array, got nil");
    const int format = save_format(L, s.path);
    s.compress = peri_option_boolean(L, 3, "compress", false);
    s.sync = peri_option_boolean(L, 3, "sync", true);
    s.separator = format == TSV ? '\t' : ',';
    if (s.compress && format != NPZ)
        peri_argerror(L, 3, "compress: only an .npz can be compressed");
    if (peri_option_given(L, 3, "columns") && format != CSV && format != TSV)
        peri_argerror(L, 3, "columns: only a CSV has names of columns");
    make_room(L);
    switch (format) {
    case NPZ:
        save_npz(L, &s);
        break;
    case CSV:
    case TSV:
        save_csv(L, &s);
        break;
    case JSON:
        save_json(L, &s);
        break;
    case PNG:
        save_png(L, &s);
        break;
    default:
        save_npy(L, &s);
    }
    return 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int none_text(lua_State *L)
{
    lua_pushliteral(L, "none");
    return 1;
}

/*** pg.none
 * Python's None and JSON's null where a table holds one, so that the place is kept.
 * @example tostring(pg.none) --> none
 */
static void make_none(lua_State *L)
{
    lua_newuserdatauv(L, 1, 0);
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, none_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "none");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "none");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &none_key);
}

PERI_OPENER(io)
{
    static const luaL_Reg functions[] = {{"load", load}, {"save", save}, {NULL, NULL}};
    peri_functions(L, functions);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    make_none(L);
    lua_setfield(L, -2, "none");
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, ordered_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, close_loader);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close_loader);
    lua_setfield(L, -2, "__close");
    lua_pushliteral(L, "loader");
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loader_key);
    return 0;
}

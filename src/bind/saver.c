/* SPDX-License-Identifier: MIT
 *
 * Writing. Nothing is held across a call that may raise: what is needed is made first, then one C
 * function opens, writes and closes. */
#include "bind/saver.h"

#include <stdlib.h>
#include <string.h>

#include "bind/io_errors.h"
#include "bind/loader.h"
#include "bind/ordered.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/safetensors.h"
#include "format/table.h"
#include "format/writer.h"

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
    return peri_view_of(peri_arg_any(L, arg, "value"));
}

void peri_save_npy(lua_State *L, const peri_saving *s)
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

/* The arrays of the table at 2, in the order of their names. All of it lives on the stack. */
typedef struct {
    size_t n;
    const char **names;
    peri_view *arrays;
} named_arrays;

static named_arrays gather(lua_State *L, const char *what)
{
    named_arrays g = {0};
    if (lua_type(L, 2) != LUA_TTABLE)
        peri_argerror(L, 2, "value: expected a table of arrays by name, got %s",
                      peri_push_got(L, 2));
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            peri_argerror(L, 2, "value: the arrays of %s have names, and one has the key %s", what,
                          peri_push_got(L, -1));
        if (strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
            peri_argerror(L, 2, "value: a name holds a NUL byte");
        g.n++;
    }
    g.names = peri_push_scratch(L, (g.n + 1) * sizeof *g.names);
    g.arrays = peri_push_scratch(L, (g.n + 1) * sizeof *g.arrays);
    size_t k = 0;
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        lua_pop(L, 1);
        g.names[k++] = lua_tostring(L, -1); /* the table's keys stay alive */
    }
    qsort(g.names, g.n, sizeof *g.names, compare_names);
    luaL_checkstack(L, (int)g.n + 12, "too many arrays");
    for (k = 0; k < g.n; k++) {
        lua_getfield(L, 2, g.names[k]);
        const int type = lua_type(L, -1);
        const int at = lua_gettop(L);
        if (type != LUA_TNUMBER && type != LUA_TTABLE && peri_test_array(L, at) == NULL)
            peri_argerror(L, 2, "value: field '%s': expected array, got %s", g.names[k],
                          peri_push_got(L, at));
        g.arrays[k] = peri_view_of(peri_arg_any(L, at, lua_pushfstring(L, "value.%s", g.names[k])));
        lua_settop(L, at);
    }
    return g;
}

void peri_save_npz(lua_State *L, const peri_saving *s)
{
    const bool compress = peri_option_boolean(L, 3, "compress", false);
    const named_arrays g = gather(L, "an .npz");
    peri_fault fault = {0};
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(
            &w, peri_npz_write(&w, g.n, g.names, g.arrays, compress, &s->memory, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

void peri_save_safetensors(lua_State *L, const peri_saving *s)
{
    const named_arrays g = gather(L, "safetensors");
    peri_fault fault = {0};
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(
            &w, peri_safetensors_write(&w, g.n, g.names, g.arrays, &s->memory, &fault), &fault);
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
        if (strlen(names[j]) != lua_rawlen(L, -1))
            peri_argerror(L, 3, "columns: a name holds a NUL byte");
        lua_pop(L, 1);
    }
    return names;
}

static void save_table(lua_State *L, const peri_saving *s, char separator)
{
    peri_fault fault = {0};
    const peri_view a = value_at(L, 2);
    const char *const *names = columns_for(L, &a);
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(&w, peri_csv_write(&w, &a, names, separator, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

void peri_save_csv(lua_State *L, const peri_saving *s)
{
    save_table(L, s, ',');
}

void peri_save_tsv(lua_State *L, const peri_saving *s)
{
    save_table(L, s, '\t');
}

void peri_save_png(lua_State *L, const peri_saving *s)
{
    peri_fault fault = {0};
    const peri_view a = value_at(L, 2);
    peri_writer w;
    peri_io status = peri_writer_open(&w, s->path, s->sync, &fault);
    if (status == PERI_IO_OK)
        status = end_file(&w, peri_png_write(&w, &a, &s->memory, &fault), &fault);
    peri_check_io(L, s->path, status, &fault);
}

void peri_save_json(lua_State *L, const peri_saving *s)
{
    peri_push_json(L, "encode");
    lua_pushvalue(L, 2);
    lua_pushboolean(L, true);
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

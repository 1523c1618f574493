/* SPDX-License-Identifier: MIT
 *
 * Tables of text, JSON and images. */
#include <limits.h>
#include <string.h>

#include "bind/fits.h"
#include "bind/loader.h"
#include "bind/ordered.h"

/* One byte of an option, or def where it is not given. */
static char byte_option(lua_State *L, const char *name, char def)
{
    const int type = peri_option_push(L, 2, name);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return def;
    }
    size_t n = 0;
    const char *text = type == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (n != 1 || text[0] == '"' || text[0] == '\n' || text[0] == '\r' || text[0] == 0)
        peri_argerror(L, 2, "%s: expected one character, got %s", name, peri_push_got(L, -1));
    const char c = text[0];
    lua_pop(L, 1);
    return c;
}

/* Pushes a list of the option's words as memory that lives on the stack; NULL where it is none. */
static const char *const *words_option(lua_State *L, const char *name, size_t *n)
{
    const int list = lua_gettop(L); /* it stays there, and keeps them */
    *n = lua_rawlen(L, list);
    const char **words = peri_push_scratch(L, (*n + 1) * sizeof *words);
    for (size_t i = 0; i < *n; i++) {
        if (lua_rawgeti(L, list, (lua_Integer)i + 1) != LUA_TSTRING)
            peri_argerror(L, 2, "%s: expected words, got %s", name, peri_push_got(L, -1));
        words[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    return words;
}

static void columns_option(lua_State *L, peri_csv_options *o)
{
    const int type = peri_option_push(L, 2, "columns");
    if (type == LUA_TNIL)
        return;
    const int list = lua_gettop(L);
    o->ntaken = type == LUA_TTABLE ? lua_rawlen(L, list) : 0;
    if (o->ntaken == 0)
        peri_argerror(L, 2, "columns: expected a table of names or numbers, got %s",
                      peri_push_got(L, list));
    if (lua_rawgeti(L, list, 1) == LUA_TSTRING) {
        lua_pop(L, 1);
        o->names = words_option(L, "columns", &o->ntaken);
        return;
    }
    size_t *numbers = peri_push_scratch(L, o->ntaken * sizeof *numbers);
    for (size_t i = 0; i < o->ntaken; i++) {
        int whole;
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        const lua_Integer n = lua_tointegerx(L, -1, &whole);
        if (!whole || lua_type(L, -1) != LUA_TNUMBER || n < 1)
            peri_argerror(L, 2, "columns: expected names, or numbers from 1, got %s",
                          peri_push_got(L, -1));
        numbers[i] = (size_t)n - 1;
        lua_pop(L, 1);
    }
    o->numbers = numbers;
}

/* What the options say; what they point to stays on the stack. */
static peri_csv_options table_options(lua_State *L, const peri_loader *l, char separator)
{
    peri_csv_options o = {.header = -1, .comment = -2, .exact = l->exact};
    o.dtype = l->dtype >= 0 ? l->dtype : PERI_F64;
    o.separator = byte_option(L, "separator", separator);
    o.skip = (uint64_t)peri_option_integer(L, 2, "skip", 0, 0, LUA_MAXINTEGER);
    o.decimal = byte_option(L, "decimal", '.');
    o.thousands = byte_option(L, "thousands", 0);
    o.text = peri_option_boolean(L, 2, "text", false);
    if (peri_option_given(L, 2, "header"))
        o.header = peri_option_boolean(L, 2, "header", false);
    if (peri_option_push(L, 2, "comment") == LUA_TBOOLEAN && !lua_toboolean(L, -1))
        o.comment = -1;
    else if (!lua_isnil(L, -1))
        o.comment = (unsigned char)byte_option(L, "comment", 0);
    lua_pop(L, 1);
    if (o.decimal == o.thousands || o.decimal == o.separator || o.thousands == o.separator)
        if (o.separator != 0 || o.decimal == o.thousands)
            peri_argerror(L, 2, "decimal: separator, decimal and thousands must differ");
    const int missing = peri_option_push(L, 2, "missing");
    o.missing = missing != LUA_TNIL && (missing != LUA_TBOOLEAN || lua_toboolean(L, -1));
    if (missing == LUA_TTABLE)
        o.words = words_option(L, "missing", &o.nwords);
    else if (missing != LUA_TNIL && missing != LUA_TBOOLEAN)
        peri_argerror(L, 2, "missing: expected true or a table of words, got %s",
                      peri_push_got(L, -1));
    columns_option(L, &o);
    return o;
}

static void check_table(lua_State *L, const peri_loader *l, const peri_csv_options *o,
                        peri_io status, peri_fault *fault)
{
    if (status == PERI_IO_INEXACT)
        fault->reason =
            lua_pushfstring(L, "%s %s cannot hold this number exactly, {exact=false} rounds it:",
                            peri_is_real(o->dtype) ? "an" : "a", peri_dtype_name(o->dtype));
    peri_loader_check(L, l, status, fault);
}

static void push_column(lua_State *L, peri_loader *l, size_t j)
{
    peri_fault fault = {0};
    bool numbers;
    const peri_csv *c = &l->csv;
    const size_t n = c->rows;
    peri_array *a = peri_push_array(L, PERI_F64, 1, &n);
    check_table(L, l, &c->options, peri_csv_column(c, j, a->data, &numbers, &fault), &fault);
    if (numbers) {
        if (!peri_is_f64(c->options.dtype)) {
            peri_push_copy(L, a, c->options.dtype);
            lua_remove(L, -2);
        }
        return;
    }
    lua_pop(L, 1);
    lua_createtable(L, (int)(n < INT_MAX ? n : 0), 0);
    for (size_t i = 0; i < n; i++) {
        const peri_csv_cell *cell = &c->cells[i * c->columns + j];
        lua_pushlstring(L, cell->length > 0 ? c->text + cell->at : "", cell->length);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* A table of columns: by name, or by number where there are none. */
static void push_columns(lua_State *L, peri_loader *l)
{
    const peri_csv *c = &l->csv;
    lua_newtable(L);
    if (c->nnames > 0)
        peri_order_keys(L);
    const char *name = c->names;
    for (size_t j = 0; j < c->columns; j++) {
        if (c->nnames > 0)
            lua_pushstring(L, name);
        else
            lua_pushinteger(L, (lua_Integer)j + 1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            peri_fault fault;
            peri_fail_text(&fault, PERI_IO_BAD, PERI_NO_BYTE, "two columns have the name", name,
                           strlen(name));
            peri_loader_check(L, l, PERI_IO_BAD, &fault);
        }
        lua_pop(L, 1);
        push_column(L, l, j);
        lua_rawset(L, -3);
        if (c->nnames > 0)
            name += strlen(name) + 1;
    }
}

static int load_table(lua_State *L, peri_loader *l, char separator)
{
    peri_fault fault = {0};
    const peri_csv_options o = table_options(L, l, separator);
    peri_csv_init(&l->csv, &l->source, &o);
    check_table(L, l, &o, peri_csv_read(&l->csv, &fault), &fault);
    const peri_csv *c = &l->csv;
    if (o.text) {
        push_columns(L, l);
    } else {
        const size_t shape[2] = {c->rows, c->columns};
        peri_array *a = peri_push_array(L, o.dtype, 2, shape);
        for (size_t i = 0; i < a->size; i++)
            peri_write_at(o.dtype, a->data, (ptrdiff_t)i, c->values[i]);
    }
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

int peri_load_csv(lua_State *L, peri_loader *l)
{
    return load_table(L, l, 0);
}

int peri_load_tsv(lua_State *L, peri_loader *l)
{
    return load_table(L, l, '\t');
}

void peri_push_json(lua_State *L, const char *name)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    lua_getfield(L, -1, "_json");
    lua_getfield(L, -1, name);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

int peri_load_json(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_loader_check(
        L, l, peri_source_slurp(&l->source, &l->text, &l->text_length, &l->text_taken, &fault),
        &fault);
    peri_push_json(L, "decode");
    lua_pushlstring(L, (const char *)l->text, l->text_length);
    peri_push_none(L);
    lua_pushboolean(L, !l->exact);
    if (lua_pcall(L, 3, 1, 0) != LUA_OK) {
        if (lua_type(L, -1) == LUA_TSTRING)
            lua_pushfstring(L, "%s: %s", l->path, lua_tostring(L, -1));
        lua_error(L);
    }
    return 1;
}

/* Whole numbers of 0..255 are u8, fractions (of 16 bits) f64. */
static int load_image(lua_State *L, peri_loader *l, peri_image_kind kind)
{
    peri_fault fault;
    peri_image *m = &l->image;
    peri_image_init(m, &l->source);
    peri_loader_check(L, l, peri_image_open(m, kind, &fault), &fault);
    const int own = m->bytes ? PERI_U8 : PERI_F64;
    const int dtype = l->dtype >= 0 ? l->dtype : own;
    const int read = peri_is_real(dtype) ? dtype : own;
    const peri_layout layout = {.ndim = m->channels == 1 ? 2 : 3,
                                .shape = {m->height, m->width, (size_t)m->channels},
                                .size = m->height * m->width * (size_t)m->channels};
    peri_array *a = peri_push_for(L, l, &layout, read);
    peri_loader_check(L, l, peri_image_read(m, read, a->data, &fault), &fault);
    if (read != dtype) { /* to a dtype that only stores, out of another */
        if (l->exact)
            peri_check_fits(L, 2, "dtype", a, dtype);
        peri_push_copy(L, a, dtype);
        lua_remove(L, -2);
    }
    return 1;
}

int peri_load_png(lua_State *L, peri_loader *l)
{
    return load_image(L, l, PERI_IMAGE_PNG);
}

int peri_load_jpeg(lua_State *L, peri_loader *l)
{
    return load_image(L, l, PERI_IMAGE_JPEG);
}

int peri_load_pnm(lua_State *L, peri_loader *l)
{
    return load_image(L, l, PERI_IMAGE_PNM);
}

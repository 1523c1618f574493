/* SPDX-License-Identifier: MIT
 *
 * Tables of text, JSON and images. */
#include <limits.h>
#include <string.h>

#include "bind/loader.h"
#include "bind/ordered.h"

static int load_table(lua_State *L, peri_loader *l, char separator)
{
    peri_fault fault;
    peri_csv_init(&l->csv, &l->source, separator);
    peri_loader_check(L, l, peri_csv_read(&l->csv, &fault), &fault);
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
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        if (lua_type(L, -1) == LUA_TSTRING)
            lua_pushfstring(L, "%s: %s", l->path, lua_tostring(L, -1));
        lua_error(L);
    }
    return 1;
}

static int load_image(lua_State *L, peri_loader *l, peri_image_kind kind)
{
    peri_fault fault;
    peri_image_init(&l->image, &l->source);
    peri_loader_check(L, l, peri_image_open(&l->image, kind, &fault), &fault);
    const int dtype = l->dtype >= 0 ? l->dtype : PERI_F64;
    const size_t shape[3] = {l->image.height, l->image.width, (size_t)l->image.channels};
    peri_array *a = peri_push_array(L, dtype, l->image.channels == 1 ? 2 : 3, shape);
    peri_loader_check(L, l, peri_image_read(&l->image, dtype, a->data, &fault), &fault);
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

/* SPDX-License-Identifier: MIT
 *
 * The host of a pickle: makes what its reader says. `values` is the stack index of a table of all
 * that was made, by its number. */
#include <limits.h>
#include <string.h>

#include "bind/io_errors.h"
#include "bind/loader.h"
#include "bind/ordered.h"

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

static void keep_string(lua_State *L, peri_loader *l, int values, uint32_t id)
{
    const char *bytes = lua_tostring(L, -1);
    lua_rawseti(L, values, id);
    peri_pickle_keep(&l->pickle, id, bytes);
}

static void fill_dict(lua_State *L, peri_loader *l, int values, const peri_pickle_event *e)
{
    lua_rawgeti(L, values, e->id);
    for (size_t i = 0; i < e->n; i += 2) {
        push_value(L, values, &e->items[i]);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            peri_fault fault;
            peri_loader_check(
                L, l, peri_pickle_refuse(&l->pickle, "a dict has the same key twice", &fault),
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

static void make_blob(lua_State *L, peri_loader *l, int values, const peri_pickle_event *e)
{
    peri_fault fault;
    const size_t n = (e->length + sizeof(double) - 1) / sizeof(double);
    peri_array *a = peri_push_array(L, PERI_F64, 1, &n);
    void *memory = a->data;
    lua_rawseti(L, values, e->id);
    peri_loader_check(L, l, peri_pickle_fill(&l->pickle, memory, &fault), &fault);
}

static void make_array(lua_State *L, peri_loader *l, int values, const peri_pickle_event *e)
{
    peri_fault fault;
    peri_array *a = peri_push_for(L, l, &e->layout, e->dtype);
    peri_check_elements(L, l->path, peri_pickle_fill(&l->pickle, a->data, &fault), &e->layout,
                        &fault);
    peri_turn(L, &e->layout);
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
static bool serve(lua_State *L, peri_loader *l, int values, const peri_pickle_event *e)
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
    case PERI_PICKLE_TENSOR:
        peri_push_tensor(L, e);
        lua_rawseti(L, values, e->id);
        return false;
    case PERI_PICKLE_DONE:
        push_value(L, values, &e->value);
        return true;
    }
    return false;
}

void peri_push_pickle(lua_State *L, peri_loader *l, peri_source *source, bool torch)
{
    peri_fault fault;
    lua_newtable(L);
    const int values = lua_gettop(L);
    peri_pickle_init(&l->pickle, source, l->dtype, l->exact);
    l->pickle.torch = torch;
    for (;;) {
        peri_pickle_event event;
        peri_loader_check(L, l, peri_pickle_next(&l->pickle, &event, &fault), &fault);
        if (serve(L, l, values, &event))
            break;
    }
    lua_remove(L, values);
}

int peri_load_pickle(lua_State *L, peri_loader *l)
{
    peri_push_pickle(L, l, &l->source, false);
    return 1;
}

/* SPDX-License-Identifier: MIT */
#include "bind/array.h"

#include <lauxlib.h>

#include "bind/state.h"

const char peri_array_meta;

void peri_push_array_meta(lua_State *L)
{
    if (peri_has_upvalues(L))
        lua_pushvalue(L, lua_upvalueindex(PERI_UPVALUE_META));
    else
        lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
}

peri_array *peri_peek_array(lua_State *L, int idx)
{
    peri_array *a = lua_touserdata(L, idx);
    /* The length of what is no full userdata is 0. */
    return a == NULL || lua_rawlen(L, idx) < sizeof *a || a->mark != peri_array_mark(a) ? NULL : a;
}

peri_array *peri_test_array(lua_State *L, int idx)
{
    peri_array *a = peri_peek_array(L, idx);
    if (a == NULL)
        return NULL;
    if (a->gone != NULL && *a->gone)
        luaL_error(L, "array was detached: its memory belongs to the host again");
    if (a->node != 0)
        peri_getstate(L)->guard->tracked(L, a);
    return a;
}

bool peri_overlaps(const peri_array *a, const peri_array *b)
{
    if (a->size == 0 || b->size == 0)
        return false;
    const char *low[2], *high[2];
    const peri_array *both[2] = {a, b};
    for (int k = 0; k < 2; k++) {
        ptrdiff_t first = 0, last = both[k]->dense ? (ptrdiff_t)both[k]->size - 1 : 0;
        for (int axis = 0; axis < both[k]->ndim && !both[k]->dense; axis++) {
            const ptrdiff_t reach = (ptrdiff_t)(both[k]->shape[axis] - 1) * both[k]->stride[axis];
            *(reach < 0 ? &first : &last) += reach;
        }
        const ptrdiff_t width = (ptrdiff_t)peri_dtype_size(both[k]->dtype);
        low[k] = (const char *)both[k]->data + first * width;
        high[k] = (const char *)both[k]->data + (last + 1) * width;
    }
    return low[0] < high[1] && low[1] < high[0];
}

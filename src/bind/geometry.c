/* SPDX-License-Identifier: MIT */
#include "bind/geometry.h"

#include <stdbool.h>

#include "bind/bind.h"

/* The value on top, as an integer of at least lo. */
static bool read_extent(lua_State *L, lua_Integer lo, size_t *out)
{
    int exact = 0;
    const lua_Integer value = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : 0;
    if (!exact || value < lo || value > INT32_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

/* The value on top, for the argument or option `name`. */
static void read_extents(lua_State *L, int arg, const char *name, int axes, lua_Integer lo,
                         size_t out[2])
{
    out[0] = (size_t)lo;
    bool fine = false;
    if (axes == 2 && lua_type(L, -1) == LUA_TTABLE && lua_rawlen(L, -1) == 2) {
        fine = true;
        for (int axis = 0; axis < 2; axis++) {
            lua_rawgeti(L, -1, axis + 1);
            fine = read_extent(L, lo, &out[axis]) && fine;
            lua_pop(L, 1);
        }
    } else if (read_extent(L, lo, &out[1])) {
        fine = true;
        if (axes == 2)
            out[0] = out[1];
    }
    if (!fine)
        peri_argerror(L, arg, "%s: expected an integer of at least %I%s, got %s", name,
                      (LUAI_UACINT)lo, axes == 2 ? ", or {y, x}" : "", peri_push_got(L, -1));
}

void peri_option_extents(lua_State *L, int arg, const char *name, int axes, lua_Integer def,
                         lua_Integer lo, size_t out[2])
{
    if (peri_option_push(L, arg, name) == LUA_TNIL) {
        out[0] = axes == 2 ? (size_t)def : (size_t)lo;
        out[1] = (size_t)def;
    } else {
        read_extents(L, arg, name, axes, lo, out);
    }
    lua_pop(L, 1);
}

void peri_arg_extents(lua_State *L, int arg, const char *name, lua_Integer lo, size_t out[2])
{
    if (lua_isnone(L, arg))
        peri_argerror(L, arg, "%s: expected an integer of at least %I, or {y, x}, got no value",
                      name, (LUAI_UACINT)lo);
    lua_pushvalue(L, arg);
    read_extents(L, arg, name, 2, lo, out);
    lua_pop(L, 1);
}

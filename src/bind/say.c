/* SPDX-License-Identifier: MIT */
#include "bind/say.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/array.h"
#include "format/number.h"

const char *peri_push_shape(lua_State *L, int ndim, const size_t *shape)
{
    luaL_checkstack(L, 4, "shape");
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addchar(&b, '(');
    for (int axis = 0; axis < ndim; axis++) {
        char digits[32];
        snprintf(digits, sizeof digits, "%s%zu", axis > 0 ? ", " : "", shape[axis]);
        luaL_addstring(&b, digits);
    }
    luaL_addstring(&b, ndim == 1 ? ",)" : ")");
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

const char *peri_push_got(lua_State *L, int idx)
{
    luaL_checkstack(L, 8, "got");
    idx = lua_absindex(L, idx);
    const peri_array *a = peri_peek_array(L, idx);
    if (a != NULL) {
        const char *shape = peri_push_shape(L, a->ndim, a->shape);
        const char *text = lua_pushfstring(L, "array %s %s", shape, peri_dtype_name(a->dtype));
        lua_remove(L, -2);
        return text;
    }
    if (lua_type(L, idx) == LUA_TNUMBER) {
        return lua_isinteger(L, idx)
                   ? lua_pushfstring(L, "number %I", (LUAI_UACINT)lua_tointeger(L, idx))
                   : peri_push_text(L, "number %f", lua_tonumber(L, idx));
    }
    if (lua_type(L, idx) == LUA_TSTRING) {
        size_t length;
        const char *s = lua_tolstring(L, idx, &length);
        if (length <= 40 && strlen(s) == length)
            return lua_pushfstring(L, "\"%s\"", s);
    }
    if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
        return lua_tostring(L, -1);
    return lua_pushstring(L, luaL_typename(L, idx));
}

/* Edit distance with transpositions (optimal string alignment), cut off at `limit`. */
static int distance(const char *a, const char *b, int limit)
{
    enum { LONGEST = 40 };
    const int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST || n - m > limit || m - n > limit)
        return limit + 1;
    int row[3][LONGEST + 1];
    for (int j = 0; j <= m; j++)
        row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3];
        const int *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *peri_nearest(const char *word, const char *const names[])
{
    const int length = (int)strlen(word);
    int best = length <= 3 ? 1 : length <= 6 ? 2 : 3;
    const char *near = NULL;
    for (; *names != NULL; names++) {
        const int d = distance(word, *names, best);
        if (d <= best && d < (int)strlen(*names)) {
            best = d - 1;
            near = *names;
            if (d <= 1)
                break;
        }
    }
    return near;
}

const char *peri_push_number(lua_State *L, double x)
{
    lua_Integer integer;
    if (lua_numbertointeger(x, &integer) && (double)integer == x)
        return lua_pushfstring(L, "%I", (LUAI_UACINT)integer);
    return peri_push_text(L, "%f", x);
}

/* Adds x as Lua writes it where the decimal point is '.': 3.0 for what is whole. */
static void add_float(luaL_Buffer *b, double x)
{
    char digits[64];
    snprintf(digits, sizeof digits, LUA_NUMBER_FMT, x);
    peri_number_point(digits);
    luaL_addstring(b, digits);
    if (digits[strspn(digits, "-0123456789")] == '\0')
        luaL_addstring(b, ".0");
}

const char *peri_push_vtext(lua_State *L, const char *format, va_list list)
{
    luaL_checkstack(L, 6, "text");
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (const char *at; (at = strchr(format, '%')) != NULL; format = at + 2) {
        luaL_addlstring(&b, format, (size_t)(at - format));
        switch (at[1]) {
        case 's': {
            const char *word = va_arg(list, const char *);
            luaL_addstring(&b, word != NULL ? word : "(null)");
            break;
        }
        case 'd':
            lua_pushinteger(L, va_arg(list, int));
            luaL_addvalue(&b);
            break;
        case 'I':
            lua_pushinteger(L, (lua_Integer)va_arg(list, LUAI_UACINT));
            luaL_addvalue(&b);
            break;
        case 'f':
            add_float(&b, va_arg(list, double));
            break;
        case 'c':
            luaL_addchar(&b, (char)va_arg(list, int));
            break;
        default:
            luaL_addchar(&b, at[1]);
        }
    }
    luaL_addstring(&b, format);
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

const char *peri_push_text(lua_State *L, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const char *text = peri_push_vtext(L, format, list);
    va_end(list);
    return text;
}

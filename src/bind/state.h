/* SPDX-License-Identifier: MIT
 *
 * What Perigee keeps for a Lua state, and how a function of ours finds it. */
#ifndef PERIGEE_BIND_STATE_H
#define PERIGEE_BIND_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "kernel/stop.h"

/* The least bytes of new arrays, and of growth, after which to collect. */
enum { PERI_YOUNG_BUDGET = 512 << 10, PERI_FULL_BUDGET = 1 << 20 };

/* When to collect, see pace.h: after so many bytes, set by how long collecting took. */
typedef struct {
    size_t budget;
    double since; /* when it ended the last time, in seconds */
} peri_pace;

/* What the tape (tape.h) does for the files below it. */
struct peri_array;
typedef struct {
    lua_CFunction recorded; /* stands for a function that is to be recorded */
    void (*tracked)(lua_State *L, const struct peri_array *a); /* a is read, and has a node */
    void (*written)(lua_State *L, const struct peri_array *a); /* a is written, and was frozen */
} peri_guard;

/* One a Lua state, kept in its registry. */
typedef struct peri_state {
    peri_stop stop;        /* kernels poll it: pass &peri_getstate(L)->stop */
    size_t fresh;          /* bytes of arrays allocated since the last collection */
    size_t live;           /* bytes the state held after the last full collection */
    peri_pace young, full; /* bytes of new arrays, and of growth, from which on to collect */
    size_t hidden;       /* bytes of arrays that Lua's own pacing has still to be told to forget */
    size_t limit;        /* memory limit in bytes, 0 for none */
    size_t peak;         /* most bytes seen held */
    uint64_t base, last; /* of nodes, see tape.h: nodes above base are tracked; the last number */
    uint64_t held;       /* base before recording was paused, or 0 */
    uint64_t held_last;  /* the last number then: what is above was made since */
    uint64_t epoch;      /* which outermost gradient is open, or will be the next */
    const peri_guard *guard;
    struct peri_declared *declared; /* see register.c; kept in the registry */
    size_t declared_count, declared_room;
    struct tape *tape; /* kept in the registry; NULL before a gradient was taken */
    bool watched;      /* the count hook is set, see peri_watch */
    bool sandboxed;    /* see sandbox.h, as for the folders */
    const char *read_folder, *write_folder;
} peri_state;

peri_state *peri_getstate(lua_State *L);

/* Makes the state's record; safe to call twice. */
void peri_state_open(lua_State *L);

/* Functions registered by register.h carry these as upvalues, so that a call on small arrays need
 * not look them up in the registry, and an error can say whose it is: the light userdata
 * &peri_upvalues, by which they are known, the state, the array metatable, the name that users
 * know, how their arguments are counted, and what precedes the message of an error, or nil; and of
 * functions that take part in gradients (tape.h) their row, and the function that it wraps. */
enum {
    PERI_UPVALUE_KEY = 1,
    PERI_UPVALUE_STATE,
    PERI_UPVALUE_META,
    PERI_UPVALUE_NAME,
    PERI_UPVALUE_SHIFT,
    PERI_UPVALUE_PLACE,
    PERI_UPVALUE_RULE,
    PERI_UPVALUE_CALL,
    PERI_UPVALUES = PERI_UPVALUE_CALL,
    PERI_UPVALUE_ROW /* of a table, where the function is made from one (peri_row) */
};
extern const char peri_upvalues;

static inline bool peri_has_upvalues(lua_State *L)
{
    /* Before 5.4.4 Lua must not be asked outside a C function, where hosts call as well. */
    return LUA_VERSION_RELEASE_NUM >= 50404 &&
           lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_KEY)) == (const void *)&peri_upvalues;
}

/* The state, where it is known that the running function has them. */
static inline peri_state *peri_upvalue_state(lua_State *L)
{
    return (peri_state *)lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_STATE));
}

/* luaL_checkstack, without asking Lua for what a C function has from the start. */
static inline void peri_checkstack(lua_State *L, int slots, const char *what)
{
    if (lua_gettop(L) + slots > LUA_MINSTACK)
        luaL_checkstack(L, slots, what);
}

#endif

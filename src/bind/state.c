/* SPDX-License-Identifier: MIT */
#include "bind/state.h"

#include <string.h>

static const char state_key;

const char peri_upvalues;

peri_state *peri_getstate(lua_State *L)
{
    if (peri_has_upvalues(L))
        return peri_upvalue_state(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    peri_state *state = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return state;
}

void peri_state_open(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key) == LUA_TNIL) {
        peri_state *state = lua_newuserdatauv(L, sizeof *state, 0);
        memset(state, 0, sizeof *state);
        atomic_init(&state->stop.requested, 0);
        state->young.budget = PERI_YOUNG_BUDGET;
        state->full.budget = PERI_FULL_BUDGET;
        state->base = state->last = state->epoch = 1;
        lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
    }
    lua_pop(L, 1);
}

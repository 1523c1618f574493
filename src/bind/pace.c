/* SPDX-License-Identifier: MIT
 *
 * An array is one userdata without finaliser, so the collector frees it in the cycle that finds it
 * dead. The collector's own pace follows bytes: it would run a cycle for every few arrays, each of
 * which visits all that lives. So array bytes are taken out of Lua's account and added up here, and
 * the state's collector is asked in two steps.
 *
 * After half a megabyte of new arrays comes a young collection, in generational mode. It visits
 * what is new and not what lives, takes less than a microsecond where no large table was written
 * to, and lets a loop of temporaries write into memory that is still in the cache. What lived
 * through two of them waits for a full collection, which is run when the state has grown, since the
 * last, by 1 MB. Either step doubles where its collections take more than their share of the time,
 * up to 64 MB plus a quarter of what lives, and halves again where they take little.
 */
#include "bind/pace.h"

#include <limits.h>
#include <time.h>

#include "bind/state.h"

enum { MOST_BUDGET = 64 << 20 };

/* One part in so many of the time may go into collections. */
enum { YOUNG_SHARE = 8, FULL_SHARE = 25 };

static size_t held(lua_State *L)
{
    return (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sets the budget by the time that collecting took since `start`, of that since the last time: more
 * than one part in `share` of it is too much. */
static void set_pace(peri_pace *pace, double start, int share, size_t least, size_t live)
{
    const double end = now(), cost = end - start, span = start - pace->since;
    const size_t most = MOST_BUDGET + live / 4;
    if (share * cost > span)
        pace->budget *= 2;
    else if (2.5 * share * cost < span)
        pace->budget /= 2;
    if (pace->budget < least)
        pace->budget = least;
    if (pace->budget > most)
        pace->budget = most;
    pace->since = end;
}

/* A young collection where that is worth the trust: Lua 5.4.4 mended the last faults of its
 * generational mode. The mode is set each time, for a script may have changed it. */
static void collect_young(lua_State *L)
{
#if LUA_VERSION_RELEASE_NUM >= 50404
    enum { MINOR_MULTIPLIER = 100 }; /* else Lua's own steps came with every second small array */
    lua_gc(L, LUA_GCGEN, MINOR_MULTIPLIER, 0);
    lua_gc(L, LUA_GCSTEP, 0);
#else
    (void)L;
#endif
}

static void collect(lua_State *L, peri_state *state)
{
    const size_t before = held(L);
    if (before > state->peak)
        state->peak = before;
    state->fresh = 0;
    const double start = now();
    collect_young(L);
    set_pace(&state->young, start, YOUNG_SHARE, PERI_YOUNG_BUDGET, state->live);
    if (held(L) <= state->live + state->full.budget)
        return;
    const double again = now();
    lua_gc(L, LUA_GCCOLLECT);
    state->live = held(L);
    set_pace(&state->full, again, FULL_SHARE, PERI_FULL_BUDGET, state->live);
}

void peri_count_bytes(lua_State *L, size_t bytes)
{
    peri_count_bytes_of(L, peri_getstate(L), bytes);
}

void peri_count_bytes_of(lua_State *L, peri_state *state, size_t bytes)
{
    enum { STEP = 64 << 10 };
    if (state->fresh + bytes > state->young.budget && lua_gc(L, LUA_GCISRUNNING))
        collect(L, state);
    state->fresh += bytes;
    state->hidden += bytes;
    if (state->hidden >= STEP) {
        const size_t kilobytes = state->hidden >> 10 < INT_MAX ? state->hidden >> 10 : INT_MAX;
        lua_gc(L, LUA_GCSTEP, -(int)kilobytes);
        state->hidden -= kilobytes << 10;
    }
}

size_t peri_bytes_held(lua_State *L)
{
    const size_t bytes = held(L);
    peri_state *state = peri_getstate(L);
    if (bytes > state->peak)
        state->peak = bytes;
    return bytes;
}

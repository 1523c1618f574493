/* SPDX-License-Identifier: MIT
 *
 * Perigee for C programs: arrays, models and scripting inside a program of your own.
 *
 *     #include <perigee.h>
 *     cc host.c $(pkg-config --cflags --libs perigee)
 *
 * A Perigee state is a lua_State: everything of Lua's C API works on it. There is no global state
 * beyond the thread count, so two states in two threads do not meet. One state belongs to one
 * thread at a time.
 */
#ifndef PERIGEE_H
#define PERIGEE_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include "kernel/view.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PERI_API __attribute__((visibility("default")))
#else
#define PERI_API
#endif

/* The version stands here alone; the Makefile reads it. */
#define PERI_VERSION_MAJOR 0
#define PERI_VERSION_MINOR 1
#define PERI_VERSION_PATCH 0
#define PERI_VERSION_NUM                                                                           \
    (10000 * PERI_VERSION_MAJOR + 100 * PERI_VERSION_MINOR + PERI_VERSION_PATCH)

/* The version of the library that is linked: "major.minor.patch". */
PERI_API const char *peri_version(void);

/* Opens the module: pushes the table `pg` and returns 1. Works in any Lua 5.4 state; this is what
 * require "perigee" calls. From the first half a megabyte of new arrays on, the state's collector
 * is kept in generational mode (Lua 5.4.4 and later). */
PERI_API int luaopen_perigee(lua_State *L);

/* How peri_newstate makes a state. Zero every field for the defaults. */
typedef struct {
    /* Bytes that Lua and its arrays may hold together; 0: no limit. Going over is an ordinary Lua
     * error ("not enough memory"), and the state is usable afterwards. */
    size_t memory_limit;

    /* Where print writes; NULL: the process's stdout. `text` is not ended by a NUL and is valid
     * during the call only. Must not raise. */
    void (*write)(void *ud, const char *text, size_t length);

    /* Lua's warning function (warn(), and ours about ill-conditioned systems); NULL: stderr. */
    lua_WarnFunction warn;

    /* Passed to both. Not owned. */
    void *ud;

    /* Closes the state as `perigee --sandbox` does: no bytecode, debug library, programs, C
     * modules, nor any file but those below these folders, which need not exist yet. `read_from`
     * (NULL: none) may be read, modules are looked for there; `write_to` (NULL: none) may be read
     * and written. Copied. */
    bool sandbox;
    const char *read_from, *write_to;
} peri_config;

/* A new state with the standard libraries, and Perigee loaded, so that require "perigee" returns
 * it. NULL config: the defaults. Returns NULL when there is not enough memory. Close with
 * lua_close. */
PERI_API lua_State *peri_newstate(const peri_config *config);

/* Sets the memory limit of any state, bytes; 0 takes it away. What is held already counts.
 * Returns 0, or -1 when there is not enough memory to keep the account. */
PERI_API int peri_limit_memory(lua_State *L, size_t bytes);

/* Stops the state: whatever runs in it gets the error "interrupted!" at its next instructions, a
 * running kernel between two of its blocks, a LAPACK call when it returns. The request holds: a
 * script that catches the error meets the next, in coroutines and finalisers too, until all has
 * come back to the host, and what the host runs after that as well, until peri_resume. May be
 * called from a signal handler or another thread, while the state is open. States of peri_newstate
 * listen; another state listens once peri_watch was called on it. */
PERI_API void peri_interrupt(lua_State *L);

/* Takes back peri_interrupt and peri_deadline. From the thread that runs the state. */
PERI_API void peri_resume(lua_State *L);

/* Stops the state as peri_interrupt does, so many seconds from now (0 or less: now; INFINITY: takes
 * the deadline away). Needs no thread and no signal. From the thread that runs the state, which
 * listens from here on. Returns 0, or -1 when seconds is NaN or there is not enough memory. */
PERI_API int peri_deadline(lua_State *L, double seconds);

/* Makes the state listen to peri_interrupt by a count hook. Call it on the main thread of the
 * state before any coroutine exists, since coroutines inherit it. Finalisers that a script gives to
 * setmetatable from then on are stopped as well. */
PERI_API void peri_watch(lua_State *L);

/* Fills *out with a view of the array at idx, strided, without copying, and returns true; false
 * when the value is not an array. The view is valid while the value is on the stack. */
PERI_API bool peri_to_array(lua_State *L, int idx, peri_view *out);

/* The array at arg as a view, for a C function called from Lua; raises a Lua error that says what
 * it got unless the value is an array of this dtype (-1: any) and number of axes (-1: any). */
PERI_API peri_view peri_check_array(lua_State *L, int arg, int dtype, int ndim);

/* Pushes a new array, row-major, elements unset, and returns its view. Raises on lack of memory. */
PERI_API peri_view peri_new_array(lua_State *L, int dtype, int ndim, const size_t *shape);

/* Pushes an array over memory of the host. stride NULL: row-major. When the array and all its
 * views are collected, release(ud) is called once (NULL: never). Returns 1. The memory must stay
 * valid until then, or until peri_detach. */
PERI_API int peri_wrap(lua_State *L, void *data, int dtype, int ndim, const size_t *shape,
                       const ptrdiff_t *stride, void (*release)(void *), void *ud);

/* Takes the memory of a wrapped array back: release is called now, and later use of the array or
 * of a view of it raises "array was detached". Does nothing to an array that Lua owns. */
PERI_API void peri_detach(lua_State *L, int idx);

/* Makes require "name" call `open`, as package.preload does. */
PERI_API void peri_register(lua_State *L, const char *name, lua_CFunction open);

/* Runs the interactive prompt on this state until end of input. Returns 0; 1 when an error ended
 * it, which was written to stderr, such as that of peri_interrupt. */
PERI_API int peri_repl(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif

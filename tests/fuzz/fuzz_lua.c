/* SPDX-License-Identifier: MIT
 *
 * Array expressions from random Lua: program.lua makes statements of the bytes, and a state of
 * their own, sandboxed and under a memory limit, runs them. Errors are its business; findings are
 * what the sanitizers see, a kernel that does not hear the interrupt, memory beyond the limit, and
 * an argument that BLAS or LAPACK refuses. A new state costs about as much as its statements, and
 * what one input did cannot be what another one fails by. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <lauxlib.h>
#include <lua.h>

#include "bind/sandbox.h"
#include "kernel/pool.h"
#include "perigee.h"

/* Matrices of a limit's size are still decomposed well within a second, which LAPACK cannot be
 * interrupted in. */
enum { LIMIT = 16 << 20, MICROSECONDS = 100000 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);
void xerbla_(const char *name, const int *info, int length);
const char *__asan_default_options(void);

/* States come and go so fast that what the sanitizer keeps of the dead would pass for theirs. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=32";
}

/* In place of OpenBLAS's, which prints and goes on. */
void xerbla_(const char *name, const int *info, int length)
{
    fprintf(stderr, "%.*s refuses its argument %d\n", length, name, *info);
    abort();
}

static lua_State *decoder, *running;

static void on_timer(int signal_number)
{
    (void)signal_number;
    if (running != NULL)
        peri_interrupt(running);
}

/* Interrupts what runs after that many microseconds of processor time, and again each time as many
 * have passed; 0: no more. */
static void set_timer(suseconds_t microseconds)
{
    const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void no_write(void *ud, const char *text, size_t length)
{
    (void)ud, (void)text, (void)length;
}

static void no_warning(void *ud, const char *message, int to_continue)
{
    (void)ud, (void)message, (void)to_continue;
}

static void demand(bool fine, lua_State *L)
{
    if (!fine) {
        fprintf(stderr, "fuzz_lua: %s\n", L != NULL ? lua_tostring(L, -1) : "no state");
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    peri_threads(1);
    decoder = peri_newstate(NULL);
    demand(decoder != NULL, NULL);
    demand(luaL_dofile(decoder, "tests/fuzz/program.lua") == LUA_OK, decoder);
    return 0;
}

/* Runs the statement, or the prelude. What it raises is dropped; replay.lua prints it. */
static void run(lua_State *L, const char *text)
{
    if (luaL_loadbufferx(L, text, strlen(text), "=fuzz", "t") == LUA_OK)
        (void)lua_pcall(L, 0, 0, 0);
    lua_settop(L, 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    lua_getfield(decoder, 1, "statements");
    lua_pushlstring(decoder, (const char *)bytes, size);
    demand(lua_pcall(decoder, 1, 1, 0) == LUA_OK, decoder);
    lua_getfield(decoder, 1, "prelude");

    const peri_config config = {.memory_limit = LIMIT, .write = no_write, .warn = no_warning};
    lua_State *L = peri_newstate(&config);
    demand(L != NULL, NULL);
    peri_sandbox(L, "/nowhere", "/nowhere");
    running = L;
    set_timer(MICROSECONDS);
    run(L, lua_tostring(decoder, -1));
    lua_pop(decoder, 1);
    const lua_Unsigned count = lua_rawlen(decoder, -1);
    for (lua_Unsigned k = 1; k <= count; k++) {
        lua_rawgeti(decoder, -1, (lua_Integer)k);
        run(L, lua_tostring(decoder, -1));
        lua_pop(decoder, 1);
    }
    set_timer(0);
    running = NULL;
    lua_close(L);
    lua_pop(decoder, 1);
    return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Every function that a script can reach, with hostile values: functions.lua finds them in a state
 * of their own, sandboxed, under a memory limit and under a clock, and calls them while finalisers
 * change what is in flight. The bytes are a seed. Errors are the functions' business; findings are
 * what the sanitizers see. Of an input that failed, `fuzz_functions FILE` with PERIGEE_TRACE set
 * prints each call before it is made. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "bind/sandbox.h"
#include "bind/state.h"
#include "kernel/pool.h"
#include "perigee.h"

enum { LIMIT = 96 << 20, CALLS = 1000, MICROSECONDS = 200000 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "quarantine_size_mb=64:allocator_may_return_null=1";
}

static lua_State *running;
static char folder[64];
static unsigned long long made;

static void on_timer(int signal_number)
{
    (void)signal_number;
    if (running != NULL)
        peri_interrupt(running);
}

static void no_write(void *ud, const char *text, size_t length)
{
    (void)ud, (void)text, (void)length;
}

static void no_warning(void *ud, const char *message, int to_continue)
{
    (void)ud, (void)message, (void)to_continue;
}

static void report(void)
{
    fprintf(stderr, "stat::calls: %llu\n", made);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    peri_threads(1);
    snprintf(folder, sizeof folder, "/tmp/fuzz_functions.%ld/", (long)getpid());
    mkdir(folder, 0700);
    atexit(report);
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    lua_Integer seed = 1;
    for (size_t k = 0; k < size; k++)
        seed = (lua_Integer)((lua_Unsigned)seed * 1099511628211u + bytes[k]);
    const peri_config config = {.memory_limit = LIMIT, .write = no_write, .warn = no_warning};
    lua_State *L = peri_newstate(&config);
    if (L == NULL)
        abort();
    lua_getglobal(L, "debug"); /* the finder has it; scripts do not */
    peri_sandbox(L, folder, folder);
    running = L;
    const struct itimerval timer = {{0, MICROSECONDS}, {0, MICROSECONDS}}, none = {0};
    setitimer(ITIMER_PROF, &timer, NULL);
    if (luaL_loadfilex(L, "tests/fuzz/functions.lua", "t") != LUA_OK) {
        fprintf(stderr, "fuzz_functions: %s\n", lua_tostring(L, -1));
        abort();
    }
    lua_pushvalue(L, 1);
    lua_pushstring(L, folder);
    lua_pushinteger(L, seed & INT32_MAX);
    lua_pushinteger(L, CALLS);
    lua_pushboolean(L, getenv("PERIGEE_TRACE") != NULL);
    if (lua_pcall(L, 5, 3, 0) == LUA_OK)
        made += (unsigned long long)lua_tointeger(L, -3);
    else if (getenv("PERIGEE_TRACE") != NULL)
        fprintf(stderr, "fuzz_functions: %s\n", luaL_tolstring(L, -1, NULL));
    setitimer(ITIMER_PROF, &none, NULL);
    running = NULL;
    lua_close(L);
    return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * pg._process: host/process.h as Lua values, for the runner. Not for scripts, so it has no entries
 * in the help.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/sandbox.h"
#include "host/process.h"

extern char **environ;

/* The handle. */
typedef struct {
    peri_job *job; /* NULL once it was freed */
} holder;

static int job_free(lua_State *L);

static const peri_handle_kind job_kind = {.name = "job", .close = job_free};

static peri_job *check_job(lua_State *L, int arg)
{
    const holder *h = peri_arg_handle(L, arg, "job", &job_kind);
    if (h->job == NULL)
        luaL_argerror(L, arg, "the job was freed");
    return h->job;
}

/* The strings of the list at idx as an array that ends with NULL, owned by a pushed userdata. */
static const char **push_strings(lua_State *L, int idx)
{
    const lua_Integer n = luaL_len(L, idx);
    const char **list = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *list, 1);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, idx, i + 1);
        list[i] = lua_tostring(L, -1);
        if (list[i] == NULL)
            luaL_error(L, "start: item %d is no string", (int)i + 1);
        lua_pop(L, 1); /* the table keeps it */
    }
    list[n] = NULL;
    return list;
}

/* start(argv, environment, log, timeout, memory) -> job */
static int process_start(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    peri_job_spec spec = {.log = peri_arg_target(L, 3),
                          .timeout = luaL_optnumber(L, 4, 0),
                          .memory = (size_t)luaL_optinteger(L, 5, 0)};
    spec.argv = push_strings(L, 1);
    spec.envp = push_strings(L, 2);
    holder *h = peri_push_handle(L, &job_kind, sizeof *h, 0);
    const char *what;
    const int status = peri_job_start(&spec, &h->job, &what);
    if (status == 0)
        return 1;
    lua_pushfstring(L, "%s: %s", strcmp(what, "log") == 0 ? spec.log : spec.argv[0],
                    strerror(status));
    return lua_error(L);
}

/* wait(jobs, seconds) -> how many ended, or nil and the signal that came */
static int process_wait(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Number seconds = luaL_checknumber(L, 2);
    const lua_Integer n = luaL_len(L, 1);
    peri_job **jobs = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(peri_job *), 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        jobs[i] = check_job(L, -1);
        lua_pop(L, 1);
    }
    const int ended = peri_jobs_wait(jobs, (size_t)n, seconds);
    if (ended >= 0) {
        lua_pushinteger(L, ended);
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, peri_jobs_signal());
    return 2;
}

static int process_watch(lua_State *L)
{
    peri_jobs_watch(lua_toboolean(L, 1));
    return 0;
}

static int process_sweep(lua_State *L)
{
    (void)L;
    peri_jobs_sweep();
    return 0;
}

/* environment() -> list of "NAME=value" */
static int process_environment(lua_State *L)
{
    lua_newtable(L);
    for (lua_Integer i = 0; environ != NULL && environ[i] != NULL; i++) {
        lua_pushstring(L, environ[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* program() -> the path of the program that runs */
static int process_program(lua_State *L)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n < 0 || (size_t)n == sizeof path)
        return luaL_error(L, "/proc/self/exe: %s", strerror(n < 0 ? errno : ENAMETOOLONG));
    lua_pushlstring(L, path, (size_t)n);
    return 1;
}

/* job:state() -> word, exit status or signal */
static int job_state(lua_State *L)
{
    static const char *const words[] = {
        [PERI_JOB_RUNNING] = "running",     [PERI_JOB_EXITED] = "exited",
        [PERI_JOB_SIGNALLED] = "killed",    [PERI_JOB_TIMED_OUT] = "timed_out",
        [PERI_JOB_TOO_LARGE] = "too_large", [PERI_JOB_INTERRUPTED] = "interrupted",
    };
    const peri_job *job = check_job(L, 1);
    lua_pushstring(L, words[peri_job_status(job)]);
    lua_pushinteger(L, peri_job_exit(job));
    return 2;
}

static int job_stop(lua_State *L)
{
    peri_job_end(check_job(L, 1), luaL_optnumber(L, 2, 0));
    return 0;
}

static int job_seconds(lua_State *L)
{
    lua_pushnumber(L, peri_job_seconds(check_job(L, 1)));
    return 1;
}

static int job_resident(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)peri_job_resident(check_job(L, 1)));
    return 1;
}

static int job_peak(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)peri_job_peak(check_job(L, 1)));
    return 1;
}

static int job_line(lua_State *L)
{
    lua_pushstring(L, peri_job_line(check_job(L, 1)));
    return 1;
}

/* job:log() -> whether it leaves something out, whether it could not be written */
static int job_log(lua_State *L)
{
    const peri_job *job = check_job(L, 1);
    lua_pushboolean(L, peri_job_clipped(job));
    lua_pushboolean(L, peri_job_log_failed(job));
    return 2;
}

static int job_free(lua_State *L)
{
    holder *h = peri_test_handle(L, 1, &job_kind);
    if (h == NULL)
        return 0;
    peri_job *held = h->job;
    h->job = NULL;
    peri_job_free(held);
    return 0;
}

PERI_OPENER(process)
{
    peri_outside_sandbox(L, "processes");
    static const luaL_Reg methods[] = {
        {"state", job_state},       {"stop", job_stop}, {"seconds", job_seconds},
        {"resident", job_resident}, {"peak", job_peak}, {"line", job_line},
        {"log", job_log},           {"free", job_free}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"start", process_start},
        {"wait", process_wait},
        {"watch", process_watch},
        {"sweep", process_sweep},
        {"program", process_program},
        {"environment", process_environment},
        {NULL, NULL},
    };
    peri_handle_methods(L, &job_kind, methods);
    luaL_newlib(L, functions);
    return 1;
}

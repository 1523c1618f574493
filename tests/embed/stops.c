/* SPDX-License-Identifier: MIT
 *
 * Stops hold and reach everything: `stops [N]` stops states in threads N times at random moments.
 * None may be lost, none may strike what is run after peri_resume. How late each was is counted in
 * CPU time of its thread, so that a busy machine is no fault. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <perigee.h>

#include <lauxlib.h>
#include <lualib.h>

enum { THREADS = 8 };

/* Endless, each in a way of its own. */
static const char *const endless[] = {
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error) end",
    "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
    "while true do local co = coroutine.create(function() while true do end end) "
    "coroutine.resume(co) end",
    "local function deep() while true do pcall(coroutine.wrap(function() while true do end end)) "
    "end end\n"
    "while true do coroutine.resume(coroutine.create(deep)) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "setmetatable({}, {__gc = function() while true do end end}) while true do collectgarbage() "
    "end",
    "while true do pcall(coroutine.wrap(function()\n"
    "  local x <close> = setmetatable({}, {__close = function() while true do end end}) while true "
    "do end end)) end",
    "local mt = setmetatable({}, {__index = function() while true do end end}) while true do "
    "pcall(function() return mt.x end) end",
    "while true do pcall(error, setmetatable({}, {__tostring = function() while true do end end})) "
    "end",
    "for i = 1, math.huge do setmetatable({}, {__gc = function() for k = 1, 1e5 do end end}) end",
    "while true do pcall(function() local x <close> = setmetatable({}, {__close = function() while "
    "true do end end}) end) end",
    "while true do pcall(table.sort, {3, 2, 1, 5, 4}, function(a, b) while true do end end) end",
    "while true do pcall(string.gsub, ('x'):rep(1000), 'x', function() for i = 1, 1000 do end end) "
    "end",
    "local pg = require 'perigee' local A = pg.ones(300, 300) while true do pcall(pg.dot, A, A) "
    "end",
    "local pg = require 'perigee' local A = pg.random.new(1):random(60, 60)\n"
    "while true do pcall(pg.linalg.svd, A) pcall(pg.linalg.solve, A, A) end",
    "local pg = require 'perigee' local r = pg.random.new(1) while true do pcall(r.random, r, "
    "100000) end",
    "local pg = require 'perigee' local x = pg.ones(1000)\n"
    "while true do pcall(function() x = (x + 1):sort() end) end",
    "local pg = require 'perigee' local net = pg.lstm.new{input_size = 2, hidden_size = 4, "
    "output_size = 1,\n"
    "  rng = pg.random.new(0)}\n"
    "local x = pg.zeros(4, 5, 2) local y = pg.zeros(4, 5, 1)\n"
    "while true do pcall(net.fit, net, x, y, {epochs = 100000, batch = 2, rng = pg.random.new(0)}) "
    "end",
    "local pg = require 'perigee' while true do pcall(pg.save, '/dev/null', pg.ones(10)) "
    "pcall(pg.load, '/dev/zero') end",
};
enum { KINDS = sizeof endless / sizeof *endless };

/* That a finaliser was stopped is a warning of Lua's. */
static void no_words(void *ud, const char *message, int more)
{
    (void)ud, (void)message, (void)more;
}
static const peri_config quiet = {.memory_limit = 200 << 20, .warn = no_words};

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *text, const char *got)
{
    fprintf(stderr, "%s\nin: %s\ngot: %s\n", what, text, got);
    exit(1);
}

static void expect_stop(lua_State *L, const char *text, int status)
{
    if (status == LUA_OK)
        fail("it ended without an error", text, "ok");
    const char *message = lua_tostring(L, -1);
    if (message == NULL || strstr(message, "interrupted!") == NULL)
        fail("another error", text, message != NULL ? message : "nothing");
    lua_settop(L, 0);
}

static void expect_fine(lua_State *L, const char *text)
{
    if (luaL_dostring(L, text) != LUA_OK)
        fail("an error where there should be none", text, lua_tostring(L, -1));
    lua_settop(L, 0);
}

struct job {
    lua_State *L;
    atomic_int run; /* counts chunks that began */
    int rounds;
    atomic_bool over;
    double stopped, worst;
    unsigned seed;
    pthread_t thread;
    clockid_t clock;
    atomic_bool ready;
};

static void *work(void *argument)
{
    struct job *job = argument;
    pthread_getcpuclockid(pthread_self(), &job->clock);
    for (int k = 0; k < job->rounds; k++) {
        const char *text = endless[(unsigned)(k + (int)job->seed) % KINDS];
        atomic_store(&job->ready, false);
        atomic_fetch_add(&job->run, 1);
        const int status = luaL_dostring(job->L, text);
        while (!atomic_load(&job->ready)) /* until the stopper has said when */
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        expect_stop(job->L, text, status);
        const double taken = clock_of(job->clock) - job->stopped;
        if (taken > job->worst)
            job->worst = taken;
        if (taken > 0.2) {
            char words[64];
            snprintf(words, sizeof words, "%.3f s of CPU time later", taken);
            fail("it was late", text, words);
        }
        /* It holds for what is run now. */
        expect_stop(job->L, "return 1", luaL_dostring(job->L, "for i = 1, 10 do end"));
        peri_resume(job->L);
        expect_fine(job->L, "for i = 1, 20000 do end");
        expect_fine(job->L, "local pg = require 'perigee' assert(pg.ones(10)[10] == 1)");
        expect_fine(job->L, "coroutine.wrap(function() for i = 1, 20000 do end end)()");
    }
    atomic_store(&job->over, true);
    return NULL;
}

static void pause_for(double seconds)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)(seconds * 1e9)}, NULL);
}

/* One thread stops all the others; each at a moment of its own. */
static void stop_at_random(int rounds)
{
    static struct job jobs[THREADS];
    int begun[THREADS] = {0};
    for (int k = 0; k < THREADS; k++) {
        jobs[k].L = peri_newstate(&quiet);
        jobs[k].rounds = rounds / THREADS;
        jobs[k].seed = (unsigned)(5 * k);
        if (pthread_create(&jobs[k].thread, NULL, work, &jobs[k]) != 0)
            exit(2);
    }
    unsigned random = 12345;
    for (int left = THREADS; left > 0;) {
        left = 0;
        for (int k = 0; k < THREADS; k++) {
            left += !atomic_load(&jobs[k].over);
            if (atomic_load(&jobs[k].run) == begun[k])
                continue;
            begun[k]++;
            random = random * 1664525 + 1013904223;
            pause_for(1e-3 * (double)(random >> 16) / 65536 * (double)(random % 3));
            jobs[k].stopped = clock_of(jobs[k].clock);
            peri_interrupt(jobs[k].L);
            atomic_store(&jobs[k].ready, true);
        }
        pause_for(1e-4);
    }
    double worst = 0;
    for (int k = 0; k < THREADS; k++) {
        pthread_join(jobs[k].thread, NULL);
        lua_close(jobs[k].L);
        worst = jobs[k].worst > worst ? jobs[k].worst : worst;
    }
    printf("%d stops, the latest %.1f ms of CPU time after it was asked for\n",
           rounds / THREADS * THREADS, 1e3 * worst);
}

static void *soon(void *L)
{
    pause_for(0.02);
    peri_interrupt(L);
    return NULL;
}

/* A routine that does not look: the call itself raises when it returns, and no later line. */
static void stop_in_lapack(void)
{
    static const char *const calls[] = {
        "U = pg.linalg.svd(A)",
        "w = pg.linalg.eigh(A:dot(A.T))",
        "B = pg.linalg.inv(A)",
        "c = pg.linalg.cond(A)",
    };
    lua_State *L = peri_newstate(&quiet);
    expect_fine(L, "pg = require 'perigee' pg.threads(1) A = pg.random.new(0):random(250, 250)");
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        pthread_t thread;
        pthread_create(&thread, NULL, soon, L);
        char text[256];
        snprintf(text, sizeof text, "while true do %s end", calls[k]);
        expect_stop(L, calls[k], luaL_dostring(L, text));
        pthread_join(thread, NULL);
        peri_resume(L);
        expect_fine(L, "x = 1 + 1");
        expect_fine(L, "for i = 1, 1e6 do x = i end");
    }
    lua_close(L);
}

static void deadlines(void)
{
    lua_State *L = peri_newstate(&quiet);
    for (size_t k = 0; k < KINDS; k++) {
        if (peri_deadline(L, 0.02) != 0)
            exit(1);
        const double before = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        const int status = luaL_dostring(L, endless[k]);
        if (status == LUA_OK || strstr(lua_tostring(L, -1), "deadline") == NULL)
            fail("no word of the deadline", endless[k],
                 status != LUA_OK ? lua_tostring(L, -1) : "ok");
        if (clock_of(CLOCK_PROCESS_CPUTIME_ID) - before > 2)
            fail("late", endless[k], "2 s of CPU time");
        lua_settop(L, 0);
        expect_stop(L, "after it", luaL_dostring(L, "for i = 1, 10 do end"));
        peri_resume(L);
        expect_fine(L, "for i = 1, 1e5 do end");
    }
    if (peri_deadline(L, 1e-9) != 0 || peri_deadline(L, INFINITY) != 0)
        exit(1);
    expect_fine(L, "for i = 1, 1e5 do end");
    peri_deadline(L, -3); /* what a host that counts down arrives at */
    expect_stop(L, "a past deadline", luaL_dostring(L, "while true do end"));
    peri_resume(L);
    if (peri_deadline(L, NAN) != -1)
        exit(1);
    lua_close(L);
    /* Any state, and one that is closed while it is stopped, whose finalisers would not end. */
    L = luaL_newstate();
    luaL_requiref(L, "_G", luaopen_base, 1);
    if (luaopen_perigee(L) != 1 || peri_deadline(L, 0.01) != 0)
        exit(1);
    lua_settop(L, 0);
    expect_stop(L, "a plain state",
                luaL_dostring(L, "setmetatable({}, {__gc = function() while true do end end})\n"
                                 "while true do end"));
    lua_close(L);
}

/* For the whole process: threads of BLAS that wait for a processor burn its time meanwhile. */
static void one_thread(void)
{
    lua_State *L = peri_newstate(&quiet);
    expect_fine(L, "require 'perigee'.threads(1)");
    lua_close(L);
}

int main(int argc, char **argv)
{
    one_thread();
    deadlines();
    stop_in_lapack();
    stop_at_random(argc > 1 ? atoi(argv[1]) : 1000);
    return 0;
}

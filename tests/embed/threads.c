/* SPDX-License-Identifier: MIT
 *
 * A host with two states in two threads, each under a memory limit and an interrupt. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <perigee.h>

#include <lauxlib.h>

enum { THREADS = 2, MEGABYTE = 1 << 20 };

struct job {
    lua_State *L;
    char error[256];
    atomic_bool looping;
};

static int run(struct job *job, const char *text)
{
    const int status = luaL_dostring(job->L, text);
    if (status != LUA_OK) {
        const char *message = lua_tostring(job->L, -1);
        snprintf(job->error, sizeof job->error, "%s", message != NULL ? message : "?");
        lua_pop(job->L, 1);
    }
    return status;
}

static void *work(void *argument)
{
    struct job *job = argument;
    /* Over the limit is an ordinary error, twice, and the state works on. */
    for (int k = 0; k < 2; k++) {
        if (run(job, "local pg = require 'perigee' keep = {} "
                     "for i = 1, 1000 do keep[i] = pg.zeros(1000, 100) end") == LUA_OK)
            return "the memory limit was not kept";
        if (strstr(job->error, "memory") == NULL)
            return job->error;
        if (run(job, "keep = nil collectgarbage() local pg = require 'perigee' "
                     "assert(pg.ones(1000)[1000] == 1)") != LUA_OK)
            return job->error;
    }
    /* Loops in the script and in a coroutine end when the main thread says so. */
    atomic_store(&job->looping, true);
    if (run(job, "coroutine.wrap(function() while true do end end)()") == LUA_OK)
        return "the loop was not interrupted";
    if (strstr(job->error, "interrupted!") == NULL)
        return job->error;
    peri_resume(job->L);
    if (run(job, "assert(require 'perigee'.ones(10)[10] == 1)") != LUA_OK)
        return job->error;
    return NULL;
}

int main(void)
{
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++) {
        const peri_config config = {.memory_limit = 40 * MEGABYTE};
        atomic_init(&jobs[k].looping, false);
        jobs[k].L = peri_newstate(&config);
        if (jobs[k].L == NULL || pthread_create(&threads[k], NULL, work, &jobs[k]) != 0)
            return 1;
    }
    int failed = 0;
    for (int k = 0; k < THREADS; k++) {
        void *why;
        while (!atomic_load(&jobs[k].looping))
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        peri_interrupt(jobs[k].L);
        pthread_join(threads[k], &why);
        if (why != NULL) {
            fprintf(stderr, "thread %d: %s\n", k, (const char *)why);
            failed = 1;
        }
        lua_close(jobs[k].L);
    }
    return failed;
}

/* SPDX-License-Identifier: MIT
 *
 * States in threads of their own that draw and save figures, sort, draw random numbers and run the
 * pool at the same time; each must find what it finds alone. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <perigee.h>

#include <lauxlib.h>

enum { THREADS = 3, ROUNDS = 3 };

static const char script[] =
    "local pg = require 'perigee'\n"
    "local rng = pg.random.new(7)\n"
    "local name = os.tmpname()\n"
    "local sums = {}\n"
    "for _, kind in ipairs{'.svg', '.png'} do\n"
    "  local f = pg.plot.figure{title = 'two at once'}\n"
    "  f:line(pg.range(1, 20), rng:standard_normal(20), {label = 'a'})\n"
    "  f:scatter(rng:random(30), rng:random(30), {label = 'b'})\n"
    "  f:heatmap(rng:random(8, 8))\n"
    "  f:save(name .. kind)\n"
    "  local file = io.open(name .. kind, 'rb')\n"
    "  local bytes = file:read('a')\n"
    "  file:close() os.remove(name .. kind)\n"
    "  local sum = 0\n"
    "  for i = 1, #bytes do sum = (sum * 31 + bytes:byte(i)) % 2147483647 end\n"
    "  sums[#sums + 1] = #bytes .. ':' .. sum\n"
    "end\n"
    "os.remove(name)\n"
    "local x = rng:standard_normal(300000)\n"
    "sums[#sums + 1] = ('%.17g %.17g'):format(pg.exp(x):sum(), x:sort()[7])\n"
    "return table.concat(sums, ' ')\n";

static void draw(lua_State *L, char *out, size_t room)
{
    const int status = luaL_dostring(L, script);
    const char *text = lua_tostring(L, -1);
    snprintf(out, room, "%s%s", status == LUA_OK ? "" : "error: ", text != NULL ? text : "?");
    lua_settop(L, 0);
}

struct job {
    lua_State *L;
    const char *wanted;
    char got[512];
};

static void *work(void *argument)
{
    struct job *job = argument;
    for (int k = 0; k < ROUNDS; k++) {
        draw(job->L, job->got, sizeof job->got);
        if (strcmp(job->got, job->wanted) != 0)
            return job->got;
    }
    return NULL;
}

int main(void)
{
    static char wanted[512];
    lua_State *L = peri_newstate(NULL);
    draw(L, wanted, sizeof wanted);
    lua_close(L);
    printf("%s\n", wanted);
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++) {
        jobs[k].L = peri_newstate(NULL);
        jobs[k].wanted = wanted;
        if (pthread_create(&threads[k], NULL, work, &jobs[k]) != 0)
            return 1;
    }
    int failed = strncmp(wanted, "error", 5) == 0;
    for (int k = 0; k < THREADS; k++) {
        void *why;
        pthread_join(threads[k], &why);
        if (why != NULL) {
            fprintf(stderr, "thread %d: %s\nalone:    %s\n", k, (const char *)why, wanted);
            failed = 1;
        }
        lua_close(jobs[k].L);
    }
    return failed;
}

/* SPDX-License-Identifier: MIT
 *
 * A host that gives states a sandbox: `closed FOLDER`, with FOLDER/in/part.lua, FOLDER/in/data.txt
 * and FOLDER/secret.txt there and FOLDER/out not yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perigee.h>

#include <lauxlib.h>

static int failures;

/* Runs text with F as the folder; expects a good end, or an error that holds `why`. */
static void expect(lua_State *L, const char *folder, const char *text, const char *why)
{
    lua_pushstring(L, folder);
    lua_setglobal(L, "F");
    const int status = luaL_dostring(L, text);
    const char *message = status != LUA_OK ? lua_tostring(L, -1) : NULL;
    if ((why == NULL) != (status == LUA_OK) ||
        (why != NULL && (message == NULL || strstr(message, why) == NULL))) {
        fprintf(stderr, "%s\n  got: %s\n  wanted: %s\n", text,
                message != NULL ? message : "no error", why != NULL ? why : "no error");
        failures++;
    }
    lua_settop(L, 0);
}

int main(int argc, char **argv)
{
    char in[4096], out[4096];
    if (argc < 2)
        return 2;
    const char *F = argv[1];
    snprintf(in, sizeof in, "%s/in", F);
    snprintf(out, sizeof out, "%s/out", F);
    lua_State *L = peri_newstate(&(peri_config){.sandbox = true, .read_from = in, .write_to = out});
    if (L == NULL)
        return 1;
    memset(in, 'x', 3); /* they were copied */
    memset(out, 'x', 3);
    expect(L, F, "assert(io.open(F .. '/in/data.txt'):read('a') == 'data\\n')", NULL);
    expect(L, F, "assert(require 'part' == 42)", NULL);
    expect(L, F, "pg = require 'perigee' pg._system.mkdirs(F .. '/out')", NULL);
    expect(L, F,
           "pg.save(F .. '/out/a.npy', pg.ones(3)) assert(pg.load(F .. '/out/a.npy').size == 3)",
           NULL);
    expect(L, F, "io.open(F .. '/out/b.txt', 'w'):close() os.remove(F .. '/out/b.txt')", NULL);
    expect(L, F, "io.open(F .. '/in/data.txt', 'w')", "writes only to its output folder");
    expect(L, F, "pg.save(F .. '/in/a.npy', pg.ones(3))", "writes only to its output folder");
    expect(L, F, "io.open(F .. '/secret.txt')", "outside the sandbox");
    expect(L, F, "io.open(F .. '/in/../secret.txt')", "outside the sandbox");
    expect(L, F, "for l in io.lines(F .. '/secret.txt') do end", "outside the sandbox");
    expect(L, F, "pg.load('/etc/passwd')", "outside the sandbox");
    expect(L, F, "os.execute('true')", "nil value");
    expect(L, F, "debug.getinfo(1)", "nil value");
    expect(L, F, "load('\\27Lua')()", "nil value");
    expect(L, F, "require 'elsewhere'", "no module 'elsewhere' beside the script");
    expect(L, F, "return pg._process", "not for a sandboxed script");
    lua_close(L);

    L = peri_newstate(&(peri_config){.sandbox = true});
    expect(L, F, "io.open(F .. '/in/data.txt')", "outside the sandbox");
    expect(L, F, "io.open(F .. '/out/c.txt', 'w')", "outside the sandbox");
    expect(L, F, "require 'part'", "no module 'part' beside the script");
    expect(L, F, "assert(require 'perigee'.ones(3):sum() == 3)", NULL);
    lua_close(L);

    /* Open states are as they were. */
    L = peri_newstate(&(peri_config){0});
    expect(L, F, "assert(io.open(F .. '/secret.txt')) assert(os.execute and debug)", NULL);
    lua_close(L);
    return failures != 0;
}

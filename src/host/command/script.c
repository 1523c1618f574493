/* SPDX-License-Identifier: MIT */
#include "host/command/script.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>

#include "bind/sandbox.h"
#include "host/call.h"
#include "host/mpi.h"

int peri_report(lua_State *L, int status)
{
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        const peri_mpi *mpi = peri_mpi_started();
        if (message == NULL)
            message = "(error without a message)";
        if (mpi != NULL && mpi->size > 1)
            fprintf(stderr, "perigee: rank %d: %s\n", mpi->rank, message);
        else
            fprintf(stderr, "perigee: %s\n", message);
        fflush(stderr);
        lua_pop(L, 1);
    }
    return status;
}

int peri_load_file(lua_State *L, const char *path)
{
    const int status = luaL_loadfilex(L, path, peri_chunk_mode(L));
    if (status != LUA_ERRSYNTAX || path == NULL)
        return status;
    struct stat st; /* a pipe was read already */
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rbe") : NULL;
    enum { MOST = 1 << 20 };
    luaL_Buffer b;
    char *const text = luaL_buffinitsize(L, &b, MOST);
    const size_t n = f != NULL ? fread(text, 1, MOST - 1, f) : 0;
    if (f != NULL)
        fclose(f);
    luaL_pushresultsize(&b, n);
    lua_insert(L, -2);
    peri_explain_refused(L, lua_tostring(L, -2));
    lua_remove(L, -2);
    return status;
}

int peri_do_string(lua_State *L, const char *text, const char *name)
{
    int status = luaL_loadbufferx(L, text, strlen(text), name, peri_chunk_mode(L));
    if (status == LUA_ERRSYNTAX)
        peri_explain_refused(L, text);
    if (status == LUA_OK)
        status = peri_call(L, 0, 0, false);
    return peri_report(L, status);
}

int peri_do_file(lua_State *L, const char *path)
{
    int status = peri_load_file(L, path);
    if (status == LUA_OK)
        status = peri_call(L, 0, 0, false);
    return peri_report(L, status);
}

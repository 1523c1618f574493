/* SPDX-License-Identifier: MIT */
#include "bind/sandbox.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bind/errors.h"
#include "bind/state.h"

/* ---- which files ------------------------------------------------------------------------- */

/* The path with links resolved as far as it exists, into out. What does not exist yet may not hold
 * "..", so that it stays below what does, nor begin with a link that leads to what is not there. */
static bool resolve(const char *path, char out[PATH_MAX])
{
    char head[PATH_MAX];
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof head)
        return false;
    memcpy(head, path, length + 1);
    size_t cut = length;
    while (realpath(head, out) == NULL) {
        struct stat st;
        while (cut > 1 && head[cut - 1] == '/')
            head[--cut] = '\0';
        if (lstat(head, &st) == 0)
            return false; /* it is there and leads nowhere, in a circle, or where one may not look
                           */
        while (cut > 0 && head[cut - 1] != '/')
            cut--;
        head[cut] = '\0';
        if (cut == 0) {
            if (realpath(".", out) == NULL)
                return false;
            break;
        }
    }
    const char *tail = path + (cut < length ? cut : length);
    if (*tail == '\0')
        return true;
    for (const char *part = tail; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        const size_t n = strcspn(part, "/");
        if (n <= 2 && strncmp(part, "..", n) == 0)
            return false; /* "", ".", ".." */
        if (part[n] == '\0')
            break;
    }
    const size_t base = strlen(out);
    if (base + 1 + strlen(tail) >= PATH_MAX)
        return false;
    out[base] = '/';
    memcpy(out + base + 1, tail, strlen(tail) + 1);
    return true;
}

/* Whether path is the folder or lies in it. */
static bool is_below(const char *path, const char *folder)
{
    char whole[PATH_MAX];
    if (folder == NULL || !resolve(folder, whole))
        return false;
    const size_t n = strlen(whole);
    return strncmp(path, whole, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void check_path(lua_State *L, const char *path, bool write)
{
    const peri_state *state = peri_getstate(L);
    char whole[PATH_MAX];
    if (!state->sandboxed)
        return;
    if (!resolve(path, whole) ||
        !(is_below(whole, state->write_folder) || (!write && is_below(whole, state->read_folder))))
        peri_raise(L, "%s: outside the sandbox: %s", path,
                   write ? "a script writes only to its output folder"
                         : "a script reads only in its own folder and its output folder");
}

void peri_may_read(lua_State *L, const char *path)
{
    check_path(L, path, false);
}

void peri_may_write(lua_State *L, const char *path)
{
    check_path(L, path, true);
}

void peri_outside_sandbox(lua_State *L, const char *what)
{
    if (peri_getstate(L)->sandboxed)
        peri_raise(L, "%s are not for a sandboxed script", what);
}

const char *peri_chunk_mode(lua_State *L)
{
    return peri_getstate(L)->sandboxed ? "t" : NULL;
}

/* ---- what replaces the standard functions ------------------------------------------------- */

/* Calls upvalue 1, the function that is replaced, with all arguments. */
static int pass_on(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Makes the mode, argument `at`, "t"; one that excludes text is an error as Lua says it. */
static bool force_text(lua_State *L, int at)
{
    const char *mode = luaL_optstring(L, at, "t");
    if (strchr(mode, 't') == NULL)
        return false;
    if (lua_gettop(L) < at)
        lua_settop(L, at);
    lua_pushliteral(L, "t");
    lua_replace(L, at);
    return true;
}

static int refuse_text(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "attempt to load a binary chunk (a sandboxed script loads text only)");
    return 2;
}

static int sandbox_load(lua_State *L)
{
    return force_text(L, 3) ? pass_on(L) : refuse_text(L);
}

static int sandbox_loadfile(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        peri_may_read(L, luaL_checkstring(L, 1));
    return force_text(L, 2) ? pass_on(L) : refuse_text(L);
}

static int finish_dofile(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    return lua_gettop(L) - 1;
}

static int sandbox_dofile(lua_State *L)
{
    const char *path = luaL_optstring(L, 1, NULL);
    if (path != NULL)
        peri_may_read(L, path);
    lua_settop(L, 1);
    if (luaL_loadfilex(L, path, "t") != LUA_OK)
        return lua_error(L);
    lua_callk(L, 0, LUA_MULTRET, 0, finish_dofile);
    return finish_dofile(L, 0, 0);
}

static int sandbox_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *mode = luaL_optstring(L, 2, "r");
    if (mode[0] == 'r' && strchr(mode, '+') == NULL)
        peri_may_read(L, path);
    else
        peri_may_write(L, path);
    return pass_on(L);
}

static int sandbox_read(lua_State *L) /* io.lines, io.input */
{
    if (lua_isstring(L, 1)) /* a number is a name, too */
        peri_may_read(L, lua_tostring(L, 1));
    return pass_on(L);
}

static int sandbox_write(lua_State *L) /* io.output, os.remove, os.rename */
{
    for (int arg = 1; arg <= 2; arg++)
        if (lua_isstring(L, arg)) /* a number is a name, too */
            peri_may_write(L, lua_tostring(L, arg));
    return pass_on(L);
}

/* Environment variables may hold what is not the script's business. */
static int sandbox_getenv(lua_State *L)
{
    static const char *const allowed[] = {"TERM", "COLUMNS", "NO_COLOR", "COLORTERM", "TMUX"};
    const char *name = luaL_checkstring(L, 1);
    bool fine = strncmp(name, "PERIGEE_", 8) == 0;
    for (size_t k = 0; k < sizeof allowed / sizeof *allowed; k++)
        fine |= strcmp(name, allowed[k]) == 0;
    if (!fine)
        return 0;
    return pass_on(L);
}

/* A module of the script's own: text, beside the script. */
static int search_text(lua_State *L)
{
    static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
    const char *name = luaL_gsub(L, luaL_checkstring(L, 1), ".", "/");
    const char *folder = peri_getstate(L)->read_folder;
    for (size_t k = 0; folder != NULL && k < sizeof forms / sizeof *forms; k++) {
        const char *path = lua_pushfstring(L, forms[k], folder, name);
        char whole[PATH_MAX];
        if (realpath(path, whole) == NULL || !is_below(whole, folder))
            continue;
        if (luaL_loadfilex(L, path, "t") != LUA_OK)
            return luaL_error(L, "error loading module '%s': %s", name, lua_tostring(L, -1));
        lua_pushstring(L, path);
        return 2;
    }
    lua_pushfstring(L, "no module '%s' beside the script", name);
    return 1;
}

/* ---- closing ----------------------------------------------------------------------------- */

static void replace(lua_State *L, const char *library, const char *name, lua_CFunction by)
{
    if (library != NULL)
        lua_getglobal(L, library);
    else
        lua_pushglobaltable(L);
    if (by != NULL) {
        lua_getfield(L, -1, name);
        lua_pushcclosure(L, by, 1);
    } else {
        lua_pushnil(L);
    }
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void peri_sandbox(lua_State *L, const char *read_folder, const char *write_folder)
{
    static const struct {
        const char *library, *name;
        lua_CFunction by;
    } rows[] = {
        {NULL, "load", sandbox_load},
        {NULL, "loadfile", sandbox_loadfile},
        {NULL, "dofile", sandbox_dofile},
        {"io", "open", sandbox_open},
        {"io", "lines", sandbox_read},
        {"io", "input", sandbox_read},
        {"io", "output", sandbox_write},
        {"io", "popen", NULL},
        {"io", "tmpfile", NULL},
        {"os", "execute", NULL},
        {"os", "getenv", sandbox_getenv},
        {"os", "remove", sandbox_write},
        {"os", "rename", sandbox_write},
        {"os", "setlocale", NULL},
        {"os", "tmpname", NULL},
        {"string", "dump", NULL},
        {"package", "loadlib", NULL},
        {"package", "searchpath", NULL},
        {NULL, "debug", NULL},
    };
    peri_state_open(L);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        replace(L, rows[k].library, rows[k].name, rows[k].by);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    lua_setfield(L, -2, "debug");
    lua_getfield(L, -1, "package");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "path");
    /* Kept are the searcher of package.preload, and ours. The old list may be held elsewhere by
     * nothing, as no script has run. */
    lua_getfield(L, -1, "searchers");
    lua_rawgeti(L, -1, 1);
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pushcfunction(L, search_text);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -3, "searchers");
    lua_pop(L, 3);

    /* The folders are strings of the registry, so they live as long as the state. */
    peri_state *state = peri_getstate(L);
    lua_pushstring(L, read_folder);
    state->read_folder = lua_tostring(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state->read_folder);
    lua_pushstring(L, write_folder);
    state->write_folder = lua_tostring(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state->write_folder);
    state->sandboxed = true;
}

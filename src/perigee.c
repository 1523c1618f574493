/* SPDX-License-Identifier: MIT
 *
 * The module table, one row a module, and what makes `pg` of it.
 *
 * Array functions are registered at the start. A module is opened when its field of pg is first
 * read: its C opener gives the primitives, and where lua/perigee/NAME.lua exists that chunk is
 * called with (pg, primitives) and returns the module. So start-up compiles no Lua.
 */
#include "perigee.h"

#include <string.h>

#include "bind/bind.h"
#include "bind/internal.h"
#include "embedded.h"

const char peri_array_meta, peri_methods_key, peri_pg_key;

/* Openers of array functions, run at the start. */
int peri_open_create(lua_State *L);
int peri_open_elementwise(lua_State *L);
int peri_open_reduce(lua_State *L);
int peri_open_index(lua_State *L);
int peri_open_print(lua_State *L);
int peri_open_info(lua_State *L);
int peri_open_io(lua_State *L);
int peri_open_rows(lua_State *L);
int peri_open_clock(lua_State *L);
int peri_open_covariance(lua_State *L);
int peri_open_histogram(lua_State *L);
int peri_open_quantile(lua_State *L);
int peri_open_rearrange(lua_State *L);
int peri_open_sort(lua_State *L);
int peri_open_matmul(lua_State *L);

static const lua_CFunction eager[] = {
    peri_open_create,     peri_open_elementwise, peri_open_index,    peri_open_print,
    peri_open_info,       peri_open_io,          peri_open_rows,     peri_open_clock,
    peri_open_covariance, peri_open_histogram,   peri_open_quantile, peri_open_rearrange,
    peri_open_sort,       peri_open_reduce,      peri_open_matmul,
};

/* Openers of modules. */
int peri_open_lstm(lua_State *L);
int peri_open_optim(lua_State *L);
int peri_open_process(lua_State *L);
int peri_open_repl(lua_State *L);
int peri_open_system(lua_State *L);
int peri_open_canvas(lua_State *L);
int peri_open_image(lua_State *L);
int peri_open_stats(lua_State *L);
int peri_open_cpt(lua_State *L);
int peri_open_graph(lua_State *L);
int peri_open_random(lua_State *L);
int peri_open_ppca(lua_State *L);
int peri_open_linalg(lua_State *L);
int peri_open_linear(lua_State *L);

/* name: the field of pg; a leading underscore marks what is ours alone. open: pushes the table of
 * primitives, or NULL. script: whether lua/perigee/NAME.lua exists (its name without underscore).
 * method: whether it is a function that arrays have as a method. */
static const struct module {
    const char *name;
    lua_CFunction open;
    bool script, method;
} modules[] = {
    {"_args", NULL, true, false},
    {"_chart", NULL, true, false},
    {"_complete", NULL, true, false},
    {"_display", NULL, true, false},
    {"_docs", NULL, true, false},
    {"_help", NULL, true, false},
    {"_helptext", NULL, true, false},
    {"_hints", NULL, true, false},
    {"_html", NULL, true, false},
    {"_json", NULL, true, false},
    {"_junit", NULL, true, false},
    {"_lexer", NULL, true, false},
    {"_manifest", NULL, true, false},
    {"_options", NULL, true, false},
    {"_page", NULL, true, false},
    {"_pretty", NULL, true, false},
    {"_process", peri_open_process, false, false},
    {"_repl", peri_open_repl, true, false},
    {"_report", NULL, true, false},
    {"_runner", NULL, true, false},
    {"_sweep", NULL, true, false},
    {"_system", peri_open_system, false, false},
    {"experiment", NULL, true, false},
    {"gradcheck", NULL, true, false},
    {"lstm", peri_open_lstm, true, false},
    {"optim", peri_open_optim, true, false},
    {"option", NULL, true, false},
    {"strict", NULL, true, false},
    {"_canvas", peri_open_canvas, false, false},
    {"_plot_axes", NULL, true, false},
    {"_plot_color", NULL, true, false},
    {"_plot_legend", NULL, true, false},
    {"_plot_marks", NULL, true, false},
    {"_plot_pen", NULL, true, false},
    {"_plot_space", NULL, true, false},
    {"_plot_ticks", NULL, true, false},
    {"image", peri_open_image, true, false},
    {"plot", NULL, true, false},
    {"progress", NULL, true, false},
    {"batches", NULL, true, false},
    {"einsum", NULL, true, false},
    {"stats", peri_open_stats, false, false},
    {"cpt", peri_open_cpt, true, false},
    {"graph", peri_open_graph, true, false},
    {"random", peri_open_random, false, false},
    {"ppca", peri_open_ppca, true, false},
    {"linalg", peri_open_linalg, false, false},
    {"linear", peri_open_linear, true, false},
};

static const struct module *find_module(const char *name)
{
    for (size_t k = 0; k < sizeof modules / sizeof *modules; k++)
        if (strcmp(modules[k].name, name) == 0)
            return &modules[k];
    return NULL;
}

static const struct peri_embedded *find_script(const char *name)
{
    for (const struct peri_embedded *e = peri_embedded; e->name != NULL; e++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

/* Adds the keys of the table at 1, up to `most` names in all, and the NULL that ends them. */
static void add_keys(lua_State *L, const char *names[], int count, int most)
{
    lua_pushnil(L);
    while (count < most && lua_next(L, 1)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1);
    }
    names[count] = NULL;
}

/* __index of a module that is a table. Upvalue 1: its name. */
static int no_function(lua_State *L)
{
    const char *module = lua_tostring(L, lua_upvalueindex(1));
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    enum { MOST = 64 };
    const char *names[MOST + 1];
    add_keys(L, names, 0, MOST);
    const char *name = lua_tostring(L, 2), *near = peri_nearest(name, names);
    if (near != NULL)
        return peri_raise(L, "pg.%s has no '%s'; did you mean '%s'?", module, name, near);
    return peri_raise(L, "pg.%s has no '%s'", module, name);
}

/* Gives the module on top, where it is a table that people use, an answer to names it lacks. */
static void guard_names(lua_State *L, const struct module *m)
{
    if (m->name[0] == '_' || lua_type(L, -1) != LUA_TTABLE || luaL_getmetafield(L, -1, "__index"))
        return;
    if (!lua_getmetatable(L, -1)) {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, -1);
        lua_setmetatable(L, -3);
    }
    lua_pushstring(L, m->name);
    lua_pushcclosure(L, no_function, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Pushes the module and keeps it in pg, which is at index `pg`. */
static void open_module(lua_State *L, int pg, const struct module *m)
{
    if (m->open != NULL) {
        lua_pushcfunction(L, m->open);
        lua_call(L, 0, 1);
    } else {
        lua_pushnil(L);
    }
    if (m->script) {
        const struct peri_embedded *e = find_script(m->name + (m->name[0] == '_'));
        if (e == NULL)
            peri_raise(L, "pg.%s: its Lua source is not in the program", m->name);
        lua_pushfstring(L, "=perigee/%s.lua", e->name);
        if (luaL_loadbufferx(L, e->text, e->length, lua_tostring(L, -1), "t") != LUA_OK)
            lua_error(L);
        lua_remove(L, -2);
        lua_pushvalue(L, pg);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 1);
        lua_remove(L, -2);
    }
    guard_names(L, m);
    lua_pushvalue(L, -1);
    lua_setfield(L, pg, m->name);
}

/* __index of pg. */
static int open_field(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tostring(L, 2);
    const struct module *m = find_module(name);
    if (m != NULL) {
        open_module(L, 1, m);
        return 1;
    }
    enum { MOST = 512 };
    const char *names[MOST + 1];
    int count = 0;
    for (size_t k = 0; k < sizeof modules / sizeof *modules; k++)
        names[count++] = modules[k].name;
    add_keys(L, names, count, MOST);
    const char *near = peri_nearest(name, names);
    if (near != NULL)
        return peri_raise(L, "pg has no '%s'; did you mean '%s'?", name, near);
    return peri_raise(L, "pg has no '%s'", name);
}

/* __index of the table of methods: functions that live in a module of their own. */
static int open_method(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const struct module *m = find_module(lua_tostring(L, 2));
    if (m == NULL || !m->method)
        return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    lua_getfield(L, -1, m->name);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, m->name);
    return 1;
}

/* Names in order, for the REPL's completion and the help: pg's own and those not opened yet. */
static int module_names(lua_State *L)
{
    lua_newtable(L);
    for (size_t k = 0; k < sizeof modules / sizeof *modules; k++) {
        lua_pushstring(L, modules[k].name);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
    return 1;
}

static void make_array_metatable(lua_State *L)
{
    lua_newtable(L);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, open_method);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &peri_methods_key);
}

static int open_perigee(lua_State *L)
{
    lua_settop(L, 0);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key) == LUA_TTABLE)
        return 1;
    lua_settop(L, 0);
    peri_state_open(L);
    make_array_metatable(L);
    lua_createtable(L, 0, 256);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    for (size_t k = 0; k < sizeof eager / sizeof *eager; k++) {
        lua_pushcfunction(L, eager[k]);
        lua_call(L, 0, 0);
    }
    lua_pushcfunction(L, module_names);
    lua_setfield(L, 1, "_modules");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, open_field);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, 1);
    return 1;
}

int luaopen_perigee(lua_State *L)
{
    luaL_checkversion(L);
    lua_pushcfunction(L, open_perigee);
    lua_call(L, 0, 1);
    return 1;
}

const char *peri_version(void)
{
    return PERI_VERSION;
}

/* Sets each function in the tables at the registry's keys (the second may be NULL). */
static void set_in(lua_State *L, const void *key, const void *other, const luaL_Reg *functions)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, other != NULL ? other : key);
    for (; functions->name != NULL; functions++) {
        lua_pushstring(L, functions->name);
        lua_pushlightuserdata(L, (void *)(uintptr_t)&peri_upvalues);
        lua_pushlightuserdata(L, peri_getstate(L));
        peri_push_array_meta(L);
        lua_pushcclosure(L, functions->func, PERI_UPVALUES);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -6);
        lua_rawset(L, -3);
    }
    lua_pop(L, 2);
}

void peri_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, NULL, functions);
}

void peri_array_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, &peri_methods_key, functions);
}

void peri_array_metamethods(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_array_meta, NULL, functions);
}

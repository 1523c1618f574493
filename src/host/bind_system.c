/* SPDX-License-Identifier: MIT
 *
 * pg._system: folders, locks, hashes and the machine's names, for the experiment, the runner and
 * the REPL. Not for scripts, so it has no entries in the help.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/io_errors.h"
#include "format/writer.h"
#include "host/mpi.h"
#include "host/process.h"
#include "host/system.h"
#include "kernel/sha256.h"

static const char *const BYTES = "perigee.bytes";

/* An error of the world: the path and the reason, without the script's line. */
static int raise(lua_State *L, const char *path, int status)
{
    lua_pushfstring(L, "%s: %s", path, strerror(status));
    return lua_error(L);
}

static int refuse_kind(lua_State *L, const char *path)
{
    lua_pushfstring(L, "%s: no regular file", path);
    return lua_error(L);
}

static int system_mkdirs(lua_State *L)
{
    const char *path = peri_arg_target(L, 1);
    const int status = peri_system_mkdirs(path);
    return status != 0 ? raise(L, path, status) : 0;
}

static int system_kind(lua_State *L)
{
    size_t size;
    switch (peri_system_kind(peri_arg_path(L, 1), &size)) {
    case 'f':
        lua_pushliteral(L, "file");
        break;
    case 'd':
        lua_pushliteral(L, "folder");
        break;
    case 'o':
        lua_pushliteral(L, "other");
        break;
    default:
        lua_pushnil(L);
    }
    lua_pushinteger(L, (lua_Integer)size);
    return 2;
}

static int close_dir(lua_State *L);

static const peri_handle_kind folder_kind = {.name = "folder", .close = close_dir};

static int close_dir(lua_State *L)
{
    DIR **d = peri_test_handle(L, 1, &folder_kind);
    if (d != NULL && *d != NULL)
        closedir(*d);
    if (d != NULL)
        *d = NULL;
    return 0;
}

/* The names in a folder without those that begin with a dot, in no order. */
static int system_list(lua_State *L)
{
    const char *path = peri_arg_path(L, 1);
    DIR **d = peri_push_handle(L, &folder_kind, sizeof(DIR *), 0);
    *d = opendir(path);
    if (*d == NULL)
        return raise(L, path, errno);
    lua_newtable(L);
    lua_Integer n = 0;
    for (struct dirent *e; (e = readdir(*d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        lua_pushstring(L, e->d_name);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int system_absolute(lua_State *L)
{
    const char *path = peri_arg_path(L, 1);
    char *full = realpath(path, NULL);
    if (full == NULL)
        return raise(L, path, errno);
    lua_pushstring(L, full);
    free(full);
    return 1;
}

static bool stopped(void *state)
{
    return peri_stop_requested(&((peri_state *)state)->stop) || peri_jobs_signalled();
}

static int system_hash(lua_State *L)
{
    const char *path = peri_arg_path(L, 1);
    char hex[65];
    const int status = peri_system_hash(path, stopped, peri_getstate(L), hex);
    if (status == EINTR && peri_stop_requested(&peri_getstate(L)->stop))
        peri_raise_stop(L);
    if (status == EINVAL)
        return refuse_kind(L, path);
    if (status != 0)
        return raise(L, path, status);
    lua_pushstring(L, hex);
    return 1;
}

/* stat(path) -> size, a text that changes with the file; nil when there is no such regular file */
static int system_stat(lua_State *L)
{
    peri_system_file file;
    if (peri_system_stat(peri_arg_path(L, 1), &file) != 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)file.size);
    lua_pushfstring(L, "%I:%I:%I:%I", (LUAI_UACINT)file.device, (LUAI_UACINT)file.inode,
                    (LUAI_UACINT)file.size, (LUAI_UACINT)file.changed);
    lua_pushnumber(L, 1e-9 * (double)file.changed);
    return 3;
}

static int free_bytes(lua_State *L)
{
    char **bytes = luaL_checkudata(L, 1, BYTES);
    free(*bytes);
    *bytes = NULL;
    return 0;
}

/* read(path, most [, last]) -> text and the file's size; nil and why when it is no regular file or
 * cannot be read. At most so many bytes, from the end when `last`. */
static int system_read(lua_State *L)
{
    const char *path = peri_arg_path(L, 1);
    const lua_Integer most = luaL_checkinteger(L, 2);
    const bool last = lua_toboolean(L, 3);
    char **bytes = lua_newuserdatauv(L, sizeof *bytes, 0);
    *bytes = NULL;
    if (luaL_newmetatable(L, BYTES)) {
        lua_pushcfunction(L, free_bytes);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    size_t n, size;
    const int status = peri_system_read(path, most < 0 ? 0 : (size_t)most, last, bytes, &n, &size);
    if (status != 0) {
        lua_pushnil(L);
        lua_pushstring(L, status == EINVAL ? "no regular file" : strerror(status));
        return 2;
    }
    lua_pushlstring(L, *bytes, n);
    free(*bytes);
    *bytes = NULL;
    lua_pushinteger(L, (lua_Integer)size);
    return 2;
}

static int system_digest(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    char hex[65];
    peri_sha256 sha;
    peri_sha256_start(&sha);
    peri_sha256_add(&sha, text, n);
    peri_sha256_finish(&sha, hex);
    lua_pushstring(L, hex);
    return 1;
}

static int system_write(lua_State *L)
{
    const char *path = peri_arg_target(L, 1);
    size_t n;
    const char *bytes = luaL_checklstring(L, 2, &n);
    peri_fault fault = {0};
    const peri_io status = peri_writer_save(path, bytes, n, false, &fault);
    if (status == PERI_IO_SYSTEM)
        return raise(L, path, fault.error_number);
    peri_check_io(L, path, status, &fault);
    return 0;
}

static int system_base64(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    luaL_Buffer buffer;
    const size_t length = 4 * ((n + 2) / 3);
    peri_system_base64(bytes, n, luaL_buffinitsize(L, &buffer, length + 1));
    luaL_pushresultsize(&buffer, length);
    return 1;
}

static int release_lock(lua_State *L);

static const peri_handle_kind lock_kind = {.name = "lock", .close = release_lock};

/* The file held, plus one; 0 for none. */
static int release_lock(lua_State *L)
{
    int *held = peri_test_handle(L, 1, &lock_kind);
    if (held != NULL && *held > 0) {
        close(*held - 1);
        *held = 0;
    }
    return 0;
}

/* lock(path) -> a value that holds the lock while it lives, or nil and the holder's number. */
static int system_lock(lua_State *L) /* a third result: whether locks are unknown there */
{
    const char *path = peri_arg_target(L, 1);
    int *held = peri_push_handle(L, &lock_kind, sizeof *held, 0), fd;
    long holder;
    const int status = peri_system_lock(path, &fd, &holder);
    if (status == 0 || status == ENOTSUP) {
        *held = fd + 1;
        lua_pushnil(L);
        lua_pushboolean(L, status != 0);
        return 3;
    }
    if (status != EWOULDBLOCK)
        return raise(L, path, status);
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)holder);
    return 2;
}

static int system_cpu(lua_State *L)
{
    char name[256];
    peri_system_cpu(name, sizeof name);
    lua_pushstring(L, name);
    return 1;
}

static int system_now(lua_State *L)
{
    lua_pushnumber(L, peri_system_now());
    return 1;
}

static int system_peak(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)peri_system_peak());
    return 1;
}

static int system_pid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

/* host() -> the machine's name */
static int system_host(lua_State *L)
{
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    lua_pushstring(L, *name != '\0' ? name : "unknown");
    return 1;
}

/* announced() -> how many processes the launcher of this one started, 0 where none did */
static int system_announced(lua_State *L)
{
    lua_pushinteger(L, peri_mpi_announced());
    return 1;
}

static int system_columns(lua_State *L)
{
    lua_pushinteger(L, peri_system_columns((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int system_cores(lua_State *L)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    lua_pushinteger(L, n < 1 ? 1 : (lua_Integer)n);
    return 1;
}

PERI_OPENER(system)
{
    static const luaL_Reg functions[] = {
        {"mkdirs", system_mkdirs},
        {"kind", system_kind},
        {"list", system_list},
        {"absolute", system_absolute},
        {"hash", system_hash},
        {"digest", system_digest},
        {"lock", system_lock},
        {"cpu", system_cpu},
        {"now", system_now},
        {"peak", system_peak},
        {"pid", system_pid},
        {"columns", system_columns},
        {"cores", system_cores},
        {"write", system_write},
        {"base64", system_base64},
        {"stat", system_stat},
        {"read", system_read},
        {"host", system_host},
        {"announced", system_announced},
        {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}

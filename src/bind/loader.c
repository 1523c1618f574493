/* SPDX-License-Identifier: MIT
 *
 * The loader, and the arrays that files hold as they are. */
#include "bind/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/embed.h"
#include "bind/io_errors.h"
#include "bind/ordered.h"
#include "bind/pace.h"
#include "format/idx.h"
#include "format/npy.h"
#include "format/npz.h"

static int close_loader(lua_State *L);

static const peri_handle_kind loader_kind = {.name = "loader", .close = close_loader};

peri_memory peri_state_memory(lua_State *L)
{
    peri_memory memory;
    memory.call = lua_getallocf(L, &memory.ud);
    return memory;
}

static int close_loader(lua_State *L)
{
    peri_loader *l = peri_test_handle(L, 1, &loader_kind);
    if (l == NULL)
        return 0;
    peri_pickle_close(&l->pickle);
    peri_csv_close(&l->csv);
    peri_safetensors_close(&l->tensors);
    peri_image_close(&l->image);
    peri_zip_close(&l->zip);
    peri_give(&l->source.memory, l->text, l->text_taken);
    l->text = NULL;
    peri_source_close(&l->source);
    return 0;
}

/* The smaller of 4 GiB and half of the machine's memory, unless the state has a limit. */
uint64_t peri_default_limit(lua_State *L)
{
    uint64_t limit = (uint64_t)4 << 30;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (peri_memory_limit(L) > 0)
        limit = peri_memory_limit(L);
    if (pages > 0 && page > 0 && (uint64_t)pages * (uint64_t)page / 2 < limit)
        limit = (uint64_t)pages * (uint64_t)page / 2;
    return limit;
}

/* Readers' and writers' own memory comes from the state's allocator, which collects nothing when
 * it runs out; so what is dead goes first where a limit is near. */
void peri_make_room(lua_State *L)
{
    if (peri_memory_limit(L) > 0 && peri_bytes_held(L) > peri_memory_limit(L) / 2)
        lua_gc(L, LUA_GCCOLLECT);
}

peri_loader *peri_push_loader(lua_State *L)
{
    peri_make_room(L);
    peri_loader *l = peri_push_handle(L, &loader_kind, sizeof *l, 0);
    const peri_memory memory = peri_state_memory(L);
    peri_source_init(&l->source, &memory, &peri_getstate(L)->stop, 0);
    lua_toclose(L, -1);
    return l;
}

void peri_loader_check(lua_State *L, const peri_loader *l, peri_io status, const peri_fault *fault)
{
    peri_check_io(L, l->path, status, fault);
}

/* An array for what a file describes; its memory is in the order of the file. */
peri_array *peri_push_for(lua_State *L, peri_loader *l, const peri_layout *layout, int dtype)
{
    size_t shape[PERI_MAX_NDIM];
    const uint64_t bytes = (uint64_t)layout->size * peri_dtype_size(dtype);
    if (bytes > l->limit - l->arrays) {
        peri_fault fault;
        peri_fail_format(&fault, PERI_IO_LIMIT, PERI_NO_BYTE,
                         "its arrays need more than max_bytes,", "%" PRIu64, l->limit);
        peri_loader_check(L, l, PERI_IO_LIMIT, &fault);
    }
    l->arrays += bytes;
    for (int axis = 0; axis < layout->ndim; axis++)
        shape[axis] = layout->shape[layout->fortran ? layout->ndim - 1 - axis : axis];
    return peri_push_array(L, dtype, layout->ndim, shape);
}

/* Replaces the array on top, which lies in memory with the first index fastest, by a view that has
 * the layout's shape. */
void peri_turn(lua_State *L, const peri_layout *layout)
{
    if (!layout->fortran || layout->ndim < 2)
        return;
    const peri_array *a = lua_touserdata(L, -1);
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    for (int axis = 0; axis < a->ndim; axis++) {
        shape[axis] = a->shape[a->ndim - 1 - axis];
        stride[axis] = a->stride[a->ndim - 1 - axis];
    }
    peri_push_view(L, -1, a->data, a->ndim, shape, stride);
    lua_remove(L, -2);
}

static int dtype_for(const peri_loader *l, peri_element e)
{
    return l->dtype >= 0 ? l->dtype : peri_element_dtype(e);
}

/* Pushes the array whose elements come next. */
void peri_push_elements(lua_State *L, peri_loader *l, peri_source *s, const peri_layout *layout)
{
    peri_fault fault;
    const int dtype = dtype_for(l, layout->element);
    peri_array *a = peri_push_for(L, l, layout, dtype);
    const peri_io status =
        peri_element_read(s, layout->element, layout->size, dtype, l->exact, a->data, &fault);
    peri_check_elements(L, l->path, status, layout, &fault);
    peri_turn(L, layout);
}

static void push_npy(lua_State *L, peri_loader *l, peri_source *s)
{
    peri_fault fault;
    peri_layout layout;
    peri_loader_check(L, l, peri_npy_header(s, &layout, &fault), &fault);
    peri_push_elements(L, l, s, &layout);
}

int peri_load_npy(lua_State *L, peri_loader *l)
{
    push_npy(L, l, &l->source);
    return 1;
}

int peri_load_idx(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_layout layout;
    peri_loader_check(L, l, peri_idx_header(&l->source, &layout, &fault), &fault);
    peri_push_elements(L, l, &l->source, &layout);
    return 1;
}

/* ---- some of many --------------------------------------------------------------------------- */

int peri_push_only(lua_State *L)
{
    const int type = peri_option_push(L, 2, "only");
    if (type == LUA_TNIL)
        return lua_gettop(L);
    const int given = lua_gettop(L);
    if (type != LUA_TTABLE || lua_rawlen(L, given) == 0)
        peri_argerror(L, 2, "only: expected a table of names, got %s", peri_push_got(L, given));
    lua_newtable(L);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, given); i++) {
        if (lua_rawgeti(L, given, i) != LUA_TSTRING)
            peri_argerror(L, 2, "only: expected names, got %s", peri_push_got(L, -1));
        lua_pushboolean(L, true);
        lua_rawset(L, -3);
    }
    lua_replace(L, given);
    return given;
}

bool peri_only_wants(lua_State *L, int only, const char *name, size_t length)
{
    if (lua_isnil(L, only))
        return true;
    lua_pushlstring(L, name, length);
    const bool wanted = lua_rawget(L, only) != LUA_TNIL;
    lua_pop(L, 1);
    return wanted;
}

/* Pushes up to `most` keys of a table, in order, and how many more there are. */
static const char *push_keys(lua_State *L, int table, int most)
{
    luaL_Buffer b;
    int n = 0;
    lua_settop(L, lua_gettop(L));
    lua_newtable(L);
    const int list = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, ++n);
    }
    peri_sort_keys(L, list);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n && i <= most; i++) {
        char text[80];
        size_t length;
        lua_rawgeti(L, list, i);
        const char *name = lua_tolstring(L, -1, &length);
        peri_printable(text, sizeof text, name, length);
        lua_pop(L, 1);
        luaL_addstring(&b, i > 1 ? ", " : "");
        luaL_addstring(&b, text);
    }
    if (n > most) {
        char text[40];
        snprintf(text, sizeof text, " and %d more", n - most);
        luaL_addstring(&b, text);
    }
    luaL_pushresult(&b);
    lua_remove(L, list);
    return lua_tostring(L, -1);
}

void peri_check_only(lua_State *L, const peri_loader *l, int only, int result, int all)
{
    if (lua_isnil(L, only))
        return;
    lua_pushnil(L);
    while (lua_next(L, only)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, result) == LUA_TNIL) {
            peri_fault fault;
            size_t n;
            const char *name = lua_tolstring(L, -2, &n);
            lua_settop(L, lua_gettop(L) - 1);
            peri_fail_text(&fault, PERI_IO_BAD, PERI_NO_BYTE,
                           lua_pushfstring(L, "it has no array of that name (there are: %s):",
                                           push_keys(L, all, 10)),
                           name, n);
            peri_loader_check(L, l, PERI_IO_BAD, &fault);
        }
        lua_pop(L, 1);
    }
}

/* ---- npz ------------------------------------------------------------------------------------ */

/* Pushes why a member is no array of numbers, or its array. True for the array. */
static bool push_member(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_layout layout;
    const unsigned char *bytes;
    size_t count;
    peri_source *s = &l->zip.member;
    peri_loader_check(L, l, peri_source_peek(s, 6, &bytes, &count, &fault), &fault);
    if (count < 6 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
        lua_pushliteral(L, "it is no .npy");
        return false;
    }
    const peri_io status = peri_npy_header(s, &layout, &fault);
    if (status == PERI_IO_STRANGE) {
        lua_pushfstring(L, "%s%s%s", fault.reason, fault.detail[0] != 0 ? " " : "", fault.detail);
        return false;
    }
    peri_loader_check(L, l, status, &fault);
    peri_push_elements(L, l, s, &layout);
    peri_loader_check(L, l, peri_zip_leave(&l->zip, &fault), &fault);
    return true;
}

static void refuse_second(lua_State *L, const peri_loader *l, const char *name)
{
    peri_fault fault;
    peri_fail_text(&fault, PERI_IO_BAD, PERI_NO_BYTE, "two members of the archive are named", name,
                   strlen(name));
    peri_loader_check(L, l, PERI_IO_BAD, &fault);
}

/* What is no array of numbers is left out, and named; where nothing else is there, refused. */
int peri_name_left_out(lua_State *L, peri_loader *l, int result, int left)
{
    lua_settop(L, left);
    lua_pushnil(L);
    if (lua_next(L, left) == 0) {
        lua_settop(L, result);
        return 1;
    }
    lua_settop(L, left);
    const char *names = push_keys(L, left, 5);
    lua_pushnil(L);
    if (lua_next(L, result) == 0) {
        peri_fault fault;
        peri_fail(&fault, PERI_IO_BAD, PERI_NO_BYTE,
                  lua_pushfstring(L, "none of its members is an array of numbers: %s", names));
        peri_loader_check(L, l, PERI_IO_BAD, &fault);
    }
    lua_settop(L, left + 1);
    lua_warning(L, l->path, 1);
    lua_warning(L, ": left out, as no arrays of numbers: ", 1);
    lua_warning(L, names, 0);
    lua_settop(L, left);
    return 2;
}

int peri_load_safetensors(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_safetensors *t = &l->tensors;
    const int only = peri_push_only(L);
    peri_safetensors_init(t, &l->source);
    peri_loader_check(L, l, peri_safetensors_open(t, &fault), &fault);
    lua_newtable(L);
    peri_order_keys(L);
    const int result = lua_gettop(L);
    lua_newtable(L);
    peri_order_keys(L);
    const int left = lua_gettop(L);
    lua_newtable(L);
    const int all = lua_gettop(L);
    const char *path = l->path;
    for (size_t i = 0; i < t->n; i++) {
        const peri_tensor *tensor = &t->tensors[i];
        lua_pushstring(L, tensor->name);
        lua_pushboolean(L, true);
        lua_rawset(L, all);
        if (!peri_only_wants(L, only, tensor->name, strlen(tensor->name)))
            continue;
        lua_pushstring(L, tensor->name);
        l->path = lua_pushfstring(L, "%s[%s]", path, tensor->name);
        lua_insert(L, -2);
        if (tensor->layout.element.kind == 0) {
            lua_pushfstring(L, "its dtype cannot become an array of numbers: %s", tensor->dtype);
            if (!lua_isnil(L, only)) {
                peri_fail(&fault, PERI_IO_BAD, PERI_NO_BYTE, lua_tostring(L, -1));
                peri_loader_check(L, l, PERI_IO_BAD, &fault);
            }
            lua_rawset(L, left);
        } else {
            peri_loader_check(L, l, peri_safetensors_goto(t, i, &fault), &fault);
            peri_push_elements(L, l, &l->source, &tensor->layout);
            lua_rawset(L, result);
        }
        l->path = path;
        lua_settop(L, all);
    }
    peri_check_only(L, l, only, result, all);
    /* What is left is passed over, up to what should be the end. */
    if (t->n > 0)
        peri_loader_check(
            L, l,
            peri_source_advance(&l->source, t->data + t->tensors[t->n - 1].end - l->source.position,
                                &fault),
            &fault);
    return peri_name_left_out(L, l, result, left);
}

int peri_load_npz(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_zip *z = &l->zip;
    const int only = peri_push_only(L);
    peri_zip_init(z, &l->source);
    peri_loader_check(L, l, peri_zip_open(z, &fault), &fault);
    if (peri_is_checkpoint(z)) {
        lua_settop(L, only - 1);
        return peri_push_checkpoint(L, l);
    }
    lua_newtable(L);
    peri_order_keys(L);
    const int result = lua_gettop(L);
    lua_newtable(L);
    peri_order_keys(L);
    const int left = lua_gettop(L);
    lua_newtable(L);
    const int all = lua_gettop(L);
    const char *path = l->path;
    for (size_t i = 0; i < z->n; i++) {
        const char *member = z->entries[i].name;
        const size_t length = peri_npz_name(member);
        if (member[strlen(member) - 1] == '/' && z->entries[i].size == 0)
            continue; /* a folder */
        const char *name = lua_pushlstring(L, member, length);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, all) != LUA_TNIL)
            refuse_second(L, l, name);
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushboolean(L, true);
        lua_rawset(L, all);
        if (peri_only_wants(L, only, name, length)) {
            /* An error inside names the member, too. */
            l->path = lua_pushfstring(L, "%s[%s]", path, name);
            lua_insert(L, -2);
            peri_loader_check(L, l, peri_zip_enter(z, i, &fault), &fault);
            const bool array = push_member(L, l);
            if (!array && !lua_isnil(L, only)) {
                peri_fail(&fault, PERI_IO_BAD, PERI_NO_BYTE, lua_tostring(L, -1));
                peri_loader_check(L, l, PERI_IO_BAD, &fault);
            }
            lua_rawset(L, array ? result : left);
            l->path = path;
        }
        lua_settop(L, all);
    }
    peri_check_only(L, l, only, result, all);
    return peri_name_left_out(L, l, result, left);
}

/* Reads to the end, for the checksums; says what was left unread. */
void peri_loader_finish(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    uint64_t extra;
    const uint64_t at = l->source.position;
    peri_loader_check(L, l, peri_source_finish(&l->source, &extra, &fault), &fault);
    if (extra == 0)
        return;
    char text[96];
    snprintf(text, sizeof text,
             "%" PRIu64 " bytes after the end of the content were not read (byte %" PRIu64 ")",
             extra, at);
    lua_warning(L, l->path, 1);
    lua_warning(L, ": ", 1);
    lua_warning(L, text, 0);
}

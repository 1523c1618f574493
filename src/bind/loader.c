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
    peri_image_close(&l->image);
    peri_npz_close(&l->npz);
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

int peri_load_npz(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_npz_init(&l->npz, &l->source);
    peri_loader_check(L, l, peri_npz_open(&l->npz, &fault), &fault);
    lua_newtable(L);
    peri_order_keys(L);
    for (;;) {
        bool more;
        peri_loader_check(L, l, peri_npz_next(&l->npz, &more, &fault), &fault);
        if (!more)
            return 1;
        lua_pushstring(L, l->npz.name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            peri_fail_text(&fault, PERI_IO_BAD, PERI_NO_BYTE,
                           "two members of the archive are named", l->npz.name,
                           strlen(l->npz.name));
            peri_loader_check(L, l, PERI_IO_BAD, &fault);
        }
        lua_pop(L, 1);
        /* An error inside names the member, too. */
        const char *path = l->path;
        l->path = lua_pushfstring(L, "%s[%s]", path, l->npz.name);
        push_npy(L, l, &l->npz.member);
        l->path = path;
        lua_remove(L, -2);
        peri_loader_check(L, l, peri_npz_leave(&l->npz, &fault), &fault);
        lua_rawset(L, -3);
    }
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

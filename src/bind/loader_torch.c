/* SPDX-License-Identifier: MIT
 *
 * Checkpoints of PyTorch's: an archive with a pickle, NAME/data.pkl, and the elements of each
 * storage in NAME/data/KEY. The pickle makes tables in which tensors are boxes that say what they
 * are views of; then the boxes are replaced, and only now elements are read, of what is wanted. */
#include <string.h>

#include "bind/loader.h"
#include "bind/ordered.h"

static const char box_key;

/* A tensor that is not read yet. Its user value is the key of its storage. */
typedef struct {
    peri_layout layout;
    ptrdiff_t stride[PERI_MAX_NDIM];
    size_t offset, storage;
} tensor_box;

void peri_push_tensor(lua_State *L, const peri_pickle_event *e)
{
    tensor_box *box = lua_newuserdatauv(L, sizeof *box, 1);
    box->layout = e->layout;
    memcpy(box->stride, e->stride, sizeof box->stride);
    box->offset = e->offset;
    box->storage = e->storage;
    lua_pushlstring(L, e->text, e->length);
    lua_setiuservalue(L, -2, 1);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushboolean(L, false);
        lua_setfield(L, -2, "__metatable");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &box_key);
    }
    lua_setmetatable(L, -2);
}

static const tensor_box *test_box(lua_State *L, int at)
{
    if (lua_type(L, at) != LUA_TUSERDATA || !lua_getmetatable(L, at))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key);
    const bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is ? lua_touserdata(L, at) : NULL;
}

/* The tables that the reading of one checkpoint needs, by stack index. */
typedef struct {
    peri_loader *loader;
    const char *folder; /* of the archive, with its slash */
    bool swapped;
    int members;  /* number of a member by its name */
    int storages; /* arrays by key */
    int tensors;  /* arrays by box */
    int seen;     /* tables that were gone through */
    int left;     /* what was left out, by path */
} checkpoint;

static size_t find_pickle(const peri_zip *z)
{
    size_t i = 0;
    for (; i < z->n; i++) {
        const size_t n = strlen(z->entries[i].name);
        if (n >= 9 && strcmp(z->entries[i].name + n - 9, "/data.pkl") == 0 &&
            memchr(z->entries[i].name, '/', n - 9) == NULL)
            break;
    }
    return i;
}

bool peri_is_checkpoint(const peri_zip *z)
{
    return find_pickle(z) < z->n;
}

static void refuse(lua_State *L, const peri_loader *l, const char *reason, const char *detail)
{
    peri_fault fault;
    peri_fail_text(&fault, PERI_IO_BAD, PERI_NO_BYTE, reason, detail, strlen(detail));
    peri_loader_check(L, l, PERI_IO_BAD, &fault);
}

/* Pushes the number of the member folder .. name, or nil. */
static bool push_member(lua_State *L, const checkpoint *c, const char *name)
{
    lua_pushfstring(L, "%s%s", c->folder, name);
    return lua_rawget(L, c->members) != LUA_TNIL;
}

/* Pushes the storage of a box as an array of one axis. */
static void push_storage(lua_State *L, const checkpoint *c, const tensor_box *box, const char *key)
{
    peri_loader *l = c->loader;
    peri_fault fault;
    if (lua_getfield(L, c->storages, key) != LUA_TNIL) {
        const peri_array *a = lua_touserdata(L, -1);
        if (a->size != box->storage)
            refuse(L, l, "the checkpoint gives two sizes for storage", key);
        return;
    }
    lua_pop(L, 1);
    if (!push_member(L, c, lua_pushfstring(L, "data/%s", key)))
        refuse(L, l, "the checkpoint lacks storage", key);
    const size_t at = (size_t)lua_tointeger(L, -1);
    lua_pop(L, 2);
    peri_layout layout = {.element = box->layout.element, .ndim = 1, .shape = {box->storage}};
    layout.element.swapped = c->swapped && layout.element.size > 1;
    uint64_t bytes;
    if (!peri_layout_measure(&layout) ||
        __builtin_mul_overflow((uint64_t)layout.size, (uint64_t)layout.element.size, &bytes) ||
        bytes != l->zip.entries[at].size)
        refuse(L, l, "the bytes of a storage are not as many as its elements need:", key);
    peri_loader_check(L, l, peri_zip_enter(&l->zip, at, &fault), &fault);
    peri_push_elements(L, l, &l->zip.member, &layout);
    peri_loader_check(L, l, peri_zip_leave(&l->zip, &fault), &fault);
    lua_pushvalue(L, -1);
    lua_setfield(L, c->storages, key);
}

/* Pushes the array of the box at `at`; what has none leaves its reason under `path`, and nil. */
static void push_array(lua_State *L, const checkpoint *c, int at, const tensor_box *box,
                       const char *path)
{
    luaL_checkstack(L, 20, "checkpoint");
    if (box->layout.element.kind == 0) {
        lua_pushliteral(L, "complex numbers cannot become an array");
        lua_setfield(L, c->left, path);
        lua_pushnil(L);
        return;
    }
    lua_pushvalue(L, at);
    if (lua_rawget(L, c->tensors) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_getiuservalue(L, at, 1);
    push_storage(L, c, box, lua_tostring(L, -1));
    const peri_array *a = lua_touserdata(L, -1);
    char *first = (char *)a->data + box->offset * peri_dtype_size(a->dtype);
    peri_push_view(L, -1, a->size > 0 ? first : a->data, box->layout.ndim, box->layout.shape,
                   box->stride);
    lua_replace(L, -3);
    lua_pop(L, 1);
    lua_pushvalue(L, at);
    lua_pushvalue(L, -2);
    lua_rawset(L, c->tensors);
}

/* Replaces each box in the value on top of the stack, which is called `path`. */
static void resolve(lua_State *L, const checkpoint *c, const char *path)
{
    const int value = lua_gettop(L);
    const tensor_box *box = test_box(L, value);
    if (box != NULL) {
        push_array(L, c, value, box, path);
        lua_replace(L, value);
        return;
    }
    if (!lua_istable(L, value))
        return;
    /* Tables to go through, and their paths; no C recursion, whatever is nested. */
    lua_newtable(L);
    const int todo = lua_gettop(L);
    lua_Integer n = 0;
    lua_pushvalue(L, value);
    lua_rawseti(L, todo, ++n);
    lua_pushstring(L, path);
    lua_rawseti(L, todo, -n);
    while (n > 0) {
        lua_rawgeti(L, todo, n);
        lua_rawgeti(L, todo, -n);
        n--;
        const int table = todo + 1;
        lua_pushvalue(L, table);
        if (lua_rawget(L, c->seen) != LUA_TNIL) {
            lua_settop(L, todo);
            continue;
        }
        lua_pop(L, 1);
        lua_pushvalue(L, table);
        lua_pushboolean(L, true);
        lua_rawset(L, c->seen);
        lua_pushnil(L);
        while (lua_next(L, table)) {
            const int key = todo + 3, field = todo + 4;
            box = test_box(L, field);
            if (box == NULL && !lua_istable(L, field)) {
                lua_settop(L, key);
                continue;
            }
            const char *above = lua_tostring(L, todo + 2);
            if (strlen(above) > 200) /* it is for a message, and nesting may be deep */
                above = "...";
            lua_pushvalue(L, key);
            const char *name = luaL_tolstring(L, -1, NULL);
            const char *here =
                above[0] != 0 ? lua_pushfstring(L, "%s.%s", above, name) : lua_pushstring(L, name);
            if (box != NULL) {
                push_array(L, c, field, box, here);
                lua_pushvalue(L, key);
                lua_insert(L, -2);
                lua_rawset(L, table);
            } else {
                lua_pushstring(L, here);
                lua_pushvalue(L, field);
                lua_rawseti(L, todo, ++n);
                lua_rawseti(L, todo, -n);
            }
            lua_settop(L, key);
        }
        lua_settop(L, todo);
    }
    lua_settop(L, value);
}

/* Replaces the table on top by its field of this name, a whole number also as such. */
static bool get_field(lua_State *L, const char *name, size_t length)
{
    lua_pushlstring(L, name, length);
    int whole;
    const lua_Integer i = lua_tointegerx(L, -1, &whole);
    if (lua_rawget(L, -2) == LUA_TNIL && whole) {
        lua_pop(L, 1);
        lua_rawgeti(L, -1, i);
    }
    lua_remove(L, -2);
    return !lua_isnil(L, -1);
}

/* Replaces the value on top by what is called so in it: a key, or keys with points between, of
 * which each may have points itself. Nil where there is none. */
static bool find_path(lua_State *L, const char *path, int depth)
{
    luaL_checkstack(L, 8, "a name");
    if (!lua_istable(L, -1) || depth > 40) {
        lua_pop(L, 1);
        lua_pushnil(L);
        return false;
    }
    lua_pushvalue(L, -1);
    if (get_field(L, path, strlen(path))) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 1);
    for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        lua_pushvalue(L, -1);
        if (get_field(L, path, (size_t)(dot - path)) && find_path(L, dot + 1, depth + 1)) {
            lua_remove(L, -2);
            return true;
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    return false;
}

/* Of the checkpoint at `root`, a table of what `only` names. */
static void push_some(lua_State *L, const checkpoint *c, int only, int root)
{
    lua_newtable(L);
    peri_order_keys(L);
    const int result = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, only)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushvalue(L, root);
        if (find_path(L, lua_tostring(L, -2), 0)) {
            resolve(L, c, lua_tostring(L, -2));
            lua_rawset(L, result);
        } else {
            lua_pop(L, 2);
        }
    }
    if (!lua_istable(L, root)) {
        lua_newtable(L);
        lua_replace(L, root);
    }
    peri_check_only(L, c->loader, only, result, root);
}

/* Whether the archive says that its numbers are big-endian. */
static bool is_big(lua_State *L, const checkpoint *c)
{
    peri_zip *z = &c->loader->zip;
    peri_fault fault;
    bool big = false;
    if (push_member(L, c, "byteorder")) {
        const unsigned char *bytes;
        size_t count;
        peri_loader_check(L, c->loader, peri_zip_enter(z, (size_t)lua_tointeger(L, -1), &fault),
                          &fault);
        peri_loader_check(L, c->loader, peri_source_peek(&z->member, 3, &bytes, &count, &fault),
                          &fault);
        big = count == 3 && memcmp(bytes, "big", 3) == 0;
    }
    lua_pop(L, 1);
    return big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

int peri_push_checkpoint(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    peri_zip *z = &l->zip;
    const size_t pickle = find_pickle(z);
    const int only = peri_push_only(L);
    checkpoint c = {.loader = l};
    c.folder = lua_pushlstring(L, z->entries[pickle].name, strlen(z->entries[pickle].name) - 8);
    int *const tables[] = {&c.members, &c.storages, &c.tensors, &c.seen, &c.left};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        lua_newtable(L);
        *tables[i] = lua_gettop(L);
    }
    peri_order_keys(L);
    for (size_t i = 0; i < z->n; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_setfield(L, c.members, z->entries[i].name);
    }
    c.swapped = is_big(L, &c);
    const char *path = l->path;
    l->path = lua_pushfstring(L, "%s[%s]", path, z->entries[pickle].name);
    peri_loader_check(L, l, peri_zip_enter(z, pickle, &fault), &fault);
    peri_push_pickle(L, l, &z->member, true);
    peri_loader_check(L, l, peri_zip_leave(z, &fault), &fault);
    l->path = path;
    const int root = lua_gettop(L);
    if (lua_isnil(L, only))
        resolve(L, &c, "");
    else
        push_some(L, &c, only, root);
    const int result = lua_gettop(L);
    lua_pushvalue(L, c.left);
    if (!lua_istable(L, result)) { /* one tensor, or a number */
        lua_settop(L, result);
        return 1;
    }
    return peri_name_left_out(L, l, result, result + 1);
}

int peri_load_torch(lua_State *L, peri_loader *l)
{
    const unsigned char *bytes;
    size_t count;
    peri_fault fault;
    peri_loader_check(L, l, peri_source_peek(&l->source, 4, &bytes, &count, &fault), &fault);
    if (peri_zip_sniff(bytes, count))
        return peri_load_npz(L, l);
    refuse(L, l,
           "a checkpoint of PyTorch's old layout is not read; in PyTorch this writes it anew: "
           "torch.save(torch.load(path), path)",
           "");
    return 0;
}

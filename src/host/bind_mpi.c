/* SPDX-License-Identifier: MIT
 *
 * The primitives of lua/perigee/mpi.lua: collectives on the memory of arrays.
 *
 * Each begins with a meeting of the ranks (peri_mpi_meet), in which they compare what they ask for,
 * so that a mismatch is a sentence on every rank. That is also where a rank waits for the others,
 * and can be interrupted; the call of MPI that follows finds all of them there. A small reduction
 * is over with the meeting.
 *
 * Reductions follow one fixed tree (lua/perigee/private/tree.lua) and not MPI's own, whose order,
 * and so whose last bits, depend on the library and on the number of ranks. */
#include <stdio.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/sandbox.h"
#include "host/mpi.h"

enum {
    TEXT = 192,           /* what a rank says of its call where they differ */
    SMALL = 2 << 10,      /* bytes of a node up to which everyone gets all nodes */
    CHUNK = 1 << 24,      /* bytes of a longer one that are joined at a time */
    MOST_PLACES = 2 * 62, /* nodes of one rank at most */
    DATA = PERI_MPI_TAGS  /* the tag of rows that are gathered and scattered */
};

enum { SUM, PROD, MIN, MAX };
static const char *const ops[] = {"sum", "prod", "min", "max", NULL};

static const peri_mpi *mpi; /* NULL: alone */
static bool checked = true;
static double waits; /* mpi.timeout, for its message */

/* ---- asking for the same ----------------------------------------------------------------- */

/* What a rank asks for. */
typedef struct {
    const peri_array *array; /* NULL: none, or not of the same shape everywhere */
    const char *op;          /* NULL: none */
    int root;                /* -1: none */
    uint64_t extra;
} request;

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3u + 0x9e3779b97f4a7c15u;
}

static const char *call_name(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(PERI_UPVALUE_NAME));
    return name != NULL ? name : "?";
}

/* Raises what became of a wait, unless it went well. */
static void check_wait(lua_State *L, peri_mpi_outcome outcome)
{
    switch (outcome) {
    case PERI_MPI_DONE:
        return;
    case PERI_MPI_STOPPED:
        peri_raise_stop(L);
    case PERI_MPI_LATE:
        peri_error(L, "waited %f s for the other ranks (mpi.timeout)", waits);
    case PERI_MPI_BROKEN:
        peri_error(L,
                   "the ranks are out of step since a call was given up; the program can only end");
    case PERI_MPI_FAILED:
        peri_error(L, "%s", peri_mpi_reason());
    }
}

static const peri_stop *stop_of(lua_State *L)
{
    return &peri_getstate(L)->stop;
}

/* "allreduce|(4,) f64 sum at fit.lua:12" */
static void describe(lua_State *L, const request *ask, char text[TEXT])
{
    lua_Debug ar;
    const int top = lua_gettop(L);
    const char *shape = "", *dtype = "", *place = "?";
    char root[32] = "";
    if (ask->array != NULL) {
        shape = peri_push_shape(L, ask->array->ndim, ask->array->shape);
        dtype = peri_dtype_name(ask->array->dtype);
    }
    if (ask->root >= 0)
        snprintf(root, sizeof root, " root %d", ask->root);
    const int level = peri_user_level(L, 1);
    int line = 0;
    if (lua_getstack(L, level, &ar)) {
        lua_getinfo(L, "Sl", &ar);
        place = strrchr(ar.short_src, '/') != NULL ? strrchr(ar.short_src, '/') + 1 : ar.short_src;
        line = ar.currentline;
    }
    memset(text, 0, TEXT);
    snprintf(text, TEXT, "%s|%.60s%s%s%s%s%s at %.60s:%d", call_name(L), shape, *shape ? " " : "",
             dtype, ask->op != NULL && *shape ? " " : "", ask->op != NULL ? ask->op : "", root,
             place, line);
    lua_settop(L, top);
}

/* What a text says, as "rank 2 has ..."; the call is named where the two differ in it. */
static void push_said(lua_State *L, int rank, const char *text, bool with_call)
{
    const char *rest = strchr(text, '|');
    if (rest == NULL) {
        lua_pushfstring(L, "rank %d is at the end of its script", rank);
        return;
    }
    lua_pushfstring(L, "rank %d has ", rank);
    if (with_call) {
        lua_pushlstring(L, text, (size_t)(rest - text));
        lua_pushliteral(L, " ");
        lua_concat(L, 3);
    }
    lua_pushstring(L, rest + 1 + (rest[1] == ' '));
    lua_concat(L, 2);
}

static bool same_call(const char *a, const char *b)
{
    const char *x = strchr(a, '|'), *y = strchr(b, '|');
    return x != NULL && y != NULL && x - a == y - b && memcmp(a, b, (size_t)(x - a)) == 0;
}

/* Up to its place, which may differ: the root of a broadcast often stands in another line. */
static size_t without_place(const char *text)
{
    const char *at = NULL;
    for (const char *p = text; (p = strstr(p, " at ")) != NULL; p++)
        at = p;
    return at != NULL ? (size_t)(at - text) : strlen(text);
}

PERI_NORETURN static void differ(lua_State *L, const request *ask)
{
    char mine[TEXT];
    describe(L, ask, mine);
    char *all = lua_newuserdatauv(L, (size_t)mpi->size * TEXT, 0);
    check_wait(L, peri_mpi_everyone(stop_of(L), mine, all, TEXT));
    int other = 1;
    while (other < mpi->size - 1) {
        const char *text = all + (size_t)other * TEXT;
        const size_t n = without_place(all);
        if (n != without_place(text) || memcmp(all, text, n) != 0)
            break;
        other++;
    }
    const char *text = all + (size_t)other * TEXT;
    const bool with_call = !same_call(all, text);
    push_said(L, 0, all, with_call);
    push_said(L, other, text, with_call);
    peri_error(L, "the ranks do not ask for the same: %s, %s", lua_tostring(L, -2),
               lua_tostring(L, -1));
}

/* The meeting before a collective. more: up to 64 bytes that all shall learn, whose words come in
 * *all. */
static void meet(lua_State *L, const request *ask, const void *more, size_t n,
                 const peri_mpi_word **all)
{
    peri_mpi_word word = {0};
    bool equal;
    if (!checked && all == NULL)
        return;
    uint64_t call = 0xcbf29ce484222325u;
    for (const char *p = call_name(L); *p != '\0'; p++)
        call = (call ^ (unsigned char)*p) * 0x100000001b3u;
    word.same[0] = call;
    word.same[1] = (uint64_t)ask->root + 1;
    word.same[2] = ask->op != NULL ? mix((unsigned char)ask->op[0], (unsigned char)ask->op[1]) : 0;
    word.same[3] = ask->extra;
    if (ask->array != NULL) {
        uint64_t shape = ask->array->dtype + 1u;
        for (int axis = 0; axis < ask->array->ndim; axis++)
            shape = mix(shape, ask->array->shape[axis]);
        word.same[4] = shape;
        word.same[5] = ask->array->size;
        word.same[6] = ask->array->ndim + 1u;
    }
    if (n > 0)
        memcpy(word.more, more, n);
    check_wait(L, peri_mpi_meet(stop_of(L), &word, &equal, all));
    if (!equal)
        differ(L, ask);
}

/* ---- arguments --------------------------------------------------------------------------- */

static int check_root(lua_State *L, int arg, const char *name)
{
    if (lua_isnoneornil(L, arg))
        return 0;
    return (int)peri_arg_integer(L, arg, name, 0, mpi != NULL ? mpi->size - 1 : 0);
}

/* An array whose memory is sent as it is. */
static const peri_array *check_sent(lua_State *L, int arg, const char *name)
{
    const peri_array *a = peri_arg_array(L, arg, name);
    if (!peri_is_contiguous(a))
        peri_argerror(L, arg,
                      "%s: expected an array whose elements lie one after another, got a view of "
                      "shape %s; give a:copy()",
                      name, peri_push_shape(L, a->ndim, a->shape));
    return a;
}

/* The same for one that is written; real: of a dtype that computes. */
static const peri_array *check_written(lua_State *L, int arg, const char *name, bool real)
{
    const peri_array *a = check_sent(L, arg, name);
    peri_check_write(L, a);
    if (real && !peri_is_real(a->dtype))
        peri_argerror(L, arg, "%s: expected f64 or f32, got %s", name, peri_push_got(L, arg));
    return a;
}

static size_t bytes_of(const peri_array *a)
{
    return a->size * peri_dtype_size(a->dtype);
}

static int check_op(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return SUM;
    const char *word = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
    for (int k = 0; ops[k] != NULL; k++)
        if (strcmp(word, ops[k]) == 0)
            return k;
    return peri_argerror(L, arg, "op: expected \"sum\", \"prod\", \"min\" or \"max\", got %s",
                         peri_push_got(L, arg));
}

/* ---- the tree ---------------------------------------------------------------------------- */

/* A node of level j at leaf k 2^j is the leaves from there to (k + 1) 2^j - 1. */
typedef struct {
    long long at;
    int level;
} place;

/* The fewest nodes that cover leaves lo .. hi - 1; returns how many. */
static int places_of(long long lo, long long hi, place *out)
{
    int n = 0;
    while (lo < hi) {
        int level = 0;
        while ((lo & ((2LL << level) - 1)) == 0 && lo + (2LL << level) <= hi)
            level++;
        out[n++] = (place){lo, level};
        lo += 1LL << level;
    }
    return n;
}

/* This rank's part of n leaves, from 0: sizes differ by one at most. */
static void part_of(long long n, int rank, long long *lo, long long *hi)
{
    const int size = mpi != NULL ? mpi->size : 1;
    const long long each = n / size, more = n % size;
    *lo = rank * each + (rank < more ? rank : more);
    *hi = *lo + each + (rank < more);
}

#define FOLD(T)                                                                                    \
    do {                                                                                           \
        T *restrict x = a;                                                                         \
        const T *restrict y = b;                                                                   \
        if (op == SUM)                                                                             \
            for (size_t i = 0; i < n; i++)                                                         \
                x[i] += y[i];                                                                      \
        else if (op == PROD)                                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                x[i] *= y[i];                                                                      \
        else if (op == MIN)                                                                        \
            for (size_t i = 0; i < n; i++)                                                         \
                x[i] = x[i] < y[i] || x[i] != x[i] ? x[i] : y[i];                                  \
        else                                                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                x[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i];                                  \
    } while (0)

/* a becomes a op b. */
static void fold(int op, bool wide, void *a, const void *b, size_t n)
{
    if (wide)
        FOLD(double);
    else
        FOLD(float);
}

/* The values of nodes, joined as the tree has it; the result is at[0]. Nodes are changed. */
static void fold_all(int op, bool wide, place *nodes, char **at, int n, size_t count)
{
    int s = 0;
    for (int i = 0; i < n; i++) {
        nodes[s] = nodes[i];
        at[s++] = at[i];
        while (s > 1 && nodes[s - 1].level == nodes[s - 2].level &&
               (nodes[s - 2].at & ((2LL << nodes[s - 2].level) - 1)) == 0) {
            fold(op, wide, at[s - 2], at[s - 1], count);
            nodes[s - 2].level++;
            s--;
        }
    }
    for (; s > 1; s--)
        fold(op, wide, at[s - 2], at[s - 1], count);
}

/* Who holds what of a sum over `leaves`, and room to work in. */
typedef struct {
    int op, total, have;
    bool wide;
    int *per, most;                  /* nodes of each rank, and of the one with most */
    place *nodes, *work;             /* of all ranks, in order of the leaves */
    char **at;                       /* as many values */
    size_t *send, *from, *take, *to; /* counts and places for each rank, bytes */
} layout;

static size_t work_bytes(int size, long long leaves)
{
    size_t total = 0;
    place nodes[MOST_PLACES];
    for (int r = 0; r < size; r++) {
        long long lo, hi;
        part_of(leaves, r, &lo, &hi);
        total += (size_t)places_of(lo, hi, nodes);
    }
    return total;
}

/* Pushes the memory of it. */
static layout plan(lua_State *L, int op, bool wide, long long leaves)
{
    const size_t size = (size_t)mpi->size, total = work_bytes(mpi->size, leaves);
    layout p = {.op = op, .wide = wide, .total = (int)total};
    char *memory = peri_push_scratch(L, total * (2 * sizeof(place) + sizeof(char *)) +
                                            size * (4 * sizeof(size_t) + sizeof(int)));
    p.nodes = (place *)(void *)memory;
    p.work = p.nodes + total;
    p.at = (char **)(void *)(p.work + total);
    p.send = (size_t *)(void *)(p.at + total);
    p.from = p.send + size;
    p.take = p.from + size;
    p.to = p.take + size;
    p.per = (int *)(void *)(p.to + size);
    int k = 0;
    for (int r = 0; r < mpi->size; r++) {
        long long lo, hi;
        part_of(leaves, r, &lo, &hi);
        p.per[r] = places_of(lo, hi, p.nodes + k);
        k += p.per[r];
        p.most = p.per[r] > p.most ? p.per[r] : p.most;
    }
    p.have = p.per[mpi->rank];
    return p;
}

static void fold_copy(const layout *p, size_t count)
{
    memcpy(p->work, p->nodes, (size_t)p->total * sizeof *p->work);
    fold_all(p->op, p->wide, p->work, p->at, p->total, count);
}

/* count numbers: everyone gets the nodes of all. */
static void combine_small(lua_State *L, layout *p, char *const *own, size_t count, char *out)
{
    const size_t bytes = count * (p->wide ? 8 : 4), block = (size_t)p->most * bytes;
    char *send = peri_push_scratch(L, ((size_t)mpi->size + 1) * block + 1), *got = send + block;
    for (int i = 0; i < p->have; i++)
        memcpy(send + (size_t)i * bytes, own[i], bytes);
    check_wait(L, peri_mpi_everyone(stop_of(L), send, got, block));
    for (int r = 0, k = 0; r < mpi->size; r++)
        for (int i = 0; i < p->per[r]; i++)
            p->at[k++] = got + (size_t)r * block + (size_t)i * bytes;
    fold_copy(p, count);
    memcpy(out, p->at[0], bytes);
    lua_pop(L, 1);
}

/* Numbers from .. from + count - 1 of longer nodes: each rank joins a segment of them and gives it
 * to all. */
static void combine_large(lua_State *L, layout *p, char *const *own, size_t from, size_t count,
                          char *out)
{
    const size_t width = p->wide ? 8 : 4, size = (size_t)mpi->size,
                 each = (count + size - 1) / size;
#define START(r) ((size_t)(r)*each < count ? (size_t)(r)*each : count)
    const size_t mine = START(mpi->rank + 1) - START(mpi->rank), have = (size_t)p->have;
    /* Of one node the segments lie in order already. */
    const bool as_is = have == 1;
    char *send =
        peri_push_scratch(L, ((as_is ? 0 : have * count) + (size_t)p->total * mine) * width + 1);
    char *got = send + (as_is ? 0 : have * count * width);
    if (as_is)
        send = own[0] + from * width;
    for (int r = 0, k = 0; r < mpi->size; k += p->per[r++]) {
        const size_t length = START(r + 1) - START(r);
        p->send[r] = length * have * width;
        p->from[r] = START(r) * have * width;
        for (size_t i = 0; i < have && !as_is; i++)
            memcpy(send + (START(r) * have + i * length) * width,
                   own[i] + (from + START(r)) * width, length * width);
        p->take[r] = (size_t)p->per[r] * mine * width;
        p->to[r] = (size_t)k * mine * width;
    }
    check_wait(L, peri_mpi_pairs(stop_of(L), send, p->send, p->from, got, p->take, p->to));
    for (int i = 0; i < p->total; i++)
        p->at[i] = got + (size_t)i * mine * width;
    fold_copy(p, mine);
    for (int r = 0; r < mpi->size; r++) {
        p->take[r] = (START(r + 1) - START(r)) * width;
        p->to[r] = (from + START(r)) * width;
    }
    memcpy(out + p->to[mpi->rank], p->at[0], mine * width);
    check_wait(L, peri_mpi_ring(stop_of(L), out, p->take, p->to));
#undef START
    lua_pop(L, 1);
}

/* The whole of it: `count` numbers of every node of this rank, own[i], into out. */
static void combine(lua_State *L, layout *p, char *const *own, size_t count, char *out)
{
    const size_t width = p->wide ? 8 : 4, most = CHUNK / width;
    if (count * width <= SMALL && (size_t)p->most * (size_t)mpi->size * count * width <= CHUNK) {
        combine_small(L, p, own, count, out);
        return;
    }
    for (size_t from = 0; from < count; from += most)
        combine_large(L, p, own, from, count - from < most ? count - from : most, out);
}

/* ---- reductions -------------------------------------------------------------------------- */

/* In place, by a tree over the ranks. */
static void reduce_numbers(lua_State *L, const request *ask, int op, bool wide, void *data,
                           size_t count)
{
    const size_t width = wide ? 8 : 4, bytes = count * width;
    if (bytes <= sizeof((peri_mpi_word *)0)->more && mpi->size <= PERI_MPI_ALL) {
        const peri_mpi_word *all;
        char values[PERI_MPI_ALL][sizeof all->more];
        place nodes[PERI_MPI_ALL];
        char *at[PERI_MPI_ALL];
        meet(L, ask, data, bytes, &all);
        for (int r = 0; r < mpi->size; r++) {
            memcpy(values[r], all[r].more, bytes);
            nodes[r] = (place){r, 0};
            at[r] = values[r];
        }
        fold_all(op, wide, nodes, at, mpi->size, count);
        memcpy(data, at[0], bytes);
        return;
    }
    meet(L, ask, NULL, 0, NULL);
    if (bytes <= SMALL && (size_t)mpi->size <= PERI_MPI_ALL) {
        _Alignas(64) static char values[PERI_MPI_ALL * SMALL];
        place nodes[PERI_MPI_ALL];
        char *at[PERI_MPI_ALL];
        check_wait(L, peri_mpi_everyone(stop_of(L), data, values, bytes));
        for (int r = 0; r < mpi->size; r++) {
            nodes[r] = (place){r, 0};
            at[r] = values + (size_t)r * bytes;
        }
        fold_all(op, wide, nodes, at, mpi->size, count);
        memcpy(data, at[0], bytes);
        return;
    }
    layout p = plan(L, op, wide, mpi->size);
    char *own = data;
    combine(L, &p, &own, count, data);
    lua_pop(L, 1);
}

/* allreduce(v [, op [, root]]) -> v: an array in place, a number as a number. root is only
 * compared. */
static int mpi_allreduce(lua_State *L)
{
    const int op = check_op(L, 2);
    request ask = {.op = ops[op], .root = lua_isnoneornil(L, 3) ? -1 : check_root(L, 3, "root")};
    if (lua_type(L, 1) == LUA_TNUMBER) {
        double x = lua_tonumber(L, 1);
        if (mpi != NULL)
            reduce_numbers(L, &ask, op, true, &x, 1);
        lua_pushnumber(L, x);
        return 1;
    }
    const peri_array *a = ask.array = check_written(L, 1, "v", true);
    if (mpi != NULL)
        reduce_numbers(L, &ask, op, peri_dtype_size(a->dtype) == 8, a->data, a->size);
    lua_settop(L, 1);
    return 1;
}

/* The shape and dtype of root's array, at the same index on every rank. */
typedef struct {
    uint64_t dtype, ndim, shape[PERI_MAX_NDIM];
} facts;

static void facts_of(const peri_array *a, facts *f)
{
    memset(f, 0, sizeof *f);
    f->dtype = a->dtype;
    f->ndim = a->ndim;
    for (int axis = 0; axis < a->ndim; axis++)
        f->shape[axis] = a->shape[axis];
}

static peri_array *push_like(lua_State *L, const facts *f)
{
    size_t shape[PERI_MAX_NDIM];
    for (int axis = 0; axis < PERI_MAX_NDIM; axis++)
        shape[axis] = (size_t)f->shape[axis];
    return peri_push_array(L, (int)f->dtype, (int)f->ndim, shape);
}

/* combine(nodes, n) -> array: the nodes that cover this rank's part of 1..n, joined with the
 * others'. */
static int mpi_combine(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Integer have = lua_rawlen(L, 1) > 0 ? peri_arg_list(L, 1, "parts") : 0;
    const lua_Integer n = peri_arg_integer(L, 2, "n", 1, (lua_Integer)1 << 40);
    const peri_array *first = NULL;
    if (mpi == NULL)
        return peri_argerror(L, 1, "parts: there is one rank");
    char **own = peri_push_scratch(L, (size_t)(have + 1) * sizeof *own);
    for (lua_Integer i = 0; i < have; i++) {
        const peri_array *a = peri_list_item(L, 1, i + 1);
        if (!peri_is_contiguous(a) || !peri_is_real(a->dtype))
            return peri_argerror(L, 1, "parts: expected contiguous arrays of f64 or f32");
        if (first != NULL && (first->dtype != a->dtype || first->size != a->size))
            return peri_argerror(L, 1, "parts: expected arrays of one shape and dtype");
        first = first != NULL ? first : a;
        own[i] = a->data;
    }
    request ask = {.root = -1, .extra = (uint64_t)n};
    facts f = {0};
    if (n < mpi->size) { /* those without a part learn its shape from rank 0, which has one */
        meet(L, &ask, NULL, 0, NULL);
        if (first != NULL)
            facts_of(first, &f);
        check_wait(L, peri_mpi_bcast(stop_of(L), &f, sizeof f, 0));
        ask.array = first != NULL ? first : push_like(L, &f);
    } else {
        ask.array = first;
    }
    ask.op = "sum";
    meet(L, &ask, NULL, 0, NULL);
    if (ask.array == NULL)
        return peri_argerror(L, 1, "parts: expected those of this rank, got none");
    facts_of(ask.array, &f);
    layout p = plan(L, SUM, peri_dtype_size(ask.array->dtype) == 8, n);
    if (p.have != have)
        return peri_argerror(L, 1, "parts: expected %d nodes, got %d", p.have, (int)have);
    const size_t count = ask.array->size;
    const peri_array *out = push_like(L, &f);
    combine(L, &p, own, count, out->data);
    return 1;
}

/* range(n [, rank]) -> lo, hi */
static int mpi_range(lua_State *L)
{
    const int size = mpi != NULL ? mpi->size : 1;
    const lua_Integer n = peri_arg_integer(L, 1, "n", 0, (lua_Integer)1 << 53);
    const int rank = lua_isnoneornil(L, 2) ? (mpi != NULL ? mpi->rank : 0)
                                           : (int)peri_arg_integer(L, 2, "rank", 0, size - 1);
    long long lo, hi;
    part_of(n, rank, &lo, &hi);
    lua_pushinteger(L, lo + 1);
    lua_pushinteger(L, hi);
    return 2;
}

/* ---- moving ------------------------------------------------------------------------------ */

static void broadcast(lua_State *L, void *data, size_t bytes, int root)
{
    check_wait(L, peri_mpi_bcast(stop_of(L), data, bytes, root));
}

static void send_bytes(lua_State *L, int tag, const void *data, size_t bytes, int to)
{
    check_wait(L, peri_mpi_swap(stop_of(L), tag, data, bytes, to, NULL, 0, -1));
}

static void receive_bytes(lua_State *L, int tag, void *data, size_t bytes, int from)
{
    check_wait(L, peri_mpi_swap(stop_of(L), tag, NULL, 0, -1, data, bytes, from));
}

/* bcast(array, root) -> array, in place */
static int mpi_bcast(lua_State *L)
{
    const int root = check_root(L, 2, "root");
    const peri_array *a =
        mpi != NULL && mpi->rank == root ? check_sent(L, 1, "v") : check_written(L, 1, "v", false);
    if (mpi != NULL) {
        const request ask = {.array = a, .root = root};
        meet(L, &ask, NULL, 0, NULL);
        broadcast(L, a->data, bytes_of(a), root);
    }
    lua_settop(L, 1);
    return 1;
}

/* bcast_text(text, root) -> text of root; that of the others is not looked at */
static int mpi_bcast_text(lua_State *L)
{
    const int root = check_root(L, 2, "root");
    size_t n = 0;
    const char *text = lua_tolstring(L, 1, &n);
    if (mpi == NULL) {
        lua_settop(L, 1);
        return 1;
    }
    const request ask = {.root = root};
    uint64_t length = n;
    if (mpi->rank == root && text == NULL)
        return peri_argerror(L, 1, "v: expected a string");
    meet(L, &ask, NULL, 0, NULL);
    check_wait(L, peri_mpi_bcast(stop_of(L), &length, sizeof length, root));
    char *memory = peri_push_scratch(L, (size_t)length + 1);
    if (mpi->rank == root)
        memcpy(memory, text, n);
    broadcast(L, memory, (size_t)length, root);
    lua_pushlstring(L, memory, (size_t)length);
    return 1;
}

/* The lengths of what each rank has, bytes or rows. Pushes their memory. */
static uint64_t *exchange_lengths(lua_State *L, uint64_t mine)
{
    uint64_t *all = peri_push_scratch(L, (size_t)mpi->size * sizeof *all);
    check_wait(L, peri_mpi_everyone(stop_of(L), &mine, all, sizeof mine));
    return all;
}

/* Brings the bytes of all ranks to root, or with root -1 to everyone, one after the other. */
static void gather_bytes(lua_State *L, const void *mine, const uint64_t *lengths, char *out,
                         int root)
{
    if (root >= 0 && mpi->rank != root) {
        send_bytes(L, DATA, mine, (size_t)lengths[mpi->rank], root);
        return;
    }
    size_t *counts = peri_push_scratch(L, 2 * (size_t)mpi->size * sizeof *counts);
    size_t *places = counts + mpi->size, at = 0;
    for (int r = 0; r < mpi->size; at += counts[r++]) {
        counts[r] = (size_t)lengths[r];
        places[r] = at;
        if (r == mpi->rank && counts[r] > 0)
            memcpy(out + at, mine, counts[r]);
        else if (root >= 0)
            receive_bytes(L, DATA, out + at, counts[r], r);
    }
    if (root < 0)
        check_wait(L, peri_mpi_ring(stop_of(L), out, counts, places));
    lua_pop(L, 1);
}

/* gather_text(text, root) -> list of the texts of all ranks, on root, or everywhere where it is
 * nil; else nothing */
static int mpi_gather_text(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    const int root = lua_isnoneornil(L, 2) ? -1 : check_root(L, 2, "root");
    if (mpi == NULL) {
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, 1);
        lua_rawseti(L, -2, 1);
        return 1;
    }
    const request ask = {.root = root};
    meet(L, &ask, NULL, 0, NULL);
    const uint64_t *lengths = exchange_lengths(L, n);
    size_t total = 0;
    for (int r = 0; r < mpi->size; r++)
        total += (size_t)lengths[r];
    const bool mine = root < 0 || mpi->rank == root;
    char *out = peri_push_scratch(L, mine ? total + 1 : 1);
    gather_bytes(L, text, lengths, out, root);
    if (!mine)
        return 0;
    lua_createtable(L, mpi->size, 0);
    for (int r = 0; r < mpi->size; out += lengths[r++]) {
        lua_pushlstring(L, out, (size_t)lengths[r]);
        lua_rawseti(L, -2, r + 1);
    }
    return 1;
}

/* gather(array, root) -> the rows of all ranks one below the other, on root, or everywhere where it
 * is nil */
static int mpi_gather(lua_State *L)
{
    const peri_array *a = check_sent(L, 1, "v");
    const int root = lua_isnoneornil(L, 2) ? -1 : check_root(L, 2, "root");
    if (a->ndim == 0)
        return peri_argerror(L, 1, "v: expected an array with rows, got one without axes");
    if (mpi == NULL) {
        peri_push_copy(L, a, -1);
        return 1;
    }
    /* The ranks must agree on a row. */
    request ask = {.root = root};
    ask.extra = a->dtype + 1u;
    for (int axis = 1; axis < a->ndim; axis++)
        ask.extra = mix(ask.extra, a->shape[axis]);
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, a->shape, (size_t)a->ndim * sizeof *shape);
    shape[0] = 1;
    const size_t top = (size_t)lua_gettop(L);
    ask.array = peri_push_array(L, a->dtype, a->ndim, shape);
    meet(L, &ask, NULL, 0, NULL);
    lua_settop(L, (int)top);
    uint64_t *lengths = exchange_lengths(L, a->shape[0]);
    size_t rows = 0, row = peri_dtype_size(a->dtype);
    for (int axis = 1; axis < a->ndim; axis++)
        row = peri_mul_size(L, row, a->shape[axis]);
    for (int r = 0; r < mpi->size; r++) {
        rows += (size_t)lengths[r];
        lengths[r] *= row;
    }
    const bool mine = root < 0 || mpi->rank == root;
    char *out = NULL;
    if (mine) {
        shape[0] = rows;
        out = peri_push_array(L, a->dtype, a->ndim, shape)->data;
    }
    gather_bytes(L, a->data, lengths, out, root);
    return mine;
}

/* scatter(array, root) -> the part range(#array) of root's array; what the others give is not
 * looked at */
static int mpi_scatter(lua_State *L)
{
    const int root = check_root(L, 2, "root");
    const bool mine = mpi == NULL || mpi->rank == root;
    const peri_array *a = mine ? check_sent(L, 1, "a") : NULL;
    facts f = {0};
    if (mine && a->ndim == 0)
        return peri_argerror(L, 1, "a: expected an array with rows, got one without axes");
    if (mpi == NULL) {
        peri_push_copy(L, a, -1);
        return 1;
    }
    const request ask = {.root = root};
    meet(L, &ask, NULL, 0, NULL);
    if (mine)
        facts_of(a, &f);
    check_wait(L, peri_mpi_bcast(stop_of(L), &f, sizeof f, root));
    size_t row = peri_dtype_size((int)f.dtype);
    for (uint64_t axis = 1; axis < f.ndim; axis++)
        row *= (size_t)f.shape[axis];
    const long long n = (long long)f.shape[0];
    long long lo, hi;
    for (int r = 0; mine && r < mpi->size; r++) {
        part_of(n, r, &lo, &hi);
        if (r != root)
            send_bytes(L, DATA, (const char *)a->data + (size_t)lo * row, (size_t)(hi - lo) * row,
                       r);
    }
    part_of(n, mpi->rank, &lo, &hi);
    f.shape[0] = (uint64_t)(hi - lo);
    const peri_array *out = push_like(L, &f);
    if (mine)
        memcpy(out->data, (const char *)a->data + (size_t)lo * row, (size_t)(hi - lo) * row);
    else
        receive_bytes(L, DATA, out->data, (size_t)(hi - lo) * row, root);
    return 1;
}

/* What precedes a message: kind 0 is a text of so many bytes, 1 an array. */
typedef struct {
    uint64_t kind, bytes;
    facts array;
} head;

static int check_peer(lua_State *L, int arg, const char *name)
{
    if (mpi == NULL)
        return peri_argerror(L, arg, "%s: there is one rank, so none to exchange with", name);
    const int rank = (int)peri_arg_integer(L, arg, name, 0, mpi->size - 1);
    if (rank == mpi->rank)
        return peri_argerror(L, arg, "%s: %d is this rank itself", name, rank);
    return rank;
}

static int check_tag(lua_State *L, int arg)
{
    return lua_isnoneornil(L, arg) ? 0 : (int)peri_arg_integer(L, arg, "tag", 0, 32000);
}

/* send(array or text, to, tag) */
static int mpi_send(lua_State *L)
{
    const int to = check_peer(L, 2, "to"), tag = check_tag(L, 3);
    head h = {0};
    size_t n = 0;
    const void *data = NULL;
    if (lua_type(L, 1) == LUA_TSTRING) {
        data = lua_tolstring(L, 1, &n);
    } else {
        const peri_array *a = check_sent(L, 1, "v");
        h.kind = 1;
        facts_of(a, &h.array);
        data = a->data;
        n = bytes_of(a);
    }
    h.bytes = n;
    send_bytes(L, tag, &h, sizeof h, to);
    send_bytes(L, tag, data, n, to);
    return 0;
}

/* recv(from, tag) -> array or text */
static int mpi_recv(lua_State *L)
{
    const int from = check_peer(L, 1, "from"), tag = check_tag(L, 2);
    head h;
    receive_bytes(L, tag, &h, sizeof h, from);
    if (h.kind == 1) {
        const peri_array *a = push_like(L, &h.array);
        receive_bytes(L, tag, a->data, bytes_of(a), from);
        return 1;
    }
    char *memory = peri_push_scratch(L, (size_t)h.bytes + 1);
    receive_bytes(L, tag, memory, (size_t)h.bytes, from);
    lua_pushlstring(L, memory, (size_t)h.bytes);
    return 1;
}

static int mpi_barrier(lua_State *L)
{
    const request ask = {.root = -1};
    const peri_mpi_word *all; /* nobody leaves a meeting before all have come */
    if (mpi != NULL)
        meet(L, &ask, NULL, 0, &all);
    return 0;
}

/* bytes(array) -> text, and array(text, dtype, shape) -> the array whose memory it was */
static int mpi_bytes(lua_State *L)
{
    const peri_array *a = check_sent(L, 1, "v");
    lua_pushlstring(L, a->size > 0 ? a->data : "", bytes_of(a));
    return 1;
}

/* plain(array) -> the array, or where its elements do not lie one after another a copy */
static int mpi_plain(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "v");
    lua_settop(L, 1);
    if (!peri_is_contiguous(a))
        peri_push_copy(L, a, -1);
    return 1;
}

static int mpi_array(lua_State *L)
{
    size_t n, shape[PERI_MAX_NDIM];
    int next;
    const char *text = luaL_checklstring(L, 1, &n);
    const int dtype = peri_arg_any_dtype(L, 2, PERI_F64);
    const int ndim = peri_arg_shape(L, 3, shape, &next);
    const peri_array *a = peri_push_array(L, dtype, ndim, shape);
    if (bytes_of(a) != n)
        return peri_argerror(L, 1, "expected %I bytes", (LUAI_UACINT)bytes_of(a));
    if (n > 0)
        memcpy(a->data, text, n);
    return 1;
}

/* ---- the process ------------------------------------------------------------------------- */

/* check(on): whether ranks compare what they ask for */
static int mpi_check(lua_State *L)
{
    if (!lua_isboolean(L, 1))
        return peri_argerror(L, 1, "on: expected a boolean, got %s", peri_push_got(L, 1));
    const bool on = lua_toboolean(L, 1), before = checked;
    const request ask = {.root = -1, .extra = 1u + on};
    checked = true;
    if (mpi != NULL && before)
        meet(L, &ask, NULL, 0, NULL);
    checked = on;
    return 0;
}

static int mpi_timeout(lua_State *L)
{
    const double seconds = lua_isnoneornil(L, 1) ? 0 : peri_arg_number(L, 1, "seconds");
    if (!(seconds >= 0))
        return peri_argerror(L, 1, "seconds: expected a number of at least 0, got %f", seconds);
    waits = seconds;
    peri_mpi_patience(seconds);
    return 0;
}

/* abort([message]) */
static int mpi_abort(lua_State *L)
{
    const char *message = luaL_optstring(L, 1, "aborted");
    if (mpi == NULL)
        return peri_error(L, "%s", message);
    fflush(NULL);
    fprintf(stderr, "perigee: rank %d: %s\n", mpi->rank, message);
    peri_mpi_fail(1);
    peri_mpi_finish();
    return 0;
}

/* leave(status): before the process ends by os.exit */
static int mpi_leave(lua_State *L)
{
    const lua_Integer status = luaL_optinteger(L, 1, 0);
    if (status != 0)
        peri_mpi_fail((int)status);
    peri_mpi_finish();
    return 0;
}

/* pieces(bytes): how much one call of MPI is given at most, so that tests need no gigabytes */
static int mpi_pieces(lua_State *L)
{
    peri_mpi_pieces((size_t)peri_arg_integer(L, 1, "bytes", 64, 1 << 28));
    return 0;
}

static int close_mpi(lua_State *L);

static const peri_handle_kind guard_kind = {.name = "mpi", .close = close_mpi};

/* When the state closes. */
static int close_mpi(lua_State *L)
{
    (void)L;
    peri_mpi_finish();
    return 0;
}

PERI_OPENER(mpi)
{
    static const peri_primitive functions[] = {
        {"allreduce", mpi_allreduce, NULL, PERI_FUNCTION},
        {"reduce", mpi_allreduce, "reduce", PERI_FUNCTION},
        {"combine", mpi_combine, "sum", PERI_FUNCTION},
        {"range", mpi_range, NULL, PERI_FUNCTION},
        {"bcast", mpi_bcast, NULL, PERI_FUNCTION},
        {"bcast_text", mpi_bcast_text, "bcast", PERI_FUNCTION},
        {"gather", mpi_gather, NULL, PERI_FUNCTION},
        {"gather_text", mpi_gather_text, "gather", PERI_FUNCTION},
        {"allgather", mpi_gather, NULL, PERI_FUNCTION},
        {"allgather_text", mpi_gather_text, "allgather", PERI_FUNCTION},
        {"scatter", mpi_scatter, NULL, PERI_FUNCTION},
        {"send", mpi_send, NULL, PERI_FUNCTION},
        {"recv", mpi_recv, NULL, PERI_FUNCTION},
        {"barrier", mpi_barrier, NULL, PERI_FUNCTION},
        {"bytes", mpi_bytes, "send", PERI_FUNCTION},
        {"array", mpi_array, "recv", PERI_FUNCTION},
        {"plain", mpi_plain, "sum", PERI_FUNCTION},
        {"check", mpi_check, NULL, PERI_FUNCTION},
        {"timeout", mpi_timeout, NULL, PERI_FUNCTION},
        {"abort", mpi_abort, NULL, PERI_FUNCTION},
        {"leave", mpi_leave, NULL, PERI_FUNCTION},
        {"pieces", mpi_pieces, NULL, PERI_FUNCTION},
        {NULL, NULL, NULL, 0}};
    if (peri_mpi_announced() > 0 && peri_mpi_started() == NULL) {
        char why[512];
        peri_outside_sandbox(L, "MPI");
        const peri_mpi *started = peri_mpi_start(why, sizeof why);
        if (started == NULL)
            return luaL_error(L, "mpi: %s", why);
        peri_push_handle(L, &guard_kind, 1, 0);
        lua_setfield(L, LUA_REGISTRYINDEX, "perigee.mpi");
        mpi = started->size > 1 ? started : NULL;
    }
    peri_primitives(L, functions);
    lua_pushinteger(L, mpi != NULL ? mpi->rank : 0);
    lua_setfield(L, -2, "rank");
    lua_pushinteger(L, mpi != NULL ? mpi->size : 1);
    lua_setfield(L, -2, "size");
    lua_pushstring(L, peri_mpi_started() != NULL ? peri_mpi_started()->library : "none");
    lua_setfield(L, -2, "library");
    return 1;
}

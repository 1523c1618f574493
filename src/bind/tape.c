/* SPDX-License-Identifier: MIT
 *
 * The tape: recording, freezing, and the backward pass. See tape.h.
 *
 * Three blocks, each a userdata that grows by doubling: nodes; words (for a node the nodes of its
 * operands and then its extents); and a Lua table of the values that rules will want. Nodes are
 * counted over the whole life of the state; on the tape they are counted from 1. */
#include <string.h>

#include "bind/bind.h"
#include "bind/nested.h"
#include "bind/tape.h"
#include "kernel/copy.h"

struct node {
    const peri_rule *rule; /* NULL: a leaf */
    uint64_t kept;         /* bit 0: the result is kept, bit k: argument k */
    uint32_t word, extent; /* where the nodes of its operands begin, and its extents */
    uint32_t inputs, slot; /* how many operands; where its values begin */
    uint8_t ndim, dtype, nargs;
};

struct tape {
    uint64_t origin; /* node n of the tape has the number origin + n */
    struct node *nodes;
    size_t *words;
    size_t count, words_used, node_room, word_room;
    uint32_t slots;
    int depth;    /* gradients that are open */
    bool looking; /* for the first NaN */
};

static const char tape_key, kept_key, help_key;

/* Rows of what is no function. */
static const peri_rule alias_row = {"alias", 1, 0, 0, 0};
static const peri_rule part_row = {"part", 1, 0, 0, 0};
static const peri_rule attached_row = {"attached", 0, 0, 0, PERI_SEVERAL};

/* What the walk calls, by its place in the table at help_key. */
enum { H_RULES = 1, H_ADD, H_MUL, H_SUM, H_RESHAPE, H_ASTYPE, H_COPY, H_BROADCAST, H_LOOK };

enum { NODES_UV = 1, WORDS_UV };

/* ---- what the walk calls ------------------------------------------------------------------- */

/* Pushes the table at help_key, and checks that it is one: a script may come before it is set. */
static void push_tools(lua_State *L)
{
    luaL_checkstack(L, 4, "gradient");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &help_key) != LUA_TTABLE)
        peri_raise(L, "no gradient can be taken yet: its rules are not there");
}

/* Pushes the rule of that row of the table of tools at `help`. */
static void push_rule_of(lua_State *L, int help, const peri_rule *row)
{
    help = lua_absindex(L, help);
    if (lua_rawgeti(L, help, H_RULES) != LUA_TTABLE)
        peri_raise(L, "gradients have no rules");
    lua_rawgeti(L, -1, peri_rule_index(row));
    lua_remove(L, -2);
    const int type = lua_type(L, -1);
    if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TBOOLEAN)
        peri_raise(L, "gradients have no rule for '%s'", row->name);
}

/* The array on top, which what was called had to give. */
static peri_array *given_array(lua_State *L)
{
    peri_array *a = peri_peek_array(L, -1);
    if (a == NULL)
        peri_raise(L, "a gradient is %s, expected array", peri_push_got(L, -1));
    return a;
}

/* ---- the blocks -------------------------------------------------------------------------- */

static struct tape *get_tape(lua_State *L)
{
    return peri_getstate(L)->tape;
}

/* The tape for what makes nodes or walks them. */
static struct tape *get_open(lua_State *L)
{
    struct tape *t = get_tape(L);
    if (t->depth == 0)
        peri_error(L, "no gradient is being taken");
    return t;
}

static void *grow(lua_State *L, int uv, const void *old, size_t used, size_t wanted, size_t width,
                  size_t *room)
{
    size_t more = *room > 0 ? *room : 64;
    while (more < wanted)
        more *= 2;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tape_key);
    void *block = lua_newuserdatauv(L, more * width, 0);
    if (used > 0)
        memcpy(block, old, used * width);
    lua_setiuservalue(L, -2, uv);
    lua_pop(L, 1);
    *room = more;
    return block;
}

/* Makes room. No finaliser runs meanwhile: it could record as well, and what is grown here would be
 * grown under our hands. */
static void reserve(lua_State *L, struct tape *t, size_t nodes, size_t words)
{
    if (t->count + nodes <= t->node_room && t->words_used + words <= t->word_room)
        return;
    const bool running = lua_gc(L, LUA_GCISRUNNING) != 0;
    if (running)
        lua_gc(L, LUA_GCSTOP);
    if (t->count + nodes > t->node_room)
        t->nodes = grow(L, NODES_UV, t->nodes, t->count, t->count + nodes, sizeof *t->nodes,
                        &t->node_room);
    if (t->words_used + words > t->word_room)
        t->words = grow(L, WORDS_UV, t->words, t->words_used, t->words_used + words,
                        sizeof *t->words, &t->word_room);
    if (running)
        lua_gc(L, LUA_GCRESTART);
}

static void freeze(const peri_state *s, const peri_array *a, bool tracked)
{
    peri_array *home = a->home;
    if (home->frozen >> 1 != s->epoch)
        home->frozen = s->epoch << 1;
    home->frozen |= tracked;
}

/* Makes y the result of a new node, whose words for operands are there already. */
static struct node *push_node(lua_State *L, peri_state *s, struct tape *t, peri_array *y)
{
    reserve(L, t, 1, y->ndim);
    struct node *n = &t->nodes[t->count++];
    *n = (struct node){
        .extent = (uint32_t)t->words_used, .slot = t->slots, .ndim = y->ndim, .dtype = y->dtype};
    for (int axis = 0; axis < y->ndim; axis++)
        t->words[t->words_used++] = y->shape[axis];
    y->node = s->last = t->origin + t->count;
    freeze(s, y, true);
    return n;
}

static uint32_t place_of(const peri_state *s, const struct tape *t, const peri_array *a)
{
    return a != NULL && peri_tracked(s, a) ? (uint32_t)(a->node - t->origin) : 0;
}

/* ---- refusing ---------------------------------------------------------------------------- */

static void refuse_tracked(lua_State *L, const peri_array *a)
{
    const peri_state *s = peri_getstate(L);
    if (s->held != 0 && a->node > s->held && a->node <= s->held_last)
        peri_raise(L,
                   "an array that a gradient is being taken of is used without being an argument "
                   "of the function; give it as one");
    if (!peri_tracked(s, a) ||
        (lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_KEY)) == (const void *)&peri_upvalues &&
         lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_RULE)) != NULL))
        return;
    peri_raise(L, "%s has no derivative here; a:detach() takes the value alone", peri_push_name(L));
}

/* The name of a function that keeps values of the memory at home. */
static const char *user_of(lua_State *L, const peri_array *home)
{
    const struct tape *t = get_tape(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    for (size_t i = 0; i < t->count; i++) {
        const struct node *n = &t->nodes[i];
        const uint32_t end = i + 1 < t->count ? n[1].slot : t->slots;
        for (uint32_t slot = n->slot; slot < end; slot++) {
            lua_rawgeti(L, -1, (lua_Integer)slot + 1);
            const peri_array *a = peri_peek_array(L, -1);
            lua_pop(L, 1);
            if (a != NULL && a->home == home && n->rule != NULL)
                return n->rule->name;
        }
    }
    return "the gradient";
}

static void refuse_write(lua_State *L, const peri_array *a)
{
    const uint64_t frozen = a->home->frozen;
    if (frozen >> 1 != peri_getstate(L)->epoch)
        return;
    if (frozen & 1)
        peri_raise(L, "cannot write to an array that a gradient is being taken of: "
                      "a:with({2, {}}, v) gives a new one, pg.stack joins rows");
    peri_raise(L,
               "cannot write to this array before the gradient is done: its value is needed "
               "(used by '%s')",
               user_of(L, a->home));
}

/* ---- recording --------------------------------------------------------------------------- */

/* A call to be recorded: its operands' nodes are at `word`, what is kept of its arguments at
 * `slot`. The function may put what it likes into its arguments' slots afterwards. */
struct call {
    const peri_rule *rule;
    uint64_t kept;
    uint32_t word, inputs, slot;
    int dtype, nargs;
};

/* Pushes a copy of the table at idx, tables inside it copied as well: the script may change its
 * own before the backward pass reads it. */
static void push_copy(lua_State *L, int idx, int depth)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, "tape");
    lua_createtable(L, (int)lua_rawlen(L, idx), 0);
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        if (lua_type(L, -1) == LUA_TTABLE && depth < 4) {
            push_copy(L, -1, depth + 1);
            lua_remove(L, -2);
        }
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
}

/* For a list of arrays: pushes where each ends along the axis that argument 2 names. */
static void push_ends(lua_State *L, bool joins)
{
    const lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    lua_Integer axis = 1, end = 0;
    if (lua_type(L, 2) == LUA_TNUMBER)
        axis = lua_tointeger(L, 2);
    lua_createtable(L, (int)count, 0);
    for (lua_Integer k = 1; k <= count; k++) {
        lua_rawgeti(L, 1, k);
        const peri_array *a = peri_peek_array(L, -1);
        lua_pop(L, 1);
        const lua_Integer at = a != NULL && axis < 0 ? axis + a->ndim + 1 : axis;
        end += a != NULL && joins && at >= 1 && at <= a->ndim ? (lua_Integer)a->shape[at - 1] : 1;
        lua_pushinteger(L, end);
        lua_rawseti(L, -2, k);
    }
}

/* Makes the number at idx an array without axes, of the dtype. */
static peri_array *number_to_array(lua_State *L, int idx, int dtype)
{
    idx = lua_absindex(L, idx);
    peri_array *a = peri_push_array(L, dtype, 0, NULL);
    const peri_view v = peri_view_of(a);
    peri_fill(&v, lua_tonumber(L, idx));
    lua_replace(L, idx);
    return a;
}

/* Operand j (from 0) of the call, or NULL. A list's are looked up in it. */
static peri_array *operand(lua_State *L, const peri_rule *rule, uint32_t j)
{
    if ((rule->flags & PERI_BIAS) != 0 && j == rule->operands) {
        lua_pushliteral(L, "bias");
        lua_rawget(L, (int)j + 1);
        peri_array *bias = peri_peek_array(L, -1);
        lua_pop(L, 1); /* the options keep it */
        return bias;
    }
    if ((rule->flags & PERI_LIST) == 0)
        return peri_peek_array(L, (int)j + 1);
    lua_rawgeti(L, 1, (lua_Integer)j + 1);
    peri_array *a = peri_peek_array(L, -1);
    lua_pop(L, 1); /* the list keeps it */
    return a;
}

static uint32_t count_operands(lua_State *L, const peri_rule *rule, int nargs)
{
    if (rule->flags & PERI_LIST)
        return lua_type(L, 1) == LUA_TTABLE ? (uint32_t)lua_rawlen(L, 1) : 0;
    if ((rule->flags & PERI_BIAS) != 0 && nargs > rule->operands &&
        lua_type(L, rule->operands + 1) == LUA_TTABLE)
        return rule->operands + 1u;
    return (uint32_t)(nargs < rule->operands ? nargs : rule->operands);
}

/* Remembers the line of the script for the node just made, and looks at its value. */
static void look(lua_State *L, struct tape *t, int idx, const char *name)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 8, "tape");
    push_tools(L);
    lua_rawgeti(L, -1, H_LOOK);
    lua_pushvalue(L, idx);
    lua_pushinteger(L, (lua_Integer)t->count);
    lua_pushstring(L, name);
    lua_call(L, 3, 0);
    lua_pop(L, 1);
}

/* Puts the value on top into the table of kept values. It is counted once it is there, so that
 * closing the tape writes to places that exist and needs no memory. */
static void keep(lua_State *L, struct tape *t, int table)
{
    lua_rawseti(L, table, (lua_Integer)t->slots + 1);
    t->slots++;
}

/* Notes what of the arguments 1..nargs the rule will want. */
static struct call prepare(lua_State *L, peri_state *s, struct tape *t, const peri_rule *rule,
                           int nargs)
{
    struct call c = {
        rule, 0, 0, count_operands(L, rule, nargs), t->slots, -1, nargs < 60 ? nargs : 60};
    luaL_checkstack(L, 8, "tape");
    reserve(L, t, 0, c.inputs);
    c.word = (uint32_t)t->words_used;
    t->words_used += c.inputs;
    for (uint32_t j = 0; j < c.inputs; j++) {
        const peri_array *a = operand(L, rule, j);
        t->words[c.word + j] = place_of(s, t, a);
        if (a != NULL) {
            const int dtype = peri_promote1(a->dtype);
            c.dtype = c.dtype < 0 ? dtype : peri_promote(c.dtype, dtype);
        }
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    const int table = lua_gettop(L);
    if (rule->keep & PERI_KEEP_RESULT) {
        c.kept |= 1;
        lua_pushboolean(L, false);
        keep(L, t, table);
    }
    for (int arg = 1; arg <= c.nargs; arg++) {
        const bool is_operand = arg <= rule->operands;
        const int type = lua_type(L, arg);
        if (type == LUA_TNIL)
            continue;
        if (is_operand && (rule->flags & PERI_LIST) != 0)
            push_ends(L, strcmp(rule->name, "concat") == 0);
        else if (is_operand && (rule->keep >> arg & 1) == 0)
            continue;
        else if (type == LUA_TTABLE && is_operand && (rule->flags & PERI_PLACE) == 0)
            peri_push_table(L, arg, "a", PERI_F64);
        else if (type == LUA_TTABLE)
            push_copy(L, arg, 0);
        else
            lua_pushvalue(L, arg);
        const peri_array *a = peri_peek_array(L, -1);
        if (a != NULL)
            freeze(s, a, false);
        c.kept |= (uint64_t)1 << arg;
        keep(L, t, table);
    }
    lua_settop(L, table - 1);
    return c;
}

/* Keeps the value on top as the result of the call, and pops it. */
static void keep_result(lua_State *L, const struct call *c)
{
    if (c->kept & 1) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
        lua_insert(L, -2);
        lua_rawseti(L, -2, (lua_Integer)c->slot + 1);
    }
    lua_pop(L, 1);
}

static void fill_node(struct node *n, const struct call *c)
{
    n->rule = c->rule;
    n->kept = c->kept;
    n->word = c->word;
    n->inputs = c->inputs;
    n->slot = c->slot;
    n->nargs = (uint8_t)c->nargs;
}

/* Several results, the values on top: a node for the call, and one for each of them. */
static void record_parts(lua_State *L, peri_state *s, struct tape *t, const struct call *c,
                         int results)
{
    const int first = lua_gettop(L) - results + 1;
    luaL_checkstack(L, 8, "tape");
    fill_node(push_node(L, s, t, peri_push_array(L, PERI_F64, 0, NULL)), c);
    lua_pop(L, 1);
    const uint32_t whole = (uint32_t)t->count;
    lua_createtable(L, results, 0);
    for (int k = 0; k < results; k++) {
        const bool real = lua_type(L, first + k) == LUA_TNUMBER && !lua_isinteger(L, first + k);
        peri_array *part =
            real ? number_to_array(L, first + k, c->dtype) : peri_peek_array(L, first + k);
        if (part != NULL && !peri_tracked(s, part)) {
            reserve(L, t, 0, 2);
            const uint32_t word = (uint32_t)t->words_used;
            t->words[t->words_used++] = whole;
            t->words[t->words_used++] = (uint32_t)k + 1;
            struct node *n = push_node(L, s, t, part);
            n->rule = &part_row;
            n->word = word;
            n->inputs = 1;
        }
        lua_pushvalue(L, first + k);
        lua_rawseti(L, -2, k + 1);
    }
    keep_result(L, c);
}

/* Records the results of the call, the values on top. */
static void finish(lua_State *L, peri_state *s, struct tape *t, const struct call *c, int results)
{
    if (c->rule->flags & PERI_SEVERAL) {
        record_parts(L, s, t, c, results);
        return;
    }
    peri_array *y = peri_peek_array(L, -1);
    if (y == NULL && lua_type(L, -1) == LUA_TNUMBER)
        y = number_to_array(L, -1, c->dtype);
    /* No array: such as the nil that ends ipairs. Tracked already: an operand given back. */
    if (y == NULL || peri_tracked(s, y))
        return;
    fill_node(push_node(L, s, t, y), c);
    if (c->kept & 1) {
        lua_pushvalue(L, -1);
        keep_result(L, c);
    }
    if (t->looking)
        look(L, t, -1, c->rule->name);
}

/* Whether one of the operands is tracked. */
static bool any_tracked(lua_State *L, const peri_state *s, const peri_rule *rule, int nargs)
{
    const uint32_t inputs = count_operands(L, rule, nargs);
    for (uint32_t j = 0; j < inputs; j++) {
        const peri_array *a = operand(L, rule, j);
        if (a != NULL && peri_tracked(s, a))
            return true;
    }
    return false;
}

/* Arguments after the operands have no rule; only an index or a mask may be tracked there. */
static void refuse_tracked_options(lua_State *L, const peri_state *s, const peri_rule *rule,
                                   int nargs)
{
    for (int arg = rule->operands + 1; arg <= nargs; arg++) {
        const peri_array *a = peri_peek_array(L, arg);
        if (a != NULL && arg == rule->out)
            peri_check_write(L, a);
        else if (a != NULL && peri_tracked(s, a) && (rule->flags & PERI_CONSTANT) == 0)
            peri_raise(L, "%s has no derivative by argument %d; a:detach() takes the value alone",
                       peri_push_name(L), arg);
    }
    if (nargs <= rule->operands || lua_type(L, nargs) != LUA_TTABLE)
        return;
    luaL_checkstack(L, 8, "options");
    lua_pushnil(L);
    while (lua_next(L, nargs)) {
        const peri_array *a = peri_peek_array(L, -1);
        lua_pop(L, 1);
        if (a == NULL || !peri_tracked(s, a) || lua_type(L, -1) != LUA_TSTRING)
            continue;
        const char *name = lua_tostring(L, -1);
        if (strcmp(name, "out") != 0 &&
            !((rule->flags & PERI_BIAS) != 0 && strcmp(name, "bias") == 0))
            peri_raise(L, "%s has no derivative by option %s; a:detach() takes the value alone",
                       peri_push_name(L), name);
    }
}

/* before: how many values lie on the stack before the result. */
static void refuse_out(lua_State *L, const peri_rule *rule, int nargs, int before)
{
    bool given = rule->out != 0 && rule->out <= before && !lua_isnil(L, rule->out) &&
                 lua_type(L, rule->out) != LUA_TTABLE;
    if (nargs > 1 && lua_type(L, nargs) == LUA_TTABLE) {
        lua_pushliteral(L, "out");
        given = lua_rawget(L, nargs) != LUA_TNIL || given;
        lua_pop(L, 1);
    }
    if (given)
        peri_error(L, "out: what a gradient is taken of goes into a new array");
}

static int record_direct(lua_State *L, const peri_rule *rule, int nargs)
{
    peri_state *s = peri_getstate(L);
    if ((rule->flags & PERI_READS) == 0 && any_tracked(L, s, rule, nargs)) {
        struct tape *t = get_tape(L);
        refuse_out(L, rule, nargs, lua_gettop(L) - 1);
        const struct call c = prepare(L, s, t, rule, nargs);
        finish(L, s, t, &c, 1);
    }
    return 1;
}

int peri_record(lua_State *L, int nargs)
{
    return record_direct(L, lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_RULE)), nargs);
}

int peri_record_as(lua_State *L, const char *name, int nargs)
{
    return record_direct(L, peri_find_rule(name), nargs);
}

static int record_call(lua_State *L, peri_state *s, lua_CFunction function)
{
    const peri_rule *rule = lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_RULE));
    const int nargs = lua_gettop(L);
    refuse_tracked_options(L, s, rule, nargs);
    if (!any_tracked(L, s, rule, nargs))
        return function(L);
    refuse_out(L, rule, nargs, nargs);
    if (rule->flags & PERI_COMPOSED) {
        luaL_checkstack(L, 4, "tape");
        push_tools(L);
        push_rule_of(L, -1, rule);
        lua_insert(L, 1);
        lua_settop(L, nargs + 1);
        lua_call(L, nargs, LUA_MULTRET);
        return lua_gettop(L);
    }
    struct tape *t = get_tape(L);
    const struct call c = prepare(L, s, t, rule, nargs);
    const int results = function(L);
    finish(L, s, t, &c, results);
    return results;
}

static int call_recorded(lua_State *L)
{
    lua_CFunction function;
    void *address = lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_CALL));
    memcpy(&function, &address, sizeof function);
    peri_state *s = lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_STATE));
    return __builtin_expect(s->base == s->last, 1) ? function(L) : record_call(L, s, function);
}

/* ---- the backward pass ------------------------------------------------------------------- */

/* A walk from one node down to the leaves. Of its stack, `cots` is the table of cotangents by node
 * (1: the first leaf), `help` what it calls, `kept` the values that were kept. */
struct walk {
    peri_state *s;
    struct tape *t;
    uint32_t low, leaves, high; /* nodes low .. low + leaves - 1 are the leaves */
    bool nested;                /* the pass is recorded itself */
    bool last;                  /* nobody will walk here again: values are let go */
    uint8_t *owned, *needed;    /* by node, from low on */
    int cots, help, kept;
    int slopes; /* the table of arrays that leaves' cotangents may be written into, or 0 */
};

static void push_help(lua_State *L, const struct walk *w, int which)
{
    lua_rawgeti(L, w->help, which);
}

/* Calls the help `which` with the array on top and a table of these extents; the result is on top.
 */
static void call_with_shape(lua_State *L, const struct walk *w, int which, int ndim,
                            const size_t *shape)
{
    push_help(L, w, which);
    lua_insert(L, -2);
    lua_createtable(L, ndim, 0);
    for (int axis = 0; axis < ndim; axis++) {
        lua_pushinteger(L, (lua_Integer)shape[axis]);
        lua_rawseti(L, -2, axis + 1);
    }
    lua_call(L, 2, 1);
}

/* Puts a view of those extents in the place of the array on top, which broadcasts to them. */
static void spread_to(lua_State *L, int ndim, const size_t *shape)
{
    const peri_array *g = peri_peek_array(L, -1);
    ptrdiff_t stride[PERI_MAX_NDIM];
    for (int axis = 0; axis < ndim; axis++) {
        const int own = axis - ndim + g->ndim;
        stride[axis] = own >= 0 && g->shape[own] == shape[axis] ? g->stride[own] : 0;
    }
    peri_push_view(L, -1, g->data, ndim, shape, stride);
    lua_remove(L, -2);
}

static bool broadcasts(const peri_array *g, int ndim, const size_t *shape)
{
    bool can = g->ndim <= ndim;
    for (int axis = ndim - g->ndim; axis < ndim && can; axis++)
        can =
            g->shape[axis - ndim + g->ndim] == shape[axis] || g->shape[axis - ndim + g->ndim] == 1;
    return can;
}

/* Sums the array on top over the axes that a node of that shape has not, or has with extent 1. */
static void sum_to(lua_State *L, const struct walk *w, int ndim, const size_t *shape)
{
    const peri_array *g = peri_peek_array(L, -1);
    const int dtype = g->dtype, more = g->ndim > ndim ? g->ndim - ndim : 0;
    size_t left[PERI_MAX_NDIM];
    int summed = 0, kept = 0;
    lua_createtable(L, 4, 0);
    for (int axis = 0; axis < g->ndim; axis++) {
        const int own = axis - g->ndim + ndim;
        const bool sum = axis < more || (shape[own] == 1 && g->shape[axis] != 1);
        if (axis >= more)
            left[kept++] = sum ? 1 : g->shape[axis];
        if (sum) {
            lua_pushinteger(L, axis + 1);
            lua_rawseti(L, -2, ++summed);
        }
    }
    if (summed == 0) {
        lua_pop(L, 1);
        return;
    }
    if (summed == 1) { /* one axis is quicker as a number */
        lua_rawgeti(L, -1, 1);
        lua_remove(L, -2);
    }
    push_help(L, w, H_SUM);
    lua_insert(L, -3);
    lua_call(L, 2, 1);
    if (lua_type(L, -1) == LUA_TNUMBER)
        number_to_array(L, -1, dtype);
    if (given_array(L)->ndim != kept)
        call_with_shape(L, w, H_RESHAPE, kept, left);
}

static bool has_shape(const peri_array *a, int ndim, const size_t *shape)
{
    return a->ndim == ndim &&
           (ndim == 0 || memcmp(a->shape, shape, (size_t)ndim * sizeof *shape) == 0);
}

/* Makes of the number or array on top one of the node's shape and dtype: summed over axes that
 * broadcasting put in, spread over those that a sum took away. Returns NULL, having popped it,
 * where it is nil or false. */
static peri_array *fit(lua_State *L, const struct walk *w, uint32_t at)
{
    const struct node n = w->t->nodes[at - 1];
    if (lua_type(L, -1) == LUA_TNUMBER)
        number_to_array(L, -1, n.dtype);
    peri_array *g = peri_peek_array(L, -1);
    if (g == NULL) {
        if (lua_toboolean(L, -1))
            peri_raise(L, "a gradient is %s, expected array or number", peri_push_got(L, -1));
        lua_pop(L, 1);
        return NULL;
    }
    if (!has_shape(g, n.ndim, w->t->words + n.extent)) {
        size_t shape[PERI_MAX_NDIM];
        luaL_checkstack(L, PERI_MAX_NDIM + 8, "gradient");
        memcpy(shape, w->t->words + n.extent, n.ndim * sizeof *shape);
        sum_to(L, w, n.ndim, shape);
        g = given_array(L);
        if (!w->nested && broadcasts(g, n.ndim, shape))
            spread_to(L, n.ndim, shape);
        else if (!has_shape(g, n.ndim, shape))
            call_with_shape(L, w, H_BROADCAST, n.ndim, shape);
        g = given_array(L);
    }
    if (g->dtype != n.dtype) {
        push_help(L, w, H_ASTYPE);
        lua_insert(L, -2);
        lua_pushstring(L, peri_dtype_name(n.dtype));
        lua_call(L, 2, 1);
        g = given_array(L);
    }
    return g;
}

/* Adds the value on top to the cotangent of a node, and pops it. fresh: nobody else has it. */
static void contribute(lua_State *L, const struct walk *w, uint32_t at, bool fresh)
{
    if (at < w->low || (w->needed != NULL && !w->needed[at - w->low])) {
        lua_pop(L, 1);
        return;
    }
    const peri_array *before = peri_peek_array(L, -1);
    const peri_array *g = fit(L, w, at);
    if (g == NULL)
        return;
    fresh = (fresh || g != before) && g->home == g;
    const lua_Integer key = at - w->low + 1;
    uint8_t *owned = &w->owned[at - w->low];
    if (lua_rawgeti(L, w->cots, key) == LUA_TNIL) {
        lua_pop(L, 1);
        *owned = fresh;
    } else {
        /* g, h: h + g, into whichever is our own */
        push_help(L, w, H_ADD);
        lua_insert(L, -3);
        int args = 2;
        if (!w->nested && (*owned || fresh)) {
            lua_pushvalue(L, *owned ? -1 : -2);
            args = 3;
        }
        *owned = true;
        lua_call(L, args, 1);
        given_array(L);
    }
    lua_rawseti(L, w->cots, key);
}

/* Pushes an array of the node's shape and dtype without elements of its own, for rules that want
 * the shape of an operand. */
static void push_shape_of(lua_State *L, const struct walk *w, uint32_t at)
{
    const struct node *n = &w->t->nodes[at - 1];
    size_t shape[PERI_MAX_NDIM];
    static const ptrdiff_t stride[PERI_MAX_NDIM];
    for (int axis = 0; axis < n->ndim; axis++)
        shape[axis] = w->t->words[n->extent + (uint32_t)axis];
    peri_array *zero = peri_push_zeros(L, n->dtype, 0, NULL);
    peri_push_view(L, -1, zero->data, n->ndim, shape, stride);
    lua_remove(L, -2);
}

/* Pushes what a rule is given after the cotangent: the result and the arguments, nil for what was
 * not kept, but for operand `of` (0: none) then an array of its shape. */
static int push_kept(lua_State *L, const struct walk *w, const struct node *n, uint32_t of)
{
    luaL_checkstack(L, n->nargs + 8, "gradient");
    uint32_t slot = n->slot;
    for (int k = 0; k <= n->nargs; k++) {
        if (n->kept >> k & 1)
            lua_rawgeti(L, w->kept, (lua_Integer)++slot);
        else if (k > 0 && (uint32_t)k == of)
            push_shape_of(L, w, (uint32_t)w->t->words[n->word + of - 1]);
        else
            lua_pushnil(L);
    }
    return n->nargs + 1;
}

/* Whether nobody but the caller has the value on top: not the cotangent, nothing that was kept. */
static bool is_fresh(lua_State *L, const struct walk *w, const struct node *n, int g)
{
    if (lua_rawequal(L, -1, g))
        return false;
    uint32_t slot = n->slot;
    bool fresh = true;
    for (int k = 0; k <= n->nargs && fresh; k++)
        if (n->kept >> k & 1) {
            lua_rawgeti(L, w->kept, (lua_Integer)++slot);
            fresh = !lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
        }
    return fresh;
}

/* The operand that is a region: its cotangent is made, and g added into the place. Returns false
 * where that must be done by the rule. With g at `g` and the node's rule table on top. */
static bool add_region(lua_State *L, const struct walk *w, const struct node *n, int g)
{
    const uint32_t at = (uint32_t)w->t->words[n->word];
    if (w->nested || at < w->low)
        return at < w->low;
    const lua_Integer key = at - w->low + 1;
    const int type = lua_rawgeti(L, w->cots, key);
    if (type == LUA_TNIL || !w->owned[at - w->low]) {
        const struct node *parent = &w->t->nodes[at - 1];
        size_t shape[PERI_MAX_NDIM];
        for (int axis = 0; axis < parent->ndim; axis++)
            shape[axis] = w->t->words[parent->extent + (uint32_t)axis];
        if (type == LUA_TNIL)
            peri_push_zeros(L, parent->dtype, parent->ndim, shape);
        else
            peri_push_copy(L, given_array(L), -1);
        lua_replace(L, -2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, w->cots, key);
        w->owned[at - w->low] = true;
    }
    lua_rawgeti(L, -2, 2);
    lua_insert(L, -2);
    lua_pushvalue(L, g);
    const int args = push_kept(L, w, n, 0);
    lua_call(L, args + 2, 0);
    return true;
}

/* The rule of a product, where the pass is not recorded. A square's two halves are one product. */
static void step_product(lua_State *L, const struct walk *w, const struct node *n, int g)
{
    const uint32_t to[2] = {(uint32_t)w->t->words[n->word], (uint32_t)w->t->words[n->word + 1]};
    for (int j = 0; j < 2; j++) {
        if (to[j] < w->low)
            continue;
        push_help(L, w, H_MUL);
        lua_pushvalue(L, g);
        lua_rawgeti(L, w->kept, (lua_Integer)n->slot + 2 - j);
        lua_call(L, 2, 1);
        given_array(L);
        const bool square = j == 0 && to[0] == to[1];
        if (square) {
            push_help(L, w, H_ADD);
            lua_insert(L, -2);
            lua_pushvalue(L, -1);
            lua_pushvalue(L, -1);
            lua_call(L, 3, 1);
        }
        contribute(L, w, to[j], true);
        if (square)
            return;
    }
}

/* Pushes the array that the cotangent of that leaf may be written into as it is made, or returns
 * false: nothing may be there yet, and the gradient must not need what the array holds. */
static bool push_slope(lua_State *L, const struct walk *w, uint32_t leaf)
{
    const lua_Integer key = leaf - w->low + 1;
    const bool open = lua_rawgeti(L, w->cots, key) == LUA_TNIL;
    lua_pop(L, 1);
    if (!open)
        return false;
    lua_rawgeti(L, w->slopes, key);
    const struct node *n = &w->t->nodes[leaf - 1];
    const peri_array *to = peri_peek_array(L, -1);
    if (to != NULL && to->dtype == n->dtype && has_shape(to, n->ndim, w->t->words + n->extent) &&
        peri_is_contiguous(to) && to->home->frozen >> 1 != w->s->epoch)
        return true;
    lua_pop(L, 1);
    return false;
}

/* Calls what the rule on the stack has to make operand j's cotangent in place, a leaf's that is not
 * the first (which is all of a net); returns whether that was done. */
static bool step_into(lua_State *L, const struct walk *w, const struct node *n, int rule, int g,
                      uint32_t j, uint32_t leaf)
{
    if (w->slopes == 0 || leaf == w->low || leaf - w->low >= w->leaves)
        return false;
    lua_pushliteral(L, "into");
    bool done = lua_rawget(L, rule) == LUA_TTABLE;
    if (done) {
        done = lua_rawgeti(L, -1, (lua_Integer)j) == LUA_TFUNCTION && push_slope(L, w, leaf);
        if (done) {
            const int to = lua_gettop(L);
            lua_pushvalue(L, to - 1);
            lua_pushvalue(L, to);
            lua_pushvalue(L, g);
            const int args = push_kept(L, w, n, 0);
            lua_call(L, args + 2, 1);
            done = lua_toboolean(L, -1);
            if (done) {
                lua_pushvalue(L, to);
                lua_rawseti(L, w->cots, leaf - w->low + 1);
                w->owned[leaf - w->low] = true;
            }
        }
    }
    lua_settop(L, rule);
    return done;
}

/* Sends the cotangent on top, which it pops, from a node to the node's operands. */
static void step(lua_State *L, const struct walk *w, uint32_t at)
{
    const struct node n = w->t->nodes[at - 1];
    const int g = lua_gettop(L);
    if (n.rule == &alias_row) {
        lua_pushvalue(L, g);
        contribute(L, w, (uint32_t)w->t->words[n.word], false);
        lua_settop(L, g - 1);
        return;
    }
    if (n.rule == &part_row) {
        const uint32_t whole = (uint32_t)w->t->words[n.word];
        const lua_Integer key = whole - w->low + 1;
        if (whole >= w->low) {
            if (lua_rawgeti(L, w->cots, key) == LUA_TNIL) {
                lua_newtable(L);
                lua_pushvalue(L, -1);
                lua_rawseti(L, w->cots, key);
                lua_replace(L, -2);
            }
            if (!lua_istable(L, -1))
                peri_raise(L, "a gradient is %s, expected a list", peri_push_got(L, -1));
            lua_pushvalue(L, g);
            lua_rawseti(L, -2, (lua_Integer)w->t->words[n.word + 1]);
        }
        lua_settop(L, g - 1);
        return;
    }
    if ((n.rule->flags & PERI_PRODUCT) != 0 && !w->nested) {
        step_product(L, w, &n, g);
        lua_settop(L, g - 1);
        return;
    }
    if ((n.rule->flags & PERI_SPREADS) != 0 && n.nargs == 1) {
        contribute(L, w, (uint32_t)w->t->words[n.word], false);
        lua_settop(L, g - 1);
        return;
    }
    if (n.rule == &attached_row) {
        lua_rawgeti(L, w->kept, (lua_Integer)n.slot + 1);
    } else {
        push_rule_of(L, w->help, n.rule);
    }
    const int rule = lua_gettop(L);
    if (lua_type(L, rule) == LUA_TFUNCTION) { /* a gradient for each operand at once */
        lua_pushvalue(L, rule);
        lua_pushvalue(L, g);
        const int args = push_kept(L, w, &n, 0);
        luaL_checkstack(L, (int)n.inputs + 8, "gradient");
        lua_call(L, args + 1, (int)n.inputs);
        for (uint32_t j = n.inputs; j >= 1; j--) {
            const uint32_t to = (uint32_t)w->t->words[n.word + j - 1];
            if (to == 0)
                lua_pop(L, 1);
            else
                contribute(L, w, to, n.rule != &attached_row && is_fresh(L, w, &n, g));
        }
    } else if ((n.rule->flags & PERI_REGION) == 0 || !lua_istable(L, rule) ||
               !add_region(L, w, &n, g)) {
        for (uint32_t j = 1; j <= n.inputs; j++) {
            const uint32_t to = (uint32_t)w->t->words[n.word + j - 1];
            if (to < w->low || (w->needed != NULL && !w->needed[to - w->low]))
                continue;
            if (lua_type(L, rule) == LUA_TBOOLEAN) {
                lua_pushvalue(L, g); /* passes as it is */
                contribute(L, w, to, false);
                continue;
            }
            const bool list = (n.rule->flags & PERI_LIST) != 0;
            if (step_into(L, w, &n, rule, g, j, to))
                continue;
            lua_rawgeti(L, rule, list ? 1 : (lua_Integer)j);
            if (lua_type(L, -1) == LUA_TBOOLEAN) {
                lua_pushvalue(L, lua_toboolean(L, -1) ? g : lua_gettop(L));
                if (lua_toboolean(L, -2))
                    contribute(L, w, to, false);
                lua_settop(L, rule);
                continue;
            }
            lua_pushvalue(L, g);
            int args = push_kept(L, w, &n, list ? 0 : j);
            if (list) {
                lua_pushinteger(L, (lua_Integer)j);
                lua_insert(L, -args - 1);
                args++;
            }
            lua_call(L, args + 1, 1);
            contribute(L, w, to, is_fresh(L, w, &n, g));
        }
    }
    lua_settop(L, g - 1);
}

static void *push_bytes(lua_State *L, size_t bytes)
{
    void *p = lua_newuserdatauv(L, bytes, 0);
    memset(p, 0, bytes);
    return p;
}

/* Marks the nodes that lead to a leaf; within another gradient not every one does. */
static uint8_t *push_needed(lua_State *L, const struct walk *w)
{
    uint8_t *needed = push_bytes(L, w->high - w->low + 1);
    memset(needed, 1, w->leaves < w->high - w->low + 1 ? w->leaves : w->high - w->low + 1);
    for (uint32_t at = w->low + w->leaves; at <= w->high; at++) {
        const struct node *n = &w->t->nodes[at - 1];
        for (uint32_t j = 0; j < n->inputs; j++) {
            const uint32_t from = (uint32_t)w->t->words[n->word + j];
            needed[at - w->low] |= from >= w->low && needed[from - w->low];
        }
    }
    return needed;
}

/* Walks from y to the leaves low .. low + leaves - 1 and leaves the table of cotangents on top, by
 * leaf from 1. The seed is at that index, 0: ones; slopes likewise, 0: none. last: nobody will walk
 * here again. */
static void walk_back(lua_State *L, const peri_array *y, uint32_t low, uint32_t leaves, int seed,
                      bool last, int slopes)
{
    enum { FEW = 256 };
    uint8_t few[FEW] = {0};
    struct walk w = {.s = peri_getstate(L), .t = get_tape(L), .low = low, .leaves = leaves};
    w.last = last;
    w.nested = w.s->base != w.s->last;
    w.slopes = w.nested ? 0 : slopes;
    w.high = (uint32_t)(y->node - w.t->origin);
    luaL_checkstack(L, 20, "gradient");
    lua_createtable(L, (int)(w.high >= w.low ? w.high - w.low + 1 : 0), 0);
    w.cots = lua_gettop(L);
    if (w.high < w.low)
        return;
    push_tools(L);
    w.help = lua_gettop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    w.kept = lua_gettop(L);
    w.owned = w.high - w.low < FEW ? few : push_bytes(L, w.high - w.low + 1);
    if (w.nested)
        w.needed = push_needed(L, &w);
    if (seed == 0) {
        peri_array *one = peri_push_array(L, y->dtype, y->ndim, y->shape);
        const peri_view v = peri_view_of(one);
        peri_fill(&v, 1);
    } else {
        lua_pushvalue(L, seed);
    }
    lua_rawseti(L, w.cots, w.high - w.low + 1);
    for (uint32_t at = w.high; at >= w.low + w.leaves; at--) {
        const struct node n = w.t->nodes[at - 1];
        const lua_Integer key = at - w.low + 1;
        if (lua_rawgeti(L, w.cots, key) == LUA_TNIL || n.rule == NULL) {
            lua_pop(L, 1);
        } else {
            lua_pushboolean(L, false);
            lua_rawseti(L, w.cots, key);
            step(L, &w, at);
        }
        if (w.last) {
            uint32_t slot = n.slot;
            for (int k = 0; k <= n.nargs; k++)
                if (n.kept >> k & 1) {
                    lua_pushboolean(L, false);
                    lua_rawseti(L, w.kept, (lua_Integer)++slot);
                }
        }
    }
    if (!w.nested) /* a leaf's gradient belongs to the caller alone */
        for (uint32_t k = 1; k <= w.leaves && w.low + k - 1 <= w.high; k++) {
            if (lua_rawgeti(L, w.cots, k) != LUA_TNIL && !w.owned[k - 1]) {
                peri_push_copy(L, given_array(L), -1);
                lua_rawseti(L, w.cots, k);
            }
            lua_pop(L, 1);
        }
    lua_settop(L, w.cots);
}

/* backward(y, first, count, seed or nil, last [, slopes]) -> table of the cotangents of the leaves
 * first .. first + count - 1, by number from 1; some may be written into the arrays of the list
 * `slopes`, and are these then */
static int tape_backward(lua_State *L)
{
    lua_settop(L, 6);
    const peri_array *y = peri_peek_array(L, 1);
    const struct tape *t = get_open(L);
    const lua_Integer low = luaL_checkinteger(L, 2), leaves = luaL_checkinteger(L, 3);
    if (y == NULL || y->node <= t->origin || y->node - t->origin > t->count || low < 1 ||
        leaves < 1 || leaves > (lua_Integer)t->count || low > (lua_Integer)t->count - leaves + 1)
        peri_error(L, "expected an array and leaves of this gradient");
    const peri_array *seed = peri_peek_array(L, 4);
    if (!lua_isnil(L, 4) && (seed == NULL || !has_shape(seed, y->ndim, y->shape)))
        peri_error(L, "the seed is %s, expected %s", peri_push_got(L, 4), peri_push_got(L, 1));
    walk_back(L, y, (uint32_t)low, (uint32_t)leaves, lua_isnil(L, 4) ? 0 : 4, lua_toboolean(L, 5),
              lua_istable(L, 6) ? 6 : 0);
    return 1;
}

/* gradient(loss, at) -> the cotangent of the leaf there, whether this is the outermost gradient;
 * nothing where the loss is no tracked array without axes, or does not depend on the leaf */
static int tape_gradient(lua_State *L)
{
    peri_state *s = peri_getstate(L);
    const struct tape *t = get_open(L);
    const peri_array *loss = peri_peek_array(L, 1);
    const lua_Integer at = luaL_checkinteger(L, 2);
    if (at < 1)
        peri_error(L, "expected a leaf of this gradient");
    if (loss == NULL || loss->ndim > 0 || (lua_Integer)place_of(s, t, loss) < at)
        return 0;
    const bool outermost = t->depth == 1;
    if (outermost)
        s->base = s->last;
    walk_back(L, loss, (uint32_t)at, 1, 0, outermost, 0);
    lua_rawgeti(L, -1, 1);
    lua_pushboolean(L, outermost);
    return 2;
}

/* ---- opening and closing ----------------------------------------------------------------- */

/* A message of Lua's own, said in the words of gradients. */
static void explain(lua_State *L)
{
    if (lua_type(L, -1) != LUA_TSTRING)
        return;
    const char *message = lua_tostring(L, -1);
    if (strstr(message, "attempt to yield across a C-call boundary") != NULL)
        luaL_gsub(L, message, "attempt to yield across a C-call boundary",
                  "attempt to yield across a gradient");
    else if (strstr(message, "number expected, got array)") != NULL)
        luaL_gsub(L, message, "number expected, got array)",
                  "expected number, got array: inside a gradient a:item() is the value)");
    else
        return;
    lua_remove(L, -2);
}

static void close_tape(lua_State *L, peri_state *s, struct tape *t)
{
    enum { MOST = 1 << 16 };
    s->base = s->last;
    s->epoch++;
    t->looking = false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    for (uint32_t slot = 1; slot <= t->slots; slot++) {
        lua_pushboolean(L, false);
        lua_rawseti(L, -2, (lua_Integer)slot);
    }
    lua_pop(L, 1);
    t->count = t->words_used = t->slots = 0;
    if (t->node_room > MOST || t->word_room > MOST) { /* a long tape is not kept for a short one */
        lua_rawgetp(L, LUA_REGISTRYINDEX, &tape_key);
        for (int uv = NODES_UV; uv <= WORDS_UV; uv++) {
            lua_pushnil(L);
            lua_setiuservalue(L, -2, uv);
        }
        lua_pop(L, 1);
        t->node_room = t->word_room = 0;
        t->nodes = NULL;
        t->words = NULL;
    }
}

/* run(body, ...) -> what body(...) returns, with a gradient open meanwhile */
static int tape_run(lua_State *L)
{
    peri_state *s = peri_getstate(L);
    struct tape *t = get_tape(L);
    const uint64_t base = s->base;
    const bool fresh = s->base == s->last;
    luaL_checkany(L, 1);
    luaL_checkstack(L, 8, "gradient");
    if (t->depth == 0)
        t->origin = s->last;
    t->depth++;
    const int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    t->depth--;
    if (t->depth == 0)
        close_tape(L, s, t);
    else
        s->base = fresh ? s->last : base;
    if (status != LUA_OK) {
        explain(L);
        return lua_error(L);
    }
    return lua_gettop(L);
}

/* settle(): what was recorded stays on the tape, but nothing is tracked any more: so that the
 * backward pass of the outermost gradient is not recorded itself. */
static int tape_settle(lua_State *L)
{
    peri_state *s = peri_getstate(L);
    s->base = s->last;
    return 0;
}

/* pause(f, ...) -> what f(...) returns; nothing is tracked meanwhile, and arrays that were are
 * refused: f may use them only as arguments, which the caller has detached. */
static int tape_pause(lua_State *L)
{
    peri_state *s = peri_getstate(L);
    const uint64_t base = s->base, held = s->held, held_last = s->held_last;
    luaL_checkany(L, 1);
    if (s->held == 0)
        s->held = base;
    s->held_last = s->last;
    s->base = s->last;
    const int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    s->base = get_tape(L)->depth == 0 ? s->last : base;
    s->held = held;
    s->held_last = held_last;
    if (status != LUA_OK)
        return lua_error(L);
    return lua_gettop(L);
}

static void refuse_dtype(lua_State *L, const peri_array *a)
{
    if (!peri_is_real(a->dtype))
        peri_error(L, "expected f64 or f32, got %s", peri_dtype_name(a->dtype));
}

static lua_Integer make_leaf(lua_State *L, peri_array *leaf, uint32_t from)
{
    peri_state *s = peri_getstate(L);
    struct tape *t = get_open(L);
    reserve(L, t, 0, 1);
    const uint32_t word = (uint32_t)t->words_used;
    if (from != 0)
        t->words[t->words_used++] = from;
    struct node *n = push_node(L, s, t, leaf);
    if (from != 0) {
        n->rule = &alias_row;
        n->word = word;
        n->inputs = 1;
    }
    return (lua_Integer)t->count;
}

/* leaf(a) -> a view of a that is a leaf, its place on the tape. Where an outer gradient tracks a,
 * the leaf is made of it. A number makes an array without axes. */
static int tape_leaf(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TNUMBER)
        number_to_array(L, 1, PERI_F64);
    const peri_array *a = peri_peek_array(L, 1);
    if (a == NULL)
        peri_argerror(L, 1, "a: expected array, got %s", peri_push_got(L, 1));
    refuse_dtype(L, a);
    const uint32_t from = place_of(peri_getstate(L), get_tape(L), a);
    peri_array *v = peri_push_view(L, 1, a->data, a->ndim, a->shape, a->stride);
    lua_pushinteger(L, make_leaf(L, v, from));
    return 2;
}

/* mark(a) -> its place, and the node it had: the array itself becomes a leaf */
static int tape_mark(lua_State *L)
{
    peri_array *a = peri_peek_array(L, 1);
    if (a == NULL)
        peri_argerror(L, 1, "a: expected array, got %s", peri_push_got(L, 1));
    refuse_dtype(L, a);
    const uint64_t before = a->node;
    lua_pushinteger(L, make_leaf(L, a, place_of(peri_getstate(L), get_tape(L), a)));
    lua_pushinteger(L, (lua_Integer)before);
    return 2;
}

/* marks(list) -> the place of the first: the arrays themselves become leaves, one after another */
static int tape_marks(lua_State *L)
{
    const peri_state *s = peri_getstate(L);
    const struct tape *t = get_tape(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    lua_Integer first = 0;
    for (lua_Integer k = 1; k <= count; k++) {
        lua_rawgeti(L, 1, k);
        peri_array *a = peri_peek_array(L, -1);
        if (a == NULL)
            peri_argerror(L, 1, "list: expected arrays, got %s", peri_push_got(L, -1));
        refuse_dtype(L, a);
        const lua_Integer at = make_leaf(L, a, place_of(s, t, a));
        first = k == 1 ? at : first;
        lua_pop(L, 1);
    }
    lua_pushinteger(L, first);
    return 1;
}

/* deliver(cotangents, list) -> whether all of the list but the first were given their cotangent,
 * and the first has none */
static int tape_deliver(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    const lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    bool all = lua_rawgeti(L, 1, 1) == LUA_TNIL;
    for (lua_Integer k = 2; k <= count && all; k++) {
        lua_rawgeti(L, 1, k);
        lua_rawgeti(L, 2, k);
        const peri_array *g = peri_peek_array(L, -2), *to = peri_peek_array(L, -1);
        all = g != NULL && to != NULL && has_shape(g, to->ndim, to->shape);
        if (all && g != to) {
            const peri_view from = peri_view_of(g), there = peri_view_of(to);
            peri_check_write(L, to);
            peri_copy(&there, &from);
        }
        lua_settop(L, 2);
    }
    lua_pushboolean(L, all);
    return 1;
}

/* unmark(a, node): gives it the node that it had */
static int tape_unmark(lua_State *L)
{
    peri_array *a = peri_peek_array(L, 1);
    const lua_Integer node = luaL_checkinteger(L, 2);
    if (node < 0 || (uint64_t)node > peri_getstate(L)->last)
        peri_argerror(L, 2, "node: there is no %I", (LUAI_UACINT)node);
    if (a != NULL)
        a->node = (uint64_t)node;
    return 0;
}

/* node(a) -> its place on the tape, 0 where it is not tracked */
static int tape_node(lua_State *L)
{
    const peri_state *s = peri_getstate(L);
    lua_pushinteger(L, place_of(s, get_tape(L), peri_peek_array(L, 1)));
    return 1;
}

/* plain(...) -> ...; arrays of this tape without axes are numbers */
static int tape_plain(lua_State *L)
{
    const struct tape *t = get_tape(L);
    const int n = lua_gettop(L);
    for (int k = 1; k <= n; k++) {
        const peri_array *a = peri_peek_array(L, k);
        if (a != NULL && a->ndim == 0 && a->node > t->origin) {
            lua_pushnumber(L, peri_read(a->dtype, a->data));
            lua_replace(L, k);
        }
    }
    return n;
}

/* place(view, of) -> the position in `of`, from 1, of the view's first element; nil where the view
 * is not a piece of it */
static int tape_place(lua_State *L)
{
    const peri_array *v = peri_peek_array(L, 1), *of = peri_peek_array(L, 2);
    if (v == NULL || of == NULL || v->dtype != of->dtype || !peri_is_contiguous(v) ||
        !peri_is_contiguous(of))
        return 0;
    const ptrdiff_t at = (const char *)v->data - (const char *)of->data;
    const ptrdiff_t width = (ptrdiff_t)peri_dtype_size(v->dtype);
    if (at < 0 || at / width + (ptrdiff_t)v->size > (ptrdiff_t)of->size)
        return 0;
    lua_pushinteger(L, at / width + 1);
    return 1;
}

/* open() -> how many gradients are open, how many nodes there are */
static int tape_open(lua_State *L)
{
    const struct tape *t = get_tape(L);
    lua_pushinteger(L, t->depth);
    lua_pushinteger(L, (lua_Integer)t->count);
    return 2;
}

static void freeze_values(lua_State *L, const peri_state *s, int idx, int depth)
{
    const peri_array *a = peri_peek_array(L, idx);
    if (a != NULL)
        freeze(s, a, false);
    if (lua_type(L, idx) != LUA_TTABLE || depth > 4)
        return;
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 4, "tape");
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        freeze_values(L, s, -1, depth + 1);
        lua_pop(L, 1);
    }
}

/* attach(rule, saved, operands, y, ...) -> y, ...: the results as made of the operands, a list,
 * where one of these is tracked. rule(g, saved) gives a gradient for each operand; g is a list of
 * the cotangents of the results, nil for those that the loss does not depend on. Arrays are given
 * back as views; numbers become arrays without axes. What saved holds must not change. */
static int tape_attach(lua_State *L)
{
    peri_state *s = peri_getstate(L);
    struct tape *t = get_tape(L);
    luaL_checktype(L, 3, LUA_TTABLE);
    const int results = lua_gettop(L) - 3;
    const uint32_t inputs = (uint32_t)lua_rawlen(L, 3);
    luaL_checkstack(L, 8, "tape");
    reserve(L, t, 0, inputs);
    struct call c = {
        &attached_row, 1 << 1 | 1 << 2, (uint32_t)t->words_used, inputs, t->slots, PERI_F64, 2};
    uint32_t any = 0;
    for (uint32_t j = 0; j < inputs; j++) {
        lua_rawgeti(L, 3, (lua_Integer)j + 1);
        const uint32_t at = place_of(s, t, peri_peek_array(L, -1));
        t->words[c.word + j] = at;
        any |= at;
        lua_pop(L, 1);
    }
    if (any == 0)
        return results;
    t->words_used += inputs;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    for (int k = 1; k <= 2; k++) {
        lua_pushvalue(L, k);
        keep(L, t, -2);
    }
    lua_pop(L, 1);
    freeze_values(L, s, 2, 0);
    for (int k = 4; k < 4 + results; k++) {
        const peri_array *a = peri_peek_array(L, k);
        if (a != NULL) {
            peri_push_view(L, k, a->data, a->ndim, a->shape, a->stride);
            lua_replace(L, k);
        }
    }
    record_parts(L, s, t, &c, results);
    return results;
}

/* tools(list): what the walk calls, in the order of H_RULES and on */
static int tape_tools(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &help_key) != LUA_TNIL)
        peri_error(L, "they are set already");
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &help_key);
    return 0;
}

/* rows() -> {name = index}, of all functions that are recorded */
static int tape_rows(lua_State *L)
{
    lua_newtable(L);
    const peri_rule *rule;
    for (int k = 1; (rule = peri_rule_at(k)) != NULL; k++)
        if ((rule->flags & PERI_READS) == 0) {
            lua_pushinteger(L, k);
            lua_setfield(L, -2, rule->name);
        }
    return 1;
}

/* recording() -> whether anything is tracked */
static int tape_recording(lua_State *L)
{
    const peri_state *s = peri_getstate(L);
    lua_pushboolean(L, s->base != s->last);
    return 1;
}

/* looking(on): whether the first NaN is looked for until the tape is closed */
static int tape_looking(lua_State *L)
{
    get_tape(L)->looking = lua_toboolean(L, 1);
    return 0;
}

const peri_guard peri_tape_guard = {call_recorded, refuse_tracked, refuse_write};

PERI_OPENER(tape)
{
    static const luaL_Reg functions[] = {{"run", tape_run},
                                         {"settle", tape_settle},
                                         {"pause", tape_pause},
                                         {"leaf", tape_leaf},
                                         {"mark", tape_mark},
                                         {"unmark", tape_unmark},
                                         {"node", tape_node},
                                         {"open", tape_open},
                                         {"attach", tape_attach},
                                         {"tools", tape_tools},
                                         {"backward", tape_backward},
                                         {"gradient", tape_gradient},
                                         {"rows", tape_rows},
                                         {"looking", tape_looking},
                                         {"marks", tape_marks},
                                         {"deliver", tape_deliver},
                                         {"recording", tape_recording},
                                         {"plain", tape_plain},
                                         {"place", tape_place},
                                         {NULL, NULL}};
    struct tape *t = lua_newuserdatauv(L, sizeof *t, WORDS_UV);
    memset(t, 0, sizeof *t);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tape_key);
    peri_getstate(L)->tape = t;
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kept_key);
    lua_newtable(L);
    peri_set_functions(L, functions, PERI_FUNCTION);
    return 1;
}

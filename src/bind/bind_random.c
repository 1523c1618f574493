/* SPDX-License-Identifier: MIT
 *
 * pg.random: generators as objects. The streams are NumPy's (kernel/random.h). */
#include "bind/bind_random.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Their addresses are the registry's keys of the two metatables. */
static const char new_meta, legacy_meta;

/* Numbers drawn between two looks at the interrupt flag. */
enum { POLL = 1 << 20 };

/* A double holds every integer up to this. */
#define EXACT ((lua_Integer)1 << 53)

static peri_rng *test_rng(lua_State *L, int idx)
{
    peri_rng *rng = lua_touserdata(L, idx);
    if (rng == NULL || lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &new_meta);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &legacy_meta);
    const bool same = lua_rawequal(L, -3, -2) || lua_rawequal(L, -3, -1);
    lua_pop(L, 3);
    return same && lua_rawlen(L, idx) >= sizeof *rng ? rng : NULL;
}

peri_rng *peri_arg_rng(lua_State *L, int arg)
{
    peri_rng *rng = test_rng(L, arg);
    if (rng == NULL)
        peri_argerror(L, arg, "rng: expected a generator such as pg.random.new(seed), got %s",
                      peri_push_got(L, arg));
    return rng;
}

static peri_rng *push_rng(lua_State *L, const char *meta)
{
    peri_rng *rng = lua_newuserdatauv(L, sizeof *rng, 0);
    memset(rng, 0, sizeof *rng);
    lua_rawgetp(L, LUA_REGISTRYINDEX, meta);
    lua_setmetatable(L, -2);
    return rng;
}

/* ---- seeds ---------------------------------------------------------------------------------- */

/* The non-negative integer at idx; -1 where it is none. */
static lua_Integer whole(lua_State *L, int idx)
{
    int exact;
    const lua_Integer value = lua_tointegerx(L, idx, &exact);
    return lua_type(L, idx) == LUA_TNUMBER && exact ? value : -1;
}

static void refuse_seed(lua_State *L, int idx, const char *wanted)
{
    if (lua_isnoneornil(L, idx))
        peri_argerror(L, 1,
                      "seed: expected %s, got no value; a stream that is to be repeated "
                      "needs one",
                      wanted);
    peri_argerror(L, 1, "seed: expected %s, got %s", wanted, peri_push_got(L, idx));
}

static void absorb_seed(lua_State *L, int idx, peri_seeds *seeds)
{
    static const char wanted[] = "an integer of at least 0";
    if (lua_type(L, idx) == LUA_TSTRING) {
        enum { WORDS = 256 };
        uint32_t words[WORDS];
        const size_t n = peri_seeds_parse(lua_tostring(L, idx), words, WORDS);
        if (n == 0)
            refuse_seed(L, idx, "an integer of at least 0, or one in digits or after 0x");
        for (size_t i = 0; i < n; i++)
            peri_seeds_absorb(seeds, words[i]);
        return;
    }
    const lua_Integer value = whole(L, idx);
    if (value < 0)
        refuse_seed(L, idx, wanted);
    peri_seeds_absorb(seeds, (uint32_t)value);
    if (value >> 32 != 0)
        peri_seeds_absorb(seeds, (uint32_t)(value >> 32));
}

/*** pg.random.new(seed) -> rng
 * A generator with the very stream of NumPy's default_rng(seed): PCG64 seeded by SeedSequence.
 * @param seed  integer of at least 0; a longer one as a string of digits or hexadecimal after 0x;
 * or a table of these
 * @return rng  methods random, standard_normal, uniform, normal, integers, bernoulli, choice,
 * permutation, shuffle, spawn, state, restore
 * @error a negative seed, or none
 * @source O'Neill 2014 (PCG); NumPy NEP 19
 * @example pg.random.new(0):random() --> 0.63696168732145
 */
static int new (lua_State *L)
{
    peri_seeds seeds;
    peri_seeds_begin(&seeds);
    if (lua_type(L, 1) == LUA_TTABLE) {
        const lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
        if (n == 0)
            refuse_seed(L, 1, "an integer of at least 0, or a table of them");
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, 1, i);
            absorb_seed(L, lua_gettop(L), &seeds);
            lua_pop(L, 1);
        }
    } else {
        absorb_seed(L, 1, &seeds);
    }
    peri_seeds_finish(&seeds);
    peri_random_pcg64(push_rng(L, &new_meta), &seeds);
    return 1;
}

/*** pg.random.legacy(seed) -> rng
 * A generator with the very stream of np.random.seed(seed) and RandomState(seed): MT19937.
 * @param seed  integer in 0..2^32-1, or a table of them
 * @return rng  methods rand, randn, randint, permutation, random as RandomState has them, and those
 * of pg.random.new but spawn
 * @error a seed outside 0..2^32-1, or none
 * @source Matsumoto & Nishimura 1998
 * @example pg.random.legacy(1):rand() --> 0.41702200470257
 */
static int legacy(lua_State *L)
{
    static const char wanted[] = "an integer in 0..4294967295";
    if (lua_type(L, 1) == LUA_TTABLE) {
        const size_t n = (size_t)lua_rawlen(L, 1);
        if (n == 0)
            refuse_seed(L, 1, "an integer in 0..4294967295, or a table of them");
        uint32_t *key = peri_push_scratch(L, peri_mul_size(L, n, sizeof *key));
        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, 1, (lua_Integer)i + 1);
            const lua_Integer word = whole(L, -1);
            if (word < 0 || word > UINT32_MAX)
                refuse_seed(L, lua_gettop(L), wanted);
            key[i] = (uint32_t)word;
            lua_pop(L, 1);
        }
        peri_random_mt19937_array(push_rng(L, &legacy_meta), key, n);
        return 1;
    }
    const lua_Integer seed = whole(L, 1);
    if (seed < 0 || seed > UINT32_MAX)
        refuse_seed(L, 1, wanted);
    peri_random_mt19937(push_rng(L, &legacy_meta), (uint32_t)seed);
    return 1;
}

/* ---- drawing -------------------------------------------------------------------------------- */

/* What a distribution needs: fill out[0..n) with its next n numbers. */
typedef void (*filler)(peri_rng *rng, const void *parameters, size_t n, double *out);

/* Fills a new array of the shape and dtype written from argument `first` on, in f32 with the same
 * numbers rounded; without a shape pushes one number. */
static int draw(lua_State *L, int first, filler fill, const void *parameters)
{
    peri_rng *rng = lua_touserdata(L, 1);
    size_t shape[PERI_MAX_NDIM];
    int next;
    const int ndim = peri_arg_shape(L, first, shape, &next);
    const bool typed = next > first && lua_type(L, next) == LUA_TSTRING;
    if (!typed && !lua_isnoneornil(L, next))
        peri_argerror(L, next, "shape: expected integers or a table of them, got %s",
                      peri_push_got(L, next));
    const int dtype = typed ? peri_arg_dtype(L, next, PERI_F64) : PERI_F64;
    if (next == first) {
        double value;
        fill(rng, parameters, 1, &value);
        lua_pushnumber(L, value);
        return 1;
    }
    const peri_array *out = peri_push_array(L, PERI_F64, ndim, shape);
    for (size_t i = 0; i < out->size; i += POLL) {
        fill(rng, parameters, out->size - i < POLL ? out->size - i : POLL, (double *)out->data + i);
        if (peri_stop_requested(&peri_getstate(L)->stop))
            peri_check(L, 0, PERI_ERR_INTERRUPTED, NULL);
    }
    if (!peri_is_f64(dtype))
        peri_push_copy(L, out, dtype); /* the stream of f64, rounded */
    return 1;
}

static void fill_uniform(peri_rng *rng, const void *parameters, size_t n, double *out)
{
    peri_random_uniforms(rng, n, out);
    const double *range = parameters;
    if (range != NULL)
        for (size_t i = 0; i < n; i++)
            out[i] = range[0] + range[1] * out[i];
}

static void fill_normal(peri_rng *rng, const void *parameters, size_t n, double *out)
{
    peri_random_normals(rng, n, out);
    const double *moments = parameters;
    if (moments != NULL)
        for (size_t i = 0; i < n; i++)
            out[i] = moments[0] + moments[1] * out[i];
}

static void fill_integer(peri_rng *rng, const void *parameters, size_t n, double *out)
{
    const lua_Integer *range = parameters;
    peri_random_integers(rng, range[0], range[1], n, out);
}

static void fill_bernoulli(peri_rng *rng, const void *parameters, size_t n, double *out)
{
    peri_random_uniforms(rng, n, out);
    const double p = *(const double *)parameters;
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] < p ? 1.0 : 0.0;
}

/* 0 with probability p, else 1 / (1 - p). */
static void fill_dropout(peri_rng *rng, const void *parameters, size_t n, double *out)
{
    peri_random_uniforms(rng, n, out);
    const double p = *(const double *)parameters, kept = 1 / (1 - p);
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] < p ? 0.0 : kept;
}

/*** rng:dropout(shape, p [, dtype]) -> array
 * A mask that keeps a mean: 0 with probability p, else 1 / (1 - p).
 * @param shape  integer or a table of them
 * @param p  number in [0, 1)
 * @param dtype  string: default "f64"
 * @example pg.random.new(0):dropout({2, 3}, 0.5).shape --> (2, 3)
 */
static int dropout(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    const double p = peri_arg_number(L, 3, "p");
    if (!(p >= 0 && p < 1))
        peri_argerror(L, 3, "p: expected a number in [0, 1), got %f", p);
    const int dtype = peri_arg_dtype(L, 4, PERI_F64);
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        peri_argerror(L, 2, "shape: expected integers or a table of them, got nil");
    lua_pushstring(L, peri_dtype_name(dtype));
    return draw(L, 2, fill_dropout, &p);
}

/*** rng:random(...) -> number | array
 * Uniform numbers in [0, 1), with 53 random bits.
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @example pg.random.new(42):random(2, 3).shape --> (2, 3)
 */
/*** rng:rand(...) -> number | array
 * np.random.rand of a legacy generator: uniform numbers in [0, 1).
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int random_uniform(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    return draw(L, 2, fill_uniform, NULL);
}

/*** rng:standard_normal(...) -> number | array
 * Normal numbers of mean 0 and standard deviation 1.
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @source Marsaglia & Tsang 2000 (the ziggurat); a legacy generator uses the polar method
 */
/*** rng:randn(...) -> number | array
 * np.random.randn of a legacy generator: normal numbers of mean 0 and standard deviation 1.
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int standard_normal(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    return draw(L, 2, fill_normal, NULL);
}

static double finite_arg(lua_State *L, int arg, const char *name)
{
    const double value = peri_arg_number(L, arg, name);
    if (!isfinite(value))
        peri_argerror(L, arg, "%s: expected a finite number, got %f", name, value);
    return value;
}

/*** rng:uniform(lo, hi [, ...]) -> number | array
 * Uniform numbers in [lo, hi).
 * @param lo, hi  numbers
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int uniform(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    const double lo = finite_arg(L, 2, "lo"), hi = finite_arg(L, 3, "hi");
    if (!isfinite(hi - lo))
        peri_argerror(L, 3, "hi: the range from %f to %f is too large", lo, hi);
    return draw(L, 4, fill_uniform, (const double[]){lo, hi - lo});
}

/*** rng:normal(mean, sd [, ...]) -> number | array
 * Normal numbers.
 * @param mean  number
 * @param sd  standard deviation, at least 0
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int normal(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    const double mean = finite_arg(L, 2, "mean"), sd = finite_arg(L, 3, "sd");
    if (sd < 0.0)
        peri_argerror(L, 3, "sd: expected a standard deviation of at least 0, got %f", sd);
    return draw(L, 4, fill_normal, (const double[]){mean, sd});
}

/* Integers lo..hi, both included; one as a Lua integer, many in an array. */
static int draw_integers(lua_State *L, lua_Integer lo, lua_Integer hi, int shape)
{
    if (lua_isnoneornil(L, shape)) {
        const uint64_t range = (uint64_t)hi - (uint64_t)lo;
        peri_rng *rng = lua_touserdata(L, 1);
        const uint64_t drawn = (uint64_t)lo + peri_random_bounded(rng, range);
        lua_pushinteger(L, (lua_Integer)drawn);
        return 1;
    }
    if (lo < -EXACT || hi > EXACT)
        peri_argerror(L, 2,
                      "lo, hi: an array holds integers exactly only within -2^53..2^53; "
                      "draw them one at a time");
    return draw(L, shape, fill_integer, (const lua_Integer[]){lo, hi});
}

/*** rng:integers(lo, hi [, ...]) -> integer | array
 * Integers from lo to hi, both included, each equally likely (NumPy's with endpoint=True).
 * @param lo, hi  integers, lo <= hi
 * @param ...  a shape: integers or one table of them; without one, a Lua integer
 * @source Lemire 2019; a legacy generator rejects under a mask
 * @example pg.random.new(11):integers(1, 6, 5):totable()[3] --> 5.0
 */
static int integers(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    const lua_Integer lo = peri_arg_integer(L, 2, "lo", LUA_MININTEGER, LUA_MAXINTEGER);
    const lua_Integer hi = peri_arg_integer(L, 3, "hi", LUA_MININTEGER, LUA_MAXINTEGER);
    if (lo > hi)
        peri_argerror(L, 3, "hi: expected at least lo = %I, got %I", (LUAI_UACINT)lo,
                      (LUAI_UACINT)hi);
    return draw_integers(L, lo, hi, 4);
}

/*** rng:randint(lo [, hi [, ...]]) -> integer | array
 * np.random.randint of a legacy generator: integers from lo up to, not including, hi.
 * @param lo, hi  integers, lo < hi; with one alone, 0 up to it
 * @param ...  a shape: integers or one table of them; without one, a Lua integer
 */
static int randint(lua_State *L)
{
    (void)peri_arg_rng(L, 1);
    lua_Integer lo = 0, hi;
    if (lua_isnoneornil(L, 3)) {
        hi = peri_arg_integer(L, 2, "hi", LUA_MININTEGER, LUA_MAXINTEGER);
    } else {
        lo = peri_arg_integer(L, 2, "lo", LUA_MININTEGER, LUA_MAXINTEGER);
        hi = peri_arg_integer(L, 3, "hi", LUA_MININTEGER, LUA_MAXINTEGER);
    }
    if (lo >= hi)
        peri_argerror(L, lua_isnoneornil(L, 3) ? 2 : 3,
                      "hi: expected more than lo = %I, got %I; hi is not included", (LUAI_UACINT)lo,
                      (LUAI_UACINT)hi);
    return draw_integers(L, lo, hi - 1, 4);
}

/*** rng:bernoulli(p [, ...]) -> number | array
 * 1 with probability p and else 0; one uniform number each, 1 where it is below p.
 * @param p  number in [0, 1], or an array of them (then the result has its shape)
 * @param ...  a shape, where p is a number, and a dtype; without one, a number
 */
static int bernoulli(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    if (peri_test_array(L, 2) == NULL && lua_type(L, 2) != LUA_TTABLE) {
        const double p = peri_arg_number(L, 2, "p");
        if (!(p >= 0.0 && p <= 1.0))
            peri_argerror(L, 2, "p: expected a probability in [0, 1], got %f", p);
        return draw(L, 3, fill_bernoulli, &p);
    }
    const int dtype = lua_type(L, 3) == LUA_TSTRING ? peri_arg_dtype(L, 3, PERI_F64) : PERI_F64;
    if (!lua_isnoneornil(L, 3) && lua_type(L, 3) != LUA_TSTRING)
        peri_argerror(L, 3, "shape: an array of probabilities brings its own");
    const peri_array *p = peri_arg_contiguous(L, 2, "p", PERI_F64, -1);
    const double *value = p->data;
    for (size_t i = 0; i < p->size; i++)
        if (!(value[i] >= 0.0 && value[i] <= 1.0))
            peri_argerror(L, 2, "p: element %I is %f, expected a probability in [0, 1]",
                          (LUAI_UACINT)i + 1, value[i]);
    const peri_array *out = peri_push_array(L, PERI_F64, p->ndim, p->shape);
    double *x = out->data;
    peri_random_uniforms(rng, out->size, x);
    for (size_t i = 0; i < out->size; i++)
        x[i] = x[i] < value[i] ? 1.0 : 0.0;
    if (!peri_is_f64(dtype))
        peri_push_copy(L, out, dtype);
    return 1;
}

/*** rng:permutation(n) -> array
 * The numbers 1..n in random order.
 * @param n  integer of at least 0
 * @example #pg.random.new(0):permutation(10) --> 10
 */
static int permutation(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    if (peri_test_array(L, 2) != NULL)
        peri_argerror(L, 2, "n: expected an integer, got %s; write a:take(rng:permutation(#a))",
                      peri_push_got(L, 2));
    const size_t n = (size_t)peri_arg_integer(L, 2, "n", 0, EXACT);
    const peri_array *out = peri_push_array(L, PERI_F64, 1, &n);
    peri_random_permutation(rng, n, out->data);
    return 1;
}

/*** rng:shuffle(a)
 * Puts the rows of an array, or the elements of a sequence, in random order, in place.
 * @param a  array (shuffled along its first axis), or a table
 */
static int shuffle(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    if (lua_type(L, 2) == LUA_TTABLE) {
        for (lua_Integer i = (lua_Integer)luaL_len(L, 2); i > 1; i--) {
            const lua_Integer j = (lua_Integer)peri_random_interval(rng, (uint64_t)i - 1) + 1;
            lua_geti(L, 2, i);
            lua_geti(L, 2, j);
            lua_seti(L, 2, i);
            lua_seti(L, 2, j);
        }
        return 0;
    }
    const peri_array *a = peri_test_array(L, 2);
    if (a == NULL)
        peri_argerror(L, 2, "a: expected an array or a table, got %s", peri_push_got(L, 2));
    peri_check_write(L, a);
    if (a->ndim == 0)
        peri_argerror(L, 2, "a: a number has nothing to shuffle");
    const peri_view view = peri_view_of(a);
    peri_random_shuffle(rng, &view);
    return 0;
}

/*** rng:choice(n [, k] [, opts]) -> integer | array
 * k of the numbers 1..n, without replacement unless asked for, in random order.
 * @param n  integer of at least 1
 * @param k  how many; without it, one number
 * @param opts.replace  boolean: may a number come twice? (default false, other than NumPy's)
 * @param opts.p  n probabilities that sum to 1 (default: all equal)
 * @error more numbers than there are, or than have p > 0
 * @example pg.random.new(2):choice(10, 4):totable()[1] --> 10.0
 */
static int choice(lua_State *L)
{
    static const char *const names[] = {"replace", "p", NULL};
    peri_rng *rng = peri_arg_rng(L, 1);
    const size_t n = (size_t)peri_arg_integer(L, 2, "n", 1, EXACT);
    const bool many = lua_type(L, 3) == LUA_TNUMBER;
    if (!many && !lua_isnoneornil(L, 3) && lua_type(L, 3) != LUA_TTABLE)
        (void)peri_arg_integer(L, 3, "k", 0, EXACT);
    const size_t k = many ? (size_t)peri_arg_integer(L, 3, "k", 0, EXACT) : 1;
    const int opts = many || lua_isnoneornil(L, 3) ? 4 : 3;
    lua_settop(L, opts);
    peri_options(L, opts, names);
    const bool replace = peri_option_boolean(L, opts, "replace", false);
    const double *p = NULL;
    size_t positive = n;
    if (peri_option_push(L, opts, "p") != LUA_TNIL) {
        const int at = lua_gettop(L);
        if (peri_test_array(L, at) == NULL && lua_type(L, at) != LUA_TTABLE)
            peri_argerror(L, opts, "p: expected an array, got %s", peri_push_got(L, at));
        const peri_array *given = peri_test_array(L, at);
        const int dtype = given != NULL ? peri_promote1(given->dtype) : (int)PERI_F64;
        const peri_array *weights = peri_arg_contiguous(L, at, "p", PERI_F64, 1);
        if (weights->size != n)
            peri_argerror(L, opts, "p: expected n = %I probabilities, got %I", (LUAI_UACINT)n,
                          (LUAI_UACINT)weights->size);
        p = weights->data;
        peri_facts facts = {0};
        peri_status status = peri_random_check_weights(p, n, &positive, &facts);
        /* As NumPy: f32 probabilities may miss 1 by sqrt(eps) of theirs. */
        if (status == PERI_ERR_VALUE && facts.nindex == 0 &&
            fabs(facts.got - 1) <= PERI_REAL_PICK(dtype, 0, sqrt((double)FLT_EPSILON)))
            status = PERI_OK;
        peri_check(L, opts, status, &facts);
    }
    if (!replace && k > positive) {
        if (positive < n)
            peri_argerror(L, 3, "k: %I without replacement, and only %I have p > 0", (LUAI_UACINT)k,
                          (LUAI_UACINT)positive);
        peri_argerror(L, 3, "k: %I of %I without replacement; {replace=true} lets them come again",
                      (LUAI_UACINT)k, (LUAI_UACINT)n);
    }
    const size_t words = peri_random_choice_work(rng, n, k, replace, p != NULL);
    double *work = peri_push_scratch(L, peri_mul_size(L, words + 1, sizeof *work));
    if (!many) {
        double value;
        peri_random_choice(rng, n, 1, replace, p, work, &value);
        lua_pushinteger(L, (lua_Integer)value);
        return 1;
    }
    const peri_array *out = peri_push_array(L, PERI_F64, 1, &k);
    peri_random_choice(rng, n, k, replace, p, work, out->data);
    return 1;
}

/*** rng:spawn(k) -> list
 * k generators whose streams are independent of each other and of this one's, which does not move:
 * SeedSequence.spawn.
 * @param k  integer of at least 0
 * @error a legacy generator has no SeedSequence
 */
static int spawn(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    const lua_Integer k = peri_arg_integer(L, 2, "k", 0, 1 << 24);
    if (k > (lua_Integer)(UINT32_MAX - rng->seeds.spawned))
        return peri_argerror(L, 2, "k: no more than 2^32 children in all");
    lua_createtable(L, (int)k, 0);
    for (lua_Integer i = 1; i <= k; i++) {
        const peri_seeds child = peri_seeds_spawn(&rng->seeds);
        peri_random_pcg64(push_rng(L, &new_meta), &child);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* ---- state ---------------------------------------------------------------------------------- */

/* Everything but the pointer-free layout of C: words in hexadecimal, so that any file format can
 * hold them. */
static void put_words(lua_State *L, const char *name, const uint32_t *words, size_t n)
{
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, 8 * n + 1);
    for (size_t i = 0; i < n; i++)
        snprintf(out + 8 * i, 9, "%08x", (unsigned)words[i]);
    luaL_pushresultsize(&b, 8 * n);
    lua_setfield(L, -2, name);
}

static void get_words(lua_State *L, const char *name, uint32_t *words, size_t n)
{
    size_t length = 0;
    const char *text =
        lua_getfield(L, 2, name) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
    bool good = text != NULL && length == 8 * n && strspn(text, "0123456789abcdef") == length;
    for (size_t i = 0; good && i < n; i++) {
        char digits[9] = {0};
        memcpy(digits, text + 8 * i, 8);
        words[i] = (uint32_t)strtoul(digits, NULL, 16);
    }
    if (!good)
        peri_argerror(L, 2, "s.%s: expected %I hexadecimal digits, got %s", name,
                      (LUAI_UACINT)8 * (LUAI_UACINT)n, peri_push_got(L, -1));
    lua_pop(L, 1);
}

static void split64(uint64_t value, uint32_t out[2])
{
    out[0] = (uint32_t)(value >> 32);
    out[1] = (uint32_t)value;
}

static uint64_t join64(const uint32_t in[2])
{
    return (uint64_t)in[0] << 32 | in[1];
}

/* PCG64 as words: state, increment, the waiting half and whether there is one, the seeds. */
enum { PCG_WORDS = 4 + 4 + 2 + 6, MT_WORDS = PERI_MT_WORDS + 1 + 3 };

/*** rng:state() -> table
 * Where the stream stands, as a table of strings that rng:restore takes back and JSON can hold.
 */
static int state(lua_State *L)
{
    const peri_rng *rng = peri_arg_rng(L, 1);
    lua_createtable(L, 0, 2);
    if (rng->kind == PERI_PCG64) {
        uint32_t w[PCG_WORDS];
        for (int i = 0; i < 2; i++) {
            split64(rng->pcg.state[i], w + 2 * i);
            split64(rng->pcg.inc[i], w + 4 + 2 * i);
        }
        w[8] = rng->has_uint32;
        w[9] = rng->has_uint32 ? rng->uint32 : 0;
        memcpy(w + 10, rng->seeds.pool, sizeof rng->seeds.pool);
        w[14] = rng->seeds.hash;
        w[15] = rng->seeds.spawned;
        lua_pushliteral(L, "PCG64");
        lua_setfield(L, -2, "generator");
        put_words(L, "words", w, PCG_WORDS);
    } else {
        uint32_t w[MT_WORDS];
        memcpy(w, rng->mt.key, sizeof rng->mt.key);
        w[PERI_MT_WORDS] = (uint32_t)rng->mt.pos;
        w[PERI_MT_WORDS + 1] = rng->has_gauss;
        uint64_t gauss = 0;
        if (rng->has_gauss)
            memcpy(&gauss, &rng->gauss, sizeof gauss);
        split64(gauss, w + PERI_MT_WORDS + 2);
        lua_pushliteral(L, "MT19937");
        lua_setfield(L, -2, "generator");
        put_words(L, "words", w, MT_WORDS);
    }
    return 1;
}

/*** rng:restore(s)
 * Puts the stream back to where s = rng:state() was taken.
 * @param s  table from rng:state() of a generator of the same kind
 */
static int restore(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    if (lua_type(L, 2) != LUA_TTABLE)
        peri_argerror(L, 2, "s: expected the table of rng:state(), got %s", peri_push_got(L, 2));
    const char *kind = rng->kind == PERI_PCG64 ? "PCG64" : "MT19937";
    lua_getfield(L, 2, "generator");
    if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), kind) != 0)
        peri_argerror(L, 2, "s: expected the state of a %s generator, got %s", kind,
                      lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "another table");
    peri_rng made = {.kind = rng->kind};
    if (rng->kind == PERI_PCG64) {
        uint32_t w[PCG_WORDS];
        get_words(L, "words", w, PCG_WORDS);
        for (int i = 0; i < 2; i++) {
            made.pcg.state[i] = join64(w + 2 * i);
            made.pcg.inc[i] = join64(w + 4 + 2 * i);
        }
        made.has_uint32 = w[8] != 0;
        made.uint32 = w[9];
        memcpy(made.seeds.pool, w + 10, sizeof made.seeds.pool);
        made.seeds.hash = w[14];
        made.seeds.spawned = w[15];
        made.seeds.words = 4;
        if ((made.pcg.inc[1] & 1) == 0)
            peri_argerror(L, 2, "s.words: not the state of a PCG64 generator");
    } else {
        uint32_t w[MT_WORDS];
        get_words(L, "words", w, MT_WORDS);
        memcpy(made.mt.key, w, sizeof made.mt.key);
        if (w[PERI_MT_WORDS] > PERI_MT_WORDS)
            peri_argerror(L, 2, "s.words: not the state of a MT19937 generator");
        made.mt.pos = (int)w[PERI_MT_WORDS];
        made.has_gauss = w[PERI_MT_WORDS + 1] != 0;
        const uint64_t gauss = join64(w + PERI_MT_WORDS + 2);
        memcpy(&made.gauss, &gauss, sizeof gauss);
    }
    *rng = made;
    return 0;
}

static int tostring(lua_State *L)
{
    const peri_rng *rng = peri_arg_rng(L, 1);
    lua_pushstring(L, rng->kind == PERI_PCG64 ? "rng (PCG64)" : "rng (MT19937, legacy)");
    return 1;
}

/* ---- methods -------------------------------------------------------------------------------- */

static const luaL_Reg common[] = {
    {"random", random_uniform},
    {"standard_normal", standard_normal},
    {"uniform", uniform},
    {"normal", normal},
    {"integers", integers},
    {"bernoulli", bernoulli},
    {"dropout", dropout},
    {"permutation", permutation},
    {"shuffle", shuffle},
    {"choice", choice},
    {"state", state},
    {"restore", restore},
    {NULL, NULL},
};

static const luaL_Reg of_new[] = {{"spawn", spawn}, {NULL, NULL}};

static const luaL_Reg of_legacy[] = {
    {"rand", random_uniform}, {"randn", standard_normal}, {"randint", randint}, {NULL, NULL}};

static int missing(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "rng has no field %s", peri_push_got(L, 2));
    const char *name = lua_tostring(L, 2);
    for (const luaL_Reg *f = peri_distributions; f->name != NULL; f++)
        if (strcmp(f->name, name) == 0) /* then this is a legacy one */
            return luaL_error(L, "rng has no method '%s'; pg.random.new(seed) draws it", name);
    peri_push_lua_function(L, "find", lua_pushfstring(L, "rng.%s", name));
    if (lua_isfunction(L, -1)) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -2);
        lua_rawset(L, 1);
        return 1;
    }
    const char *cure = peri_push_cure(L, "rng", name);
    if (cure != NULL)
        return luaL_error(L, "rng has no method '%s'; %s", name, cure);
    const char *names[64];
    size_t n = 0;
    for (const luaL_Reg *f = peri_distributions; f->name != NULL; f++)
        names[n++] = f->name;
    names[n++] = "multivariate_normal";
    for (const luaL_Reg *f = common; f->name != NULL; f++)
        names[n++] = f->name;
    names[n++] = "spawn";
    names[n] = NULL;
    const char *near = peri_nearest(name, names);
    if (near != NULL)
        return luaL_error(L, "rng has no method '%s'; did you mean '%s'?", name, near);
    return luaL_error(L, "rng has no method '%s'", name);
}

static void make_meta(lua_State *L, const char *key, const luaL_Reg *own)
{
    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "rng");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "rng");
    lua_setfield(L, -2, "__metatable");
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
    lua_newtable(L);
    peri_set_functions(L, common, PERI_METHOD);
    peri_set_functions(L, own, PERI_METHOD);
    if (own == of_new)
        peri_set_functions(L, peri_distributions, PERI_METHOD);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, missing);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

PERI_OPENER(random)
{
    static const luaL_Reg functions[] = {{"new", new}, {"legacy", legacy}, {NULL, NULL}};
    make_meta(L, &new_meta, of_new);
    make_meta(L, &legacy_meta, of_legacy);
    peri_module(L, "random", functions);
    return 1;
}

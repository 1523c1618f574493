/* SPDX-License-Identifier: MIT
 *
 * pg.dot, pg.matmul: one function under both names. */
#include <stdio.h>

#include <cblas.h>

#include "bind/bind.h"
#include "bind/tape.h"
#include "kernel/copy.h"
#include "kernel/matmul.h"

/* Raises for operands that do not multiply, with both shapes and the two extents at odds. */
static void mismatch(lua_State *L, const peri_array *a, const peri_array *b,
                     const peri_facts *facts)
{
    if (facts->nindex == 0) {
        const int arg = facts->arg[0] == 'A' ? 1 : 2;
        peri_argerror(L, arg,
                      "%s: expected an array of one or more axes, got a number; write a * b",
                      arg == 1 ? "a" : "b");
    }
    const char *sa = peri_push_shape(L, a->ndim, a->shape);
    const char *sb = peri_push_shape(L, b->ndim, b->shape);
    const int inner = b->ndim == 1 ? 0 : b->ndim - 2;
    if ((int)facts->index[0] != inner)
        peri_argerror(L, 2, "b: leading axes of shapes %s and %s do not broadcast", sa, sb);
    const size_t columns = a->shape[a->ndim - 1], rows = b->shape[inner];
    const char *hint = "";
    if (a->ndim == 2 && b->ndim == 2 && a->shape[0] == rows)
        hint = "; a.T:dot(b) would fit";
    else if (b->ndim == 2 && a->ndim == 2 && columns == b->shape[1])
        hint = "; a:dot(b.T) would fit";
    peri_argerror(L, 2, "b: shapes %s and %s do not multiply: a has %I columns, b has %I rows%s",
                  sa, sb, (LUAI_UACINT)columns, (LUAI_UACINT)rows, hint);
}

/*** pg.dot(a, b [, out]) -> array | number
 * The matrix product: of matrices, of a matrix and a vector, of two vectors (a number), or of each
 * pair of matrices along leading axes, which broadcast.
 * @param a  array, ... x m x k, or k
 * @param b  array, ... x k x n, or k
 * @param out  array: where the result goes; it may overlap a and b
 * @return array, ... x m x n (without m where a is 1-d, without n where b is); f32 where both are
 * @error shapes that do not multiply are both shown
 * @example pg.dot(pg.array{1, 2, 3}, pg.array{4, 5, 6}) --> 32.0
 * @example pg.array{{1, 2}, {3, 4}}:dot(pg.array{1, 1}):totable()[2] --> 7.0
 */
/*** pg.matmul(a, b [, out]) -> array | number
 * The matrix product; the same function as pg.dot.
 * @param a  array, ... x m x k, or k
 * @param b  array, ... x k x n, or k
 * @param out  array: where the result goes; it may overlap a and b
 * @return array, ... x m x n (without m where a is 1-d, without n where b is); f32 where both are
 * @example pg.matmul(pg.eye(2), pg.array{{1, 2}, {3, 4}})(2, 1) --> 3.0
 */
static int matmul(lua_State *L)
{
    lua_settop(L, 3);
    const peri_array *a = peri_arg_operand(L, 1, "a"), *b = peri_arg_operand(L, 2, "b");
    const peri_view va = peri_view_of(a), vb = peri_view_of(b);
    int dtype, ndim;
    size_t shape[PERI_MAX_NDIM];
    peri_facts facts;
    if (peri_matmul_shape(&va, &vb, &dtype, &ndim, shape, &facts) != PERI_OK)
        mismatch(L, a, b, &facts);
    double number = 0;
    const bool scalar = ndim == 0 && lua_isnil(L, 3);
    const peri_array *out = scalar ? NULL : peri_arg_out(L, 3, dtype, ndim, shape), *to = out;
    if (!lua_isnil(L, 3) && (peri_overlaps(out, a) || peri_overlaps(out, b)))
        to = peri_push_array(L, dtype, ndim, shape);
    const peri_view vc = scalar ? (peri_view){&number, dtype, 0, NULL, NULL} : peri_view_of(to);
    const size_t bytes = peri_matmul_work(&va, &vb, &vc);
    void *work = bytes > 0 ? peri_push_scratch(L, bytes) : NULL;
    peri_check(L, 2, peri_matmul(&va, &vb, &vc, work, &peri_getstate(L)->stop, &facts), &facts);
    if (scalar) {
        lua_pushnumber(L, peri_read(dtype, &number));
        return peri_recorded(L, a->node | b->node, 2);
    }
    if (to != out) {
        const peri_view vo = peri_view_of(out);
        peri_copy(&vo, &vc);
    }
    lua_settop(L, 4);
    return peri_recorded(L, a->node | b->node, 2);
}

/* Before 0.3.18 the eigenvalue routines could read beyond their arrays (CVE-2021-4048). */
static void check_openblas(lua_State *L)
{
    int major = 0, minor = 0, patch = 0;
    const char *config = openblas_get_config();
    if (sscanf(config, "OpenBLAS %d.%d.%d", &major, &minor, &patch) == 3 && major == 0 &&
        (minor < 3 || (minor == 3 && patch < 18)))
        peri_raise(L, "OpenBLAS %d.%d.%d is linked; 0.3.18 or later is needed (CVE-2021-4048)",
                   major, minor, patch);
}

PERI_OPENER(matmul)
{
    check_openblas(L);
    static const luaL_Reg functions[] = {{"dot", matmul}, {"matmul", matmul}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}

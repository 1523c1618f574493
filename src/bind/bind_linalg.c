/* SPDX-License-Identifier: MIT
 *
 * pg.linalg. Each function takes a matrix, most also a stack of matrices along leading axes. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/linalg.h"
#include "kernel/lstsq.h"

/* A stack of matrices: `count` of (m,n), one after another in `data`. */
typedef struct {
    const peri_array *array;
    int dtype, lead; /* leading axes */
    size_t count, m, n;
    const char *data;
    size_t step; /* bytes from one matrix to the next */
    bool vector; /* the right side beside it is of vectors */
} matrices;

static matrices stack_of(lua_State *L, int arg, const char *name, const peri_array *a)
{
    matrices s = {.array = a, .dtype = a->dtype, .lead = a->ndim - 2, .count = 1};
    if (a->ndim < 2)
        peri_argerror(L, arg, "%s: expected a matrix, got shape %s", name,
                      peri_push_shape(L, a->ndim, a->shape));
    for (int axis = 0; axis < s.lead; axis++)
        s.count *= a->shape[axis];
    s.m = a->shape[s.lead];
    s.n = a->shape[s.lead + 1];
    s.data = a->data;
    s.step = s.m * s.n * peri_dtype_size(a->dtype);
    return s;
}

static matrices arg_matrices(lua_State *L, int arg, const char *name)
{
    return stack_of(L, arg, name, peri_arg_contiguous(L, arg, name, -1, -1));
}

static matrices arg_square(lua_State *L, int arg, const char *name)
{
    const matrices s = arg_matrices(L, arg, name);
    if (s.m != s.n)
        peri_argerror(L, arg, "%s: expected a square matrix, got shape %s", name,
                      peri_push_shape(L, s.array->ndim, s.array->shape));
    return s;
}

/* A new array with s's leading axes and then those given; ndim 0 to 2. */
static peri_array *push_stack(lua_State *L, const matrices *s, int dtype, int ndim, size_t m,
                              size_t n)
{
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, s->array->shape, (size_t)s->lead * sizeof *shape);
    shape[s->lead] = m;
    if (ndim == 2)
        shape[s->lead + 1] = n;
    return peri_push_array(L, dtype, s->lead + ndim, shape);
}

/* The k-th matrix of m x n numbers in the array. */
static void *part(const peri_array *a, size_t k, size_t m, size_t n)
{
    return (char *)a->data + k * m * n * peri_dtype_size(a->dtype);
}

static void *push_work(lua_State *L, size_t bytes)
{
    if (bytes == SIZE_MAX)
        peri_error(L, "the workspace would be too large");
    return bytes > 0 ? peri_push_scratch(L, bytes) : NULL;
}

static void *push_linalg_work(lua_State *L, peri_linalg_op op, const matrices *s)
{
    return push_work(L, peri_linalg_work(op, s->dtype, s->m, s->n));
}

/* peri_check for the k-th matrix of a stack, which the message names A[k]. */
static void check(lua_State *L, const matrices *s, size_t k, peri_status status, peri_facts *facts)
{
    if (status == PERI_OK)
        return;
    const int arg = facts->arg != NULL && facts->arg[0] == 'B' ? 2 : 1;
    if (arg == 2 && s->vector)
        facts->nindex = 1;
    if (s->lead > 0 && facts->arg != NULL)
        facts->arg = lua_pushfstring(L, "%s[%I]", facts->arg, (LUAI_UACINT)k + 1);
    peri_check(L, arg, status, facts);
}

static void warn_of_condition(lua_State *L, int dtype, double condition)
{
    const double limit = PERI_REAL_PICK(dtype, 1e12, 1e5);
    if (!(condition > limit))
        return;
    lua_Debug ar;
    const char *name = "linalg";
    if (lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name != NULL)
        name = ar.name;
    lua_warning(L, lua_pushfstring(L, "%s: A is nearly singular, condition about ", name), 1);
    char digits[32];
    snprintf(digits, sizeof digits, "%.1e", condition);
    lua_warning(L, digits, 0);
}

/* B beside a stack of (n,n): of n numbers each or of n x p. */
static const peri_array *arg_right_side(lua_State *L, matrices *A, int dtype, size_t *p)
{
    const peri_array *B = peri_arg_contiguous(L, 2, "B", dtype, -1);
    const int lead = A->lead;
    const bool vector = A->vector = B->ndim == lead + 1;
    bool fits = vector || B->ndim == lead + 2;
    for (int axis = 0; axis < lead && fits; axis++)
        fits = B->shape[axis] == A->array->shape[axis];
    if (!fits || B->shape[lead] != A->m) {
        const char *got = peri_push_shape(L, B->ndim, B->shape);
        peri_argerror(L, 2, "B: shape %s does not fit A's %s: expected %I rows", got,
                      peri_push_shape(L, A->array->ndim, A->array->shape), (LUAI_UACINT)A->m);
    }
    *p = vector ? 1 : B->shape[lead + 1];
    return B;
}

/* The dtype A and B meet in; A is converted where it is not that. */
static matrices meet(lua_State *L, bool square, int *dtype)
{
    const matrices A = square ? arg_square(L, 1, "A") : arg_matrices(L, 1, "A");
    const peri_array *B = peri_test_array(L, 2);
    *dtype = peri_promote(A.dtype, B == NULL ? (int)PERI_F64 : B->dtype);
    if (A.dtype == *dtype)
        return A;
    return stack_of(L, 1, "A", peri_arg_contiguous(L, 1, "A", *dtype, -1));
}

/*** pg.linalg.solve(A, B) -> array
 * X with A X = B. Lua's warn is called with the condition estimate when that passes 1e12 (f32:
 * 1e5).
 * @param A  array, n x n, or a stack ... x n x n
 * @param B  array, n or n x p, with A's leading axes
 * @return array of B's shape
 * @error A is singular; an element is not finite
 * @example pg.linalg.solve(pg.array{{2, 0}, {0, 4}}, pg.array{2, 2}):totable()[2] --> 0.5
 */
static int solve(lua_State *L)
{
    int dtype;
    size_t p;
    lua_settop(L, 2);
    matrices A = meet(L, true, &dtype);
    const peri_array *B = arg_right_side(L, &A, dtype, &p);
    void *work = push_linalg_work(L, PERI_LINALG_SOLVE, &A);
    const peri_array *X = peri_push_array(L, dtype, B->ndim, B->shape);
    const int result = lua_gettop(L);
    double worst = 0;
    for (size_t k = 0; k < A.count; k++) {
        double condition;
        peri_facts facts;
        check(L, &A, k,
              peri_linalg_solve(dtype, A.n, p, A.data + k * A.step, part(B, k, A.n, p),
                                part(X, k, A.n, p), &condition, work, &facts),
              &facts);
        worst = fmax(worst, condition);
    }
    warn_of_condition(L, dtype, worst);
    lua_pushvalue(L, result);
    return 1;
}

/*** pg.linalg.inv(A) -> array
 * The inverse. Lua's warn is called with the condition when that passes 1e12 (f32: 1e5). To solve a
 * system, pg.linalg.solve is faster and more accurate.
 * @param A  array, n x n, or a stack of them
 * @return array of A's shape
 * @error A is singular; an element is not finite
 * @example pg.linalg.inv(pg.array{{2, 0}, {0, 4}})(2, 2) --> 0.25
 */
static int inv(lua_State *L)
{
    lua_settop(L, 1);
    const matrices A = arg_square(L, 1, "A");
    void *work = push_linalg_work(L, PERI_LINALG_INV, &A);
    const peri_array *X = push_stack(L, &A, A.dtype, 2, A.n, A.n);
    const int result = lua_gettop(L);
    double worst = 0;
    for (size_t k = 0; k < A.count; k++) {
        double condition;
        peri_facts facts;
        check(L, &A, k,
              peri_linalg_inv(A.dtype, A.n, A.data + k * A.step, part(X, k, A.n, A.n), &condition,
                              work, &facts),
              &facts);
        worst = fmax(worst, condition);
    }
    warn_of_condition(L, A.dtype, worst);
    lua_pushvalue(L, result);
    return 1;
}

/* Pushes what det or slogdet returns: numbers for one matrix, arrays for a stack. */
static int determinants(lua_State *L, bool logs)
{
    lua_settop(L, 1);
    const matrices A = arg_square(L, 1, "A");
    void *work = push_linalg_work(L, PERI_LINALG_DET, &A);
    peri_array *first = NULL, *second = NULL;
    if (A.lead > 0) {
        first = peri_push_array(L, A.dtype, A.lead, A.array->shape);
        if (logs)
            second = peri_push_array(L, A.dtype, A.lead, A.array->shape);
    }
    const int top = lua_gettop(L);
    double sign = 1, logdet = 0, det = 1;
    for (size_t k = 0; k < A.count; k++) {
        peri_facts facts;
        check(
            L, &A, k,
            peri_linalg_det(A.dtype, A.n, A.data + k * A.step, &sign, &logdet, &det, work, &facts),
            &facts);
        const double value = logs ? sign : det;
        if (first != NULL)
            peri_write_at(A.dtype, first->data, (ptrdiff_t)k, value);
        if (second != NULL)
            peri_write_at(A.dtype, second->data, (ptrdiff_t)k, logdet);
    }
    if (A.lead == 0) {
        lua_pushnumber(L, logs ? sign : det);
        if (logs)
            lua_pushnumber(L, logdet);
    } else {
        lua_settop(L, top);
    }
    return logs ? 2 : 1;
}

/*** pg.linalg.det(A) -> number | array
 * The determinant; 0 for a singular matrix, 1 for an empty one.
 * @param A  array, n x n, or a stack of them
 * @return number; an array of the leading axes for a stack
 * @error an element is not finite
 * @example pg.linalg.det(pg.array{{3, 1}, {1, 2}}) --> 5.0
 */
static int det(lua_State *L)
{
    return determinants(L, false);
}

/*** pg.linalg.slogdet(A) -> sign, logdet
 * Sign and logarithm of the determinant, which may be too large or small for a number itself.
 * @param A  array, n x n, or a stack of them
 * @return sign  1, -1, or 0 where A is singular
 * @return logdet  log|det A|; -inf where A is singular
 * @error an element is not finite
 * @example pg.linalg.slogdet(pg.eye(3) * -1) --> -1.0
 */
static int slogdet(lua_State *L)
{
    return determinants(L, true);
}

/*** pg.linalg.cholesky(A) -> array
 * Lower L with A = L L^T for a symmetric positive definite A, whose lower triangle is read.
 * @param A  array, n x n, or a stack of them
 * @return L  array of A's shape
 * @error A is not positive definite; an element is not finite
 * @example pg.linalg.cholesky(pg.array{{4, 2}, {2, 5}})(2, 2) --> 2.0
 */
static int cholesky(lua_State *L)
{
    lua_settop(L, 1);
    const matrices A = arg_square(L, 1, "A");
    const peri_array *out = push_stack(L, &A, A.dtype, 2, A.n, A.n);
    for (size_t k = 0; k < A.count; k++) {
        peri_facts facts;
        check(
            L, &A, k,
            peri_linalg_cholesky(A.dtype, A.n, A.data + k * A.step, part(out, k, A.n, A.n), &facts),
            &facts);
    }
    lua_settop(L, 2);
    return 1;
}

/*** pg.linalg.qr(A) -> Q, R
 * The thin QR decomposition A = Q R.
 * @param A  array, m x n, or a stack of them; k = min(m, n)
 * @return Q  array, m x k, its columns orthonormal
 * @return R  array, k x n, upper triangular
 * @error an element is not finite
 * @example pg.linalg.qr(pg.array{{3, 0}, {4, 5}}).shape --> (2, 2)
 */
static int qr(lua_State *L)
{
    lua_settop(L, 1);
    const matrices A = arg_matrices(L, 1, "A");
    const size_t k = A.m < A.n ? A.m : A.n;
    void *work = push_linalg_work(L, PERI_LINALG_QR, &A);
    const peri_array *Q = push_stack(L, &A, A.dtype, 2, A.m, k);
    const peri_array *R = push_stack(L, &A, A.dtype, 2, k, A.n);
    for (size_t i = 0; i < A.count; i++) {
        peri_facts facts;
        check(L, &A, i,
              peri_linalg_qr(A.dtype, A.m, A.n, A.data + i * A.step, part(Q, i, A.m, k),
                             part(R, i, k, A.n), work, &facts),
              &facts);
    }
    return 2;
}

/*** pg.linalg.svd(A) -> U, s, Vt
 * The thin singular value decomposition A = U diag(s) Vt.
 * @param A  array, m x n, or a stack of them; k = min(m, n)
 * @return U  array, m x k
 * @return s  array, k: singular values, descending
 * @return Vt  array, k x n: V transposed
 * @error an element is not finite
 * @example select(2, pg.linalg.svd(pg.array{{0, 3}, {2, 0}})):totable()[1] --> 3.0
 */
static int svd(lua_State *L)
{
    lua_settop(L, 1);
    const matrices A = arg_matrices(L, 1, "A");
    const size_t k = A.m < A.n ? A.m : A.n;
    void *work = push_linalg_work(L, PERI_LINALG_SVD, &A);
    const peri_array *U = push_stack(L, &A, A.dtype, 2, A.m, k);
    const peri_array *s = push_stack(L, &A, A.dtype, 1, k, 0);
    const peri_array *Vt = push_stack(L, &A, A.dtype, 2, k, A.n);
    for (size_t i = 0; i < A.count; i++) {
        peri_facts facts;
        check(L, &A, i,
              peri_linalg_svd(A.dtype, A.m, A.n, A.data + i * A.step, part(U, i, A.m, k),
                              part(s, i, k, 1), part(Vt, i, k, A.n), work, &facts),
              &facts);
    }
    return 3;
}

/*** pg.linalg.eigh(A) -> w, V
 * Eigenvalues and eigenvectors of a symmetric A, whose lower triangle is read: A = V diag(w) V^T.
 * @param A  array, n x n, or a stack of them
 * @return w  array, n: eigenvalues, ascending
 * @return V  array, n x n: column j belongs to w[j]
 * @error an element is not finite
 * @example pg.linalg.eigh(pg.array{{2, 0}, {0, 1}}):totable()[1] --> 1.0
 */
static int eigh(lua_State *L)
{
    lua_settop(L, 1);
    const matrices A = arg_square(L, 1, "A");
    void *work = push_linalg_work(L, PERI_LINALG_EIGH, &A);
    const peri_array *w = push_stack(L, &A, A.dtype, 1, A.n, 0);
    const peri_array *V = push_stack(L, &A, A.dtype, 2, A.n, A.n);
    for (size_t k = 0; k < A.count; k++) {
        peri_facts facts;
        check(L, &A, k,
              peri_linalg_eigh(A.dtype, A.n, A.data + k * A.step, part(w, k, A.n, 1),
                               part(V, k, A.n, A.n), work, &facts),
              &facts);
    }
    return 2;
}

/* The results from stack index `first` to the top in this dtype. */
static int results_as(lua_State *L, int dtype, int first)
{
    const int count = lua_gettop(L) - first + 1;
    for (int k = 0; k < count && !peri_is_f64(dtype); k++)
        peri_push_copy(L, peri_test_array(L, first + k), dtype);
    return count;
}

static int eigen(lua_State *L, bool vectors)
{
    lua_settop(L, 1);
    const int dtype = arg_square(L, 1, "A").dtype;
    const matrices A =
        stack_of(L, 1, "A", peri_arg_contiguous(L, 1, "A", PERI_F64, -1)); /* f32: a copy in f64 */
    void *work = push_linalg_work(L, PERI_LINALG_EIG, &A);
    const int first = lua_gettop(L) + 1;
    const peri_array *re = push_stack(L, &A, PERI_F64, 1, A.n, 0);
    const peri_array *im = push_stack(L, &A, PERI_F64, 1, A.n, 0);
    const peri_array *V_re = vectors ? push_stack(L, &A, PERI_F64, 2, A.n, A.n) : NULL;
    const peri_array *V_im = vectors ? push_stack(L, &A, PERI_F64, 2, A.n, A.n) : NULL;
    for (size_t k = 0; k < A.count; k++) {
        peri_facts facts;
        check(L, &A, k,
              peri_linalg_eig(A.n, (const void *)(A.data + k * A.step), part(re, k, A.n, 1),
                              part(im, k, A.n, 1), vectors ? part(V_re, k, A.n, A.n) : NULL,
                              vectors ? part(V_im, k, A.n, A.n) : NULL, work, &facts),
              &facts);
    }
    return results_as(L, dtype, first);
}

/*** pg.linalg.eig(A) -> re, im, V_re, V_im
 * Eigenvalues and right eigenvectors of any square A. There are no complex numbers here: an
 * eigenvalue is re[j] + i im[j], its eigenvector column j of V_re + i V_im, of norm 1, so that
 * A V_re = V_re diag(re) - V_im diag(im) and A V_im = V_re diag(im) + V_im diag(re). Where all are
 * real, im and V_im are 0. In no particular order, but that of a pair of conjugates the one with
 * im > 0 stands before the other. Symmetric matrices have pg.linalg.eigh.
 * @param A  array, n x n, or a stack of them
 * @return re  array, n
 * @return im  array, n
 * @return V_re  array, n x n
 * @return V_im  array, n x n
 * @error an element is not finite
 * @example select(2, pg.linalg.eig(pg.array{{0, -1}, {1, 0}})):totable()[1] --> 1.0
 */
static int eig(lua_State *L)
{
    return eigen(L, true);
}

/*** pg.linalg.eigvals(A) -> re, im
 * The eigenvalues re[j] + i im[j] of any square A; see pg.linalg.eig.
 * @param A  array, n x n, or a stack of them
 * @return re  array, n
 * @return im  array, n
 * @error an element is not finite
 * @example pg.linalg.eigvals(pg.array{{2, 1}, {0, 3}}):sum() --> 5.0
 */
static int eigvals(lua_State *L)
{
    return eigen(L, false);
}

/*** pg.linalg.lu(A) -> P, L, U
 * The decomposition A = P L U by rows, k = min(m, n): P a permutation, L lower with ones on its
 * diagonal, U upper.
 * @param A  array, m x n, or a stack of them
 * @return P  array, m x m of 0 and 1
 * @return L  array, m x k
 * @return U  array, k x n; of a singular matrix a number on its diagonal is 0
 * @error an element is not finite
 * @example select(3, pg.linalg.lu(pg.array{{0, 2}, {4, 1}}))(1, 1) --> 4.0
 */
static int lu(lua_State *L)
{
    lua_settop(L, 1);
    const matrices A = arg_matrices(L, 1, "A");
    const size_t k = A.m < A.n ? A.m : A.n;
    void *work = push_linalg_work(L, PERI_LINALG_LU, &A);
    size_t *order = peri_push_scratch(L, (A.m + 1) * sizeof *order);
    const peri_array *P = push_stack(L, &A, A.dtype, 2, A.m, A.m);
    const peri_array *lower = push_stack(L, &A, A.dtype, 2, A.m, k);
    const peri_array *U = push_stack(L, &A, A.dtype, 2, k, A.n);
    for (size_t i = 0; i < A.count; i++) {
        peri_facts facts;
        check(L, &A, i,
              peri_linalg_lu(A.dtype, A.m, A.n, A.data + i * A.step, order, part(lower, i, A.m, k),
                             part(U, i, k, A.n), work, &facts),
              &facts);
        char *to = part(P, i, A.m, A.m);
        memset(to, 0, A.m * A.m * peri_dtype_size(A.dtype));
        for (size_t row = 0; row < A.m; row++)
            peri_write(A.dtype, to + (order[row] * A.m + row) * peri_dtype_size(A.dtype), 1);
    }
    return 3;
}

/* One matrix, not a stack. */
static matrices arg_matrix(lua_State *L, int arg, const char *name)
{
    const matrices s = arg_matrices(L, arg, name);
    if (s.lead > 0)
        peri_argerror(L, arg, "%s: expected 2 axes, got shape %s", name,
                      peri_push_shape(L, s.array->ndim, s.array->shape));
    return s;
}

/* The singular values of A, pushed as scratch. */
static const double *push_values(lua_State *L, const matrices *A, size_t *k)
{
    peri_facts facts;
    *k = A->m < A->n ? A->m : A->n;
    double *s = peri_push_scratch(L, (*k + 1) * sizeof *s);
    s[0] = 0;
    void *work = push_linalg_work(L, PERI_LINALG_VALUES, A);
    check(L, A, 0, peri_linalg_values(A->dtype, A->m, A->n, A->data, s, work, &facts), &facts);
    return s;
}

static double epsilon(const matrices *A)
{
    const size_t most = A->m > A->n ? A->m : A->n;
    return (double)most * PERI_REAL_PICK(A->dtype, DBL_EPSILON, (double)FLT_EPSILON);
}

/*** pg.linalg.pinv(A [, opts]) -> array
 * The pseudo-inverse of Moore and Penrose.
 * @param A  array, m x n
 * @param opts.rcond  number: singular values up to this times the largest count as 0; default
 * max(m, n) eps
 * @return array, n x m
 * @error an element is not finite
 * @example pg.linalg.pinv(pg.array{{2, 0}, {0, 0}})(1, 1) --> 0.5
 */
static int pinv(lua_State *L)
{
    static const char *const names[] = {"rcond", NULL};
    lua_settop(L, 2);
    const matrices A = arg_matrix(L, 1, "A");
    peri_options(L, 2, names);
    const double rcond = peri_option_number(L, 2, "rcond", epsilon(&A));
    const size_t shape[2] = {A.n, A.m};
    size_t rank;
    peri_facts facts;
    const peri_array *P = peri_push_zeros(L, A.dtype, 2, shape);
    void *work = push_linalg_work(L, PERI_LINALG_PINV, &A);
    check(L, &A, 0,
          peri_linalg_pinv(A.dtype, A.m, A.n, A.data, rcond, P->data, &rank, work, &facts), &facts);
    lua_settop(L, 3);
    return 1;
}

/*** pg.linalg.rank(A [, opts]) -> integer
 * How many singular values of A are not negligible.
 * @param A  array, m x n
 * @param opts.tol  number: values up to this are negligible; default s[1] max(m, n) eps
 * @return integer
 * @error an element is not finite
 * @example pg.linalg.rank(pg.array{{1, 2}, {2, 4}}) --> 1
 */
static int rank(lua_State *L)
{
    static const char *const names[] = {"tol", NULL};
    lua_settop(L, 2);
    const matrices A = arg_matrix(L, 1, "A");
    peri_options(L, 2, names);
    size_t k, count = 0;
    const double *s = push_values(L, &A, &k);
    const double tol = peri_option_number(L, 2, "tol", s[0] * epsilon(&A));
    while (count < k && s[count] > tol)
        count++;
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* What a norm's order may be, beside a number. */
typedef enum { ORDER_NONE, ORDER_NUMBER, ORDER_FRO, ORDER_NUC } order_kind;

static order_kind arg_order(lua_State *L, int arg, double *order)
{
    *order = 2;
    if (lua_isnoneornil(L, arg))
        return ORDER_NONE;
    if (lua_type(L, arg) == LUA_TNUMBER) {
        *order = lua_tonumber(L, arg);
        return ORDER_NUMBER;
    }
    const char *word = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
    if (strcmp(word, "fro") == 0)
        return ORDER_FRO;
    if (strcmp(word, "nuc") == 0)
        return ORDER_NUC;
    peri_argerror(L, arg, "ord: expected a number, \"fro\" or \"nuc\", got %s",
                  peri_push_got(L, arg));
}

/* A norm of the matrix A, of that kind; for 2, -2 and "nuc" by its singular values. */
static double matrix_norm(lua_State *L, const matrices *A, order_kind kind, double order)
{
    peri_norm named = PERI_NORM_FROBENIUS;
    if (kind == ORDER_NUC || (kind == ORDER_NUMBER && fabs(order) == 2)) {
        size_t k;
        const double *s = push_values(L, A, &k);
        if (kind == ORDER_NUMBER)
            return k == 0 ? 0 : s[order > 0 ? 0 : k - 1];
        double sum = 0;
        for (size_t i = 0; i < k; i++)
            sum += s[i];
        return sum;
    }
    if (kind == ORDER_NUMBER) {
        if (fabs(order) == 1)
            named = order > 0 ? PERI_NORM_ONE : PERI_NORM_MINUS_ONE;
        else if (isinf(order))
            named = order > 0 ? PERI_NORM_INF : PERI_NORM_MINUS_INF;
        else
            peri_argerror(L, 2,
                          "ord: a matrix has norms 1, 2, math.huge, their negatives, \"fro\" "
                          "and \"nuc\", got %f",
                          order);
    }
    return peri_linalg_norm(A->dtype, A->m, A->n, A->data, named);
}

/*** pg.linalg.norm(A [, ord]) -> number
 * A norm of a vector or a matrix; without ord the root of the sum of squares, whatever the axes.
 * pg.norm takes it along an axis.
 * @param A  array
 * @param ord  number or string. For a matrix: "fro", "nuc" (sum of the singular values), 1 (largest
 * column sum of magnitudes), math.huge (row sum), 2 (largest singular value), and -1, -math.huge,
 * -2 for the smallest. For a vector any number p: (sum |x|^p)^(1/p), 0 counts what is not 0
 * @return number; 0 for an empty array
 * @error ord 2, -2 and "nuc" of a matrix: an element is not finite
 * @example pg.linalg.norm(pg.array{3, 4}) --> 5.0
 * @example pg.linalg.norm(pg.array{{1, -2}, {3, 4}}, 1) --> 6.0
 */
static int norm(lua_State *L)
{
    lua_settop(L, 2);
    const peri_array *a = peri_arg_contiguous(L, 1, "A", -1, -1);
    double order;
    const order_kind kind = arg_order(L, 2, &order);
    if (kind == ORDER_NONE) {
        lua_pushnumber(L, peri_linalg_norm(a->dtype, 1, a->size, a->data, PERI_NORM_FROBENIUS));
    } else if (a->ndim == 1) {
        if (kind != ORDER_NUMBER)
            peri_argerror(L, 2, "ord: a vector has norms by numbers only, got %s",
                          peri_push_got(L, 2));
        lua_pushnumber(L, peri_linalg_vector_norm(a->dtype, a->size, a->data, order));
    } else {
        const matrices A = arg_matrix(L, 1, "A");
        lua_pushnumber(L, matrix_norm(L, &A, kind, order));
    }
    return 1;
}

/*** pg.linalg.cond(A [, ord]) -> number
 * The condition number |A| |A^-1|: how much a relative change of A or b can grow in A^-1 b.
 * @param A  array, m x n; square unless ord is 2 or absent
 * @param ord  a norm as in pg.linalg.norm; default 2, the ratio of the extreme singular values
 * @return number; math.huge for a singular matrix
 * @error A has no elements; an element is not finite
 * @example pg.linalg.cond(pg.array{{4, 0}, {0, 2}}) --> 2.0
 */
static int cond(lua_State *L)
{
    lua_settop(L, 2);
    const matrices A = arg_matrix(L, 1, "A");
    double order;
    order_kind kind = arg_order(L, 2, &order);
    if (A.m == 0 || A.n == 0)
        peri_argerror(L, 1, "A: an empty matrix has no condition, got shape %s",
                      peri_push_shape(L, A.array->ndim, A.array->shape));
    if (kind == ORDER_NONE || (kind == ORDER_NUMBER && fabs(order) == 2)) {
        size_t k;
        const double *s = push_values(L, &A, &k);
        const double ratio = s[k - 1] > 0 ? s[0] / s[k - 1] : INFINITY;
        lua_pushnumber(L, order < 0 ? 1 / ratio : ratio);
        return 1;
    }
    const matrices square = arg_square(L, 1, "A");
    const peri_array *X = peri_push_array(L, A.dtype, 2, A.array->shape);
    void *work = push_linalg_work(L, PERI_LINALG_INV, &square);
    double condition;
    peri_facts facts;
    const peri_status status =
        peri_linalg_inv(A.dtype, A.n, A.data, X->data, &condition, work, &facts);
    if (status == PERI_ERR_SINGULAR) {
        lua_pushnumber(L, INFINITY);
        return 1;
    }
    check(L, &A, 0, status, &facts);
    const matrices inverse = stack_of(L, 1, "A", X);
    lua_pushnumber(L, matrix_norm(L, &A, kind, order) * matrix_norm(L, &inverse, kind, order));
    return 1;
}

/*** pg.linalg.solve_triangular(A, B [, opts]) -> array
 * X with A X = B for a triangular A, such as the L of cholesky or the R of qr.
 * @param A  array, n x n
 * @param B  array, n or n x p
 * @param opts.lower  boolean: which triangle is read, the other is not; default the one that is not
 * 0
 * @param opts.trans  boolean: solve A^T X = B; default false
 * @param opts.unit  boolean: take the diagonal as ones; default false
 * @return array of B's shape
 * @error a 0 on the diagonal; an element is not finite; elements on both sides of it, without lower
 * @example pg.linalg.solve_triangular(pg.array{{2, 0}, {1, 1}}, pg.array{2, 3}):totable()[2]
 * --> 2.0
 */
/* Whether the matrix n x n is lower triangular. One that has elements on
 * both sides of the diagonal is an error: the caller must say which to read. */
static bool is_lower(lua_State *L, const peri_array *a, size_t n)
{
    bool below = false, above = false;
    for (size_t k = 0; k < a->size; k++) {
        const size_t row = k / n, col = k % n;
        const double v = peri_read(a->dtype, (const char *)a->data + k * peri_dtype_size(a->dtype));
        if (!isfinite(v))
            return false; /* the kernel names it */
        if (row != col && v != 0) {
            below = below || row > col;
            above = above || row < col;
        }
    }
    if (below && above)
        peri_argerror(
            L, 1,
            "A: it has elements on both sides of the diagonal; {lower = true} or false says "
            "which triangle to read");
    return below;
}

static int solve_triangular(lua_State *L)
{
    static const char *const names[] = {"lower", "trans", "unit", NULL};
    int dtype;
    size_t p;
    lua_settop(L, 3);
    peri_options(L, 3, names);
    arg_matrix(L, 1, "A");
    matrices A = meet(L, true, &dtype);
    const peri_array *B = arg_right_side(L, &A, dtype, &p);
    const bool lower = peri_option_given(L, 3, "lower")
                           ? peri_option_boolean(L, 3, "lower", false)
                           : is_lower(L, peri_arg_contiguous(L, 1, "A", dtype, -1), A.n);
    const bool trans = peri_option_boolean(L, 3, "trans", false);
    const bool unit = peri_option_boolean(L, 3, "unit", false);
    const peri_array *X = peri_push_array(L, dtype, B->ndim, B->shape);
    peri_facts facts;
    check(
        L, &A, 0,
        peri_linalg_triangular(dtype, A.n, p, A.data, lower, trans, unit, B->data, X->data, &facts),
        &facts);
    return 1;
}

/* Pushes the array at idx, or a copy of it where it is not of that dtype. */
static void push_as(lua_State *L, int dtype, int idx)
{
    const peri_array *a = peri_test_array(L, idx);
    if (a->dtype == dtype)
        lua_pushvalue(L, idx);
    else
        peri_push_copy(L, a, dtype);
}

/*** pg.linalg.lstsq(A, B) -> x, rss, rank, s
 * Least squares: the x that makes |B - A x| least, and of those the one with the least |x|, by QR
 * and refined with residuals in double-double. A lost rank is told, not hidden.
 * @param A  array, m x n
 * @param B  array, m or m x p
 * @return x  array, n or n x p
 * @return rss  number (array of p): sum of squared residuals
 * @return rank  integer: numerical rank of A with its columns scaled alike: how many pivots exceed
 * max(m, n) eps of the result's dtype times the first
 * @return s  array, min(m, n): singular values of A, descending
 * @error an element is not finite
 * @source Björck 1967, BIT 7
 * @example pg.linalg.lstsq(pg.array{{1, 1}, {1, 2}, {1, 3}}, pg.array{2, 4,
 * 6}):round():totable()[2] --> 2.0
 */
static int lstsq(lua_State *L)
{
    lua_settop(L, 2);
    const peri_array *a = peri_test_array(L, 1), *b = peri_test_array(L, 2);
    const int dtype = a != NULL && b != NULL ? peri_promote(a->dtype, b->dtype) : (int)PERI_F64;
    const double eps = PERI_REAL_PICK(dtype, DBL_EPSILON, (double)FLT_EPSILON);
    size_t p;
    a = peri_arg_contiguous(L, 1, "A", PERI_F64, 2);
    matrices A = stack_of(L, 1, "A", a);
    b = arg_right_side(L, &A, PERI_F64, &p);
    const bool vector = b->ndim == 1;
    const size_t least = A.m < A.n ? A.m : A.n, shape[2] = {A.n, p};
    void *work = push_work(L, peri_lstsq_work(A.m, A.n, p));
    peri_lstsq_result r = {0};
    r.residual = peri_push_scratch(L, peri_mul_size(L, b->size + 1, sizeof(double)));
    const int first = lua_gettop(L) + 1;
    r.x = peri_push_array(L, PERI_F64, vector ? 1 : 2, shape)->data;
    r.rss = peri_push_array(L, PERI_F64, 1, &p)->data;
    r.s = peri_push_array(L, PERI_F64, 1, &least)->data;
    peri_facts facts;
    const peri_status status =
        peri_lstsq(A.m, A.n, p, a->data, b->data, eps, &r, work, &peri_getstate(L)->stop, &facts);
    if (facts.arg != NULL)
        facts.arg = facts.arg[0] == 'y' ? "B" : "A";
    check(L, &A, 0, status, &facts);
    push_as(L, dtype, first);
    if (vector)
        lua_pushnumber(L, r.rss[0]);
    else
        push_as(L, dtype, first + 1);
    lua_pushinteger(L, (lua_Integer)r.rank);
    push_as(L, dtype, first + 2);
    return 4;
}

PERI_OPENER(linalg)
{
    static const luaL_Reg functions[] = {{"solve", solve},
                                         {"inv", inv},
                                         {"det", det},
                                         {"slogdet", slogdet},
                                         {"cholesky", cholesky},
                                         {"qr", qr},
                                         {"svd", svd},
                                         {"eigh", eigh},
                                         {"eig", eig},
                                         {"eigvals", eigvals},
                                         {"lu", lu},
                                         {"pinv", pinv},
                                         {"rank", rank},
                                         {"norm", norm},
                                         {"cond", cond},
                                         {"solve_triangular", solve_triangular},
                                         {"lstsq", lstsq},
                                         {NULL, NULL}};
    peri_module(L, "linalg", functions);
    return 1;
}

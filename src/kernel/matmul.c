/* SPDX-License-Identifier: MIT
 *
 * Each product of two matrices goes one of four ways: own loops for a handful of elements, where
 * the call into BLAS would cost more than the work; dot or gemv where an extent is 1; syrk for a
 * matrix times its own transpose; gemm for the rest. Large products are cut into blocks fixed by
 * the sizes, so that the stop flag is looked at and the bits do not depend on when.
 */
#include "kernel/matmul.h"

#include <cblas.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

enum {
    TINY = 216,            /* m n k up to which own loops win */
    EDGE = 1664,           /* most that the edge of a block of gemm is: 0.1 s on one core */
    BLOCK = 768 << 20,     /* multiplications of a block with shorter edges */
    VECTOR_BLOCK = 1 << 24 /* the same where memory sets the pace */
};

/* One matrix: (rows, cols), strides in elements. */
typedef struct {
    char *data;
    int dtype;
    size_t rows, cols;
    ptrdiff_t rs, cs;
} matrix;

/* How BLAS is told of a matrix. */
typedef struct {
    const void *data;
    CBLAS_TRANSPOSE trans;
    size_t ld;
} operand;

/* Work done since the stop flag was last looked at, in multiplications. */
typedef struct {
    const peri_stop *stop;
    size_t done, quantum;
} watch;

static bool stopped(watch *w, size_t cost)
{
    if (w->stop == NULL)
        return false;
    w->done += cost;
    if (w->done < w->quantum)
        return false;
    w->done = 0;
    return peri_stop_requested(w->stop);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- layout ------------------------------------------------------------------------------- */

static bool rows_are_lines(const matrix *a)
{
    return (a->cs == 1 || a->cols <= 1) &&
           (a->rows <= 1 || (a->rs > 0 && (size_t)a->rs >= a->cols));
}

static bool cols_are_lines(const matrix *a)
{
    return (a->rs == 1 || a->rows <= 1) &&
           (a->cols <= 1 || (a->cs > 0 && (size_t)a->cs >= a->rows));
}

/* Whether a vector of n elements can be read by BLAS in place. */
static bool vector_fits(size_t n, ptrdiff_t stride)
{
    return n <= 1 || (stride > 0 && stride <= INT_MAX);
}

static bool needs_copy(const matrix *a, int dtype)
{
    if (a->dtype != dtype)
        return true;
    if (a->rows == 1)
        return !vector_fits(a->cols, a->cs);
    if (a->cols == 1)
        return !vector_fits(a->rows, a->rs);
    return !rows_are_lines(a) && !cols_are_lines(a);
}

static bool is_tiny(size_t m, size_t n, size_t k)
{
    return m <= TINY && n <= TINY && k <= TINY && m * n * k <= TINY;
}

#define PACK(TO, FROM)                                                                             \
    TO *out = to;                                                                                  \
    for (size_t i = 0; i < rows; i++) {                                                            \
        const FROM *in = (const FROM *)(void *)a->data + (ptrdiff_t)i * a->rs;                     \
        for (size_t j = 0; j < cols; j++)                                                          \
            *out++ = (TO)in[(ptrdiff_t)j * a->cs];                                                 \
    }

/* Copies a row by row to `to` as dtype and makes it the matrix there. Column by column where that
 * is how a lies. */
static void pack(matrix *a, void *to, int dtype)
{
    const size_t rows = a->rows, cols = a->cols;
    PERI_REAL_RUN(dtype, PERI_REAL_RUN(a->dtype, PACK(double, double), PACK(double, float)),
                  PACK(float, float));
    a->data = to;
    a->dtype = dtype;
    a->rs = (ptrdiff_t)cols;
    a->cs = 1;
}

/* Writes the row-major (rows, cols) at `from` to the strided matrix c of the same dtype. */
static void unpack(const matrix *c, const void *from)
{
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < c->cols; j++) {
            const ptrdiff_t at = (ptrdiff_t)i * c->rs + (ptrdiff_t)j * c->cs;
            const size_t source = i * c->cols + j;
            PERI_REAL_DO(c->dtype, ((double *)(void *)c->data)[at] = ((const double *)from)[source],
                         ((float *)(void *)c->data)[at] = ((const float *)from)[source]);
        }
}

static operand as_operand(const matrix *a)
{
    if (rows_are_lines(a)) {
        const size_t ld = a->rows <= 1 ? a->cols : (size_t)a->rs;
        return (operand){a->data, CblasNoTrans, ld > 0 ? ld : 1};
    }
    const size_t ld = a->cols <= 1 ? a->rows : (size_t)a->cs;
    return (operand){a->data, CblasTrans, ld > 0 ? ld : 1};
}

/* The operand for the part of it that starts at (row, col). */
static const void *part(const operand *o, int dtype, size_t row, size_t col)
{
    const size_t at = o->trans == CblasNoTrans ? row * o->ld + col : col * o->ld + row;
    return (const char *)o->data + at * peri_dtype_size(dtype);
}

/* ---- products ----------------------------------------------------------------------------- */

static double load(const matrix *a, ptrdiff_t at)
{
    return PERI_REAL_PICK(a->dtype, ((const double *)(void *)a->data)[at],
                          (double)((const float *)(void *)a->data)[at]);
}

static void multiply_tiny(const matrix *a, const matrix *b, const matrix *c)
{
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < c->cols; j++) {
            const ptrdiff_t ai = (ptrdiff_t)i * a->rs, bj = (ptrdiff_t)j * b->cs;
            const ptrdiff_t at = (ptrdiff_t)i * c->rs + (ptrdiff_t)j * c->cs;
            double sum = 0;
            if (peri_is_f64(a->dtype) && peri_is_f64(b->dtype)) {
                const double *x = (const double *)(void *)a->data + ai;
                const double *y = (const double *)(void *)b->data + bj;
                for (size_t l = 0; l < a->cols; l++)
                    sum += x[(ptrdiff_t)l * a->cs] * y[(ptrdiff_t)l * b->rs];
            } else {
                for (size_t l = 0; l < a->cols; l++)
                    sum += load(a, ai + (ptrdiff_t)l * a->cs) * load(b, bj + (ptrdiff_t)l * b->rs);
            }
            PERI_REAL_DO(c->dtype, ((double *)(void *)c->data)[at] = sum,
                         ((float *)(void *)c->data)[at] = (float)sum);
        }
}

/* x . y over n elements, in parts of one length. */
static peri_status dot(int dtype, size_t n, const void *x, ptrdiff_t incx, const void *y,
                       ptrdiff_t incy, void *out, watch *w)
{
    double sum = 0;
    for (size_t at = 0; at < n; at += VECTOR_BLOCK) {
        const int part_n = (int)min_size(n - at, VECTOR_BLOCK);
        const ptrdiff_t ax = (ptrdiff_t)at * incx, ay = (ptrdiff_t)at * incy;
        PERI_REAL_DO(dtype,
                     sum += cblas_ddot(part_n, (const double *)x + ax, (int)incx,
                                       (const double *)y + ay, (int)incy),
                     sum += (double)cblas_sdot(part_n, (const float *)x + ax, (int)incx,
                                               (const float *)y + ay, (int)incy));
        if (stopped(w, (size_t)part_n * (BLOCK / VECTOR_BLOCK)))
            return PERI_ERR_INTERRUPTED;
    }
    PERI_REAL_DO(dtype, *(double *)out = sum, *(float *)out = (float)sum);
    return PERI_OK;
}

/* y = A x (or A^T x), A stored row-major (rows, cols) with ld; blocks of stored rows and columns.
 * y is set to 0 first: with beta = 0 some BLAS keep a NaN that was in y. */
static peri_status gemv(int dtype, CBLAS_TRANSPOSE trans, size_t rows, size_t cols, const void *a,
                        size_t ld, const void *x, ptrdiff_t incx, void *y, ptrdiff_t incy, watch *w)
{
    const size_t es = peri_dtype_size(dtype);
    const size_t ny = trans == CblasNoTrans ? rows : cols;
    if (incy == 1)
        memset(y, 0, ny * es);
    else
        for (size_t i = 0; i < ny; i++)
            memset((char *)y + (ptrdiff_t)i * incy * (ptrdiff_t)es, 0, es);
    const size_t part_cols = min_size(cols, VECTOR_BLOCK);
    for (size_t c0 = 0; c0 < cols; c0 += part_cols) {
        const size_t nc = min_size(cols - c0, part_cols);
        const size_t part_rows = min_size(rows, VECTOR_BLOCK / nc > 0 ? VECTOR_BLOCK / nc : 1);
        for (size_t r0 = 0; r0 < rows; r0 += part_rows) {
            const size_t nr = min_size(rows - r0, part_rows);
            const size_t xat = trans == CblasNoTrans ? c0 : r0;
            const size_t yat = trans == CblasNoTrans ? r0 : c0;
            const char *ap = (const char *)a + (r0 * ld + c0) * es;
            const char *xp = (const char *)x + (ptrdiff_t)xat * incx * (ptrdiff_t)es;
            char *yp = (char *)y + (ptrdiff_t)yat * incy * (ptrdiff_t)es;
            PERI_REAL_DO(dtype,
                         cblas_dgemv(CblasRowMajor, trans, (int)nr, (int)nc, 1,
                                     (const double *)(const void *)ap, (int)ld,
                                     (const double *)(const void *)xp, (int)incx, 1,
                                     (double *)(void *)yp, (int)incy),
                         cblas_sgemv(CblasRowMajor, trans, (int)nr, (int)nc, 1,
                                     (const float *)(const void *)ap, (int)ld,
                                     (const float *)(const void *)xp, (int)incx, 1,
                                     (float *)(void *)yp, (int)incy));
            if (stopped(w, nr * nc * (BLOCK / VECTOR_BLOCK)))
                return PERI_ERR_INTERRUPTED;
        }
    }
    return PERI_OK;
}

/* Edges of the blocks of an (m, n, k) product: EDGE each, then as large as BLOCK allows. */
static void choose_block(size_t m, size_t n, size_t k, size_t edge[3])
{
    const size_t full[3] = {m, n, k};
    for (int d = 0; d < 3; d++) {
        /* even parts: a narrow rest would cost as much packing as a whole block */
        const size_t parts = (full[d] + EDGE - 1) / EDGE;
        const size_t even = parts > 1 ? (full[d] / parts + 16) / 16 * 16 : full[d];
        edge[d] = min_size(even, full[d]);
    }
    for (int d = 0; d < 3; d++) {
        const size_t others = edge[(d + 1) % 3] * edge[(d + 2) % 3];
        size_t fits = BLOCK / others / 64 * 64;
        fits = min_size(fits > edge[d] ? fits : edge[d], full[d]);
        edge[d] = min_size(fits, INT_MAX / 2);
    }
}

/* C (m, n) += or = A (m, k) B (k, n); C row-major with ldc. */
static peri_status gemm(int dtype, size_t m, size_t n, size_t k, const operand *a, size_t arow,
                        const operand *b, size_t bcol, void *c, size_t ldc, watch *w)
{
    size_t edge[3];
    if (m == 0 || n == 0)
        return PERI_OK;
    if (m <= EDGE && n <= EDGE && k <= EDGE)
        edge[0] = m, edge[1] = n, edge[2] = k;
    else
        choose_block(m, n, k, edge);
    for (size_t j = 0; j < n; j += edge[1])
        for (size_t i = 0; i < m; i += edge[0])
            for (size_t l = 0; l < k; l += edge[2]) {
                const int bm = (int)min_size(m - i, edge[0]), bn = (int)min_size(n - j, edge[1]);
                const int bk = (int)min_size(k - l, edge[2]);
                const void *ap = part(a, dtype, arow + i, l), *bp = part(b, dtype, l, bcol + j);
                char *cp = (char *)c + (i * ldc + j) * peri_dtype_size(dtype);
                PERI_REAL_DO(
                    dtype,
                    cblas_dgemm(CblasRowMajor, a->trans, b->trans, bm, bn, bk, 1, ap, (int)a->ld,
                                bp, (int)b->ld, l > 0, (double *)(void *)cp, (int)ldc),
                    cblas_sgemm(CblasRowMajor, a->trans, b->trans, bm, bn, bk, 1, ap, (int)a->ld,
                                bp, (int)b->ld, l > 0, (float *)(void *)cp, (int)ldc));
                if (stopped(w, (size_t)bm * (size_t)bn * (size_t)bk))
                    return PERI_ERR_INTERRUPTED;
            }
    return PERI_OK;
}

static void mirror(int dtype, size_t n, void *c, size_t ldc)
{
    enum { TILE = 16 };
    for (size_t i0 = 0; i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < min_size(i0 + TILE, n); i++)
                for (size_t j = j0; j < min_size(j0 + TILE, i); j++)
                    PERI_REAL_DO(dtype, ((double *)c)[j * ldc + i] = ((double *)c)[i * ldc + j],
                                 ((float *)c)[j * ldc + i] = ((float *)c)[i * ldc + j]);
}

/* C (m, m) = A A^T: the lower triangle by blocks of rows, then its mirror. */
static peri_status syrk(int dtype, size_t m, size_t k, const operand *a, const operand *b, void *c,
                        size_t ldc, watch *w)
{
    const size_t es = peri_dtype_size(dtype);
    size_t edge[3];
    choose_block(min_size(m, EDGE), min_size(m, EDGE), k, edge);
    for (size_t i = 0; i < m; i += EDGE) {
        const int bm = (int)min_size(m - i, EDGE);
        char *row = (char *)c + i * ldc * es;
        const peri_status status = gemm(dtype, (size_t)bm, i, k, a, i, b, 0, row, ldc, w);
        if (status != PERI_OK)
            return status;
        for (size_t l = 0; l < k; l += edge[2]) {
            const int bk = (int)min_size(k - l, edge[2]);
            const void *ap = part(a, dtype, i, l);
            PERI_REAL_DO(dtype,
                         cblas_dsyrk(CblasRowMajor, CblasLower, a->trans, bm, bk, 1, ap, (int)a->ld,
                                     l > 0, (double *)(void *)(row + i * es), (int)ldc),
                         cblas_ssyrk(CblasRowMajor, CblasLower, a->trans, bm, bk, 1, ap, (int)a->ld,
                                     l > 0, (float *)(void *)(row + i * es), (int)ldc));
            if (stopped(w, (size_t)bm * (size_t)bm * (size_t)bk))
                return PERI_ERR_INTERRUPTED;
        }
    }
    mirror(dtype, m, c, ldc);
    return PERI_OK;
}

/* c = a b with every operand as BLAS takes it; c's rows or columns are lines. */
static peri_status multiply_blas(const matrix *a, const matrix *b, const matrix *c, watch *w,
                                 peri_facts *facts)
{
    const int dtype = c->dtype;
    const size_t m = c->rows, n = c->cols, k = a->cols;
    if (m == 1 && n == 1)
        return dot(dtype, k, a->data, k > 1 ? a->cs : 1, b->data, k > 1 ? b->rs : 1, c->data, w);
    const operand ao = as_operand(a), bo = as_operand(b);
    if ((m > 1 && k > 1 && ao.ld > INT_MAX) || (n > 1 && k > 1 && bo.ld > INT_MAX)) {
        facts->arg = ao.ld > INT_MAX ? "A" : "B";
        facts->got = (double)(ao.ld > INT_MAX ? ao.ld : bo.ld);
        return PERI_ERR_TOO_LARGE;
    }
    if (n == 1) {
        const bool lines = ao.trans == CblasNoTrans;
        return gemv(dtype, ao.trans, lines ? m : k, lines ? k : m, ao.data, ao.ld, b->data,
                    k > 1 ? b->rs : 1, c->data, c->rs, w);
    }
    if (m == 1) {
        const bool lines = bo.trans == CblasNoTrans;
        return gemv(dtype, lines ? CblasTrans : CblasNoTrans, lines ? k : n, lines ? n : k, bo.data,
                    bo.ld, a->data, k > 1 ? a->cs : 1, c->data, c->cs, w);
    }
    if (a->data == b->data && a->rs == b->cs && a->cs == b->rs && m == n && k > 1)
        return syrk(dtype, m, k, &ao, &bo, c->data, (size_t)c->rs, w);
    return gemm(dtype, m, n, k, &ao, 0, &bo, 0, c->data, (size_t)c->rs, w);
}

/* ---- the batch ---------------------------------------------------------------------------- */

/* The product, its operands seen as matrices with up to PERI_MAX_NDIM leading axes. */
typedef struct {
    matrix a, b, c; /* the first of each */
    int nbatch;
    size_t extent[PERI_MAX_NDIM];
    ptrdiff_t stride[3][PERI_MAX_NDIM]; /* of a, b, c; 0 along a broadcast axis */
    bool tiny, copy_a, copy_b, copy_c;
    bool direct; /* each product is one call of gemm, with this: */
    operand ao, bo;
} plan;

static void set_leading(plan *p, int which, const peri_view *v, int nmatrix)
{
    const int lead = v->ndim > nmatrix ? v->ndim - nmatrix : 0;
    for (int axis = 0; axis < p->nbatch; axis++) {
        const int own = axis - (p->nbatch - lead);
        p->stride[which][axis] = own >= 0 && v->shape[own] != 1 ? v->stride[own] : 0;
    }
}

/* Where b is one matrix and a's leading axes continue its rows, the batch is one tall product. */
static void collapse(plan *p)
{
    while (p->nbatch > 0) {
        const int last = p->nbatch - 1;
        const size_t extent = p->extent[last];
        if (extent != 1 && (p->stride[1][last] != 0 || p->copy_a || p->copy_c ||
                            p->stride[0][last] != (ptrdiff_t)p->a.rows * p->a.rs ||
                            p->stride[2][last] != (ptrdiff_t)p->c.rows * p->c.rs))
            return;
        p->a.rows *= extent;
        p->c.rows *= extent;
        p->nbatch--;
    }
}

static void make_plan(plan *p, const peri_view *a, const peri_view *b, const peri_view *c)
{
    const int na = a->ndim == 1 ? 1 : 2, nb = b->ndim == 1 ? 1 : 2;
    const int la = a->ndim - 1, lb = b->ndim - 1;
    const int lead_a = a->ndim - na, lead_b = b->ndim - nb;
    p->nbatch = lead_a > lead_b ? lead_a : lead_b;
    for (int axis = 0; axis < p->nbatch; axis++)
        p->extent[axis] = c->shape[axis];
    set_leading(p, 0, a, na);
    set_leading(p, 1, b, nb);
    for (int axis = 0; axis < p->nbatch; axis++)
        p->stride[2][axis] = c->stride[axis];

    p->a = (matrix){a->data,
                    a->dtype,
                    na == 1 ? 1 : a->shape[la - 1],
                    a->shape[la],
                    na == 1 ? (ptrdiff_t)a->shape[la] : a->stride[la - 1],
                    a->stride[la]};
    p->b = (matrix){b->data,
                    b->dtype,
                    b->shape[nb == 1 ? 0 : lb - 1],
                    nb == 1 ? 1 : b->shape[lb],
                    b->stride[nb == 1 ? 0 : lb - 1],
                    nb == 1 ? 1 : b->stride[lb]};
    int next = p->nbatch;
    p->c = (matrix){c->data, c->dtype, p->a.rows, p->b.cols, 0, 1};
    if (na == 2)
        p->c.rs = c->stride[next++];
    else
        p->c.rs = (ptrdiff_t)p->b.cols;
    if (nb == 2)
        p->c.cs = c->stride[next];

    p->tiny = is_tiny(p->c.rows, p->c.cols, p->a.cols);
    p->copy_a = !p->tiny && needs_copy(&p->a, p->c.dtype);
    p->copy_b = !p->tiny && needs_copy(&p->b, p->c.dtype);
    p->copy_c = !p->tiny && needs_copy(&p->c, p->c.dtype);
    if (!p->tiny) {
        collapse(p);
        p->copy_a = needs_copy(&p->a, p->c.dtype);
        p->copy_c = needs_copy(&p->c, p->c.dtype);
    }
    p->direct = p->nbatch > 0 && !p->tiny && !p->copy_a && !p->copy_b && !p->copy_c &&
                p->c.rows > 1 && p->c.cols > 1 && p->a.cols > 1 && p->c.rows <= EDGE &&
                p->c.cols <= EDGE && p->a.cols <= EDGE && rows_are_lines(&p->c) &&
                !(a->data == b->data && p->a.rs == p->b.cs && p->a.cs == p->b.rs);
    p->ao = as_operand(&p->a);
    p->bo = as_operand(&p->b);
    p->direct = p->direct && p->ao.ld <= INT_MAX && p->bo.ld <= INT_MAX && p->c.rs <= INT_MAX;
}

static size_t room(const matrix *a, int dtype, bool wanted)
{
    size_t bytes = 0;
    if (!wanted)
        return 0;
    if (__builtin_mul_overflow(a->rows, a->cols, &bytes) ||
        __builtin_mul_overflow(bytes, peri_dtype_size(dtype), &bytes) || bytes > SIZE_MAX / 8)
        return SIZE_MAX;
    return (bytes + 63) / 64 * 64;
}

size_t peri_matmul_work(const peri_view *a, const peri_view *b, const peri_view *c)
{
    plan p;
    make_plan(&p, a, b, c);
    const size_t rooms[3] = {room(&p.a, p.c.dtype, p.copy_a), room(&p.b, p.c.dtype, p.copy_b),
                             room(&p.c, p.c.dtype, p.copy_c)};
    size_t sum = 0;
    for (int i = 0; i < 3; i++)
        if (__builtin_add_overflow(sum, rooms[i], &sum))
            return SIZE_MAX;
    return sum;
}

peri_status peri_matmul_shape(const peri_view *a, const peri_view *b, int *dtype, int *ndim,
                              size_t shape[PERI_MAX_NDIM], peri_facts *facts)
{
    *facts = (peri_facts){0};
    *dtype = peri_promote(a->dtype, b->dtype);
    if (a->ndim == 0 || b->ndim == 0) {
        facts->arg = a->ndim == 0 ? "A" : "B";
        facts->wanted = "an array of one or more axes";
        return PERI_ERR_SHAPE;
    }
    const int na = a->ndim == 1 ? 1 : 2, nb = b->ndim == 1 ? 1 : 2;
    const int inner = nb == 1 ? 0 : b->ndim - 2;
    const int lead_a = a->ndim - na, lead_b = b->ndim - nb;
    facts->arg = "B";
    facts->nindex = 1;
    if (a->shape[a->ndim - 1] != b->shape[inner]) {
        facts->index[0] = (size_t)inner;
        facts->got = (double)b->shape[inner];
        facts->wanted = "A's last extent";
        return PERI_ERR_SHAPE;
    }
    const int nbatch = lead_a > lead_b ? lead_a : lead_b;
    int n = 0;
    for (int axis = 0; axis < nbatch; axis++) {
        const int ia = axis - (nbatch - lead_a), ib = axis - (nbatch - lead_b);
        const size_t ea = ia >= 0 ? a->shape[ia] : 1, eb = ib >= 0 ? b->shape[ib] : 1;
        if (ea != eb && ea != 1 && eb != 1) {
            facts->index[0] = (size_t)ib;
            facts->got = (double)eb;
            facts->wanted = "A's extent there, or 1";
            return PERI_ERR_SHAPE;
        }
        shape[n++] = ea == 1 ? eb : ea;
    }
    if (na == 2)
        shape[n++] = a->shape[a->ndim - 2];
    if (nb == 2)
        shape[n++] = b->shape[b->ndim - 1];
    *ndim = n;
    *facts = (peri_facts){0};
    return PERI_OK;
}

/* One product of the batch; `kept` says which operands in the workspace are still those of the
 * product before. */
static peri_status multiply(const plan *p, matrix a, matrix b, matrix c, char *work,
                            const bool kept[2], watch *w, peri_facts *facts)
{
    if (p->tiny) {
        multiply_tiny(&a, &b, &c);
        return stopped(w, TINY * 8) ? PERI_ERR_INTERRUPTED : PERI_OK;
    }
    const int dtype = c.dtype;
    if (p->direct) {
        const int m = (int)c.rows, n = (int)c.cols, k = (int)a.cols;
        const int lda = (int)p->ao.ld, ldb = (int)p->bo.ld, ldc = (int)c.rs;
        PERI_REAL_DO(dtype,
                     cblas_dgemm(CblasRowMajor, p->ao.trans, p->bo.trans, m, n, k, 1,
                                 (const double *)(void *)a.data, lda,
                                 (const double *)(void *)b.data, ldb, 0, (double *)(void *)c.data,
                                 ldc),
                     cblas_sgemm(CblasRowMajor, p->ao.trans, p->bo.trans, m, n, k, 1,
                                 (const float *)(void *)a.data, lda, (const float *)(void *)b.data,
                                 ldb, 0, (float *)(void *)c.data, ldc));
        return stopped(w, c.rows * c.cols * a.cols) ? PERI_ERR_INTERRUPTED : PERI_OK;
    }
    if (p->copy_a) {
        char *to = work;
        work += room(&a, dtype, true);
        if (kept[0])
            a = (matrix){to, dtype, a.rows, a.cols, (ptrdiff_t)a.cols, 1};
        else
            pack(&a, to, dtype);
    }
    if (p->copy_b) {
        char *to = work;
        work += room(&b, dtype, true);
        if (kept[1])
            b = (matrix){to, dtype, b.rows, b.cols, (ptrdiff_t)b.cols, 1};
        else
            pack(&b, to, dtype);
    }
    if (p->copy_c) {
        const matrix packed = {work, dtype, c.rows, c.cols, (ptrdiff_t)c.cols, 1};
        const peri_status status = multiply_blas(&a, &b, &packed, w, facts);
        if (status == PERI_OK)
            unpack(&c, work);
        return status;
    }
    if (c.rows > 1 && c.cols > 1 && !rows_are_lines(&c)) {
        /* C^T = B^T A^T has the layout BLAS wants. */
        const matrix at = {a.data, a.dtype, a.cols, a.rows, a.cs, a.rs};
        const matrix bt = {b.data, b.dtype, b.cols, b.rows, b.cs, b.rs};
        const matrix ct = {c.data, c.dtype, c.cols, c.rows, c.cs, c.rs};
        return multiply_blas(&bt, &at, &ct, w, facts);
    }
    return multiply_blas(&a, &b, &c, w, facts);
}

/* A sum over no terms is 0. */
static void fill_zero(const peri_view *c)
{
    size_t at[PERI_MAX_NDIM] = {0};
    for (size_t left = peri_view_size(c); left > 0; left--) {
        ptrdiff_t offset = 0;
        for (int axis = 0; axis < c->ndim; axis++)
            offset += (ptrdiff_t)at[axis] * c->stride[axis];
        PERI_REAL_DO(c->dtype, ((double *)c->data)[offset] = 0, ((float *)c->data)[offset] = 0);
        for (int axis = c->ndim - 1; axis >= 0 && ++at[axis] == c->shape[axis]; axis--)
            at[axis] = 0;
    }
}

peri_status peri_matmul(const peri_view *a, const peri_view *b, const peri_view *c, void *work,
                        const peri_stop *stop, peri_facts *facts)
{
    plan p;
    *facts = (peri_facts){0};
    if (peri_view_size(c) == 0)
        return PERI_OK;
    make_plan(&p, a, b, c);
    if (p.a.cols == 0) {
        fill_zero(c);
        return PERI_OK;
    }
    watch w = {stop, 0, BLOCK / 2};
    matrix m[3] = {p.a, p.b, p.c};
    ptrdiff_t step[3][PERI_MAX_NDIM]; /* in bytes */
    for (int which = 0; which < 3; which++)
        for (int axis = 0; axis < p.nbatch; axis++)
            step[which][axis] = p.stride[which][axis] * (ptrdiff_t)peri_dtype_size(m[which].dtype);
    const char *last[2] = {NULL, NULL};
    size_t at[PERI_MAX_NDIM] = {0};
    for (;;) {
        const bool kept[2] = {last[0] == m[0].data, last[1] == m[1].data};
        last[0] = m[0].data;
        last[1] = m[1].data;
        const peri_status status = multiply(&p, m[0], m[1], m[2], work, kept, &w, facts);
        if (status != PERI_OK)
            return status;
        int axis = p.nbatch - 1;
        for (; axis >= 0; axis--) {
            const bool more = ++at[axis] < p.extent[axis];
            for (int which = 0; which < 3; which++)
                m[which].data +=
                    more ? step[which][axis] : -(ptrdiff_t)(at[axis] - 1) * step[which][axis];
            if (more)
                break;
            at[axis] = 0;
        }
        if (axis < 0)
            return PERI_OK;
    }
}

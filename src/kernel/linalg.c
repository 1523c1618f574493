/* SPDX-License-Identifier: MIT
 *
 * LAPACK is called by its Fortran names through lapacke.h's prototypes; f64 and f32 meet in the
 * small functions at the top, so that what follows is written once.
 */
#include "kernel/linalg.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/reduce.h"
#include "kernel/simd.h"

#if PERI_X86
#include <immintrin.h>
#endif

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- f64 and f32 --------------------------------------------------------------------------- */

static double get(int dtype, const void *x, size_t i)
{
    return peri_read_at(dtype, x, (ptrdiff_t)i);
}

static void put(int dtype, void *x, size_t i, double value)
{
    PERI_REAL_DO(dtype, ((double *)x)[i] = value, ((float *)x)[i] = (float)value);
}

/* Calls the routine of the dtype with these arguments. */
#define CALL(dtype, name, ...)                                                                     \
    do {                                                                                           \
        PERI_REAL_DO((dtype), LAPACK_d##name(__VA_ARGS__), LAPACK_s##name(__VA_ARGS__));           \
    } while (0)

static int getrf(int dtype, int n, void *a, int *pivot)
{
    int info = 0;
    CALL(dtype, getrf, &n, &n, a, &n, pivot, &info);
    return info;
}

static int getri(int dtype, int n, void *a, const int *pivot, void *work, int lwork)
{
    int info = 0;
    CALL(dtype, getri, &n, a, &n, pivot, work, &lwork, &info);
    return info;
}

static int potrf(int dtype, int n, void *a)
{
    int info = 0;
    CALL(dtype, potrf, "U", &n, a, &n, &info);
    return info;
}

static void geqrf(int dtype, int m, int n, void *a, void *tau, void *work, int lwork)
{
    int info = 0;
    CALL(dtype, geqrf, &m, &n, a, &m, tau, work, &lwork, &info);
}

static void orgqr(int dtype, int m, int n, int k, void *a, const void *tau, void *work, int lwork)
{
    int info = 0;
    CALL(dtype, orgqr, &m, &n, &k, a, &m, tau, work, &lwork, &info);
}

static int gesdd(int dtype, const char *job, int m, int n, void *a, void *s, void *u, void *vt,
                 int ldvt, void *work, int lwork, int *iwork)
{
    int info = 0;
    CALL(dtype, gesdd, job, &m, &n, a, &m, s, u, &m, vt, &ldvt, work, &lwork, iwork, &info);
    return info;
}

static int syevd(int dtype, int n, void *a, void *w, void *work, int lwork, int *iwork, int liwork)
{
    int info = 0;
    CALL(dtype, syevd, "V", "U", &n, a, &n, w, work, &lwork, iwork, &liwork, &info);
    return info;
}

/* x = T^-1 x or T^-T x for one column, T a triangle of the row-major a: pieces of x one after
 * another, each without its products with those before, which take all of the time and which gemv
 * reads in the order of memory. */
static void solve_vector(int dtype, bool lower, bool transpose, bool unit, size_t n, const void *a,
                         void *x)
{
    enum { PIECE = 64 };
    const size_t es = peri_dtype_size(dtype);
    const CBLAS_UPLO uplo = lower ? CblasLower : CblasUpper;
    const CBLAS_TRANSPOSE trans = transpose ? CblasTrans : CblasNoTrans;
    const CBLAS_DIAG diag = unit ? CblasUnit : CblasNonUnit;
    const bool forward = lower != transpose;
    const int ld = (int)n;
    for (size_t done = 0; done < n; done += PIECE) {
        const size_t size = min_size(n - done, PIECE), at = forward ? done : n - done - size;
        const size_t known = forward ? 0 : at + size; /* the first of `done` known ones */
        const size_t row = transpose ? known : at, col = transpose ? at : known;
        const void *part = (const char *)a + (row * n + col) * es;
        const void *corner = (const char *)a + (at * n + at) * es;
        void *to = (char *)x + at * es;
        const void *from = (const char *)x + known * es;
        const int count = (int)size, before = (int)done;
        const int rows = transpose ? before : count, cols = transpose ? count : before;
        if (done > 0)
            PERI_REAL_DO(
                dtype,
                cblas_dgemv(CblasRowMajor, trans, rows, cols, -1, part, ld, from, 1, 1, to, 1),
                cblas_sgemv(CblasRowMajor, trans, rows, cols, -1, part, ld, from, 1, 1, to, 1));
        PERI_REAL_DO(dtype, cblas_dtrsv(CblasRowMajor, uplo, trans, diag, count, corner, ld, to, 1),
                     cblas_strsv(CblasRowMajor, uplo, trans, diag, count, corner, ld, to, 1));
    }
}

/* x = T^-1 x or T^-T x over (n,p), T a triangle of the row-major a. */
static void solve_triangle(int dtype, bool lower, bool transpose, bool unit, size_t n, size_t p,
                           const void *a, void *x)
{
    const CBLAS_UPLO uplo = lower ? CblasLower : CblasUpper;
    const CBLAS_TRANSPOSE trans = transpose ? CblasTrans : CblasNoTrans;
    const CBLAS_DIAG diag = unit ? CblasUnit : CblasNonUnit;
    const int rows = (int)n, cols = (int)p;
    if (p == 1)
        solve_vector(dtype, lower, transpose, unit, n, a, x);
    else
        PERI_REAL_DO(dtype,
                     cblas_dtrsm(CblasRowMajor, CblasLeft, uplo, trans, diag, rows, cols, 1, a,
                                 rows, x, cols),
                     cblas_strsm(CblasRowMajor, CblasLeft, uplo, trans, diag, rows, cols, 1, a,
                                 rows, x, cols));
}

/* ---- the way in and out --------------------------------------------------------------------- */

/* The sum of magnitudes; finite if and only if every element is, unless elements are extreme. */
#define DEFINE_SUM(name, attribute, real, integer, magnitude)                                      \
    typedef real name##_lanes __attribute__((vector_size(64), aligned(4)));                        \
    typedef integer name##_bits __attribute__((vector_size(64), aligned(4)));                      \
    attribute static double name(size_t n, const void *from)                                       \
    {                                                                                              \
        enum { LANES = 64 / sizeof(real) };                                                        \
        const real *x = from;                                                                      \
        name##_lanes even = {0}, odd = {0};                                                        \
        size_t i = 0;                                                                              \
        for (; i + 2 * LANES <= n; i += 2 * LANES) {                                               \
            even += (name##_lanes)(*(const name##_bits *)(const void *)(x + i) & (magnitude));     \
            odd +=                                                                                 \
                (name##_lanes)(*(const name##_bits *)(const void *)(x + i + LANES) & (magnitude)); \
        }                                                                                          \
        double sum = 0;                                                                            \
        for (int l = 0; l < LANES; l++)                                                            \
            sum += (double)even[l] + (double)odd[l];                                               \
        for (; i < n; i++)                                                                         \
            sum += fabs((double)x[i]);                                                             \
        return sum;                                                                                \
    }

DEFINE_SUM(sum_f64, , double, int64_t, INT64_MAX)
DEFINE_SUM(sum_f32, , float, int32_t, INT32_MAX)
#if PERI_X86
DEFINE_SUM(sum_f64_512, __attribute__((target("avx512f"))), double, int64_t, INT64_MAX)
DEFINE_SUM(sum_f32_512, __attribute__((target("avx512f"))), float, int32_t, INT32_MAX)
#endif

static double magnitudes(int dtype, size_t n, const void *x)
{
    if (n < 16) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += fabs(get(dtype, x, i));
        return sum;
    }
#if PERI_X86
    if (peri_isa() == PERI_ISA_AVX512)
        return PERI_REAL_PICK(dtype, sum_f64_512(n, x), sum_f32_512(n, x));
#endif
    return PERI_REAL_PICK(dtype, sum_f64(n, x), sum_f32(n, x));
}

#if PERI_X86
/* to (cols,rows) = the transpose of from (rows,cols), four by four in registers, up to the last
 * multiples of four. */
PERI_AVX2 static void flip_fours(size_t rows, size_t cols, const double *from, size_t ld,
                                 double *to)
{
    for (size_t j = 0; j + 4 <= cols; j += 4)
        for (size_t i = 0; i + 4 <= rows; i += 4) {
            const double *x = from + i * cols + j;
            double *y = to + j * ld + i;
            const __m256d a = _mm256_loadu_pd(x), b = _mm256_loadu_pd(x + cols);
            const __m256d c = _mm256_loadu_pd(x + 2 * cols), d = _mm256_loadu_pd(x + 3 * cols);
            const __m256d ab = _mm256_unpacklo_pd(a, b), ba = _mm256_unpackhi_pd(a, b);
            const __m256d cd = _mm256_unpacklo_pd(c, d), dc = _mm256_unpackhi_pd(c, d);
            _mm256_storeu_pd(y, _mm256_permute2f128_pd(ab, cd, 0x20));
            _mm256_storeu_pd(y + ld, _mm256_permute2f128_pd(ba, dc, 0x20));
            _mm256_storeu_pd(y + 2 * ld, _mm256_permute2f128_pd(ab, cd, 0x31));
            _mm256_storeu_pd(y + 3 * ld, _mm256_permute2f128_pd(ba, dc, 0x31));
        }
}
#endif

/* to (cols,rows) = the transpose of from (rows,cols), rows of to `ld` apart. */
static void copy_flipped(int dtype, size_t rows, size_t cols, const void *from, size_t ld, void *to)
{
    enum { TILE = 16 };
    size_t done = 0; /* columns */
#if PERI_X86
    if (peri_is_f64(dtype) && rows % 4 == 0 && peri_isa() >= PERI_ISA_AVX2) {
        flip_fours(rows, cols, from, ld, to);
        done = cols / 4 * 4;
    }
#endif
    for (size_t j0 = done; j0 < cols; j0 += TILE)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = j0; j < min_size(j0 + TILE, cols); j++)
                PERI_REAL_DO(dtype,
                             ((double *)to)[j * ld + i] = ((const double *)from)[i * cols + j],
                             ((float *)to)[j * ld + i] = ((const float *)from)[i * cols + j]);
}

#define SWAP(REAL)                                                                                 \
    REAL *x = (REAL *)a + i * n + j, *y = (REAL *)a + j * n + i, t = *x;                           \
    *x = *y;                                                                                       \
    *y = t

static void transpose_square(int dtype, size_t n, void *a)
{
    enum { TILE = 16 };
    for (size_t i0 = 0; i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < min_size(i0 + TILE, n); i++)
                for (size_t j = j0; j < min_size(j0 + TILE, i); j++)
                    PERI_REAL_RUN(dtype, SWAP(double), SWAP(float));
}

/* Copies the (rows,cols) matrix `from`, by name `arg`, to `to`, times 2^-*shift: *shift is 0 but
 * for extreme elements; even. to NULL only checks; `flip` copies the transpose. *norm, if wanted,
 * becomes the infinity norm of what was copied. */
static peri_status load(int dtype, size_t rows, size_t cols, const void *from, const char *arg,
                        bool flip, void *to, int *shift, double *norm, peri_facts *facts)
{
    enum { CHUNK = 2048, STRIP = 16 };
    const size_t count = rows * cols, es = peri_dtype_size(dtype);
    const double edge = PERI_REAL_PICK(dtype, 0x1p400, 0x1p50);
    *facts = (peri_facts){0};
    *shift = 0;
    if (rows > INT_MAX || cols > INT_MAX) {
        facts->arg = arg;
        facts->got = (double)max_size(rows, cols);
        return PERI_ERR_TOO_LARGE;
    }
    double sum = 0, largest = 0;
    /* A part of some rows is checked, then copied from the cache. */
    const size_t step = flip ? STRIP : max_size(CHUNK / max_size(cols, 1), 1);
    for (size_t i = 0; i < rows && cols > 0; i += step) {
        const size_t part = min_size(rows - i, step);
        const char *at = (const char *)from + i * cols * es;
        for (size_t r = 0; r < part && norm != NULL; r++) {
            const double row = magnitudes(dtype, cols, at + r * cols * es);
            largest = row > largest ? row : largest;
            sum += row;
        }
        if (norm == NULL)
            sum += magnitudes(dtype, part * cols, at);
        if (to != NULL && flip)
            copy_flipped(dtype, part, cols, at, rows, (char *)to + i * es);
        else if (to != NULL)
            memcpy((char *)to + i * cols * es, at, part * cols * es);
    }
    if (norm != NULL)
        *norm = largest;
    if (sum < edge && sum > 1 / edge)
        return PERI_OK;
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const double x = get(dtype, from, i);
        if (!isfinite(x)) {
            facts->arg = arg;
            facts->nindex = 2;
            facts->index[0] = i / cols;
            facts->index[1] = i % cols;
            facts->got = x;
            return PERI_ERR_NONFINITE;
        }
        most = fabs(x) > most ? fabs(x) : most;
    }
    if (to == NULL || most == 0 || (most < edge && most > 1 / edge))
        return PERI_OK;
    *shift = ilogb(most) / 2 * 2;
    for (size_t i = 0; i < count; i++)
        put(dtype, to, i, ldexp(get(dtype, to, i), -*shift));
    if (norm != NULL)
        *norm = ldexp(peri_linalg_norm(dtype, rows, cols, from, PERI_NORM_INF), -*shift);
    return PERI_OK;
}

static void scale_back(int dtype, size_t count, void *x, int shift)
{
    for (size_t i = 0; i < count && shift != 0; i++)
        put(dtype, x, i, ldexp(get(dtype, x, i), shift));
}

/* Hands out parts of the workspace; with base NULL it only counts. */
typedef struct {
    char *base;
    size_t used;
    bool overflow;
} arena;

static void *take(arena *a, size_t rows, size_t cols, size_t size)
{
    size_t bytes = 0;
    a->overflow |= __builtin_mul_overflow(rows, cols, &bytes);
    a->overflow |= __builtin_mul_overflow(bytes, size, &bytes) || bytes > SIZE_MAX / 8;
    bytes = a->overflow ? 0 : (bytes + 63) / 64 * 64;
    void *at = (void *)((uintptr_t)a->base + a->used);
    a->overflow |= __builtin_add_overflow(a->used, bytes, &a->used);
    return at;
}

/* solve's right sides of its own, which show the condition, go along with up to JOINED of the
 * user's.
 */
enum { PROBES = 3, JOINED = 8 };

/* Right sides that solve_quad takes at once, and up to which extent inv solves for the columns of
 * the identity with it; beyond, LAPACK's getri is faster. */
enum { QUAD = 4, SMALL_INVERSE = 16 };

typedef struct {
    void *a, *b, *c, *tau, *lapack;
    double *x, *y;
    int *pivot, *iwork;
    size_t lwork, liwork; /* an lwork over INT_MAX: LAPACK cannot do this size */
} room;

/* The size of gesdd's workspace. Asking LAPACK takes longer than the SVD of a small matrix. */
static size_t gesdd_lwork(int dtype, const char *job, size_t m, size_t n)
{
    const size_t k = min_size(m, n), most = max_size(m, n);
    const size_t enough = 5 * k * k + 12 * k + 2 * most + 64 * (k + most);
    if (most <= 24)
        return enough;
    double ask = 0;
    float ask32 = 0;
    int ignored = 0;
    gesdd(dtype, job, (int)m, (int)n, &ask, &ask, &ask, &ask, (int)k,
          PERI_REAL_PICK(dtype, (void *)&ask, (void *)&ask32), -1, &ignored);
    /* A float cannot hold every size, and LAPACK may have rounded it down. */
    const double size = PERI_REAL_PICK(dtype, ask, (double)ask32 * (1 + 2 * (double)FLT_EPSILON));
    return size >= (double)INT_MAX || size <= 0 ? (size_t)INT_MAX + 1 : (size_t)size + 1;
}

static room lay_out(peri_linalg_op op, int dtype, size_t m, size_t n, arena *w)
{
    const size_t es = peri_dtype_size(dtype), k = min_size(m, n), most = max_size(m, n);
    room r = {0};
    r.lwork = 64 * max_size(most, 1);
    switch (op) {
    case PERI_LINALG_SOLVE:
        r.a = take(w, n, n, es);
        r.pivot = take(w, n, 1, sizeof(int));
        r.b = take(w, n, JOINED + PROBES, es);
        r.c = take(w, n, 1, es);
        break;
    case PERI_LINALG_INV:
        r.pivot = take(w, n, 1, sizeof(int));
        if (n <= SMALL_INVERSE) {
            r.a = take(w, n, n, es);
            r.b = take(w, n, QUAD, es);
        }
        break;
    case PERI_LINALG_DET:
        r.a = take(w, n, n, es);
        r.pivot = take(w, n, 1, sizeof(int));
        break;
    case PERI_LINALG_QR:
        r.a = take(w, m, n, es);
        r.tau = take(w, max_size(k, 1), 1, es);
        break;
    case PERI_LINALG_SVD:
    case PERI_LINALG_PINV:
    case PERI_LINALG_VALUES:
        r.a = take(w, m, n, es);
        if (op != PERI_LINALG_SVD)
            r.tau = take(w, k, 1, es);
        if (op == PERI_LINALG_PINV && m < n)
            r.b = take(w, m, k, es);
        if (op == PERI_LINALG_PINV || (op == PERI_LINALG_SVD && m >= n))
            r.c = take(w, k, n, es);
        r.iwork = take(w, 8 * max_size(k, 1), 1, sizeof(int));
        if (op == PERI_LINALG_VALUES)
            r.lwork = gesdd_lwork(dtype, "N", most, k);
        else if (m >= n)
            r.lwork = gesdd_lwork(dtype, "O", m, n);
        else
            r.lwork = gesdd_lwork(dtype, "S", n, m);
        break;
    case PERI_LINALG_EIGH:
        r.lwork = 1 + 6 * n + 2 * n * n;
        r.lwork = max_size(r.lwork, 66 * n);
        r.liwork = 3 + 5 * n;
        r.iwork = take(w, r.liwork, 1, sizeof(int));
        break;
    case PERI_LINALG_EIG:
        r.a = take(w, n, n, es);
        r.b = take(w, n, n, es);
        break;
    case PERI_LINALG_LU:
        r.a = take(w, m, n, es);
        r.pivot = take(w, max_size(k, 1), 1, sizeof(int));
        break;
    }
    if (r.lwork <= INT_MAX && op != PERI_LINALG_SOLVE && op != PERI_LINALG_DET &&
        op != PERI_LINALG_LU)
        r.lapack = take(w, max_size(r.lwork, 1), 1, es);
    return r;
}

size_t peri_linalg_work(peri_linalg_op op, int dtype, size_t m, size_t n)
{
    if (max_size(m, n) > INT_MAX || m == 0 || n == 0)
        return 0;
    arena w = {0};
    lay_out(op, dtype, m, n, &w);
    return w.overflow ? SIZE_MAX : w.used;
}

static peri_status too_large(size_t n, peri_facts *facts)
{
    *facts = (peri_facts){.arg = "A", .got = (double)n};
    return PERI_ERR_TOO_LARGE;
}

static peri_status singular(int info, peri_facts *facts)
{
    *facts = (peri_facts){.arg = "A", .nindex = 1};
    facts->index[0] = (size_t)(info - 1);
    return PERI_ERR_SINGULAR;
}

/* ---- LU ------------------------------------------------------------------------------------- */

/* Rows i and pivot[i] of x (n,p) change places: forward as the factorisation did, or back. */
static void interchange(int dtype, size_t n, size_t p, const int *pivot, bool forward, void *x)
{
    for (size_t step = 0; step < n; step++) {
        const size_t i = forward ? step : n - 1 - step, j = (size_t)pivot[i] - 1;
        if (i == j)
            continue;
        PERI_REAL_DO(dtype, cblas_dswap((int)p, (double *)x + i * p, 1, (double *)x + j * p, 1),
                     cblas_sswap((int)p, (float *)x + i * p, 1, (float *)x + j * p, 1));
    }
}

/* What solve_lu does between the interchanges, for exactly QUAD right sides: a row of x is one
 * vector, and QUAD rows of the factors are taken in one pass over x. BLAS's own way packs the whole
 * of the factors first, which for so few right sides is most of the time. */
#define DEFINE_SOLVE_QUAD(name, attribute, real)                                                   \
    typedef real name##_lanes __attribute__((vector_size(QUAD * sizeof(real)), aligned(4)));       \
    attribute static void name(size_t n, const real *lu, real *right)                              \
    {                                                                                              \
        name##_lanes *x = (name##_lanes *)(void *)right;                                           \
        size_t i = 0;                                                                              \
        for (; i < n; i += QUAD) { /* L y = b, L^T above the diagonal */                           \
            const size_t rows = min_size(QUAD, n - i);                                             \
            const real *row[QUAD];                                                                 \
            for (size_t r = 0; r < rows; r++) {                                                    \
                row[r] = lu + (i + r) * n;                                                         \
                for (size_t j = r + 1; j < rows; j++)                                              \
                    x[i + j] -= row[r][i + j] * x[i + r];                                          \
            }                                                                                      \
            if (rows < QUAD)                                                                       \
                break;                                                                             \
            const name##_lanes a = x[i], b = x[i + 1], c = x[i + 2], d = x[i + 3];                 \
            for (size_t j = i + QUAD; j < n; j++)                                                  \
                x[j] -= (row[0][j] * a + row[1][j] * b) + (row[2][j] * c + row[3][j] * d);         \
        }                                                                                          \
        for (i = n; i > 0;) { /* U z = y, U^T on and below the diagonal */                         \
            const size_t rows = min_size(QUAD, i), from = i - rows;                                \
            for (size_t r = rows; r-- > 0;) {                                                      \
                const real *row = lu + (from + r) * n;                                             \
                x[from + r] /= row[from + r];                                                      \
                for (size_t j = 0; j < r; j++)                                                     \
                    x[from + j] -= row[from + j] * x[from + r];                                    \
            }                                                                                      \
            i = from;                                                                              \
            if (rows < QUAD)                                                                       \
                break;                                                                             \
            const real *row = lu + i * n;                                                          \
            const name##_lanes a = x[i], b = x[i + 1], c = x[i + 2], d = x[i + 3];                 \
            for (size_t j = 0; j < i; j++)                                                         \
                x[j] -= (row[j] * a + row[n + j] * b) + (row[2 * n + j] * c + row[3 * n + j] * d); \
        }                                                                                          \
    }

DEFINE_SOLVE_QUAD(solve_quad_f64, , double)
DEFINE_SOLVE_QUAD(solve_quad_f32, , float)
#if PERI_X86
DEFINE_SOLVE_QUAD(solve_quad_f64_256, __attribute__((target("avx2"))), double)
#endif

static void solve_quad_doubles(size_t n, const void *lu, void *x)
{
#if PERI_X86
    if (peri_isa() >= PERI_ISA_AVX2) {
        solve_quad_f64_256(n, lu, x);
        return;
    }
#endif
    solve_quad_f64(n, lu, x);
}

/* getrf left A = P L U in lu, by columns: read by rows, the lower triangle is U^T and the upper one
 * L^T with a diagonal of ones. x becomes A^-1 x, or A^-T x. (A itself is factored here, not A^T:
 * elimination by rows meets an exact 0 where a row depends on others, as NumPy's does.) */
static void solve_lu(int dtype, size_t n, size_t p, const void *lu, const int *pivot,
                     bool transpose, void *x)
{
    if (!transpose) {
        interchange(dtype, n, p, pivot, true, x);
        if (p == QUAD) {
            PERI_REAL_DO(dtype, solve_quad_doubles(n, lu, x), solve_quad_f32(n, lu, x));
            return;
        }
        solve_triangle(dtype, false, true, true, n, p, lu, x);
        solve_triangle(dtype, true, true, false, n, p, lu, x);
    } else {
        solve_triangle(dtype, true, false, false, n, p, lu, x);
        solve_triangle(dtype, false, false, true, n, p, lu, x);
        interchange(dtype, n, p, pivot, false, x);
    }
}

/* Right sides of +-1 that show a large inverse: all alike, alternating, and one without pattern.
 * Column `which`, row i. */
static double probe(size_t i, int which)
{
    const uint64_t mixed = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    if (which == 0)
        return 1;
    if (which == 1)
        return i % 2 == 0 ? 1 : -1;
    return (mixed ^ mixed >> 29) & (UINT64_C(1) << 20) ? 1 : -1;
}

/* Raises an estimate of the infinity norm of A^-1, that is the 1-norm of A^-T, by Higham's method
 * ("FORTRAN codes for estimating the one-norm of a real or complex matrix", ACM TOMS 14, 1988),
 * from the row `best` in which a probe's solution is largest. x is (n). */
static double raise_estimate(int dtype, size_t n, const void *lu, const int *pivot, double estimate,
                             size_t best, void *x)
{
    for (int step = 0; step < 4 && isfinite(estimate); step++) {
        for (size_t i = 0; i < n; i++)
            put(dtype, x, i, i == best);
        solve_lu(dtype, n, 1, lu, pivot, true, x);
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            sum += fabs(get(dtype, x, i));
            put(dtype, x, i, get(dtype, x, i) < 0 ? -1 : 1);
        }
        if (!(sum > estimate))
            break;
        estimate = sum;
        solve_lu(dtype, n, 1, lu, pivot, false, x);
        best = 0;
        for (size_t i = 1; i < n; i++)
            if (fabs(get(dtype, x, i)) > fabs(get(dtype, x, best)))
                best = i;
    }
    return estimate;
}

peri_status peri_linalg_solve(int dtype, size_t n, size_t p, const void *A, const void *B, void *X,
                              double *condition, void *work, peri_facts *facts)
{
    arena w = {.base = work};
    int shift, ignored;
    *condition = 0;
    if (n > INT_MAX || p > INT_MAX)
        return too_large(max_size(n, p), facts);
    if (n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_SOLVE, dtype, n, n, &w);
    double norm = 0;
    peri_status status = load(dtype, n, n, A, "A", true, r.a, &shift, &norm, facts);
    if (status == PERI_OK)
        status = load(dtype, n, p, B, "B", false, NULL, &ignored, NULL, facts);
    if (status != PERI_OK)
        return status;
    const int info = getrf(dtype, (int)n, r.a, r.pivot);
    if (info > 0)
        return singular(info, facts);
    /* A few columns of B and the probes are solved for together: one pass over the factors. */
    const size_t joined = p <= JOINED ? p : 0, ld = joined + PROBES;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < joined; j++)
            put(dtype, r.b, i * ld + j, get(dtype, B, i * p + j));
        for (int k = 0; k < PROBES; k++)
            put(dtype, r.b, i * ld + joined + (size_t)k, probe(i, k));
    }
    solve_lu(dtype, n, ld, r.a, r.pivot, false, r.b);
    double estimate = 0;
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < joined; j++)
            put(dtype, X, i * p + j, get(dtype, r.b, i * ld + j));
        for (size_t k = 0; k < PROBES; k++) {
            const double size = fabs(get(dtype, r.b, i * ld + joined + k));
            if (size > estimate || isnan(size)) {
                estimate = isnan(size) ? INFINITY : size;
                best = i;
            }
        }
    }
    if (norm * estimate > PERI_REAL_PICK(dtype, 1e8, 1e3))
        estimate = raise_estimate(dtype, n, r.a, r.pivot, estimate, best, r.c);
    *condition = isnan(estimate) ? INFINITY : norm * estimate;
    if (joined < p) {
        memcpy(X, B, n * p * peri_dtype_size(dtype));
        solve_lu(dtype, n, p, r.a, r.pivot, false, X);
    }
    scale_back(dtype, n * p, X, -shift);
    return PERI_OK;
}

/* The inverse of a small matrix from its factors, QUAD columns of A X = 1 at a time. */
static void invert_small(int dtype, size_t n, const void *lu, const int *pivot, void *inverse,
                         void *columns)
{
    for (size_t j = 0; j < n; j += QUAD) {
        const size_t width = min_size(QUAD, n - j);
        memset(columns, 0, n * QUAD * peri_dtype_size(dtype));
        for (size_t k = 0; k < width; k++)
            put(dtype, columns, (j + k) * QUAD + k, 1);
        solve_lu(dtype, n, QUAD, lu, pivot, false, columns);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < width; k++)
                put(dtype, inverse, i * n + j + k, get(dtype, columns, i * QUAD + k));
    }
}

peri_status peri_linalg_inv(int dtype, size_t n, const void *A, void *inverse, double *condition,
                            void *work, peri_facts *facts)
{
    arena w = {.base = work};
    int shift;
    *condition = 0;
    if (n > INT_MAX / 64)
        return too_large(n, facts);
    if (n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_INV, dtype, n, n, &w);
    double norm = 0;
    void *lu = n <= SMALL_INVERSE ? r.a : inverse;
    const peri_status status = load(dtype, n, n, A, "A", true, lu, &shift, &norm, facts);
    if (status != PERI_OK)
        return status;
    int info = getrf(dtype, (int)n, lu, r.pivot);
    if (info == 0 && lu == inverse)
        info = getri(dtype, (int)n, inverse, r.pivot, r.lapack, (int)r.lwork);
    if (info > 0)
        return singular(info, facts);
    if (lu == inverse)
        transpose_square(dtype, n, inverse);
    else
        invert_small(dtype, n, lu, r.pivot, inverse, r.b);
    *condition = norm * peri_linalg_norm(dtype, n, n, inverse, PERI_NORM_INF);
    scale_back(dtype, n * n, inverse, -shift);
    return PERI_OK;
}

peri_status peri_linalg_det(int dtype, size_t n, const void *A, double *sign, double *logdet,
                            double *det, void *work, peri_facts *facts)
{
    arena w = {.base = work};
    int shift;
    *sign = *det = 1;
    *logdet = 0;
    if (n > INT_MAX)
        return too_large(n, facts);
    if (n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_DET, dtype, n, n, &w);
    const peri_status status = load(dtype, n, n, A, "A", true, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    if (getrf(dtype, (int)n, r.a, r.pivot) > 0) {
        *sign = *det = 0;
        *logdet = -INFINITY;
        return PERI_OK;
    }
    double part = 1, exponent = (double)n * shift; /* the product is part 2^exponent */
    for (size_t i = 0; i < n; i++) {
        int power = 0;
        part = frexp(part * get(dtype, r.a, i * n + i), &power);
        exponent += power;
        if (r.pivot[i] != (int)i + 1)
            part = -part;
    }
    const double bounded = exponent > 5000 ? 5000 : exponent < -5000 ? -5000 : exponent;
    *sign = part < 0 ? -1 : 1;
    *logdet = log(fabs(part)) + exponent * 0.693147180559945309417;
    *det = ldexp(part, (int)bounded);
    return PERI_OK;
}

/* ---- the other decompositions ---------------------------------------------------------------- */

peri_status peri_linalg_cholesky(int dtype, size_t n, const void *A, void *L, peri_facts *facts)
{
    int shift;
    const peri_status status = load(dtype, n, n, A, "A", false, L, &shift, NULL, facts);
    if (status != PERI_OK || n == 0)
        return status;
    const int info = potrf(dtype, (int)n, L);
    if (info > 0) {
        *facts = (peri_facts){.arg = "A", .nindex = 1};
        facts->index[0] = (size_t)(info - 1);
        return PERI_ERR_NOT_POSITIVE;
    }
    const size_t es = peri_dtype_size(dtype);
    for (size_t i = 0; i < n; i++)
        memset((char *)L + (i * n + i + 1) * es, 0, (n - i - 1) * es);
    scale_back(dtype, n * n, L, shift / 2);
    return PERI_OK;
}

peri_status peri_linalg_qr(int dtype, size_t m, size_t n, const void *A, void *Q, void *R,
                           void *work, peri_facts *facts)
{
    const size_t es = peri_dtype_size(dtype), k = min_size(m, n);
    arena w = {.base = work};
    int shift;
    if (max_size(m, n) > INT_MAX / 64)
        return too_large(max_size(m, n), facts);
    if (k == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_QR, dtype, m, n, &w);
    /* By columns: A as it lies is A^T = L Q^T to LAPACK, but its gelqf walks along rows. */
    const peri_status status = load(dtype, m, n, A, "A", true, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    geqrf(dtype, (int)m, (int)n, r.a, r.tau, r.lapack, (int)r.lwork);
    if (m == k)
        copy_flipped(dtype, n, m, r.a, n, R);
    else
        for (size_t i = 0; i < k; i++)
            for (size_t j = i; j < n; j++)
                put(dtype, R, i * n + j, get(dtype, r.a, j * m + i));
    for (size_t i = 1; i < k; i++)
        memset((char *)R + i * n * es, 0, i * es);
    orgqr(dtype, (int)m, (int)k, (int)k, r.a, r.tau, r.lapack, (int)r.lwork);
    copy_flipped(dtype, k, m, r.a, k, Q);
    scale_back(dtype, k * n, R, shift);
    return PERI_OK;
}

/* The SVD of what load() brought. A tall A lies by columns, as LAPACK's factorisation A = Q R,
 * which comes first, is fast: U^T (n,m) replaces it, and V (n,n) goes to r->c. Of a wide one A^T =
 * Vt^T diag(s) U^T, so that Vt (m,n) and U (m,m) come as they are. */
static int decompose(int dtype, size_t m, size_t n, const room *r, void *s, void *Vt, void *U)
{
    double none = 0;
    if (m >= n)
        return gesdd(dtype, "O", (int)m, (int)n, r->a, s, &none, r->c, (int)n, r->lapack,
                     (int)r->lwork, r->iwork);
    return gesdd(dtype, "S", (int)n, (int)m, r->a, s, Vt, U, (int)m, r->lapack, (int)r->lwork,
                 r->iwork);
}

peri_status peri_linalg_svd(int dtype, size_t m, size_t n, const void *A, void *U, void *s,
                            void *Vt, void *work, peri_facts *facts)
{
    arena w = {.base = work};
    int shift;
    if (max_size(m, n) > INT_MAX)
        return too_large(max_size(m, n), facts);
    if (m == 0 || n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_SVD, dtype, m, n, &w);
    if (r.lwork > INT_MAX)
        return too_large(max_size(m, n), facts);
    const peri_status status = load(dtype, m, n, A, "A", m >= n, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    const int info = decompose(dtype, m, n, &r, s, Vt, U);
    if (info != 0) {
        facts->arg = "A";
        return PERI_ERR_NO_CONVERGENCE;
    }
    if (m >= n) {
        copy_flipped(dtype, n, m, r.a, n, U);
        copy_flipped(dtype, n, n, r.c, n, Vt);
    }
    scale_back(dtype, min_size(m, n), s, shift);
    return PERI_OK;
}

peri_status peri_linalg_values(int dtype, size_t m, size_t n, const void *A, double *s, void *work,
                               peri_facts *facts)
{
    arena w = {.base = work};
    int shift;
    if (max_size(m, n) > INT_MAX)
        return too_large(max_size(m, n), facts);
    if (m == 0 || n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_VALUES, dtype, m, n, &w);
    if (r.lwork > INT_MAX)
        return too_large(max_size(m, n), facts);
    const peri_status status = load(dtype, m, n, A, "A", m >= n, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    double none = 0;
    const int info = gesdd(dtype, "N", (int)max_size(m, n), (int)min_size(m, n), r.a, r.tau, &none,
                           &none, 1, r.lapack, (int)r.lwork, r.iwork);
    if (info != 0) {
        facts->arg = "A";
        return PERI_ERR_NO_CONVERGENCE;
    }
    for (size_t i = 0; i < min_size(m, n); i++)
        s[i] = ldexp(get(dtype, r.tau, i), shift);
    return PERI_OK;
}

peri_status peri_linalg_pinv(int dtype, size_t m, size_t n, const void *A, double rcond, void *P,
                             size_t *rank, void *work, peri_facts *facts)
{
    const size_t k = min_size(m, n);
    arena w = {.base = work};
    int shift;
    *rank = 0;
    if (max_size(m, n) > INT_MAX)
        return too_large(max_size(m, n), facts);
    if (k == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_PINV, dtype, m, n, &w);
    if (r.lwork > INT_MAX)
        return too_large(max_size(m, n), facts);
    const peri_status status = load(dtype, m, n, A, "A", m >= n, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    const int info = decompose(dtype, m, n, &r, r.tau, r.c, r.b);
    if (info != 0) {
        facts->arg = "A";
        return PERI_ERR_NO_CONVERGENCE;
    }
    const double cut = rcond * get(dtype, r.tau, 0);
    while (*rank < k && get(dtype, r.tau, *rank) > cut)
        ++*rank;
    /* P = V diag(1/s) U^T: rows of Vt over s, or columns of V. */
    for (size_t j = 0; j < *rank; j++)
        for (size_t i = 0; i < n; i++) {
            const size_t at = m >= n ? i * n + j : j * n + i;
            put(dtype, r.c, at, get(dtype, r.c, at) / get(dtype, r.tau, j));
        }
    const int rows = (int)n, cols = (int)m, inner = (int)*rank;
    const CBLAS_TRANSPOSE flip = m >= n ? CblasNoTrans : CblasTrans;
    const void *right = m >= n ? r.a : r.b; /* U^T (n,m), or U (m,m) */
    PERI_REAL_DO(dtype,
                 cblas_dgemm(CblasRowMajor, flip, flip, rows, cols, inner, 1, r.c, rows, right,
                             cols, 0, P, cols),
                 cblas_sgemm(CblasRowMajor, flip, flip, rows, cols, inner, 1, r.c, rows, right,
                             cols, 0, P, cols));
    scale_back(dtype, n * m, P, -shift);
    return PERI_OK;
}

peri_status peri_linalg_eigh(int dtype, size_t n, const void *A, void *w, void *V, void *work,
                             peri_facts *facts)
{
    arena parts = {.base = work};
    int shift;
    if (n > INT_MAX)
        return too_large(n, facts);
    if (n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_EIGH, dtype, n, n, &parts);
    if (r.lwork > INT_MAX)
        return too_large(n, facts);
    const peri_status status = load(dtype, n, n, A, "A", false, V, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    const int info = syevd(dtype, (int)n, V, w, r.lapack, (int)r.lwork, r.iwork, (int)r.liwork);
    if (info != 0) {
        facts->arg = "A";
        return PERI_ERR_NO_CONVERGENCE;
    }
    transpose_square(dtype, n, V);
    scale_back(dtype, n, w, shift);
    return PERI_OK;
}

peri_status peri_linalg_eig(size_t n, const double *A, double *re, double *im, double *V_re,
                            double *V_im, void *work, peri_facts *facts)
{
    arena parts = {.base = work};
    int shift, info = 0;
    if (n > INT_MAX)
        return too_large(n, facts);
    if (n == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_EIG, PERI_F64, n, n, &parts);
    if (r.lwork > INT_MAX)
        return too_large(n, facts);
    const peri_status status = load(PERI_F64, n, n, A, "A", true, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    const int order = (int)n, lwork = (int)r.lwork, one = 1;
    double *const V = r.b;
    LAPACK_dgeev("N", V_re != NULL ? "V" : "N", &order, r.a, &order, re, im, NULL, &one, V, &order,
                 r.lapack, &lwork, &info);
    if (info != 0) {
        facts->arg = "A";
        return PERI_ERR_NO_CONVERGENCE;
    }
    scale_back(PERI_F64, n, re, shift);
    scale_back(PERI_F64, n, im, shift);
    for (size_t j = 0; j < n && V_re != NULL; j++) {
        /* Of a pair LAPACK leaves the real and the imaginary part side by side. */
        const bool first = im[j] > 0, second = im[j] < 0 && j > 0;
        const double *const real = V + (j - second) * n, *const imaginary = real + n;
        for (size_t i = 0; i < n; i++) {
            V_re[i * n + j] = real[i];
            V_im[i * n + j] = first ? imaginary[i] : second ? 0 - imaginary[i] : 0;
        }
    }
    return PERI_OK;
}

peri_status peri_linalg_lu(int dtype, size_t m, size_t n, const void *A, size_t *order, void *L,
                           void *U, void *work, peri_facts *facts)
{
    arena parts = {.base = work};
    const size_t k = min_size(m, n);
    int shift, info = 0;
    if (max_size(m, n) > INT_MAX)
        return too_large(max_size(m, n), facts);
    for (size_t i = 0; i < m; i++)
        order[i] = i;
    if (k == 0)
        return PERI_OK;
    const room r = lay_out(PERI_LINALG_LU, dtype, m, n, &parts);
    const peri_status status = load(dtype, m, n, A, "A", true, r.a, &shift, NULL, facts);
    if (status != PERI_OK)
        return status;
    const int rows = (int)m, cols = (int)n;
    CALL(dtype, getrf, &rows, &cols, r.a, &rows, r.pivot, &info);
    for (size_t i = 0; i < k; i++) {
        const size_t j = (size_t)r.pivot[i] - 1, row = order[i];
        order[i] = order[j];
        order[j] = row;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < k; j++)
            put(dtype, L, i * k + j, i > j ? get(dtype, r.a, j * m + i) : i == j);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            put(dtype, U, i * n + j, j >= i ? ldexp(get(dtype, r.a, j * m + i), shift) : 0);
    return PERI_OK;
}

/* Whether the sums of the magnitudes in the rows of the triangle are; the other one is not read. */
static bool is_finite_triangle(int dtype, bool lower, size_t n, const void *a)
{
    const size_t es = peri_dtype_size(dtype);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += magnitudes(dtype, lower ? i + 1 : n - i,
                          (const char *)a + (i * n + (lower ? 0 : i)) * es);
    return isfinite(sum) != 0;
}

peri_status peri_linalg_triangular(int dtype, size_t n, size_t p, const void *A, bool lower,
                                   bool transpose, bool unit, const void *B, void *X,
                                   peri_facts *facts)
{
    int ignored;
    peri_status status = PERI_OK;
    if (!is_finite_triangle(dtype, lower, n, A)) /* or its magnitudes are extreme */
        status = load(dtype, n, n, A, "A", false, NULL, &ignored, NULL, facts);
    if (status == PERI_OK)
        status = load(dtype, n, p, B, "B", false, NULL, &ignored, NULL, facts);
    if (status != PERI_OK || n == 0 || p == 0)
        return status;
    for (size_t i = 0; i < n && !unit; i++)
        if (get(dtype, A, i * n + i) == 0)
            return singular((int)i + 1, facts);
    memcpy(X, B, n * p * peri_dtype_size(dtype));
    solve_triangle(dtype, lower, transpose, unit, n, p, A, X);
    return PERI_OK;
}

/* ---- norms ----------------------------------------------------------------------------------- */

static double root_of_squares(int dtype, size_t count, const void *x)
{
    const ptrdiff_t stride = 1, none = 0;
    const size_t one = 1;
    const bool reduced = true;
    double result;
    const peri_view from = {(void *)(uintptr_t)x, dtype, 1, &count, &stride};
    const peri_view to = {&result, PERI_F64, 1, &one, &none};
    (void)peri_reduce(PERI_NORM, &from, &reduced, 0, &to, NULL);
    return result;
}

double peri_linalg_norm(int dtype, size_t m, size_t n, const void *A, peri_norm order)
{
    if (m == 0 || n == 0)
        return 0;
    if (order == PERI_NORM_FROBENIUS)
        return root_of_squares(dtype, m * n, A);
    const bool rows = order == PERI_NORM_INF || order == PERI_NORM_MINUS_INF;
    const bool least = order == PERI_NORM_MINUS_ONE || order == PERI_NORM_MINUS_INF;
    enum { WIDTH = 64 }; /* columns summed in one pass over the rows */
    double best = least ? INFINITY : 0;
    for (size_t i = 0; i < (rows ? m : n); i += rows ? 1 : WIDTH) {
        double sum[WIDTH];
        const size_t sums = rows ? 1 : min_size(n - i, WIDTH);
        memset(sum, 0, sums * sizeof *sum);
        if (rows && peri_is_f64(dtype))
            sum[0] = magnitudes(dtype, n, (const double *)A + i * n);
        else if (rows)
            for (size_t j = 0; j < n; j++)
                sum[0] += fabs(get(dtype, A, i * n + j));
        else
            for (size_t j = 0; j < m; j++)
                for (size_t c = 0; c < sums; c++)
                    sum[c] += fabs(get(dtype, A, j * n + i + c));
        for (size_t c = 0; c < sums; c++) {
            if (isnan(sum[c]))
                return sum[c];
            if (least ? sum[c] < best : sum[c] > best)
                best = sum[c];
        }
    }
    return best;
}

double peri_linalg_vector_norm(int dtype, size_t n, const void *x, double order)
{
    double most = 0, least = INFINITY, zeros = 0;
    for (size_t i = 0; i < n; i++) {
        const double size = fabs(get(dtype, x, i));
        if (isnan(size))
            return size;
        most = fmax(most, size);
        least = fmin(least, size);
        zeros += size == 0;
    }
    if (order == 0)
        return (double)n - zeros;
    if (n == 0)
        return 0;
    if (order == INFINITY || (isinf(most) && order > 0))
        return most;
    if (order == -INFINITY)
        return least;
    const double unit = order < 0 ? least : most;
    if (unit == 0)
        return 0;
    double sum = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
        const double ratio = fabs(get(dtype, x, i)) / unit;
        const double power = order == 2 ? ratio * ratio : order == 1 ? ratio : pow(ratio, order);
        const double term = power - error, next = sum + term;
        error = (next - sum) - term;
        sum = next;
    }
    return unit * (order == 2 ? sqrt(sum) : order == 1 ? sum : pow(sum, 1 / order));
}

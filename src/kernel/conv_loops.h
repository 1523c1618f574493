/* SPDX-License-Identifier: MIT
 *
 * The loops of convolution over vectors, written over the names of lanes.h and tile_loops.h and
 * included by conv_f32.c and conv_f64.c once a level. It leaves NAME(conv), the table of them.
 */
#undef PANEL
#define PANEL (WIDE * LANES)

/* Up to LANES pixels that lie together in the source and in the output. */
typedef struct {
    size_t source, out, at, count; /* at: their place in the panel */
} NAME(run);

/* The pixels first .. first + count - 1. */
INLINE size_t NAME(list_runs)(const peri_correlation *q, size_t first, size_t count, NAME(run) * r)
{
    const size_t area = q->rows * q->cols;
    size_t image = first / area, row = first % area / q->cols, col = first % q->cols, n = 0;
    for (size_t at = 0; at < count;) {
        const size_t left = count - at, line = q->cols - col < left ? q->cols - col : left;
        const size_t source = image * q->source_image + row * q->source_row + col;
        const size_t out = image * q->out_image + row * q->out_row + col * q->out_col;
        for (size_t i = 0; i < line; i += LANES)
            r[n++] = (NAME(run)){source + i, out + i * q->out_col, at + i,
                                 line - i < LANES ? line - i : LANES};
        at += line;
        col = 0;
        if (++row == q->rows) {
            row = 0;
            image++;
        }
    }
    return n;
}

/* B[k] = the panel's pixels under tap k, in whole vectors: what one carries too much the next, the
 * next row or the slack takes. */
INLINE void NAME(pack)(const peri_correlation *q, const NAME(run) * r, size_t runs, size_t k,
                       size_t count, REAL *B)
{
    const REAL *source = q->source;
    for (size_t i = 0; i < count; i++, B += PANEL) {
        const REAL *from = source + q->tap[k + i];
        for (size_t j = 0; j < runs; j++)
            NAME(store)(B + r[j].at, NAME(load)(from + r[j].source));
    }
}

INLINE void NAME(write_run)(const peri_correlation *q, const NAME(run) * r, size_t m, const REAL *C)
{
    REAL *to = (REAL *)q->out + m * q->out_m + r->out;
    if (q->out_col == 1)
        NAME(store_part)(to, NAME(load_part)(C, r->count), r->count);
    else
        for (size_t i = 0; i < r->count; i++)
            to[i * q->out_col] = C[i];
}

/* Few rows: nothing is packed, since each vector of B would be used by one tile only. */
INLINE void NAME(run_thin)(const peri_correlation *q, const NAME(run) * r, size_t runs, size_t m,
                           int rows)
{
    const REAL *A[TILE_ROWS], *from[WIDE];
    const size_t *tap = q->tap;
    for (size_t j = 0; j < runs; j += WIDE) {
        vec acc[TILE_ROWS * WIDE];
        UNROLL for (size_t v = 0; v < WIDE; v++)
        {
            from[v] = (const REAL *)q->source + r[j + v < runs ? j + v : j].source;
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            A[i] = (const REAL *)q->A + (m + (size_t)i) * q->K;
            UNROLL for (int v = 0; v < WIDE; v++)
            {
                acc[i * WIDE + v] =
                    NAME(splat)(q->bias != NULL ? ((const REAL *)q->bias)[m + (size_t)i] : 0);
            }
        }
        for (size_t k = 0; k < q->K; k++) {
            vec b[WIDE];
            UNROLL for (int v = 0; v < WIDE; v++)
            {
                b[v] = NAME(load)(from[v] + tap[k]);
            }
            UNROLL for (int i = 0; i < rows; i++)
            {
                const vec a = NAME(splat)(A[i][k]);
                UNROLL for (int v = 0; v < WIDE; v++)
                {
                    acc[i * WIDE + v] = NAME(fma)(a, b[v], acc[i * WIDE + v]);
                }
            }
        }
        REAL C[LANES];
        for (size_t v = 0; v < WIDE && j + v < runs; v++)
            for (size_t i = 0; i < (size_t)rows; i++) {
                NAME(store)(C, acc[i * WIDE + v]);
                NAME(write_run)(q, &r[j + v], m + i, C);
            }
    }
}

static KERNEL void NAME(correlate)(const peri_correlation *q, size_t first, size_t last)
{
    NAME(run) runs[PANEL];
    for (size_t p = first; p < last; p += PANEL) {
        const size_t count = last - p < PANEL ? last - p : PANEL;
        const size_t wide = (count + LANES - 1) / LANES;
        const size_t n = NAME(list_runs)(q, p, count, runs);
        if (q->M <= 4) {
            size_t m = 0;
            if (q->M >= 4)
                NAME(run_thin)(q, runs, n, 0, 4);
            else if (q->M >= 2)
                NAME(run_thin)(q, runs, n, 0, 2);
            m = q->M / 2 * 2;
            if (m < q->M)
                NAME(run_thin)(q, runs, n, m, 1);
            continue;
        }
        bool direct = count == PANEL && q->out_col == 1;
        for (size_t j = 1; j < n && direct; j++)
            direct = runs[j].out == runs[j - 1].out + runs[j - 1].count;
        REAL *C = direct ? (REAL *)q->out + runs[0].out : q->C;
        const size_t ldc = direct ? q->out_m : PANEL;
        size_t k = 0;
        do { /* once too when no tap meets these pixels */
            const size_t piece = q->K - k < PERI_CONV_PIECE ? q->K - k : PERI_CONV_PIECE;
            NAME(pack)(q, runs, n, k, piece, q->B);
            NAME(tile_job)
            job = {.outer = 1,
                   .inner = piece,
                   .step = 1,
                   .B = q->B,
                   .ldb = PANEL,
                   .ldc = ldc,
                   .add = k > 0};
            for (size_t m = 0; m < q->M; m += TILE_ROWS) {
                const size_t rows = q->M - m < TILE_ROWS ? q->M - m : TILE_ROWS;
                for (size_t r = 0; r < rows; r++)
                    job.a[r] = (const REAL *)q->A + (m + r) * q->K + k;
                job.bias = k == 0 && q->bias != NULL ? (const REAL *)q->bias + m : NULL;
                job.C = C + m * ldc;
                NAME(tile)(&job, rows, wide);
            }
            k += piece;
        } while (k < q->K);
        for (size_t m = 0; m < q->M && !direct; m++)
            for (size_t j = 0; j < n; j++)
                NAME(write_run)(q, &runs[j], m, C + m * PANEL + runs[j].at);
    }
}

/* One channel of dY: each weight is a dot product, TILE_ROWS at a time. acc[k] is at acc + k ldo.
 */
INLINE void NAME(gather_thin)(const peri_gathering *q, size_t k, size_t rows)
{
    const REAL *x[TILE_ROWS];
    vec acc[TILE_ROWS];
    UNROLL for (size_t r = 0; r < TILE_ROWS; r++)
    {
        x[r] = (const REAL *)q->x + q->tap[k + (r < rows ? r : 0)];
        acc[r] = NAME(splat)(0);
    }
    for (size_t i = 0; i < q->rows; i++) {
        const REAL *dy = (const REAL *)q->dyt + i * q->cols;
        size_t j = 0;
        for (; j + LANES <= q->cols; j += LANES) {
            const vec d = NAME(load)(dy + j);
            UNROLL for (size_t r = 0; r < TILE_ROWS; r++)
            {
                acc[r] = NAME(fma)(d, NAME(load)(x[r] + i * q->x_row + j), acc[r]);
            }
        }
        if (j < q->cols) {
            const vec d = NAME(load_part)(dy + j, q->cols - j);
            UNROLL for (size_t r = 0; r < TILE_ROWS; r++)
            {
                const vec here = NAME(load_part)(x[r] + i * q->x_row + j, q->cols - j);
                acc[r] = NAME(fma)(d, here, acc[r]);
            }
        }
    }
    for (size_t r = 0; r < rows; r++)
        ((REAL *)q->acc)[(k + r) * q->ldo] += NAME(sum)(acc[r]);
}

static KERNEL void NAME(gather)(const peri_gathering *q)
{
    const size_t pixels = q->rows * q->cols;
    for (size_t o = 0; o < q->ldo; o += PANEL) {
        const size_t left = (q->ldo - o) / LANES, wide = left < WIDE ? left : WIDE;
        NAME(tile_job)
        job = {.outer = q->rows,
               .inner = q->cols,
               .jump = q->x_row,
               .step = 1,
               .B = (const REAL *)q->dyt + o * pixels,
               .ldb = wide * LANES,
               .ldc = q->ldo,
               .add = true};
        for (size_t k = 0; k < q->K; k += TILE_ROWS) {
            const size_t rows = q->K - k < TILE_ROWS ? q->K - k : TILE_ROWS;
            if (q->thin) {
                NAME(gather_thin)(q, k, rows);
                continue;
            }
            for (size_t r = 0; r < rows; r++)
                job.a[r] = (const REAL *)q->x + q->tap[k + r];
            job.C = (REAL *)q->acc + k * q->ldo + o;
            NAME(tile)(&job, rows, wide);
        }
    }
}

/* Rows of B pass through the first cache a piece at a time. */
static KERNEL void NAME(pixels)(const peri_pixels *q)
{
    const size_t most = (16 << 10) / (PANEL * sizeof(REAL));
    const size_t piece = q->inner < most ? q->inner : most;
    const size_t high = piece == 0 ? 1 : most / piece; /* rows of the kernel at a time */
    NAME(tile_job) job = {.jump = q->jump, .step = 1, .ldb = q->wide, .ldc = q->wide, .C = q->C};
    size_t i = 0;
    do { /* once too when no tap meets these pixels */
        job.outer = q->outer - i < high ? q->outer - i : high;
        size_t k = 0;
        do {
            job.inner = q->inner - k < piece ? q->inner - k : piece;
            job.B = (const REAL *)q->B + (i * q->inner + k) * q->wide;
            for (size_t p = 0; p < q->count; p += TILE_ROWS) {
                const size_t rows = q->count - p < TILE_ROWS ? q->count - p : TILE_ROWS;
                for (size_t r = 0; r < rows; r++)
                    job.a[r] = (const REAL *)q->staged + q->from[p + r] + i * q->jump + k;
                job.to = q->to + p;
                NAME(tile)(&job, rows, q->wide / LANES);
            }
            job.add = true;
            k += piece;
        } while (k < q->inner);
        i += high;
    } while (i < q->outer);
}

/* ---- Winograd ----------------------------------------------------------------------------- */

/* U is packed as [xi][panel of N][K][panel]: a panel has WIDE vectors, the last one what is left.
 */
static KERNEL void NAME(products)(const peri_products *q)
{
    NAME(tile_job) job = {.outer = 1, .inner = q->K, .step = 1, .ldc = q->N};
    for (size_t xi = 0; xi < q->count; xi++) {
        const REAL *V = (const REAL *)q->V + xi * q->tiles * q->K;
        const REAL *U = (const REAL *)q->U + xi * q->K * q->N;
        REAL *M = (REAL *)q->M + xi * q->tiles * q->N;
        for (size_t n = 0; n < q->N; n += PANEL) {
            const size_t left = (q->N - n) / LANES, wide = left < WIDE ? left : WIDE;
            job.B = U + n * q->K;
            job.ldb = wide * LANES;
            for (size_t t = 0; t < q->tiles; t += TILE_ROWS) {
                const size_t rows = q->tiles - t < TILE_ROWS ? q->tiles - t : TILE_ROWS;
                for (size_t r = 0; r < rows; r++)
                    job.a[r] = V + (t + r) * q->K;
                job.C = M + t * q->N + n;
                NAME(tile)(&job, rows, wide);
            }
        }
    }
}

/* acc (count,K,N) += V^T Q for each, V (count,tiles,K), Q (count,tiles,N). */
static KERNEL void NAME(wino_sum)(size_t count, size_t tiles, size_t K, size_t N, const void *V,
                                  const void *Q, void *acc)
{
    NAME(tile_job) job = {.outer = 1, .inner = tiles, .step = K, .ldb = N, .ldc = N, .add = true};
    for (size_t xi = 0; xi < count; xi++) {
        for (size_t k = 0; k < K; k += TILE_ROWS) {
            const size_t rows = K - k < TILE_ROWS ? K - k : TILE_ROWS;
            for (size_t r = 0; r < rows; r++)
                job.a[r] = (const REAL *)V + xi * tiles * K + k + r;
            for (size_t n = 0; n < N; n += PANEL) {
                const size_t left = (N - n) / LANES;
                job.B = (const REAL *)Q + xi * tiles * N + n;
                job.C = (REAL *)acc + (xi * K + k) * N + n;
                NAME(tile)(&job, rows, left < WIDE ? left : WIDE);
            }
        }
    }
}

/* B^T d, A^T m and A y of Lavin & Gray's section 4.3. */
INLINE void NAME(transform_in)(const vec d[6], vec o[6])
{
    const vec two = NAME(splat)(2), four = NAME(splat)(4), five = NAME(splat)(5);
    const vec a = NAME(fma)(-four, d[2], d[4]), b = NAME(fma)(-four, d[1], d[3]);
    const vec e = d[4] - d[2], f = two * (d[3] - d[1]);
    o[0] = NAME(fma)(four, d[0], NAME(fma)(-five, d[2], d[4]));
    o[1] = a + b;
    o[2] = a - b;
    o[3] = e + f;
    o[4] = e - f;
    o[5] = NAME(fma)(four, d[1], NAME(fma)(-five, d[3], d[5]));
}

INLINE void NAME(transform_out)(const vec m[6], vec o[4])
{
    const vec two = NAME(splat)(2), four = NAME(splat)(4), eight = NAME(splat)(8);
    const vec a = m[1] + m[2], b = m[1] - m[2], e = m[3] + m[4], f = m[3] - m[4];
    o[0] = m[0] + a + e;
    o[1] = NAME(fma)(two, f, b);
    o[2] = NAME(fma)(four, e, a);
    o[3] = NAME(fma)(eight, f, b) + m[5];
}

INLINE void NAME(transform_grad)(const vec y[4], vec o[6])
{
    const vec two = NAME(splat)(2), four = NAME(splat)(4);
    const vec a = y[0] + y[2], b = y[1] + y[3];
    const vec e = NAME(fma)(four, y[2], y[0]), f = two * NAME(fma)(four, y[3], y[1]);
    o[0] = y[0];
    o[1] = a + b;
    o[2] = a - b;
    o[3] = e + f;
    o[4] = e - f;
    o[5] = y[3];
}

/* The same of F(4x4, 2x2), with the points 0, 1, -1, 2 and infinity. */
INLINE void NAME(half_transform_in)(const vec d[5], vec o[5])
{
    const vec two = NAME(splat)(2), three = NAME(splat)(3);
    o[0] = NAME(fma)(two, d[0] - d[2], d[3] - d[1]);
    o[1] = NAME(fma)(-two, d[1], d[3] - d[2]);
    o[2] = NAME(fma)(two, d[1], NAME(fma)(-three, d[2], d[3]));
    o[3] = d[3] - d[1];
    o[4] = NAME(fma)(two, d[1] - d[3], d[4] - d[2]);
}

INLINE void NAME(half_transform_out)(const vec m[5], vec o[4])
{
    const vec two = NAME(splat)(2), four = NAME(splat)(4), eight = NAME(splat)(8);
    const vec a = m[1] + m[2], b = m[1] - m[2];
    o[0] = m[0] + a + m[3];
    o[1] = NAME(fma)(two, m[3], b);
    o[2] = NAME(fma)(four, m[3], a);
    o[3] = NAME(fma)(eight, m[3], b) + m[4];
}

INLINE void NAME(half_transform_grad)(const vec y[4], vec o[5])
{
    const vec two = NAME(splat)(2), four = NAME(splat)(4);
    const vec a = y[0] + y[2], b = y[1] + y[3];
    o[0] = y[0];
    o[1] = a + b;
    o[2] = a - b;
    o[3] = NAME(fma)(four, y[2], y[0]) + two * NAME(fma)(four, y[3], y[1]);
    o[4] = y[3];
}

/* The two of F(4x4, 3x3) and F(4x4, 2x2): tiles of 6x6 and of 5x5. Pixels of a patch have C
 * channels each; its rows are `row` elements apart and its columns `step`. */
#define TILE_TRANSFORM(name, transform, FROM, TO, READ, WRITE)                                     \
    static KERNEL void NAME(name)(TILE_ARGUMENTS)                                                  \
    {                                                                                              \
        for (size_t c = 0; c < C; c += LANES) {                                                    \
            const REAL *from = (const REAL *)source + c;                                           \
            REAL *to = (REAL *)result + c;                                                         \
            vec t[TO][FROM];                                                                       \
            UNROLL for (size_t j = 0; j < (FROM); j++)                                             \
            {                                                                                      \
                vec d[FROM], o[TO];                                                                \
                UNROLL for (size_t i = 0; i < (FROM); i++)                                         \
                {                                                                                  \
                    d[i] = NAME(load)(from + (READ));                                              \
                }                                                                                  \
                NAME(transform)(d, o);                                                             \
                UNROLL for (size_t i = 0; i < (TO); i++)                                           \
                {                                                                                  \
                    t[i][j] = o[i];                                                                \
                }                                                                                  \
            }                                                                                      \
            UNROLL for (size_t i = 0; i < (TO); i++)                                               \
            {                                                                                      \
                vec o[TO];                                                                         \
                NAME(transform)(t[i], o);                                                          \
                UNROLL for (size_t j = 0; j < (TO); j++)                                           \
                {                                                                                  \
                    NAME(store)(to + (WRITE), o[j]);                                               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
#define TILE_ARGUMENTS                                                                             \
    const void *source, size_t row, size_t step, size_t C, void *result, size_t plane
/* V = B^T d B, and A dY A^T of the 4x4 pixels at the patch. */
TILE_TRANSFORM(wino_in, transform_in, 6, 6, i *row + j * step, (i * 6 + j) * plane)
TILE_TRANSFORM(wino_grad, transform_grad, 4, 6, i *row + j * step, (i * 6 + j) * plane)
TILE_TRANSFORM(half_in, half_transform_in, 5, 5, i *row + j * step, (i * 5 + j) * plane)
TILE_TRANSFORM(half_grad, half_transform_grad, 4, 5, i *row + j * step, (i * 5 + j) * plane)
#undef TILE_ARGUMENTS
#define TILE_ARGUMENTS                                                                             \
    const void *source, size_t plane, size_t C, void *result, size_t row, size_t step
/* The 4x4 pixels A^T M A. */
TILE_TRANSFORM(wino_out, transform_out, 6, 4, (i * 6 + j) * plane, i *row + j * step)
TILE_TRANSFORM(half_out, half_transform_out, 5, 4, (i * 5 + j) * plane, i *row + j * step)
#undef TILE_ARGUMENTS
#undef TILE_TRANSFORM

/* ---- weights of Winograd ------------------------------------------------------------------- */

/* G g along one axis: 3 -> 6. */
INLINE void NAME(transform_g)(const vec g[3], vec o[6])
{
    const vec a = NAME(splat)((REAL)(1.0 / 6)) * (g[0] + g[2]);
    const vec b = NAME(splat)((REAL)(1.0 / 6)) * g[1];
    const vec e =
        NAME(fma)(NAME(splat)((REAL)(1.0 / 6)), g[2], NAME(splat)((REAL)(1.0 / 24)) * g[0]);
    const vec f = NAME(splat)((REAL)(1.0 / 12)) * g[1];
    o[0] = NAME(splat)((REAL)0.25) * g[0];
    o[1] = -a - b;
    o[2] = b - a;
    o[3] = e + f;
    o[4] = e - f;
    o[5] = g[2];
}

/* G^T s along one axis: 6 -> 3. */
INLINE void NAME(transform_gt)(const vec s[6], vec o[3])
{
    const vec sixth = NAME(splat)((REAL)(1.0 / 6)), a = s[1] + s[2], e = s[3] + s[4];
    o[0] = NAME(splat)((REAL)(1.0 / 24)) * e + (NAME(splat)((REAL)0.25) * s[0] - sixth * a);
    o[1] = NAME(fma)(sixth, s[2] - s[1], NAME(splat)((REAL)(1.0 / 12)) * (s[3] - s[4]));
    o[2] = NAME(fma)(sixth, e - a, s[5]);
}

/* U[xi][panel][c][o] = G g G^T for input channel c and all output channels. g of (c,o) is at W +
 * c * c_step + o * o_step; `turned` reads it from its end. */
static KERNEL void NAME(wino_weights)(const void *W, size_t c_step, size_t o_step, bool turned,
                                      size_t c, size_t K, size_t O, size_t N, void *U)
{
    for (size_t o = 0; o < N; o += LANES) {
        const REAL *from = (const REAL *)W + c * c_step + o * o_step;
        const size_t here = o >= O ? 0 : O - o < LANES ? O - o : LANES;
        REAL part[9][LANES] = {{0}};
        for (size_t i = 0; i < here; i++)
            for (size_t k = 0; k < 9; k++)
                part[k][i] = from[i * o_step + (turned ? 8 - k : k)];
        vec t[3][6];
        UNROLL for (size_t b = 0; b < 3; b++)
        {
            const vec g[3] = {NAME(load)(part[b]), NAME(load)(part[3 + b]),
                              NAME(load)(part[6 + b])};
            NAME(transform_g)(g, t[b]);
        }
        const size_t first = o / PANEL * PANEL, wide = N - first < PANEL ? N - first : PANEL;
        REAL *to = (REAL *)U + first * K + c * wide + o - first;
        UNROLL for (size_t a = 0; a < 6; a++)
        {
            const vec g[3] = {t[0][a], t[1][a], t[2][a]};
            vec u[6];
            NAME(transform_g)(g, u);
            UNROLL for (size_t b = 0; b < 6; b++)
            {
                NAME(store)(to + (a * 6 + b) * K * N, u[b]);
            }
        }
    }
}

INLINE void NAME(half_transform_g)(const vec g[2], vec o[5])
{
    const vec half = NAME(splat)((REAL)0.5), sixth = NAME(splat)((REAL)(1.0 / 6));
    o[0] = half * g[0];
    o[1] = -half * (g[0] + g[1]);
    o[2] = sixth * (g[1] - g[0]);
    o[3] = sixth * (g[0] + g[1] + g[1]);
    o[4] = g[1];
}

INLINE void NAME(half_transform_gt)(const vec s[5], vec o[2])
{
    const vec half = NAME(splat)((REAL)0.5), sixth = NAME(splat)((REAL)(1.0 / 6));
    o[0] = half * (s[0] - s[1]) + sixth * (s[3] - s[2]);
    o[1] = sixth * (s[2] + s[3] + s[3]) + (s[4] - half * s[1]);
}

/* U[xi][panel][k][first + o] = G g G^T for o < N8, a multiple of a vector; g (2,2) of o < O has its
 * elements at W + o o_step + at[0..3]. */
static KERNEL void NAME(half_weights)(const void *W, size_t o_step, const size_t at[4], size_t k,
                                      size_t K, size_t O, size_t first, size_t N8, size_t N,
                                      void *U)
{
    for (size_t o = 0; o < N8; o += LANES) {
        const REAL *from = (const REAL *)W + o * o_step;
        const size_t here = o >= O ? 0 : O - o < LANES ? O - o : LANES;
        REAL part[4][LANES] = {{0}};
        for (size_t i = 0; i < here; i++)
            for (size_t e = 0; e < 4; e++)
                part[e][i] = from[i * o_step + at[e]];
        vec t[2][5];
        UNROLL for (size_t b = 0; b < 2; b++)
        {
            const vec g[2] = {NAME(load)(part[b]), NAME(load)(part[2 + b])};
            NAME(half_transform_g)(g, t[b]);
        }
        const size_t n = first + o, panel = n / PANEL * PANEL;
        const size_t wide = N - panel < PANEL ? N - panel : PANEL;
        REAL *to = (REAL *)U + panel * K + k * wide + n - panel;
        UNROLL for (size_t a = 0; a < 5; a++)
        {
            const vec g[2] = {t[0][a], t[1][a]};
            vec u[5];
            NAME(half_transform_g)(g, u);
            UNROLL for (size_t b = 0; b < 5; b++)
            {
                NAME(store)(to + (a * 5 + b) * K * N, u[b]);
            }
        }
    }
}

/* dW[o o_step + at[e]] (+)= G^T S G for one k, S the sum of the chunks, each (25,K,N). */
static KERNEL void NAME(half_back)(const void *sums, size_t chunks, size_t chunk, size_t k,
                                   size_t K, size_t O, size_t N, bool add, size_t o_step,
                                   const size_t at[4], void *dW)
{
    for (size_t o = 0; o < O; o += LANES) {
        vec t[5][2];
        for (size_t a = 0; a < 5; a++) {
            vec s[5];
            UNROLL for (size_t b = 0; b < 5; b++)
            {
                const REAL *from = (const REAL *)sums + ((a * 5 + b) * K + k) * N + o;
                s[b] = NAME(load)(from);
                for (size_t i = 1; i < chunks; i++)
                    s[b] += NAME(load)(from + i * chunk);
            }
            NAME(half_transform_gt)(s, t[a]);
        }
        REAL part[4][LANES];
        UNROLL for (size_t b = 0; b < 2; b++)
        {
            const vec s[5] = {t[0][b], t[1][b], t[2][b], t[3][b], t[4][b]};
            vec column[2];
            NAME(half_transform_gt)(s, column);
            NAME(store)(part[b], column[0]);
            NAME(store)(part[2 + b], column[1]);
        }
        REAL *to = (REAL *)dW + o * o_step;
        for (size_t i = 0; i < LANES && o + i < O; i++)
            for (size_t e = 0; e < 4; e++)
                to[i * o_step + at[e]] = part[e][i] + (add ? to[i * o_step + at[e]] : 0);
    }
}

/* dW[o][c] (+)= G^T S G for one c, S the sum of the chunks, each (36,K,N). */
static KERNEL void NAME(wino_back)(const void *sums, size_t chunks, size_t chunk, size_t c,
                                   size_t C, size_t K, size_t O, size_t N, bool add, void *dW)
{
    for (size_t o = 0; o < O; o += LANES) {
        vec t[6][3], u[3][3];
        for (size_t a = 0; a < 6; a++) {
            vec s[6];
            UNROLL for (size_t b = 0; b < 6; b++)
            {
                const REAL *at = (const REAL *)sums + ((a * 6 + b) * K + c) * N + o;
                s[b] = NAME(load)(at);
                for (size_t i = 1; i < chunks; i++)
                    s[b] += NAME(load)(at + i * chunk);
            }
            NAME(transform_gt)(s, t[a]);
        }
        UNROLL for (size_t b = 0; b < 3; b++)
        {
            const vec s[6] = {t[0][b], t[1][b], t[2][b], t[3][b], t[4][b], t[5][b]};
            vec column[3];
            NAME(transform_gt)(s, column);
            UNROLL for (size_t a = 0; a < 3; a++)
            {
                u[a][b] = column[a];
            }
        }
        REAL part[9][LANES];
        for (size_t k = 0; k < 9; k++)
            NAME(store)(part[k], u[k / 3][k % 3]);
        REAL *to = (REAL *)dW + (o * C + c) * 9;
        for (size_t i = 0; i < LANES && o + i < O; i++)
            for (size_t k = 0; k < 9; k++)
                to[i * C * 9 + k] = part[k][i] + (add ? to[i * C * 9 + k] : 0);
    }
}

/* ---- channels apart, channels together ------------------------------------------------------ */

#undef LOW
#undef HIGH
#undef SWAP
#undef SWAP_ALL
#define LOW(k, d)  (((k) & (d)) != 0 ? LANES + (k) - (d) : (k))
#define HIGH(k, d) (((k) & (d)) != 0 ? LANES + (k) : (k) + (d))
#if LANES == 16
#define SWAP(f, a, b, d)                                                                           \
    __builtin_shufflevector(a, b, f(0, d), f(1, d), f(2, d), f(3, d), f(4, d), f(5, d), f(6, d),   \
                            f(7, d), f(8, d), f(9, d), f(10, d), f(11, d), f(12, d), f(13, d),     \
                            f(14, d), f(15, d))
#elif LANES == 8
#define SWAP(f, a, b, d)                                                                           \
    __builtin_shufflevector(a, b, f(0, d), f(1, d), f(2, d), f(3, d), f(4, d), f(5, d), f(6, d),   \
                            f(7, d))
#elif LANES == 4
#define SWAP(f, a, b, d) __builtin_shufflevector(a, b, f(0, d), f(1, d), f(2, d), f(3, d))
#else
#define SWAP(f, a, b, d) __builtin_shufflevector(a, b, f(0, d), f(1, d))
#endif
#define SWAP_ALL(d)                                                                                \
    UNROLL for (size_t i = 0; i < LANES; i++)                                                      \
    {                                                                                              \
        if ((i & (d)) == 0) {                                                                      \
            const vec a = v[i], b = v[i + (d)];                                                    \
            v[i] = SWAP(LOW, a, b, d);                                                             \
            v[i + (d)] = SWAP(HIGH, a, b, d);                                                      \
        }                                                                                          \
    }

/* A square of vectors: blocks beside the diagonal change places, of half the size, a quarter... */
INLINE void NAME(transpose)(vec v[LANES])
{
#if LANES == 16
    SWAP_ALL(8)
#endif
#if LANES >= 8
    SWAP_ALL(4)
#endif
#if LANES >= 4
    SWAP_ALL(2)
#endif
    SWAP_ALL(1)
}

/* Pixel i of channel c, from[c * apart + i], goes to to[i / width * row + i % width * C8 + c]; so
 * do zeros for channels C .. C8 - 1. */
static KERNEL void NAME(spread)(const void *from, size_t apart, size_t C, size_t count,
                                size_t width, void *to, size_t C8, size_t row)
{
    for (size_t c = 0; c < C8; c += LANES) {
        const REAL *x = (const REAL *)from + c * apart;
        REAL *y = (REAL *)to + c;
        const size_t channels = C - c < LANES ? C - c : LANES;
        size_t line = 0, col = 0;
        for (size_t i = 0; i < count; i += LANES) {
            const size_t here = count - i < LANES ? count - i : LANES;
            vec v[LANES];
            UNROLL for (size_t k = 0; k < LANES; k++)
            {
                v[k] = k >= channels ? NAME(splat)(0) : NAME(load_part)(x + k * apart + i, here);
            }
            NAME(transpose)(v);
            UNROLL for (size_t k = 0; k < LANES; k++)
            {
                if (k < here) {
                    NAME(store)(y + line * row + col * C8, v[k]);
                    if (++col == width) {
                        col = 0;
                        line++;
                    }
                }
            }
        }
    }
}

/* The way back, with a bias for each channel unless it is NULL. */
static KERNEL void NAME(collect)(const void *from, size_t C8, size_t row, size_t width,
                                 const void *bias, void *to, size_t apart, size_t C, size_t count)
{
    for (size_t c = 0; c < C; c += LANES) {
        const REAL *x = (const REAL *)from + c;
        REAL *y = (REAL *)to + c * apart;
        const size_t channels = C - c < LANES ? C - c : LANES;
        const vec start =
            bias == NULL ? NAME(splat)(0) : NAME(load_part)((const REAL *)bias + c, channels);
        size_t line = 0, col = 0;
        for (size_t i = 0; i < count; i += LANES) {
            const size_t here = count - i < LANES ? count - i : LANES;
            vec v[LANES];
            UNROLL for (size_t k = 0; k < LANES; k++)
            {
                v[k] = start;
                if (k < here) {
                    v[k] += NAME(load)(x + line * row + col * C8);
                    if (++col == width) {
                        col = 0;
                        line++;
                    }
                }
            }
            NAME(transpose)(v);
            UNROLL for (size_t k = 0; k < LANES; k++)
            {
                if (k < channels)
                    NAME(store_part)(y + k * apart + i, v[k], here);
            }
        }
    }
}

/* from[0], from[2], ... to `even`, the others to `odd`. */
static KERNEL void NAME(deal)(const void *from, size_t count, void *even, void *odd)
{
    const REAL *x = from;
    REAL *e = even, *o = odd;
#if LANES == 16
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif LANES == 8
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS  1, 3, 5, 7, 9, 11, 13, 15
#elif LANES == 4
#define EVENS 0, 2, 4, 6
#define ODDS  1, 3, 5, 7
#else
#define EVENS 0, 2
#define ODDS  1, 3
#endif
    for (size_t i = 0; i < count; i += 2 * LANES) {
        const size_t left = count - i;
        const vec a = NAME(load_part)(x + i, left);
        const vec b = left > LANES ? NAME(load_part)(x + i + LANES, left - LANES) : a;
        NAME(store_part)(e + i / 2, __builtin_shufflevector(a, b, EVENS), (left + 1) / 2);
        if (left > 1)
            NAME(store_part)(o + i / 2, __builtin_shufflevector(a, b, ODDS), left / 2);
    }
#undef EVENS
#undef ODDS
}

static const peri_conv_functions NAME(conv) = {
    .lanes = LANES,
    .panel = PANEL,
    .correlate = NAME(correlate),
    .gather = NAME(gather),
    .pixels = NAME(pixels),
    .products = NAME(products),
    .wino_in = NAME(wino_in),
    .wino_out = NAME(wino_out),
    .wino_grad = NAME(wino_grad),
    .wino_sum = NAME(wino_sum),
    .wino_weights = NAME(wino_weights),
    .wino_back = NAME(wino_back),
    .half_in = NAME(half_in),
    .half_out = NAME(half_out),
    .half_grad = NAME(half_grad),
    .half_weights = NAME(half_weights),
    .half_back = NAME(half_back),
    .spread = NAME(spread),
    .collect = NAME(collect),
    .deal = NAME(deal),
};

/* SPDX-License-Identifier: MIT
 *
 * The arithmetic of an LSTM on vectors, written over the names of lanes.h and included by
 * lstm_cell.c once an element type and instruction set. It leaves one table of functions,
 * NAME(cell).
 *
 * Letters: B rows (sequences) of a block, H hidden units, W = H rounded up to whole vectors, K
 * length of a sum. Columns of a row of gates stand as four planes i, f, g, o of W each. Padding
 * units have weights 0, so they stay 0 in state and gradient.
 *
 * Every product goes through one small kernel, a tile of at most ROWS rows by 1, 2 or 4 vectors
 * that stays in registers. B is packed in panels so that a tile reads it from front to back; a
 * panel is cut in pieces of K that stay in the first-level cache while all rows pass. What
 * happens to a finished sum (activations, gradients of the gates) is done by another function:
 * within one, the compiler keeps its constants in registers that the sums need.
 */

/* How a tile meets memory: C[r][v] = start[r][v] + sum_k A[r * row + k * step] B[k * ldb + v
 * LANES]. Vector v of row r of C is at C + r * ldc + v * gap, of the start at start + r * lds + v *
 * gap; start may be NULL for 0. `ahead`, unless NULL, is memory to fetch a line of at each k: big
 * weights come from the third-level cache, and a burst of requests for the next piece would stop
 * everything until they are answered. */
typedef struct {
    size_t K;
    const REAL *A;
    size_t row, step;
    const REAL *B;
    size_t ldb;
    const REAL *start;
    size_t lds;
    REAL *C;
    size_t ldc, gap;
    const char *ahead;
} NAME(job);
#define SUM NAME(job)

/* With few rows `chains` sums, each of every chains-th k, hide the latency of an addition. */
INLINE void NAME(run_tile)(const SUM *s, int rows, int wide, int chains)
{
    const REAL *const A = s->A, *B = s->B, *const start = s->start;
    const size_t row = s->row, step = s->step, ldb = s->ldb, K = s->K;
    const char *ahead = s->ahead;
    vec acc[ROWS * 4];
    UNROLL for (int i = 0; i < rows * wide; i++)
    {
        acc[i] = NAME(splat)(0);
        if (start != NULL)
            acc[i] = NAME(load)(start + (size_t)(i / wide) * s->lds + (size_t)(i % wide) * s->gap);
    }
    size_t k = 0;
    if (chains > 1) {
        vec more[3 * 8];
        UNROLL for (int i = 0; i < (chains - 1) * rows * wide; i++)
        {
            more[i] = NAME(splat)(0);
        }
        for (; k + (size_t)chains <= K; k += (size_t)chains) {
            UNROLL for (int i = 0; i < chains * rows; i++)
            {
                const size_t at = k + (size_t)(i / rows);
                const vec a = NAME(splat)(A[(size_t)(i % rows) * row + at * step]);
                vec *into = i < rows ? &acc[i * wide] : &more[(i - rows) * wide];
                UNROLL for (int v = 0; v < wide; v++)
                {
                    const vec b = NAME(load)(B + at * ldb + (size_t)v * LANES);
                    into[v] = NAME(fma)(a, b, into[v]);
                }
            }
        }
        UNROLL for (int i = 0; i < (chains - 1) * rows * wide; i++)
        {
            acc[i % (rows * wide)] += more[i];
        }
        B += k * ldb;
    }
    for (; k < K; k++, B += ldb) {
        vec b[4];
        if (chains == 1 && ahead != NULL) {
            __builtin_prefetch(ahead, 0, 2);
            ahead += 64;
        }
        UNROLL for (int v = 0; v < wide; v++)
        {
            b[v] = NAME(load)(B + (size_t)v * LANES);
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            const vec a = NAME(splat)(A[(size_t)r * row + k * step]);
            UNROLL for (int v = 0; v < wide; v++)
            {
                acc[r * wide + v] = NAME(fma)(a, b[v], acc[r * wide + v]);
            }
        }
    }
    UNROLL for (int i = 0; i < rows * wide; i++)
    {
        NAME(store)(s->C + (size_t)(i / wide) * s->ldc + (size_t)(i % wide) * s->gap, acc[i]);
    }
}

#undef TILE
#define TILE(rows, wide, chains)                                                                   \
    static KERNEL __attribute__((noinline)) void NAME(tile_##rows##x##wide)(const SUM *s)          \
    {                                                                                              \
        NAME(run_tile)(s, rows, wide, chains);                                                     \
    }
TILE(1, 4, ROWS == 6 ? 4 : 2)
TILE(2, 4, ROWS == 6 ? 2 : 1)
TILE(3, 4, 1)
TILE(1, 2, 4)
TILE(2, 2, 2)
TILE(3, 2, 1)
TILE(1, 1, 4)
TILE(2, 1, 4)
TILE(3, 1, 2)
#if ROWS == 6
TILE(4, 4, 1)
TILE(5, 4, 1)
TILE(6, 4, 1)
TILE(4, 2, 1)
TILE(5, 2, 1)
TILE(6, 2, 1)
TILE(4, 1, 2)
TILE(5, 1, 2)
TILE(6, 1, 2)
#endif

/* By wide / 2 and rows - 1. */
static void (*const NAME(tiles)[3][ROWS])(const SUM *) = {
#if ROWS == 6
#define TILES(w)                                                                                   \
    {                                                                                              \
        NAME(tile_1x##w), NAME(tile_2x##w), NAME(tile_3x##w), NAME(tile_4x##w), NAME(tile_5x##w),  \
            NAME(tile_6x##w)                                                                       \
    }
#else
#define TILES(w)                                                                                   \
    {                                                                                              \
        NAME(tile_1x##w), NAME(tile_2x##w), NAME(tile_3x##w)                                       \
    }
#endif
    TILES(1), TILES(2), TILES(4)
#undef TILES
};

/* The sum for M rows: `s` describes the first, groups of rows follow each other. Unless `next` is
 * NULL each group fetches another part of what lies there. */
INLINE void NAME(run_rows)(SUM s, size_t M, size_t wide, const REAL *next)
{
    const size_t groups = (M + ROWS - 1) / ROWS;
    const REAL *const A = s.A, *const start = s.start;
    REAL *const C = s.C;
    for (size_t group = 0; group < groups; group++) {
        const size_t r = M * group / groups, rows = M * (group + 1) / groups - r;
        s.A = A + r * s.row;
        s.C = C + r * s.ldc;
        if (start != NULL)
            s.start = start + r * s.lds;
        if (next != NULL)
            s.ahead = (const char *)next + group * s.K * 64;
        NAME(tiles)[wide / 2][rows - 1](&s);
    }
}

/* How many vectors wide the next panel is, with `left` columns to go. */
static inline size_t NAME(panel_width)(size_t left)
{
    return left >= 4 * LANES ? 4 : left >= 2 * LANES ? 2 : 1;
}

/* ---- forward ----------------------------------------------------------------------------- */

/* Gates and state of one panel from the finished sums in G. Meanwhile what the next panel, at
 * `next`, will read and write here is fetched: these are many short pieces of memory that no
 * hardware foresees. */
static KERNEL __attribute__((noinline)) void NAME(activate)(const cell_forward *f, size_t j,
                                                            size_t next)
{
    const size_t W = f->W;
    for (size_t r = 0; r < f->B; r++) {
        for (size_t q = 0; q < 4; q++)
            __builtin_prefetch((REAL *)f->G + r * f->S4 + q * W + next, 1, 2);
        __builtin_prefetch((REAL *)f->c + r * f->S + next, 1, 2);
        __builtin_prefetch((REAL *)f->tanh_c + r * f->S + next, 1, 2);
        __builtin_prefetch((REAL *)f->h + r * f->S + next, 1, 2);
        REAL *const g = (REAL *)f->G + r * f->S4 + j;
        const size_t at = r * f->S + j;
        const vec in = NAME(sigmoid)(NAME(load)(g)), forget = NAME(sigmoid)(NAME(load)(g + W));
        const vec new = NAME(tangent)(NAME(load)(g + 2 * W));
        const vec out = NAME(sigmoid)(NAME(load)(g + 3 * W));
        const vec before = NAME(load)((const REAL *)f->c_before + at);
        const vec c = NAME(fma)(forget, before, in * new), tc = NAME(tangent)(c);
        NAME(store)(g, in);
        NAME(store)(g + W, forget);
        NAME(store)(g + 2 * W, new);
        NAME(store)(g + 3 * W, out);
        NAME(store)((REAL *)f->c + at, c);
        NAME(store)((REAL *)f->tanh_c + at, tc);
        NAME(store)((REAL *)f->h + at, out * tc);
    }
}

/* The bias onto the projected input of one panel. */
INLINE void NAME(add_bias)(const cell_forward *f, size_t j)
{
    for (size_t r = 0; r < f->B; r++)
        for (size_t q = 0; q < 4; q++) {
            REAL *const g = (REAL *)f->G + r * f->S4 + q * f->W + j;
            NAME(store)(g, NAME(load)(g) + NAME(load)((const REAL *)f->bias + q * f->W + j));
        }
}

enum { NAME(PIECE) = 32768 / (4 * LANES_BYTES) };

static KERNEL void NAME(forward)(const cell_forward *f)
{
    const size_t W = f->W, depth = f->D + f->H, panels = W / LANES;
    const size_t panel_size = depth * 4 * LANES;
    for (size_t i = 0; i < panels; i++) {
        const size_t panel = f->reverse ? panels - 1 - i : i, j = panel * LANES;
        const REAL *const weights = (const REAL *)f->packed + panel * panel_size;
        SUM s = {.step = 1, .ldb = 4 * LANES, .C = (REAL *)f->G + j, .ldc = f->S4, .gap = W};
        s.start = (const REAL *)f->bias + j;
        if (f->projected) {
            NAME(add_bias)(f, j);
            s.start = s.C;
            s.lds = s.ldc;
        }
        /* The sum runs over the input's D columns, then over the H of the state before. */
        for (size_t k = 0; k < depth; k += s.K) {
            const bool input = k < f->D;
            const size_t left = (input ? f->D : depth) - k;
            s.K = left < NAME(PIECE) ? left : NAME(PIECE);
            s.A = input ? (const REAL *)f->x + k : (const REAL *)f->h_before + (k - f->D);
            s.row = input ? f->ldx : f->S;
            s.B = weights + k * 4 * LANES;
            const REAL *next = s.B + s.K * s.ldb;
            if (k + s.K == depth)
                next = i + 1 == panels ? weights : f->reverse ? weights - panel_size : next;
            NAME(run_rows)(s, f->B, 4, next);
            s.start = s.C;
            s.lds = s.ldc;
        }
        NAME(activate)(f, j, i + 1 == panels ? j : f->reverse ? j - LANES : j + LANES);
    }
}

/* ---- backward ---------------------------------------------------------------------------- */

/* The gates' gradients at t of `wide` vectors of units, from dh, which is complete in dH. */
static KERNEL __attribute__((noinline)) void NAME(differentiate)(const cell_backward *b, size_t j,
                                                                 size_t wide, size_t next)
{
    const size_t W = b->W;
    const vec one = NAME(splat)(1);
    for (size_t r = 0; r < b->B; r++)
        for (size_t v = 0; v < wide; v++) {
            for (size_t q = 0; q < 4; q++)
                __builtin_prefetch((const REAL *)b->G + r * b->S4 + q * W + next + v * LANES, 1, 2);
            __builtin_prefetch((const REAL *)b->dH + r * b->S + next + v * LANES, 1, 2);
            __builtin_prefetch((const REAL *)b->tanh_c + r * b->S + next + v * LANES, 0, 2);
            __builtin_prefetch((const REAL *)b->c_before + r * b->S + next + v * LANES, 0, 2);
            const size_t at = r * b->S + j + v * LANES;
            const REAL *const g = (const REAL *)b->G + r * b->S4 + j + v * LANES;
            REAL *const dg = (REAL *)b->dG + r * b->S4 + j + v * LANES;
            REAL *const dC = (REAL *)b->dC + at;
            const vec in = NAME(load)(g), forget = NAME(load)(g + W);
            const vec new = NAME(load)(g + 2 * W), out = NAME(load)(g + 3 * W);
            const vec tc = NAME(load)((const REAL *)b->tanh_c + at);
            const vec before = NAME(load)((const REAL *)b->c_before + at);
            const vec dh = NAME(load)((const REAL *)b->dH + at);
            const vec dc = NAME(fma)(dh * out, NAME(fma)(-tc, tc, one), NAME(load)(dC));
            NAME(store)(dC, dc * forget);
            NAME(store)(dg, dc * new *(in * (one - in)));
            NAME(store)(dg + W, dc * before * (forget * (one - forget)));
            NAME(store)(dg + 2 * W, dc * in * NAME(fma)(-new, new, one));
            NAME(store)(dg + 3 * W, dh * tc * (out * (one - out)));
        }
}

INLINE void NAME(backward_panel)(const cell_backward *b, size_t j, size_t wide)
{
    const size_t W = b->W, depth = b->dG_after == NULL ? 0 : 4 * W;
    const REAL *const weights = (const REAL *)b->packed + j * 4 * W;
    SUM s = {.row = b->S4, .step = 1, .ldb = wide * LANES, .gap = LANES};
    s.C = (REAL *)b->dH + j;
    s.start = s.C;
    s.ldc = s.lds = b->S;
    for (size_t k = 0; k < depth; k += s.K) {
        s.K = depth - k < NAME(PIECE) ? depth - k : NAME(PIECE);
        s.A = (const REAL *)b->dG_after + k;
        s.B = weights + k * wide * LANES;
        const REAL *next = s.B + s.K * s.ldb;
        if (k + s.K == depth && b->reverse)
            next = j < 4 * LANES ? weights : weights - 4 * W * 4 * LANES;
        NAME(run_rows)(s, b->B, wide, next);
    }
    const size_t step = wide * LANES, left = j < step ? j : j - step;
    const size_t right = j + step < W ? j + step : j;
    NAME(differentiate)(b, j, wide, b->reverse ? left : right);
}

/* dh = dH_t + dG_(t+1) W_hh, then the gates' gradients at t. */
static KERNEL void NAME(backward)(const cell_backward *b)
{
    const size_t W = b->W, fours = W / (4 * LANES) * 4 * LANES;
    const size_t rest = W - fours, twos = rest / (2 * LANES) * 2 * LANES;
    if (b->reverse) {
        if (rest > twos)
            NAME(backward_panel)(b, fours + twos, 1);
        if (twos > 0)
            NAME(backward_panel)(b, fours, 2);
        for (size_t j = fours; j > 0; j -= 4 * LANES)
            NAME(backward_panel)(b, j - 4 * LANES, 4);
        return;
    }
    for (size_t j = 0; j < W;) {
        const size_t wide = NAME(panel_width)(W - j);
        NAME(backward_panel)(b, j, wide);
        j += wide * LANES;
    }
}

/* ---- products ---------------------------------------------------------------------------- */

/* C (M,N) = A (M,K) B (K,N), N whole vectors, B in panels as pack_rows() leaves them. */
static KERNEL void NAME(multiply)(size_t M, size_t N, size_t K, const void *A, size_t lda,
                                  const void *B, void *C, size_t ldc)
{
    for (size_t j = 0; j < N;) {
        const size_t wide = NAME(panel_width)(N - j);
        const SUM s = {.K = K,
                       .A = A,
                       .row = lda,
                       .step = 1,
                       .B = (const REAL *)B + j * K,
                       .ldb = wide * LANES,
                       .C = (REAL *)C + j,
                       .ldc = ldc,
                       .gap = LANES};
        NAME(run_rows)(s, M, wide, NULL);
        j += wide * LANES;
    }
}

/* The last columns of a weight gradient, fewer than a vector: through memory of whole vectors. */
static KERNEL void NAME(gather_narrow)(SUM s, size_t M, size_t columns)
{
    REAL *const C = s.C;
    const REAL *const A = s.A;
    const size_t ldc = s.ldc;
    REAL part[ROWS * LANES];
    for (size_t m = 0; m < M; m += ROWS) {
        const size_t rows = M - m < ROWS ? M - m : ROWS;
        memset(part, 0, sizeof part);
        for (size_t r = 0; r < rows && s.start != NULL; r++)
            memcpy(part + r * LANES, C + (m + r) * ldc, columns * sizeof *part);
        s.A = A + m * s.row;
        s.C = part;
        if (s.start != NULL)
            s.start = part;
        s.ldc = s.lds = LANES;
        NAME(run_rows)(s, rows, 1, NULL);
        for (size_t r = 0; r < rows; r++)
            memcpy(C + (m + r) * ldc, part + r * LANES, columns * sizeof *part);
    }
}

/* C (M,N) = A' B, or C += A' B: a weight gradient. A (K,M), B (K,N with rows of whole vectors),
 * C's rows ldc apart. The sum is cut so that a piece of A and B stays near. */
static KERNEL void NAME(gather)(size_t M, size_t N, size_t K, const void *A, size_t lda,
                                const void *B, size_t ldb, void *C, size_t ldc, bool add)
{
    enum { PIECE = 64 };
    for (size_t k = 0; k < K; k += PIECE) {
        for (size_t j = 0; j < N;) {
            const size_t wide = NAME(panel_width)(N - j);
            SUM s = {.K = K - k < PIECE ? K - k : PIECE,
                     .A = (const REAL *)A + k * lda,
                     .row = 1,
                     .step = lda,
                     .B = (const REAL *)B + k * ldb + j,
                     .ldb = ldb,
                     .C = (REAL *)C + j,
                     .ldc = ldc,
                     .lds = ldc,
                     .gap = LANES};
            s.start = add || k > 0 ? s.C : NULL;
            if (N - j < LANES)
                NAME(gather_narrow)(s, M, N - j);
            else
                NAME(run_rows)(s, M, wide, NULL);
            j += wide * LANES;
        }
    }
}

/* out (N) = or += column sums of A (K,N), N whole vectors. */
static KERNEL void NAME(column_sums)(size_t N, size_t K, const void *A, size_t lda, void *out,
                                     bool add)
{
    REAL *const o = out;
    size_t j = 0;
    for (; j + 4 * LANES <= N; j += 4 * LANES) {
        const REAL *a = (const REAL *)A + j;
        vec s[4];
        UNROLL
        for (size_t v = 0; v < 4; v++)
            s[v] = add ? NAME(load)(o + j + v * LANES) : NAME(splat)(0);
        for (size_t k = 0; k < K; k++, a += lda)
            UNROLL
        for (size_t v = 0; v < 4; v++)
            s[v] += NAME(load)(a + v * LANES);
        UNROLL
        for (size_t v = 0; v < 4; v++)
            NAME(store)(o + j + v * LANES, s[v]);
    }
    for (; j < N; j += LANES) {
        vec s = add ? NAME(load)(o + j) : NAME(splat)(0);
        for (size_t k = 0; k < K; k++)
            s += NAME(load)((const REAL *)A + k * lda + j);
        NAME(store)(o + j, s);
    }
}

/* out (M,N) = A (M,W) B' + bias, B (N,W), all rows whole vectors, out dense. For small N. */
static KERNEL void NAME(dots)(size_t M, size_t N, size_t W, const void *A, size_t lda,
                              const void *B, const void *bias, void *out)
{
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            const REAL *a = (const REAL *)A + m * lda, *b = (const REAL *)B + n * W;
            vec s = NAME(splat)(0);
            for (size_t j = 0; j < W; j += LANES)
                s = NAME(fma)(NAME(load)(a + j), NAME(load)(b + j), s);
            ((REAL *)out)[m * N + n] = NAME(sum)(s) + ((const REAL *)bias)[n];
        }
}

/* ---- packing ----------------------------------------------------------------------------- */

/* One panel of the forward sum: for k in 0..D+H-1 four vectors, element (q, u) the weight from
 * column k (of W_ih, then of W_hh) to gate q of unit panel LANES + u. */
static KERNEL void NAME(pack_forward)(size_t panel, size_t D, size_t H, const void *W_ih,
                                      const void *W_hh, void *packed)
{
    REAL *const to = (REAL *)packed + panel * (D + H) * 4 * LANES;
    const size_t j = panel * LANES, units = H - j < LANES ? H - j : LANES;
    if (units < LANES)
        memset(to, 0, (D + H) * 4 * LANES * sizeof *to);
    for (size_t part = 0; part < 2; part++) {
        const size_t columns = part == 0 ? D : H;
        const REAL *const from = part == 0 ? W_ih : W_hh;
        REAL *const into = to + (part == 0 ? 0 : D * 4 * LANES);
        for (size_t q = 0; q < 4; q++)
            for (size_t u = 0; u < units; u++) {
                const REAL *w = from + (q * H + j + u) * columns;
                REAL *p = into + q * LANES + u;
                for (size_t k = 0; k < columns; k++)
                    p[k * 4 * LANES] = w[k];
            }
    }
}

/* Rows 0..K-1 of B (each `columns` long) as multiply() and backward() read them: panels of 4, 2
 * and 1 vectors, each K rows, padded with 0 to whole vectors. With gates, B has 4 x `gate` rows
 * and each gate's is padded to whole vectors, too. */
static KERNEL void NAME(pack_rows)(size_t K, size_t columns, const void *B, size_t gate,
                                   void *packed)
{
    const size_t N = (columns + LANES - 1) / LANES * LANES;
    const size_t padded = (gate + LANES - 1) / LANES * LANES;
    const size_t depth = gate == 0 ? K : 4 * padded;
    for (size_t j = 0; j < N;) {
        const size_t wide = N - j >= 4 * LANES ? 4 : N - j >= 2 * LANES ? 2 : 1;
        const size_t used = columns - j < wide * LANES ? columns - j : wide * LANES;
        REAL *to = (REAL *)packed + j * depth;
        for (size_t k = 0; k < depth; k++, to += wide * LANES) {
            const bool real = gate == 0 || k % padded < gate;
            const size_t source = gate == 0 ? k : k / padded * gate + k % padded;
            if (real)
                memcpy(to, (const REAL *)B + source * columns + j, used * sizeof *to);
            memset(to + (real ? used : 0), 0, (wide * LANES - (real ? used : 0)) * sizeof *to);
        }
        j += wide * LANES;
    }
}

#undef SUM

static const cell_functions NAME(cell) = {
    .lanes = LANES,
    .forward = NAME(forward),
    .backward = NAME(backward),
    .multiply = NAME(multiply),
    .gather = NAME(gather),
    .column_sums = NAME(column_sums),
    .dots = NAME(dots),
    .pack_forward = NAME(pack_forward),
    .pack_rows = NAME(pack_rows),
};

/* SPDX-License-Identifier: MIT
 *
 * The arithmetic of an LSTM on vectors, written over the names of lanes.h and included by lstm.c
 * once an element type and instruction set. It leaves one table of functions, NAME(cell).
 *
 * Letters: B rows (sequences) of a block, H hidden units, W = H rounded up to whole vectors, K
 * length of a sum. Columns of a row of gates stand as four planes i, f, g, o of W each. Padding
 * units have weights 0, so they stay 0 in state and gradient.
 *
 * Everything rests on product(): an accumulator tile of `rows` x `wide` vectors, which broadcasts
 * from A and loads whole vectors from B. B is packed in panels so that it is read from front to
 * back; a panel is cut in pieces of K that stay in the first-level cache while all rows pass.
 */

/* acc[r][v] += sum_k A[r * row + k * step] B[k * ldb + v LANES]. With few rows `chains` sums of
 * every chains-th k hide the latency of an addition. */
INLINE void NAME(product)(vec *acc, int rows, int wide, int chains, const REAL *A, size_t row,
                          size_t step, const REAL *B, size_t ldb, size_t K)
{
    size_t k = 0;
    if (chains > 1) {
        vec more[3 * 8];
        UNROLL for (int i = 0; i < (chains - 1) * rows * wide; i++) more[i] = NAME(splat)(0);
        for (; k + (size_t)chains <= K; k += (size_t)chains) {
            UNROLL for (int c = 0; c < chains; c++) UNROLL for (int r = 0; r < rows; r++)
            {
                const vec a = NAME(splat)(A[(size_t)r * row + (k + (size_t)c) * step]);
                vec *into = c == 0 ? &acc[r * wide] : &more[((c - 1) * rows + r) * wide];
                UNROLL for (int v = 0; v < wide; v++) into[v] = NAME(fma)(
                    a, NAME(load)(B + (k + (size_t)c) * ldb + (size_t)v * LANES), into[v]);
            }
        }
        UNROLL for (int c = 1; c < chains; c++) UNROLL for (int i = 0; i < rows * wide; i++)
            acc[i] += more[(c - 1) * rows * wide + i];
    }
    for (; k < K; k++) {
        vec b[4];
        UNROLL for (int v = 0; v < wide; v++) b[v] = NAME(load)(B + k * ldb + (size_t)v * LANES);
        UNROLL for (int r = 0; r < rows; r++)
        {
            const vec a = NAME(splat)(A[(size_t)r * row + k * step]);
            UNROLL for (int v = 0; v < wide; v++) acc[r * wide + v] =
                NAME(fma)(a, b[v], acc[r * wide + v]);
        }
    }
}

/* ---- forward ----------------------------------------------------------------------------- */

/* Rows r0 .. r0+rows-1 of one panel (LANES units, four gates) over one piece of the sum. */
INLINE void NAME(forward_tile)(const cell_forward *f, int rows, int chains, size_t panel, size_t r0,
                               const REAL *A, size_t lda, const REAL *piece, size_t K, bool first,
                               bool last)
{
    const size_t W = f->W, j = panel * LANES;
    REAL *const G = (REAL *)f->G + r0 * 4 * W + j;
    const REAL *const bias = (const REAL *)f->bias + j;
    vec acc[ROWS * 4];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int q = 0; q < 4; q++)
    {
        const REAL *g = G + (size_t)r * 4 * W + (size_t)q * W;
        vec v = first ? NAME(load)(bias + (size_t)q * W) : NAME(load)(g);
        if (first && f->projected)
            v += NAME(load)(g);
        acc[r * 4 + q] = v;
    }
    NAME(product)(acc, rows, 4, chains, A, lda, 1, piece, 4 * LANES, K);
    UNROLL for (int r = 0; r < rows; r++)
    {
        REAL *g = G + (size_t)r * 4 * W;
        if (!last) {
            UNROLL for (int q = 0; q < 4; q++) NAME(store)(g + (size_t)q * W, acc[r * 4 + q]);
            continue;
        }
        const size_t at = (r0 + (size_t)r) * W + j;
        const vec in = NAME(sigmoid)(acc[r * 4]), forget = NAME(sigmoid)(acc[r * 4 + 1]);
        const vec new = NAME(tangent)(acc[r * 4 + 2]), out = NAME(sigmoid)(acc[r * 4 + 3]);
        const vec c = NAME(fma)(forget, NAME(load)((const REAL *)f->c_before + at), in * new);
        const vec tc = NAME(tangent)(c);
        NAME(store)(g, in);
        NAME(store)(g + W, forget);
        NAME(store)(g + 2 * W, new);
        NAME(store)(g + 3 * W, out);
        NAME(store)((REAL *)f->c + at, c);
        NAME(store)((REAL *)f->tanh_c + at, tc);
        NAME(store)((REAL *)f->h + at, out * tc);
    }
}

/* The row count is a constant in each CALL(rows, chains), so that its loops are flat. */
#undef DISPATCH
#if ROWS == 6
#define DISPATCH(rows, CALL)                                                                       \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
        CALL(1, 4);                                                                                \
        break;                                                                                     \
    case 2:                                                                                        \
        CALL(2, 2);                                                                                \
        break;                                                                                     \
    case 3:                                                                                        \
        CALL(3, 1);                                                                                \
        break;                                                                                     \
    case 4:                                                                                        \
        CALL(4, 1);                                                                                \
        break;                                                                                     \
    case 5:                                                                                        \
        CALL(5, 1);                                                                                \
        break;                                                                                     \
    default:                                                                                       \
        CALL(6, 1);                                                                                \
        break;                                                                                     \
    }
#else
#define DISPATCH(rows, CALL)                                                                       \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
        CALL(1, 2);                                                                                \
        break;                                                                                     \
    case 2:                                                                                        \
        CALL(2, 1);                                                                                \
        break;                                                                                     \
    default:                                                                                       \
        CALL(3, 1);                                                                                \
        break;                                                                                     \
    }
#endif

static KERNEL void NAME(forward)(const cell_forward *f)
{
    enum { PIECE = 32768 / (4 * LANES_BYTES) };
    const size_t groups = (f->B + ROWS - 1) / ROWS, depth = f->D + f->H;
    for (size_t panel = 0; panel * LANES < f->W; panel++) {
        const REAL *const weights = (const REAL *)f->packed + panel * depth * 4 * LANES;
        bool first = true;
        size_t k = 0;
        do {
            /* The sum runs over the input's D columns, then over the H of the state before. */
            const bool input = k < f->D;
            const size_t end = input ? f->D : depth;
            const size_t K = end - k < PIECE ? end - k : PIECE;
            const REAL *A = input ? (const REAL *)f->x + k : (const REAL *)f->h_before + (k - f->D);
            const size_t lda = input ? f->ldx : f->W;
            const REAL *const piece = weights + k * 4 * LANES;
            const bool last = k + K == depth;
            for (size_t group = 0; group < groups; group++) {
                const size_t r0 = f->B * group / groups, r1 = f->B * (group + 1) / groups;
#if LANES_X86
                /* Big weights come from the third-level cache or memory: fetch what comes next. */
                if (f->prefetch) {
                    const char *next = (const char *)(piece + K * 4 * LANES);
                    const size_t bytes = (size_t)PIECE * 4 * LANES * sizeof(REAL);
                    const size_t from = bytes * group / groups & ~(size_t)63,
                                 to = bytes * (group + 1) / groups & ~(size_t)63;
                    for (size_t byte = from; byte < to; byte += 64)
                        __builtin_prefetch(next + byte, 0, 2);
                }
#endif
#define FORWARD(rows, chains)                                                                      \
    NAME(forward_tile)(f, rows, chains, panel, r0, A + r0 * lda, lda, piece, K, first, last)
                DISPATCH(r1 - r0, FORWARD)
#undef FORWARD
            }
            first = false;
            k += K;
        } while (k < depth);
    }
}

/* ---- backward ---------------------------------------------------------------------------- */

/* dh = dH_t + dG_(t+1) W_hh for rows x (wide LANES) units, then the gates' gradients at t. */
INLINE void NAME(backward_tile)(const cell_backward *b, int rows, int wide, int chains, size_t j,
                                size_t r0, const REAL *piece, size_t k, size_t K, bool last)
{
    const size_t W = b->W;
    vec acc[ROWS * 4];
    REAL *const dH = (REAL *)b->dH + r0 * W + j;
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < wide; v++) acc[r * wide + v] =
        NAME(load)(dH + (size_t)r * W + (size_t)v * LANES);
    if (K > 0)
        NAME(product)
    (acc, rows, wide, chains, (const REAL *)b->dG_after + r0 * 4 * W + k, 4 * W, 1, piece,
     (size_t)wide * LANES, K);
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < wide; v++)
    {
        const vec dh = acc[r * wide + v];
        if (!last) {
            NAME(store)(dH + (size_t)r * W + (size_t)v * LANES, dh);
            continue;
        }
        const vec one = NAME(splat)(1);
        const size_t at = (r0 + (size_t)r) * W + j + (size_t)v * LANES;
        REAL *g = (REAL *)b->G + (r0 + (size_t)r) * 4 * W + j + (size_t)v * LANES;
        const vec in = NAME(load)(g), forget = NAME(load)(g + W), new = NAME(load)(g + 2 * W),
                  out = NAME(load)(g + 3 * W);
        const vec tc = NAME(load)((const REAL *)b->tanh_c + at);
        const vec c_before = NAME(load)((const REAL *)b->c_before + at);
        REAL *const dC = (REAL *)b->dC + at;
        const vec dc = NAME(fma)(dh * out, NAME(fma)(-tc, tc, one), NAME(load)(dC));
        NAME(store)(dC, dc * forget);
        NAME(store)(g, dc * new *(in * (one - in)));
        NAME(store)(g + W, dc * c_before * (forget * (one - forget)));
        NAME(store)(g + 2 * W, dc * in * NAME(fma)(-new, new, one));
        NAME(store)(g + 3 * W, dh * tc * (out * (one - out)));
    }
}

INLINE void NAME(backward_panel)(const cell_backward *b, int wide, size_t j)
{
    enum { PIECE = 32768 / (4 * LANES_BYTES) };
    const size_t groups = (b->B + ROWS - 1) / ROWS;
    const size_t depth = b->dG_after == NULL ? 0 : 4 * b->W;
    const REAL *const weights = (const REAL *)b->packed + j * 4 * b->W;
    size_t k = 0;
    do {
        const size_t K = depth - k < PIECE ? depth - k : PIECE;
        const REAL *const piece = weights + k * (size_t)wide * LANES;
        const bool last = k + K == depth;
        for (size_t group = 0; group < groups; group++) {
            const size_t r0 = b->B * group / groups, r1 = b->B * (group + 1) / groups;
#if LANES_X86
            if (b->prefetch) {
                const char *next = (const char *)(piece + K * (size_t)wide * LANES);
                const size_t bytes = (size_t)PIECE * (size_t)wide * LANES * sizeof(REAL);
                const size_t from = bytes * group / groups & ~(size_t)63,
                             to = bytes * (group + 1) / groups & ~(size_t)63;
                for (size_t byte = from; byte < to; byte += 64)
                    __builtin_prefetch(next + byte, 0, 2);
            }
#endif
#define BACKWARD(rows, chains) NAME(backward_tile)(b, rows, wide, chains, j, r0, piece, k, K, last)
            DISPATCH(r1 - r0, BACKWARD)
#undef BACKWARD
        }
        k += K;
    } while (k < depth);
}

static KERNEL void NAME(backward)(const cell_backward *b)
{
    size_t j = 0;
    for (; j + 4 * LANES <= b->W; j += 4 * LANES)
        NAME(backward_panel)(b, 4, j);
    for (; j + 2 * LANES <= b->W; j += 2 * LANES)
        NAME(backward_panel)(b, 2, j);
    for (; j < b->W; j += LANES)
        NAME(backward_panel)(b, 1, j);
}

/* ---- products ---------------------------------------------------------------------------- */

INLINE void NAME(multiply_tile)(int rows, int wide, int chains, size_t K, const REAL *A, size_t lda,
                                const REAL *B, REAL *C, size_t ldc)
{
    vec acc[ROWS * 4];
    UNROLL for (int i = 0; i < rows * wide; i++) acc[i] = NAME(splat)(0);
    NAME(product)(acc, rows, wide, chains, A, lda, 1, B, (size_t)wide * LANES, K);
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < wide; v++)
        NAME(store)(C + (size_t)r * ldc + (size_t)v * LANES, acc[r * wide + v]);
}

INLINE void NAME(multiply_panel)(size_t M, int wide, size_t K, const REAL *A, size_t lda,
                                 const REAL *B, REAL *C, size_t ldc)
{
    const size_t groups = (M + ROWS - 1) / ROWS;
    for (size_t group = 0; group < groups; group++) {
        const size_t r0 = M * group / groups, r1 = M * (group + 1) / groups;
#define MULTIPLY(rows, chains)                                                                     \
    NAME(multiply_tile)(rows, wide, chains, K, A + r0 * lda, lda, B, C + r0 * ldc, ldc)
        DISPATCH(r1 - r0, MULTIPLY)
#undef MULTIPLY
    }
}

/* C (M,N) = A (M,K) B (K,N), N whole vectors, B in panels as pack_rows() leaves them. */
static KERNEL void NAME(multiply)(size_t M, size_t N, size_t K, const void *A, size_t lda,
                                  const void *B, void *C, size_t ldc)
{
    const REAL *b = B;
    size_t j = 0;
    for (; j + 4 * LANES <= N; j += 4 * LANES)
        NAME(multiply_panel)(M, 4, K, A, lda, b + j * K, (REAL *)C + j, ldc);
    for (; j + 2 * LANES <= N; j += 2 * LANES)
        NAME(multiply_panel)(M, 2, K, A, lda, b + j * K, (REAL *)C + j, ldc);
    for (; j < N; j += LANES)
        NAME(multiply_panel)(M, 1, K, A, lda, b + j * K, (REAL *)C + j, ldc);
}

INLINE void NAME(gather_tile)(int rows, int wide, int chains, size_t K, const REAL *A, size_t lda,
                              const REAL *B, size_t ldb, REAL *C, size_t ldc, size_t columns,
                              bool add)
{
    vec acc[ROWS * 4];
    const size_t in_last = columns - (size_t)(wide - 1) * LANES;
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < wide; v++) acc[r * wide + v] =
        !add ? NAME(splat)(0)
             : NAME(load_part)(C + (size_t)r * ldc + (size_t)v * LANES,
                               v == wide - 1 ? in_last : LANES);
    NAME(product)(acc, rows, wide, chains, A, 1, lda, B, ldb, K);
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < wide; v++)
        NAME(store_part)(C + (size_t)r * ldc + (size_t)v * LANES, acc[r * wide + v],
                         v == wide - 1 ? in_last : LANES);
}

INLINE void NAME(gather_panel)(size_t M, int wide, size_t K, const REAL *A, size_t lda,
                               const REAL *B, size_t ldb, REAL *C, size_t ldc, size_t columns,
                               bool add)
{
    const size_t groups = (M + ROWS - 1) / ROWS;
    for (size_t group = 0; group < groups; group++) {
        const size_t r0 = M * group / groups, r1 = M * (group + 1) / groups;
#define GATHER(rows, chains)                                                                       \
    NAME(gather_tile)(rows, wide, chains, K, A + r0, lda, B, ldb, C + r0 * ldc, ldc, columns, add)
        DISPATCH(r1 - r0, GATHER)
#undef GATHER
    }
}

/* C (M,N) = A' B, or C += A' B: a weight gradient. A (K,M), B (K,N with rows of whole vectors),
 * C's rows exactly N long or longer. The sum is cut so that a piece of A and B stays near. */
static KERNEL void NAME(gather)(size_t M, size_t N, size_t K, const void *A, size_t lda,
                                const void *B, size_t ldb, void *C, size_t ldc, bool add)
{
    enum { PIECE = 64 };
    for (size_t k = 0; k < K; k += PIECE) {
        const size_t depth = K - k < PIECE ? K - k : PIECE;
        const REAL *const a = (const REAL *)A + k * lda, *const b = (const REAL *)B + k * ldb;
        const bool more = add || k > 0;
        size_t j = 0;
        for (; j + 3 * LANES < N; j += 4 * LANES)
            NAME(gather_panel)(M, 4, depth, a, lda, b + j, ldb, (REAL *)C + j, ldc, N - j, more);
        for (; j + LANES < N; j += 2 * LANES)
            NAME(gather_panel)(M, 2, depth, a, lda, b + j, ldb, (REAL *)C + j, ldc, N - j, more);
        for (; j < N; j += LANES)
            NAME(gather_panel)(M, 1, depth, a, lda, b + j, ldb, (REAL *)C + j, ldc, N - j, more);
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
        UNROLL for (size_t v = 0; v < 4; v++) s[v] =
            add ? NAME(load)(o + j + v * LANES) : NAME(splat)(0);
        for (size_t k = 0; k < K; k++, a += lda)
            UNROLL for (size_t v = 0; v < 4; v++) s[v] += NAME(load)(a + v * LANES);
        UNROLL for (size_t v = 0; v < 4; v++) NAME(store)(o + j + v * LANES, s[v]);
    }
    for (; j < N; j += LANES) {
        vec s = add ? NAME(load)(o + j) : NAME(splat)(0);
        for (size_t k = 0; k < K; k++)
            s += NAME(load)((const REAL *)A + k * lda + j);
        NAME(store)(o + j, s);
    }
}

/* out (M,N) = A (M,W) B' + bias, B (N,W), all rows whole vectors, out dense. For small N. */
static KERNEL void NAME(dots)(size_t M, size_t N, size_t W, const void *A, const void *B,
                              const void *bias, void *out)
{
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            const REAL *a = (const REAL *)A + m * W, *b = (const REAL *)B + n * W;
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

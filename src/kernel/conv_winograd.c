/* SPDX-License-Identifier: MIT
 *
 * Convolution 3x3 with stride 1 by Winograd's F(4x4, 3x3), after Lavin & Gray 2015:
 *
 *     Y = A^T [ (G g G^T) . (B^T d B) ] A      for a tile d of 6x6 pixels, 4x4 of them come out
 *
 * so that 36 products over the channels do what 144 did. The pixels of a strip of tiles are laid
 * out with their channels together, and a block of tiles goes through all three steps while it is
 * in the cache. dX is the same with W turned by 180 degrees and its channels exchanged; dW is the
 * adjoint in W: G^T [ sum over tiles of (B^T d B) . (A dY A^T) ] G.
 *
 * Convolution 4x4 with stride 2 by F(4x4, 2x2): of the padded image, every other row and column
 * make an image, four of them (phases), which four kernels of 2x2 meet with stride 1. Phases count
 * as channels, 4 C in all: 25 products for 4x4 pixels where there were 64. dX has a phase of it
 * from each of the four, turned.
 */
#include <stdint.h>
#include <string.h>

#include "kernel/conv_parts.h"
#include "kernel/pool.h"

enum {
    BLOCK_BYTES = 512 << 10, /* what the transformed tiles of a block may take */
    SUM_BYTES = 2 << 20,     /* the same for dW, which reads and writes its sums once a block */
    LEAST_TILES = 12,
    MOST_TILES = 96,
    MAX_CHUNKS = 8,
    MOST_SUMS = 1 << 21
};

typedef struct {
    const peri_conv_functions *f;
    const peri_stop *stop;
    int dtype;
    size_t elem, n, C, O, C8, O8; /* channels in and out of the pass, in whole vectors */
    size_t h, w, oh, ow, top, left;
    bool phased;                    /* 4x4 with stride 2 */
    size_t count;                   /* elements of a tile */
    size_t in_phases, out_phases;   /* 4 or 1 */
    size_t K, N;                    /* of the products: phases times channels */
    size_t step_in, more_in;        /* pixels of a strip: from tile to tile, and beyond the last */
    size_t step_out;                /* and of the strip that comes out */
    size_t cut_y, cut_x;            /* what is left out of it before the first pixel */
    size_t ty, tx;                  /* tiles of an image */
    size_t rows, images, per_image; /* a block: rows of tiles of some images */
    size_t nblocks, chunks;
    size_t pixels_in, pixels_out; /* bytes of a strip */
    size_t V, M;                  /* bytes of a block's tiles */
    size_t U;                     /* bytes of the weights */
    const char *in, *dY, *bias;
    char *out, *weights;
    peri_slots slots;
} plan;

static bool phased(const peri_conv *s)
{
    return s->kh == 4 && s->kw == 4 && s->stride[0] == 2 && s->stride[1] == 2;
}

bool peri_wino_fits(const peri_conv *s)
{
    const bool plain = s->kh == 3 && s->kw == 3 && s->stride[0] == 1 && s->stride[1] == 1;
    return (plain || phased(s)) && s->dilation[0] == 1 && s->dilation[1] == 1 && s->groups == 1 &&
           s->padding[0] <= 2 && s->padding[1] <= 2;
}

bool peri_wino_pays(const peri_conv *s, peri_conv_pass pass)
{
    const size_t stride = s->stride[0];
    const size_t oh = (s->h + 2 * s->padding[0] - s->kh) / stride + 1;
    const size_t ow = (s->w + 2 * s->padding[1] - s->kw) / stride + 1;
    const bool across = stride == 2 && pass == PERI_CONV_DATA;
    const size_t ty = across ? (s->h + s->padding[0] + 7) / 8 : (oh + 3) / 4;
    const size_t tx = across ? (s->w + s->padding[1] + 7) / 8 : (ow + 3) / 4;
    const size_t tiles = s->n * ty * tx;
    const size_t wide = s->c > s->o ? s->c : s->o, narrow = s->c < s->o ? s->c : s->o;
    /* beside the products stand the transforms of the weights, which few tiles do not repay; and
     * pixels of a tile that are not there are multiplied as well */
    return narrow >= 16 && tiles >= 4 && tiles * (pass == PERI_CONV_WEIGHTS ? 8 : 24) >= wide &&
           (stride == 1 || 2 * s->n * oh * ow >= 17 * tiles);
}

static size_t make_plan(plan *p, const peri_conv *s, int dtype, peri_conv_pass pass, size_t slots)
{
    *p = (plan){.f = peri_conv_choose(dtype), .dtype = dtype, .n = s->n, .phased = phased(s)};
    const bool data = pass == PERI_CONV_DATA;
    const size_t oh = (s->h + 2 * s->padding[0] - s->kh) / s->stride[0] + 1;
    const size_t ow = (s->w + 2 * s->padding[1] - s->kw) / s->stride[1] + 1;
    p->elem = peri_dtype_size(dtype);
    p->C = data ? s->o : s->c;
    p->O = data ? s->c : s->o;
    p->h = data ? oh : s->h;
    p->w = data ? ow : s->w;
    p->oh = data ? s->h : oh;
    p->ow = data ? s->w : ow;
    p->C8 = peri_round_up(p->C, p->f->lanes);
    p->O8 = peri_round_up(p->O, p->f->lanes);
    p->in_phases = p->phased && !data ? 4 : 1;
    p->out_phases = p->phased && data ? 4 : 1;
    p->K = p->in_phases * p->C8;
    p->N = p->out_phases * p->O8;
    p->count = p->phased ? 25 : 36;
    if (!p->phased) {
        p->top = data ? 2 - s->padding[0] : s->padding[0];
        p->left = data ? 2 - s->padding[1] : s->padding[1];
        p->step_in = p->step_out = 4;
        p->more_in = 2;
        p->ty = (p->oh + 3) / 4;
        p->tx = (p->ow + 3) / 4;
    } else if (data) {
        p->top = p->left = 1;
        p->cut_y = s->padding[0];
        p->cut_x = s->padding[1];
        p->step_in = 4;
        p->more_in = 1;
        p->step_out = 8;
        p->ty = (s->h + s->padding[0] + 7) / 8;
        p->tx = (s->w + s->padding[1] + 7) / 8;
    } else {
        p->top = s->padding[0];
        p->left = s->padding[1];
        p->step_in = 8;
        p->more_in = 3;
        p->step_out = 4;
        p->ty = (p->oh + 3) / 4;
        p->tx = (p->ow + 3) / 4;
    }
    size_t tiles = (pass == PERI_CONV_WEIGHTS ? SUM_BYTES : BLOCK_BYTES) /
                   (p->count * (p->K + p->N) * p->elem);
    tiles = tiles < LEAST_TILES ? LEAST_TILES : tiles > MOST_TILES ? MOST_TILES : tiles;
    p->images = tiles / (p->ty * p->tx);
    if (p->images < 1) {
        p->images = 1;
        p->rows = tiles / p->tx < 1 ? 1 : tiles / p->tx;
        if (p->rows > p->ty)
            p->rows = p->ty;
    } else {
        p->rows = p->ty;
        if (p->images > s->n)
            p->images = s->n > 0 ? s->n : 1;
    }
    p->per_image = (p->ty + p->rows - 1) / p->rows;
    p->nblocks = (s->n + p->images - 1) / p->images * p->per_image;
    const size_t most = p->images * p->rows * p->tx;
    p->pixels_in = peri_lines((p->step_in * p->rows + p->more_in) *
                              (p->step_in * p->tx + p->more_in) * p->C8 * p->elem);
    p->pixels_out = peri_lines(p->step_out * p->rows * p->step_out * p->tx * p->O8 * p->elem);
    p->V = peri_lines(p->count * most * p->K * p->elem);
    p->M = peri_lines(p->count * most * p->N * p->elem);
    p->U = peri_lines(p->count * p->K * p->N * p->elem);
    p->chunks = 1;
    if (pass == PERI_CONV_WEIGHTS) {
        p->chunks = p->nblocks < MAX_CHUNKS ? p->nblocks : MAX_CHUNKS;
        while (p->chunks > 1 && p->chunks * p->U / p->elem > MOST_SUMS)
            p->chunks /= 2;
        p->chunks = p->chunks < 1 ? 1 : p->chunks;
    }
    p->slots.each = p->pixels_in + p->pixels_out + p->V + p->M;
    p->slots.count = peri_slots_count(pass == PERI_CONV_WEIGHTS ? p->chunks : p->nblocks, slots);
    return p->slots.count * p->slots.each + p->chunks * p->U;
}

/* ---- pixels with their channels together --------------------------------------------------- */

/* Rows [r0, r0 + count) of the padded image (C,h,w) -> (count, cols, C8) with zeros around. */
static void spread(const plan *p, const char *image, size_t C, size_t h, size_t w, size_t r0,
                   size_t above, size_t left, size_t count, size_t cols, size_t C8, char *to)
{
    const size_t lo = r0 < above ? above - r0 : 0;
    const size_t hi = h + above > r0 ? h + above - r0 : 0, end = hi < count ? hi : count;
    memset(to, 0, count * cols * C8 * p->elem);
    if (lo < end)
        p->f->spread(image + (lo + r0 - above) * w * p->elem, h * w, C, (end - lo) * w, w,
                     to + (lo * cols + left) * C8 * p->elem, C8, cols * C8);
}

/* The strip whose first row is row r0 of what comes out, the rows before the first pixel counted.
 */
static void collect(const plan *p, const char *from, size_t r0, size_t count, char *image)
{
    const size_t skip = r0 < p->cut_y ? p->cut_y - r0 : 0, first = r0 + skip - p->cut_y;
    const size_t line = p->step_out * p->tx * p->O8;
    if (skip >= count || first >= p->oh)
        return;
    const size_t rows = p->oh - first < count - skip ? p->oh - first : count - skip;
    p->f->collect(from + (skip * line + p->cut_x * p->O8) * p->elem, p->O8, line, p->ow, p->bias,
                  image + first * p->ow * p->elem, p->oh * p->ow, p->O, rows * p->ow);
}

/* ---- weights ------------------------------------------------------------------------------- */

typedef struct {
    plan *p;
    const void *W;
    void *dW;
    double beta;
    bool data;
} weights_job;

/* Where the 2x2 elements of a phase stand in a kernel of 4x4. */
static void find_elements(size_t phase, bool turned, size_t at[4])
{
    for (size_t e = 0; e < 4; e++) {
        const size_t k = turned ? 3 - e : e;
        at[e] = (2 * (k / 2) + phase / 2) * 4 + 2 * (k % 2) + phase % 2;
    }
}

static void transform_weights(void *context, size_t c)
{
    const weights_job *j = context;
    const plan *p = j->p;
    if (p->phased) {
        const char *W = (const char *)j->W + (j->data ? p->O * 16 : 16) * c * p->elem;
        for (size_t phase = 0; phase < 4; phase++) {
            size_t at[4];
            find_elements(phase, j->data, at);
            p->f->half_weights(W, j->data ? 16 : p->C * 16, at, j->data ? c : phase * p->C8 + c,
                               p->K, p->O, j->data ? phase * p->O8 : 0, p->O8, p->N, p->weights);
        }
        return;
    }
    p->f->wino_weights(j->W, j->data ? p->O * 9 : 9, j->data ? 9 : p->C * 9, j->data, c, p->C8,
                       p->O, p->O8, p->weights);
}

static void transform_back(void *context, size_t c)
{
    const weights_job *j = context;
    const plan *p = j->p;
    if (p->phased) {
        for (size_t phase = 0; phase < 4; phase++) {
            size_t at[4];
            find_elements(phase, false, at);
            p->f->half_back(p->weights, p->chunks, p->U / p->elem, phase * p->C8 + c, p->K, p->O,
                            p->N, j->beta != 0, p->C * 16, at, (char *)j->dW + c * 16 * p->elem);
        }
        return;
    }
    p->f->wino_back(p->weights, p->chunks, p->U / p->elem, c, p->C, p->C8, p->O, p->O8,
                    j->beta != 0, j->dW);
}

/* ---- blocks -------------------------------------------------------------------------------- */

typedef struct {
    size_t image, images, row, rows, tiles;
} extent;

static extent find_extent(const plan *p, size_t block)
{
    extent e = {.image = block / p->per_image * p->images, .row = block % p->per_image * p->rows};
    e.images = p->n - e.image < p->images ? p->n - e.image : p->images;
    e.rows = p->ty - e.row < p->rows ? p->ty - e.row : p->rows;
    e.tiles = e.images * e.rows * p->tx;
    return e;
}

/* V (count, tiles, K) of the block, by way of a strip of pixels. */
static void transform_input(const plan *p, const extent *e, char *pixels, char *V)
{
    const size_t cols = p->step_in * p->tx + p->more_in, row = cols * p->C8;
    const size_t plane = e->tiles * p->K, apart = p->in_phases > 1 ? 2 : 1;
    const peri_tile_in in = p->phased ? p->f->half_in : p->f->wino_in;
    for (size_t i = 0; i < e->images; i++) {
        spread(p, p->in + (e->image + i) * p->C * p->h * p->w * p->elem, p->C, p->h, p->w,
               p->step_in * e->row, p->top, p->left, p->step_in * e->rows + p->more_in, cols, p->C8,
               pixels);
        for (size_t a = 0; a < e->rows; a++)
            for (size_t b = 0; b < p->tx; b++) {
                char *to = V + ((i * e->rows + a) * p->tx + b) * p->K * p->elem;
                for (size_t k = 0; k < p->in_phases; k++)
                    in(pixels +
                           ((p->step_in * a + k / 2) * row + (p->step_in * b + k % 2) * p->C8) *
                               p->elem,
                       apart * row, apart * p->C8, p->C8, to + k * p->C8 * p->elem, plane);
            }
    }
}

static void run_forward(void *context, size_t block)
{
    plan *p = context;
    if (peri_stop_requested(p->stop))
        return;
    const extent e = find_extent(p, block);
    char *slot = peri_slot_take(&p->slots), *out = slot + p->pixels_in, *V = out + p->pixels_out;
    char *M = V + p->V;
    transform_input(p, &e, slot, V);
    const peri_products q = {p->count, e.tiles, p->K, p->N, V, p->weights, M};
    p->f->products(&q);
    const peri_tile_out tile_out = p->phased ? p->f->half_out : p->f->wino_out;
    const size_t row = p->step_out * p->tx * p->O8, apart = p->out_phases > 1 ? 2 : 1;
    for (size_t i = 0; i < e.images; i++) {
        for (size_t a = 0; a < e.rows; a++)
            for (size_t b = 0; b < p->tx; b++) {
                const char *from = M + ((i * e.rows + a) * p->tx + b) * p->N * p->elem;
                for (size_t k = 0; k < p->out_phases; k++)
                    tile_out(from + k * p->O8 * p->elem, e.tiles * p->N, p->O8,
                             out + ((p->step_out * a + k / 2) * row +
                                    (p->step_out * b + k % 2) * p->O8) *
                                       p->elem,
                             apart * row, apart * p->O8);
            }
        collect(p, out, p->step_out * e.row, p->step_out * e.rows,
                p->out + (e.image + i) * p->O * p->oh * p->ow * p->elem);
    }
    peri_slot_give(&p->slots, slot);
}

static void run_weights(void *context, size_t chunk)
{
    plan *p = context;
    char *slot = peri_slot_take(&p->slots), *pixels = slot + p->pixels_in;
    char *V = pixels + p->pixels_out, *Q = V + p->V, *sums = p->weights + chunk * p->U;
    const peri_tile_in grad = p->phased ? p->f->half_grad : p->f->wino_grad;
    memset(sums, 0, p->U);
    const size_t last = (chunk + 1) * p->nblocks / p->chunks;
    for (size_t block = chunk * p->nblocks / p->chunks; block < last; block++) {
        if (peri_stop_requested(p->stop))
            break;
        const extent e = find_extent(p, block);
        transform_input(p, &e, slot, V);
        const size_t row = 4 * p->tx * p->O8;
        for (size_t i = 0; i < e.images; i++) {
            spread(p, p->dY + (e.image + i) * p->O * p->oh * p->ow * p->elem, p->O, p->oh, p->ow,
                   4 * e.row, 0, 0, 4 * e.rows, 4 * p->tx, p->O8, pixels);
            for (size_t a = 0; a < e.rows; a++)
                for (size_t b = 0; b < p->tx; b++)
                    grad(pixels + (4 * a * row + 4 * b * p->O8) * p->elem, row, p->O8, p->O8,
                         Q + ((i * e.rows + a) * p->tx + b) * p->O8 * p->elem, e.tiles * p->O8);
        }
        p->f->wino_sum(p->count, e.tiles, p->K, p->N, V, Q, sums);
    }
    peri_slot_give(&p->slots, slot);
}

/* ---- the ways in --------------------------------------------------------------------------- */

size_t peri_wino_work(const peri_conv *s, int dtype, peri_conv_pass pass, size_t slots)
{
    plan p;
    peri_facts facts;
    size_t oh, ow;
    if (peri_conv_output(s, &oh, &ow, &facts) != PERI_OK)
        return SIZE_MAX;
    return make_plan(&p, s, dtype, pass, slots);
}

peri_status peri_wino_forward(const peri_conv *s, int dtype, bool data, const void *X,
                              const void *W, const void *bias, void *Y, void *work, size_t slots,
                              const peri_stop *stop)
{
    plan p;
    make_plan(&p, s, dtype, data ? PERI_CONV_DATA : PERI_CONV_FORWARD, slots);
    p.stop = stop;
    p.in = X;
    p.bias = bias;
    p.out = Y;
    p.slots.memory = work;
    p.weights = p.slots.memory + p.slots.count * p.slots.each;
    weights_job j = {.p = &p, .W = W, .data = data};
    memset(p.weights, 0, p.U);
    peri_pool_run(p.C, transform_weights, &j);
    peri_pool_run(p.nblocks, run_forward, &p);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

peri_status peri_wino_weights(const peri_conv *s, int dtype, const void *X, const void *dY,
                              double beta, void *dW, void *work, size_t slots,
                              const peri_stop *stop)
{
    plan p;
    make_plan(&p, s, dtype, PERI_CONV_WEIGHTS, slots);
    p.stop = stop;
    p.in = X;
    p.dY = dY;
    p.slots.memory = work;
    p.weights = p.slots.memory + p.slots.count * p.slots.each;
    peri_pool_run(p.chunks, run_weights, &p);
    if (peri_stop_requested(stop))
        return PERI_ERR_INTERRUPTED;
    weights_job j = {.p = &p, .dW = dW, .beta = beta};
    peri_pool_run(p.C, transform_back, &j);
    return PERI_OK;
}

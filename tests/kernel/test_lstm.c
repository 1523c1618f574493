/* SPDX-License-Identifier: MIT
 *
 * pg.lstm's kernels against a plain loop in this file, against PyTorch and against the values
 * printed in Stanford's CS231n, on each width of vectors this machine has. The workspace ends at a
 * page that may not be touched and starts as NaN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/lstm.h"
#include "kernel/pool.h"
#include "kernel/view.h"
#include "levels.h"

static void check_near(double a, double b, double near, const char *file, int line)
{
    if (fabs(a - b) <= near)
        return;
    print_error("%.17g is not within %g of %.17g\n", a, near, b);
    _fail(file, line);
}

#define assert_near(a, b, near) check_near(a, b, near, __FILE__, __LINE__)

/* ---- memory that faults behind its end --------------------------------------------------- */

typedef struct {
    char *pages;
    size_t all;
    void *data;
} guarded;

static guarded take(size_t bytes)
{
    const size_t page = 4096, room = (bytes + page - 1) / page * page;
    guarded g = {.all = room + page};
    g.pages = mmap(NULL, g.all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.pages != MAP_FAILED);
    assert_int_equal(mprotect(g.pages + room, page, PROT_NONE), 0);
    memset(g.pages, 0xff, room);
    g.data = g.pages + room - bytes;
    return g;
}

static void drop(guarded g)
{
    munmap(g.pages, g.all);
}

/* ---- the plain reference ------------------------------------------------------------------ */

/* A whole problem in double. lengths and h0, c0 may be NULL. */
typedef struct {
    peri_lstm_sizes net;
    size_t N, T;
    double *params, *x, *y, *h0, *c0;
    size_t *lengths;
    double *logits, *hn, *cn; /* out */
} problem;

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Returns the mean loss. */
static double plain(const problem *q)
{
    const size_t H = q->net.hidden, L = q->net.layers, O = q->net.output, T = q->T;
    double sum = 0, count = 0;
    double *h = calloc(L * H, sizeof *h), *c = calloc(L * H, sizeof *c);
    double *in = calloc(q->net.input + H, sizeof *in), *a = calloc(4 * H, sizeof *a);
    for (size_t n = 0; n < q->N; n++) {
        const size_t steps = q->lengths != NULL ? q->lengths[n] : T;
        for (size_t l = 0; l < L; l++)
            for (size_t j = 0; j < H; j++) {
                h[l * H + j] = q->h0 != NULL ? q->h0[(l * q->N + n) * H + j] : 0;
                c[l * H + j] = q->c0 != NULL ? q->c0[(l * q->N + n) * H + j] : 0;
            }
        for (size_t t = 0; t < steps; t++) {
            memcpy(in, q->x + (n * T + t) * q->net.input, q->net.input * sizeof *in);
            for (size_t l = 0; l < L; l++) {
                const size_t D = l == 0 ? q->net.input : H;
                const double *W_ih = q->params + peri_lstm_get_part(&q->net, 4 * l).offset;
                const double *W_hh = q->params + peri_lstm_get_part(&q->net, 4 * l + 1).offset;
                const double *b_ih = q->params + peri_lstm_get_part(&q->net, 4 * l + 2).offset;
                const double *b_hh = q->params + peri_lstm_get_part(&q->net, 4 * l + 3).offset;
                for (size_t r = 0; r < 4 * H; r++) {
                    a[r] = b_ih[r] + b_hh[r];
                    for (size_t k = 0; k < D; k++)
                        a[r] += W_ih[r * D + k] * in[k];
                    for (size_t k = 0; k < H; k++)
                        a[r] += W_hh[r * H + k] * h[l * H + k];
                }
                for (size_t j = 0; j < H; j++) {
                    double *cell = &c[l * H + j];
                    *cell = sigmoid(a[H + j]) * *cell + sigmoid(a[j]) * tanh(a[2 * H + j]);
                    in[j] = h[l * H + j] = sigmoid(a[3 * H + j]) * tanh(*cell);
                }
            }
            const double *W = q->params + peri_lstm_get_part(&q->net, 4 * L).offset;
            for (size_t o = 0; o < O; o++) {
                double z = W[O * H + o];
                for (size_t j = 0; j < H; j++)
                    z += W[o * H + j] * h[(L - 1) * H + j];
                const double y = q->y[(n * T + t) * O + o];
                sum += log1p(exp(z)) - y * z;
                count += 1;
                q->logits[(n * T + t) * O + o] = z;
            }
        }
        for (size_t l = 0; l < L; l++)
            for (size_t j = 0; j < H; j++) {
                q->hn[(l * q->N + n) * H + j] = h[l * H + j];
                q->cn[(l * q->N + n) * H + j] = c[l * H + j];
            }
    }
    free(h);
    free(c);
    free(in);
    free(a);
    return sum / count;
}

/* ---- the kernel on a problem -------------------------------------------------------------- */

/* A copy of n doubles in the dtype, at the end of guarded memory; NULL stays NULL. */
static guarded convert(const double *a, size_t n, int dtype)
{
    guarded g = {0};
    if (a == NULL)
        return g;
    g = take(n * peri_dtype_size(dtype));
    for (size_t i = 0; i < n; i++)
        if (dtype == PERI_F32)
            ((float *)g.data)[i] = (float)a[i];
        else
            ((double *)g.data)[i] = a[i];
    return g;
}

static double at(const guarded *g, size_t i, int dtype)
{
    return dtype == PERI_F32 ? (double)((float *)g->data)[i] : ((double *)g->data)[i];
}

typedef struct {
    guarded logits, hn, cn, grads, rows;
    double loss;
    peri_status status;
} result;

static result run(const problem *q, int dtype, const size_t *rows, const peri_stop *stop)
{
    peri_lstm_sizes net = q->net;
    net.dtype = dtype;
    const size_t N = q->N, T = q->T, state = net.layers * N * net.hidden;
    const size_t P = peri_lstm_nparams(&net), e = peri_dtype_size(dtype);
    guarded in[] = {convert(q->params, P, dtype), convert(q->x, N * T * net.input, dtype),
                    convert(q->y, N * T * net.output, dtype), convert(q->h0, state, dtype),
                    convert(q->c0, state, dtype)};
    result r = {.logits = take(N * T * net.output * e),
                .hn = take(state * e),
                .cn = take(state * e),
                .grads = take(P * e),
                .rows = take(N * sizeof(double))};
    const peri_lstm_input input = {N,    T,          in[1].data, in[2].data,
                                   rows, q->lengths, in[3].data, in[4].data};
    const peri_lstm_output output = {r.logits.data, r.hn.data,   r.cn.data,
                                     &r.loss,       r.rows.data, r.grads.data};
    const size_t bytes = peri_lstm_workspace(&net, N, T, true);
    assert_true(bytes > 0);
    guarded work = take(bytes);
    assert_int_equal((uintptr_t)work.data % 64, 0);
    r.status = peri_lstm_run(&net, in[0].data, &input, stop, &output, work.data);
    drop(work);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        if (in[i].pages != NULL)
            drop(in[i]);
    return r;
}

static void drop_result(result r)
{
    drop(r.logits);
    drop(r.hn);
    drop(r.cn);
    drop(r.grads);
    drop(r.rows);
}

/* ---- random problems ---------------------------------------------------------------------- */

static uint64_t seed;

/* Uniform in -1 .. 1, by the middle bits of a linear congruential generator. */
static double uniform(void)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (double)(seed >> 11) * 0x1p-52 - 1;
}

static double *draw(size_t n, double scale)
{
    double *a = malloc(n * sizeof *a);
    for (size_t i = 0; i < n; i++)
        a[i] = (float)(scale * uniform());
    return a;
}

static problem make(size_t D, size_t H, size_t L, size_t O, size_t N, size_t T, bool full)
{
    seed = D + 7 * H + 31 * L + 101 * O + 1009 * N + 10007 * T;
    problem q = {.net = {D, H, L, O, PERI_F64}, .N = N, .T = T};
    q.params = draw(peri_lstm_nparams(&q.net), 1.5 / sqrt((double)H));
    q.x = draw(N * T * D, 1.3);
    q.y = malloc(N * T * O * sizeof *q.y);
    for (size_t i = 0; i < N * T * O; i++)
        q.y[i] = uniform() > 0.2;
    if (full) {
        q.h0 = draw(L * N * H, 0.9);
        q.c0 = draw(L * N * H, 1.7);
        q.lengths = malloc(N * sizeof *q.lengths);
        for (size_t n = 0; n < N; n++)
            q.lengths[n] = 1 + (size_t)((uniform() + 1) / 2 * (double)T) % T;
    }
    q.logits = calloc(N * T * O, sizeof *q.logits);
    q.hn = calloc(L * N * H, sizeof *q.hn);
    q.cn = calloc(L * N * H, sizeof *q.cn);
    return q;
}

static void drop_problem(problem *q)
{
    double *all[] = {q->params, q->x, q->y, q->h0, q->c0, q->logits, q->hn, q->cn};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(q->lengths);
}

/* The derivative of the plain loss along `along`, by five points; the error is about 1e-12. */
static double slope(problem *q, const double *along, size_t P)
{
    const double step = 2e-3, weight[] = {1, -8, 8, -1}, move[] = {-2, -1, 1, 2};
    double *const params = q->params, *moved = malloc(P * sizeof *moved), sum = 0;
    q->params = moved;
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < P; i++)
            moved[i] = params[i] + move[k] * step * along[i];
        sum += weight[k] * plain(q);
    }
    q->params = params;
    free(moved);
    return sum / (12 * step);
}

static void check_against_plain(problem *q, int dtype)
{
    const double near = dtype == PERI_F32 ? 3e-6 : 1e-13, *unread = q->x;
    const size_t O = q->net.output, T = q->T, state = q->net.layers * q->N * q->net.hidden;
    const size_t P = peri_lstm_nparams(&q->net), D = q->net.input;
    const double loss = plain(q);
    /* Beyond its length a sequence holds NaN and must not be read. */
    double *x = malloc(q->N * T * D * sizeof *x);
    for (size_t i = 0; i < q->N * T * D; i++)
        x[i] = q->lengths == NULL || i / D % T < q->lengths[i / D / T] ? q->x[i] : NAN;
    q->x = x;
    result r = run(q, dtype, NULL, NULL);
    q->x = (double *)unread;
    free(x);
    assert_int_equal(r.status, PERI_OK);
    assert_near(r.loss, loss, near);
    double rows = 0, counted = 0;
    for (size_t n = 0; n < q->N; n++) {
        const size_t steps = q->lengths != NULL ? q->lengths[n] : T;
        rows += ((double *)r.rows.data)[n];
        counted += (double)(steps * O);
        for (size_t i = n * T * O; i < (n * T + steps) * O; i++)
            assert_near(at(&r.logits, i, dtype), q->logits[i], 4 * near);
    }
    assert_near(rows / counted, loss, near);
    for (size_t i = 0; i < state; i++) {
        assert_near(at(&r.hn, i, dtype), q->hn[i], 4 * near);
        assert_near(at(&r.cn, i, dtype), q->cn[i], 10 * near);
    }
    /* Random directions, then each array of parameters on its own. */
    const size_t parts = peri_lstm_nparts(&q->net);
    double *along = calloc(P, sizeof *along);
    for (size_t k = 0; k < parts; k++) {
        const peri_lstm_part part = peri_lstm_get_part(&q->net, k);
        const size_t end = part.offset + part.rows * part.columns;
        double product = 0, norm = 0;
        memset(along, 0, P * sizeof *along);
        for (size_t i = part.offset; i < end; i++) {
            along[i] = uniform();
            norm += along[i] * along[i];
        }
        for (size_t i = part.offset; i < end; i++) {
            along[i] /= sqrt(norm);
            product += along[i] * at(&r.grads, i, dtype);
        }
        assert_near(product, slope(q, along, P), dtype == PERI_F32 ? 1e-7 : 2e-12);
    }
    free(along);
    drop_result(r);
}

static void test_shapes(void **state)
{
    (void)state;
    /* D, H, L, O, N, T, lengths and states. 300 sequences take several turns; 300 units go to
     * OpenBLAS for the large products. */
    static const size_t shapes[][7] = {
        {1, 1, 1, 1, 1, 1, 0},    {1, 32, 2, 1, 1, 9, 0},  {1, 32, 2, 1, 26, 5, 1},
        {3, 5, 3, 2, 7, 6, 1},    {7, 33, 1, 5, 40, 3, 1}, {20, 17, 2, 1, 17, 4, 0},
        {2, 64, 1, 3, 2, 3, 1},   {5, 16, 2, 1, 3, 8, 1},  {2, 6, 2, 1, 300, 3, 1},
        {19, 300, 2, 6, 3, 2, 1},
    };
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            const size_t *s = shapes[k];
            if (s[1] == 300 && level < PERI_ISA_AVX512)
                continue;
            problem q = make(s[0], s[1], s[2], s[3], s[4], s[5], s[6] != 0);
            check_against_plain(&q, PERI_F64);
            check_against_plain(&q, PERI_F32);
            drop_problem(&q);
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

/* ---- forward and backward apart ------------------------------------------------------------ */

/* All that a forward run takes and a backward run gives, in the order of `problem`. */
enum { PARAMS, X, H0, C0, PLACES };

typedef struct {
    guarded at[PLACES];
    size_t size[PLACES];
} places;

/* A run forward, then one back from the gradients of the mean loss and of u.hn + v.cn. */
static places differentiate(const problem *q, int dtype, const double *u, const double *v,
                            int times, result *r)
{
    peri_lstm_sizes net = q->net;
    net.dtype = dtype;
    const size_t N = q->N, T = q->T, O = net.output, e = peri_dtype_size(dtype);
    const size_t state = net.layers * N * net.hidden;
    places d = {.size = {peri_lstm_nparams(&net), N * T * net.input, state, state}};
    guarded in[] = {convert(q->params, d.size[PARAMS], dtype),
                    convert(q->x, d.size[X], dtype),
                    convert(q->h0, state, dtype),
                    convert(q->c0, state, dtype),
                    convert(u, state, dtype),
                    convert(v, state, dtype)};
    *r = (result){.logits = take(N * T * O * e), .hn = take(state * e), .cn = take(state * e)};
    const peri_lstm_input input = {N,    T,          in[X].data,  NULL,
                                   NULL, q->lengths, in[H0].data, in[C0].data};
    const peri_lstm_output output = {.logits = r->logits.data, .hn = r->hn.data, .cn = r->cn.data};
    guarded work = take(peri_lstm_forward_workspace(&net, N, T));
    guarded history = take(peri_lstm_history(&net, N, T));
    r->status =
        peri_lstm_forward(&net, in[PARAMS].data, &input, history.data, NULL, &output, work.data);
    drop(work);
    /* Beyond its length a sequence's logits have no gradient, whatever stands there. */
    double *dlogits = malloc(N * T * O * sizeof *dlogits);
    const double counted = peri_lstm_counted(&net, &input);
    for (size_t i = 0; i < N * T * O; i++) {
        const bool counts = q->lengths == NULL || i / O % T < q->lengths[i / O / T];
        dlogits[i] = counts ? (sigmoid(at(&r->logits, i, dtype)) - q->y[i]) / counted : NAN;
    }
    guarded dz = convert(dlogits, N * T * O, dtype);
    free(dlogits);
    for (int k = 0; k < PLACES; k++)
        d.at[k] = take(d.size[k] * e);
    const peri_lstm_gradients gradients = {dz.data,      in[4].data,   in[5].data,  d.at[0].data,
                                           d.at[1].data, d.at[2].data, d.at[3].data};
    for (int k = 0; k < times; k++) {
        work = take(peri_lstm_backward_workspace(&net, N, T));
        assert_int_equal(peri_lstm_backward(&net, in[PARAMS].data, &input, history.data, NULL,
                                            &gradients, work.data),
                         PERI_OK);
        drop(work);
    }
    drop(dz);
    drop(history);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        drop(in[i]);
    return d;
}

static void drop_places(places d, result r)
{
    for (int k = 0; k < PLACES; k++)
        drop(d.at[k]);
    drop(r.logits);
    drop(r.hn);
    drop(r.cn);
}

/* plain(), with u.hn + v.cn. */
static double plain_with_state(const problem *q, const double *u, const double *v)
{
    double sum = plain(q);
    for (size_t i = 0; i < q->net.layers * q->N * q->net.hidden; i++)
        sum += u[i] * q->hn[i] + v[i] * q->cn[i];
    return sum;
}

static void check_places(problem *q, int dtype)
{
    const size_t state = q->net.layers * q->N * q->net.hidden;
    double *u = draw(state, 0.4), *v = draw(state, 0.3);
    result r;
    const places d = differentiate(q, dtype, u, v, 1, &r);
    assert_int_equal(r.status, PERI_OK);
    double **const values[] = {&q->params, &q->x, &q->h0, &q->c0};
    for (int k = 0; k < PLACES; k++) {
        double *const at_rest = *values[k], *along = draw(d.size[k], 1), norm = 0, product = 0;
        for (size_t i = 0; i < d.size[k]; i++)
            norm += along[i] * along[i];
        for (size_t i = 0; i < d.size[k]; i++) {
            along[i] /= sqrt(norm);
            product += along[i] * at(&d.at[k], i, dtype);
        }
        const double step = 2e-3, weight[] = {1, -8, 8, -1}, move[] = {-2, -1, 1, 2};
        double sum = 0, *moved = malloc(d.size[k] * sizeof *moved);
        *values[k] = moved;
        for (int m = 0; m < 4; m++) {
            for (size_t i = 0; i < d.size[k]; i++)
                moved[i] = at_rest[i] + move[m] * step * along[i];
            sum += weight[m] * plain_with_state(q, u, v);
        }
        *values[k] = at_rest;
        assert_near(product, sum / (12 * step), dtype == PERI_F32 ? 3e-6 : 1e-10);
        free(moved);
        free(along);
    }
    drop_places(d, r);
    free(u);
    free(v);
}

static void test_backward(void **state)
{
    (void)state;
    /* D, H, L, O, N, T; sizes as in test_shapes. */
    static const size_t shapes[][6] = {
        {1, 1, 1, 1, 1, 1},  {3, 5, 3, 2, 7, 6},   {7, 33, 1, 5, 40, 3},  {20, 17, 2, 1, 17, 4},
        {5, 16, 2, 1, 3, 8}, {2, 6, 2, 1, 300, 3}, {19, 300, 2, 6, 3, 2}, {300, 256, 1, 1, 5, 2},
    };
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            const size_t *s = shapes[k];
            if (s[1] >= 256 && level == PERI_ISA_BASE)
                continue;
            problem q = make(s[0], s[1], s[2], s[3], s[4], s[5], true);
            check_places(&q, PERI_F64);
            check_places(&q, PERI_F32);
            drop_problem(&q);
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

/* The loss's own gradient, to the rounding of its dlogits; the history serves twice. */
static void test_backward_composes(void **state)
{
    (void)state;
    problem q = make(3, 24, 2, 2, 77, 6, true);
    const size_t wide = q.net.layers * q.N * q.net.hidden, P = peri_lstm_nparams(&q.net);
    double *zero = calloc(wide, sizeof *zero);
    result all = run(&q, PERI_F64, NULL, NULL), once, twice;
    const places a = differentiate(&q, PERI_F64, zero, zero, 1, &once);
    const places b = differentiate(&q, PERI_F64, zero, zero, 2, &twice);
    for (int k = 0; k < PLACES; k++)
        assert_memory_equal(a.at[k].data, b.at[k].data, 8 * a.size[k]);
    for (size_t i = 0; i < P; i++)
        assert_near(at(&a.at[PARAMS], i, PERI_F64), at(&all.grads, i, PERI_F64), 1e-16);
    /* Gradients of what lies beyond a sequence's length are 0. */
    for (size_t i = 0; i < a.size[X]; i++)
        if (i / 3 % q.T >= q.lengths[i / 3 / q.T])
            assert_true(at(&a.at[X], i, PERI_F64) == 0);
    drop_places(a, once);
    drop_places(b, twice);
    drop_result(all);
    drop_problem(&q);
    free(zero);
}

/* Numbers of PyTorch 1.13:
 *
 *   import torch; torch.set_default_dtype(torch.float64)
 *   lstm = torch.nn.LSTM(2, 3, 2, batch_first=True); fc = torch.nn.Linear(3, 1)
 *   ps = list(lstm.parameters()) + list(fc.parameters()); i = 0
 *   for p in ps:
 *       k = torch.arange(i, i + p.numel()); i += p.numel()
 *       p.data = (0.5 * torch.sin(1.7 * k + 0.3)).reshape(p.shape)
 *   x = torch.cos(0.9 * torch.arange(2 * 4 * 2)).reshape(2, 4, 2)
 *   y = (torch.arange(2 * 4) % 3 == 0).double().reshape(2, 4, 1)
 *   s = [0.25 * torch.sin(torch.arange(2 * 2 * 3) + o).reshape(2, 2, 3) for o in (0., 1.)]
 *   out, (h, c) = lstm(x, tuple(s)); z = fc(out)
 *   torch.nn.functional.binary_cross_entropy_with_logits(z, y).backward()
 *   g = torch.cat([p.grad.flatten() for p in ps])                                               */
static void test_pytorch(void **state)
{
    (void)state;
    static const double z[] = {-0.16923211169148539, -0.16360492908879484, -0.14750850581379957,
                               -0.12385002974503975, -0.21818632771058777, -0.19201131309290514,
                               -0.16280929548728743, -0.14358589703354441};
    static const double h[] = {0.066225493904206359, 0.19276408579966162, -0.158967639217686,
                               0.085949703162552654, 0.18994955775238134, -0.061975175864507973,
                               -0.1063416320784854,  0.2159127898938113,  -0.0078986351494967372,
                               -0.08061792787186435, 0.21073198285690672, -0.021438097436432289};
    static const double c[] = {0.15275348382558043,  0.42229200428255864, -0.23051602829963316,
                               0.24045857602787807,  0.36457243789684812, -0.093724677635143014,
                               -0.27604985973367047, 0.38657565355375123, -0.013622408713020093,
                               -0.21325914814943397, 0.37527879631208449, -0.036198129387352354};
    static const size_t which[] = {0, 23, 24, 59, 60, 72, 100, 131, 155, 167, 168, 170, 171};
    static const double g[] = {
        0.00026896519887520431,  -0.00061212131239586208, 1.6806714381242236e-05,
        -1.129959232452268e-05,  0.00054244936358982152,  0.00054244936358982152,
        -9.4428990975526652e-05, -6.6835582751419894e-05, 0.00021855110425564138,
        -0.0016038835504400034,  -0.00038722897966227094, -0.0017038766039797672,
        0.00047604886621821962};
    problem q = {.net = {2, 3, 2, 1, PERI_F64}, .N = 2, .T = 4};
    double params[184], x[16], y[8], h0[12], c0[12], norm = 0;
    assert_int_equal(peri_lstm_nparams(&q.net), 184);
    for (int i = 0; i < 184; i++)
        params[i] = 0.5 * sin(1.7 * i + 0.3);
    for (int i = 0; i < 16; i++)
        x[i] = cos(0.9 * i);
    for (int i = 0; i < 8; i++)
        y[i] = i % 3 == 0;
    for (int i = 0; i < 12; i++) {
        h0[i] = 0.25 * sin(i);
        c0[i] = 0.25 * sin(i + 1);
    }
    q.params = params, q.x = x, q.y = y, q.h0 = h0, q.c0 = c0;
    result r = run(&q, PERI_F64, NULL, NULL);
    assert_near(r.loss, 0.6710813677883195, 1e-14);
    for (size_t i = 0; i < 8; i++)
        assert_near(at(&r.logits, i, PERI_F64), z[i], 1e-14);
    for (size_t i = 0; i < 12; i++) {
        assert_near(at(&r.hn, i, PERI_F64), h[i], 1e-14);
        assert_near(at(&r.cn, i, PERI_F64), c[i], 1e-14);
    }
    for (size_t i = 0; i < sizeof which / sizeof *which; i++)
        assert_near(at(&r.grads, which[i], PERI_F64), g[i], 1e-15);
    for (size_t i = 0; i < 184; i++)
        norm += pow(at(&r.grads, i, PERI_F64), 2);
    assert_near(sqrt(norm), 0.090679862976605866, 1e-14);
    drop_result(r);
}

/* linspace(from, to, n) */
static double spread(double from, double to, size_t n, size_t i)
{
    return from + (to - from) * (double)i / (double)(n - 1);
}

/* CS231n keeps Wx as (D,4H) with gates i, f, o, g; writes it as our (4H,D) with i, f, g, o. */
static void transpose_gates(double from, double to, size_t D, size_t H, double *W)
{
    static const size_t theirs[] = {0, 1, 3, 2};
    for (size_t q = 0; q < 4; q++)
        for (size_t j = 0; j < H; j++)
            for (size_t k = 0; k < D; k++)
                W[(q * H + j) * D + k] = spread(from, to, 4 * D * H, k * 4 * H + theirs[q] * H + j);
}

/* Values printed to 8 digits in assignment 3 of Stanford's CS231n (LSTM_Captioning). */
static void test_cs231n(void **state)
{
    (void)state;
    static const double step_h[] = {0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904,
                                    0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181,
                                    0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299};
    static const double step_c[] = {0.32986176, 0.39145139, 0.451556,   0.51014116, 0.56717407,
                                    0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345,
                                    0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676};
    static const double sequence_h[] = {0.01764008, 0.01823233, 0.01882671, 0.0194232,  0.11287491,
                                        0.12146228, 0.13018446, 0.13902939, 0.31358768, 0.33338627,
                                        0.35304453, 0.37250975, 0.45767879, 0.4761092,  0.4936887,
                                        0.51041945, 0.6704845,  0.69350089, 0.71486014, 0.7346449,
                                        0.81733511, 0.83677871, 0.85403753, 0.86935314};
    for (int sequence = 0; sequence < 2; sequence++) {
        const size_t D = sequence ? 5 : 4, H = sequence ? 4 : 5, N = sequence ? 2 : 3;
        const size_t T = sequence ? 3 : 1;
        problem q = make(D, H, 1, H, N, T, true);
        double *p = q.params;
        transpose_gates(sequence ? -0.2 : -2.1, sequence ? 0.9 : 1.3, D, H, p);
        transpose_gates(sequence ? -0.3 : -0.7, sequence ? 0.6 : 2.2, H, H, p + 4 * H * D);
        transpose_gates(sequence ? 0.2 : 0.3, 0.7, 1, H, p + 4 * H * (D + H));
        memset(p + 4 * H * (D + H + 1), 0, 4 * H * sizeof *p);
        /* The output layer is the identity, so the logits are h of each step. */
        double *W = p + 4 * H * (D + H + 2);
        for (size_t i = 0; i < H * H + H; i++)
            W[i] = i < H * H && i % (H + 1) == 0;
        for (size_t i = 0; i < N * T * D; i++)
            q.x[i] = spread(-0.4, sequence ? 0.6 : 1.2, N * T * D, i);
        for (size_t i = 0; i < N * H; i++) {
            q.h0[i] = spread(sequence ? -0.4 : -0.3, sequence ? 0.8 : 0.7, N * H, i);
            q.c0[i] = sequence ? 0 : spread(-0.4, 0.9, N * H, i);
        }
        for (size_t n = 0; n < N; n++)
            q.lengths[n] = T;
        result r = run(&q, PERI_F64, NULL, NULL);
        for (size_t i = 0; i < N * T * H; i++)
            assert_near(at(&r.logits, i, PERI_F64), sequence ? sequence_h[i] : step_h[i], 5e-9);
        for (size_t i = 0; i < N * H && !sequence; i++)
            assert_near(at(&r.cn, i, PERI_F64), step_c[i], 5e-9);
        drop_result(r);
        drop_problem(&q);
    }
}

static void test_same_bits_on_any_thread_count(void **state)
{
    (void)state;
    problem q = make(3, 24, 2, 1, 77, 6, true);
    peri_threads(1);
    result one = run(&q, PERI_F32, NULL, NULL);
    peri_threads(3);
    result three = run(&q, PERI_F32, NULL, NULL);
    peri_threads(2);
    assert_memory_equal(one.grads.data, three.grads.data, 4 * peri_lstm_nparams(&q.net));
    assert_memory_equal(one.logits.data, three.logits.data, 4 * q.N * q.T);
    assert_true(one.loss == three.loss);
    drop_result(one);
    drop_result(three);
    drop_problem(&q);
}

/* A batch of chosen rows is the batch made of them. */
static void test_rows(void **state)
{
    (void)state;
    problem q = make(2, 7, 2, 1, 5, 4, true);
    static const size_t rows[] = {4, 0, 0, 3, 1};
    problem chosen = make(2, 7, 2, 1, 5, 4, true);
    for (size_t n = 0; n < 5; n++) {
        memcpy(chosen.x + n * 8, q.x + rows[n] * 8, 8 * sizeof *q.x);
        memcpy(chosen.y + n * 4, q.y + rows[n] * 4, 4 * sizeof *q.y);
        chosen.lengths[n] = q.lengths[rows[n]];
    }
    result a = run(&q, PERI_F64, rows, NULL), b = run(&chosen, PERI_F64, NULL, NULL);
    assert_memory_equal(a.grads.data, b.grads.data, 8 * peri_lstm_nparams(&q.net));
    assert_true(a.loss == b.loss);
    drop_result(a);
    drop_result(b);
    drop_problem(&q);
    drop_problem(&chosen);
}

static void test_stop(void **state)
{
    (void)state;
    problem q = make(1, 8, 1, 1, 4, 4, false);
    peri_stop stop = {0};
    atomic_init(&stop.requested, 1);
    result r = run(&q, PERI_F32, NULL, &stop);
    assert_int_equal(r.status, PERI_ERR_INTERRUPTED);
    drop_result(r);
    drop_problem(&q);
}

/* A NaN in the parameters reaches the loss, on each width. */
static void test_nan_reaches_the_loss(void **state)
{
    (void)state;
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++) {
            problem q = make(2, 9, 2, 1, 3, 3, false);
            q.params[37] = NAN;
            result r = run(&q, dtype, NULL, NULL);
            assert_true(isnan(r.loss));
            drop_result(r);
            /* Huge weights saturate and stay finite. */
            for (size_t i = 0; i < peri_lstm_nparams(&q.net); i++)
                q.params[i] = i % 2 == 0 ? 1e30 : -1e30;
            q.params[peri_lstm_nparams(&q.net) - 1] = 0;
            r = run(&q, dtype, NULL, NULL);
            for (size_t i = 0; i < 2 * 3 * 9; i++)
                assert_true(fabs(at(&r.hn, i, dtype)) <= 1);
            drop_result(r);
            drop_problem(&q);
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

/* Each drawn bit is uniform < sigmoid(logit) of the net run on the bits before it. */
static void test_sample(void **state)
{
    (void)state;
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
        for (size_t D = 1; D <= 2; D++) {
            const size_t N = 131, T = 6;
            problem q = make(D, 11, 2, D, N, T, false);
            q.net.dtype = dtype;
            guarded params = convert(q.params, peri_lstm_nparams(&q.net), dtype);
            guarded out = take(N * T * D * peri_dtype_size(dtype));
            guarded work = take(peri_lstm_sample_workspace(&q.net, N));
            double *u = draw(N * T * D, 0.5);
            for (size_t i = 0; i < N * T * D; i++)
                u[i] += 0.5;
            peri_facts facts;
            assert_int_equal(
                peri_lstm_sample(&q.net, params.data, N, T, u, NULL, out.data, work.data, &facts),
                PERI_OK);
            for (size_t n = 0; n < N; n++)
                for (size_t i = 0; i < T * D; i++)
                    q.x[n * T * D + i] = i < D ? 0 : at(&out, n * T * D + i - D, dtype);
            plain(&q);
            size_t differ = 0;
            for (size_t i = 0; i < N * T * D; i++) {
                const double p = sigmoid(q.logits[i]), bit = at(&out, i, dtype);
                assert_true(bit == 0 || bit == 1);
                if (fabs(u[i] - p) > 1e-6)
                    differ += bit != (u[i] < p);
            }
            assert_int_equal(differ, 0);
            /* What is drawn from a logit that is NaN is not a bit. The bias of the last output. */
            if (dtype == PERI_F64)
                ((double *)params.data)[peri_lstm_nparams(&q.net) - 1] = NAN;
            else
                ((float *)params.data)[peri_lstm_nparams(&q.net) - 1] = NAN;
            assert_int_equal(
                peri_lstm_sample(&q.net, params.data, N, T, u, NULL, out.data, work.data, &facts),
                PERI_ERR_NONFINITE);
            assert_int_equal(facts.index[0], 0);
            assert_int_equal(facts.index[1], 0);
            assert_int_equal(facts.index[2], D - 1);
            free(u);
            drop(params);
            drop(out);
            drop(work);
            drop_problem(&q);
        }
}

static void test_sizes(void **state)
{
    (void)state;
    const peri_lstm_sizes report = {1, 32, 2, 1, PERI_F32}, none = {1, 0, 2, 1, PERI_F32};
    const peri_lstm_sizes huge = {1, (size_t)1 << 28, (size_t)1 << 20, 1, PERI_F32};
    assert_int_equal(peri_lstm_nparams(&report), 12961);
    assert_int_equal(peri_lstm_nparams(&none), 0);
    assert_int_equal(peri_lstm_nparams(&huge), 0);
    assert_int_equal(peri_lstm_workspace(&huge, 1, 1, true), 0);
    assert_int_equal(peri_lstm_workspace(&report, 64, (size_t)1 << 40, true), 0);
    size_t end = 0;
    for (size_t i = 0; i < peri_lstm_nparts(&report); i++) {
        const peri_lstm_part part = peri_lstm_get_part(&report, i);
        assert_int_equal(part.offset, end);
        end += part.rows * part.columns;
    }
    assert_int_equal(end, 12961);
}

static void test_find_bad(void **state)
{
    (void)state;
    const double a[] = {0, 1, 1, 0, 0.5, NAN};
    static const size_t lengths[] = {2, 1};
    assert_int_equal(peri_lstm_find_bad(PERI_F64, a, 2, 3, 1, true, NULL), 4);
    assert_int_equal(peri_lstm_find_bad(PERI_F64, a, 2, 3, 1, false, NULL), 5);
    assert_int_equal(peri_lstm_find_bad(PERI_F64, a, 2, 3, 1, true, lengths), 6);
    assert_int_equal(peri_lstm_find_bad(PERI_F64, a, 1, 2, 2, true, NULL), 4);
}

int main(void)
{
    peri_threads(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_backward_composes),
        cmocka_unit_test(test_pytorch),
        cmocka_unit_test(test_cs231n),
        cmocka_unit_test(test_same_bits_on_any_thread_count),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_nan_reaches_the_loss),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_find_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * Reductions against long double sums, over any set of axes of views of any strides; the same bits
 * whatever the layout and the level of instructions.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/pool.h"
#include "kernel/reduce.h"
#include "levels.h"

static uint64_t seed = 2463534242u;

static double uniform(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)((seed * 2685821657736338717u) >> 11) * 0x1p-53;
}

static size_t below(size_t n)
{
    return (size_t)(uniform() * (double)n);
}

enum { ROOM = 140000, MOST = 3000 };

static double f64[ROOM], results[3][MOST];
static float f32[ROOM];

/* The plain way: every element of `a` is taken to its result in row-major order. */
typedef struct {
    long double sum, square, product, exponential, magnitude;
    double least, most;
    size_t count, least_at, most_at;
    bool any, all, nan;
} tally;

static tally tallies[MOST];

static double element(const peri_view *a, const size_t *index)
{
    ptrdiff_t offset = 0;
    for (int axis = 0; axis < a->ndim; axis++)
        offset += (ptrdiff_t)index[axis] * a->stride[axis];
    return a->dtype == PERI_F32 ? (double)((float *)a->data)[offset] : ((double *)a->data)[offset];
}

/* Fills tallies; with mean given, square holds sum (x - mean)^2. */
static size_t count_up(const peri_view *a, const bool *reduced, const double *mean)
{
    size_t index[PERI_MAX_NDIM] = {0}, kept = 1;
    for (int axis = 0; axis < a->ndim; axis++)
        kept *= reduced[axis] ? 1 : a->shape[axis];
    for (size_t k = 0; k < kept; k++)
        tallies[k] = (tally){.product = 1, .least = HUGE_VAL, .most = -HUGE_VAL, .all = true};
    if (peri_view_size(a) == 0)
        return kept;
    for (;;) {
        size_t k = 0;
        for (int axis = 0; axis < a->ndim; axis++)
            k = reduced[axis] ? k : k * a->shape[axis] + index[axis];
        tally *t = &tallies[k];
        const double x = element(a, index);
        const long double d = mean != NULL ? (long double)x - (long double)mean[k] : (long double)x;
        t->sum += (long double)x;
        t->magnitude += fabsl((long double)x);
        t->square += d * d;
        t->product *= (long double)x;
        t->exponential += expl((long double)x);
        if (isnan(x) && !t->nan) {
            t->nan = true;
            t->least_at = t->most_at = t->count;
        }
        if (!t->nan && x < t->least) {
            t->least = x;
            t->least_at = t->count;
        }
        if (!t->nan && x > t->most) {
            t->most = x;
            t->most_at = t->count;
        }
        t->any = t->any || x != 0;
        t->all = t->all && x != 0;
        t->count++;
        int axis = a->ndim - 1;
        for (; axis >= 0; axis--) {
            if (++index[axis] < a->shape[axis])
                break;
            index[axis] = 0;
        }
        if (axis < 0)
            return kept;
    }
}

static void expect(const char *what, double got, long double want, long double scale)
{
    if (isnan(want)
            ? !isnan(got)
            : !(fabsl((long double)got - want) <= 60 * 0x1p-53L * scale) && !(got == (double)want))
        fail_msg("level %d, %s: %a, should be %La", peri_isa(), what, got, want);
}

static void check_view(const peri_view *a, const bool *reduced)
{
    size_t shape[PERI_MAX_NDIM], size = 1;
    ptrdiff_t stride[PERI_MAX_NDIM];
    double *got = results[0], *mean = results[1];
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        shape[axis] = reduced[axis] ? 1 : a->shape[axis];
        stride[axis] = (ptrdiff_t)size;
        size *= shape[axis];
    }
    const peri_view out = {got, PERI_F64, a->ndim, shape, stride};
    const size_t kept = count_up(a, reduced, NULL);
    assert_int_equal(kept, size);
    if (kept == 0)
        return;
    const long double n = (long double)tallies[0].count;
#define EACH(op, want, scale)                                                                      \
    peri_reduce(op, a, reduced, 0, &out, NULL);                                                    \
    for (size_t k = 0; k < kept; k++) {                                                            \
        const tally *t = &tallies[k];                                                              \
        expect(#op, got[k], want, scale);                                                          \
    }
    EACH(PERI_SUM, t->sum, t->magnitude)
    EACH(PERI_PROD, t->product, fabsl(t->product) * (n + 1))
    EACH(PERI_ANY, t->any, 0)
    EACH(PERI_ALL, t->all, 0)
    EACH(PERI_NORM, sqrtl(t->square), sqrtl(t->square))
    if (n > 0) {
        EACH(PERI_MIN, (long double)(t->nan ? (double)NAN : t->least), 0)
        EACH(PERI_MAX, (long double)(t->nan ? (double)NAN : t->most), 0)
        EACH(PERI_LOGSUMEXP, logl(t->exponential), fmaxl(fabsl((long double)t->most), 1) * 8 / 60)
        peri_reduce_position(false, a, reduced, &out, NULL);
        for (size_t k = 0; k < kept; k++)
            assert_int_equal((size_t)got[k], tallies[k].least_at);
        peri_reduce_position(true, a, reduced, &out, NULL);
        for (size_t k = 0; k < kept; k++)
            assert_int_equal((size_t)got[k], tallies[k].most_at);
        EACH(PERI_MEAN, t->sum / n, t->magnitude / n)
        for (size_t k = 0; k < kept; k++)
            mean[k] = (double)(tallies[k].sum / n);
        count_up(a, reduced, mean);
        EACH(PERI_VAR, t->square / n, t->square / n + 1e-30L)
    }
}

/* Contiguous, in a permutation of its axes, and with steps. */
static void lay_out(int ndim, const size_t *shape, int how, ptrdiff_t *stride, ptrdiff_t *start)
{
    ptrdiff_t step = 1;
    *start = 0;
    for (int k = 0; k < ndim; k++) {
        const int axis = how == 1 ? k : ndim - 1 - k;
        stride[axis] = step;
        if (how == 2 && shape[axis] > 1)
            step *= 2;
        step *= (ptrdiff_t)(shape[axis] ? shape[axis] : 1);
        if (how == 3) {
            *start += shape[axis] ? stride[axis] * ((ptrdiff_t)shape[axis] - 1) : 0;
            stride[axis] = -stride[axis];
        }
    }
    assert_true(step <= ROOM);
}

static const size_t shapes[][4] = {{1, 1, 1, 1},   {7, 1, 1, 1},    {2100, 1, 1, 1},
                                   {5, 9, 1, 1},   {1300, 3, 1, 1}, {1300, 11, 1, 1},
                                   {3, 600, 1, 1}, {2, 600, 7, 1},  {4, 3, 5, 9},
                                   {17, 1, 40, 2}, {0, 3, 1, 1},    {3, 0, 1, 1}};

static void layouts(void **state)
{
    (void)state;
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            for (int axes = 0; axes < 16; axes++) {
                const int how = (axes + (int)s) % 4, dtype = (axes / 4) % 2;
                bool reduced[4];
                ptrdiff_t stride[4], start;
                for (int axis = 0; axis < 4; axis++)
                    reduced[axis] = (axes >> axis & 1) != 0;
                lay_out(4, shapes[s], how, stride, &start);
                for (size_t i = 0; i < ROOM; i++) {
                    f64[i] = uniform() * 4 - (i % 3 == 0 ? 3.5 : 0.5);
                    if (s % 2 == 1 && below(40) == 0)
                        f64[i] = below(4) == 0 && axes % 5 == 0 ? NAN : 0.0;
                    f32[i] = (float)f64[i];
                }
                size_t kept = 1;
                for (int axis = 0; axis < 4; axis++)
                    kept *= reduced[axis] ? 1 : shapes[s][axis];
                if (kept > MOST)
                    continue;
                const peri_view a = {dtype == PERI_F32 ? (void *)(f32 + start)
                                                       : (void *)(f64 + start),
                                     dtype, 4, shapes[s], stride};
                check_view(&a, reduced);
            }
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

static const peri_reduction all_kinds[] = {PERI_SUM, PERI_PROD, PERI_MIN,      PERI_MAX,
                                           PERI_ANY, PERI_ALL,  PERI_MEAN,     PERI_VAR,
                                           PERI_STD, PERI_NORM, PERI_LOGSUMEXP};

/* The same array in three layouts and at three levels gives the same bits. */
static void same_bits(void **state)
{
    (void)state;
    static const size_t shape[2] = {1100, 17};
    static double copy[2][2 * 1100 * 17];
    const size_t n = shape[0] * shape[1];
    for (size_t i = 0; i < n; i++)
        f64[i] = uniform() - 0.5;
    for (size_t r = 0; r < shape[0]; r++)
        for (size_t c = 0; c < shape[1]; c++) {
            copy[0][c * shape[0] + r] = f64[r * shape[1] + c];
            copy[1][2 * (r * shape[1] + c)] = f64[r * shape[1] + c];
        }
    const ptrdiff_t strides[3][2] = {{17, 1}, {1, 1100}, {34, 2}};
    void *const data[3] = {f64, copy[0], copy[1]};
    for (size_t op = 0; op < sizeof all_kinds / sizeof *all_kinds; op++) {
        for (int axes = 0; axes < 4; axes++) {
            const bool reduced[2] = {(axes & 1) != 0, (axes & 2) != 0};
            const size_t kept[2] = {reduced[0] ? 1 : 1100, reduced[1] ? 1 : 17};
            if (kept[0] * kept[1] > MOST)
                continue;
            const ptrdiff_t step[2] = {(ptrdiff_t)kept[1], 1};
            bool first = true;
            for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
                if (!use_level(level))
                    continue;
                /* exp and its rounding belong to the level */
                first = first || all_kinds[op] == PERI_LOGSUMEXP;
                for (int k = 0; k < 3; k++) {
                    const peri_view a = {data[k], PERI_F64, 2, shape, strides[k]};
                    const peri_view out = {results[first ? 0 : 1], PERI_F64, 2, kept, step};
                    peri_reduce(all_kinds[op], &a, reduced, 0, &out, NULL);
                    if (!first)
                        assert_memory_equal(results[0], results[1],
                                            kept[0] * kept[1] * sizeof(double));
                    first = false;
                }
            }
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

static double reduce_row(peri_reduction op, const double *x, size_t n, double ddof)
{
    double result;
    const bool reduced[1] = {true};
    const ptrdiff_t stride[1] = {1};
    const size_t one = 1;
    const peri_view a = {(void *)(uintptr_t)x, PERI_F64, 1, &n, stride};
    const peri_view out = {&result, PERI_F64, 1, &one, stride};
    peri_reduce(op, &a, reduced, ddof, &out, NULL);
    return result;
}

static void odd_values(void **state)
{
    (void)state;
    assert_true(fabs(reduce_row(PERI_NORM, (double[]){3e200, 4e200}, 2, 0) / 5e200 - 1) < 1e-15);
    assert_true(fabs(reduce_row(PERI_NORM, (double[]){3e-300, 4e-300}, 2, 0) / 5e-300 - 1) < 1e-15);
    assert_true(reduce_row(PERI_NORM, (double[]){1, -HUGE_VAL}, 2, 0) == HUGE_VAL);
    assert_true(isnan(reduce_row(PERI_NORM, (double[]){1, NAN}, 2, 0)));
    assert_true(isnan(reduce_row(PERI_NORM, (double[]){HUGE_VAL, NAN}, 2, 0)));
    assert_true(reduce_row(PERI_NORM, (double[]){0, 0}, 2, 0) == 0);
    assert_true(reduce_row(PERI_LOGSUMEXP, (double[]){1000, 1000}, 2, 0) == 1000 + log(2));
    assert_true(reduce_row(PERI_LOGSUMEXP, (double[]){-HUGE_VAL, -HUGE_VAL}, 2, 0) == -HUGE_VAL);
    assert_true(reduce_row(PERI_LOGSUMEXP, (double[]){-HUGE_VAL, 2.385}, 2, 0) == 2.385);
    assert_true(reduce_row(PERI_LOGSUMEXP, (double[]){1, HUGE_VAL}, 2, 0) == HUGE_VAL);
    assert_true(isnan(reduce_row(PERI_LOGSUMEXP, (double[]){1, NAN}, 2, 0)));
    assert_true(reduce_row(PERI_LOGSUMEXP, NULL, 0, 0) == -HUGE_VAL);
    assert_true(isnan(reduce_row(PERI_MEAN, NULL, 0, 0)));
    assert_true(reduce_row(PERI_SUM, NULL, 0, 0) == 0);
    assert_true(reduce_row(PERI_PROD, NULL, 0, 0) == 1);
    assert_true(reduce_row(PERI_VAR, (double[]){1, 2, 3, 4}, 4, 1) == 5.0 / 3);
    assert_true(isinf(reduce_row(PERI_VAR, (double[]){1, 2}, 2, 2)));
    assert_true(isnan(reduce_row(PERI_VAR, (double[]){1}, 1, 1)));
}

/* Rounding errors of a long sum of equal terms do not pile up, in f32 either. */
static void long_sums(void **state)
{
    (void)state;
    enum { N = 3000000 };
    double *x = malloc(N * sizeof *x);
    float *y = malloc(N * sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    for (size_t i = 0; i < N; i++) {
        x[i] = 0.1;
        y[i] = 0.1f;
    }
    assert_true(fabs(reduce_row(PERI_SUM, x, N, 0) - 300000.0) < 30 * 300000.0 * 0x1p-53);
    const bool reduced[1] = {true};
    const ptrdiff_t stride[1] = {1};
    const size_t n = N, one = 1;
    float mean;
    const peri_view a = {y, PERI_F32, 1, &n, stride}, out = {&mean, PERI_F32, 1, &one, stride};
    peri_reduce(PERI_MEAN, &a, reduced, 0, &out, NULL);
    assert_true(mean == 0.1f);
    peri_stop stop = {0};
    atomic_init(&stop.requested, 1);
    assert_int_equal(peri_reduce(PERI_SUM, &a, reduced, 0, &out, &stop), PERI_ERR_INTERRUPTED);
    free(x);
    free(y);
}

static void running_sums(void **state)
{
    (void)state;
    static const size_t shape[3] = {3, 40, 600};
    static double a[3 * 40 * 600], out[3 * 40 * 600];
    static float b[3 * 40 * 600];
    const ptrdiff_t stride[3] = {24000, 600, 1};
    for (size_t i = 0; i < 72000; i++) {
        a[i] = uniform() - 0.5;
        b[i] = (float)a[i];
    }
    const peri_view va = {a, PERI_F64, 3, shape, stride}, vo = {out, PERI_F64, 3, shape, stride};
    const peri_view vb = {b, PERI_F32, 3, shape, stride};
    for (int axis = 0; axis < 3; axis++) {
        for (int dtype = 0; dtype < 2; dtype++) {
            peri_scan(false, dtype == PERI_F32 ? &vb : &va, axis, &vo, NULL);
            for (size_t i = 0; i < 72000; i++) {
                const size_t k = i / (size_t)stride[axis] % shape[axis];
                const double x = dtype == PERI_F32 ? (double)b[i] : a[i];
                const double before = k == 0 ? 0 : out[i - (size_t)stride[axis]];
                assert_true(out[i] == before + x);
            }
            peri_scan(true, dtype == PERI_F32 ? &vb : &va, axis, &vo, NULL);
            for (size_t i = 0; i < 72000; i++) {
                const size_t k = i / (size_t)stride[axis] % shape[axis];
                const double x = dtype == PERI_F32 ? (double)b[i] : a[i];
                assert_true(out[i] == (k == 0 ? 1 : out[i - (size_t)stride[axis]]) * x);
            }
        }
    }
}

/* The same bits on one, two and three threads: one result of many parts with a rest, read in place,
 * with a stride and along an axis, and many results. */
static void threads(void **state)
{
    (void)state;
    enum { N = 700001, ROWS = 100, COLUMNS = N / ROWS, OPS = PERI_LOGSUMEXP + 1 };
    double *x = malloc(2 * N * sizeof *x), *got = malloc(N * sizeof *got);
    double *first = malloc(N * sizeof *first);
    float *x32 = (float *)(void *)x;
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++) {
        for (size_t i = 0; i < 2 * N; i++) {
            const double value = 2.385 + sin((double)i * 12.9898);
            if (dtype == PERI_F32)
                x32[i] = (float)value;
            else
                x[i] = value;
        }
        for (int layout = 0; layout < 4; layout++) {
            size_t shape[2] = {ROWS, COLUMNS}, kept[2] = {1, 1};
            ptrdiff_t stride[2] = {COLUMNS, 1}, to[2] = {1, 1};
            bool reduced[2] = {true, true};
            if (layout == 1)
                stride[0] *= 2, stride[1] = 2;
            if (layout >= 2)
                reduced[layout - 2] = false, kept[layout - 2] = shape[layout - 2];
            const size_t made = kept[0] * kept[1];
            const peri_view a = {x, dtype, 2, shape, stride};
            for (int op = 0; op < OPS + 2; op++) {
                for (int count = 1; count <= 3; count++) {
                    const peri_view out = {count == 1 ? first : got, PERI_F64, 2, kept, to};
                    peri_threads(count);
                    if (op < OPS)
                        assert_int_equal(
                            peri_reduce((peri_reduction)op, &a, reduced, 0, &out, NULL), PERI_OK);
                    else
                        assert_int_equal(peri_reduce_position(op == OPS, &a, reduced, &out, NULL),
                                         PERI_OK);
                    if (count > 1 && memcmp(first, got, made * sizeof *got) != 0)
                        fail_msg("dtype %d, layout %d, op %d: other bits on %d threads", dtype,
                                 layout, op, count);
                }
            }
        }
    }
    peri_threads(1);
    free(x);
    free(got);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),   cmocka_unit_test(same_bits),    cmocka_unit_test(odd_values),
        cmocka_unit_test(long_sums), cmocka_unit_test(running_sums), cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * kernel/sort against an insertion sort written from the definition of the order. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/sort.h"
#include "levels.h"

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Kinds of data: what the radix passes, the tie groups and the restoring of zeros react to. */
static double sample(int kind)
{
    switch (kind) {
    case 0: /* uniform */
        return (double)(draw() >> 11) * 0x1p-53;
    case 1: /* few distinct values, both signs, both zeros */
        return copysign((double)(draw() % 4), draw() & 1 ? 1.0 : -1.0);
    case 2: { /* any bits: NaNs, infinities, subnormals */
        const uint64_t bits = draw() & 1 ? draw() : draw() | 0x7ff0000000000000u;
        double x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    case 3: /* differ in the lower half of the key alone */
        return 1.0 + (double)(draw() % 100000) * 0x1p-52;
    case 4: /* of every magnitude: nearly all in one of equal bins */
        return ldexp((double)(draw() >> 11) - 0x1p52, (int)(draw() % 1000) - 500);
    default: /* one value */
        return -2.385;
    }
}

static int before(double x, double y) /* strictly */
{
    return isnan(y) ? !isnan(x) : x < y;
}

static void reference(const double *x, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        while (k > 0 && before(x[i], x[order[k - 1]])) {
            order[k] = order[k - 1];
            k--;
        }
        order[k] = i;
    }
}

/* The same for long lanes: merging runs of 1, 2, 4, ... */
static void merge_reference(const double *x, size_t n, size_t *order)
{
    size_t *other = calloc(n, sizeof *other);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t k = 0, start = 0; start < n; start += 2 * run) {
            const size_t middle = start + run < n ? start + run : n;
            const size_t end = start + 2 * run < n ? start + 2 * run : n;
            size_t i = start, j = middle;
            while (k < end)
                other[k++] = j == end || (i < middle && !before(x[order[j]], x[order[i]]))
                                 ? order[i++]
                                 : order[j++];
        }
        memcpy(order, other, n * sizeof *order);
    }
    free(other);
}

static void check_lane(int dtype, int kind, size_t n, ptrdiff_t step)
{
    const size_t extent = n > 0 ? n : 1;
    const ptrdiff_t reach = step < 0 ? -step : step;
    double *x = calloc(extent, sizeof *x);
    void *src = calloc(extent * (size_t)reach, 8), *dst = calloc(extent, 8);
    double *arg = calloc(extent, 8);
    size_t *order = calloc(extent, sizeof *order);
    uint64_t *work = calloc(extent, 2 * sizeof *work);
    const size_t start = step < 0 ? (extent - 1) * (size_t)reach : 0;
    for (size_t i = 0; i < n; i++) {
        const double v = sample(kind);
        const ptrdiff_t at = (ptrdiff_t)start + (ptrdiff_t)i * step;
        if (dtype == PERI_F64) {
            ((double *)src)[at] = v;
            x[i] = v;
        } else {
            ((float *)src)[at] = (float)v;
            x[i] = (double)(float)v;
        }
    }
    if (n <= 2000)
        reference(x, n, order);
    else
        merge_reference(x, n, order);
    const size_t shape[1] = {n};
    const ptrdiff_t stride[1] = {step}, unit[1] = {1};
    const size_t width = peri_dtype_size(dtype);
    const peri_view a = {(char *)src + start * width, dtype, 1, shape, stride};
    const peri_view out = {dst, dtype, 1, shape, unit}, index = {arg, PERI_F64, 1, shape, unit};
    peri_facts facts = {0};
    assert_int_equal(peri_sort(&a, 0, &out, work, NULL, &facts), PERI_OK);
    assert_int_equal(peri_argsort(&a, 0, 1, &index, work, NULL, &facts), PERI_OK);
    for (size_t i = 0; i < n; i++) {
        assert_true(arg[i] == (double)(order[i] + 1));
        const char *from = (const char *)a.data + (ptrdiff_t)order[i] * step * (ptrdiff_t)width;
        assert_memory_equal((char *)dst + i * width, from, width); /* signs and NaNs too */
    }
    free(x), free(src), free(dst), free(arg), free(order), free(work);
}

static void test_lanes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,  1,  2,  3,  7,  8,   9,   15,  16,  17,   24,
                                   33, 40, 47, 48, 49, 100, 191, 193, 500, 2000, 17000};
    static const ptrdiff_t steps[] = {1, 3, -2};
    for (int level = PERI_ISA_BASE; level <= PERI_ISA_AVX512; level++) {
        if (!use_level(level))
            continue;
        for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
            for (int kind = 0; kind < 6; kind++)
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                    for (size_t k = 0; k < 3; k++)
                        check_lane(dtype, kind, sizes[s], steps[k]);
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

static void test_axes(void **state)
{
    (void)state;
    /* 3 x 4 x 2, sorted along each axis; the output is transposed in memory */
    double x[24], y[24];
    for (size_t i = 0; i < 24; i++)
        x[i] = sample(0);
    const size_t shape[3] = {3, 4, 2};
    const ptrdiff_t in[3] = {8, 2, 1}, out[3] = {1, 3, 12};
    uint64_t work[8];
    peri_facts facts = {0};
    for (int axis = 0; axis < 3; axis++) {
        const peri_view a = {x, PERI_F64, 3, shape, in}, b = {y, PERI_F64, 3, shape, out};
        assert_int_equal(peri_sort(&a, axis, &b, work, NULL, &facts), PERI_OK);
        double sum = 0, sorted_sum = 0;
        for (size_t i = 0; i < 24; i++) {
            sum += x[i] * x[i];
            sorted_sum += y[i] * y[i];
            const size_t index[3] = {i / 8, i / 2 % 4, i % 2};
            if (index[axis] + 1 < shape[axis]) {
                const size_t at = index[0] + 3 * index[1] + 12 * index[2];
                assert_true(y[at] <= y[at + (size_t)out[axis]]);
            }
        }
        assert_true(fabs(sum - sorted_sum) < 1e-12);
    }
    double one = 2.385, sorted = 0; /* no axes */
    const peri_view a = {&one, PERI_F64, 0, NULL, NULL}, b = {&sorted, PERI_F64, 0, NULL, NULL};
    assert_int_equal(peri_sort(&a, 0, &b, work, NULL, &facts), PERI_OK);
    assert_true(sorted == 2.385);
    assert_int_equal(peri_argsort(&a, 0, 1, &b, work, NULL, &facts), PERI_OK);
    assert_true(sorted == 1);
}

static void test_too_long(void **state)
{
    (void)state;
    double x = 0;
    const size_t shape[1] = {(size_t)1 << 32};
    const ptrdiff_t stride[1] = {0};
    const peri_view a = {&x, PERI_F64, 1, shape, stride};
    peri_facts facts = {0};
    assert_int_equal(peri_sort(&a, 0, &a, NULL, NULL, &facts), PERI_ERR_TOO_LARGE);
    assert_true(facts.got == 0x1p32);
}

static void test_interrupt(void **state)
{
    (void)state;
    static double x[1 << 18], y[1 << 18];
    static uint64_t work[2 << 18];
    const size_t shape[1] = {1 << 18};
    const ptrdiff_t stride[1] = {1};
    const peri_view a = {x, PERI_F64, 1, shape, stride}, b = {y, PERI_F64, 1, shape, stride};
    peri_stop stop = {0};
    atomic_init(&stop.requested, 1);
    peri_facts facts = {0};
    assert_int_equal(peri_sort(&a, 0, &b, work, &stop, &facts), PERI_ERR_INTERRUPTED);
    assert_int_equal(peri_argsort(&a, 0, 1, &b, work, &stop, &facts), PERI_ERR_INTERRUPTED);
}

static void test_searchsorted(void **state)
{
    (void)state;
    const double a[] = {-3, 1, 1, 2.5, NAN, NAN};
    const double v[] = {-4, -3, 1, 2, NAN, INFINITY};
    const double left[] = {0, 0, 1, 3, 4, 4}, right[] = {0, 1, 3, 3, 6, 4};
    double got[6];
    const size_t shape[1] = {6};
    const ptrdiff_t stride[1] = {1};
    const peri_view av = {(void *)a, PERI_F64, 1, shape, stride};
    const peri_view vv = {(void *)v, PERI_F64, 1, shape, stride};
    const peri_view out = {got, PERI_F64, 1, shape, stride};
    assert_int_equal(peri_searchsorted(&av, &vv, false, 1, &out, NULL), PERI_OK);
    for (int i = 0; i < 6; i++)
        assert_true(got[i] == left[i] + 1);
    assert_int_equal(peri_searchsorted(&av, &vv, true, 0, &out, NULL), PERI_OK);
    for (int i = 0; i < 6; i++)
        assert_true(got[i] == right[i]);
}

static void test_unique(void **state)
{
    (void)state;
    /* numpy.unique([[2,1],[1,3],[2,1],[1,-0.],[1,0.]], axis=0), counted by hand */
    double x[] = {2, 1, 1, 3, 2, 1, 1, -0.0, 1, 0.0};
    const size_t shape[2] = {5, 2};
    const ptrdiff_t stride[2] = {2, 1};
    const peri_view a = {x, PERI_F64, 2, shape, stride};
    uint64_t order[5], work[10];
    size_t distinct;
    peri_facts facts = {0};
    assert_int_equal(peri_unique_order(&a, order, &distinct, work, NULL, &facts), PERI_OK);
    assert_int_equal(distinct, 3);
    double values[6], counts[3], inverse[5], first[3];
    const size_t vshape[2] = {3, 2};
    const peri_view v = {values, PERI_F64, 2, vshape, stride};
    peri_unique_fill(&a, order, 1, &v, counts, inverse, first);
    const double want[] = {1, 0, 1, 3, 2, 1}, n[] = {2, 1, 2}, inv[] = {3, 2, 3, 1, 1},
                 f[] = {4, 2, 1};
    assert_memory_equal(counts, n, sizeof n);
    assert_memory_equal(inverse, inv, sizeof inv);
    assert_memory_equal(first, f, sizeof f);
    for (int i = 0; i < 6; i++)
        assert_true(values[i] == want[i]);
    assert_true(signbit(values[1])); /* the first of the equal rows */

    float y[300];
    for (int i = 0; i < 300; i++)
        y[i] = (i * 7) % 3 == 0 ? NAN : (float)((i * 7) % 11);
    const size_t yshape[2] = {300, 1};
    const ptrdiff_t ystride[2] = {1, 1};
    const peri_view b = {y, PERI_F32, 2, yshape, ystride};
    uint64_t yorder[300], ywork[600];
    assert_int_equal(peri_unique_order(&b, yorder, &distinct, ywork, NULL, &facts), PERI_OK);
    assert_int_equal(distinct, 12); /* 0..10 and NaN once */
    float yv[12];
    double yc[12], yi[300], yf[12];
    const size_t yvshape[2] = {12, 1};
    const peri_view u = {yv, PERI_F32, 2, yvshape, ystride};
    peri_unique_fill(&b, yorder, 1, &u, yc, yi, yf);
    assert_true(isnan(yv[11]) && yc[11] == 100 && yf[11] == 1);
    for (int i = 0; i < 300; i++) {
        const float back = yv[(int)yi[i] - 1];
        assert_true(back == y[i] || (isnan(back) && isnan(y[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes),        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_too_long),     cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_searchsorted), cmocka_unit_test(test_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

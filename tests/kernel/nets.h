/* SPDX-License-Identifier: MIT
 *
 * What the tests of the kernels of nets share: numbers of their own, memory that ends at a page
 * that may not be touched, both dtypes from one reference in double, every level of instructions
 * and every thread count. */
#ifndef PERIGEE_TESTS_NETS_H
#define PERIGEE_TESTS_NETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/pool.h"
#include "kernel/simd.h"
#include "kernel/view.h"

#define UNUSED __attribute__((unused))

/* An array of `count` elements in either dtype, followed by a page that faults. */
typedef struct {
    char *pages;
    size_t all, count;
    int dtype;
    void *data;
} block;

static UNUSED block take_bytes(size_t bytes)
{
    const size_t page = 4096, room = (bytes + page - 1) / page * page;
    block b = {.all = room + page};
    b.pages = mmap(NULL, b.all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(b.pages != MAP_FAILED);
    assert_int_equal(mprotect(b.pages + room, page, PROT_NONE), 0);
    memset(b.pages, 0xff, room);
    b.data = b.pages + room - bytes;
    return b;
}

static UNUSED block take(int dtype, size_t count)
{
    block b = take_bytes(count * peri_dtype_size(dtype));
    b.dtype = dtype;
    b.count = count;
    return b;
}

/* A workspace, which is whole lines. */
static UNUSED block take_work(size_t bytes)
{
    assert_true(bytes != SIZE_MAX);
    return take_bytes((bytes + 63) / 64 * 64);
}

static UNUSED void drop(block b)
{
    munmap(b.pages, b.all);
}

static UNUSED double get(const block *b, size_t i)
{
    return b->dtype == PERI_F32 ? (double)((float *)b->data)[i] : ((double *)b->data)[i];
}

static UNUSED void set(const block *b, size_t i, double v)
{
    if (b->dtype == PERI_F32)
        ((float *)b->data)[i] = (float)v;
    else
        ((double *)b->data)[i] = v;
}

static uint64_t number_state = 88172645463325252;

static UNUSED uint64_t random_bits(void)
{
    number_state ^= number_state << 13;
    number_state ^= number_state >> 7;
    number_state ^= number_state << 17;
    return number_state;
}

/* In [-1, 1], exact in float. */
static UNUSED double number(void)
{
    return (double)(random_bits() >> 41) / 4194304 - 1;
}

static UNUSED size_t between(size_t low, size_t high)
{
    return low + random_bits() % (high - low + 1);
}

/* `count` numbers, the same in both dtypes. */
static UNUSED block random_block(int dtype, size_t count)
{
    block b = take(dtype, count);
    for (size_t i = 0; i < count; i++)
        set(&b, i, number());
    return b;
}

/* Fails with `what` where an element differs from the reference by more than near times the
 * largest of it (or times 1). */
static UNUSED void check_near(const block *b, const double *wanted, double near, const char *what,
                              int line)
{
    double largest = 1;
    for (size_t i = 0; i < b->count; i++)
        if (fabs(wanted[i]) > largest)
            largest = fabs(wanted[i]);
    for (size_t i = 0; i < b->count; i++)
        if (!(fabs(get(b, i) - wanted[i]) <= near * largest)) {
            print_error("%s (%s, level %d): element %zu of %zu is %.17g, wanted %.17g\n", what,
                        b->dtype == PERI_F32 ? "f32" : "f64", peri_isa(), i, b->count, get(b, i),
                        wanted[i]);
            _fail(__FILE__, line);
        }
}
#define assert_block_near(b, wanted, near, what) check_near(b, wanted, near, what, __LINE__)

static UNUSED bool same_bytes(const block *a, const block *b)
{
    return memcmp(a->data, b->data, a->count * peri_dtype_size(a->dtype)) == 0;
}

static UNUSED double dot(const block *a, const block *b)
{
    double sum = 0;
    for (size_t i = 0; i < a->count; i++)
        sum += get(a, i) * get(b, i);
    return sum;
}

/* The gradient of sum G . f(x) by central differences of order four: `run` computes y from x, both
 * f64. At most 40 elements are looked at. */
static UNUSED void check_gradient(block *x, const block *y, const block *G, void (*run)(void *),
                                  void *context, const block *dx, double near, const char *what,
                                  int line)
{
    const double h = 2e-3;
    for (size_t i = 0; i < x->count; i += 1 + x->count / 40) {
        const double at = get(x, i);
        double f[4];
        for (int k = 0; k < 4; k++) {
            set(x, i, at + h * (k < 2 ? k - 2 : k - 1));
            run(context);
            f[k] = dot(G, y);
        }
        set(x, i, at);
        const double slope = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h);
        if (!(fabs(slope - get(dx, i)) <= near * (1 + fabs(slope)))) {
            print_error("%s (level %d): element %zu of %zu is %.12g, differences give %.12g\n",
                        what, peri_isa(), i, x->count, get(dx, i), slope);
            _fail(__FILE__, line);
        }
    }
    run(context);
}
#define assert_gradient(x, y, G, run, context, dx, near, what)                                     \
    check_gradient(x, y, G, run, context, dx, near, what, __LINE__)

/* The same numbers in the other dtype. */
static UNUSED block as_f32(const block *a)
{
    block b = take(PERI_F32, a->count);
    for (size_t i = 0; i < a->count; i++)
        set(&b, i, get(a, i));
    return b;
}

static UNUSED block zeros(int dtype, size_t count)
{
    block b = take(dtype, count);
    memset(b.data, 0, count * peri_dtype_size(dtype));
    return b;
}

/* An f32 result beside the f64 one. */
static UNUSED void check_close(const block *f32, const block *f64, double near, const char *what,
                               int line)
{
    check_near(f32, f64->data, near, what, line);
}
#define assert_close(f32, f64, near, what) check_close(f32, f64, near, what, __LINE__)

/* Runs f at each level this machine has. */
static UNUSED void at_each_level(void (*f)(void))
{
    const int best = peri_isa();
    for (int level = PERI_ISA_BASE; level <= best; level++)
        if (peri_isa_limit(level) == level)
            f();
    peri_isa_limit(best);
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * The streams against NumPy's: numbers in tests/golden/numpy_random.txt (made by the program beside
 * it), and NumPy's own test sets where ../shared/data has them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/pool.h"
#include "kernel/random.h"

/* The numbers of one golden line; returns how many. */
static size_t golden(const char *name, double out[64])
{
    FILE *f = fopen("tests/golden/numpy_random.txt", "r");
    assert_non_null(f);
    static char line[4096];
    size_t n = 0;
    while (n == 0 && fgets(line, sizeof line, f) != NULL) {
        char *at = line + strcspn(line, " \n");
        if ((size_t)(at - line) != strlen(name) || strncmp(line, name, strlen(name)) != 0)
            continue;
        for (char *end;; at = end) {
            const double value = strtod(at, &end);
            if (end == at)
                break;
            assert_true(n < 64);
            out[n++] = value;
        }
    }
    fclose(f);
    if (n == 0)
        fail_msg("no golden line %s", name);
    return n;
}

static void same(const char *name, const double *got, size_t n, double shift)
{
    double want[64];
    assert_int_equal(golden(name, want), n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i] + shift)
            fail_msg("%s[%zu]: got %.17g, NumPy has %.17g", name, i, got[i], want[i] + shift);
}

static peri_seeds seeds_of(const char *text)
{
    uint32_t words[64];
    const size_t n = peri_seeds_parse(text, words, 64);
    assert_true(n > 0);
    peri_seeds seeds;
    peri_seeds_begin(&seeds);
    for (size_t i = 0; i < n; i++)
        peri_seeds_absorb(&seeds, words[i]);
    peri_seeds_finish(&seeds);
    return seeds;
}

static peri_rng pcg(const char *seed)
{
    const peri_seeds seeds = seeds_of(seed);
    peri_rng rng;
    peri_random_pcg64(&rng, &seeds);
    return rng;
}

static peri_rng mt(uint32_t seed)
{
    peri_rng rng;
    peri_random_mt19937(&rng, seed);
    return rng;
}

static const char two_to_300_plus_5[] =
    "2037035976334486086268445688409378161051468393665936250636140449354381299763336706183397381";

static void test_seeds(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "0",
        "1",
        "42",
        "12345",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "18446744073709551623",
        "10000000000000000000000000000000000000000",
        two_to_300_plus_5,
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        peri_rng rng = pcg(seeds[i]);
        double got[5];
        for (int j = 0; j < 5; j++)
            got[j] = peri_random_uniform(&rng);
        char name[128];
        snprintf(name, sizeof name, "pcg.random.%s", seeds[i]);
        same(name, got, 5, 0);
    }
    uint32_t words[64];
    assert_int_equal(peri_seeds_parse("0x100000000", words, 64), 2);
    assert_int_equal(words[1], 1);
    assert_int_equal(peri_seeds_parse("0xDeadBeef", words, 64), 1);
    assert_int_equal(words[0], 0xdeadbeef);
    for (const char *const *bad = (const char *const[]){"", "-1", "0x", "1e9", "12 ", "0xg", NULL};
         *bad != NULL; bad++)
        assert_int_equal(peri_seeds_parse(*bad, words, 64), 0);
    assert_int_equal(peri_seeds_parse("4294967296", words, 1), 0);

    const uint32_t list[] = {1, 0, 256, 0, 77, 5}; /* [1, 2**40, 0, 77, 5], low words first */
    peri_seeds s;
    peri_seeds_begin(&s);
    for (int i = 0; i < 6; i++)
        peri_seeds_absorb(&s, list[i]);
    peri_seeds_finish(&s);
    peri_rng rng;
    peri_random_pcg64(&rng, &s);
    double got[6];
    peri_random_uniforms(&rng, 3, got);
    same("pcg.random.list", got, 3, 0);

    const peri_seeds zero = seeds_of("0");
    peri_seeds_generate(&zero, 6, words);
    for (int i = 0; i < 6; i++)
        got[i] = words[i];
    same("seeds.state", got, 6, 0);
}

static void test_spawn(void **state)
{
    (void)state;
    peri_seeds parent = seeds_of("2024");
    double got[3];
    peri_rng rng;
    peri_seeds children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = peri_seeds_spawn(&parent);
        peri_random_pcg64(&rng, &children[i]);
        peri_random_uniforms(&rng, 3, got);
        char name[32];
        snprintf(name, sizeof name, i < 3 ? "pcg.spawn.%d" : "pcg.spawn.later", i);
        same(name, got, 3, 0);
    }
    const peri_seeds grandchild = peri_seeds_spawn(&children[1]);
    peri_random_pcg64(&rng, &grandchild);
    peri_random_uniforms(&rng, 3, got);
    same("pcg.spawn.1.0", got, 3, 0);
    parent = seeds_of("1606938044258990275541962092341162602522202993782792835301377");
    (void)peri_seeds_spawn(&parent);
    const peri_seeds second = peri_seeds_spawn(&parent);
    peri_random_pcg64(&rng, &second);
    peri_random_uniforms(&rng, 3, got);
    same("pcg.spawn.big", got, 3, 0);
}

/* NumPy's test sets: a row "seed, 0xdeadbeaf", then 1,000 raw outputs. */
static FILE *testset(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "../shared/data/reference/%s-testset-1.csv", name);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    return f;
}

static void compare_testset(FILE *f, peri_rng *rng)
{
    char line[128];
    assert_non_null(fgets(line, sizeof line, f));
    size_t rows = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        const char *comma = strchr(line, ',');
        if (comma == NULL)
            continue;
        const uint64_t want = strtoull(comma + 1, NULL, 16);
        const uint64_t got =
            rng->kind == PERI_PCG64 ? peri_random_next64(rng) : peri_random_next32(rng);
        if (got != want)
            fail_msg("row %zu", rows);
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, 1000);
}

static void test_pcg64_testset(void **state)
{
    (void)state;
    FILE *f = testset("pcg64");
    peri_rng rng = pcg("0xdeadbeaf");
    compare_testset(f, &rng);
}

static void test_mt19937_testset(void **state)
{
    (void)state;
    FILE *f = testset("mt19937");
    /* The set's generator was filled through SeedSequence. */
    const peri_seeds seeds = seeds_of("0xdeadbeaf");
    peri_rng rng = mt(0);
    peri_seeds_generate(&seeds, PERI_MT_WORDS, rng.mt.key);
    rng.mt.key[0] = 0x80000000u;
    rng.mt.pos = PERI_MT_WORDS - 1;
    compare_testset(f, &rng);
}

static void test_uniforms(void **state)
{
    (void)state;
    static double got[2003];
    peri_rng rng = pcg("3");
    peri_random_uniforms(&rng, 1003, got);
    same("pcg.random.long", got + 999, 4, 0);
    /* Any cut of the stream gives the same numbers. */
    peri_rng whole = pcg("3"), cut = pcg("3");
    peri_random_uniforms(&whole, 1003, got);
    static double piece[64];
    for (size_t i = 0, n = 0; i < 1003; i += n, n = (n * 5 + 1) % 23) {
        if (i + n > 1003)
            break;
        peri_random_uniforms(&cut, n, piece);
        assert_memory_equal(piece, got + i, n * sizeof *got);
    }
    for (uint32_t seed = 0; seed < 4; seed++) {
        static const uint32_t seeds[] = {0, 1, 42, UINT32_MAX};
        rng = mt(seeds[seed]);
        for (int i = 0; i < 5; i++)
            got[i] = peri_random_uniform(&rng);
        char name[64];
        snprintf(name, sizeof name, "mt.rand.%u", seeds[seed]);
        same(name, got, 5, 0);
    }
    rng = mt(3);
    peri_random_uniforms(&rng, 2003, got);
    same("mt.rand.long", got + 1999, 4, 0);
    rng = mt(3);
    (void)peri_random_next32(&rng);
    (void)peri_random_next32(&rng);
    rng = mt(3);
    peri_random_integers(&rng, 0, 9, 1, got);
    peri_random_uniforms(&rng, 1000, got);
    same("mt.rand.odd", got + 996, 4, 0);
    peri_random_mt19937_array(&rng, (const uint32_t[]){1, 2, 3}, 3);
    peri_random_uniforms(&rng, 3, got);
    same("mt.rand.list", got, 3, 0);
}

/* Drawn by several threads in parts: the numbers that come one by one, and what follows them. */
static void test_many_uniforms(void **state)
{
    (void)state;
    enum { N = 5 * (1 << 16) + 77 };
    double *got = malloc(N * sizeof *got);
    peri_rng start = pcg("42"), one = start;
    for (int threads = 1; threads <= 3; threads++) {
        peri_rng rng = start;
        peri_threads(threads);
        peri_random_uniforms(&rng, N, got);
        one = start;
        for (size_t i = 0; i < N; i++)
            if (got[i] != peri_random_uniform(&one))
                fail_msg("%d threads: number %zu is another one", threads, i);
        assert_true(peri_random_next64(&rng) == peri_random_next64(&one));
    }
    peri_threads(1);
    free(got);
}

static void test_normals(void **state)
{
    (void)state;
    enum { N = 200000 };
    double *got = malloc(N * sizeof *got);
    peri_rng rng = pcg("42");
    for (int i = 0; i < 40; i++)
        got[i] = peri_random_normal(&rng);
    same("pcg.normal", got, 40, 0);
    rng = pcg("42");
    peri_random_normals(&rng, 40, got);
    same("pcg.normal", got, 40, 0);
    rng = pcg("7"); /* long enough to meet the tail and every rejection */
    peri_random_normals(&rng, N, got);
    same("pcg.normal.long", got + N - 5, 5, 0);
    double sums[3] = {0}, want[64];
    for (int i = 0; i < N; i++) {
        sums[0] += got[i];
        sums[1] += got[i] * got[i];
        sums[2] = fmax(sums[2], fabs(got[i]));
    }
    assert_int_equal(golden("pcg.normal.sum", want), 3);
    assert_true(fabs(sums[0] - want[0]) < 1e-8 && fabs(sums[1] - want[1]) < 1e-6);
    assert_true(sums[2] == want[2]); /* from the tail */
    rng = pcg("9");
    peri_random_normals(&rng, 1001, got);
    peri_random_uniforms(&rng, 3, got);
    same("pcg.normal.after", got, 3, 0);
    rng = mt(42);
    peri_random_normals(&rng, 9, got);
    same("mt.randn", got, 9, 0);
    rng = mt(8);
    got[0] = peri_random_normal(&rng);
    got[1] = peri_random_uniform(&rng);
    got[2] = peri_random_normal(&rng);
    got[3] = (double)peri_random_bounded(&rng, 99);
    got[4] = peri_random_normal(&rng);
    same("mt.mixed", got, 5, 0);
    free(got);
}

static void test_integers(void **state)
{
    (void)state;
    static const int64_t ranges[][2] = {
        {0, 9},          {1, 6},          {-5, 5}, {0, 2147483648},
        {0, 4294967295}, {0, 4294967296}, {7, 7},  {-1099511627776, 4503599627370496},
        {0, 4294967294}};
    double got[9];
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        peri_rng rng = pcg("11");
        peri_random_integers(&rng, ranges[i][0], ranges[i][1], 9, got);
        char name[96];
        snprintf(name, sizeof name, "pcg.integers.%lld.%lld", (long long)ranges[i][0],
                 (long long)ranges[i][1]);
        same(name, got, 9, 0);
    }
    peri_rng rng = pcg("21");
    got[0] = (double)peri_random_bounded(&rng, 8);
    got[1] = peri_random_uniform(&rng);
    got[2] = (double)peri_random_bounded(&rng, 8);
    got[3] = peri_random_normal(&rng);
    double three[3];
    peri_random_integers(&rng, 0, 8, 3, three);
    got[4] = three[0] + three[1] + three[2];
    same("pcg.mixed", got, 5, 0);
    rng = pcg("11");
    uint64_t full = peri_random_bounded(&rng, UINT64_MAX) + ((uint64_t)1 << 63);
    got[0] = (double)(int64_t)full;
    same("pcg.integers.full", got, 1, 0);
    static const int64_t old[][2] = {{0, 10},         {1, 7},          {-5, 6},
                                     {0, 2147483649}, {0, 4294967296}, {0, 1099511627776}};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
        rng = mt(11);
        peri_random_integers(&rng, old[i][0], old[i][1] - 1, 9, got);
        char name[96];
        snprintf(name, sizeof name, "mt.randint.%lld.%lld", (long long)old[i][0],
                 (long long)old[i][1]);
        same(name, got, 9, 0);
    }
}

static void test_permutations(void **state)
{
    (void)state;
    double got[40];
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < 4; i++) {
            static const size_t sizes[] = {1, 2, 10, 33};
            peri_rng rng = kind == 0 ? pcg("4") : mt(4);
            peri_random_permutation(&rng, sizes[i], got);
            char name[64];
            snprintf(name, sizeof name, "%s.permutation.%zu", kind == 0 ? "pcg" : "mt", sizes[i]);
            same(name, got, sizes[i], 1);
        }
        /* A 6 x 4 view with strides, in a larger block that stays as it is elsewhere. */
        double block[6 * 9];
        for (int i = 0; i < 54; i++)
            block[i] = -1;
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 4; j++)
                block[i * 9 + 8 - 2 * j] = i * 4 + j;
        const size_t shape[] = {6, 4};
        const ptrdiff_t stride[] = {9, -2};
        const peri_view view = {block + 8, PERI_F64, 2, shape, stride};
        peri_rng rng = kind == 0 ? pcg("13") : mt(13);
        peri_random_shuffle(&rng, &view);
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 4; j++) {
                got[i * 4 + j] = block[i * 9 + 8 - 2 * j];
                block[i * 9 + 8 - 2 * j] = -1;
            }
        same(kind == 0 ? "pcg.shuffle" : "mt.shuffle", got, 24, 0);
        for (int i = 0; i < 54; i++)
            assert_true(block[i] == -1);
    }
}

static void choose(const char *name, peri_rng rng, size_t n, size_t k, bool replace,
                   const double *p)
{
    const size_t length = peri_random_choice_work(&rng, n, k, replace, p != NULL);
    double *work = malloc((length + 1) * sizeof *work);
    work[length] = 2.385;
    double got[600];
    peri_random_choice(&rng, n, k, replace, p, work, got);
    assert_true(work[length] == 2.385);
    const size_t shown = k > 64 ? 6 : k;
    same(name, got + k - shown, shown, 1);
    free(work);
}

static void test_choice(void **state)
{
    (void)state;
    const double p[] = {0.1, 0.0, 0.3, 0.55, 0.05};
    choose("pcg.choice.10.4", pcg("2"), 10, 4, false, NULL);
    choose("pcg.choice.10.10", pcg("2"), 10, 10, false, NULL);
    choose("pcg.choice.20000.500", pcg("2"), 20000, 500, false, NULL);
    choose("pcg.choice.20000.300", pcg("2"), 20000, 300, false, NULL);
    choose("pcg.choice.replace", pcg("2"), 10, 8, true, NULL);
    choose("pcg.choice.p.replace", pcg("2"), 5, 12, true, p);
    choose("pcg.choice.p", pcg("2"), 5, 4, false, p);
    choose("mt.choice.10.4", mt(2), 10, 4, false, NULL);
    choose("mt.choice.replace", mt(2), 10, 8, true, NULL);
    choose("mt.choice.p.replace", mt(2), 5, 12, true, p);
    choose("mt.choice.p", mt(2), 5, 4, false, p);
    double q[40], sum = 0;
    for (int i = 0; i < 40; i++)
        sum += q[i] = 1.0 / (i + 1);
    /* NumPy sums in pairs, so q is divided by its own sum to the last bit only by luck; the
     * choice does not depend on that bit. */
    for (int i = 0; i < 40; i++)
        q[i] /= sum;
    choose("pcg.choice.p.40", pcg("2"), 40, 30, false, q);

    size_t positive;
    peri_facts facts = {0};
    assert_int_equal(peri_random_check_weights(p, 5, &positive, &facts), PERI_OK);
    assert_int_equal(positive, 4);
    assert_int_equal(
        peri_random_check_weights((const double[]){0.5, -0.5, 1}, 3, &positive, &facts),
        PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 1);
    assert_int_equal(
        peri_random_check_weights((const double[]){0.5, 0.0 / 0.0, 1}, 3, &positive, &facts),
        PERI_ERR_NONFINITE);
    assert_int_equal(peri_random_check_weights((const double[]){0.5, 0.4}, 2, &positive, &facts),
                     PERI_ERR_VALUE);
    assert_int_equal(facts.nindex, 0);
    assert_true(facts.got == 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),         cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_pcg64_testset), cmocka_unit_test(test_mt19937_testset),
        cmocka_unit_test(test_uniforms),      cmocka_unit_test(test_many_uniforms),
        cmocka_unit_test(test_normals),       cmocka_unit_test(test_integers),
        cmocka_unit_test(test_permutations),  cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cblas.h>

#include "kernel/pool.h"

enum { BLOCKS = 301 };

typedef struct {
    atomic_int visits[BLOCKS];
    atomic_int blas_threads; /* most seen in a block */
    size_t inner;            /* blocks of a nested run */
    atomic_size_t nested;
} tally;

static void nested_block(void *context, size_t block)
{
    tally *t = context;
    atomic_fetch_add(&t->nested, block + 1);
}

static void count_block(void *context, size_t block)
{
    tally *t = context;
    atomic_fetch_add(&t->visits[block], 1);
    const int n = openblas_get_num_threads();
    if (n > atomic_load(&t->blas_threads))
        atomic_store(&t->blas_threads, n);
    if (t->inner > 0)
        peri_pool_run(t->inner, nested_block, t);
}

static void assert_each_once(const tally *t, size_t n)
{
    for (size_t i = 0; i < BLOCKS; i++)
        assert_int_equal(atomic_load(&((tally *)t)->visits[i]), i < n ? 1 : 0);
}

static void test_each_block_runs_once(void **state)
{
    (void)state;
    const int threads[] = {1, 2, 3, 8, 2};
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        assert_int_equal(peri_threads(threads[k]), threads[k]);
        for (size_t n = 0; n <= BLOCKS; n += 43) {
            for (int repeat = 0; repeat < 20; repeat++) {
                tally t = {0};
                peri_pool_run(n, count_block, &t);
                assert_each_once(&t, n);
                if (n > 0)
                    assert_int_equal(atomic_load(&t.blas_threads), 1);
            }
        }
        assert_int_equal(openblas_get_num_threads(), threads[k]);
    }
}

static void test_asking_changes_nothing(void **state)
{
    (void)state;
    peri_threads(2);
    assert_int_equal(peri_threads(0), 2);
    assert_int_equal(peri_threads(-5), 2);
    assert_int_equal(openblas_get_num_threads(), 2);
}

typedef struct {
    atomic_int now, most;
} crowd;

static void count_crowd(void *context, size_t block)
{
    (void)block;
    crowd *c = context;
    const int now = atomic_fetch_add(&c->now, 1) + 1;
    if (now > atomic_load(&c->most))
        atomic_store(&c->most, now);
    usleep(1000);
    atomic_fetch_sub(&c->now, 1);
}

/* Workers that more threads once needed stay out of the runs of fewer. */
static void test_no_more_threads_than_asked(void **state)
{
    (void)state;
    const int threads[] = {6, 2, 1};
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        peri_threads(threads[k]);
        for (int repeat = 0; repeat < 5; repeat++) {
            crowd c = {0};
            peri_pool_run(12, count_crowd, &c);
            assert_in_range(atomic_load(&c.most), 1, threads[k]);
        }
    }
}

static void test_nested_runs_in_line(void **state)
{
    (void)state;
    peri_threads(2);
    tally t = {.inner = 4};
    peri_pool_run(7, count_block, &t);
    assert_each_once(&t, 7);
    assert_int_equal(atomic_load(&t.nested), 7 * (1 + 2 + 3 + 4));
}

static void *run_many(void *failures)
{
    for (int repeat = 0; repeat < 300; repeat++) {
        tally t = {0};
        peri_pool_run(17, count_block, &t);
        for (size_t i = 0; i < 17; i++)
            if (atomic_load(&t.visits[i]) != 1)
                atomic_fetch_add((atomic_int *)failures, 1);
    }
    return NULL;
}

static void test_two_callers(void **state)
{
    (void)state;
    peri_threads(2);
    atomic_int failures = 0;
    pthread_t other[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&other[i], NULL, run_many, &failures), 0);
    run_many(&failures);
    for (int i = 0; i < 3; i++)
        pthread_join(other[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(openblas_get_num_threads(), 2);
}

static void test_forked_child_starts_anew(void **state)
{
    (void)state;
    peri_threads(2);
    tally t = {0};
    peri_pool_run(9, count_block, &t);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        tally mine = {0};
        peri_pool_run(33, count_block, &mine);
        for (size_t i = 0; i < 33; i++)
            if (atomic_load(&mine.visits[i]) != 1)
                _exit(1);
        exit(0); /* joins the child's workers, none of the parent's */
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    memset(&t, 0, sizeof t);
    peri_pool_run(9, count_block, &t);
    assert_each_once(&t, 9);
}

/* Threads of this process. */
static int count_tasks(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* In a child, which has no workers yet: one fewer is started than there are threads, once. */
static void test_threads_started(void **state)
{
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        peri_threads(3); /* OpenBLAS starts its own */
        tally mine = {0};
        const int before = count_tasks();
        peri_pool_run(2, count_block, &mine);
        const int first = count_tasks();
        peri_pool_run(33, count_block, &mine);
        const int second = count_tasks();
        peri_pool_run(33, count_block, &mine);
        _exit(first != before + 1 ? 1 : second != before + 2 ? 2 : count_tasks() != second ? 3 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_block_runs_once),
        cmocka_unit_test(test_asking_changes_nothing),
        cmocka_unit_test(test_no_more_threads_than_asked),
        cmocka_unit_test(test_nested_runs_in_line),
        cmocka_unit_test(test_two_callers),
        cmocka_unit_test(test_forked_child_starts_anew),
        cmocka_unit_test(test_threads_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

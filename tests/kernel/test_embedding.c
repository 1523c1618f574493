/* SPDX-License-Identifier: MIT
 *
 * Embedding and its adjoint. */
#include "nets.h"

#include "kernel/embedding.h"

static void check_rows(void)
{
    static const size_t sizes[][3] = {{0, 3, 4}, {5, 1, 3}, {40, 7, 33}, {3000, 65, 16}};
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const size_t n = sizes[i][0], rows = sizes[i][1], cols = sizes[i][2];
            block w = random_block(dtype, rows * cols), y = take(dtype, n * cols);
            block g = random_block(dtype, n * cols), dw = take(dtype, rows * cols);
            size_t *index = malloc((n + 1) * sizeof *index);
            double *wanted = calloc(rows * cols, sizeof *wanted);
            for (size_t k = 0; k < n; k++)
                index[k] = between(0, rows - 1);
            peri_embedding(n, rows, cols, dtype, w.data, index, y.data);
            for (size_t k = 0; k < n * cols; k++) {
                assert_true(get(&y, k) == get(&w, index[k / cols] * cols + k % cols));
                wanted[index[k / cols] * cols + k % cols] += get(&g, k);
            }
            peri_embedding_backward(n, rows, cols, dtype, g.data, index, 0, dw.data);
            assert_block_near(&dw, wanted, dtype == PERI_F32 ? 1e-5 : 1e-14, "dW");
            for (size_t k = 0; k < rows * cols; k++)
                wanted[k] *= 2;
            peri_embedding_backward(n, rows, cols, dtype, g.data, index, 1, dw.data);
            assert_block_near(&dw, wanted, dtype == PERI_F32 ? 1e-5 : 1e-14, "dW twice");
            drop(w);
            drop(y);
            drop(g);
            drop(dw);
            free(index);
            free(wanted);
        }
}

static void test_embedding(void **state)
{
    (void)state;
    at_each_level(check_rows);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    const size_t n = 5000, rows = 100, cols = 24;
    block g = random_block(PERI_F32, n * cols), one = take(PERI_F32, rows * cols);
    block two = take(PERI_F32, rows * cols);
    size_t index[5000];
    for (size_t k = 0; k < n; k++)
        index[k] = between(0, rows - 1);
    peri_threads(1);
    peri_embedding_backward(n, rows, cols, PERI_F32, g.data, index, 0, one.data);
    peri_threads(2);
    peri_embedding_backward(n, rows, cols, PERI_F32, g.data, index, 0, two.data);
    assert_true(same_bytes(&one, &two));
    peri_threads(threads);
    drop(g);
    drop(one);
    drop(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

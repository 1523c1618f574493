/* SPDX-License-Identifier: MIT
 *
 * The PNG writer: what it refuses before stb computes in int, what it does without memory, and
 * that what it writes is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "format/image.h"
#include "format/png.h"
#include "format/table.h"

typedef struct {
    long at, calls, live;
} failing;

static void *call(void *ud, void *block, size_t old, size_t new)
{
    failing *f = ud;
    if (new == 0) {
        f->live -= block != NULL ? (long)old : 0;
        free(block);
        return NULL;
    }
    if (f->calls++ == f->at)
        return NULL;
    void *moved = realloc(block, new);
    if (moved != NULL)
        f->live += (long)new - (block != NULL ? (long)old : 0);
    return moved;
}

/* stb computes (x * n + 1) * y in int: 50000 x 85899 wraps to a small block. */
static void W1_extents_that_wrap_an_int(void **state)
{
    (void)state;
    const peri_memory memory = peri_memory_default();
    static const unsigned char pixel[4];
    static const size_t sizes[][3] = {
        {50000, 85899, 1}, {85899, 50000, 1}, {1 << 30, 1, 1},      {1, 1 << 30, 4},
        {SIZE_MAX, 2, 1},  {2, SIZE_MAX, 3},  {SIZE_MAX / 3, 3, 4}, {(size_t)INT_MAX + 1, 1, 1},
        {65536, 65536, 4}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *out = NULL;
        size_t length;
        peri_fault fault;
        assert_int_equal(peri_png_encode(&memory, pixel, 1, sizes[i][0], sizes[i][1],
                                         (int)sizes[i][2], &out, &length, &fault),
                         PERI_IO_BAD);
        assert_string_equal(fault.reason, "the image is too large:");
        assert_null(out);
    }
    /* the same through a matrix, whose one element stands for all */
    static const double one = 1;
    const size_t shape[2] = {85899, 50000};
    const ptrdiff_t stride[2] = {0, 0};
    const peri_view a = {(void *)&one, PERI_F64, 2, shape, stride};
    peri_writer w;
    peri_fault fault;
    assert_int_equal(peri_writer_open(&w, "/dev/null", false, &fault), PERI_IO_OK);
    assert_int_equal(peri_png_write(&w, &a, &memory, &fault), PERI_IO_BAD);
    peri_writer_abort(&w);
}

static void W2_no_pixels(void **state)
{
    (void)state;
    const peri_memory memory = peri_memory_default();
    static const size_t sizes[][2] = {{0, 0}, {0, 5}, {5, 0}};
    for (size_t i = 0; i < 3; i++) {
        unsigned char *out = NULL;
        size_t length;
        peri_fault fault;
        assert_int_equal(
            peri_png_encode(&memory, NULL, 0, sizes[i][0], sizes[i][1], 1, &out, &length, &fault),
            PERI_IO_BAD);
    }
}

enum { WIDTH = 37, HEIGHT = 23 };

static void W3_memory_fails_inside_stb_and_zlib(void **state)
{
    (void)state;
    unsigned char pixels[WIDTH * HEIGHT * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * i >> 3);
    for (long k = 0;; k++) {
        failing f = {.at = k};
        const peri_memory memory = {call, &f};
        unsigned char *out;
        size_t length;
        peri_fault fault;
        const peri_io status = peri_png_encode(&memory, pixels, (size_t)WIDTH * 3, WIDTH, HEIGHT, 3,
                                               &out, &length, &fault);
        if (status == PERI_IO_OK) {
            assert_true(k >= 5);
            assert_int_equal(f.live, (long)length);
            peri_give(&memory, out, length);
            break;
        }
        assert_int_equal(status, PERI_IO_MEMORY);
        assert_int_equal(f.live, 0);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const int channels[] = {1, 3};
    for (int c = 0; c < 2; c++) {
        const size_t n = (size_t)channels[c];
        unsigned char pixels[(WIDTH * 3 + 5) * HEIGHT];
        const size_t stride = WIDTH * n + 5; /* rows need not touch */
        for (size_t i = 0; i < sizeof pixels; i++)
            pixels[i] = (unsigned char)(i * 37 >> 2);
        const peri_memory memory = peri_memory_default();
        unsigned char *png, *again;
        size_t length, same;
        peri_fault fault;
        assert_int_equal(peri_png_encode(&memory, pixels, stride, WIDTH, HEIGHT, channels[c], &png,
                                         &length, &fault),
                         PERI_IO_OK);
        assert_int_equal(peri_png_encode(&memory, pixels, stride, WIDTH, HEIGHT, channels[c],
                                         &again, &same, &fault),
                         PERI_IO_OK);
        assert_int_equal(same, length);
        assert_memory_equal(again, png, length);
        peri_source s;
        peri_image m;
        float out[WIDTH * HEIGHT * 3];
        peri_source_init(&s, &memory, NULL, 1 << 20);
        peri_source_bytes(&s, png, length);
        peri_image_init(&m, &s);
        assert_int_equal(peri_image_open(&m, PERI_IMAGE_PNG, &fault), PERI_IO_OK);
        assert_int_equal(m.channels, channels[c]);
        assert_int_equal(peri_image_read(&m, PERI_F32, out, &fault), PERI_IO_OK);
        for (size_t y = 0; y < HEIGHT; y++)
            for (size_t x = 0; x < WIDTH * n; x++)
                assert_int_equal((int)out[y * WIDTH * n + x], pixels[y * stride + x]);
        peri_image_close(&m);
        peri_source_close(&s);
        peri_give(&memory, png, length);
        peri_give(&memory, again, same);
    }
    unsigned char *out;
    size_t length;
    peri_fault fault;
    const peri_memory memory = peri_memory_default();
    assert_int_equal(
        peri_png_encode(&memory, (const unsigned char *)"ab", 2, 1, 1, 2, &out, &length, &fault),
        PERI_IO_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(W1_extents_that_wrap_an_int),
        cmocka_unit_test(W2_no_pixels),
        cmocka_unit_test(W3_memory_fails_inside_stb_and_zlib),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "draw/canvas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw/raster.h"
#include "draw/svg.h"

static peri_font *font;
static const peri_canvas_map pixels_map = {.ax = 0, .bx = 1, .ay = 0, .by = 1};

static int open_font(void **state)
{
    peri_canvas_fault fault;
    (void)state;
    return peri_font_open(NULL, &font, &fault) == PERI_CANVAS_OK ? 0 : -1;
}

static int close_font(void **state)
{
    (void)state;
    peri_font_close(font);
    return 0;
}

static peri_canvas *canvas_of(peri_canvas_kind kind, size_t w, size_t h)
{
    peri_canvas *c;
    peri_canvas_fault fault;
    assert_int_equal(peri_canvas_open(kind, w, h, 100, font, NULL, &c, &fault), PERI_CANVAS_OK);
    return c;
}

/* The pixels (h,w,3); free() them. Closes the canvas. */
static unsigned char *pixels_of(peri_canvas *c, size_t w, size_t h)
{
    peri_canvas_fault fault;
    unsigned char *rgb = malloc(w * h * 3);
    assert_non_null(rgb);
    assert_int_equal(peri_canvas_pixels(c, rgb, &fault), PERI_CANVAS_OK);
    peri_canvas_close(c);
    return rgb;
}

static void assert_pixel(const unsigned char *rgb, size_t w, size_t x, size_t y, int r, int g,
                         int b)
{
    const unsigned char *p = rgb + (y * w + x) * 3;
    if (p[0] != r || p[1] != g || p[2] != b)
        fail_msg("pixel (%zu, %zu) is %d %d %d, not %d %d %d", x, y, p[0], p[1], p[2], r, g, b);
}

/* How many pixels are not white. */
static size_t ink(const unsigned char *rgb, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += rgb[3 * i] != 255 || rgb[3 * i + 1] != 255 || rgb[3 * i + 2] != 255;
    return count;
}

static void test_a_filled_rectangle_is_where_it_was_put(void **state)
{
    (void)state;
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 20, 10);
    peri_canvas_color(c, (double[]){1, 0, 0, 1});
    peri_canvas_rect(c, 3, 2, 5, 4);
    peri_canvas_fill(c);
    peri_canvas_color(c, (double[]){0, 0, 1, 0.5});
    peri_canvas_rect(c, 15, 0, 1, 10);
    peri_canvas_fill(c);
    unsigned char *rgb = pixels_of(c, 20, 10);
    assert_pixel(rgb, 20, 3, 2, 255, 0, 0);
    assert_pixel(rgb, 20, 7, 5, 255, 0, 0);
    assert_pixel(rgb, 20, 8, 5, 255, 255, 255);
    assert_pixel(rgb, 20, 3, 6, 255, 255, 255);
    assert_pixel(rgb, 20, 15, 4, 127, 127, 255);
    assert_int_equal(ink(rgb, 200), 20 + 10);
    free(rgb);
}

static void test_a_clip_holds_marks_and_lines_and_images(void **state)
{
    (void)state;
    double x[1000], y[1000];
    for (int i = 0; i < 1000; i++) {
        x[i] = i * 7 % 101;
        y[i] = i * 13 % 97;
    }
    const double white[1] = {0};
    const peri_view pixel = {(void *)white, PERI_F64, 2, (size_t[]){1, 1}, (ptrdiff_t[]){1, 1}};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 100, 100);
    peri_canvas_clip(c, 20, 30, 40, 10);
    assert_int_equal(
        peri_canvas_points(c, x, y, 1000, &pixels_map, PERI_MARK_CIRCLE, 5, NULL, NULL),
        PERI_CANVAS_OK);
    assert_int_equal(peri_canvas_points(c, x, y, 100, &pixels_map, PERI_MARK_CIRCLE, 5, NULL, NULL),
                     PERI_CANVAS_OK);
    assert_int_equal(peri_canvas_polyline(c, x, y, 1000, &pixels_map), PERI_CANVAS_OK);
    assert_int_equal(peri_canvas_image(c, &pixel, 0, 0, 100, 100), PERI_CANVAS_OK);
    peri_canvas_rect(c, 0, 0, 100, 100);
    peri_canvas_fill(c);
    unsigned char *rgb = pixels_of(c, 100, 100);
    for (size_t i = 0; i < 100; i++)
        for (size_t j = 0; j < 100; j++)
            if (i < 30 || i >= 40 || j < 20 || j >= 60)
                assert_pixel(rgb, 100, j, i, 255, 255, 255);
            else
                assert_pixel(rgb, 100, j, i, 0, 0, 0);
    free(rgb);
}

static void test_images_keep_sharp_pixels(void **state)
{
    (void)state;
    const float values[12] = {0, 300, 127.5f, -3, NAN, 64.4f, 10, 20, 30, 40, 50, 60};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 30, 20);
    /* (2,3) row-major, then (1,2,3) of it in colour, its columns backwards */
    const peri_view grey = {(void *)values, PERI_F32, 2, (size_t[]){2, 3}, (ptrdiff_t[]){3, 1}};
    const peri_view color = {(void *)(values + 9), PERI_F32, 3, (size_t[]){1, 2, 3},
                             (ptrdiff_t[]){0, -3, 1}};
    peri_canvas_image(c, &grey, 0, 0, 30, 10);
    peri_canvas_image(c, &color, 4, 12, 8, 4);
    unsigned char *rgb = pixels_of(c, 30, 20);
    assert_pixel(rgb, 30, 0, 0, 0, 0, 0);
    assert_pixel(rgb, 30, 9, 4, 0, 0, 0);
    assert_pixel(rgb, 30, 10, 4, 255, 255, 255);
    assert_pixel(rgb, 30, 20, 4, 128, 128, 128);
    assert_pixel(rgb, 30, 9, 5, 0, 0, 0);
    assert_pixel(rgb, 30, 10, 9, 0, 0, 0);
    assert_pixel(rgb, 30, 29, 9, 64, 64, 64);
    assert_pixel(rgb, 30, 4, 12, 40, 50, 60);
    assert_pixel(rgb, 30, 7, 15, 40, 50, 60);
    assert_pixel(rgb, 30, 8, 15, 10, 20, 30);
    assert_pixel(rgb, 30, 12, 15, 255, 255, 255);
    free(rgb);
}

static void test_nan_breaks_a_line_and_one_point_is_a_dot(void **state)
{
    (void)state;
    const double x[] = {10, 40, NAN, 60, 90, NAN, 50}, y[] = {20, 20, 20, 20, 20, 5, 5};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 100, 40);
    peri_canvas_pen(c, 2, NULL, 0);
    assert_int_equal(peri_canvas_polyline(c, x, y, 7, &pixels_map), PERI_CANVAS_OK);
    unsigned char *rgb = pixels_of(c, 100, 40);
    assert_pixel(rgb, 100, 25, 20, 0, 0, 0);
    assert_pixel(rgb, 100, 50, 20, 255, 255, 255);
    assert_pixel(rgb, 100, 75, 20, 0, 0, 0);
    assert_pixel(rgb, 100, 50, 5, 0, 0, 0);
    free(rgb);
}

static void test_a_band_breaks_at_nan_and_keeps_its_spikes(void **state)
{
    (void)state;
    enum { n = 100000, w = 100, h = 60 };
    double *x = malloc(n * sizeof *x), *lo = malloc(n * sizeof *lo), *hi = malloc(n * sizeof *hi);
    assert_true(x != NULL && lo != NULL && hi != NULL);
    for (size_t count = 11; count <= n; count += n - 11) {
        for (size_t i = 0; i < count; i++) {
            x[i] = 100.0 * (double)i / (double)(count - 1);
            lo[i] = x[i] > 45 && x[i] < 55 ? NAN : 40;
            hi[i] = 30;
        }
        hi[count / 5] = 5; /* at 20 */
        peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, w, h);
        assert_int_equal(peri_canvas_band(c, x, lo, hi, count, &pixels_map), PERI_CANVAS_OK);
        unsigned char *rgb = pixels_of(c, w, h);
        assert_pixel(rgb, w, 5, 35, 0, 0, 0);
        assert_pixel(rgb, w, 90, 35, 0, 0, 0);
        assert_pixel(rgb, w, 50, 35, 255, 255, 255);
        assert_pixel(rgb, w, 5, 45, 255, 255, 255);
        assert_pixel(rgb, w, 90, 25, 255, 255, 255);
        assert_true(rgb[(15 * w + 19) * 3] + rgb[(15 * w + 20) * 3] < 450);
        free(rgb);
    }
    free(x);
    free(lo);
    free(hi);
}

static void test_far_and_infinite_points_leave_the_rest_right(void **state)
{
    (void)state;
    const double x[] = {-1e300, 10, 1e12, INFINITY, 50}, y[] = {-1e300, 10, 1e12, 3, -INFINITY};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 40, 40);
    peri_canvas_pen(c, 1, NULL, 0);
    assert_int_equal(peri_canvas_polyline(c, x, y, 5, &pixels_map), PERI_CANVAS_OK);
    assert_int_equal(peri_canvas_points(c, x, y, 5, &pixels_map, PERI_MARK_SQUARE, 2, NULL, NULL),
                     PERI_CANVAS_OK);
    peri_canvas_rect(c, NAN, 1e30, INFINITY, 1);
    peri_canvas_fill(c);
    unsigned char *rgb = pixels_of(c, 40, 40);
    for (size_t i = 0; i < 40; i++) /* the diagonal */
        assert_true(rgb[(i * 40 + i) * 3] < 100);
    assert_pixel(rgb, 40, 35, 5, 255, 255, 255);
    free(rgb);
}

/* Each segment is cut to the canvas, or its dashes would never end. */
static void test_dashes_of_a_line_from_very_far(void **state)
{
    (void)state;
    static const double far[] = {-1.7e308, 1e300, 3, -1e12, 1.7e308, 2e9, -1e300};
    double x[700], y[700];
    for (int i = 0; i < 700; i++) {
        x[i] = far[i % 7];
        y[i] = far[(i + i / 7) % 7]; /* NOLINT: whole rounds */
    }
    for (peri_canvas_kind kind = PERI_CANVAS_PIXELS; kind <= PERI_CANVAS_PDF; kind++) {
        peri_canvas *c = canvas_of(kind, 100, 80);
        peri_canvas_pen(c, 2, (double[]){1, 1}, 2);
        assert_int_equal(peri_canvas_polyline(c, x, y, 700, &pixels_map), PERI_CANVAS_OK);
        peri_canvas_close(c);
    }
}

static void test_a_dense_line_shows_what_the_exact_one_shows(void **state)
{
    (void)state;
    enum { n = 200000, w = 300, h = 200 };
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    assert_true(x != NULL && y != NULL);
    for (int i = 0; i < n; i++) {
        x[i] = 10 + 280.0 * i / (n - 1);
        y[i] = 100 + 80 * sin(i * 0.0001) + (i % 20000 == 777 ? 17.3 : 0);
    }
    /* Thinned: both are drawn from the same 200,000 points; the reference by 200,000 segments. */
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, w, h);
    peri_canvas_pen(c, 2, NULL, 0);
    assert_int_equal(peri_canvas_polyline(c, x, y, n, &pixels_map), PERI_CANVAS_OK);
    unsigned char *rgb = pixels_of(c, w, h);
    uint8_t *coverage = calloc(w * h, 1);
    assert_non_null(coverage);
    for (int i = 1; i < n; i++)
        peri_raster_segment(coverage, w, h, x[i - 1], y[i - 1], x[i], y[i], 2);
    double sum = 0;
    int far = 0;
    for (int i = 0; i < w * h; i++) {
        const double difference = fabs(255.0 - coverage[i] - rgb[3 * i]);
        far += difference > 100;
        sum += difference;
    }
    assert_true(ink(rgb, (size_t)w * h) > 600);
    if (far > 60 || sum / (w * h) > 0.5)
        fail_msg("differs by %.2f a pixel, much in %d", sum / (w * h), far);
    free(x);
    free(y);
    free(rgb);
    free(coverage);
}

static void test_dashes_of_a_dense_line_are_those_of_a_thin_one(void **state)
{
    (void)state;
    enum { w = 200, h = 1200 };
    double x[801], y[801];
    /* 400 level lines, too long in all for Cairo */
    for (int i = 0; i < 800; i++) {
        x[i] = i % 2 == 0 ? 10 : 190.5;
        y[i] = 3 * (i / 2) + 1.5; /* NOLINT: pairs */
    }
    peri_canvas *dense = canvas_of(PERI_CANVAS_PIXELS, w, h),
                *thin = canvas_of(PERI_CANVAS_PIXELS, w, h);
    peri_canvas_pen(dense, 1, (double[]){6, 3}, 2);
    peri_canvas_pen(thin, 1, (double[]){6, 3}, 2);
    for (int i = 1; i < 400; i++)
        x[2 * i] = x[2 * i - 1]; /* a zigzag: the pattern runs on from line to line */
    for (int i = 0; i < 400; i++)
        x[2 * i + 1] = i % 2 == 0 ? 190.5 : 10;
    for (int i = 1; i < 400; i++)
        x[2 * i] = x[2 * i - 1];
    assert_int_equal(peri_canvas_polyline(dense, x, y, 800, &pixels_map), PERI_CANVAS_OK);
    assert_int_equal(peri_canvas_polyline(thin, x, y, 40, &pixels_map), PERI_CANVAS_OK);
    unsigned char *a = pixels_of(dense, w, h), *b = pixels_of(thin, w, h);
    double sum = 0;
    size_t inked = 0;
    for (size_t i = 0; i < w * 55; i++) {
        sum += fabs((double)a[3 * i] - b[3 * i]);
        inked += b[3 * i] < 255;
    }
    assert_true(inked > 1500);
    if (sum / (double)inked > 20)
        fail_msg("differs by %.1f a pixel", sum / (double)inked);
    free(a);
    free(b);
}

static void test_stamped_marks_look_like_drawn_ones(void **state)
{
    (void)state;
    enum { w = 400, h = 300 };
    for (peri_mark mark = PERI_MARK_CIRCLE; mark <= PERI_MARK_RING; mark++) {
        double x[500], y[500], radii[500];
        for (int i = 0; i < 500; i++) {
            x[i] = 10 + i % 25 * 15.37;
            y[i] = 10 + i / 25 * 14.61; /* NOLINT: whole rows */
            radii[i] = 4.2;
        }
        peri_canvas *stamped = canvas_of(PERI_CANVAS_PIXELS, w, h);
        peri_canvas *drawn = canvas_of(PERI_CANVAS_PIXELS, w, h);
        peri_canvas_color(stamped, (double[]){0.2, 0.4, 0.8, 0.7});
        peri_canvas_color(drawn, (double[]){0.2, 0.4, 0.8, 0.7});
        peri_canvas_points(stamped, x, y, 500, &pixels_map, mark, 4.2, NULL, NULL);
        peri_canvas_points(drawn, x, y, 500, &pixels_map, mark, 0, radii, NULL);
        unsigned char *a = pixels_of(stamped, w, h), *b = pixels_of(drawn, w, h);
        double sum = 0;
        for (int i = 0; i < w * h; i++)
            sum += fabs((double)a[3 * i] - b[3 * i]);
        const double inked = (double)ink(b, w * h);
        assert_true(inked > 500 * 15);
        if (sum / inked > 12) /* of the 143 levels a mark has */
            fail_msg("mark %d differs by %.1f a pixel", (int)mark, sum / inked);
        free(a);
        free(b);
    }
}

static void test_colours_and_radii_a_point(void **state)
{
    (void)state;
    const double x[] = {10, 30, 50}, y[] = {10, 10, 10}, radii[] = {4, 8, -1};
    const double colors[] = {1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 60, 20);
    assert_int_equal(
        peri_canvas_points(c, x, y, 3, &pixels_map, PERI_MARK_CIRCLE, 0, radii, colors),
        PERI_CANVAS_OK);
    unsigned char *rgb = pixels_of(c, 60, 20);
    assert_pixel(rgb, 60, 10, 10, 255, 0, 0);
    assert_pixel(rgb, 60, 15, 10, 255, 255, 255);
    assert_pixel(rgb, 60, 36, 10, 0, 255, 0);
    assert_pixel(rgb, 60, 50, 10, 255, 255, 255);
    free(rgb);
}

static void test_a_log_map_leaves_out_what_has_no_logarithm(void **state)
{
    (void)state;
    const peri_canvas_map map = {.ax = 0, .bx = 10, .ay = 5, .by = 0, .xlog = true};
    const double x[] = {-1, 0, 100, 1000}, y[] = {1, 1, 1, 1};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 40, 10);
    peri_canvas_points(c, x, y, 4, &map, PERI_MARK_SQUARE, 1.2, NULL, NULL);
    unsigned char *rgb = pixels_of(c, 40, 10);
    assert_true(rgb[(5 * 40 + 20) * 3] < 10 && rgb[(5 * 40 + 30) * 3] < 10);
    assert_pixel(rgb, 40, 0, 5, 255, 255, 255);
    assert_pixel(rgb, 40, 10, 5, 255, 255, 255);
    free(rgb);
}

static void test_measure_holds_the_ink(void **state)
{
    (void)state;
    static const char *const texts[] = {"Principal Component 1", "j|Ägy", "10\xE2\x81\xBB\xC2\xB3",
                                        "\xFF\xC0 broken", "0.5"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        enum { w = 400, h = 80 };
        const double x = 20.3, y = 45.6;
        peri_text_box box;
        peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, w, h);
        assert_int_equal(peri_canvas_measure(c, texts[k], strlen(texts[k]), 23, &box),
                         PERI_CANVAS_OK);
        peri_canvas_text(c, texts[k], strlen(texts[k]), 23, x, y, 0);
        unsigned char *rgb = pixels_of(c, w, h);
        double left = w, right = 0, top = h, bottom = 0;
        for (int i = 0; i < h; i++)
            for (int j = 0; j < w; j++)
                if (rgb[(i * w + j) * 3] < 250) {
                    left = fmin(left, j);
                    right = fmax(right, j + 1);
                    top = fmin(top, i);
                    bottom = fmax(bottom, i + 1);
                }
        assert_true(right > left);
        assert_true(fabs(left - (x + box.left)) < 1.2 && fabs(right - (x + box.right)) < 1.2);
        assert_true(fabs(top - (y + box.top)) < 1.2 && fabs(bottom - (y + box.bottom)) < 1.2);
        assert_true(box.advance > 10);
        free(rgb);
    }
    peri_text_box box;
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 10, 10);
    peri_canvas_measure(c, "", 0, 12, &box);
    assert_true(box.advance == 0 && box.right == 0 && box.bottom == 0);
    peri_canvas_close(c);
}

static void test_turned_text_goes_up(void **state)
{
    (void)state;
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 60, 100);
    peri_canvas_text(c, "label", 5, 20, 30, 90, M_PI / 2);
    unsigned char *rgb = pixels_of(c, 60, 100);
    size_t above = 0, left = 0;
    for (size_t i = 0; i < 100; i++)
        for (size_t j = 0; j < 60; j++)
            if (rgb[(i * 60 + j) * 3] < 128) {
                above += i < 90;
                left += j <= 30;
            }
    assert_true(above > 80 && left == above);
    free(rgb);
}

/* Everything once, into any kind. */
static void draw_all(peri_canvas *c, size_t n)
{
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    assert_true(x != NULL && y != NULL);
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)((seed = seed * 1664525 + 1013904223) >> 16) / 65536 * 200;
        y[i] = (double)((seed = seed * 1664525 + 1013904223) >> 16) / 65536 * 150;
    }
    const double values[6] = {0, 50, 100, 150, 200, 250};
    const peri_view image = {(void *)values, PERI_F64, 2, (size_t[]){2, 3}, (ptrdiff_t[]){3, 1}};
    peri_canvas_image(c, &image, 20, 20, 60, 40);
    peri_canvas_clip(c, 10, 10, 180, 130);
    peri_canvas_color(c, (double[]){0, 0.3, 0.7, 0.5});
    peri_canvas_points(c, x, y, n, &pixels_map, PERI_MARK_CIRCLE, 3, NULL, NULL);
    peri_canvas_pen(c, 1.5, (double[]){4, 2}, 2);
    peri_canvas_polyline(c, x, y, 20, &pixels_map);
    peri_canvas_pen(c, 1, NULL, 0);
    peri_canvas_polyline(c, x, y, n, &pixels_map);
    peri_canvas_band(c, x, y, y + 5, 5, &pixels_map);
    peri_canvas_unclip(c);
    peri_canvas_text(c, "A title \xC2\xB5", 10, 14, 30, 12, 0);
    peri_canvas_text(c, "turned", 6, 14, 12, 80, M_PI / 2);
    free(x);
    free(y);
}

static void test_documents_are_the_same_twice(void **state)
{
    (void)state;
    for (peri_canvas_kind kind = PERI_CANVAS_SVG; kind <= PERI_CANVAS_PDF; kind++) {
        for (size_t n = 100; n <= 10000; n *= 100) {
            unsigned char *first = NULL;
            size_t first_length = 0;
            for (int turn = 0; turn < 3; turn++) {
                const unsigned char *bytes = NULL;
                size_t length = 0;
                peri_canvas_fault fault;
                peri_canvas *c = canvas_of(kind, 200, 150);
                draw_all(c, n);
                assert_int_equal(peri_canvas_document(c, &bytes, &length, &fault), PERI_CANVAS_OK);
                assert_true(length > 1000);
                assert_memory_equal(bytes, kind == PERI_CANVAS_SVG ? "<?xml" : "%PDF-", 5);
                if (turn == 0) {
                    first = malloc(length);
                    assert_non_null(first);
                    memcpy(first, bytes, length);
                    first_length = length;
                } else {
                    assert_int_equal(length, first_length);
                    assert_memory_equal(bytes, first, length);
                }
                peri_canvas_close(c);
            }
            free(first);
        }
    }
}

static void test_a_canvas_closed_unfinished_leaks_nothing(void **state)
{
    (void)state;
    for (peri_canvas_kind kind = PERI_CANVAS_PIXELS; kind <= PERI_CANVAS_PDF; kind++) {
        peri_canvas *c = canvas_of(kind, 50, 50);
        peri_canvas_move(c, 1, 1);
        peri_canvas_line(c, 20, 20);
        peri_canvas_close(c);
    }
    peri_canvas_close(NULL);
    peri_font_close(NULL);
}

static void test_names_of_an_svg_are_numbered(void **state)
{
    (void)state;
    static const char in[] = "<svg id=\"surface9\"><use xlink:href=\"#glyph3-1\"/>"
                             "<g clip-path=\"url(#clip7)\" id=\"glyph3-1\"/><a id=\"clip7\"/>"
                             "<b fill=\"#\"/><c id=\"never closed";
    static const char want[] = "<svg id=\"p0\"><use xlink:href=\"#p1\"/>"
                               "<g clip-path=\"url(#p2)\" id=\"p1\"/><a id=\"p2\"/>"
                               "<b fill=\"#p3\"/><c id=\"never closed";
    unsigned char *out;
    size_t length;
    assert_true(peri_svg_renumber((const unsigned char *)in, strlen(in), &out, &length));
    assert_int_equal(length, strlen(want));
    assert_memory_equal(out, want, length);
    free(out);

    /* more names than the first table holds */
    char *many = malloc(40 * 2000);
    assert_non_null(many);
    size_t n = 0;
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(many + n, " id=\"n%d\" url(#n%d)", 7 * i, 7 * (i / 2));
    assert_true(peri_svg_renumber((const unsigned char *)many, n, &out, &length));
    many = realloc(many, length + 1);
    memcpy(many, out, length);
    many[length] = 0;
    assert_non_null(strstr(many, " id=\"p999\" url(#p499)"));
    free(many);
    free(out);
}

static void test_what_cannot_be_opened_is_said(void **state)
{
    (void)state;
    peri_font *other;
    peri_canvas *c;
    peri_canvas_fault fault = {.package = NULL};
    assert_int_equal(peri_font_open("/nowhere/Font.ttf", &other, &fault), PERI_CANVAS_NO_FONT);
    assert_string_equal(fault.what, "/nowhere/Font.ttf");
    assert_string_equal(fault.package, "fonts-dejavu-core");
    assert_null(other);
    assert_int_equal(peri_font_open("/proc/self/status", &other, &fault), PERI_CANVAS_BAD_FONT);
    assert_null(other);
    assert_int_equal(peri_canvas_open(PERI_CANVAS_PIXELS, 0, 5, 100, font, NULL, &c, &fault),
                     PERI_CANVAS_TOO_LARGE);
    assert_int_equal(
        peri_canvas_open(PERI_CANVAS_PIXELS, PERI_CANVAS_MAX + 1, 5, 100, font, NULL, &c, &fault),
        PERI_CANVAS_TOO_LARGE);
    assert_null(c);
}

static void test_the_stop_flag_ends_long_calls(void **state)
{
    (void)state;
    peri_stop stop = {0};
    atomic_init(&stop.requested, 1);
    const double x[] = {1, 2, 3}, y[] = {1, 2, 3};
    peri_canvas *c = canvas_of(PERI_CANVAS_PIXELS, 10, 10);
    peri_canvas_stop(c, &stop);
    assert_int_equal(peri_canvas_polyline(c, x, y, 3, &pixels_map), PERI_CANVAS_INTERRUPTED);
    assert_int_equal(peri_canvas_band(c, x, y, y, 3, &pixels_map), PERI_CANVAS_INTERRUPTED);
    assert_int_equal(peri_canvas_points(c, x, y, 3, &pixels_map, PERI_MARK_RING, 1, NULL, NULL),
                     PERI_CANVAS_INTERRUPTED);
    peri_canvas_stop(c, NULL);
    assert_int_equal(peri_canvas_polyline(c, x, y, 3, &pixels_map), PERI_CANVAS_OK);
    peri_canvas_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_filled_rectangle_is_where_it_was_put),
        cmocka_unit_test(test_a_clip_holds_marks_and_lines_and_images),
        cmocka_unit_test(test_images_keep_sharp_pixels),
        cmocka_unit_test(test_nan_breaks_a_line_and_one_point_is_a_dot),
        cmocka_unit_test(test_a_band_breaks_at_nan_and_keeps_its_spikes),
        cmocka_unit_test(test_far_and_infinite_points_leave_the_rest_right),
        cmocka_unit_test(test_dashes_of_a_line_from_very_far),
        cmocka_unit_test(test_a_dense_line_shows_what_the_exact_one_shows),
        cmocka_unit_test(test_dashes_of_a_dense_line_are_those_of_a_thin_one),
        cmocka_unit_test(test_stamped_marks_look_like_drawn_ones),
        cmocka_unit_test(test_colours_and_radii_a_point),
        cmocka_unit_test(test_a_log_map_leaves_out_what_has_no_logarithm),
        cmocka_unit_test(test_measure_holds_the_ink),
        cmocka_unit_test(test_turned_text_goes_up),
        cmocka_unit_test(test_documents_are_the_same_twice),
        cmocka_unit_test(test_a_canvas_closed_unfinished_leaks_nothing),
        cmocka_unit_test(test_names_of_an_svg_are_numbered),
        cmocka_unit_test(test_what_cannot_be_opened_is_said),
        cmocka_unit_test(test_the_stop_flag_ends_long_calls),
    };
    return cmocka_run_group_tests(tests, open_font, close_font);
}

/* SPDX-License-Identifier: MIT */
#include "kernel/norm.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/view.h"

typedef struct {
    size_t lanes;
    void (*moments)(const void *x, size_t n, double shift, double out[2]);
    void (*products)(const void *g, const void *x, size_t n, double shift, double out[2]);
    void (*affine)(const void *x, size_t n, double mean, double a, double b, void *y);
    void (*combine)(const void *g, const void *x, size_t n, double mean, double a, double b,
                    double c, void *dx);
    void (*row)(const void *x, size_t n, double mean, double rstd, const void *w, const void *b,
                void *y);
    void (*row_back)(const void *g, const void *x, size_t n, double mean, double rstd,
                     const void *w, void *dx, void *dw, void *db);
    void (*columns)(const void *g, const void *x, size_t rows, size_t apart, size_t count,
                    const double *shift, double *out);
    void (*columns_combine)(const void *g, const void *x, size_t rows, size_t apart, size_t count,
                            const double *mean, const double *const coefficients[3], void *y);
} norm_functions;

#define LANES_LOOPS "kernel/norm_loops.h"
#include "kernel/lanes_each.h"

static const norm_functions *choose(int dtype)
{
    return LANES_CHOOSE(norm, dtype);
}

enum { BLOCK = 1 << 14, MAX_BLOCKS = 64 };

/* What all three passes need; a set is a row, an image's group or a channel. */
typedef struct {
    const norm_functions *f;
    int dtype;
    size_t elem, n, c, pixels, groups, each;
    const char *X, *G, *w, *b;
    char *out, *dw, *db; /* out: Y or dX */
    double *mean, *rstd, *work;
    double eps, momentum, beta;
    char *running_mean, *running_var, *sums;
    size_t nblocks;
    bool constant;
} job;

static job make_job(size_t n, size_t c, size_t pixels, int dtype, const void *X)
{
    return (job){.f = choose(dtype),
                 .dtype = dtype,
                 .elem = peri_dtype_size(dtype),
                 .n = n,
                 .c = c,
                 .pixels = pixels,
                 .groups = 1,
                 .X = X};
}

static double element(const job *j, const char *array, size_t i, double otherwise)
{
    return array != NULL ? peri_read(j->dtype, array + i * j->elem) : otherwise;
}

/* array[i] = beta array[i] + value, unless array is NULL. */
static void add_to(const job *j, char *array, size_t i, double value)
{
    if (array == NULL)
        return;
    if (j->beta != 0)
        value += peri_read(j->dtype, array + i * j->elem);
    peri_write(j->dtype, array + i * j->elem, value);
}

/* Mean and variance of `runs` runs of n elements, `apart` bytes from one to the next. */
static void find_moments(const job *j, const char *x, size_t runs, size_t apart, size_t n,
                         double *mean, double *var)
{
    const double count = (double)runs * (double)n;
    double m[2] = {0, 0}, d[2] = {0, 0};
    for (size_t i = 0; i < runs; i++)
        j->f->moments(x + i * apart, n, 0, m);
    /* what the runs subtract is rounded to their dtype */
    const double shift = PERI_REAL_PICK(j->dtype, m[0] / count, (double)(float)(m[0] / count));
    for (size_t i = 0; i < runs; i++)
        j->f->moments(x + i * apart, n, shift, d);
    *mean = shift + d[0] / count;
    *var = d[1] / count - d[0] / count * (d[0] / count);
}

/* ---- layer --------------------------------------------------------------------------------- */

static void run_layer(void *context, size_t block)
{
    const job *j = context;
    for (size_t row = block * j->each; row < j->n && row < (block + 1) * j->each; row++) {
        const size_t at = row * j->c * j->elem;
        double var;
        find_moments(j, j->X + at, 1, 0, j->c, &j->mean[row], &var);
        j->rstd[row] = 1 / sqrt(var + j->eps);
        j->f->row(j->X + at, j->c, j->mean[row], j->rstd[row], j->w, j->b, j->out + at);
    }
}

static void cut_rows(job *j)
{
    j->each = BLOCK / j->c < 1 ? 1 : BLOCK / j->c;
    if (j->each * MAX_BLOCKS < j->n)
        j->each = (j->n + MAX_BLOCKS - 1) / MAX_BLOCKS;
    j->nblocks = (j->n + j->each - 1) / j->each;
}

void peri_layer_norm(size_t rows, size_t cols, int dtype, const void *X, const void *w,
                     const void *b, double eps, void *Y, double *mean, double *rstd)
{
    if (rows == 0 || cols == 0)
        return;
    job j = make_job(rows, cols, 1, dtype, X);
    j.w = w;
    j.b = b;
    j.eps = eps;
    j.out = Y;
    j.mean = mean;
    j.rstd = rstd;
    cut_rows(&j);
    peri_pool_run(j.nblocks, run_layer, &j);
}

size_t peri_layer_norm_work(size_t rows, size_t cols, int dtype)
{
    if (rows == 0 || cols == 0)
        return 0;
    job j = {.n = rows, .c = cols};
    cut_rows(&j);
    return j.nblocks * 2 * cols * peri_dtype_size(dtype);
}

static void run_layer_back(void *context, size_t block)
{
    const job *j = context;
    char *dw = j->sums + block * 2 * j->c * j->elem, *db = dw + j->c * j->elem;
    memset(dw, 0, 2 * j->c * j->elem);
    for (size_t row = block * j->each; row < j->n && row < (block + 1) * j->each; row++) {
        const size_t at = row * j->c * j->elem;
        j->f->row_back(j->G + at, j->X + at, j->c, j->mean[row], j->rstd[row], j->w, j->out + at,
                       dw, db);
    }
}

void peri_layer_norm_backward(size_t rows, size_t cols, int dtype, const void *X, const void *w,
                              const double *mean, const double *rstd, const void *G, void *dX,
                              double beta, void *dw, void *db, void *work)
{
    job j = make_job(rows, cols, 1, dtype, X);
    j.w = w;
    j.mean = (double *)mean;
    j.rstd = (double *)rstd;
    j.G = G;
    j.out = dX;
    j.beta = beta;
    j.sums = work;
    if (rows > 0 && cols > 0) {
        cut_rows(&j);
        peri_pool_run(j.nblocks, run_layer_back, &j);
    }
    for (size_t i = 0; i < cols; i++) {
        double a = 0, b = 0;
        for (size_t k = 0; k < j.nblocks; k++) {
            a += element(&j, j.sums, 2 * k * cols + i, 0);
            b += element(&j, j.sums, (2 * k + 1) * cols + i, 0);
        }
        add_to(&j, dw, i, a);
        add_to(&j, db, i, b);
    }
}

/* ---- group --------------------------------------------------------------------------------- */

static void run_group(void *context, size_t set)
{
    const job *j = context;
    const size_t channels = j->c / j->groups, first = set % j->groups * channels;
    const size_t run = j->pixels * j->elem;
    const char *x = j->X + set * channels * run;
    char *y = j->out + set * channels * run;
    double var;
    find_moments(j, x, 1, 0, channels * j->pixels, &j->mean[set], &var);
    j->rstd[set] = 1 / sqrt(var + j->eps);
    for (size_t i = 0; i < channels; i++)
        j->f->affine(x + i * run, j->pixels, j->mean[set],
                     j->rstd[set] * element(j, j->w, first + i, 1), element(j, j->b, first + i, 0),
                     y + i * run);
}

void peri_group_norm(size_t n, size_t c, size_t pixels, size_t groups, int dtype, const void *X,
                     const void *w, const void *b, double eps, void *Y, double *mean, double *rstd)
{
    if (pixels == 0)
        return;
    job j = make_job(n, c, pixels, dtype, X);
    j.groups = groups;
    j.w = w;
    j.b = b;
    j.eps = eps;
    j.out = Y;
    j.mean = mean;
    j.rstd = rstd;
    peri_pool_run(n * groups, run_group, &j);
}

/* work[2 (image c + channel)] = sum g, and sum g xhat behind it. */
static void run_group_back(void *context, size_t set)
{
    const job *j = context;
    const size_t channels = j->c / j->groups, first = set % j->groups * channels;
    const size_t run = j->pixels * j->elem, at = set * channels * run;
    const double mean = j->mean[set], rstd = j->rstd[set];
    double *sums = j->work + 2 * set * channels, sum = 0, product = 0;
    for (size_t i = 0; i < channels; i++) {
        double s[2] = {0, 0};
        j->f->products(j->G + at + i * run, j->X + at + i * run, j->pixels, mean, s);
        const double w = element(j, j->w, first + i, 1);
        sums[2 * i] = s[0];
        sums[2 * i + 1] = s[1] * rstd;
        sum += w * s[0];
        product += w * s[1] * rstd;
    }
    const double count = (double)channels * (double)j->pixels;
    for (size_t i = 0; i < channels; i++)
        j->f->combine(j->G + at + i * run, j->X + at + i * run, j->pixels, mean,
                      rstd * element(j, j->w, first + i, 1), -rstd * rstd * product / count,
                      -rstd * sum / count, j->out + at + i * run);
}

void peri_group_norm_backward(size_t n, size_t c, size_t pixels, size_t groups, int dtype,
                              const void *X, const void *w, const double *mean, const double *rstd,
                              const void *G, void *dX, double beta, void *dw, void *db,
                              double *work)
{
    job j = make_job(n, c, pixels, dtype, X);
    j.groups = groups;
    j.w = w;
    j.mean = (double *)mean;
    j.rstd = (double *)rstd;
    j.G = G;
    j.out = dX;
    j.beta = beta;
    j.work = work;
    if (pixels > 0)
        peri_pool_run(n * groups, run_group_back, &j);
    for (size_t i = 0; i < c; i++) {
        double a = 0, b = 0;
        for (size_t k = 0; k < n && pixels > 0; k++) {
            b += work[2 * (k * c + i)];
            a += work[2 * (k * c + i) + 1];
        }
        add_to(&j, dw, i, a);
        add_to(&j, db, i, b);
    }
}

/* ---- batch --------------------------------------------------------------------------------- */

static void apply_batch(const job *j, size_t channel)
{
    const size_t run = j->pixels * j->elem;
    const double a = j->rstd[channel] * element(j, j->w, channel, 1);
    for (size_t i = 0; i < j->n && j->out != NULL; i++) {
        const size_t at = (i * j->c + channel) * run;
        j->f->affine(j->X + at, j->pixels, j->mean[channel], a, element(j, j->b, channel, 0),
                     j->out + at);
    }
}

/* Rows of channels, without pixels: some channels at a time, so that rows are read as they lie. */
enum { MOST_LANES = 16 };

static void update(const job *j, size_t channel, double mean, double var, double count)
{
    j->mean[channel] = mean;
    j->rstd[channel] = 1 / sqrt(var + j->eps);
    if (j->running_mean != NULL)
        peri_write(j->dtype, j->running_mean + channel * j->elem,
                   (1 - j->momentum) * element(j, j->running_mean, channel, 0) +
                       j->momentum * mean);
    if (j->running_var != NULL)
        peri_write(j->dtype, j->running_var + channel * j->elem,
                   (1 - j->momentum) * element(j, j->running_var, channel, 0) +
                       j->momentum * (var * count / (count - 1)));
}

static void run_columns(void *context, size_t block)
{
    const job *j = context;
    const size_t lanes = j->f->lanes, first = block * lanes;
    const size_t count = j->c - first < lanes ? j->c - first : lanes;
    const char *x = j->X + first * j->elem;
    const double n = (double)j->n;
    double shift[MOST_LANES] = {0}, sums[2 * MOST_LANES] = {0}, again[2 * MOST_LANES] = {0};
    double zero[MOST_LANES] = {0}, a[MOST_LANES], b[MOST_LANES];
    j->f->columns(NULL, x, j->n, j->c, count, shift, sums);
    for (size_t k = 0; k < count; k++)
        shift[k] = PERI_REAL_PICK(j->dtype, sums[k] / n, (double)(float)(sums[k] / n));
    j->f->columns(NULL, x, j->n, j->c, count, shift, again);
    for (size_t k = 0; k < count; k++) {
        const double off = again[k] / n;
        update(j, first + k, shift[k] + off, again[lanes + k] / n - off * off, n);
        a[k] = j->rstd[first + k] * element(j, j->w, first + k, 1);
        b[k] = element(j, j->b, first + k, 0);
    }
    const double *const coefficients[3] = {zero, a, b};
    j->f->columns_combine(NULL, x, j->n, j->c, count, j->mean + first, coefficients,
                          j->out + first * j->elem);
}

static void run_columns_back(void *context, size_t block)
{
    const job *j = context;
    const size_t lanes = j->f->lanes, first = block * lanes;
    const size_t count = j->c - first < lanes ? j->c - first : lanes;
    const char *x = j->X + first * j->elem, *g = j->G + first * j->elem;
    const double n = (double)j->n;
    double sums[2 * MOST_LANES] = {0}, a[MOST_LANES], b[MOST_LANES], c[MOST_LANES];
    j->f->columns(g, x, j->n, j->c, count, j->mean + first, sums);
    for (size_t k = 0; k < count; k++) {
        const double rstd = j->rstd[first + k];
        add_to(j, j->dw, first + k, sums[lanes + k] * rstd);
        add_to(j, j->db, first + k, sums[k]);
        a[k] = rstd * element(j, j->w, first + k, 1);
        b[k] = j->constant ? 0 : -a[k] * rstd * rstd * sums[lanes + k] / n;
        c[k] = j->constant ? 0 : -a[k] * sums[k] / n;
    }
    const double *const coefficients[3] = {a, b, c};
    if (j->out != NULL)
        j->f->columns_combine(g, x, j->n, j->c, count, j->mean + first, coefficients,
                              j->out + first * j->elem);
}

static void run_batch(void *context, size_t channel)
{
    const job *j = context;
    const size_t run = j->pixels * j->elem;
    const double count = (double)j->n * (double)j->pixels;
    double var;
    find_moments(j, j->X + channel * run, j->n, j->c * run, j->pixels, &j->mean[channel], &var);
    update(j, channel, j->mean[channel], var, count);
    apply_batch(j, channel);
}

void peri_batch_norm(size_t n, size_t c, size_t pixels, int dtype, const void *X, const void *w,
                     const void *b, double eps, double momentum, void *running_mean,
                     void *running_var, void *Y, double *mean, double *rstd)
{
    if (n == 0 || pixels == 0)
        return;
    job j = make_job(n, c, pixels, dtype, X);
    j.w = w;
    j.b = b;
    j.eps = eps;
    j.momentum = momentum;
    j.running_mean = running_mean;
    j.running_var = running_var;
    j.out = Y;
    j.mean = mean;
    j.rstd = rstd;
    if (pixels == 1)
        peri_pool_run((c + j.f->lanes - 1) / j.f->lanes, run_columns, &j);
    else
        peri_pool_run(c, run_batch, &j);
}

static void run_batch_eval(void *context, size_t channel)
{
    const job *j = context;
    j->mean[channel] = element(j, j->running_mean, channel, 0);
    j->rstd[channel] = 1 / sqrt(element(j, j->running_var, channel, 1) + j->eps);
    apply_batch(j, channel);
}

static void run_columns_eval(void *context, size_t block)
{
    const job *j = context;
    const size_t lanes = j->f->lanes, first = block * lanes;
    const size_t count = j->c - first < lanes ? j->c - first : lanes;
    double zero[MOST_LANES] = {0}, a[MOST_LANES], b[MOST_LANES];
    for (size_t k = 0; k < count; k++) {
        const size_t channel = first + k;
        j->mean[channel] = element(j, j->running_mean, channel, 0);
        j->rstd[channel] = 1 / sqrt(element(j, j->running_var, channel, 1) + j->eps);
        a[k] = j->rstd[channel] * element(j, j->w, channel, 1);
        b[k] = element(j, j->b, channel, 0);
    }
    const double *const coefficients[3] = {zero, a, b};
    if (j->out != NULL)
        j->f->columns_combine(NULL, j->X + first * j->elem, j->n, j->c, count, j->mean + first,
                              coefficients, j->out + first * j->elem);
}

void peri_batch_norm_eval(size_t n, size_t c, size_t pixels, int dtype, const void *X,
                          const void *w, const void *b, double eps, const void *running_mean,
                          const void *running_var, void *Y, double *mean, double *rstd)
{
    job j = make_job(n, c, pixels, dtype, X);
    j.w = w;
    j.b = b;
    j.eps = eps;
    j.running_mean = (char *)running_mean;
    j.running_var = (char *)running_var;
    j.out = Y;
    j.mean = mean;
    j.rstd = rstd;
    if (pixels == 1)
        peri_pool_run((c + j.f->lanes - 1) / j.f->lanes, run_columns_eval, &j);
    else
        peri_pool_run(c, run_batch_eval, &j);
}

static void run_batch_back(void *context, size_t channel)
{
    const job *j = context;
    const size_t run = j->pixels * j->elem, apart = j->c * run;
    const char *x = j->X + channel * run, *g = j->G + channel * run;
    const double mean = j->mean[channel], rstd = j->rstd[channel];
    const double count = (double)j->n * (double)j->pixels, a = rstd * element(j, j->w, channel, 1);
    double s[2] = {0, 0};
    for (size_t i = 0; i < j->n; i++)
        j->f->products(g + i * apart, x + i * apart, j->pixels, mean, s);
    add_to(j, j->dw, channel, s[1] * rstd);
    add_to(j, j->db, channel, s[0]);
    const double b = j->constant ? 0 : -a * rstd * rstd * s[1] / count;
    const double c = j->constant ? 0 : -a * s[0] / count;
    for (size_t i = 0; i < j->n && j->out != NULL; i++)
        j->f->combine(g + i * apart, x + i * apart, j->pixels, mean, a, b, c,
                      j->out + channel * run + i * apart);
}

void peri_batch_norm_backward(size_t n, size_t c, size_t pixels, int dtype, const void *X,
                              const void *w, const double *mean, const double *rstd, bool constant,
                              const void *G, void *dX, double beta, void *dw, void *db)
{
    job j = make_job(n, c, pixels, dtype, X);
    j.w = w;
    j.mean = (double *)mean;
    j.rstd = (double *)rstd;
    j.constant = constant;
    j.G = G;
    j.out = dX;
    j.beta = beta;
    j.dw = dw;
    j.db = db;
    if (pixels == 1)
        peri_pool_run((c + j.f->lanes - 1) / j.f->lanes, run_columns_back, &j);
    else if (pixels > 0)
        peri_pool_run(c, run_batch_back, &j);
}

/* SPDX-License-Identifier: MIT */
#include "kernel/covariance.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <cblas.h>

/* Compensated column means (Neumaier): a mean's error enters the product squared, but a badly
 * wrong one costs digits. */
static void column_means(const peri_view *X, double *mean, double *lost)
{
    const size_t n = X->shape[0], m = X->shape[1];
    memset(mean, 0, m * sizeof *mean);
    memset(lost, 0, m * sizeof *lost);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            const double x = peri_get(X, (ptrdiff_t)(i * m + j)), sum = mean[j] + x;
            lost[j] += fabs(mean[j]) >= fabs(x) ? (mean[j] - sum) + x : (x - sum) + mean[j];
            mean[j] = sum;
        }
    for (size_t j = 0; j < m; j++) {
        const double sum = isfinite(lost[j]) ? mean[j] + lost[j] : mean[j];
        mean[j] = sum / (double)n;
    }
}

static bool is_constant(const peri_view *X, size_t j)
{
    const size_t n = X->shape[0], m = X->shape[1];
    for (size_t i = 1; i < n; i++)
        if (peri_get(X, (ptrdiff_t)(i * m + j)) != peri_get(X, (ptrdiff_t)j))
            return false;
    return true;
}

/* C (m, m) at the start of work = centred cross products, both triangles. */
static peri_status cross_products(const peri_view *X, double *work, const peri_stop *stop,
                                  peri_facts *facts)
{
    const size_t n = X->shape[0], m = X->shape[1];
    if (m > INT_MAX) {
        *facts = (peri_facts){.arg = "X", .got = (double)m};
        return PERI_ERR_TOO_LARGE;
    }
    double *C = work, *mean = C + m * m, *lost = mean + m, *block = lost + m;
    memset(C, 0, m * m * sizeof *C);
    column_means(X, mean, lost);
    for (size_t start = 0; start < n; start += PERI_COVARIANCE_ROWS) {
        const size_t rows = n - start < PERI_COVARIANCE_ROWS ? n - start : PERI_COVARIANCE_ROWS;
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < m; j++)
                block[i * m + j] = peri_get(X, (ptrdiff_t)((start + i) * m + j)) - mean[j];
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)m, (int)rows, 1, block, (int)m, 1,
                    C, (int)m);
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    for (size_t j = 0; j < m; j++)
        if (is_constant(X, j)) /* what rounding of its mean left is no spread */
            for (size_t i = 0; i < m; i++)
                C[i < j ? i * m + j : j * m + i] *= 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            C[i * m + j] = C[j * m + i];
    return PERI_OK;
}

peri_status peri_covariance(const peri_view *X, double ddof, const peri_view *dst, double *work,
                            const peri_stop *stop, peri_facts *facts)
{
    const peri_status status = cross_products(X, work, stop, facts);
    if (status != PERI_OK)
        return status;
    const size_t m = X->shape[1];
    const double freedom = (double)X->shape[0] - ddof;
    for (size_t k = 0; k < m * m; k++)
        peri_put(dst, (ptrdiff_t)k, work[k] / (freedom > 0 ? freedom : 0));
    return PERI_OK;
}

peri_status peri_correlation(const peri_view *X, const peri_view *dst, double *work,
                             const peri_stop *stop, peri_facts *facts)
{
    const peri_status status = cross_products(X, work, stop, facts);
    if (status != PERI_OK)
        return status;
    const size_t m = X->shape[1];
    double *sd = work + m * m;
    for (size_t i = 0; i < m; i++)
        sd[i] = sqrt(work[i * m + i]);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
            double r = work[i * m + j] / sd[i] / sd[j];
            if (sd[i] == 0 || sd[j] == 0)
                r = NAN;
            if (i == j && sd[i] > 0 && isfinite(sd[i]))
                r = 1;
            peri_put(dst, (ptrdiff_t)(i * m + j), r > 1 ? 1 : r < -1 ? -1 : r);
        }
    return PERI_OK;
}

/* SPDX-License-Identifier: MIT */
#include "ppca.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "view.h"

enum { BLOCK = PERI_PPCA_BLOCK };

static const double LOG_2PI = 1.8378770664093454836;

static double entry(const peri_rows *X, size_t at)
{
    return peri_read_at(X->dtype, X->data, (ptrdiff_t)at);
}

/* One row: out (m) = x - shift. Eight sums of 0 * out become NaN where anything is not finite; so
 * many, that no addition waits for the one before. */
#define DEFINE_CENTRE_ROW(name, type)                                                              \
    static void name(size_t m, const type *restrict x, const double *restrict shift,               \
                     double *restrict out, double poison[restrict 8])                              \
    {                                                                                              \
        size_t j = 0;                                                                              \
        for (; j + 8 <= m; j += 8)                                                                 \
            for (size_t k = 0; k < 8; k++) {                                                       \
                out[j + k] = (double)x[j + k] - shift[j + k];                                      \
                poison[k] += out[j + k] * 0;                                                       \
            }                                                                                      \
        for (; j < m; j++) {                                                                       \
            out[j] = (double)x[j] - shift[j];                                                      \
            poison[0] += out[j] * 0;                                                               \
        }                                                                                          \
    }
DEFINE_CENTRE_ROW(centre_row_f32, float)
DEFINE_CENTRE_ROW(centre_row_f64, double)
#undef DEFINE_CENTRE_ROW

/* out (rows,m) = X[first ..] - shift. Returns whether all of it is finite. */
static bool centre(const peri_rows *X, size_t first, size_t rows, const double *shift, double *out)
{
    const size_t m = X->m;
    double poison[8] = {0}, sum = 0;
    for (size_t i = first; i < first + rows; i++, out += m)
        PERI_REAL_DO(X->dtype,
                     centre_row_f64(m, (const double *)X->data + i * m, shift, out, poison),
                     centre_row_f32(m, (const float *)X->data + i * m, shift, out, poison));
    for (size_t k = 0; k < 8; k++)
        sum += poison[k];
    return sum == 0;
}

static peri_status nonfinite(const peri_rows *X, size_t first, size_t rows, peri_facts *facts)
{
    for (size_t at = first * X->m; at < (first + rows) * X->m; at++)
        if (!isfinite(entry(X, at))) {
            *facts = (peri_facts){
                .arg = "X", .nindex = 2, .index = {at / X->m, at % X->m}, .got = entry(X, at)};
            break;
        }
    return PERI_ERR_NONFINITE;
}

static size_t rows_at(const peri_rows *X, size_t first)
{
    return X->n - first < BLOCK ? X->n - first : BLOCK;
}

static bool fits_int(size_t n)
{
    return n <= INT_MAX;
}

static peri_status too_large(peri_facts *facts)
{
    *facts = (peri_facts){.arg = "X"};
    return PERI_ERR_TOO_LARGE;
}

#define ADD_ROW(REAL)                                                                              \
    for (size_t j = 0; j < columns; j++)                                                           \
    sum[j] += (double)((const REAL *)X->data)[i * m + j0 + j]

peri_status peri_ppca_mean(const peri_rows *X, double *mean, peri_facts *facts)
{
    const size_t m = X->m;
    memset(mean, 0, m * sizeof *mean);
    /* Sums of blocks are added to the total, so that errors grow with the number of blocks. */
    for (size_t first = 0; first < X->n; first += BLOCK) {
        const size_t rows = rows_at(X, first);
        for (size_t j0 = 0; j0 < m; j0 += 64) {
            const size_t columns = m - j0 < 64 ? m - j0 : 64;
            double sum[64] = {0};
            for (size_t i = first; i < first + rows; i++)
                PERI_REAL_RUN(X->dtype, ADD_ROW(double), ADD_ROW(float));
            for (size_t j = 0; j < columns; j++)
                mean[j0 + j] += sum[j];
        }
    }
    for (size_t j = 0; j < m; j++) {
        if (!isfinite(mean[j]))
            return nonfinite(X, 0, X->n, facts);
        mean[j] /= (double)X->n;
    }
    return PERI_OK;
}

peri_status peri_ppca_scatter(const peri_rows *X, const double *shift, double *sum, double *S,
                              double *work, const peri_stop *stop, peri_facts *facts)
{
    const size_t m = X->m;
    if (!fits_int(m))
        return too_large(facts);
    for (size_t first = 0; first < X->n; first += BLOCK) {
        const size_t rows = rows_at(X, first);
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        if (!centre(X, first, rows, shift, work))
            return nonfinite(X, first, rows, facts);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < m; j++)
                sum[j] += work[i * m + j];
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)m, (int)rows, 1, work, (int)m, 1, S,
                    (int)m);
    }
    return PERI_OK;
}

peri_status peri_ppca_block(const peri_rows *X, double *mean, double *S, double *work,
                            const peri_stop *stop, peri_facts *facts)
{
    const size_t m = X->m;
    double *rest = work + BLOCK * m; /* what the rounded mean leaves */
    memset(rest, 0, m * sizeof *rest);
    peri_status status = peri_ppca_mean(X, mean, facts);
    if (status == PERI_OK)
        status = peri_ppca_scatter(X, mean, rest, S, work, stop, facts);
    if (status != PERI_OK)
        return status;
    const double scale = 1 / (double)X->n;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = i; j < m; j++)
            S[i * m + j] -= rest[i] * rest[j] * scale;
        mean[i] += rest[i] * scale;
    }
    return PERI_OK;
}

void peri_ppca_join(size_t m, size_t n, double *mean, double *S, size_t n2, const double *mean2,
                    const double *S2)
{
    const double all = (double)n + (double)n2, weight = (double)n / all * (double)n2;
    for (size_t i = 0; i < m; i++) {
        const double scaled = weight * (mean2[i] - mean[i]);
        for (size_t j = i; j < m; j++)
            S[i * m + j] += S2[i * m + j] + scaled * (mean2[j] - mean[j]);
    }
    for (size_t i = 0; i < m; i++)
        mean[i] += (double)n2 / all * (mean2[i] - mean[i]);
}

void peri_ppca_moments(size_t n, size_t m, const double *shift, const double *sum, double *S,
                       double *mean)
{
    const double scale = 1 / (double)n;
    for (size_t j = 0; j < m; j++)
        mean[j] = sum[j] * scale;
    for (size_t i = 0; i < m; i++)
        for (size_t j = i; j < m; j++)
            S[i * m + j] = S[i * m + j] * scale - mean[i] * mean[j];
    for (size_t j = 0; j < m; j++)
        mean[j] += shift[j];
}

/* ---- eigenproblems ----------------------------------------------------------------------- */

enum { TRIDIAGONAL_BLOCK = 64 };

/* Seven vectors, the Gram matrix of the eigenvectors, and LAPACK's own workspace. */
static size_t eig_fixed(size_t m, size_t d)
{
    return 7 * m + d * d;
}

size_t peri_ppca_eig_work(size_t m, size_t d)
{
    const size_t blocked = (m + d) * TRIDIAGONAL_BLOCK, least = 18 * m;
    return eig_fixed(m, d) + (blocked > least ? blocked : least);
}

/* Largest inner product of two different rows of U (d,m); gram is (d,d). */
static double worst_overlap(size_t m, size_t d, const double *U, double *gram)
{
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)d, (int)m, 1, U, (int)m, 0, gram,
                (int)d);
    double worst = 0;
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++)
            worst = fmax(worst, fabs(gram[i * d + j] - (i == j)));
    return worst;
}

/* The upper triangle of a row-major S is the lower one of the column-major matrix LAPACK sees, and
 * the rows of U are its columns.
 *
 * Eigenvalues come from the QR iteration without vectors; the leading vectors by inverse iteration,
 * which costs a fraction of MRRR or divide and conquer for few of them. Inverse iteration can lose
 * orthogonality in a cluster; then MRRR does it again. */
peri_status peri_ppca_eig(size_t m, size_t d, double *S, double *eigenvalues, double *U,
                          double *work, int *iwork, peri_facts *facts)
{
    const int im = (int)m, id = (int)d;
    double *diagonal = work, *off = diagonal + m, *tau = off + m, *w = tau + m;
    double *diagonal_copy = w + m, *off_copy = diagonal_copy + m, *found_values = off_copy + m;
    double *gram = found_values + m, *rest = work + eig_fixed(m, d);
    const int lwork = (int)(peri_ppca_eig_work(m, d) - eig_fixed(m, d));
    *facts = (peri_facts){.arg = "the covariance"};
    if (LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, 'L', im, S, im, diagonal, off, tau, rest, lwork) != 0)
        return PERI_ERR_NO_CONVERGENCE;

    memcpy(w, diagonal, m * sizeof *w);
    memcpy(off_copy, off, (m - 1) * sizeof *off);
    if (LAPACKE_dsterf_work(im, w, off_copy) != 0)
        return PERI_ERR_NO_CONVERGENCE;

    int *block = iwork, *split = block + m, *failed = split + m, *scratch = failed + m;
    /* dstein wants to know where the matrix falls apart; one block is right where it does not. */
    const double tiny = DBL_EPSILON * fmax(fabs(w[0]), fabs(w[m - 1]));
    bool whole = true;
    for (size_t i = 0; i + 1 < m; i++)
        whole &= fabs(off[i]) > tiny;
    bool done = false;
    if (whole) {
        for (size_t k = 0; k < d; k++)
            block[k] = 1;
        split[0] = im;
        done = LAPACKE_dstein_work(LAPACK_COL_MAJOR, im, diagonal, off, id, w + (m - d), block,
                                   split, U, im, rest, scratch, failed) == 0 &&
               worst_overlap(m, d, U, gram) < 1e-13 * (double)m;
    }
    if (!done) {
        int found;
        lapack_logical try_accuracy = 1;
        memcpy(diagonal_copy, diagonal, m * sizeof *diagonal);
        memcpy(off_copy, off, (m - 1) * sizeof *off);
        if (LAPACKE_dstemr_work(LAPACK_COL_MAJOR, 'V', 'I', im, diagonal_copy, off_copy, 0, 0,
                                im - id + 1, im, &found, found_values, U, im, id, iwork,
                                &try_accuracy, rest, (int)(18 * m), iwork + 2 * m,
                                (int)(10 * m)) != 0 ||
            found != id)
            return PERI_ERR_NO_CONVERGENCE;
    }
    if (LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', 'L', 'N', im, id, S, im, tau, U, im, rest,
                            lwork) != 0)
        return PERI_ERR_NO_CONVERGENCE;
    /* LAPACK's order is ascending. */
    for (size_t k = 0; k < m; k++)
        eigenvalues[k] = fmax(w[m - 1 - k], 0);
    for (size_t k = 0; k < d / 2; k++)
        cblas_dswap(im, U + k * m, 1, U + (d - 1 - k) * m, 1);
    return PERI_OK;
}

/* out (n,columns) = X[:, j0 ..] - mean. */
static bool centre_columns(const peri_rows *X, size_t j0, size_t columns, const double *mean,
                           double *out)
{
    int bad = 0;
    for (size_t i = 0; i < X->n; i++)
        for (size_t j = 0; j < columns; j++) {
            out[i * columns + j] = entry(X, i * X->m + j0 + j) - mean[j0 + j];
            bad |= !(fabs(out[i * columns + j]) <= DBL_MAX);
        }
    return bad == 0;
}

peri_status peri_ppca_eig_gram(const peri_rows *X, const double *mean, size_t d,
                               double *eigenvalues, double *U, double *work, int *iwork,
                               const peri_stop *stop, peri_facts *facts)
{
    const size_t n = X->n, m = X->m;
    double *K = work, *V = K + n * n, *rest = V + n * d, *block = rest + peri_ppca_eig_work(n, d);
    memset(K, 0, n * n * sizeof *K);
    for (size_t j0 = 0; j0 < m; j0 += BLOCK) {
        const size_t columns = m - j0 < BLOCK ? m - j0 : BLOCK;
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        if (!centre_columns(X, j0, columns, mean, block))
            return nonfinite(X, 0, n, facts);
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)n, (int)columns, 1 / (double)n,
                    block, (int)columns, 1, K, (int)n);
    }
    memset(eigenvalues, 0, m * sizeof *eigenvalues);
    const peri_status status = peri_ppca_eig(n, d, K, eigenvalues, V, rest, iwork, facts);
    if (status != PERI_OK)
        return status;
    /* u = (X - mean)' v / sqrt(n l). */
    for (size_t j0 = 0; j0 < m; j0 += BLOCK) {
        const size_t columns = m - j0 < BLOCK ? m - j0 : BLOCK;
        centre_columns(X, j0, columns, mean, block);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)d, (int)columns, (int)n, 1, V,
                    (int)n, block, (int)columns, 0, U + j0, (int)m);
    }
    for (size_t k = 0; k < d; k++) {
        const double length = cblas_dnrm2((int)m, U + k * m, 1);
        if (length > 0)
            cblas_dscal((int)m, 1 / length, U + k * m, 1);
    }
    return PERI_OK;
}

static size_t svd_lwork(size_t n, size_t m)
{
    const size_t k = n < m ? n : m, large = n < m ? m : n;
    return 4 * k * k + 7 * k + (large + k) * TRIDIAGONAL_BLOCK + large;
}

size_t peri_ppca_eig_svd_work(size_t n, size_t m)
{
    const size_t k = n < m ? n : m;
    return n * m + k * m + n * k + k + svd_lwork(n, m);
}

peri_status peri_ppca_eig_svd(const peri_rows *X, const double *mean, size_t d, double *eigenvalues,
                              double *U, double *work, int *iwork, peri_facts *facts)
{
    const size_t n = X->n, m = X->m, k = n < m ? n : m;
    if (!fits_int(n) || !fits_int(m) || !fits_int(svd_lwork(n, m)))
        return too_large(facts);
    double *A = work, *left = A + n * m, *right = left + k * m, *s = right + n * k, *rest = s + k;
    for (size_t first = 0; first < n; first += BLOCK)
        if (!centre(X, first, rows_at(X, first), mean, A + first * m))
            return nonfinite(X, first, rows_at(X, first), facts);
    /* Row-major (n,m) is column-major (m,n): the left vectors there are ours of feature space. */
    if (LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', (int)m, (int)n, A, (int)m, s, left, (int)m,
                            right, (int)k, rest, (int)svd_lwork(n, m), iwork) != 0) {
        *facts = (peri_facts){.arg = "X"};
        return PERI_ERR_NO_CONVERGENCE;
    }
    memset(eigenvalues, 0, m * sizeof *eigenvalues);
    for (size_t i = 0; i < k; i++)
        eigenvalues[i] = s[i] * s[i] / (double)n;
    memcpy(U, left, d * m * sizeof *U);
    return PERI_OK;
}

/* ---- the model --------------------------------------------------------------------------- */

int peri_ppca_has_noise(size_t m, size_t d, const double *eigenvalues, size_t *largest)
{
    /* The eigenvalues of a symmetric matrix are known to about m eps times the largest. */
    const double rounding = (double)m * DBL_EPSILON * eigenvalues[0];
    size_t rank = 0;
    while (rank < m && eigenvalues[rank] > rounding)
        rank++;
    *largest = rank > 0 ? rank - 1 : 0;
    return d <= *largest;
}

void peri_ppca_loadings(size_t m, size_t d, const double *eigenvalues, const double *U,
                        double *sigma2, double *W)
{
    double discarded = 0;
    for (size_t k = m; k > d; k--)
        discarded += eigenvalues[k - 1];
    *sigma2 = discarded / (double)(m - d);
    for (size_t k = 0; k < d; k++) {
        const double *u = U + k * m;
        size_t largest = 0;
        for (size_t j = 1; j < m; j++)
            if (fabs(u[j]) > fabs(u[largest]))
                largest = j;
        const double scale = copysign(sqrt(fmax(eigenvalues[k] - *sigma2, 0)), u[largest]);
        for (size_t j = 0; j < m; j++)
            W[j * d + k] = u[j] * scale;
    }
}

/* L (d,d) lower, row-major, of the Gram matrix of k rows of W plus sigma2 I. A row-major lower
 * triangle is a column-major upper one. */
static bool factor(size_t k, size_t d, const double *W, double sigma2, double *L)
{
    memset(L, 0, d * d * sizeof *L);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)d, (int)k, 1, W, (int)d, 0, L, (int)d);
    for (size_t i = 0; i < d; i++)
        L[i * d + i] += sigma2;
    return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (int)d, L, (int)d) == 0;
}

peri_status peri_ppca_factor(size_t m, size_t d, const double *W, double sigma2, double *L,
                             peri_facts *facts)
{
    if (factor(m, d, W, sigma2, L))
        return PERI_OK;
    *facts = (peri_facts){.arg = "W'W + sigma2 I"};
    return PERI_ERR_NOT_POSITIVE;
}

static double log_determinant(size_t d, const double *L)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += log(L[i * d + i]);
    return 2 * sum;
}

/* Fewer rows than for the covariance: what is centred is used once, so it should stay in cache. */
enum { PROJECT_BLOCK = PERI_PPCA_PROJECT_BLOCK };

peri_status peri_ppca_project(const peri_rows *X, const double *mu, const double *W,
                              const double *L, size_t d, double sigma2, double *Z, double *logprob,
                              double *fitted, double *work, peri_facts *facts)
{
    const size_t m = X->m;
    double *R = work, *fit = R + PROJECT_BLOCK * m, *z = fit + PROJECT_BLOCK * m;
    double *B = z + PROJECT_BLOCK * d;
    /* B (m,d) = W M^-1: the system is solved once a feature, not once an observation. */
    memcpy(B, W, m * d * sizeof *B);
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', (int)d, (int)m, L, (int)d, B, (int)d);
    const double constant = (double)m * LOG_2PI + (double)(m - d) * log(sigma2) +
                            (logprob != NULL ? log_determinant(d, L) : 0);
    for (size_t first = 0; first < X->n; first += PROJECT_BLOCK) {
        const size_t rows = X->n - first < PROJECT_BLOCK ? X->n - first : PROJECT_BLOCK;
        if (!centre(X, first, rows, mu, R))
            return nonfinite(X, first, rows, facts);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)d, (int)m, 1, R,
                    (int)m, B, (int)d, 0, z, (int)d);
        if (Z != NULL)
            memcpy(Z + first * d, z, rows * d * sizeof *Z);
        if (fitted == NULL && logprob == NULL)
            continue;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)m, (int)d, 1, z,
                    (int)d, W, (int)d, 0, fit, (int)m);
        for (size_t i = 0; i < rows; i++) {
            const double *r = R + i * m, *f = fit + i * m;
            if (fitted != NULL)
                for (size_t j = 0; j < m; j++)
                    fitted[(first + i) * m + j] = f[j] + mu[j];
            if (logprob != NULL) {
                double residual = 0;
                for (size_t j = 0; j < m; j++)
                    residual += (r[j] - f[j]) * (r[j] - f[j]);
                const double length = cblas_ddot((int)d, z + i * d, 1, z + i * d, 1);
                logprob[first + i] = -0.5 * (constant + residual / sigma2 + length);
            }
        }
    }
    return PERI_OK;
}

/* ---- missing values ---------------------------------------------------------------------- */

peri_status peri_ppca_observed(const peri_rows *X, double *count, double *mean, peri_facts *facts)
{
    const size_t m = X->m;
    memset(count, 0, m * sizeof *count);
    memset(mean, 0, m * sizeof *mean);
    for (size_t i = 0; i < X->n; i++)
        for (size_t j = 0; j < m; j++) {
            const double x = entry(X, i * m + j);
            if (isinf(x)) {
                *facts = (peri_facts){.arg = "X", .nindex = 2, .index = {i, j}, .got = x};
                return PERI_ERR_NONFINITE;
            }
            if (!isnan(x)) {
                count[j]++;
                mean[j] += x;
            }
        }
    for (size_t j = 0; j < m; j++) {
        if (count[j] == 0) {
            *facts = (peri_facts){.arg = "X", .nindex = 1, .index = {j}, .got = NAN};
            return PERI_ERR_VALUE;
        }
        mean[j] /= count[j];
    }
    return PERI_OK;
}

size_t peri_ppca_row_work(size_t m, size_t d)
{
    return m * d + m + d * d + d;
}

/* Posterior of one row from its observed entries. L gets the factor of M over them, z the mean;
 * Wo (m,d) and r (m) are workspace. Returns the number observed; *logp is log p(x_observed). */
static size_t project_row(const peri_rows *X, size_t i, const double *mu, const double *W, size_t d,
                          double sigma2, double *z, double *L, double *Wo, double *r, double *logp)
{
    const size_t m = X->m;
    size_t k = 0;
    for (size_t j = 0; j < m; j++) {
        const double x = entry(X, i * m + j);
        if (isnan(x))
            continue;
        memcpy(Wo + k * d, W + j * d, d * sizeof *Wo);
        r[k++] = x - mu[j];
    }
    factor(k, d, Wo, sigma2, L);
    memset(z, 0, d * sizeof *z);
    *logp = 0;
    if (k == 0)
        return 0;
    cblas_dgemv(CblasRowMajor, CblasTrans, (int)k, (int)d, 1, Wo, (int)d, r, 1, 0, z, 1);
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', (int)d, 1, L, (int)d, z, (int)d);
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)k, (int)d, -1, Wo, (int)d, z, 1, 1, r, 1);
    const double residual = cblas_ddot((int)k, r, 1, r, 1);
    const double length = cblas_ddot((int)d, z, 1, z, 1);
    *logp = -0.5 * ((double)k * LOG_2PI + ((double)k - (double)d) * log(sigma2) +
                    log_determinant(d, L) + residual / sigma2 + length);
    return k;
}

/* out (d,d) = sigma2 M^-1, from the factor L of M; both triangles. */
static void posterior_covariance(size_t d, const double *L, double sigma2, double *out)
{
    memset(out, 0, d * d * sizeof *out);
    for (size_t i = 0; i < d; i++)
        out[i * d + i] = sigma2;
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', (int)d, (int)d, L, (int)d, out, (int)d);
}

peri_status peri_ppca_project_missing(const peri_rows *X, const double *mu, const double *W,
                                      size_t d, double sigma2, double *Z, double *logprob,
                                      double *filled, double *cov, double *work, peri_facts *facts)
{
    const size_t m = X->m;
    double *Wo = work, *r = Wo + m * d, *L = r + m, *z = L + d * d;
    for (size_t i = 0; i < X->n; i++) {
        double logp;
        for (size_t j = 0; j < m; j++)
            if (isinf(entry(X, i * m + j))) {
                *facts = (peri_facts){.arg = "X", .nindex = 2, .index = {i, j}};
                return PERI_ERR_NONFINITE;
            }
        project_row(X, i, mu, W, d, sigma2, z, L, Wo, r, &logp);
        if (Z != NULL)
            memcpy(Z + i * d, z, d * sizeof *Z);
        if (logprob != NULL)
            logprob[i] = logp;
        if (cov != NULL)
            posterior_covariance(d, L, sigma2, cov + i * d * d);
        if (filled != NULL)
            for (size_t j = 0; j < m; j++) {
                const double x = entry(X, i * m + j);
                filled[i * m + j] = isnan(x) ? mu[j] + cblas_ddot((int)d, W + j * d, 1, z, 1) : x;
            }
    }
    return PERI_OK;
}

/* EM with the mean as one more loading whose latent variable is always 1. With z~ = (z, 1), feature
 * j's row of (W, mu) solves A_j w = b_j, where, over the rows that have it,
 *     A_j = sum <z~ z~'>,   b_j = sum x_j <z~>
 * and its share of the noise is sum x_j^2 - w'b_j. The sums over rows are matrix products:
 * A = O' P with O (rows,m) the 0/1 mask and P (rows,p) the packed upper triangles of <z~ z~'>,
 * p = (d+1)(d+2)/2. Data are taken about the current mean, so that little cancels.
 * (Tipping & Bishop 1999, appendix B, on incomplete data.)
 *
 * Where the noise is small that crawls: the latent vectors hardly move once W is near. So the model
 * is expanded by a free prior z ~ N(v, R) with its own maximum, v the mean and R the covariance of
 * z~, and folded back by mu += W v, W := W chol(R), which leaves the likelihood of the expanded
 * model and never slows EM down (Liu, Rubin & Wu 1998, "Parameter expansion to accelerate EM: the
 * PX-EM algorithm", Biometrika 85(4)). */
enum { EM_BLOCK = 64 };

size_t peri_ppca_em_work(size_t m, size_t d)
{
    const size_t e = d + 1, p = e * (e + 1) / 2;
    return m * p + m * e + m + p + EM_BLOCK * (2 * m + p + e) + e * e + e + d * d +
           peri_ppca_row_work(m, d);
}

/* mu += W v, W := W C with R = C C', from the sums of <z~ z~'> over all rows. R (d,d) and v (d) are
 * workspace. */
static peri_status fold_prior(size_t n, size_t m, size_t d, const double *sums, double *mu,
                              double *W, double *R, double *v, peri_facts *facts)
{
    const double *packed = sums;
    for (size_t a = 0; a < d; a++) {
        for (size_t c = a; c < d; c++)
            R[a * d + c] = R[c * d + a] = *packed++ / (double)n;
        v[a] = *packed++ / (double)n;
    }
    for (size_t a = 0; a < d; a++)
        for (size_t c = 0; c < d; c++)
            R[a * d + c] -= v[a] * v[c];
    /* A row-major lower triangle is a column-major upper one. */
    if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (int)d, R, (int)d) != 0) {
        *facts = (peri_facts){.arg = "the covariance of the latent vectors"};
        return PERI_ERR_NOT_POSITIVE;
    }
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)m, (int)d, 1, W, (int)d, v, 1, 1, mu, 1);
    cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)m, (int)d,
                1, R, (int)d, W, (int)d);
    return PERI_OK;
}

peri_status peri_ppca_em(const peri_rows *X, size_t d, double *mu, double *W, double *sigma2,
                         double *loglik, double *work, const peri_stop *stop, peri_facts *facts)
{
    const size_t n = X->n, m = X->m, e = d + 1, p = e * (e + 1) / 2;
    double *A = work, *b = A + m * p, *squares = b + m * e, *prior = squares + m;
    double *mask = prior + p, *values = mask + EM_BLOCK * m, *P = values + EM_BLOCK * m;
    double *zs = P + EM_BLOCK * p, *system = zs + EM_BLOCK * e, *w = system + e * e, *cov = w + e;
    double *Wo = cov + d * d, *r = Wo + m * d, *L = r + m, *z = L + d * d;
    memset(A, 0, (m * p + m * e + m + p) * sizeof *A);
    double total = 0, observed = 0;
    for (size_t first = 0; first < n; first += EM_BLOCK) {
        const size_t rows = n - first < EM_BLOCK ? n - first : EM_BLOCK;
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        for (size_t i = 0; i < rows; i++) {
            double logp;
            observed += (double)project_row(X, first + i, mu, W, d, *sigma2, z, L, Wo, r, &logp);
            total += logp;
            posterior_covariance(d, L, *sigma2, cov);
            memcpy(zs + i * e, z, d * sizeof *z);
            zs[i * e + d] = 1;
            double *packed = P + i * p;
            for (size_t a = 0; a < e; a++)
                for (size_t c = a; c < e; c++)
                    *packed++ = zs[i * e + a] * zs[i * e + c] + (c < d ? cov[a * d + c] : 0);
            cblas_daxpy((int)p, 1, P + i * p, 1, prior, 1);
            for (size_t j = 0; j < m; j++) {
                const double x = entry(X, (first + i) * m + j);
                const bool there = !isnan(x);
                mask[i * m + j] = there;
                values[i * m + j] = there ? x - mu[j] : 0;
                squares[j] += values[i * m + j] * values[i * m + j];
            }
        }
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)p, (int)rows, 1, mask,
                    (int)m, P, (int)p, 1, A, (int)p);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)e, (int)rows, 1, values,
                    (int)m, zs, (int)e, 1, b, (int)e);
    }
    *loglik = total;
    double noise = 0;
    for (size_t j = 0; j < m; j++) {
        const double *packed = A + j * p;
        for (size_t a = 0; a < e; a++)
            for (size_t c = a; c < e; c++)
                system[a * e + c] = *packed++;
        memcpy(w, b + j * e, e * sizeof *w);
        /* A row-major upper triangle is a column-major lower one. */
        if (LAPACKE_dposv_work(LAPACK_COL_MAJOR, 'L', (int)e, 1, system, (int)e, w, (int)e) != 0) {
            *facts = (peri_facts){.arg = "the moments of a feature", .index = {j}};
            return PERI_ERR_NOT_POSITIVE;
        }
        noise += squares[j] - cblas_ddot((int)e, w, 1, b + j * e, 1);
        memcpy(W + j * d, w, d * sizeof *W);
        mu[j] += w[d];
    }
    *sigma2 = noise / observed;
    return fold_prior(n, m, d, prior, mu, W, system, w, facts);
}

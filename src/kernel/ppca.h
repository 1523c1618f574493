/* SPDX-License-Identifier: MIT
 *
 * Probabilistic principal component analysis (Tipping & Bishop 1999, J. R. Statist. Soc. B 61(3)):
 *
 *     x = W z + mu + e,   z ~ N(0, I_d),   e ~ N(0, sigma2 I_m)
 *
 * Maximum likelihood (their equations 7 and 8), with l_1 >= ... >= l_m the eigenvalues of
 * S = 1/n sum (x - mu)(x - mu)' and U_d its leading eigenvectors:
 *
 *     sigma2 = 1/(m - d) sum_{j > d} l_j,    W = U_d (Lambda_d - sigma2 I)^(1/2)
 *
 * Letters: n observations, m features, d latent dimensions. Matrices are row-major and contiguous:
 * X (n,m), S (m,m) upper triangle, U (d,m) with eigenvectors as rows, W (m,d), Z (n,d). X may be
 * f64 or f32; everything else is f64. A kernel that reads X does so in blocks of PERI_PPCA_BLOCK
 * rows, so that f32 data are never copied as a whole.
 */
#ifndef PERIGEE_KERNEL_PPCA_H
#define PERIGEE_KERNEL_PPCA_H

#include <stddef.h>

#include "status.h"
#include "stop.h"

enum { PERI_PPCA_BLOCK = 512, PERI_PPCA_PROJECT_BLOCK = 128 };

typedef struct {
    const void *data; /* (n,m) */
    int dtype;
    size_t n, m;
} peri_rows;

/* mean (m). PERI_ERR_NONFINITE names the first such element of X, with facts->got saying which. */
peri_status peri_ppca_mean(const peri_rows *X, double *mean, peri_facts *facts);

/* S += sum (x - shift)(x - shift)', sum (m) += sum (x - shift). S is (m,m), its upper triangle
 * used. work: PERI_PPCA_BLOCK * m. */
peri_status peri_ppca_scatter(const peri_rows *X, const double *shift, double *sum, double *S,
                              double *work, const peri_stop *stop, peri_facts *facts);

/* Moments about their own mean (m): S (m,m) must be 0, its upper triangle becomes
 * sum (x - mean)(x - mean)'. n >= 1. work: (PERI_PPCA_BLOCK + 1) * m. */
peri_status peri_ppca_block(const peri_rows *X, double *mean, double *S, double *work,
                            const peri_stop *stop, peri_facts *facts);

/* Takes the moments of n2 more rows into those of n (Chan, Golub & LeVeque 1983):
 *     S += S2 + n n2 / (n + n2) (mean2 - mean)(mean2 - mean)',  mean += n2 / (n + n2) (mean2 -
 * mean) */
void peri_ppca_join(size_t m, size_t n, double *mean, double *S, size_t n2, const double *mean2,
                    const double *S2);

/* Turns the sums over n observations into mean (m) and covariance S (1/n). */
void peri_ppca_moments(size_t n, size_t m, const double *shift, const double *sum, double *S,
                       double *mean);

/* All eigenvalues of S (m,m; upper triangle; destroyed), descending and not below 0, and the
 * leading d eigenvectors in U. work: peri_ppca_eig_work(m, d) doubles; iwork: 12 * m ints. */
size_t peri_ppca_eig_work(size_t m, size_t d);
peri_status peri_ppca_eig(size_t m, size_t d, double *S, double *eigenvalues, double *U,
                          double *work, int *iwork, peri_facts *facts);

/* The same from the n x n matrix of inner products, for n < m: eigenvalues (m) has zeros beyond n.
 * d < n. work: n * n + n * d + peri_ppca_eig_work(n, d) + n * PERI_PPCA_BLOCK; iwork: 12 * n. */
peri_status peri_ppca_eig_gram(const peri_rows *X, const double *mean, size_t d,
                               double *eigenvalues, double *U, double *work, int *iwork,
                               const peri_stop *stop, peri_facts *facts);

/* The same from the singular values of the centred data, whose squares are n times the
 * eigenvalues, so that the small ones are right too. work: peri_ppca_eig_svd_work(n, m) doubles;
 * iwork: 8 * min(n, m). */
size_t peri_ppca_eig_svd_work(size_t n, size_t m);
peri_status peri_ppca_eig_svd(const peri_rows *X, const double *mean, size_t d, double *eigenvalues,
                              double *U, double *work, int *iwork, peri_facts *facts);

/* Whether the eigenvalues beyond the first d carry any variance above rounding; if not, *largest
 * is the largest d for which they do (0 if none). */
int peri_ppca_has_noise(size_t m, size_t d, const double *eigenvalues, size_t *largest);

/* sigma2 and W from the eigenpairs. The element of largest size in each column of W is positive. */
void peri_ppca_loadings(size_t m, size_t d, const double *eigenvalues, const double *U,
                        double *sigma2, double *W);

/* L (d,d), lower: the Cholesky factor of M = W'W + sigma2 I. Returns its status. */
peri_status peri_ppca_factor(size_t m, size_t d, const double *W, double sigma2, double *L,
                             peri_facts *facts);

/* Z (n,d): E[z|x] = M^-1 W'(x - mu). logprob (n): log p(x), from
 * |x - mu - W z|^2 / sigma2 + |z|^2, which cancels nothing. fitted (n,m): E[x|z] = W z + mu. Any of
 * Z, logprob, fitted may be NULL. work: PERI_PPCA_PROJECT_BLOCK * (2 m + d) + m * d. */
peri_status peri_ppca_project(const peri_rows *X, const double *mu, const double *W,
                              const double *L, size_t d, double sigma2, double *Z, double *logprob,
                              double *fitted, double *work, peri_facts *facts);

/* ---- missing values: NaN in X ------------------------------------------------------------ */

/* Number of observed entries of each column into count (m), and mean (m) over them. An infinite
 * entry is PERI_ERR_NONFINITE; a column without any is PERI_ERR_VALUE with its index. */
peri_status peri_ppca_observed(const peri_rows *X, double *count, double *mean, peri_facts *facts);

/* As peri_ppca_project, from the entries that are there. A row without any has z = 0, log p = 0.
 * filled (n,m): x where it is there, E[x|the rest] elsewhere. cov (n,d,d), optional: the posterior
 * covariance sigma2 M^-1 of each row. An infinite entry is PERI_ERR_NONFINITE.
 * work: peri_ppca_row_work(m, d). */
size_t peri_ppca_row_work(size_t m, size_t d);
peri_status peri_ppca_project_missing(const peri_rows *X, const double *mu, const double *W,
                                      size_t d, double sigma2, double *Z, double *logprob,
                                      double *filled, double *cov, double *work, peri_facts *facts);

/* One step of expectation maximisation on the entries that are there, mean and loadings together:
 * mu, W, sigma2 are replaced; *loglik is that of the old ones, so over steps it never falls.
 * work: peri_ppca_em_work(m, d). */
size_t peri_ppca_em_work(size_t m, size_t d);
peri_status peri_ppca_em(const peri_rows *X, size_t d, double *mu, double *W, double *sigma2,
                         double *loglik, double *work, const peri_stop *stop, peri_facts *facts);

#endif

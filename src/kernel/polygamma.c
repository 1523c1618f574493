/* SPDX-License-Identifier: MIT */
#include "kernel/polygamma.h"

#include <math.h>

double peri_polygamma(int n, double x)
{
    enum { LARGEST = 20, TERMS = 12, FAR = 15 };
    /* B_2k for k = 1 .. TERMS */
    static const double bernoulli[TERMS] = {1.0 / 6,         -1.0 / 30,      1.0 / 42,
                                            -1.0 / 30,       5.0 / 66,       -691.0 / 2730,
                                            7.0 / 6,         -3617.0 / 510,  43867.0 / 798,
                                            -174611.0 / 330, 854513.0 / 138, -236364091.0 / 2730};
    if (n < 0 || n > LARGEST || isnan(x) || x < -1e4 || (x <= 0 && x == floor(x)))
        return NAN;
    if (isinf(x))
        return n == 0 ? x : 0;
    double factorial = 1; /* n! */
    for (int k = 2; k <= n; k++)
        factorial *= k;
    /* With z = psi_n without its sign for n > 0: sum over k of n! / (x + k)^(n + 1). */
    double sum = 0;
    while (x < FAR + n) {
        sum += n == 0 ? -1 / x : factorial / pow(x, n + 1);
        x += 1;
    }
    const double square = x * x;
    double tail, term;
    if (n == 0) {
        tail = log(x) - 0.5 / x;
        term = 1;
        for (int k = 0; k < TERMS; k++) {
            term /= square;
            tail -= bernoulli[k] / (2 * (k + 1)) * term;
        }
        return sum + tail;
    }
    /* (n-1)!/x^n + n!/(2 x^(n+1)) + sum_k B_2k (2k+n-1)! / ((2k)! x^(2k+n)) */
    const double base = factorial / n / pow(x, n);
    tail = base + 0.5 * n * base / x;
    term = base;
    for (int k = 1; k <= TERMS; k++) {
        term *=
            (double)(2 * k + n - 2) * (2 * k + n - 1) / ((double)(2 * k - 1) * (2 * k)) / square;
        tail += bernoulli[k - 1] * term;
    }
    return n % 2 == 1 ? sum + tail : -(sum + tail);
}

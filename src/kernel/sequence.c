/* SPDX-License-Identifier: MIT */
#include "kernel/sequence.h"

#include <float.h>
#include <math.h>

double peri_range_count(double a, double b, double step)
{
    const double whole = (b - a) / step, steps = isfinite(whole) ? whole : b / step - a / step;
    /* half a unit in the last place of each of the three, in steps, and that of the quotient */
    const double largest = fmax(fabs(a), fabs(b));
    const double slack = 2 * DBL_EPSILON * fmax(largest / fabs(step), fabs(steps));
    const double count = floor(steps + fmin(slack, 0.25)) + 1;
    return count > 0 ? count : 0;
}

void peri_range(double a, double b, double step, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = a + (double)i * step;
    if (n > 0 && (step > 0 ? x[n - 1] > b : x[n - 1] < b))
        x[n - 1] = b;
}

void peri_linspace(double a, double b, size_t n, double *x)
{
    const double parts = n > 1 ? (double)(n - 1) : 1, span = b - a;
    /* b - a may leave the range where the step does not */
    const double step = isfinite(span) ? span / parts : b / parts - a / parts;
    const size_t half = isfinite(span) ? n : n / 2 + 1;
    if (a == b || n < 2) {
        for (size_t i = 0; i < n; i++)
            x[i] = a;
        return;
    }
    x[0] = a;
    for (size_t i = 1; i + 1 < n; i++) {
        if (i >= half) /* from the other end, so that no product overflows either */
            x[i] = b - (parts - (double)i) * step;
        else if (fabs(step) < DBL_MIN) /* a step of few digits, or none */
            x[i] = a + span * (double)i / parts;
        else
            x[i] = a + (double)i * step;
    }
    x[n - 1] = b;
}

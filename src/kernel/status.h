/* SPDX-License-Identifier: MIT
 *
 * What a kernel, a reader or a writer says when it cannot do what was asked: a status, and the
 * facts. It never formats text; peri_raise() in bind/ turns both into the one sentence a user
 * reads. Outcomes (a rank, whether an iteration converged) are results, not errors.
 */
#ifndef PERIGEE_KERNEL_STATUS_H
#define PERIGEE_KERNEL_STATUS_H

#include <stddef.h>

typedef enum {
    PERI_OK = 0,
    PERI_ERR_SHAPE,     /* an extent of facts.arg is `got`, `wanted` was wanted */
    PERI_ERR_VALUE,     /* element facts.index of facts.arg is `got`; `wanted` says what may be */
    PERI_ERR_NONFINITE, /* element facts.index of facts.arg is NaN or infinite */
    PERI_ERR_SINGULAR,  /* facts.arg is singular (pivot facts.index[0] is exactly 0) */
    PERI_ERR_NOT_POSITIVE,   /* facts.arg is not positive definite (leading minor facts.index[0]) */
    PERI_ERR_NO_CONVERGENCE, /* the iteration did not converge */
    PERI_ERR_TOO_LARGE,      /* an extent of facts.arg does not fit the library's int */
    PERI_ERR_DTYPE,          /* there is no loop for facts.arg's dtype, which is number `got` */
    PERI_ERR_INTERRUPTED     /* the stop flag was set; outputs hold unspecified values */
} peri_status;

/* All indices count from 0; peri_raise() adds the 1. Unused fields stay 0. */
typedef struct {
    const char *arg;    /* the argument's name in the contract, such as "A" */
    const char *wanted; /* static phrase such as "a probability in [0, 1]" */
    int nindex;         /* how many of index[] are set */
    size_t index[4];
    double got;
} peri_facts;

#endif

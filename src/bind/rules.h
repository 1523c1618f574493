/* SPDX-License-Identifier: MIT
 *
 * What each function is to a gradient; see tape.h. */
#ifndef PERIGEE_BIND_RULES_H
#define PERIGEE_BIND_RULES_H

#include <stdint.h>

enum {
    PERI_READS = 1,    /* reads values; the result is plain */
    PERI_DIRECT = 2,   /* calls peri_recorded itself */
    PERI_LIST = 4,     /* the operands are the elements of the table that is argument 1 */
    PERI_REGION = 8,   /* gives elements of its operand: the rule adds into their place */
    PERI_SEVERAL = 16, /* several results, each with a cotangent of its own */
    PERI_CONSTANT =
        32, /* arrays after the operands are indices or masks, which have derivative 0 */
    PERI_COMPOSED =
        256,            /* where an operand is tracked the rule is called in the function's place */
    PERI_BIAS = 128,    /* option `bias` of the argument after the operands is one operand more */
    PERI_PRODUCT = 512, /* the cotangent times the other operand; both are kept, and no more */
    PERI_SPREADS = 1024, /* of one argument, the cotangent spread over it */
    PERI_PLACE = 64      /* argument 2 stands among the operands but is a region */
};

enum { PERI_KEEP_RESULT = 1 };
#define PERI_KEEP(k) (1u << (k)) /* operand k, from 1 */

typedef struct peri_rule {
    const char *name; /* of the function; of linalg's "linalg.solve" */
    uint8_t operands; /* how many of the first arguments are differentiated */
    uint8_t keep;     /* PERI_KEEP_RESULT, PERI_KEEP(k) */
    uint8_t out;      /* the argument that is an output array, 0: none */
    uint16_t flags;
} peri_rule;

/* The row of a function, or NULL. */
const peri_rule *peri_find_rule(const char *name);

/* The place of a row in the table, from 1. */
int peri_rule_index(const peri_rule *rule);
const peri_rule *peri_rule_at(int index);

#endif

/* SPDX-License-Identifier: MIT */
#include "kernel/ops.h"

#define ROW(prefix, ID, inputs, name, metamethod, arguments, loops, result, slope, sentence,       \
            further)                                                                               \
    [prefix##ID] = {prefix##ID,                                                                    \
                    inputs,                                                                        \
                    name,                                                                          \
                    metamethod,                                                                    \
                    arguments,                                                                     \
                    sentence,                                                                      \
                    further,                                                                       \
                    PERI_LOOPS_##loops,                                                            \
                    PERI_RESULT_##result,                                                          \
                    PERI_SLOPE_##slope},
#define ROW1(ID, ...) ROW(PERI_EW_, ID, 1, __VA_ARGS__)
#define ROW2(ID, ...) ROW(PERI_EW_, ID, 2, __VA_ARGS__)
#define ROW3(ID, ...) ROW(PERI_EW_, ID, 3, __VA_ARGS__)
#define ROWR(ID, ...) ROW(PERI_, ID, 1, __VA_ARGS__)
#define ROWV(ID, ...) ROW(PERI_VIEW_, ID, 1, __VA_ARGS__)
#define ROWA(ID, ...) ROW(PERI_ALONG_, ID, 1, __VA_ARGS__)

const peri_op peri_ew_ops[PERI_EW_COUNT] = {
    PERI_EACH_VMATH(ROW1) PERI_EACH_UNARY(ROW1) PERI_EACH_COMPOSED(ROW1) PERI_EACH_BINARY(ROW2)
        PERI_EACH_VMATH2(ROW2) PERI_EACH_COMPOSED2(ROW2) PERI_EACH_TERNARY(ROW3)
            PERI_EACH_SPECIAL1(ROW1) PERI_EACH_SPECIAL2(ROW2) PERI_EACH_SPECIAL3(ROW3)};

const peri_op peri_reduction_ops[PERI_REDUCTIONS] = {PERI_EACH_REDUCTION(ROWR)};

const peri_op peri_along_ops[PERI_ALONGS] = {PERI_EACH_PLACE(ROWA) PERI_EACH_SCAN(ROWA)
                                                 PERI_EACH_SHARE(ROWA)};

const peri_op peri_view_ops[PERI_VIEWS] = {PERI_EACH_VIEW(ROWV)};

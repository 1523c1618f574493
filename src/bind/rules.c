/* SPDX-License-Identifier: MIT
 *
 * What each function is to a gradient: one row a function, by its name. The rules themselves are in
 * lua/perigee/private/rules.lua under the same names.
 *
 * Names in order; a test compares the table with rules.lua and looks each name up in pg. */
#include "bind/rules.h"

#include <string.h>

#define A PERI_KEEP(1)
#define B PERI_KEEP(2)
#define C PERI_KEEP(3)
#define Y PERI_KEEP_RESULT

static const peri_rule rules[] = {
    {"T", 1, 0, 0, PERI_DIRECT},
    {"__call", 1, 0, 0, PERI_REGION | PERI_DIRECT},
    {"__concat", 0, 0, 0, PERI_READS},
    {"__index", 1, 0, 0, PERI_REGION | PERI_DIRECT},
    {"__le", 0, 0, 0, PERI_READS},
    {"__len", 0, 0, 0, PERI_READS},
    {"__lt", 0, 0, 0, PERI_READS},
    {"__newindex", 0, 0, 0, PERI_READS},
    {"__tostring", 0, 0, 0, PERI_READS},
    {"abs", 1, A, 2, PERI_DIRECT},
    {"acos", 1, A, 2, PERI_DIRECT},
    {"add", 2, 0, 3, PERI_DIRECT},
    {"all", 0, 0, 0, PERI_READS},
    {"allclose", 0, 0, 0, PERI_READS},
    {"any", 0, 0, 0, PERI_READS},
    {"argmax", 0, 0, 0, PERI_READS},
    {"argmin", 0, 0, 0, PERI_READS},
    {"argsort", 0, 0, 0, PERI_READS},
    {"array", 1, 0, 0, 0},
    {"array_equal", 0, 0, 0, PERI_READS},
    {"asin", 1, A, 2, PERI_DIRECT},
    {"assign", 0, 0, 0, PERI_READS},
    {"astype", 1, 0, 0, 0},
    {"atan", 1, A, 2, PERI_DIRECT},
    {"atan2", 2, A | B, 3, PERI_DIRECT},
    {"attention", 3, A | B | C | Y, 0, 0},
    {"avg_pool2d", 1, 0, 0, 0},
    {"betainc", 3, A | B | C, 4, PERI_DIRECT},
    {"betaincc", 3, A | B | C, 4, PERI_DIRECT},
    {"betaincinv", 3, A | B | Y, 4, PERI_DIRECT},
    {"betaln", 2, A | B, 3, PERI_DIRECT},
    {"broadcast_to", 1, 0, 0, 0},
    {"cbrt", 1, Y, 2, PERI_DIRECT},
    {"ceil", 0, 0, 0, PERI_READS},
    {"clip", 3, A | B | C, 4, PERI_DIRECT},
    {"compress", 1, 0, 0, PERI_CONSTANT},
    {"concat", 1, 0, 0, PERI_LIST},
    {"conv.data", 2, A | B, 0, 0},
    {"conv.weights", 2, A | B, 0, 0},
    {"conv1d", 2, A | B, 0, PERI_BIAS},
    {"conv2d", 2, A | B, 0, PERI_BIAS},
    {"conv_transpose2d", 2, A | B, 0, PERI_BIAS},
    {"copy", 1, 0, 0, 0},
    {"corrcoef", 2, 0, 0, PERI_COMPOSED},
    {"cos", 1, A, 2, PERI_DIRECT},
    {"cosh", 1, A, 2, PERI_DIRECT},
    {"cov", 2, 0, 0, PERI_COMPOSED},
    {"cumprod", 1, A | Y, 0, 0},
    {"cumsum", 1, 0, 0, 0},
    {"detach", 0, 0, 0, PERI_READS},
    {"diag", 1, 0, 0, 0},
    {"diff", 1, 0, 0, 0},
    {"digamma", 1, A, 0, 0},
    {"dims", 0, 0, 0, PERI_READS},
    {"div", 2, B | Y, 3, PERI_DIRECT},
    {"dot", 2, A | B, 3, PERI_DIRECT},
    {"elu", 2, A | B, 3, PERI_DIRECT},
    {"eq", 0, 0, 0, PERI_READS},
    {"erf", 1, A, 2, PERI_DIRECT},
    {"erfc", 1, A, 2, PERI_DIRECT},
    {"exp", 1, Y, 2, PERI_DIRECT},
    {"expand_dims", 1, 0, 0, 0},
    {"expm1", 1, Y, 2, PERI_DIRECT},
    {"flip", 1, 0, 0, 0},
    {"floor", 0, 0, 0, PERI_READS},
    {"gammainc", 2, A | B, 3, PERI_DIRECT},
    {"gammaincc", 2, A | B, 3, PERI_DIRECT},
    {"gammainccinv", 2, A | Y, 3, PERI_DIRECT},
    {"gammaincinv", 2, A | Y, 3, PERI_DIRECT},
    {"ge", 0, 0, 0, PERI_READS},
    {"gelu", 1, A, 2, PERI_DIRECT},
    {"get", 1, 0, 0, PERI_REGION | PERI_DIRECT},
    {"group_norm", 4, A | B | C, 0, 0},
    {"gt", 0, 0, 0, PERI_READS},
    {"hypot", 2, A | B | Y, 3, PERI_DIRECT},
    {"idiv", 0, 0, 0, PERI_READS},
    {"isfinite", 0, 0, 0, PERI_READS},
    {"isnan", 0, 0, 0, PERI_READS},
    {"item", 0, 0, 0, PERI_READS},
    {"layer.cross_entropy", 1, A, 0, 0},
    {"layer.linear", 3, A | B, 0, 0},
    {"layer_norm", 3, A | B, 0, 0},
    {"le", 0, 0, 0, PERI_READS},
    {"leaky_relu", 2, A | B, 3, PERI_DIRECT},
    {"lgamma", 1, A, 2, PERI_DIRECT},
    {"linalg.cholesky", 1, Y, 0, 0},
    {"linalg.det", 1, A | Y, 0, 0},
    {"linalg.eigh", 1, Y, 0, PERI_SEVERAL},
    {"linalg.inv", 1, Y, 0, 0},
    {"linalg.lstsq", 2, A | B | Y, 0, PERI_SEVERAL},
    {"linalg.norm", 1, A | Y, 0, 0},
    {"linalg.pinv", 1, A | Y, 0, 0},
    {"linalg.qr", 1, Y, 0, PERI_SEVERAL},
    {"linalg.rank", 0, 0, 0, PERI_READS},
    {"linalg.slogdet", 1, A, 0, PERI_SEVERAL},
    {"linalg.solve", 2, A | Y, 0, 0},
    {"linalg.solve_triangular", 2, A | Y, 0, 0},
    {"linalg.svd", 1, Y, 0, PERI_SEVERAL},
    {"log", 1, A, 2, PERI_DIRECT},
    {"log10", 1, A, 2, PERI_DIRECT},
    {"log1p", 1, A, 2, PERI_DIRECT},
    {"log2", 1, A, 2, PERI_DIRECT},
    {"log_binomial", 3, A | B | C, 4, PERI_DIRECT},
    {"log_poisson", 2, A | B, 3, PERI_DIRECT},
    {"log_sigmoid", 1, A, 2, PERI_DIRECT},
    {"log_softmax", 1, Y, 0, 0},
    {"logical_and", 0, 0, 0, PERI_READS},
    {"logical_not", 0, 0, 0, PERI_READS},
    {"logical_or", 0, 0, 0, PERI_READS},
    {"logical_xor", 0, 0, 0, PERI_READS},
    {"logit", 1, A, 2, PERI_DIRECT},
    {"logsumexp", 1, A | Y, 0, PERI_DIRECT},
    {"lt", 0, 0, 0, PERI_READS},
    {"matmul", 2, A | B, 3, PERI_DIRECT},
    {"max", 1, A | Y, 0, PERI_DIRECT},
    {"max_pool2d", 1, A, 0, 0},
    {"maximum", 2, A | B, 3, PERI_DIRECT},
    {"mean", 1, 0, 0, PERI_DIRECT},
    {"median", 1, A, 0, 0},
    {"min", 1, A | Y, 0, PERI_DIRECT},
    {"minimum", 2, A | B, 3, PERI_DIRECT},
    {"mod", 2, A | B, 3, PERI_DIRECT},
    {"mul", 2, A | B, 3, PERI_DIRECT | PERI_PRODUCT},
    {"ndtri", 1, Y, 2, PERI_DIRECT},
    {"ne", 0, 0, 0, PERI_READS},
    {"neg", 1, 0, 2, PERI_DIRECT},
    {"nonzero", 0, 0, 0, PERI_READS},
    {"norm", 1, A | Y, 0, PERI_DIRECT},
    {"norm.batch", 3, A | B, 0, 0},
    {"one_hot", 0, 0, 0, PERI_READS},
    {"ones_like", 0, 0, 0, PERI_READS},
    {"outer", 2, A | B, 0, 0},
    {"pad", 1, 0, 0, 0},
    {"plane.avg", 1, 0, 0, 0},
    {"plane.max", 2, A, 0, 0},
    {"plane.places", 0, 0, 0, PERI_READS},
    {"plane.upsample", 1, 0, 0, 0},
    {"polygamma", 1, A, 0, 0},
    {"pow", 2, A | B | Y, 3, PERI_DIRECT},
    {"prod", 1, A | Y, 0, PERI_DIRECT},
    {"quantile", 1, A, 0, 0},
    {"relu", 1, Y, 2, PERI_DIRECT},
    {"repeat", 1, 0, 0, PERI_CONSTANT},
    {"repeat_", 1, 0, 0, PERI_CONSTANT},
    {"reshape", 1, 0, 0, 0},
    {"roll", 1, 0, 0, 0},
    {"round", 0, 0, 0, PERI_READS},
    {"save", 0, 0, 0, PERI_READS},
    {"scatter_add", 2, 0, 0, PERI_CONSTANT},
    {"searchsorted", 0, 0, 0, PERI_READS},
    {"set", 0, 0, 0, PERI_READS},
    {"sigmoid", 1, Y, 2, PERI_DIRECT},
    {"sign", 0, 0, 0, PERI_READS},
    {"silu", 1, A, 2, PERI_DIRECT},
    {"sin", 1, A, 2, PERI_DIRECT},
    {"sinh", 1, A, 2, PERI_DIRECT},
    {"slice", 1, 0, 0, PERI_REGION | PERI_DIRECT},
    {"softmax", 1, Y, 0, 0},
    {"softplus", 1, A, 2, PERI_DIRECT},
    {"sort", 1, A, 0, 0},
    {"sqrt", 1, Y, 2, PERI_DIRECT},
    {"square", 1, A, 2, PERI_DIRECT},
    {"squeeze", 1, 0, 0, 0},
    {"stack", 1, 0, 0, PERI_LIST},
    {"std", 1, A | Y, 0, PERI_DIRECT},
    {"sub", 2, 0, 3, PERI_DIRECT},
    {"sum", 1, 0, 0, PERI_DIRECT | PERI_SPREADS},
    {"take", 1, 0, 0, PERI_CONSTANT},
    {"tan", 1, Y, 2, PERI_DIRECT},
    {"tanh", 1, Y, 2, PERI_DIRECT},
    {"tile", 1, 0, 0, 0},
    {"tostring", 0, 0, 0, PERI_READS},
    {"totable", 0, 0, 0, PERI_READS},
    {"trace", 1, 0, 0, 0},
    {"transpose", 1, 0, 0, 0},
    {"tril", 1, 0, 0, 0},
    {"triu", 1, 0, 0, 0},
    {"trunc", 0, 0, 0, PERI_READS},
    {"upsample2d", 1, 0, 0, 0},
    {"var", 1, A, 0, PERI_DIRECT},
    {"where", 3, A, 4, PERI_DIRECT},
    {"with", 3, B, 0, PERI_PLACE},
    {"zeros_like", 0, 0, 0, PERI_READS},
};

enum { RULES = sizeof rules / sizeof *rules };

const peri_rule *peri_find_rule(const char *name)
{
    int low = 0, high = RULES - 1;
    while (low <= high) {
        const int middle = (low + high) / 2;
        const char *other = rules[middle].name;
        const int order = *name != *other ? *name - *other : strcmp(name, other);
        if (order == 0)
            return &rules[middle];
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return NULL;
}

int peri_rule_index(const peri_rule *rule)
{
    return (int)(rule - rules) + 1;
}

const peri_rule *peri_rule_at(int index)
{
    return index >= 1 && index <= RULES ? &rules[index - 1] : NULL;
}

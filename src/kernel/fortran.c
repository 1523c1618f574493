/* SPDX-License-Identifier: MIT
 *
 * The one function of gfortran's runtime that the static LAPACK calls: dormqr, dormlq and dormbr
 * join the two letters of their options with it. Having it here keeps a Fortran runtime out of the
 * program. Weak: where the runtime is linked all the same, its own is taken.
 *
 * to = left // right, padded with blanks or cut to its length.
 */
#include <string.h>

void _gfortran_concat_string(size_t length, char *to, size_t nleft, const char *left, size_t nright,
                             const char *right);

__attribute__((weak)) void _gfortran_concat_string(size_t length, char *to, size_t nleft,
                                                   const char *left, size_t nright,
                                                   const char *right)
{
    const size_t first = nleft < length ? nleft : length;
    const size_t second = nright < length - first ? nright : length - first;
    memcpy(to, left, first);
    memcpy(to + first, right, second);
    memset(to + first + second, ' ', length - first - second);
}

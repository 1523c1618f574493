/* SPDX-License-Identifier: MIT
 *
 * The register tile beneath convolutions, written over the names of lanes.h:
 *
 *     C[r][v] (+)= sum over i < outer, k < inner of a[r][i jump + k step] B[i inner + k][v]
 *
 * for at most TILE_ROWS rows r and WIDE vectors v. a[r] are any addresses, so a tile reads an image
 * where it lies; B is packed, its rows ldb apart. Row r of C is number to[r] unless `to` is NULL.
 * The sum runs over k in order, then over i.
 */
#undef WIDE
#if LANES_BYTES == 64
#define WIDE 4
#else
#define WIDE 2
#endif

#ifndef TILE_ROWS
#define TILE_ROWS 6
#endif

typedef struct {
    const REAL *a[TILE_ROWS];
    size_t outer, inner, jump, step;
    const REAL *B;
    size_t ldb;
    const REAL *bias; /* a start for each row, unless NULL; not together with add */
    REAL *C;
    size_t ldc;
    const size_t *to;
    bool add; /* to what C holds */
} NAME(tile_job);

INLINE REAL *NAME(tile_row)(const NAME(tile_job) * s, size_t r)
{
    return s->C + (s->to != NULL ? s->to[r] : r) * s->ldc;
}

INLINE void NAME(run_tile)(const NAME(tile_job) * s, int rows, int wide)
{
    const REAL *a[TILE_ROWS], *B = s->B;
    const size_t ldb = s->ldb, inner = s->inner, jump = s->jump;
    const size_t step = s->step;
    vec acc[TILE_ROWS * WIDE];
    UNROLL for (int r = 0; r < rows; r++)
    {
        a[r] = s->a[r];
    }
    UNROLL for (int i = 0; i < rows * wide; i++)
    {
        acc[i] = NAME(splat)(s->bias != NULL ? s->bias[i / wide] : 0);
        if (s->add)
            acc[i] = NAME(load)(NAME(tile_row)(s, (size_t)(i / wide)) + (size_t)(i % wide) * LANES);
    }
    for (size_t outer = s->outer; outer > 0; outer--) {
        for (size_t k = 0, at = 0; k < inner; k++, at += step, B += ldb) {
            vec b[WIDE];
            UNROLL for (int v = 0; v < wide; v++)
            {
                b[v] = NAME(load)(B + (size_t)v * LANES);
            }
            UNROLL for (int r = 0; r < rows; r++)
            {
                const vec x = NAME(splat)(a[r][at]);
                UNROLL for (int v = 0; v < wide; v++)
                {
                    acc[r * wide + v] = NAME(fma)(x, b[v], acc[r * wide + v]);
                }
            }
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            a[r] += jump;
        }
    }
    UNROLL for (int i = 0; i < rows * wide; i++)
    {
        NAME(store)(NAME(tile_row)(s, (size_t)(i / wide)) + (size_t)(i % wide) * LANES, acc[i]);
    }
}

#undef TILE
#define TILE(rows, wide)                                                                           \
    static KERNEL __attribute__((noinline)) void NAME(tile_##rows##x##wide)(const NAME(tile_job) * \
                                                                            s)                     \
    {                                                                                              \
        NAME(run_tile)(s, rows, wide);                                                             \
    }
#undef TILES
#define TILES(w) TILE(1, w) TILE(2, w) TILE(3, w) TILE(4, w) TILE(5, w) TILE(6, w)
TILES(1)
TILES(2)
#if WIDE == 4
TILES(3)
TILES(4)
#endif

/* By wide - 1 and rows - 1. */
static void (*const NAME(tiles)[WIDE][TILE_ROWS])(const NAME(tile_job) *) = {
#undef TILES
#define TILES(w)                                                                                   \
    {                                                                                              \
        NAME(tile_1x##w), NAME(tile_2x##w), NAME(tile_3x##w), NAME(tile_4x##w), NAME(tile_5x##w),  \
            NAME(tile_6x##w)                                                                       \
    }
    TILES(1),
    TILES(2),
#if WIDE == 4
    TILES(3),
    TILES(4),
#endif
};

INLINE void NAME(tile)(const NAME(tile_job) * s, size_t rows, size_t wide)
{
    NAME(tiles)[wide - 1][rows - 1](s);
}

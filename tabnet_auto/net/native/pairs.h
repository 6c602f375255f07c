/* Products of numbers rounded to bf16, summed in single precision.
 *
 * Two neighbours along the depth of a product lie in the place of one number, the first in its
 * lower half: one instruction then multiplies and adds twice as many. Worth it where the CPU has
 * that instruction; elsewhere the same numbers come slower. Pairs are made from single precision,
 * and nothing else knows of bf16.
 */
#ifndef PAIRS_H
#define PAIRS_H
#include "products.h"

/* Two vectors of numbers, as LANES pairs (low[0], low[1]), ... (high[0], high[1]), ...; and as
 * LANES pairs (low[0], high[0]), ... */
#if defined(__AVX512BF16__)
static inline Vector neighbours(Vector low, Vector high)
{
    return (Vector)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

static inline Vector couples(Vector low, Vector high)
{
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
        23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return (Vector)_mm512_permutexvar_epi16(order, (__m512i)neighbours(low, high));
}
#else
/* The upper half of a number is its bf16; ties go to the even one, and NaN stays NaN. */
static inline Whole rounded(Vector x)
{
    Whole bits = (Whole)x, even = (bits >> 16) & 1;
    return (Whole)where(x == x, (Vector)(bits + 0x7fff + even), (Vector)(bits | 0x400000));
}

static inline Vector couples(Vector low, Vector high)
{
    return (Vector)(((rounded(low) >> 16) & 0xffff) | (rounded(high) & -65536));
}

static inline Vector neighbours(Vector low, Vector high)
{
    Vector first = low, second = high;
    for (int i = 0; i < LANES; i++) {
        first[i] = 2 * i < LANES ? low[2 * i] : high[2 * i - LANES];
        second[i] = 2 * i < LANES ? low[2 * i + 1] : high[2 * i + 1 - LANES];
    }
    return couples(first, second);
}
#endif

/* LANES / 2 pairs of one vector's neighbours. */
static inline void store_neighbours(float *to, Vector value)
{
    Vector pairs = neighbours(value, value);
    memcpy(to, &pairs, sizeof(pairs) / 2);
}

/* to (rows, columns / 2) of from (rows, columns), in blocks of two vectors. */
static void pair_columns(const float *from, int64_t ld, float *to, int64_t ld_to, int64_t rows,
                         int64_t columns)
{
    for (int64_t r = 0; r < rows; r++, from += ld, to += ld_to)
        for (int64_t k = 0; k < columns; k += 2 * LANES)
            store(to + k / 2, neighbours(load(from + k), load(from + k + LANES)));
}

/* to (rows / 2, columns) of from (rows, columns), in whole vectors; an odd row goes with zeros. */
static void pair_rows(const float *from, int64_t ld, float *to, int64_t ld_to, int64_t rows,
                      int64_t columns)
{
    for (int64_t r = 0; r < rows; r += 2, from += 2 * ld, to += ld_to)
        for (int64_t k = 0; k < columns; k += LANES)
            store(to + k, couples(load(from + k), r + 1 < rows ? load(from + ld + k) : all(0.0f)));
}

/* product() of pairs: `depth` counts them. */
static void product_of_pairs(const float *a, int64_t row, int64_t term, const float *b,
                             int64_t ld_b, float *c, int64_t ld_c, int64_t n_rows,
                             int64_t n_columns, int64_t depth, int add)
{
    panels(a, row, term, b, ld_b, c, ld_c, n_rows, n_columns, depth, add, PAIRS);
}

#endif

/* Products of numbers rounded to bf16, summed in single precision, where the CPU has them.
 *
 * Two neighbours along the depth of a product lie in the place of one number, the first in the
 * lower half: one instruction then multiplies and adds twice as many. What makes pairs reads
 * single precision, so that nothing else knows of bf16.
 */
#ifndef PAIRS_H
#define PAIRS_H
#include "products.h"

#if defined(__AVX512BF16__)
/* to (rows, columns / 2) of from (rows, columns), whole vectors of both. */
static void pair_columns(const float *from, int64_t ld, float *to, int64_t ld_to, int64_t rows,
                         int64_t columns)
{
    for (int64_t r = 0; r < rows; r++, from += ld, to += ld_to)
        for (int64_t k = 0; k < columns; k += 2 * LANES) {
            Vector low = load(from + k), high = load(from + k + LANES);
            store(to + k / 2, (Vector)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
        }
}

/* to (rows / 2, columns) of from (rows, columns); an odd row is paired with zeros. */
static void pair_rows(const float *from, int64_t ld, float *to, int64_t ld_to, int64_t rows,
                      int64_t columns)
{
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
        23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int64_t r = 0; r < rows; r += 2, from += 2 * ld, to += ld_to)
        for (int64_t k = 0; k < columns; k += LANES) {
            Vector second = r + 1 < rows ? load(from + ld + k) : all(0.0f);
            __m512bh both = _mm512_cvtne2ps_pbh((__m512)second, (__m512)load(from + k));
            store(to + k, (Vector)_mm512_permutexvar_epi16(order, (__m512i)both));
        }
}

/* product() of pairs: `depth` counts them. */
static void product_of_pairs(const float *a, int64_t row, int64_t term, const float *b,
                             int64_t ld_b, float *c, int64_t ld_c, int64_t n_rows,
                             int64_t n_columns, int64_t depth, int add)
{
    panels(a, row, term, b, ld_b, c, ld_c, n_rows, n_columns, depth, add, PAIRS);
}
#endif

#endif

/* Products of numbers rounded to bf16, summed in single precision.
 *
 * Two neighbours along the depth of a product lie in the place of one number, the first in its
 * lower half: one instruction then multiplies and adds twice as many, or a whole tile of them.
 * Worth it where the CPU has such instructions; elsewhere the same numbers come slower. Pairs are
 * made from single precision, and nothing else knows of bf16.
 */
#ifndef PAIRS_H
#define PAIRS_H
#include "products.h"
#include "tiles.h"

/* Numbers as bf16 has them, the upper half of their bits; ties go to the even one, and NaN stays
 * NaN. */
static inline Vector rounded(Vector x)
{
    Whole bits = (Whole)x, even = (bits >> 16) & 1;
    Vector near = where(x == x, (Vector)(bits + 0x7fff + even), (Vector)(bits | 0x400000));
    return (Vector)((Whole)near & -65536);
}

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
static inline Vector couples(Vector low, Vector high)
{
    return (Vector)((((Whole)rounded(low) >> 16) & 0xffff) | (Whole)rounded(high));
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

/* product() of pairs: `depth` counts them. Tiles take what fills them, vectors the rest. */
static void product_of_pairs(const float *a, int64_t row, int64_t term, const float *b,
                             int64_t ld_b, float *c, int64_t ld_c, int64_t n_rows,
                             int64_t n_columns, int64_t depth, int add)
{
    int64_t down = 0, along = 0;
    if (tiles_are_usable() && n_rows >= SIDE && depth >= SIDE) {
        down = n_rows / SIDE * SIDE, along = depth / SIDE * SIDE;
        product_by_tiles(a, row, term, b, ld_b, c, ld_c, down, n_columns, along, add);
    }
    if (along < depth)
        panels(a + along * term, row, term, b + along * ld_b, ld_b, c, ld_c, down, n_columns,
               depth - along, 1, PAIRS);
    panels(a + down * row, row, term, b, ld_b, c + down * ld_c, ld_c, n_rows - down, n_columns,
           depth, add, PAIRS);
}

/* ---- nearly single precision: a number is its bf16 and the bf16 of what that leaves ---- */

/* Pairs of one part of a row, and of all three. */
static inline int64_t part_of(int64_t depth)
{
    return (depth + 2 * LANES - 1) / (2 * LANES) * LANES;
}
static inline int64_t parts_of_rows(int64_t depth) { return 3 * part_of(depth); }

/* Rows of pairs: of the number, of what it leaves, and of the number again. */
static void part_columns(const float *from, int64_t ld, float *to, int64_t rows, int64_t depth)
{
    int64_t part = part_of(depth);
    for (int64_t r = 0; r < rows; r++, from += ld, to += 3 * part)
        for (int64_t k = 0; k < depth; k += 2 * LANES) {
            Vector a = load(from + k);
            Vector b = k + LANES < depth ? load(from + k + LANES) : all(0.0f);
            Vector near = neighbours(a, b), rest = neighbours(a - rounded(a), b - rounded(b));
            store(to + k / 2, near);
            store(to + part + k / 2, rest);
            store(to + 2 * part + k / 2, near);
        }
}

/* Columns of pairs: of the number twice, and of what it leaves; with zeros to whole vectors. */
static void part_rows(const float *from, int64_t ld, float *to, int64_t depth, int64_t columns)
{
    int64_t part = part_of(depth) * ld;
    for (int64_t r = 0; r < 2 * part_of(depth); r += 2, from += 2 * ld, to += ld)
        for (int64_t k = 0; k < columns; k += LANES) {
            Vector a = r < depth ? load(from + k) : all(0.0f);
            Vector b = r + 1 < depth ? load(from + ld + k) : all(0.0f);
            store(to + k, couples(a, b));
            store(to + part + k, couples(a, b));
            store(to + 2 * part + k, couples(a - rounded(a), b - rounded(b)));
        }
}

/* product() of rows of a that end with zeros to whole vectors, and of part_rows() of b, to 2^-16
 * of the sum of the products' sizes: what the two numbers leave is not multiplied with each
 * other. `scratch` holds n_rows * parts_of_rows(depth). */
static void product_of_parts(const float *a, int64_t ld_a, const float *b_parts, int64_t ld_b,
                             float *c, int64_t ld_c, int64_t n_rows, int64_t n_columns,
                             int64_t depth, float *scratch)
{
    int64_t n_pairs = parts_of_rows(depth);
    part_columns(a, ld_a, scratch, n_rows, depth);
    product_of_pairs(scratch, n_pairs, 1, b_parts, ld_b, c, ld_c, n_rows, n_columns, n_pairs, 0);
}

#endif

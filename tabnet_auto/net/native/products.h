/* Products of matrices that fit into the cache, in single precision and of bf16 pairs. */
#ifndef PRODUCTS_H
#define PRODUCTS_H
#include "vectors.h"

/* A tile of the result stays in registers: 16 of 32, or 12 of 16. */
#if LANES == 16
#define TILE_ROWS 8
#else
#define TILE_ROWS 6
#endif
#define TILE_COLUMNS (2 * LANES)

/* What is multiplied: numbers, or two of bf16 in the place of each number (pairs.h). */
enum { NUMBERS, PAIRS };

static inline Vector multiply_add(Vector sum, Vector a, Vector b, const int of)
{
    if (of == NUMBERS)
        return sum + a * b;
#if defined(__AVX512BF16__)
    return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    const int32_t upper = -65536;
    sum += (Vector)((Whole)a << 16) * (Vector)((Whole)b << 16);
    return sum + (Vector)((Whole)a & upper) * (Vector)((Whole)b & upper);
#endif
}

/* One tile: c = a b, or c + a b. Element (i, p) of a lies at i * row + p * term. */
static inline __attribute__((always_inline)) void tile(
    const float *a, int64_t row, int64_t term, const float *b, int64_t ld_b, float *c,
    int64_t ld_c, int64_t depth, int add, const int n_rows, const int n_vectors, const int of)
{
    Vector sum[TILE_ROWS][2];
#pragma GCC unroll 8
    for (int i = 0; i < n_rows; i++) {
        sum[i][0] = add ? load(c + i * ld_c) : all(0.0f);
        if (n_vectors > 1)
            sum[i][1] = add ? load(c + i * ld_c + LANES) : all(0.0f);
    }
    for (int64_t p = 0; p < depth; p++) {
        Vector b0 = load(b), b1 = n_vectors > 1 ? load(b + LANES) : b0;
#pragma GCC unroll 8
        for (int i = 0; i < n_rows; i++) {
            Vector factor = all(a[i * row]);
            sum[i][0] = multiply_add(sum[i][0], factor, b0, of);
            if (n_vectors > 1)
                sum[i][1] = multiply_add(sum[i][1], factor, b1, of);
        }
        a += term;
        b += ld_b;
    }
#pragma GCC unroll 8
    for (int i = 0; i < n_rows; i++) {
        store(c + i * ld_c, sum[i][0]);
        if (n_vectors > 1)
            store(c + i * ld_c + LANES, sum[i][1]);
    }
}

static inline __attribute__((always_inline)) void panel(
    const float *a, int64_t row, int64_t term, const float *b, int64_t ld_b, float *c,
    int64_t ld_c, int64_t n_rows, int64_t depth, int add, const int n_vectors, const int of)
{
    int64_t i = 0;
    for (; i + TILE_ROWS <= n_rows; i += TILE_ROWS)
        tile(a + i * row, row, term, b, ld_b, c + i * ld_c, ld_c, depth, add, TILE_ROWS,
             n_vectors, of);
    for (; i + 2 <= n_rows; i += 2)
        tile(a + i * row, row, term, b, ld_b, c + i * ld_c, ld_c, depth, add, 2, n_vectors, of);
    if (i < n_rows)
        tile(a + i * row, row, term, b, ld_b, c + i * ld_c, ld_c, depth, add, 1, n_vectors, of);
}

static inline __attribute__((always_inline)) void panels(
    const float *a, int64_t row, int64_t term, const float *b, int64_t ld_b, float *c,
    int64_t ld_c, int64_t n_rows, int64_t n_columns, int64_t depth, int add, const int of)
{
    int64_t j = 0;
    for (; j + TILE_COLUMNS <= n_columns; j += TILE_COLUMNS)
        panel(a, row, term, b + j, ld_b, c + j, ld_c, n_rows, depth, add, 2, of);
    for (; j < n_columns; j += LANES)
        panel(a, row, term, b + j, ld_b, c + j, ld_c, n_rows, depth, add, 1, of);
}

/* c (n_rows, n_columns) = a (n_rows, depth) b (depth, n_columns), added to c where told. The
 * columns of b and c are whole vectors; element (i, p) of a lies at i * row + p * term, so that a
 * may be the transpose of what is stored. */
static void product(const float *a, int64_t row, int64_t term, const float *b, int64_t ld_b,
                    float *c, int64_t ld_c, int64_t n_rows, int64_t n_columns, int64_t depth,
                    int add)
{
    panels(a, row, term, b, ld_b, c, ld_c, n_rows, n_columns, depth, add, NUMBERS);
}

#endif

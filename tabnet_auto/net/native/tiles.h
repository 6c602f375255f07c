/* Products of bf16 pairs by the matrix unit that some CPUs have (AMX): a tile of 16 rows of 16
 * pairs times one of 16 pairs of 16 columns at once. Tiles are filled from memory, row by row.
 */
#ifndef TILES_H
#define TILES_H
#include "vectors.h"

/* Whether this CPU has the unit and the system lets the process use it (pairs.c asks once). */
int tiles_are_usable(void);

#if defined(__AMX_BF16__) && defined(__linux__)
#define SIDE 16
/* Pairs along the depth that are transposed and multiplied before the next are. */
#define DEPTH_AT_ONCE 64

/* What the unit is told of its tiles: all have 16 rows of 64 bytes. */
typedef struct {
    uint8_t palette, start_row, unused[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} Tiles;

static inline void begin_tiles(void)
{
    Tiles tiles = {.palette = 1};
    for (int i = 0; i < 8; i++)
        tiles.bytes[i] = 4 * SIDE, tiles.rows[i] = SIDE;
    __asm__ volatile("ldtilecfg %0" : : "m"(tiles));
}

/* The compiler does not know what the unit reads and writes. */
static inline void finish_stores(void) { __asm__ volatile("" : : : "memory"); }

/* c (16 rows a or 32, 16 columns b or 32) = a b, or c + a b. */
static inline __attribute__((always_inline)) void tile_block(
    const float *a, int64_t row, const float *b, int64_t ld_b, float *c, int64_t ld_c,
    int64_t depth, int add, const int two_down, const int two_across)
{
    const long a_bytes = 4 * row, b_bytes = 4 * ld_b, c_bytes = 4 * ld_c;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (add) {
        _tile_loadd(0, c, c_bytes);
        if (two_across)
            _tile_loadd(1, c + SIDE, c_bytes);
        if (two_down)
            _tile_loadd(2, c + SIDE * ld_c, c_bytes);
        if (two_down && two_across)
            _tile_loadd(3, c + SIDE * ld_c + SIDE, c_bytes);
    }
    for (int64_t p = 0; p < depth; p += SIDE, a += SIDE, b += SIDE * ld_b) {
        _tile_loadd(4, a, a_bytes);
        _tile_loadd(6, b, b_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if (two_across) {
            _tile_loadd(7, b + SIDE, b_bytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_down) {
            _tile_loadd(5, a + SIDE * row, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (two_down && two_across)
            _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if (two_across)
        _tile_stored(1, c + SIDE, c_bytes);
    if (two_down)
        _tile_stored(2, c + SIDE * ld_c, c_bytes);
    if (two_down && two_across)
        _tile_stored(3, c + SIDE * ld_c + SIDE, c_bytes);
}

/* All columns of 16 or 32 rows. */
static inline __attribute__((always_inline)) void tile_rows(
    const float *a, int64_t row, const float *b, int64_t ld_b, float *c, int64_t ld_c,
    int64_t n_columns, int64_t depth, int add, const int two_down)
{
    int64_t j = 0;
    for (; j + SIDE < n_columns; j += 2 * SIDE)
        tile_block(a, row, b + j, ld_b, c + j, ld_c, depth, add, two_down, 1);
    if (j < n_columns)
        tile_block(a, row, b + j, ld_b, c + j, ld_c, depth, add, two_down, 0);
}

/* All columns of a number of whole tiles of rows. */
static void tile_panel(const float *a, int64_t row, const float *b, int64_t ld_b, float *c,
                       int64_t ld_c, int64_t n_rows, int64_t n_columns, int64_t depth, int add)
{
    finish_stores();
    int64_t i = 0;
    for (; i + SIDE < n_rows; i += 2 * SIDE)
        tile_rows(a + i * row, row, b, ld_b, c + i * ld_c, ld_c, n_columns, depth, add, 1);
    if (i < n_rows)
        tile_rows(a + i * row, row, b, ld_b, c + i * ld_c, ld_c, n_columns, depth, add, 0);
    finish_stores();
}

/* c (n_rows, n_columns) = a b, or c + a b: pairs of a number of whole tiles down and along the
 * depth, and columns of whole vectors. Where columns of a lie in memory as rows, parts of a are
 * transposed first. */
static void product_by_tiles(const float *a, int64_t row, int64_t term, const float *b,
                             int64_t ld_b, float *c, int64_t ld_c, int64_t n_rows,
                             int64_t n_columns, int64_t depth, int add)
{
    begin_tiles();
    if (term == 1)
        tile_panel(a, row, b, ld_b, c, ld_c, n_rows, n_columns, depth, add);
    for (int64_t p = 0; term != 1 && p < depth; p += DEPTH_AT_ONCE) {
        int64_t n = depth - p < DEPTH_AT_ONCE ? depth - p : DEPTH_AT_ONCE;
        for (int64_t i = 0; i < n_rows; i += 2 * SIDE) {
            float copy[2 * SIDE * DEPTH_AT_ONCE] __attribute__((aligned(64)));
            int64_t down = n_rows - i < 2 * SIDE ? SIDE : 2 * SIDE;
            for (int64_t k = 0; k < n; k += SIDE)
                for (int64_t r = 0; r < down; r += SIDE)
                    transpose(a + (p + k) * term + i + r, term, copy + r * DEPTH_AT_ONCE + k,
                              DEPTH_AT_ONCE);
            tile_panel(copy, DEPTH_AT_ONCE, b + p * ld_b, ld_b, c + i * ld_c, ld_c, down,
                       n_columns, n, add || p);
        }
    }
    _tile_release();
}
#else
#define SIDE 1
static void product_by_tiles(const float *a, int64_t row, int64_t term, const float *b,
                             int64_t ld_b, float *c, int64_t ld_c, int64_t n_rows,
                             int64_t n_columns, int64_t depth, int add)
{
    (void)a, (void)row, (void)term, (void)b, (void)ld_b, (void)c, (void)ld_c;
    (void)n_rows, (void)n_columns, (void)depth, (void)add;
}
#endif

#endif

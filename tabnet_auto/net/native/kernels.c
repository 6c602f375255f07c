/* Fused CPU kernels of the batched networks, single precision.
 *
 * Every array is contiguous with a leading member axis. Sizes: M members, B rows of a minibatch.
 * Work is divided so that no two threads write the same number and every sum runs in one fixed
 * order: results do not depend on the number of threads.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "maps.h"
#include "vectors.h"

#define CHUNK 4096 /* numbers that one task works through */

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- maps from logits to attention weights; rows of D columns ---- */

/* excess (n, D) of logits (n, D); weights are its squares for 1.5-entmax, itself for sparsemax. */
void excess_forward(const float *logits, float *excess, int64_t map, int64_t n_rows,
                    int64_t width)
{
    int64_t padded = whole_vectors(width);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_rows; row++) {
        float e[padded];
        load_row(e, logits + row * width, width, padded, -INFINITY);
        excess_row(e, padded, map);
        store_row(excess + row * width, e, width);
    }
}

void excess_backward(const float *grad, const float *excess, float *grad_logits, int64_t map,
                     int64_t n_rows, int64_t width)
{
    int64_t padded = whole_vectors(width);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_rows; row++) {
        float g[padded], e[padded];
        load_row(g, grad + row * width, width, padded, 0.0f);
        load_row(e, excess + row * width, width, padded, 0.0f);
        excess_backward_row(g, e, padded, map);
        store_row(grad_logits + row * width, g, width);
    }
}

/* ---- AdamW ---- */

/* squares (M,) grows by each member's sum of squares of gradients (M, n). */
void add_squares(const float *grad, double *squares, int64_t n_members, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t m = 0; m < n_members; m++) {
        double total = 0.0;
        for (int64_t start = 0; start < n; start += CHUNK) {
            const float *restrict g = grad + m * n + start;
            int64_t end = least(CHUNK, n - start);
            float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
            for (int64_t k = 0; k < end; k++)
                sum += g[k] * g[k];
            total += sum;
        }
        squares[m] += total;
    }
}

/* One step (arXiv 1711.05101) of a parameter whose members lie `stride` numbers apart, from
 * contiguous gradients (M, n). One row of `settings` a member: factor of the gradient, learning
 * rate over the first moment's correction, 1 - learning rate times decay, the root of the second
 * moment's correction, and the share of the new values in their average, which is not read where
 * that is 0; a member whose learning rate is negative stands still. */
void adamw_step(const float *grad, float *values, float *moment1, float *moment2,
                float *average, const float *settings, float beta1, float beta2, float epsilon,
                int64_t stride, int64_t n_members, int64_t n)
{
    int64_t n_chunks = (n + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < n_members * n_chunks; task++) {
        int64_t m = task / n_chunks, start = (task % n_chunks) * CHUNK;
        int64_t end = least(CHUNK, n - start);
        const float *own = settings + 5 * m;
        float clip = own[0], rate = own[1], keep = own[2], root = own[3], newest = own[4];
        const float *restrict g = grad + m * n + start;
        float *restrict p = values + m * stride + start;
        float *restrict a = moment1 + m * stride + start;
        float *restrict b = moment2 + m * stride + start;
        float *restrict w = average + m * stride + start;
        if (rate < 0.0f)
            continue;
#pragma omp simd
        for (int64_t k = 0; k < end; k++) {
            float d = clip * g[k];
            a[k] += (1.0f - beta1) * (d - a[k]);
            b[k] = beta2 * b[k] + (1.0f - beta2) * d * d;
            p[k] = keep * p[k] - rate * a[k] / (__builtin_sqrtf(b[k]) / root + epsilon);
        }
        if (newest == 0.0f)
            continue;
#pragma omp simd
        for (int64_t k = 0; k < end; k++)
            w[k] += newest * (p[k] - w[k]);
    }
}

/* ---- place of a value among quantiles ---- */

/* place (M, B, V) in [0, 1] of raw values (N, V) at an index (M, B) among each feature's quantiles
 * (M, V, Q), which do not fall: linear between neighbours; NaN stays NaN. */
void rank_values(const double *values, const int64_t *index, const double *quantiles,
                 float *place, int64_t n_members, int64_t n_batch, int64_t n_features,
                 int64_t n_quantiles)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++)
        for (int64_t i = 0; i < n_features; i++) {
            int64_t at = row * n_features + i;
            const double *q = quantiles + ((row / n_batch) * n_features + i) * n_quantiles;
            double x = values[index[row] * n_features + i];
            int64_t below = 0, size = n_quantiles - 1; /* the last quantile less than x */
            while (size > 1) {
                int64_t half = size / 2;
                below = q[below + half] < x ? below + half : below;
                size -= half;
            }
            double width = q[below + 1] - q[below];
            double share = (x - q[below]) / (width > 1e-300 ? width : 1e-300);
            share = share < 0.0 ? 0.0 : share;
            share = share > 1.0 ? 1.0 : share;
            place[at] = (float)(((double)below + share) / (double)(n_quantiles - 1));
        }
}

/* ---- levels of categories ---- */

enum { UNKNOWN_CODE, MISSING_CODE };

/* level (M, B, C) of codes (N, C) at an index (M, B): the member's own row in its table (M, codes),
 * where each feature's codes begin at `offset` (C). Missing where its column is gone (M, B,
 * columns; none without), unknown where that is told (M, B, C; none without); `column` (C) says
 * where to look. */
void encode_levels(const int32_t *codes, const int64_t *index, const int64_t *table,
                   const int64_t *offset, const uint8_t *gone, const uint8_t *unknown,
                   const int64_t *column, int64_t *level, int64_t n_members, int64_t n_batch,
                   int64_t n_features, int64_t n_columns, int64_t n_codes)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++) {
        const int32_t *own = codes + index[row] * n_features;
        const int64_t *rows_of = table + (row / n_batch) * n_codes;
        int64_t *restrict to = level + row * n_features;
        for (int64_t k = 0; k < n_features; k++)
            to[k] = rows_of[offset[k] + own[k]];
        for (int64_t k = 0; gone && k < n_features; k++)
            to[k] = gone[row * n_columns + column[k]] ? MISSING_CODE : to[k];
        for (int64_t k = 0; unknown && k < n_features; k++)
            to[k] = unknown[row * n_features + k] ? UNKNOWN_CODE : to[k];
    }
}

/* joined (M, B, V + C): values (M, B, V), then each feature's number of its level (M, B, C) in the
 * member's table (M, levels), where the feature's numbers begin at `offset` (C). */
void join_levels(const float *value, const float *table, const int64_t *level,
                 const int64_t *offset, float *joined, int64_t n_members, int64_t n_batch,
                 int64_t n_features, int64_t n_values, int64_t n_levels)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++) {
        const float *own = table + (row / n_batch) * n_levels;
        float *to = joined + row * (n_values + n_features);
        memcpy(to, value + row * n_values, (size_t)n_values * sizeof(float));
        for (int64_t k = 0; k < n_features; k++)
            to[n_values + k] = own[offset[k] + level[row * n_features + k]];
    }
}

/* Adds each number's gradients, in the order of the rows, to grad_table (M, levels). */
void join_levels_backward(const float *grad, const int64_t *level, const int64_t *offset,
                          float *grad_table, int64_t n_members, int64_t n_batch,
                          int64_t n_features, int64_t n_values, int64_t n_levels)
{
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < n_members * n_features; task++) {
        int64_t m = task / n_features, k = task % n_features;
        const float *own = grad + m * n_batch * (n_values + n_features) + n_values + k;
        const int64_t *at = level + m * n_batch * n_features + k;
        float *to = grad_table + m * n_levels + offset[k];
        for (int64_t b = 0; b < n_batch; b++)
            to[at[b * n_features]] += own[b * (n_values + n_features)];
    }
}

/* ---- numeric values, scaled and clipped ---- */

#define AT_ONCE 64 /* rows that share the inverses of their member's scales */
#define AHEAD 4 /* rows that are asked for in advance: they lie anywhere in the table */

static inline void fetch_row(const double *row, int64_t n)
{
    for (int64_t k = 0; k < n; k += 8)
        __builtin_prefetch(row + k);
}

/* Clip smoothly to (-3, 3), NaN to NaN; further out than the limit the result is the same. */
static inline Vector clip(Vector x)
{
    const float limit = 1e9f;
    x = where(x > limit, all(limit), x);
    x = where(x < -limit, all(-limit), x);
    return x * reciprocal_root(1.0f + x * x * (1.0f / 9.0f));
}

/* value (M, B, V) of raw numbers (N, P) and statistics (N', Q), each at an index (M, B), V = P + Q:
 * numbers are centred and scaled by each member's tables (M, P), all are clipped smoothly. NaN and
 * what is gone (M, B, columns; none without) is missing (M, B, V) and 0; `column` (V) says where
 * to look. */
void encode_values(const double *numbers, const int64_t *index, const float *statistics,
                   const int64_t *index_statistics, const double *center, const double *scale,
                   const uint8_t *gone, const int64_t *column, float *value, uint8_t *missing,
                   int64_t n_members, int64_t n_batch, int64_t n_numbers, int64_t n_statistics,
                   int64_t n_columns)
{
    int64_t n = n_numbers + n_statistics, n_blocks = (n_batch + AT_ONCE - 1) / AT_ONCE;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < n_members * n_blocks; task++) {
        int64_t m = task / n_blocks, start = m * n_batch + task % n_blocks * AT_ONCE;
        int64_t n_rows = least(AT_ONCE, (m + 1) * n_batch - start), size = n_rows * n;
        const double *restrict middle = center + m * n_numbers;
        double inverse[n_numbers + 1];
        float z[AT_ONCE * n + LANES];
        float *restrict to = value + start * n;
        uint8_t *restrict lacks = missing + start * n;
        for (int64_t k = 0; k < n_numbers; k++)
            inverse[k] = 1.0 / scale[m * n_numbers + k];
        for (int64_t r = 0; r < n_rows; r++) {
            const double *restrict from = numbers + index[start + r] * n_numbers;
            float *restrict own = z + r * n;
            fetch_row(numbers + index[start + least(r + AHEAD, n_rows - 1)] * n_numbers, n_numbers);
            for (int64_t k = 0; k < n_numbers; k++)
                own[k] = (float)((from[k] - middle[k]) * inverse[k]);
            if (n_statistics)
                memcpy(own + n_numbers, statistics + index_statistics[start + r] * n_statistics,
                       (size_t)n_statistics * sizeof(float));
        }
        memset(z + size, 0, LANES * sizeof(float));
        for (int64_t k = 0; k < size; k += LANES)
            store(z + k, clip(load(z + k)));
        for (int64_t k = 0; k < size; k++)
            lacks[k] = z[k] != z[k];
        for (int64_t r = 0; gone && r < n_rows; r++)
            for (int64_t k = 0; k < n; k++)
                lacks[r * n + k] |= gone[(start + r) * n_columns + column[k]];
        for (int64_t k = 0; k < size; k++)
            to[k] = lacks[k] ? 0.0f : z[k];
    }
}

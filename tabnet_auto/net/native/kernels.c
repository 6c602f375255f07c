/* Fused CPU kernels of the batched networks, single precision.
 *
 * Every array is contiguous with a leading member axis. Sizes: M members, B rows of a minibatch,
 * V piecewise-linear features, R rows of a feature's table, H columns of a table. Work is divided so that no two threads write the same number and every
 * sum runs in one fixed order: results do not depend on the number of threads.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "maps.h"

#define BLOCK 64 /* columns whose sums stay in registers */
#define CHUNK 4096 /* numbers that one task works through */
#define SELU_SCALE 1.0507009873554805f
#define SELU_ALPHA 1.6732632423543772f

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* exp with a relative error of 2e-7 (Cephes) between -60 and 60, in a form that compilers
 * vectorise. Further out nothing that is computed here differs, and products with the end value
 * would be subnormal numbers, which cost a hundred cycles each. */
static inline float fast_exp(float x)
{
    x = x < -60.0f ? -60.0f : x;
    x = x > 60.0f ? 60.0f : x;
    float n = __builtin_floorf(x * 1.44269504088896341f + 0.5f);
    x = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * x + 1.3981999507e-3f;
    p = p * x + 8.3334519073e-3f;
    p = p * x + 4.1665795894e-2f;
    p = p * x + 1.6666665459e-1f;
    p = p * x + 5.0000001201e-1f;
    p = p * x * x + x + 1.0f;
    union { int32_t i; float f; } power;
    power.i = ((int32_t)n + 127) << 23;
    return p * power.f;
}

/* ---- piecewise-linear features: a row reads three rows of each feature's table at most ---- */

/* A feature's table has the rows: value, knots 1 ... n, missing (R = n + 2; knot 0 is zero). A
 * row with value v at position p n = k + f between the knots reads
 * v value + (1 - f) knot[k] + f knot[k + 1], or the missing row alone. */
typedef struct { int64_t row[3]; float factor[3]; } Reading;

static inline Reading read_feature(float value, float position, uint8_t missing, int64_t n_rows)
{
    int64_t n_knots = n_rows - 2;
    if (missing) {
        Reading empty = {{n_rows - 1, 0, 0}, {1.0f, 0.0f, 0.0f}};
        return empty;
    }
    if (n_knots == 0) {
        Reading line = {{0, 0, 0}, {value, 0.0f, 0.0f}};
        return line;
    }
    float place = position * (float)n_knots;
    int64_t k = least((int64_t)place, n_knots - 1);
    float share = place - (float)k;
    Reading reading = {{0, k, k + 1}, {value, k ? 1.0f - share : 0.0f, share}};
    return reading;
}

/* out (M, B, H) = sum over features of weight (M, B, V) times what the row reads. */
void piecewise_sum(const float *restrict value, const float *restrict position,
                   const uint8_t *restrict missing,
                   const float *restrict weight, const float *restrict table, float *restrict out,
                   int64_t n_members, int64_t n_batch, int64_t n_features, int64_t n_rows,
                   int64_t width)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++) {
        const float *tables = table + (row / n_batch) * n_features * n_rows * width;
        float *to = out + row * width;
        for (int64_t start = 0; start < width; start += BLOCK) {
            int64_t n = least(BLOCK, width - start);
            float sum[BLOCK] = {0};
            for (int64_t i = 0; i < n_features; i++) {
                int64_t at = row * n_features + i;
                Reading r = read_feature(value[at], position[at], missing[at], n_rows);
                float w = weight ? weight[at] : 1.0f;
                const float *t = tables + i * n_rows * width + start;
                const float *t0 = t + r.row[0] * width, *t1 = t + r.row[1] * width,
                            *t2 = t + r.row[2] * width;
                float a = w * r.factor[0], b = w * r.factor[1], c = w * r.factor[2];
                if (n == BLOCK)
                    for (int64_t h = 0; h < BLOCK; h++)
                        sum[h] += a * t0[h] + b * t1[h] + c * t2[h];
                else
                    for (int64_t h = 0; h < n; h++)
                        sum[h] += a * t0[h] + b * t1[h] + c * t2[h];
            }
            memcpy(to + start, sum, (size_t)n * sizeof(float));
        }
    }
}

/* out (M, B, V) = scalar product of vector (M, B, H) with what the row reads. */
void piecewise_dot(const float *restrict value, const float *restrict position,
                   const uint8_t *restrict missing,
                   const float *restrict vector, const float *restrict table, float *restrict out,
                   int64_t n_members, int64_t n_batch, int64_t n_features, int64_t n_rows,
                   int64_t width)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++) {
        const float *tables = table + (row / n_batch) * n_features * n_rows * width;
        const float *v = vector + row * width;
        for (int64_t i = 0; i < n_features; i++) {
            int64_t at = row * n_features + i;
            Reading r = read_feature(value[at], position[at], missing[at], n_rows);
            const float *t = tables + i * n_rows * width;
            const float *t0 = t + r.row[0] * width, *t1 = t + r.row[1] * width,
                        *t2 = t + r.row[2] * width;
            float a = r.factor[0], b = r.factor[1], c = r.factor[2], sum = 0.0f;
            for (int64_t h = 0; h < width; h++)
                sum += v[h] * (a * t0[h] + b * t1[h] + c * t2[h]);
            out[at] = sum;
        }
    }
}

static inline void scale_row(float *restrict row, float factor, int64_t n)
{
    for (int64_t h = 0; h < n; h++)
        row[h] *= factor;
}

/* Tables (M, V, R, H) for the functions above, from weights (M, V, R, H) of the elements of a
 * piecewise-linear encoding times scale (M, V, R) times a factor: the bins' rows become running
 * sums, value and missing rows stay. Weights and scales of members lie strides apart. */
void knots_forward(const float *restrict weight, const float *restrict scale,
                   float *restrict out, float factor, int64_t weight_stride,
                   int64_t scale_stride, int64_t n_members, int64_t n_features, int64_t n_rows,
                   int64_t width)
{
#pragma omp parallel for schedule(static)
    for (int64_t pair = 0; pair < n_members * n_features; pair++)
        for (int64_t j = 0; j < n_rows; j++) {
            int64_t m = pair / n_features, at = (pair % n_features) * n_rows + j;
            const float *restrict from = weight + m * weight_stride + at * width;
            float *to = out + (pair * n_rows + j) * width;
            float s = factor * scale[m * scale_stride + at];
            if (j > 1 && j < n_rows - 1)
                for (int64_t h = 0; h < width; h++)
                    to[h] = to[h - width] + s * from[h];
            else
                for (int64_t h = 0; h < width; h++)
                    to[h] = s * from[h];
        }
}

/* Gradients of weight (M, V, R, H) and scale (M, V, R), contiguous, of either function above:
 * the sum over rows of `row_weight` (M, B, V; 1 without) times reading times vector (M, B, H). */
void knots_backward(const float *value, const float *position, const uint8_t *missing,
                    const float *row_weight, const float *vector, const float *weight,
                    const float *scale, float *grad_weight, float *grad_scale, float factor,
                    int64_t weight_stride, int64_t scale_stride, int64_t n_members,
                    int64_t n_batch, int64_t n_features, int64_t n_rows, int64_t width)
{
#pragma omp parallel for schedule(static)
    for (int64_t pair = 0; pair < n_members * n_features; pair++) {
        int64_t m = pair / n_features, i = pair % n_features;
        float *t = grad_weight + pair * n_rows * width;
        memset(t, 0, (size_t)(n_rows * width) * sizeof(float));
        for (int64_t b = 0; b < n_batch; b++) {
            int64_t row = m * n_batch + b, at = row * n_features + i;
            Reading r = read_feature(value[at], position[at], missing[at], n_rows);
            float w = row_weight ? row_weight[at] : 1.0f;
            const float *restrict v = vector + row * width;
            for (int j = 0; j < 3; j++) {
                float share = w * r.factor[j];
                float *restrict to = t + r.row[j] * width;
                if (share != 0.0f)
                    for (int64_t h = 0; h < width; h++)
                        to[h] += share * v[h];
            }
        }
        /* From the gradient of the table to that of weight and scale, from the last row up. */
        for (int64_t j = n_rows - 1; j >= 0; j--) {
            int64_t of_member = i * n_rows + j;
            const float *restrict from = weight + m * weight_stride + of_member * width;
            float *restrict to = t + j * width;
            float s = factor * scale[m * scale_stride + of_member], sum = 0.0f;
            if (j >= 1 && j < n_rows - 2)
                for (int64_t h = 0; h < width; h++)
                    to[h] += to[h + width];
            for (int64_t h = 0; h < width; h++)
                sum += to[h] * from[h];
            grad_scale[pair * n_rows + j] = factor * sum;
            if (j < n_rows - 1) /* the row below is no longer needed as it was */
                scale_row(to + width, factor * scale[m * scale_stride + of_member + 1], width);
            if (j == 0)
                scale_row(to, s, width);
        }
    }
}

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

/* ---- parametric SELU and dropout ---- */

static inline float selu(float x)
{
    return SELU_SCALE * (x > 0.0f ? x : SELU_ALPHA * (fast_exp(x) - 1.0f));
}

/* y (M, B, H) = keep ((1 - share) x + share selu(x)); share (M, H) of members `stride` apart.
 * keep is the member's scale where the row's random byte is at least its threshold, else 0; 1
 * without bytes. */
void selu_forward(const float *x, const float *share, const uint8_t *bytes, float *y,
                  const float *scales, const int64_t *thresholds, int64_t stride,
                  int64_t n_members, int64_t n_batch, int64_t width)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++) {
        const float *restrict from = x + row * width;
        const float *restrict a = share + (row / n_batch) * stride;
        const uint8_t *restrict random = bytes + row * width;
        float *restrict to = y + row * width;
        float scale = bytes ? scales[row / n_batch] : 1.0f;
        uint16_t threshold = bytes ? (uint16_t)thresholds[row / n_batch] : 0;
#pragma omp simd
        for (int64_t k = 0; k < width; k++)
            to[k] = from[k] + a[k] * (selu(from[k]) - from[k]);
        if (bytes)
#pragma omp simd
            for (int64_t k = 0; k < width; k++)
                to[k] = random[k] >= threshold ? scale * to[k] : 0.0f;
    }
}

/* Gradients of x, and of share (M, H). */
void selu_backward(const float *grad, const float *x, const float *share, const uint8_t *bytes,
                   float *grad_x, float *grad_share, const float *scales,
                   const int64_t *thresholds, int64_t stride, int64_t n_members,
                   int64_t n_batch, int64_t width)
{
    int64_t n_blocks = (width + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < n_members * n_blocks; task++) {
        int64_t m = task / n_blocks, start = (task % n_blocks) * BLOCK;
        int64_t n = least(BLOCK, width - start);
        const float *restrict a = share + m * stride + start;
        float scale = bytes ? scales[m] : 1.0f;
        uint16_t threshold = bytes ? (uint16_t)thresholds[m] : 0;
        float sum[BLOCK] = {0};
        for (int64_t b = 0; b < n_batch; b++) {
            int64_t at = (m * n_batch + b) * width + start;
            const float *restrict g = grad + at, *restrict from = x + at;
            const uint8_t *restrict random = bytes + at;
            float *restrict to = grad_x + at;
            float kept[BLOCK];
            for (int64_t k = 0; k < n; k++)
                kept[k] = g[k];
            if (bytes)
#pragma omp simd
                for (int64_t k = 0; k < n; k++)
                    kept[k] = random[k] >= threshold ? scale * g[k] : 0.0f;
#pragma omp simd
            for (int64_t k = 0; k < n; k++) {
                float value = selu(from[k]);
                float slope = from[k] > 0.0f ? SELU_SCALE : value + SELU_SCALE * SELU_ALPHA;
                to[k] = kept[k] * (1.0f + a[k] * (slope - 1.0f));
                sum[k] += kept[k] * (value - from[k]);
            }
        }
        memcpy(grad_share + m * width + start, sum, (size_t)n * sizeof(float));
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
 * rate over the first moment's correction, 1 - learning rate times decay, and the root of the
 * second moment's correction; a member whose learning rate is negative stands still. */
void adamw_step(const float *grad, float *values, float *moment1, float *moment2,
                const float *settings, float beta1, float beta2, float epsilon, int64_t stride,
                int64_t n_members, int64_t n)
{
    int64_t n_chunks = (n + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < n_members * n_chunks; task++) {
        int64_t m = task / n_chunks, start = (task % n_chunks) * CHUNK;
        int64_t end = least(CHUNK, n - start);
        const float *own = settings + 4 * m;
        float clip = own[0], rate = own[1], keep = own[2], root = own[3];
        const float *restrict g = grad + m * n + start;
        float *restrict p = values + m * stride + start;
        float *restrict a = moment1 + m * stride + start;
        float *restrict b = moment2 + m * stride + start;
        if (rate < 0.0f)
            continue;
#pragma omp simd
        for (int64_t k = 0; k < end; k++) {
            float d = clip * g[k];
            a[k] += (1.0f - beta1) * (d - a[k]);
            b[k] = beta2 * b[k] + (1.0f - beta2) * d * d;
            p[k] = keep * p[k] - rate * a[k] / (__builtin_sqrtf(b[k]) / root + epsilon);
        }
    }
}

/* ---- place of a value among quantiles ---- */

/* place (M, B, V) in [0, 1] of raw values among each feature's quantiles (M, V, Q), which do not
 * fall: linear between neighbours; NaN stays NaN. */
void rank_values(const double *values, const double *quantiles, float *place, int64_t n_members,
                 int64_t n_batch, int64_t n_features, int64_t n_quantiles)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++)
        for (int64_t i = 0; i < n_features; i++) {
            int64_t at = row * n_features + i;
            const double *q = quantiles + ((row / n_batch) * n_features + i) * n_quantiles;
            double x = values[at];
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

/* ---- numeric values, scaled and clipped ---- */

/* value (M, B, V) of raw numbers (M, B, P) and statistics (M, B, Q), V = P + Q: numbers are
 * centred and scaled by each member's tables (M, P), all are clipped smoothly to (-3, 3). NaN and
 * what is gone (M, B, columns; none without) is missing (M, B, V) and 0; `column` (V) says where
 * to look. */
void encode_values(const double *numbers, const float *statistics, const double *center,
                   const double *scale, const uint8_t *gone, const int64_t *column, float *value,
                   uint8_t *missing, int64_t n_members, int64_t n_batch, int64_t n_numbers,
                   int64_t n_statistics, int64_t n_columns)
{
    int64_t n = n_numbers + n_statistics;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < n_members * n_batch; row++) {
        const double *restrict from = numbers + row * n_numbers;
        const double *restrict middle = center + (row / n_batch) * n_numbers;
        const double *restrict width = scale + (row / n_batch) * n_numbers;
        const uint8_t *own = gone + row * n_columns;
        float *restrict to = value + row * n;
        uint8_t *restrict lacks = missing + row * n;
        for (int64_t k = 0; k < n_numbers; k++)
            to[k] = (float)((from[k] - middle[k]) / width[k]);
        memcpy(to + n_numbers, statistics + row * n_statistics,
               (size_t)n_statistics * sizeof(float));
        for (int64_t k = 0; k < n; k++)
            lacks[k] = to[k] != to[k];
        if (gone)
            for (int64_t k = 0; k < n; k++)
                lacks[k] |= own[column[k]];
        for (int64_t k = 0; k < n; k++) {
            float third = to[k] / 3.0f, clipped = to[k] / __builtin_sqrtf(1.0f + third * third);
            to[k] = lacks[k] ? 0.0f : clipped;
        }
    }
}

/* Maps from logits to attention weights, one row of D columns at a time. */
#ifndef MAPS_H
#define MAPS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#define EXTRA_PASSES 64 /* of Newton's method, beyond one a column */
#define TOLERANCE 9.5e-7f /* a threshold that moves by no more has arrived: 8 roundings */

enum { SPARSEMAX = 1, ENTMAX15 = 2, SOFTMAX = 3 };

/* Newton's method from below for the threshold of sparsemax: exact once the support is right. */
static inline float sparsemax_threshold_of_row(const float *restrict z, int64_t n)
{
    float tau = -1.0f, change = 1.0f;
    for (int64_t pass = 0; pass < n + EXTRA_PASSES && change > TOLERANCE; pass++) {
        float sum = 0.0f, count = 0.0f;
#pragma omp simd reduction(+ : sum, count)
        for (int64_t k = 0; k < n; k++) {
            float excess = z[k] - tau;
            sum += excess > 0.0f ? excess : 0.0f;
            count += excess > 0.0f ? 1.0f : 0.0f;
        }
        change = (sum - 1.0f) / count;
        tau += change;
    }
    return tau;
}

/* The same for 1.5-entmax, on the norm of the excess: convex and nearly linear in tau. */
static inline float entmax15_threshold_of_row(const float *restrict z, int64_t n)
{
    float tau = -1.0f, change = 1.0f;
    for (int64_t pass = 0; pass < n + EXTRA_PASSES && change > TOLERANCE; pass++) {
        float sum = 0.0f, square = 0.0f;
#pragma omp simd reduction(+ : sum, square)
        for (int64_t k = 0; k < n; k++) {
            float excess = z[k] - tau;
            excess = excess > 0.0f ? excess : 0.0f;
            sum += excess;
            square += excess * excess;
        }
        float norm = __builtin_sqrtf(square);
        change = (norm - 1.0f) * norm / sum;
        tau += change;
    }
    return tau;
}

/* From logits to relu(z - tau), in place: the weights of sparsemax, the root of those of
 * 1.5-entmax. z are the logits less the largest, halved for entmax. */
static inline void excess_row(float *restrict z, int64_t n, int64_t map)
{
    float top = z[0], factor = map == ENTMAX15 ? 0.5f : 1.0f;
#pragma omp simd reduction(max : top)
    for (int64_t k = 0; k < n; k++)
        top = z[k] > top ? z[k] : top;
    for (int64_t k = 0; k < n; k++) {
        float shifted = factor * (z[k] - top);
        z[k] = shifted < -1.0f ? -1.0f : shifted;
    }
    float tau = map == ENTMAX15 ? entmax15_threshold_of_row(z, n)
                                : sparsemax_threshold_of_row(z, n);
    for (int64_t k = 0; k < n; k++)
        z[k] = z[k] - tau < 0.0f ? 0.0f : z[k] - tau;
}

/* From the gradient of the weights to that of the logits, in place. */
static inline void excess_backward_row(float *restrict grad, const float *restrict excess,
                                       int64_t n, int64_t map)
{
    float sum = 0.0f, total = 0.0f;
    if (map == ENTMAX15) {
#pragma omp simd reduction(+ : sum, total)
        for (int64_t k = 0; k < n; k++) {
            sum += grad[k] * excess[k];
            total += excess[k];
        }
        float mean = sum / total;
        for (int64_t k = 0; k < n; k++)
            grad[k] = excess[k] * (grad[k] - mean);
    } else {
#pragma omp simd reduction(+ : sum, total)
        for (int64_t k = 0; k < n; k++) {
            sum += excess[k] > 0.0f ? grad[k] : 0.0f;
            total += excess[k] > 0.0f ? 1.0f : 0.0f;
        }
        float mean = sum / total;
        for (int64_t k = 0; k < n; k++)
            grad[k] = excess[k] > 0.0f ? grad[k] - mean : 0.0f;
    }
}

/* Rows are worked on in local copies of whole vectors: the rest of a row that does not fill one
 * would cost as much as the row. */
static inline int64_t whole_vectors(int64_t n) { return (n + 15) / 16 * 16; }

static inline void load_row(float *restrict to, const float *restrict from, int64_t n,
                            int64_t padded, float filling)
{
    for (int64_t k = n; k < padded; k++)
        to[k] = filling;
    memcpy(to, from, (size_t)n * sizeof(float));
}

static inline void store_row(float *restrict to, const float *restrict from, int64_t n)
{
    memcpy(to, from, (size_t)n * sizeof(float));
}

#endif

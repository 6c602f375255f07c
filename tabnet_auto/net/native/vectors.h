/* Vectors of as many numbers as the machine computes at once, in the compilers' own notation, and
 * the few functions that they lack. Arrays are walked in whole vectors: rows are padded. */
#ifndef VECTORS_H
#define VECTORS_H
#include <stdint.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef int32_t Whole __attribute__((vector_size(4 * LANES)));
/* What lies in memory need not begin at a multiple of its size. */
typedef float Loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static inline Vector load(const float *from) { return *(const Loose *)from; }
static inline void store(float *to, Vector value) { *(Loose *)to = value; }
static inline Vector all(float value) { return (Vector){0} + value; }

static inline Vector where(Whole condition, Vector yes, Vector no)
{
    return (Vector)((condition & (Whole)yes) | (~condition & (Whole)no));
}

static inline Vector larger(Vector a, Vector b)
{
#if defined(__AVX512F__)
    return (Vector)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX__)
    return (Vector)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return where(a > b, a, b);
#endif
}

static inline Vector smaller(Vector a, Vector b)
{
#if defined(__AVX512F__)
    return (Vector)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX__)
    return (Vector)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return where(a < b, a, b);
#endif
}
static inline Vector positive(Vector a) { return larger(a, all(0.0f)); }
/* 1 where a number is positive, else 0. */
static inline Vector is_positive(Vector a) { return (Vector)((a > 0.0f) & (Whole)all(1.0f)); }

static inline int any(Whole condition)
{
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)condition, (__m512i)condition) != 0;
#elif defined(__AVX__)
    return !_mm256_testz_si256((__m256i)condition, (__m256i)condition);
#else
    int found = 0;
    for (int i = 0; i < LANES; i++)
        found |= condition[i];
    return found != 0;
#endif
}

static inline float total_of(Vector a)
{
    float sum = 0.0f;
    for (int i = 0; i < LANES; i++)
        sum += a[i];
    return sum;
}

static inline Vector root(Vector a)
{
#if defined(__AVX512F__)
    return (Vector)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX__)
    return (Vector)_mm256_sqrt_ps((__m256)a);
#else
    for (int i = 0; i < LANES; i++)
        a[i] = __builtin_sqrtf(a[i]);
    return a;
#endif
}

/* The nearest whole number, of numbers between -127 and 127. */
static inline Vector nearest(Vector x)
{
#if defined(__AVX512F__)
    return (Vector)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT);
#elif defined(__AVX__)
    return (Vector)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    /* What is converted is positive, so that cutting off its fraction rounds. */
    return __builtin_convertvector(__builtin_convertvector(x + 128.5f, Whole) - 128, Vector);
#endif
}

/* x 2^n of whole numbers n that leave the result a normal number. */
static inline Vector times_power_of_two(Vector x, Vector n)
{
#if defined(__AVX512F__)
    return (Vector)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
    return x * (Vector)((__builtin_convertvector(n, Whole) + 127) << 23);
#endif
}

/* exp with a relative error of 2e-7 (Cephes) between -60 and 60, and constant further out. */
static inline Vector exp_of(Vector x)
{
    x = smaller(larger(x, all(-60.0f)), all(60.0f));
    Vector whole = nearest(x * 1.44269504088896341f);
    x = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    Vector p = x * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * x + 8.3334519073e-3f;
    p = p * x + 4.1665795894e-2f;
    p = p * x + 1.6666665459e-1f;
    p = p * x + 5.0000001201e-1f;
    p = p * (x * x) + x + 1.0f;
    return times_power_of_two(p, whole);
}

/* log of normal positive numbers with a relative error of 2e-7 (Cephes). */
static inline Vector log_of(Vector x)
{
    Whole bits = (Whole)x;
    Vector n = __builtin_convertvector((bits >> 23) - 126, Vector);
    Vector m = (Vector)((bits & 0x007fffff) | 0x3f000000);
    Vector low = (Vector)((m < 0.70710678f) & (Whole)all(1.0f));
    n = n - low;
    m = m + m * low - 1.0f;
    Vector p = m * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    p = p * m * (m * m) - n * 2.12194440e-4f - m * m * 0.5f;
    return m + p + n * 0.693359375f;
}

/* 1 / x with a relative error of 2e-7: an estimate of 14 bits, which one step of Newton doubles. */
static inline Vector reciprocal(Vector x)
{
#if defined(__AVX512F__)
    Vector near = (Vector)_mm512_rcp14_ps((__m512)x);
    return near * (2.0f - x * near);
#else
    return 1.0f / x;
#endif
}

/* 1 / root of x with a relative error of 2e-7, in the same way. */
static inline Vector reciprocal_root(Vector x)
{
#if defined(__AVX512F__)
    Vector near = (Vector)_mm512_rsqrt14_ps((__m512)x);
    return near * (1.5f - 0.5f * x * near * near);
#else
    return 1.0f / root(x);
#endif
}

static inline Vector sigmoid_of(Vector x) { return reciprocal(1.0f + exp_of(-x)); }

/* to[k] = column k of LANES rows that lie `ld_from` apart, for LANES columns; and the way back,
 * which is the same. Vectors trade halves of pairs, pairs of pairs, and so on, where the compiler
 * has a word for it. */
#if LANES >= 8 && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLES 1
#endif
#endif
static inline void transpose(const float *restrict from, int64_t ld_from, float *restrict to,
                             int64_t ld_to)
{
#ifdef SHUFFLES
    Vector a[LANES], b[LANES];
#define EACH_PAIR(distance, in, out) \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & distance)) { \
        out[i] = __builtin_shufflevector(in[i], in[i + distance], FIRST_##distance); \
        out[i + distance] = __builtin_shufflevector(in[i], in[i + distance], SECOND_##distance); \
    }
#if LANES == 16
#define FIRST_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define FIRST_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define FIRST_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define FIRST_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define SECOND_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define SECOND_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define SECOND_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define SECOND_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#else
#define FIRST_1 0, 8, 2, 10, 4, 12, 6, 14
#define FIRST_2 0, 1, 8, 9, 4, 5, 12, 13
#define FIRST_4 0, 1, 2, 3, 8, 9, 10, 11
#define SECOND_1 1, 9, 3, 11, 5, 13, 7, 15
#define SECOND_2 2, 3, 10, 11, 6, 7, 14, 15
#define SECOND_4 4, 5, 6, 7, 12, 13, 14, 15
#endif
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) a[i] = load(from + i * ld_from);
    EACH_PAIR(1, a, b)
    EACH_PAIR(2, b, a)
    EACH_PAIR(4, a, b)
#if LANES == 16
    EACH_PAIR(8, b, a)
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) store(to + i * ld_to, a[i]);
#else
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) store(to + i * ld_to, b[i]);
#endif
#else
    for (int k = 0; k < LANES; k++)
        for (int i = 0; i < LANES; i++)
            to[k * ld_to + i] = from[i * ld_from + k];
#endif
}

#endif

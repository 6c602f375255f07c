/* How fast products in bf16 pairs are, and how exact. */
#define _GNU_SOURCE /* for clock_gettime and syscall */
#include <math.h>
#include <time.h>
#if defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include "pairs.h"

/* Linux keeps the tiles of processes that ask for them (arch_prctl), once and for all threads. */
int tiles_are_usable(void)
{
#if defined(__AMX_BF16__) && defined(__linux__)
    enum { ASK_FOR = 0x1023, TILES = 18, UNKNOWN = -1 };
    static int allowed = UNKNOWN;
    if (allowed == UNKNOWN)
        allowed = syscall(SYS_arch_prctl, ASK_FOR, TILES) == 0;
    return allowed;
#else
    return 0;
#endif
}

enum { ROWS = 128, DEPTH = 128, COLUMNS = 128, TRIES = 10 };

/* Seconds of this thread: others may want the core, too. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* found[0] = seconds in single precision over seconds in pairs, rounding included, each the best
 * of a few tries; found[1] = the largest difference, over the sum of the products' sizes. */
void measure_pairs(double *found)
{
    static _Thread_local float a[ROWS * DEPTH], b[DEPTH * COLUMNS], sizes[ROWS * COLUMNS];
    static _Thread_local float exact[ROWS * COLUMNS], c[ROWS * COLUMNS];
    static _Thread_local float a_pairs[ROWS * DEPTH / 2], b_pairs[DEPTH / 2 * COLUMNS];
    uint32_t random = 1;
    for (int64_t k = 0; k < ROWS * DEPTH; k++) {
        random = random * 1664525u + 1013904223u;
        a[k] = (float)random * 0x1p-31f - 1.0f;
        b[k] = (float)(random << 13) * 0x1p-31f - 1.0f;
    }
    double plain = INFINITY, paired = INFINITY;
    for (int i = 0; i < TRIES; i++) {
        double start = seconds();
        product(a, DEPTH, 1, b, COLUMNS, exact, COLUMNS, ROWS, COLUMNS, DEPTH, 0);
        double middle = seconds();
        pair_columns(a, DEPTH, a_pairs, DEPTH / 2, ROWS, DEPTH);
        pair_rows(b, COLUMNS, b_pairs, COLUMNS, DEPTH, COLUMNS);
        product_of_pairs(a_pairs, DEPTH / 2, 1, b_pairs, COLUMNS, c, COLUMNS, ROWS, COLUMNS,
                         DEPTH / 2, 0);
        plain = fmin(plain, middle - start), paired = fmin(paired, seconds() - middle);
    }
    found[0] = plain / paired, found[1] = 0.0;
    for (int64_t k = 0; k < ROWS * DEPTH; k++)
        a[k] = fabsf(a[k]), b[k] = fabsf(b[k]);
    product(a, DEPTH, 1, b, COLUMNS, sizes, COLUMNS, ROWS, COLUMNS, DEPTH, 0);
    for (int64_t k = 0; k < ROWS * COLUMNS; k++)
        found[1] = fmax(found[1], (double)fabsf(c[k] - exact[k]) / (double)sizes[k]);
}

/* Walks down decision trees. */
#include <stdint.h>

#define BLOCK 64 /* rows that go down one tree together: its nodes stay in the cache */

/* leaf (n, T) of rows x (n, D) in T trees that begin at root (T). All trees' nodes lie one after
 * another: a row goes left where x[feature] is at most the threshold, or, where levels is not
 * negative, where goes_left (n_splits, 256) says so of the category's number; where x is NaN, if
 * missing_left. A leaf's left is the leaf itself. */
void walk_trees(const double *x, const int32_t *feature, const double *threshold,
                const int32_t *left, const int32_t *right, const uint8_t *missing_left,
                const int32_t *levels, const uint8_t *goes_left, const int32_t *root,
                int32_t *leaf, int64_t n_rows, int64_t n_columns, int64_t n_trees)
{
#pragma omp parallel for schedule(static)
    for (int64_t start = 0; start < n_rows; start += BLOCK) {
        int64_t end = start + BLOCK < n_rows ? start + BLOCK : n_rows;
        for (int64_t tree = 0; tree < n_trees; tree++)
            for (int64_t row = start; row < end; row++) {
                const double *own = x + row * n_columns;
                int32_t at = root[tree];
                while (left[at] != at) {
                    double value = own[feature[at]];
                    int goes;
                    if (value != value)
                        goes = missing_left[at];
                    else if (levels[at] >= 0) {
                        double number = value < 0.0 ? 0.0 : value > 255.0 ? 255.0 : value;
                        goes = goes_left[(int64_t)levels[at] * 256 + (int64_t)number];
                    } else
                        goes = value <= threshold[at];
                    at = goes ? left[at] : right[at];
                }
                leaf[row * n_trees + tree] = at;
            }
    }
}

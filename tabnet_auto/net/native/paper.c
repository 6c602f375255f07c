/* The published TabNet (arXiv 1908.07442) as one kernel each way, or of both, single precision.
 *
 * Every member's virtual batch passes through the whole network on its own, so that what a layer
 * puts out is still in the cache when the next one reads it. Sizes: M members, B rows of a
 * minibatch, F features, D columns, O outputs, T steps, W = n_d + n_a, L layers of a transformer.
 * Transformer 0 is the splitter, transformer t belongs to step t.
 *
 * Arrays within the kernel have rows of whole vectors, filled with zeros; a gated layer's two
 * halves are filled each on its own. Gradients of weights are sums over virtual batches: a fixed
 * number of groups adds up its own, and the groups are added in order. So no result depends on
 * the number of threads.
 */
#define _DEFAULT_SOURCE /* for madvise */
#include <omp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include "maps.h"
#include "pairs.h"

#define NORM_EPSILON 1e-5f
#define HALF_ROOT 0.70710678118654752f

/* What Python knows of the network; the order is that of paper_native.py. */
typedef struct {
    int64_t members, batch, features, columns, outputs, n_d, n_a, steps, shared, own;
    int64_t virtual, map, one_to_one, training, pairs;
} Shape;

/* A weight (M, depth, halves * half) whose members lie `stride` numbers apart. */
typedef struct { const float *values; int64_t stride; float *grad; } WeightTable;
typedef struct {
    const float *weight; int64_t weight_stride;
    const float *bias; int64_t bias_stride;
    float *mean; int64_t mean_stride;
    float *variance; int64_t variance_stride;
    float *grad_weight, *grad_bias;
} NormTable;

/* Where a weight lies in a member's packed parameters (`at`, rows of `ld`), its parts behind them
 * where the way there multiplies in parts, and its transpose; of that, two rows are one of pairs
 * where the way back multiplies in pairs. */
typedef struct {
    int64_t at, ld, parts, back, back_ld, depth, half, halves, padded, in_pairs, in_parts;
} Weight;
/* A norm's channels: `at` in each block of statistics or parameters of all norms. */
typedef struct { int64_t at, half, halves, padded; } Norm;

typedef struct {
    Shape shape;
    int64_t layers, width, ld_x, ld_columns, ld_h, ld_z, ld_pairs, ld_decision, ld_outputs;
    int64_t n_weights, n_norms, channels, packed, parts, transposed, row_tape;
    Weight *weights;
    Norm *norms;
} Net;

static inline int64_t smaller_of(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t whole(int64_t n) { return (n + 15) / 16 * 16; }

/* Distance of rows: not a multiple of 512 bytes, which would crowd into a part of the cache. */
static inline int64_t spread(int64_t n) { return n % 128 == 0 ? n + 16 : n; }

static inline int64_t count_weights(const Shape *s)
{
    return s->shared + (s->steps + 1) * s->own + s->steps + 1;
}

static inline int64_t count_norms(const Shape *s)
{
    return 1 + (s->steps + 1) * (s->shared + s->own) + s->steps;
}

static void place_weight(Net *net, int64_t i, int64_t depth, int64_t half, int64_t halves)
{
    Weight *w = net->weights + i;
    w->depth = depth, w->half = half, w->halves = halves, w->padded = whole(half);
    w->in_pairs = halves == 2 && net->shape.pairs;
    w->in_parts = w->in_pairs && tiles_are_usable();
    w->ld = spread(halves * w->padded), w->back_ld = spread(whole(depth));
    w->at = net->packed, w->parts = net->parts, w->back = net->transposed;
    net->packed += depth * w->ld;
    net->parts += w->in_parts ? parts_of_rows(depth) * w->ld : 0;
    net->transposed += halves * w->padded * w->back_ld;
}

static void place_norm(Net *net, int64_t i, int64_t half, int64_t halves)
{
    Norm *n = net->norms + i;
    n->at = net->channels, n->half = half, n->halves = halves, n->padded = whole(half);
    net->channels += halves * n->padded;
}

static inline int64_t own_weight(const Net *net, int64_t t, int64_t i)
{
    return net->shape.shared + t * net->shape.own + i;
}
static inline int64_t gated_weight(const Net *net, int64_t t, int64_t layer)
{
    return layer < net->shape.shared ? layer : own_weight(net, t, layer - net->shape.shared);
}
static inline int64_t step_weight(const Net *net, int64_t t)
{
    return own_weight(net, net->shape.steps + 1, 0) + t - 1;
}
static inline int64_t head_weight(const Net *net) { return net->n_weights - 1; }
static inline int64_t gated_norm(const Net *net, int64_t t, int64_t layer)
{
    return 1 + t * net->layers + layer;
}
static inline int64_t step_norm(const Net *net, int64_t t)
{
    return (net->shape.steps + 1) * net->layers + t;
}

/* Fill in sizes and places; the caller has room for `weights` and `norms`. */
static void lay_out(Net *net, const Shape *s, Weight *weights, Norm *norms)
{
    memset(net, 0, sizeof(*net));
    net->shape = *s, net->weights = weights, net->norms = norms;
    net->layers = s->shared + s->own, net->width = s->n_d + s->n_a;
    net->ld_x = spread(whole(s->features)), net->ld_columns = spread(whole(s->columns));
    net->ld_h = spread(whole(net->width)), net->ld_z = spread(2 * whole(net->width));
    net->ld_pairs = spread(whole(net->width));
    net->ld_decision = spread(whole(s->n_d)), net->ld_outputs = spread(whole(s->outputs));
    net->n_weights = count_weights(s), net->n_norms = count_norms(s);
    for (int64_t i = 0; i < s->shared; i++)
        place_weight(net, i, i ? net->width : s->features, net->width, 2);
    for (int64_t t = 0; t <= s->steps; t++)
        for (int64_t i = 0; i < s->own; i++)
            place_weight(net, own_weight(net, t, i), i || s->shared ? net->width : s->features,
                         net->width, 2);
    for (int64_t t = 1; t <= s->steps; t++)
        place_weight(net, step_weight(net, t), s->n_a, s->columns, 1);
    place_weight(net, head_weight(net), s->n_d, s->outputs, 1);
    place_norm(net, 0, s->features, 1);
    for (int64_t t = 0; t <= s->steps; t++)
        for (int64_t layer = 0; layer < net->layers; layer++)
            place_norm(net, gated_norm(net, t, layer), net->width, 2);
    for (int64_t t = 1; t <= s->steps; t++)
        place_norm(net, step_norm(net, t), s->columns, 1);
    /* Numbers kept of a row for the way back: before each norm, and after each gate. */
    net->row_tape = (s->steps + 1) * net->layers * (net->ld_z + net->ld_h)
                    + s->steps * net->ld_columns;
}

#define LAY_OUT(net, shape) \
    Net net; \
    Weight weights_of_##net[count_weights(shape)]; \
    Norm norms_of_##net[count_norms(shape)]; \
    lay_out(&net, shape, weights_of_##net, norms_of_##net)

/* A member's packed parameters are its weights, then all norms' weights, then their biases. */
static inline int64_t parameters(const Net *net) { return net->packed + 2 * net->channels; }
/* Behind them, the parts of its weights. */
static inline int64_t packed_size(const Net *net) { return parameters(net) + net->parts; }

/* What gated layers need on the way there: parts of their input. */
static inline int64_t gated_product_scratch(const Net *net, int64_t rows)
{
    int64_t depth = larger_of(net->shape.features, net->width);
    return net->parts ? rows * parts_of_rows(depth) : 0;
}

static inline int64_t forward_scratch(const Net *net, int64_t rows)
{
    return rows * (2 * net->ld_x + 2 * net->ld_columns + net->ld_decision + net->ld_outputs)
           + rows * (net->ld_z + net->ld_h + net->ld_columns) + 8 * LANES * net->ld_columns
           + gated_product_scratch(net, rows);
}

/* Of it, what gated layers need on the way back. */
static inline int64_t gate_scratch(const Net *net, int64_t rows)
{
    return rows * (net->ld_z + net->ld_pairs)
           + (rows + 1) / 2 * (net->ld_z + larger_of(net->ld_x, net->ld_h));
}

static inline int64_t backward_scratch(const Net *net, int64_t rows)
{
    return rows * (5 * net->ld_x + (3 + net->shape.steps) * net->ld_columns + net->ld_h
                   + 2 * net->ld_decision + net->ld_outputs)
           + gate_scratch(net, rows) + 8 * LANES * net->ld_columns;
}

/* Numbers of a step's weights in blocks of LANES rows, transposed. */
static inline int64_t chosen_size(const Net *net, int64_t rows)
{
    return (rows + LANES - 1) / LANES * LANES * net->ld_columns;
}

/* Numbers of: a member's parameters as gradients of them lie, packed ones, their transposes, all
 * norms' channels, a row's tape, all steps' weights and decisions, and a thread's scratch on the
 * way there and back; the last three for virtual batches of `rows`. */
void paper_sizes(const Shape *shape, int64_t *sizes, int64_t rows)
{
    LAY_OUT(net, shape);
    rows = (rows + LANES - 1) / LANES * LANES;
    sizes[0] = parameters(&net);
    sizes[1] = packed_size(&net);
    sizes[2] = net.transposed;
    sizes[3] = net.channels;
    sizes[4] = net.row_tape;
    sizes[5] = shape->steps * chosen_size(&net, rows) + rows * net.ld_decision;
    sizes[6] = forward_scratch(&net, rows);
    sizes[7] = backward_scratch(&net, rows);
}

/* ---- parameters, from their tensors to rows of whole vectors and back ---- */

static void pack_halves(const float *restrict from, float *restrict to, int64_t half,
                        int64_t halves, int64_t padded)
{
    for (int64_t h = 0; h < halves; h++) {
        memcpy(to + h * padded, from + h * half, (size_t)half * sizeof(float));
        memset(to + h * padded + half, 0, (size_t)(padded - half) * sizeof(float));
    }
}

/* A weight's rows from `first` on, `n` of them, padded with zeros to whole vectors; rows that it
 * does not have are zeros. */
static void pack_rows(const Weight *w, const float *from, int64_t first, int64_t n, float *to,
                      int64_t ld)
{
    int64_t own = smaller_of(n, larger_of(w->depth - first, 0)), width = w->halves * w->half;
    for (int64_t k = 0; k < own; k++)
        pack_halves(from + (first + k) * width, to + k * ld, w->half, w->halves, w->padded);
    for (int64_t k = own; k < n; k++)
        memset(to + k * ld, 0, (size_t)(w->halves * w->padded) * sizeof(float));
}

static void pack(const Net *net, const WeightTable *weights, const NormTable *norms,
                 float *packed)
{
    int64_t n = net->n_weights + net->n_norms;
#pragma omp parallel for schedule(dynamic)
    for (int64_t task = 0; task < net->shape.members * n; task++) {
        int64_t m = task / n, i = task % n;
        float *own = packed + m * packed_size(net);
        if (i < net->n_weights) {
            const Weight *w = net->weights + i;
            const float *from = weights[i].values + m * weights[i].stride;
            pack_rows(w, from, 0, w->depth, own + w->at, w->ld);
            if (w->in_parts)
                part_rows(own + w->at, w->ld, own + parameters(net) + w->parts, w->depth,
                          w->halves * w->padded);
            continue;
        }
        const NormTable *table = norms + (i - net->n_weights);
        const Norm *norm = net->norms + (i - net->n_weights);
        float *to = own + net->packed + norm->at;
        pack_halves(table->weight + m * table->weight_stride, to, norm->half, norm->halves,
                    norm->padded);
        pack_halves(table->bias + m * table->bias_stride, to + net->channels, norm->half,
                    norm->halves, norm->padded);
    }
}

/* The transpose of LANES rows of a weight after the other; in pairs of its columns, that is of the
 * transpose's rows, where the weight is. */
static void pack_transpose(const Weight *w, const float *from, float *to)
{
    int64_t width = w->halves * w->padded, ld = spread(width);
    int64_t rows = w->in_pairs ? width / 2 : width;
    float numbers[LANES * ld], pairs[w->in_pairs ? LANES * ld : 1];
    const float *block = w->in_pairs ? pairs : numbers;
    for (int64_t k = 0; k < whole(w->depth); k += LANES) {
        pack_rows(w, from, k, LANES, numbers, ld);
        if (w->in_pairs)
            pair_columns(numbers, ld, pairs, ld, LANES, width);
        for (int64_t j = 0; j < rows; j += LANES)
            transpose(block + j, ld, to + j * w->back_ld + k, w->back_ld);
    }
}

static void pack_transposed(const Net *net, const WeightTable *weights, float *transposed)
{
    int64_t n = net->n_weights;
#pragma omp parallel for schedule(dynamic)
    for (int64_t task = 0; task < net->shape.members * n; task++) {
        int64_t m = task / n, i = task % n;
        pack_transpose(net->weights + i, weights[i].values + m * weights[i].stride,
                       transposed + m * net->transposed + net->weights[i].back);
    }
}

static void add_halves(float *restrict to, const float *restrict from, int64_t half,
                       int64_t halves, int64_t padded, int first)
{
    for (int64_t h = 0; h < halves; h++)
        for (int64_t k = 0; k < half; k++)
            to[h * half + k] = (first ? 0.0f : to[h * half + k]) + from[h * padded + k];
}

/* Add the groups' gradients (M, groups, parameters) in order. */
static void unpack_gradients(const Net *net, const float *sums, const WeightTable *weights,
                             const NormTable *norms, int64_t n_groups)
{
    int64_t n = net->n_weights + net->n_norms;
#pragma omp parallel for schedule(dynamic)
    for (int64_t task = 0; task < net->shape.members * n; task++) {
        int64_t m = task / n, i = task % n;
        for (int64_t g = 0; g < n_groups; g++) {
            const float *own = sums + (m * n_groups + g) * parameters(net);
            if (i < net->n_weights) {
                const Weight *w = net->weights + i;
                int64_t width = w->halves * w->half;
                float *to = weights[i].grad + m * w->depth * width;
                for (int64_t k = 0; k < w->depth; k++)
                    add_halves(to + k * width, own + w->at + k * w->ld, w->half, w->halves,
                               w->padded, g == 0);
                continue;
            }
            const NormTable *table = norms + (i - net->n_weights);
            const Norm *norm = net->norms + (i - net->n_weights);
            int64_t width = norm->halves * norm->half;
            const float *from = own + net->packed + norm->at;
            add_halves(table->grad_weight + m * width, from, norm->half, norm->halves,
                       norm->padded, g == 0);
            add_halves(table->grad_bias + m * width, from + net->channels, norm->half,
                       norm->halves, norm->padded, g == 0);
        }
    }
}

/* ---- norms; statistics of a virtual batch are blocks of mean, variance, inverse deviation ---- */

static void invert_deviation(const float *restrict variance, float *restrict inverse,
                             int64_t width)
{
    for (int64_t k = 0; k < width; k++)
        inverse[k] = 1.0f / __builtin_sqrtf(variance[k] + NORM_EPSILON);
}

static inline Vector column_sum(const float *x, int64_t ld, int64_t rows)
{
    Vector a = all(0.0f), b = a, c = a, d = a;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * ld) {
        a += load(x);
        b += load(x + ld);
        c += load(x + 2 * ld);
        d += load(x + 3 * ld);
    }
    for (; r < rows; r++, x += ld)
        a += load(x);
    return (a + b) + (c + d);
}

static inline Vector column_squares(const float *x, int64_t ld, int64_t rows, Vector mean)
{
    Vector a = all(0.0f), b = a, c = a, d = a;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * ld) {
        Vector e = load(x) - mean, f = load(x + ld) - mean;
        Vector g = load(x + 2 * ld) - mean, h = load(x + 3 * ld) - mean;
        a += e * e;
        b += f * f;
        c += g * g;
        d += h * h;
    }
    for (; r < rows; r++, x += ld) {
        Vector e = load(x) - mean;
        a += e * e;
    }
    return (a + b) + (c + d);
}

static void take_statistics(const float *x, int64_t ld, int64_t rows, int64_t width,
                            float *statistics, int64_t channels)
{
    float *mean = statistics, *variance = mean + channels, *inverse = variance + channels;
    for (int64_t k = 0; k < width; k += LANES) {
        Vector mu = column_sum(x + k, ld, rows) / (float)rows;
        store(mean + k, mu);
        store(variance + k, column_squares(x + k, ld, rows, mu) / (float)rows);
    }
    invert_deviation(variance, inverse, width);
}

/* Normalising, then weight and bias, as one factor and one summand a channel. */
static void scale_and_shift(const Net *net, const float *packed, const float *statistics,
                            int64_t at, int64_t width, float *restrict scale,
                            float *restrict shift)
{
    const float *weight = packed + net->packed + at, *bias = weight + net->channels;
    const float *mean = statistics + at, *inverse = mean + 2 * net->channels;
    for (int64_t k = 0; k < width; k++) {
        scale[k] = weight[k] * inverse[k];
        shift[k] = bias[k] - mean[k] * scale[k];
    }
}

/* A vector of channels on the way back: the gradient of a value x is scale g + slope x + shift. */
typedef struct { Vector scale, slope, shift; } NormBack;

/* From the sums over rows of the normalised values' gradients g, and of g (x - mean); those of
 * weight and bias are added to `sums`. */
static inline NormBack norm_back(const Net *net, const float *packed, const float *statistics,
                                 int64_t at, Vector total, Vector centred, int64_t rows,
                                 float *sums)
{
    const float *mean = statistics + at;
    float *grad_weight = sums + net->packed + at, *grad_bias = grad_weight + net->channels;
    Vector inverse = load(mean + 2 * net->channels), moment = centred * inverse;
    store(grad_bias, load(grad_bias) + total);
    store(grad_weight, load(grad_weight) + moment);
    NormBack back = {.scale = load(packed + net->packed + at) * inverse};
    back.slope = -back.scale * inverse * moment / (float)rows;
    back.shift = -back.scale * total / (float)rows - back.slope * load(mean);
    return back;
}

/* From the gradient of the normalised values, which is overwritten, to that of the values. */
static void norm_backward(const Net *net, const float *packed, const float *statistics,
                          const Norm *norm, const float *x, float *grad, int64_t ld,
                          int64_t rows, float *sums)
{
    for (int64_t k = 0; k < norm->halves * norm->padded; k += LANES) {
        Vector mean = load(statistics + norm->at + k), total = all(0.0f), centred = total;
        for (int64_t r = 0; r < rows; r++) {
            Vector g = load(grad + r * ld + k);
            total += g;
            centred += g * (load(x + r * ld + k) - mean);
        }
        NormBack back = norm_back(net, packed, statistics, norm->at + k, total, centred, rows,
                                  sums);
        for (int64_t r = 0; r < rows; r++) {
            float *to = grad + r * ld + k;
            store(to, back.scale * load(to) + back.slope * load(x + r * ld + k) + back.shift);
        }
    }
}

/* Running statistics take in virtual batches of `sizes` rows in order, the variance unbiased. */
static void update_running(const Net *net, const float *statistics, int64_t block,
                           const int64_t *starts, int64_t n, int64_t first, int64_t last,
                           const NormTable *norms, float momentum)
{
    int64_t n_norms = last - first;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < net->shape.members * n_norms; task++) {
        int64_t m = task / n_norms;
        const Norm *norm = net->norms + first + task % n_norms;
        const NormTable *table = norms + first + task % n_norms;
        float *mean = table->mean + m * table->mean_stride;
        float *variance = table->variance + m * table->variance_stride;
        for (int64_t b = 0; b < n; b++) {
            float size = (float)(starts[b + 1] - starts[b]), unbiased = size / (size - 1.0f);
            const float *own = statistics + (m * n + b) * block + norm->at;
            for (int64_t h = 0; h < norm->halves; h++)
                for (int64_t k = 0; k < norm->half; k++) {
                    int64_t from = h * norm->padded + k, to = h * norm->half + k;
                    mean[to] += momentum * (own[from] - mean[to]);
                    variance[to] += momentum * (unbiased * own[net->channels + from]
                                                - variance[to]);
                }
        }
    }
}

/* In evaluation the running statistics stand in for those of the virtual batch. */
static void take_running(const Net *net, const NormTable *norms, float *statistics)
{
    for (int64_t m = 0; m < net->shape.members; m++)
        for (int64_t i = 0; i < net->n_norms; i++) {
            const Norm *norm = net->norms + i;
            float *mean = statistics + 3 * m * net->channels + norm->at;
            float *variance = mean + net->channels;
            pack_halves(norms[i].mean + m * norms[i].mean_stride, mean, norm->half,
                        norm->halves, norm->padded);
            pack_halves(norms[i].variance + m * norms[i].variance_stride, variance, norm->half,
                        norm->halves, norm->padded);
            invert_deviation(variance, variance + net->channels,
                              norm->halves * norm->padded);
        }
}

/* Statistics of the input over the whole minibatch (M, 3 channels of all norms, the first used). */
static void take_input_statistics(const Net *net, const float *x, float *statistics)
{
    int64_t batch = net->shape.batch, features = net->shape.features;
    int64_t blocks = whole(features) / 16;
#pragma omp parallel for schedule(dynamic)
    for (int64_t task = 0; task < net->shape.members * blocks; task++) {
        int64_t start = task % blocks * 16, n = smaller_of(16, features - start);
        const float *from = x + task / blocks * batch * features + start;
        float *mean = statistics + task / blocks * 3 * net->channels + start;
        float *variance = mean + net->channels;
        float sum[16] = {0}, squares[16] = {0};
        for (int64_t r = 0; r < batch; r++)
            for (int64_t k = 0; k < n; k++)
                sum[k] += from[r * features + k];
        for (int64_t k = 0; k < 16; k++)
            mean[k] = sum[k] / (float)batch;
        for (int64_t r = 0; r < batch; r++)
            for (int64_t k = 0; k < n; k++) {
                float centred = from[r * features + k] - mean[k];
                squares[k] += centred * centred;
            }
        for (int64_t k = 0; k < 16; k++)
            variance[k] = squares[k] / (float)batch;
        invert_deviation(variance, variance + net->channels, 16);
    }
}

/* ---- transformers: gated layers one after the other ---- */

/* Where a virtual batch's numbers lie: z before each norm, h after each gate, logits of each step
 * before their norm. In evaluation all layers share one place. */
typedef struct { float *z, *h, *logits; int64_t z_step, h_step, logits_step; } Tape;

static inline float *z_of(const Net *net, const Tape *tape, int64_t t, int64_t layer)
{
    return tape->z + (t * net->layers + layer) * tape->z_step;
}
static inline float *h_of(const Net *net, const Tape *tape, int64_t t, int64_t layer)
{
    return tape->h + (t * net->layers + layer) * tape->h_step;
}
static inline float *last_h(const Net *net, const Tape *tape, int64_t t)
{
    return h_of(net, tape, t, net->layers - 1);
}
static inline float *logits_of(const Tape *tape, int64_t t)
{
    return tape->logits + (t - 1) * tape->logits_step;
}

static Tape tape_at(const Net *net, float *tape, int64_t start, int64_t rows)
{
    int64_t n = (net->shape.steps + 1) * net->layers;
    Tape own = {tape + start * net->row_tape, NULL, NULL, rows * net->ld_z, rows * net->ld_h,
                rows * net->ld_columns};
    own.h = own.z + n * own.z_step;
    own.logits = own.h + n * own.h_step;
    return own;
}

/* h = z1 sigmoid(z2) of the normalised z = [z1, z2]; or (before + that) sqrt(1/2). */
static void gate(const float *z, int64_t ld_z, const float *before, float *h, int64_t ld_h,
                 const float *scale, const float *shift, int64_t padded, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++, z += ld_z, h += ld_h)
        for (int64_t k = 0; k < padded; k += LANES) {
            Vector linear = load(z + k) * load(scale + k) + load(shift + k);
            Vector y = linear * sigmoid_of(load(z + padded + k) * load(scale + padded + k)
                                           + load(shift + padded + k));
            store(h + k, before ? (y + load(before + r * ld_h + k)) * HALF_ROOT : y);
        }
}

/* Begin to read what the way back needs next, layer -1 being the last of the transformer before:
 * it lies outside of the cache, and a walk down its columns would wait for every number. */
static void fetch_layer(const Net *net, const Tape *tape, int64_t t, int64_t layer, int64_t rows)
{
    if (layer < 0 && t == 0)
        return;
    const float *z = layer < 0 ? z_of(net, tape, t - 1, net->layers - 1)
                               : z_of(net, tape, t, layer);
    const float *h = layer < 1 ? last_h(net, tape, t - (t > 0)) : h_of(net, tape, t, layer - 1);
    for (int64_t k = 0; k < rows * net->ld_z; k += 16)
        __builtin_prefetch(z + k, 0, 2);
    for (int64_t k = 0; k < rows * net->ld_h; k += 16)
        __builtin_prefetch(h + k, 0, 2);
    for (int64_t k = 0; layer < 0 && k < rows * net->ld_columns; k += 16)
        __builtin_prefetch(logits_of(tape, t) + k, 0, 2);
}

/* z of a gated layer: where the CPU has tiles, wide networks are trained with both factors in two
 * parts of bf16, the weights' made once for all virtual batches. */
static void gated_product(const Net *net, const Weight *w, const float *packed, const float *in,
                          int64_t ld_in, float *z, int64_t rows, float *scratch)
{
    if (w->in_parts)
        product_of_parts(in, ld_in, packed + parameters(net) + w->parts, w->ld, z, net->ld_z, rows,
                         2 * w->padded, w->depth, scratch);
    else
        product(in, ld_in, 1, packed + w->at, w->ld, z, net->ld_z, rows, 2 * w->padded, w->depth,
                0);
}

static void transform(const Net *net, const float *packed, float *statistics, const Tape *tape,
                      int64_t t, const float *x, int64_t rows, float *scratch)
{
    float scale[net->ld_z], shift[net->ld_z];
    for (int64_t layer = 0; layer < net->layers; layer++) {
        const Weight *w = net->weights + gated_weight(net, t, layer);
        const Norm *norm = net->norms + gated_norm(net, t, layer);
        const float *before = layer ? h_of(net, tape, t, layer - 1) : NULL;
        float *z = z_of(net, tape, t, layer);
        gated_product(net, w, packed, layer ? before : x, layer ? net->ld_h : net->ld_x, z, rows,
                      scratch);
        if (net->shape.training)
            take_statistics(z, net->ld_z, rows, 2 * w->padded, statistics + norm->at,
                            net->channels);
        scale_and_shift(net, packed, statistics, norm->at, 2 * w->padded, scale, shift);
        gate(z, net->ld_z, before, h_of(net, tape, t, layer), net->ld_h, scale, shift,
             w->padded, rows);
    }
}

/* What the way back works on, for one virtual batch. */
typedef struct {
    const float *packed, *transposed, *statistics;
    float *sums; /* gradients of parameters so far, laid out as `packed` */
    Tape tape;
    int64_t rows;
    /* Scratch: the gradient of z; or its pairs along columns and rows, and those of an input. */
    float *grad_z, *z_across, *z_down, *in_down;
} Back;

/* Column k of the gradient of z from that of the normalised z, which lies in grad_z. */
static void put_grad_z(const Net *net, const Back *back, NormBack norm, const float *z, int64_t k)
{
    int64_t ld = net->ld_z, rows = back->rows;
    float *grad = back->grad_z + k;
    if (!net->shape.pairs) {
        for (int64_t r = 0; r < rows; r++, grad += ld, z += ld)
            store(grad, norm.scale * load(grad) + norm.slope * load(z + k) + norm.shift);
        return;
    }
    float *across = back->z_across + k / 2, *down = back->z_down + k;
    for (int64_t r = 0; r < rows; r += 2, grad += 2 * ld, z += 2 * ld, down += ld) {
        Vector a = norm.scale * load(grad) + norm.slope * load(z + k) + norm.shift, b = all(0.0f);
        store_neighbours(across + r * net->ld_pairs, a);
        if (r + 1 < rows) {
            b = norm.scale * load(grad + ld) + norm.slope * load(z + ld + k) + norm.shift;
            store_neighbours(across + (r + 1) * net->ld_pairs, b);
        }
        store(down, couples(a, b));
    }
}

/* The gradient of z = [z1, z2] from that of its gate, z1 sigmoid(z2) when normalised; `grad` is
 * multiplied by `factor` before. Down the columns, which need sums over the rows. */
static void gate_backward(const Net *net, const Back *back, const Norm *norm, const float *z,
                          float *grad, float factor, const float *scale, const float *shift)
{
    int64_t ld = net->ld_z, rows = back->rows, second = norm->padded;
    for (int64_t k = 0; k < norm->padded; k += LANES) {
        const float *mean = back->statistics + norm->at + k, *from = z + k;
        float *to = back->grad_z + k, *given = grad + k;
        Vector scale1 = load(scale + k), scale2 = load(scale + second + k);
        Vector shift1 = load(shift + k), shift2 = load(shift + second + k);
        Vector mean1 = load(mean), mean2 = load(mean + second);
        Vector total1 = all(0.0f), total2 = total1, centred1 = total1, centred2 = total1;
        for (int64_t r = 0; r < rows; r++, from += ld, to += ld, given += net->ld_h) {
            /* Rows lie too far apart for the CPU to see them coming. */
            __builtin_prefetch(from + 8 * ld);
            __builtin_prefetch(from + 8 * ld + second);
            __builtin_prefetch(given + 8 * net->ld_h);
            Vector z1 = load(from), z2 = load(from + second), own = load(given) * factor;
            Vector open = sigmoid_of(z2 * scale2 + shift2), g1 = own * open;
            Vector g2 = g1 * (z1 * scale1 + shift1) * (1.0f - open);
            store(given, own);
            store(to, g1);
            store(to + second, g2);
            total1 += g1;
            total2 += g2;
            centred1 += g1 * (z1 - mean1);
            centred2 += g2 * (z2 - mean2);
        }
        put_grad_z(net, back, norm_back(net, back->packed, back->statistics, norm->at + k, total1,
                                        centred1, rows, back->sums), z, k);
        put_grad_z(net, back, norm_back(net, back->packed, back->statistics,
                                        norm->at + second + k, total2, centred2, rows,
                                        back->sums), z, second + k);
    }
}

/* The gradient of a gated weight, added up, and that of its input: put into `grad_in`, or added.
 * The two heaviest products of the way back, and the only ones that may round to bf16. */
static void gated_product_backward(const Net *net, const Back *back, const Weight *w,
                                   const float *in, int64_t ld_in, float *grad_in, int add)
{
    const float *transposed = back->transposed + w->back;
    float *sums = back->sums + w->at;
    int64_t rows = back->rows, width = 2 * w->padded, depth = whole(w->depth), ld_z = net->ld_z;
    if (!w->in_pairs) {
        product(in, 1, ld_in, back->grad_z, ld_z, sums, w->ld, w->depth, width, rows, 1);
        product(back->grad_z, ld_z, 1, transposed, w->back_ld, grad_in, ld_in, rows, depth, width,
                add);
        return;
    }
    pair_rows(in, ld_in, back->in_down, ld_in, rows, depth);
    product_of_pairs(back->in_down, 1, ld_in, back->z_down, ld_z, sums, w->ld, w->depth, width,
                     (rows + 1) / 2, 1);
    product_of_pairs(back->z_across, net->ld_pairs, 1, transposed, w->back_ld, grad_in, ld_in,
                     rows, depth, width / 2, add);
}

/* From the gradient of a transformer's output in `grad`, which is overwritten, to that of its
 * input x in `grad_x`. */
static void transform_backward(const Net *net, const Back *back, int64_t t, const float *x,
                               float *grad, float *grad_x)
{
    float scale[net->ld_z], shift[net->ld_z];
    for (int64_t layer = net->layers - 1; layer >= 0; layer--) {
        const Weight *w = net->weights + gated_weight(net, t, layer);
        const Norm *norm = net->norms + gated_norm(net, t, layer);
        fetch_layer(net, &back->tape, t, layer - 1, back->rows);
        scale_and_shift(net, back->packed, back->statistics, norm->at, 2 * w->padded, scale,
                        shift);
        gate_backward(net, back, norm, z_of(net, &back->tape, t, layer), grad,
                      layer ? HALF_ROOT : 1.0f, scale, shift);
        if (layer)
            gated_product_backward(net, back, w, h_of(net, &back->tape, t, layer - 1), net->ld_h,
                                   grad, 1);
        else
            gated_product_backward(net, back, w, x, net->ld_x, grad_x, 0);
    }
}

/* ---- selections: LANES rows at a time, each in a lane of its own, columns one by one ---- */

/* Newton's method from below for the threshold of sparsemax: exact once the support is right. A
 * row that has arrived stands still, whatever its neighbours need. */
static Vector sparsemax_threshold(const float *z, int64_t n)
{
    Vector tau = all(-1.0f);
    Whole moving = tau == tau;
    for (int64_t pass = 0; pass < n + EXTRA_PASSES && any(moving); pass++) {
        Vector sum = all(0.0f), count = sum, sum2 = sum, count2 = sum;
        int64_t k = 0;
        for (; k + 2 <= n; k += 2) {
            Vector a = load(z + k * LANES) - tau, b = load(z + (k + 1) * LANES) - tau;
            sum += positive(a);
            count += is_positive(a);
            sum2 += positive(b);
            count2 += is_positive(b);
        }
        if (k < n) {
            sum += positive(load(z + k * LANES) - tau);
            count += is_positive(load(z + k * LANES) - tau);
        }
        Vector change = (sum + sum2 - 1.0f) / (count + count2);
        tau = where(moving, tau + change, tau);
        moving &= change > TOLERANCE;
    }
    return tau;
}

/* The same for 1.5-entmax, on the norm of the excess: convex and nearly linear in tau. */
static Vector entmax15_threshold(const float *z, int64_t n)
{
    Vector tau = all(-1.0f);
    Whole moving = tau == tau;
    for (int64_t pass = 0; pass < n + EXTRA_PASSES && any(moving); pass++) {
        Vector sum = all(0.0f), squares = sum, sum2 = sum, squares2 = sum;
        int64_t k = 0;
        for (; k + 2 <= n; k += 2) {
            Vector a = positive(load(z + k * LANES) - tau);
            Vector b = positive(load(z + (k + 1) * LANES) - tau);
            sum += a;
            squares += a * a;
            sum2 += b;
            squares2 += b * b;
        }
        if (k < n) {
            Vector a = positive(load(z + k * LANES) - tau);
            sum += a;
            squares += a * a;
        }
        Vector norm = root(squares + squares2);
        Vector change = (norm - 1.0f) * norm / (sum + sum2);
        tau = where(moving, tau + change, tau);
        moving &= change > TOLERANCE;
    }
    return tau;
}

/* Logits (n, LANES) become weights, in place. */
static void map_columns(float *z, int64_t n, int64_t map)
{
    Vector top = load(z), total = all(0.0f);
    for (int64_t k = 1; k < n; k++)
        top = larger(top, load(z + k * LANES));
    if (map == SOFTMAX) {
        for (int64_t k = 0; k < n; k++) {
            Vector w = exp_of(load(z + k * LANES) - top);
            total += w;
            store(z + k * LANES, w);
        }
        total = 1.0f / total;
        for (int64_t k = 0; k < n; k++)
            store(z + k * LANES, load(z + k * LANES) * total);
        return;
    }
    float factor = map == ENTMAX15 ? 0.5f : 1.0f;
    for (int64_t k = 0; k < n; k++)
        store(z + k * LANES, larger((load(z + k * LANES) - top) * factor, all(-1.0f)));
    Vector tau = map == ENTMAX15 ? entmax15_threshold(z, n) : sparsemax_threshold(z, n);
    for (int64_t k = 0; k < n; k++) {
        Vector w = positive(load(z + k * LANES) - tau);
        store(z + k * LANES, map == ENTMAX15 ? w * w : w);
    }
}

/* What the derivative of a weight holds on to: of sparsemax the support, of 1.5-entmax the root,
 * of softmax the weight itself. */
static inline Vector slope_of(Vector weight, int64_t map)
{
    if (map == SPARSEMAX)
        return is_positive(weight);
    return map == ENTMAX15 ? root(weight) : weight;
}

static void transpose_columns(const float *from, int64_t ld, float *to, int64_t n)
{
    for (int64_t k = 0; k < n; k += LANES)
        transpose(from + k, ld, to + k * LANES, LANES);
}

static void transpose_back(const float *from, float *to, int64_t ld, int64_t n)
{
    for (int64_t k = 0; k < n; k += LANES)
        transpose(from + k * LANES, LANES, to + k, ld);
}

/* Rows (LANES, ld_x) of each feature's weight, its column's, from a block (columns, LANES). */
static void spread_columns(const Net *net, const int64_t *groups, const float *block, float *to)
{
    int64_t n = net->shape.features;
    float own[whole(n) * LANES];
    for (int64_t k = 0; k < n; k++)
        store(own + k * LANES, load(block + groups[k] * LANES));
    memset(own + n * LANES, 0, (size_t)((whole(n) - n) * LANES) * sizeof(float));
    transpose_back(own, to, net->ld_x, n);
}

/* Its way back: gradients of columns (LANES, ld_columns) are sums over their features. */
static void gather_columns(const Net *net, const int64_t *groups, const float *from, float *to)
{
    int64_t n = net->shape.features, columns = whole(net->shape.columns);
    float own[whole(n) * LANES], block[columns * LANES];
    transpose_columns(from, net->ld_x, own, n);
    memset(block, 0, sizeof(block));
    for (int64_t k = 0; k < n; k++) {
        float *sum = block + groups[k] * LANES;
        store(sum, load(sum) + load(own + k * LANES));
    }
    transpose_back(block, to, net->ld_columns, columns);
}

typedef struct { float gamma, epsilon; } Selecting;

/* Weights (rows, ld_columns) = map(normalised logits * prior), the same of features where those
 * are others (rows, ld_x), the next prior, and the sum of the rows' entropies
 * - sum_k w log(w + epsilon). Priors lie in blocks of LANES rows, transposed; so do the weights
 * that are kept, where they are. */
static double select_columns(const Net *net, Selecting how, const int64_t *groups,
                             const float *logits, const float *scale, const float *shift,
                             float *prior, float *weights, float *of_features, float *kept,
                             float *block, int64_t rows)
{
    int64_t n = net->shape.columns, ld = net->ld_columns;
    double entropy = 0.0;
    for (int64_t start = 0; start < rows; start += LANES) {
        float *p = prior + start * ld;
        transpose_columns(logits + start * ld, ld, block, n);
        for (int64_t k = 0; k < n; k++) {
            Vector z = load(block + k * LANES) * scale[k] + shift[k];
            store(block + k * LANES, z * load(p + k * LANES));
        }
        map_columns(block, n, net->shape.map);
        Vector sum = all(0.0f);
        for (int64_t k = 0; k < n; k++) {
            Vector w = load(block + k * LANES);
            if (any(w > 0.0f)) /* in most columns no row looks at much */
                sum -= w * log_of(w + how.epsilon);
            store(p + k * LANES, load(p + k * LANES) * (how.gamma - w));
        }
        memset(block + n * LANES, 0, (size_t)((whole(n) - n) * LANES) * sizeof(float));
        if (kept)
            memcpy(kept + start * ld, block, (size_t)(whole(n) * LANES) * sizeof(float));
        transpose_back(block, weights + start * ld, ld, n);
        if (!net->shape.one_to_one)
            spread_columns(net, groups, block, of_features + start * net->ld_x);
        for (int64_t i = 0; i < smaller_of(LANES, rows - start); i++)
            entropy += sum[i];
    }
    return entropy;
}

/* From the gradients of weights (rows, ld_columns; overwritten by that of the normalised logits)
 * and of the next prior (blocks; overwritten by that of this prior). `chosen` holds all steps'
 * weights in blocks, `grad_entropy` is the same for every row. */
static void select_backward(const Net *net, Selecting how, const float *logits,
                            const float *scale, const float *shift, int64_t step,
                            const float *chosen, int64_t chosen_step, float grad_entropy,
                            float *grad, float *grad_prior, float *block, int64_t rows)
{
    int64_t n = net->shape.columns, ld = net->ld_columns, map = net->shape.map;
    int is_last = step == net->shape.steps;
    float *g = block, *l = g + LANES * ld, *p = l + LANES * ld, *s = p + LANES * ld;
    for (int64_t start = 0; start < rows; start += LANES) {
        const float *w = chosen + (step - 1) * chosen_step + start * ld;
        float *following = grad_prior + start * ld;
        transpose_columns(grad + start * ld, ld, g, n);
        transpose_columns(logits + start * ld, ld, l, n);
        Vector sum = all(0.0f), total = sum;
        for (int64_t k = 0; k < n; k++) {
            Vector weight = load(w + k * LANES), prior = all(1.0f), own = load(g + k * LANES);
            if (!any(weight > 0.0f)) { /* nothing flows back through a weight of 0 */
                store(p + k * LANES, all(0.0f));
                store(s + k * LANES, all(0.0f));
                continue;
            }
            for (int64_t j = 1; j < step; j++)
                prior *= how.gamma - load(chosen + (j - 1) * chosen_step + start * ld + k * LANES);
            if (grad_entropy != 0.0f) {
                Vector inner = weight + how.epsilon;
                own -= grad_entropy * (log_of(inner) + weight / inner);
            }
            if (!is_last)
                own -= load(following + k * LANES) * prior;
            Vector slope = slope_of(weight, map);
            sum += own * slope;
            total += slope;
            store(g + k * LANES, own);
            store(p + k * LANES, prior);
            store(s + k * LANES, slope);
        }
        Vector mean = map == SOFTMAX ? sum : sum / total;
        for (int64_t k = 0; k < n; k++) {
            Vector own = load(s + k * LANES) * (load(g + k * LANES) - mean);
            Vector of_prior = own * (load(l + k * LANES) * scale[k] + shift[k]);
            if (!is_last)
                of_prior += load(following + k * LANES) * (how.gamma - load(w + k * LANES));
            store(following + k * LANES, of_prior);
            store(g + k * LANES, own * load(p + k * LANES));
        }
        memset(g + n * LANES, 0, (size_t)((whole(n) - n) * LANES) * sizeof(float));
        transpose_back(g, grad + start * ld, ld, n);
    }
}

/* ---- the whole network, one virtual batch ---- */

/* Rows of whole vectors from rows of n numbers. */
static void widen(const float *from, int64_t n, float *to, int64_t ld, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++) {
        memcpy(to + r * ld, from + r * n, (size_t)n * sizeof(float));
        memset(to + r * ld + n, 0, (size_t)(whole(n) - n) * sizeof(float));
    }
}

static void narrow(const float *from, int64_t ld, float *to, int64_t n, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + r * n, from + r * ld, (size_t)n * sizeof(float));
}

static void normalise_input(const Net *net, const float *packed, const float *statistics,
                            const float *restrict x, float *restrict to, int64_t rows)
{
    int64_t n = net->shape.features, padded = whole(n);
    float scale[padded], shift[padded];
    scale_and_shift(net, packed, statistics, 0, padded, scale, shift);
    for (int64_t r = 0; r < rows; r++, x += n, to += net->ld_x) {
        for (int64_t k = 0; k < n; k++)
            to[k] = x[k] * scale[k] + shift[k];
        for (int64_t k = n; k < padded; k++)
            to[k] = 0.0f;
    }
}

/* Each feature's share of its column's weight; nothing where every column is one feature. */
static void apply_share(const Net *net, const float *share, float *x, int64_t rows)
{
    for (int64_t r = 0; !net->shape.one_to_one && r < rows; r++)
        for (int64_t k = 0; k < net->shape.features; k++)
            x[r * net->ld_x + k] *= share[k];
}

/* masked = x times the features' weights; all (rows, ld_x). */
static void mask_features(const Net *net, const float *weights, const float *x, float *masked,
                          int64_t rows)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = r * net->ld_x; k < r * net->ld_x + net->shape.features; k += LANES)
            store(masked + k, load(x + k) * load(weights + k));
}

/* Gradients of columns' weights, and of x added to `grad_x`, from that of the masked features,
 * which is overwritten. */
static void mask_backward(const Net *net, const int64_t *groups, const float *weights,
                          const float *x, float *grad, float *grad_weights, float *grad_x,
                          int64_t rows)
{
    float *of_features = net->shape.one_to_one ? grad_weights : grad;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = r * net->ld_x; k < r * net->ld_x + net->shape.features; k += LANES) {
            Vector own = load(grad + k);
            store(grad_x + k, load(grad_x + k) + own * load(weights + k));
            store(of_features + k, own * load(x + k));
        }
    for (int64_t r = 0; !net->shape.one_to_one && r < rows; r += LANES)
        gather_columns(net, groups, grad + r * net->ld_x, grad_weights + r * net->ld_columns);
}

/* total += relu(decision); the sum over the decision is the step's size of the row. */
static void add_decision(const Net *net, const float *h, float *total, float *sizes, int64_t rows)
{
    int64_t n = net->shape.n_d, vectors = n / LANES * LANES;
    for (int64_t r = 0; r < rows; r++, h += net->ld_h, total += net->ld_decision) {
        Vector sum = all(0.0f);
        for (int64_t k = 0; k < vectors; k += LANES) {
            sum += positive(load(h + k));
            store(total + k, load(total + k) + positive(load(h + k)));
        }
        float size = total_of(sum);
        for (int64_t k = vectors; k < n; k++) {
            float decision = h[k] > 0.0f ? h[k] : 0.0f;
            total[k] += decision;
            size += decision;
        }
        if (sizes)
            sizes[r] = size;
    }
}

/* Buffers of one call; tensors as in paper_forward and paper_backward. */
typedef struct {
    const float *x, *share;
    const int64_t *groups;
    float *logits, *masks, *sizes;
    /* Where both ways are taken at once, what the way back needs of the virtual batch at hand,
     * instead of masks and sizes: weights in blocks of LANES rows, transposed, and decisions. */
    float *chosen, *total;
} Tensors;

/* The row of masks and sizes where those of a step begin, for the virtual batch that begins in
 * row `first`. */
static inline int64_t step_row(const Shape *s, int64_t t, int64_t first)
{
    return (t - 1) * s->members * s->batch + first;
}

static double forward_rows(const Net *net, Selecting how, const Tensors *tensors, int64_t m,
                           int64_t start, int64_t rows, const float *packed, float *statistics,
                           const float *input_statistics, Tape tape, float *scratch)
{
    const Shape *s = &net->shape;
    int64_t padded = (rows + LANES - 1) / LANES * LANES, ld = net->ld_columns;
    float *x = scratch, *masked = x + rows * net->ld_x, *weights = masked + padded * net->ld_x;
    float *prior = weights + padded * ld, *own_total = prior + padded * ld;
    float *outputs = own_total + rows * net->ld_decision;
    float *total = tensors->total ? tensors->total : own_total;
    float *block = outputs + rows * net->ld_outputs;
    float *of_product = block + 8 * LANES * ld, scale[ld], shift[ld];
    double entropy = 0.0;
    int64_t first = m * s->batch + start;
    normalise_input(net, packed, input_statistics, tensors->x + first * s->features, x, rows);
    transform(net, packed, statistics, &tape, 0, x, rows, of_product);
    apply_share(net, tensors->share, x, rows);
    memset(total, 0, (size_t)(rows * net->ld_decision) * sizeof(float));
    for (int64_t k = 0; k < padded * ld; k++)
        prior[k] = 1.0f;
    memset(masked, 0, (size_t)(rows * net->ld_x) * sizeof(float));
    for (int64_t t = 1; t <= s->steps; t++) {
        const Weight *w = net->weights + step_weight(net, t);
        const Norm *norm = net->norms + step_norm(net, t);
        float *logits = logits_of(&tape, t);
        float *kept = tensors->chosen ? tensors->chosen + (t - 1) * padded * ld : NULL;
        int64_t row = step_row(s, t, first);
        product(last_h(net, &tape, t - 1) + s->n_d, net->ld_h, 1, packed + w->at, w->ld, logits,
                ld, rows, w->padded, w->depth, 0);
        if (s->training)
            take_statistics(logits, ld, rows, w->padded, statistics + norm->at, net->channels);
        scale_and_shift(net, packed, statistics, norm->at, w->padded, scale, shift);
        entropy += select_columns(net, how, tensors->groups, logits, scale, shift, prior, weights,
                                  masked, kept, block, rows);
        if (!kept)
            narrow(weights, ld, tensors->masks + row * s->columns, s->columns, rows);
        mask_features(net, s->one_to_one ? weights : masked, x, masked, rows);
        transform(net, packed, statistics, &tape, t, masked, rows, of_product);
        add_decision(net, last_h(net, &tape, t), total, kept ? NULL : tensors->sizes + row, rows);
    }
    const Weight *w = net->weights + head_weight(net);
    product(total, net->ld_decision, 1, packed + w->at, w->ld, outputs, net->ld_outputs, rows,
            w->padded, w->depth, 0);
    narrow(outputs, net->ld_outputs, tensors->logits + first * s->outputs, s->outputs, rows);
    return entropy;
}

typedef struct {
    const float *logits, *masks, *sizes;
    float *x;
} Gradients;

/* The gradient of a step's output: decisions that are positive, and what attention hands back. */
static void grad_output(const Net *net, const float *h, const float *grad_total,
                        const float *grad_sizes, const float *grad_attention, float *grad,
                        int64_t rows)
{
    int64_t n = h ? net->shape.n_d : 0, n_d = net->shape.n_d, n_a = net->shape.n_a;
    for (int64_t r = 0; r < rows; r++) {
        float *to = grad + r * net->ld_h, size = grad_sizes ? grad_sizes[r] : 0.0f;
        for (int64_t k = 0; k < n; k += LANES) /* the last may overshoot: set again below */
            store(to + k, is_positive(load(h + r * net->ld_h + k))
                              * (load(grad_total + r * net->ld_decision + k) + size));
        memset(to + n, 0, (size_t)(net->ld_h - n) * sizeof(float));
        for (int64_t k = 0; grad_attention && k < n_a; k++)
            to[n_d + k] = grad_attention[r * net->ld_z + k];
    }
}

/* Gradients of the input norm, summed over rows; that of its output is put out where wanted. */
static void input_backward(const Net *net, const Back *back, const float *input_statistics,
                           const float *x, const float *share, const float *grad_masked,
                           float *grad, float *put_out)
{
    const Shape *s = &net->shape;
    int64_t padded = whole(s->features);
    const float *mean = input_statistics, *inverse = mean + 2 * net->channels;
    float total[padded], moment[padded];
    memset(total, 0, sizeof(total));
    memset(moment, 0, sizeof(moment));
    apply_share(net, share, (float *)grad_masked, back->rows);
    for (int64_t r = 0; r < back->rows; r++) {
        const float *restrict from = x + r * s->features;
        const float *restrict extra = grad_masked + r * net->ld_x;
        float *restrict g = grad + r * net->ld_x;
        for (int64_t k = 0; k < s->features; k++) {
            g[k] += extra[k];
            total[k] += g[k];
            moment[k] += g[k] * (from[k] - mean[k]);
        }
    }
    for (int64_t k = 0; k < s->features; k++) {
        back->sums[net->packed + k] += moment[k] * inverse[k];
        back->sums[net->packed + net->channels + k] += total[k];
    }
    if (put_out)
        narrow(grad, net->ld_x, put_out, s->features, back->rows);
}

/* Weights and decisions of all steps again, from the masks and the tape. */
static void choose_again(const Net *net, const Tensors *tensors, const Tape *tape, int64_t first,
                         int64_t rows, float *weights, float *chosen, float *total)
{
    const Shape *s = &net->shape;
    int64_t ld = net->ld_columns;
    memset(total, 0, (size_t)(rows * net->ld_decision) * sizeof(float));
    for (int64_t t = 1; t <= s->steps; t++, chosen += chosen_size(net, rows)) {
        widen(tensors->masks + step_row(s, t, first) * s->columns, s->columns, weights, ld, rows);
        for (int64_t r = 0; r < rows; r += LANES)
            transpose_columns(weights + r * ld, ld, chosen + r * ld, s->columns);
        add_decision(net, last_h(net, tape, t), total, NULL, rows);
    }
}

static void backward_rows(const Net *net, Selecting how, const Tensors *tensors,
                          const Gradients *given, int64_t m, int64_t start, const Back *back,
                          const float *input_statistics, float grad_entropy, float *scratch)
{
    const Shape *s = &net->shape;
    int64_t rows = back->rows, padded = (rows + LANES - 1) / LANES * LANES;
    int64_t ld = net->ld_columns, first = m * s->batch + start;
    float *x = scratch, *masked = x + rows * net->ld_x, *grad_in = masked + rows * net->ld_x;
    float *grad_x = grad_in + rows * net->ld_x, *weights = grad_x + rows * net->ld_x;
    float *grad_logits = weights + padded * net->ld_x, *grad_prior = grad_logits + padded * ld;
    float *own_chosen = grad_prior + padded * ld, *grad = own_chosen + s->steps * padded * ld;
    float *own_total = grad + rows * net->ld_h, *grad_z = back->grad_z;
    float *grad_total = own_total + rows * net->ld_decision;
    float *chosen = tensors->chosen ? tensors->chosen : own_chosen;
    float *total = tensors->total ? tensors->total : own_total;
    float *outputs = grad_total + rows * net->ld_decision;
    float *block = outputs + rows * net->ld_outputs, scale[ld], shift[ld];
    const float *raw = tensors->x + first * s->features;

    normalise_input(net, back->packed, input_statistics, raw, x, rows);
    apply_share(net, tensors->share, x, rows);
    memset(grad_x, 0, (size_t)(rows * net->ld_x) * sizeof(float));
    memset(masked, 0, (size_t)(rows * net->ld_x) * sizeof(float));
    if (!tensors->chosen)
        choose_again(net, tensors, &back->tape, first, rows, weights, chosen, total);
    const Weight *w = net->weights + head_weight(net);
    widen(given->logits + first * s->outputs, s->outputs, outputs, net->ld_outputs, rows);
    product(total, 1, net->ld_decision, outputs, net->ld_outputs, back->sums + w->at, w->ld,
            w->depth, w->padded, rows, 1);
    product(outputs, net->ld_outputs, 1, back->transposed + w->back, w->back_ld, grad_total,
            net->ld_decision, rows, whole(s->n_d), s->outputs, 0);

    for (int64_t t = s->steps; t >= 1; t--) {
        int64_t row = step_row(s, t, first);
        const Norm *norm = net->norms + step_norm(net, t);
        const float *before = last_h(net, &back->tape, t - 1) + s->n_d;
        float *logits = logits_of(&back->tape, t);
        for (int64_t r = 0; r < rows; r += LANES) {
            const float *of_step = chosen + ((t - 1) * padded + r) * ld;
            if (s->one_to_one)
                transpose_back(of_step, weights + r * ld, ld, s->columns);
            else
                spread_columns(net, tensors->groups, of_step, weights + r * net->ld_x);
        }
        mask_features(net, weights, x, masked, rows);
        grad_output(net, last_h(net, &back->tape, t), grad_total,
                    given->sizes ? given->sizes + row : NULL,
                    t < s->steps ? grad_z : NULL, grad, rows);
        transform_backward(net, back, t, masked, grad, grad_in);
        mask_backward(net, tensors->groups, weights, x, grad_in, grad_logits, grad_x, rows);
        for (int64_t r = 0; given->masks && r < rows; r++)
            for (int64_t k = 0; k < s->columns; k++)
                grad_logits[r * ld + k] += given->masks[(row + r) * s->columns + k];
        scale_and_shift(net, back->packed, back->statistics, norm->at, norm->padded, scale, shift);
        select_backward(net, how, logits, scale, shift, t, chosen, padded * ld, grad_entropy,
                        grad_logits, grad_prior, block, rows);
        norm_backward(net, back->packed, back->statistics, norm, logits, grad_logits, ld, rows,
                      back->sums);
        w = net->weights + step_weight(net, t);
        product(before, 1, net->ld_h, grad_logits, ld, back->sums + w->at, w->ld, w->depth,
                w->padded, rows, 1);
        /* The gradient of the attention part waits in grad_z for the step before. */
        product(grad_logits, ld, 1, back->transposed + w->back, w->back_ld, grad_z, net->ld_z,
                rows, whole(s->n_a), s->columns, 0);
    }
    grad_output(net, NULL, NULL, NULL, grad_z, grad, rows);
    normalise_input(net, back->packed, input_statistics, raw, x, rows);
    transform_backward(net, back, 0, x, grad, grad_in);
    input_backward(net, back, input_statistics, raw, tensors->share, grad_x, grad_in,
                   given->x ? given->x + first * s->features : NULL);
}

/* ---- one virtual batch among all ---- */

/* What one call works on beside tensors. */
typedef struct {
    const int64_t *starts; /* the virtual batches' first rows, and B */
    float *packed, *statistics, *input_statistics, *transposed;
} Buffers;

/* One virtual batch on the way there; returns its entropies' sum. */
static double forward_batch(const Net *net, Selecting how, const Tensors *tensors,
                            const Buffers *buffers, int64_t m, int64_t b, Tape tape,
                            float *scratch)
{
    int64_t n = net->shape.virtual, block = 3 * net->channels, training = net->shape.training;
    int64_t start = buffers->starts[b], rows = buffers->starts[b + 1] - start;
    float *of_batch = buffers->statistics + (training ? m * n + b : m) * block;
    const float *of_input = training ? buffers->input_statistics + m * block : of_batch;
    return forward_rows(net, how, tensors, m, start, rows,
                        buffers->packed + m * packed_size(net), of_batch, of_input, tape, scratch);
}

/* One virtual batch on the way back: gradients of parameters are added to `sums`. */
static void backward_batch(const Net *net, Selecting how, const Tensors *tensors,
                           const Gradients *given, const Buffers *buffers, int64_t m, int64_t b,
                           Tape tape, float grad_entropy, float *sums, float *scratch)
{
    int64_t n = net->shape.virtual, block = 3 * net->channels;
    int64_t start = buffers->starts[b], rows = buffers->starts[b + 1] - start;
    float *across = scratch + rows * net->ld_z, *down = across + rows * net->ld_pairs;
    Back back = {buffers->packed + m * packed_size(net), buffers->transposed + m * net->transposed,
                 buffers->statistics + (m * n + b) * block, sums, tape, rows, scratch, across,
                 down, down + (rows + 1) / 2 * net->ld_z};
    backward_rows(net, how, tensors, given, m, start, &back, buffers->input_statistics + m * block,
                  grad_entropy, scratch + gate_scratch(net, rows));
}

/* Where all layers of a virtual batch share one place, at the end of a thread's scratch. */
static Tape shared_tape(const Net *net, float *end, int64_t rows)
{
    float *z = end - rows * (net->ld_z + net->ld_h + net->ld_columns) - LANES * net->ld_columns;
    return (Tape){z, z + rows * net->ld_z, z + rows * (net->ld_z + net->ld_h), 0, 0, 0};
}

/* Running statistics take in those of this minibatch. */
static void update_all_running(const Net *net, const Buffers *buffers, const NormTable *norms,
                               float momentum, float input_momentum)
{
    int64_t block = 3 * net->channels, whole_batch[2] = {0, net->shape.batch};
    update_running(net, buffers->input_statistics, block, whole_batch, 1, 0, 1, norms,
                   input_momentum);
    update_running(net, buffers->statistics, block, buffers->starts, net->shape.virtual, 1,
                   net->n_norms, norms, momentum);
}

/* The input norm's own way back, in place, which needs the sums over the whole minibatch. */
static void input_norm_backward(const Net *net, const Buffers *buffers, const NormTable *norms,
                                const float *x, float *grad_x)
{
    int64_t features = net->shape.features, batch = net->shape.batch;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < net->shape.members * batch; row++) {
        int64_t m = row / batch;
        const float *weight = buffers->packed + m * packed_size(net) + net->packed;
        const float *mean = buffers->input_statistics + 3 * m * net->channels;
        const float *inverse = mean + 2 * net->channels;
        const float *moment = norms[0].grad_weight + m * features;
        const float *total = norms[0].grad_bias + m * features;
        float count = (float)batch;
        for (int64_t k = 0; k < features; k++) {
            float centred = (x[row * features + k] - mean[k]) * inverse[k];
            float own = grad_x[row * features + k] - (total[k] + centred * moment[k]) / count;
            grad_x[row * features + k] = weight[k] * inverse[k] * own;
        }
    }
}

/* What rows are trained for: classes or values (M, B), one of them missing, and what a row's loss
 * is multiplied with before they are added up. */
typedef struct { const int64_t *classes; const float *values, *counts; } Goal;

/* The sum of the cross-entropies of up to LANES rows of n logits, each times its count, and the
 * gradients of that; a row is in a lane of its own. */
static double cross_entropies(const float *logits, const int64_t *classes, const float *counts,
                              float *grad, int64_t n, int64_t rows)
{
    float z[n * LANES], own[LANES] = {0}, losses[LANES];
    memset(z, 0, sizeof(z));
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < n; k++)
            z[k * LANES + i] = logits[i * n + k];
        own[i] = logits[i * n + classes[i]];
    }
    Vector top = load(z), total = all(0.0f);
    for (int64_t k = 1; k < n; k++)
        top = larger(top, load(z + k * LANES));
    for (int64_t k = 0; k < n; k++) {
        Vector e = exp_of(load(z + k * LANES) - top);
        total += e;
        store(z + k * LANES, e);
    }
    store(losses, log_of(total) + top - load(own));
    for (int64_t k = 0; k < n; k++)
        store(z + k * LANES, load(z + k * LANES) / total);
    double sum = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < n; k++)
            grad[i * n + k] = counts[i] * z[k * LANES + i];
        grad[i * n + classes[i]] -= counts[i];
        sum += counts[i] * losses[i];
    }
    return sum;
}

/* The sum of the rows' losses from `first` on, and their gradients (M, B, O). */
static double goal_losses(const Net *net, const Goal *goal, const float *logits, float *grad,
                          int64_t first, int64_t rows)
{
    int64_t n = net->shape.outputs, end = first + rows;
    double sum = 0.0;
    for (int64_t row = first; goal->classes && row < end; row += LANES)
        sum += cross_entropies(logits + row * n, goal->classes + row, goal->counts + row,
                               grad + row * n, n, smaller_of(LANES, end - row));
    for (int64_t row = first; goal->values && row < end; row++) {
        float error = logits[row] - goal->values[row];
        grad[row] = goal->counts[row] * error;
        sum += 0.5f * grad[row] * error;
    }
    return sum;
}

/* ---- what Python calls ---- */

/* Let a fresh buffer lie in large pages, where the system has them: columns of wide rows touch a
 * page a row. Only a wish. */
void in_large_pages(float *buffer, int64_t size)
{
#ifdef MADV_HUGEPAGE
    uintptr_t page = 1 << 21, start = ((uintptr_t)buffer + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)buffer + (uintptr_t)size * sizeof(float)) / page * page;
    if (end > start)
        madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)buffer, (void)size;
#endif
}

/* x (M, B, F) to logits (M, B, O), masks (T, M, B, D), sizes (T, M, B) and each virtual batch's
 * entropies, summed over rows and steps (M, virtual). `starts` are the virtual batches' first
 * rows, and B. In training tape, packed and statistics are kept for the way back, and running
 * statistics are updated; in evaluation these normalise, and there is no tape. */
void paper_forward(const Shape *shape, const int64_t *starts, const WeightTable *weights,
                   const NormTable *norms, const float *x, const int64_t *groups,
                   const float *share, float *logits, float *masks, float *sizes,
                   double *entropies, float *packed, float *statistics, float *input_statistics,
                   float *tape, float *scratch, float gamma, float epsilon, float momentum,
                   float input_momentum, int64_t n_threads, int64_t scratch_size)
{
    LAY_OUT(net, shape);
    int64_t n = shape->virtual;
    Tensors tensors = {x, share, groups, logits, masks, sizes, NULL, NULL};
    Selecting how = {gamma, epsilon};
    Buffers buffers = {starts, packed, statistics, input_statistics, NULL};
    pack(&net, weights, norms, packed);
    if (shape->training)
        take_input_statistics(&net, x, input_statistics);
    else
        take_running(&net, norms, statistics);
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (int64_t task = 0; task < shape->members * n; task++) {
        int64_t m = task / n, start = starts[task % n], rows = starts[task % n + 1] - start;
        float *own = scratch + omp_get_thread_num() * scratch_size;
        Tape place = shape->training ? tape_at(&net, tape, m * shape->batch + start, rows)
                                     : shared_tape(&net, own + scratch_size, rows);
        entropies[task] = forward_batch(&net, how, &tensors, &buffers, m, task % n, place, own);
    }
    if (shape->training)
        update_all_running(&net, &buffers, norms, momentum, input_momentum);
}

/* Gradients of all parameters, into the tensors named in the tables, and of x where wanted. Those
 * of masks (T, M, B, D) and sizes (T, M, B) may be missing. `sums` (M, groups, parameters). */
void paper_backward(const Shape *shape, const int64_t *starts, const WeightTable *weights,
                    const NormTable *norms, const float *x, const int64_t *groups,
                    const float *share, const float *masks, const float *grad_logits,
                    const float *grad_masks, const float *grad_sizes, const float *grad_entropy,
                    float *grad_x, float *packed, float *statistics, float *input_statistics,
                    float *tape, float *transposed, float *sums, float *scratch, float gamma,
                    float epsilon, int64_t n_threads, int64_t scratch_size, int64_t n_groups)
{
    LAY_OUT(net, shape);
    int64_t n = shape->virtual;
    Tensors tensors = {x, share, groups, NULL, (float *)masks, NULL, NULL, NULL};
    Gradients given = {grad_logits, grad_masks, grad_sizes, grad_x};
    Selecting how = {gamma, epsilon};
    Buffers buffers = {starts, packed, statistics, input_statistics, transposed};
    pack_transposed(&net, weights, transposed);
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (int64_t task = 0; task < shape->members * n_groups; task++) {
        int64_t m = task / n_groups, group = task % n_groups;
        float *own = sums + task * parameters(&net);
        memset(own, 0, (size_t)parameters(&net) * sizeof(float));
        for (int64_t b = group * n / n_groups; b < (group + 1) * n / n_groups; b++)
            backward_batch(&net, how, &tensors, &given, &buffers, m, b,
                           tape_at(&net, tape, m * shape->batch + starts[b],
                                   starts[b + 1] - starts[b]),
                           grad_entropy[m], own,
                           scratch + omp_get_thread_num() * scratch_size);
    }
    unpack_gradients(&net, sums, weights, norms, n_groups);
    if (grad_x)
        input_norm_backward(&net, &buffers, norms, x, grad_x);
}

/* Both ways at once, for a goal that is known on the way: each virtual batch goes back while its
 * tape, weights and decisions, of which every thread has one, are in the cache. Other outputs as
 * of paper_forward, and the losses' sums (M, virtual); gradients, `grad_logits` among them, as of
 * paper_backward. */
void paper_train(const Shape *shape, const int64_t *starts, const WeightTable *weights,
                 const NormTable *norms, const float *x, const int64_t *groups,
                 const float *share, const int64_t *classes, const float *values,
                 const float *counts, float *logits, double *entropies, double *losses,
                 float *grad_logits, float *grad_x, float *packed, float *statistics,
                 float *input_statistics, float *transposed, float *sums, float *tape,
                 float *kept, float *scratch, float gamma, float epsilon, float momentum,
                 float input_momentum, float grad_entropy, int64_t n_threads, int64_t tape_size,
                 int64_t kept_size, int64_t scratch_size, int64_t n_groups)
{
    LAY_OUT(net, shape);
    int64_t n = shape->virtual;
    Gradients given = {grad_logits, NULL, NULL, grad_x};
    Selecting how = {gamma, epsilon};
    Goal goal = {classes, values, counts};
    Buffers buffers = {starts, packed, statistics, input_statistics, transposed};
    pack(&net, weights, norms, packed);
    pack_transposed(&net, weights, transposed);
    take_input_statistics(&net, x, input_statistics);
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (int64_t task = 0; task < shape->members * n_groups; task++) {
        int64_t m = task / n_groups, group = task % n_groups, thread = omp_get_thread_num();
        float *own = sums + task * parameters(&net), *place = scratch + thread * scratch_size;
        memset(own, 0, (size_t)parameters(&net) * sizeof(float));
        for (int64_t b = group * n / n_groups; b < (group + 1) * n / n_groups; b++) {
            int64_t first = m * shape->batch + starts[b], rows = starts[b + 1] - starts[b];
            Tape ours = tape_at(&net, tape + thread * tape_size, 0, rows);
            float *chosen = kept + thread * kept_size;
            Tensors tensors = {x, share, groups, logits, NULL, NULL, chosen,
                               chosen + shape->steps * chosen_size(&net, rows)};
            entropies[m * n + b] = forward_batch(&net, how, &tensors, &buffers, m, b, ours, place);
            losses[m * n + b] = goal_losses(&net, &goal, logits, grad_logits, first, rows);
            backward_batch(&net, how, &tensors, &given, &buffers, m, b, ours, grad_entropy, own,
                           place);
        }
    }
    unpack_gradients(&net, sums, weights, norms, n_groups);
    if (grad_x)
        input_norm_backward(&net, &buffers, norms, x, grad_x);
    update_all_running(&net, &buffers, norms, momentum, input_momentum);
}

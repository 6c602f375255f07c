/* The default network (net/tabnet.py) as one kernel each way, single precision.
 *
 * Sizes: M members, B rows of a minibatch, V value features of R = bins + 2 elements, C category
 * features of L numbers each, F = V + C features, D columns, T attention steps, H hidden units,
 * O outputs. A block of a member's rows passes through the whole network while it is in the
 * cache; gradients of parameters are then sums over all rows of a member, each by one task in
 * one order. So no result depends on the number of threads.
 *
 * A *map* turns tokens into vectors (TokenLinear): map 0 into the context, maps 1 + 2 t and
 * 2 + 2 t into the keys and values of step t. A value feature's elements are its value, bins that
 * fill up one after the other, and one for a missing value, so a map of them is its value's row
 * times the value, plus what a row reads between two *knots*: running sums of the bins' rows. A
 * map's *dense* rows are those of the values and of the levels' numbers; a row's dense tokens
 * are what they are multiplied with.
 *
 * Arrays within the kernel have rows of whole vectors, filled with zeros. Where the CPU multiplies
 * bf16 faster, training rounds both factors of the products of hidden layers to it (`pairs.h`).
 */
#include <omp.h>
#include <stdint.h>
#include <string.h>
#include "maps.h"
#include "pairs.h"

#define BLOCK_ROWS 64 /* rows that pass through the network together */
#define WIDE (LANES / 2) /* vectors of sums that stay in registers */
#define SORTED_FIELDS 4 /* numbers of a row that a feature's gradient keeps in the order of knots */
#define SELU_SCALE 1.0507009873554805f
#define SELU_ALPHA 1.6732632423543772f

/* What Python knows of the network; the order is that of tabnet_native.py. */
typedef struct {
    int64_t members, batch, values, categories, level_width, bins, columns, steps, key, context;
    int64_t hidden, layers, outputs, levels, map, activation, training, pairs;
} Shape;

/* Where a parameter's members lie, `stride` numbers apart, and where its gradient goes. */
typedef struct { const float *values; int64_t stride; float *grad; } Parameter;

/* Parameters come in this order, then T times those of a step, then those of the trunk. */
enum { VALUE_SCALE, LEVEL_SCALE, LEVEL, CONTEXT_VALUES, CONTEXT_LEVELS, CONTEXT_BIAS, OF_STEPS };
enum { KEY_VALUES, KEY_LEVELS, COLUMN_KEY, QUERY, CONDITION, STRENGTH, VALUE_VALUES, VALUE_LEVELS,
       IN_STEP };
/* State bias, first share; weight, bias and share of each further layer; the head. */
enum { STATE_BIAS, FIRST_SHARE, OF_LAYERS };
enum { LAYER_WEIGHT, LAYER_BIAS, LAYER_SHARE, IN_LAYER };

/* A minibatch as the members read it: (M, B, V) three times, (M, B, C) rows of the level table. */
typedef struct {
    const float *value, *position;
    const uint8_t *missing;
    const int64_t *level;
    const int64_t *column;      /* of each feature (F) */
    const int64_t *level_start; /* first row of each category's levels (C + 1) */
    const int64_t *bins;        /* that each member uses (M) */
    const float *factor;        /* of each member's maps into context and values (M) */
    const uint8_t *bytes;       /* random, (M, layers, B, H), for dropout; none without */
    const float *keep;          /* of each member: what is not dropped is scaled by it (M) */
    const int64_t *threshold;   /* of each member: smaller bytes are dropped (M) */
} Input;

/* A map's width and where its parts lie in a member's packed parameters. */
typedef struct { int64_t width, ld, knots, dense, back; } TokenMap;

typedef struct {
    Shape shape;
    int64_t features, elements, dense, n_maps;
    int64_t ld_dense, ld_features, ld_columns, ld_key, ld_context, ld_hidden, ld_outputs, ld_levels;
    int64_t packed;                       /* numbers of a member's packed parameters */
    TokenMap *maps;
    const float *factor; /* of each member's maps into context and values (M) */
    int64_t level_scale, context_bias, state_bias, shares, head, head_back, head_bias; /* packed */
    int64_t steps, in_step, in_step_column, in_step_column_back, in_step_condition,
        in_step_condition_back;
    int64_t layers, in_layer, in_layer_back, in_layer_bias;
    /* Fields of a row's tape on the way there and of the one on the way back, in numbers a row. */
    int64_t tokens, knot, place, seen, query, excess, share, before, after, after_pairs;
    int64_t row_tape;
    int64_t of_output, of_share, of_column, of_query, of_context, of_levels, of_before, of_before_pairs;
    int64_t of_logits, row_back;
} Net;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t whole(int64_t n) { return (n + 15) / 16 * 16; }

/* Distance of rows: not a multiple of 512 bytes, which would crowd into a part of the cache. */
static inline int64_t spread(int64_t n)
{
    n = whole(n);
    return n % 128 == 0 && n ? n + 16 : n;
}

static inline int64_t take(int64_t *end, int64_t size)
{
    int64_t start = *end;
    *end += size;
    return start;
}

static inline int64_t count_maps(const Shape *s) { return 1 + 2 * s->steps; }
static inline int64_t key_map(int64_t step) { return 1 + 2 * step; }
static inline int64_t value_map(int64_t step) { return 2 + 2 * step; }
static inline int64_t step_parameter(int64_t step) { return OF_STEPS + IN_STEP * step; }
static inline int64_t trunk_parameter(const Shape *s) { return step_parameter(s->steps); }
static inline int64_t layer_parameter(const Shape *s, int64_t layer)
{
    return trunk_parameter(s) + OF_LAYERS + IN_LAYER * (layer - 1);
}
static inline int64_t head_parameter(const Shape *s) { return layer_parameter(s, s->layers); }
/* The parameter of a map's value features; that of its levels follows. */
static inline int64_t map_parameter(int64_t map)
{
    if (map == 0)
        return CONTEXT_VALUES;
    return step_parameter((map - 1) / 2) + (map % 2 ? KEY_VALUES : VALUE_VALUES);
}
/* What a step's query depends on: the context, later the state. */
static inline int64_t seen_width(const Net *net, int64_t step)
{
    return step ? net->shape.hidden : net->shape.context;
}
static inline int64_t ld_seen(const Net *net, int64_t step)
{
    return step ? net->ld_hidden : net->ld_context;
}
/* The state that a later step sees lies behind the context on the tape. */
static inline int64_t seen_field(const Net *net, int64_t step)
{
    return net->seen + (step ? net->ld_context + (step - 1) * net->ld_hidden : 0);
}

/* What a map's outputs are multiplied with. */
static inline float factor_of(const Net *net, int64_t map, int64_t m)
{
    return map % 2 ? 1.0f / __builtin_sqrtf((float)net->shape.key) : net->factor[m];
}

static void lay_out_parameters(Net *net)
{
    const Shape *s = &net->shape;
    for (int64_t t = 0; t < net->n_maps; t++) {
        TokenMap *map = net->maps + t;
        map->width = t == 0 ? s->context : t % 2 ? s->key : s->hidden;
        map->ld = spread(map->width);
        /* One row more: the row behind the last is read, times zero. */
        map->knots = take(&net->packed, (s->values * net->elements + 1) * map->ld);
        map->dense = take(&net->packed, net->dense * map->ld);
        map->back = take(&net->packed, whole(map->width) * net->ld_dense);
    }
    net->level_scale = take(&net->packed, net->ld_levels);
    net->context_bias = take(&net->packed, net->ld_context);
    net->state_bias = take(&net->packed, net->ld_hidden);
    net->shares = take(&net->packed, s->layers * net->ld_hidden);
    net->head = take(&net->packed, s->hidden * net->ld_outputs);
    net->head_back = take(&net->packed, whole(s->outputs) * net->ld_hidden);
    net->head_bias = take(&net->packed, net->ld_outputs);
    /* A step: query, column keys and condition with their transposes, strength. */
    net->in_step_column = net->ld_key;
    net->in_step_column_back = net->in_step_column + whole(s->key) * net->ld_columns;
    net->in_step_condition = net->in_step_column_back + whole(s->columns) * net->ld_key;
    net->in_step_condition_back =
        net->in_step_condition + whole(most(s->hidden, s->context)) * net->ld_key;
    net->in_step = net->in_step_condition_back
                   + whole(s->key) * most(net->ld_hidden, net->ld_context) + 16;
    net->steps = take(&net->packed, s->steps * net->in_step);
    net->in_layer_back = s->hidden * net->ld_hidden;
    net->in_layer_bias = net->in_layer_back + whole(s->hidden) * net->ld_hidden;
    net->in_layer = net->in_layer_bias + net->ld_hidden;
    net->layers = take(&net->packed, (s->layers - 1) * net->in_layer);
}

static void lay_out_tapes(Net *net)
{
    const Shape *s = &net->shape;
    int64_t ld_values = whole(s->values), *end = &net->row_tape;
    net->tokens = take(end, net->ld_dense);
    net->knot = take(end, ld_values);
    net->place = take(end, ld_values);
    net->seen = take(end, net->ld_context + (s->steps - 1) * net->ld_hidden);
    net->query = take(end, s->steps * net->ld_key);
    net->excess = take(end, s->steps * net->ld_columns);
    net->share = take(end, s->steps * net->ld_features);
    net->before = take(end, s->layers * net->ld_hidden);
    net->after = take(end, s->layers * net->ld_hidden);
    net->after_pairs = take(end, s->pairs * (s->layers - 1) * net->ld_hidden);
    end = &net->row_back;
    net->of_output = take(end, s->steps * net->ld_hidden);
    net->of_share = take(end, s->steps * net->ld_features);
    net->of_column = take(end, s->steps * net->ld_columns);
    net->of_query = take(end, s->steps * net->ld_key);
    net->of_context = take(end, net->ld_context);
    net->of_levels = take(end, net->ld_levels);
    net->of_before = take(end, (s->layers - 1) * net->ld_hidden);
    net->of_before_pairs = take(end, s->pairs * (s->layers - 1) * net->ld_hidden);
    net->of_logits = take(end, net->ld_outputs);
}

static void lay_out(Net *net, const Shape *s, TokenMap *maps)
{
    memset(net, 0, sizeof(*net));
    net->shape = *s, net->maps = maps;
    net->features = s->values + s->categories, net->elements = s->bins + 2;
    net->dense = s->values + s->categories * s->level_width, net->n_maps = count_maps(s);
    net->ld_dense = spread(net->dense), net->ld_features = spread(net->features);
    net->ld_columns = spread(s->columns), net->ld_key = spread(s->key);
    net->ld_context = spread(s->context), net->ld_hidden = spread(s->hidden);
    net->ld_outputs = spread(s->outputs), net->ld_levels = whole(s->categories * s->level_width);
    lay_out_parameters(net);
    lay_out_tapes(net);
}

#define LAY_OUT(net, shape) \
    Net net; \
    TokenMap maps_of_##net[count_maps(shape)]; \
    lay_out(&net, shape, maps_of_##net)

static inline int64_t blocks_of(int64_t n_rows) { return (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS; }

/* Sums over a block's rows: of each layer's shares, and of each step's strength. */
static inline int64_t partial_sums(const Net *net)
{
    return net->shape.layers * net->ld_hidden + whole(net->shape.steps);
}

static inline int64_t thread_scratch(const Net *net)
{
    int64_t widest = most(most(net->ld_hidden, net->ld_context), most(net->ld_key, net->ld_outputs));
    int64_t row = most(net->ld_dense, net->ld_hidden) + net->ld_features + net->ld_hidden + widest;
    int64_t of_rows = net->shape.batch * most(SORTED_FIELDS, net->shape.level_width);
    int64_t of_weights = most(BLOCK_ROWS, net->shape.level_width) * most(widest, net->ld_columns);
    return most(BLOCK_ROWS * row, of_rows + of_weights) + LANES * LANES;
}

/* Numbers of: a member's packed parameters, a row's tape on the way there and back, a thread's
 * scratch, and a member's partial sums. */
void tabnet_sizes(const Shape *shape, int64_t *sizes)
{
    LAY_OUT(net, shape);
    sizes[0] = net.packed;
    sizes[1] = net.row_tape;
    sizes[2] = net.row_back;
    sizes[3] = thread_scratch(&net);
    sizes[4] = blocks_of(shape->batch) * partial_sums(&net);
}

/* ---- parameters, from their tensors to rows of whole vectors ---- */

static inline void pack_row(const float *restrict from, float *restrict to, int64_t n, int64_t ld,
                            float factor)
{
    for (int64_t k = 0; k < n; k++)
        to[k] = factor * from[k];
    memset(to + n, 0, (size_t)(ld - n) * sizeof(float));
}

static void pack_rows(const float *from, float *to, int64_t n_rows, int64_t n, int64_t ld,
                      float factor)
{
    for (int64_t i = 0; i < n_rows; i++)
        pack_row(from + i * n, to + i * ld, n, ld, factor);
}

/* Rows of whole vectors to their transpose, (n, n_rows) in rows of ld_to, filled with zeros. */
static void pack_transpose(const float *from, int64_t ld_from, float *to, int64_t ld_to,
                           int64_t n_rows, int64_t n)
{
    int64_t inner = n_rows / LANES * LANES;
    for (int64_t j = 0; j < whole(n); j += LANES) {
        for (int64_t k = 0; k < inner; k += LANES)
            transpose(from + k * ld_from + j, ld_from, to + j * ld_to + k, ld_to);
        for (int64_t i = j; i < j + LANES; i++)
            for (int64_t k = inner; k < ld_to; k++)
                to[i * ld_to + k] = k < n_rows ? from[k * ld_from + i] : 0.0f;
    }
}

/* A value feature's rows of a map: dense row, knots from an empty one on, missing row. */
static void pack_feature(const Net *net, const TokenMap *map, float factor,
                         const Parameter *values, const Parameter *scales, int64_t m, int64_t i,
                         float *packed)
{
    int64_t n = net->elements, width = map->width, ld = map->ld;
    const float *from = values->values + m * values->stride + i * n * width;
    const float *scale = scales->values + m * scales->stride + i * n;
    float *knots = packed + map->knots + i * n * ld;
    pack_row(from, packed + map->dense + i * ld, width, ld, factor * scale[0]);
    memset(knots, 0, (size_t)ld * sizeof(float));
    for (int64_t j = 1; j < n; j++) {
        const float *restrict row = from + j * width;
        const float *restrict before = knots + (j - 1) * ld;
        float *restrict to = knots + j * ld;
        float s = factor * scale[j];
        if (j == n - 1)
            for (int64_t k = 0; k < width; k++)
                to[k] = s * row[k];
        else
            for (int64_t k = 0; k < width; k++)
                to[k] = before[k] + s * row[k];
        memset(to + width, 0, (size_t)(ld - width) * sizeof(float));
    }
}

static void pack_step(const Net *net, const Parameter *own, int64_t m, int64_t step, float *to)
{
    const Shape *s = &net->shape;
    int64_t seen = seen_width(net, step);
    float root = 1.0f / __builtin_sqrtf((float)s->key);
    float *column = to + net->in_step_column, *condition = to + net->in_step_condition;
    pack_row(own[QUERY].values + m * own[QUERY].stride, to, s->key, net->ld_key, 1.0f);
    pack_rows(own[COLUMN_KEY].values + m * own[COLUMN_KEY].stride, column, s->key, s->columns,
              net->ld_columns, root);
    pack_rows(own[CONDITION].values + m * own[CONDITION].stride, condition, seen, s->key,
              net->ld_key, 1.0f / __builtin_sqrtf((float)seen));
    if (!s->training)
        return;
    pack_transpose(column, net->ld_columns, to + net->in_step_column_back, net->ld_key, s->key,
                   s->columns);
    pack_transpose(condition, net->ld_key, to + net->in_step_condition_back, ld_seen(net, step),
                   seen, s->key);
}

/* What is small: scales, biases, shares, the head. */
static void pack_rest(const Net *net, const Parameter *all, int64_t m, float *packed)
{
    const Shape *s = &net->shape;
    const Parameter *trunk = all + trunk_parameter(s), *head = all + head_parameter(s);
#define OF(parameter) ((parameter).values + m * (parameter).stride)
    pack_row(OF(all[LEVEL_SCALE]), packed + net->level_scale, s->categories * s->level_width,
             net->ld_levels, 1.0f);
    pack_row(OF(all[CONTEXT_BIAS]), packed + net->context_bias, s->context, net->ld_context, 1.0f);
    pack_row(OF(trunk[STATE_BIAS]), packed + net->state_bias, s->hidden, net->ld_hidden, 1.0f);
    pack_row(OF(trunk[FIRST_SHARE]), packed + net->shares, s->hidden, net->ld_hidden, 1.0f);
    for (int64_t l = 1; l < s->layers; l++) {
        const Parameter *own = all + layer_parameter(s, l);
        pack_row(OF(own[LAYER_SHARE]), packed + net->shares + l * net->ld_hidden, s->hidden,
                 net->ld_hidden, 1.0f);
        pack_row(OF(own[LAYER_BIAS]), packed + net->layers + (l - 1) * net->in_layer
                 + net->in_layer_bias, s->hidden, net->ld_hidden, 1.0f);
    }
    pack_rows(OF(head[0]), packed + net->head, s->hidden, s->outputs, net->ld_outputs,
              1.0f / __builtin_sqrtf((float)s->hidden));
    pack_row(OF(head[1]), packed + net->head_bias, s->outputs, net->ld_outputs, 1.0f);
    if (s->training)
        pack_transpose(packed + net->head, net->ld_outputs, packed + net->head_back,
                       net->ld_hidden, s->hidden, s->outputs);
#undef OF
}

/* A layer's weight and its transpose; in pairs of their rows where products are of pairs. */
static void pack_layer(const Net *net, const Parameter *weight, int64_t m, int64_t layer,
                       float *packed)
{
    const Shape *s = &net->shape;
    int64_t n = s->hidden, ld = net->ld_hidden;
    float *to = packed + net->layers + (layer - 1) * net->in_layer, *back = to + net->in_layer_back;
    pack_rows(weight->values + m * weight->stride, to, n, n, ld,
              1.0f / __builtin_sqrtf((float)n));
    if (s->training)
        pack_transpose(to, ld, back, ld, n, n);
    if (s->pairs) {
        pair_rows(to, ld, to, ld, n, n);
        pair_rows(back, ld, back, ld, n, n);
    }
}

/* The dense rows of a map's levels, and the transpose of all its dense rows. */
static void pack_map(const Net *net, const Parameter *all, int64_t m, int64_t t, float *packed)
{
    const Shape *s = &net->shape;
    const TokenMap *map = net->maps + t;
    const Parameter *values = all + map_parameter(t), *levels = values + 1;
    float factor = factor_of(net, t, m);
    for (int64_t i = 0; i < s->values; i++)
        pack_feature(net, map, factor, values, all + VALUE_SCALE, m, i, packed);
    memset(packed + map->knots + s->values * net->elements * map->ld, 0,
           (size_t)map->ld * sizeof(float));
    pack_rows(levels->values + m * levels->stride, packed + map->dense + s->values * map->ld,
              s->categories * s->level_width, map->width, map->ld, factor);
    if (s->training || t % 2)
        pack_transpose(packed + map->dense, map->ld, packed + map->back, net->ld_dense,
                       net->dense, map->width);
}

static void pack(const Net *net, const Parameter *all, float *packed, int64_t n_threads)
{
    const Shape *s = &net->shape;
    int64_t n_maps = net->n_maps, n = n_maps + s->steps + s->layers;
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (int64_t task = 0; task < s->members * n; task++) {
        int64_t m = task / n, i = task % n;
        float *to = packed + m * net->packed;
        if (i < n_maps)
            pack_map(net, all, m, n_maps - 1 - i, to);
        else if (i < n_maps + s->steps)
            pack_step(net, all + step_parameter(i - n_maps), m, i - n_maps,
                      to + net->steps + (i - n_maps) * net->in_step);
        else if (i == n_maps + s->steps)
            pack_rest(net, all, m, to);
        else
            pack_layer(net, all + layer_parameter(s, i - n_maps - s->steps) + LAYER_WEIGHT, m,
                       i - n_maps - s->steps, to);
    }
}

/* ---- a block of a member's rows ---- */

typedef int32_t __attribute__((may_alias)) Knot;

/* Some rows of a member and where their numbers lie: fields of the tapes are arrays of `n_tape`
 * rows, of which these begin at `first`. */
typedef struct {
    const Net *net;
    const float *packed;
    float *tape, *back, *scratch;
    int64_t n_tape, first, n, member, row; /* `row` of the minibatch's M B rows */
} Rows;

static inline float *field(const Rows *rows, int64_t at, int64_t ld)
{
    return rows->tape + at * rows->n_tape + rows->first * ld;
}

static inline float *back_field(const Rows *rows, int64_t at, int64_t ld)
{
    return rows->back + at * rows->n_tape + rows->first * ld;
}

/* A thread's scratch: weighted dense tokens, one number a feature, and rows of hidden units. */
static inline float *weighted_of(const Rows *rows) { return rows->scratch; }
static inline float *dots_of(const Rows *rows)
{
    return weighted_of(rows) + BLOCK_ROWS * most(rows->net->ld_dense, rows->net->ld_hidden);
}
static inline float *gradient_of(const Rows *rows)
{
    return dots_of(rows) + BLOCK_ROWS * rows->net->ld_features;
}
static inline float *other_of(const Rows *rows)
{
    return gradient_of(rows) + BLOCK_ROWS * rows->net->ld_hidden;
}

/* A row's dense tokens, and where it reads between the knots. */
static void read_tokens(const Rows *rows, const Input *in, const Parameter *level)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    int64_t n_values = s->values, ld_values = whole(n_values), width = s->level_width;
    int64_t bins = in->bins[rows->member];
    const float *scale = rows->packed + net->level_scale;
    const float *levels = level->values + rows->member * level->stride;
    for (int64_t r = 0; r < rows->n; r++) {
        int64_t at = (rows->row + r) * n_values;
        float *tokens = field(rows, net->tokens, net->ld_dense) + r * net->ld_dense;
        Knot *knot = (Knot *)field(rows, net->knot, ld_values) + r * ld_values;
        float *place = field(rows, net->place, ld_values) + r * ld_values;
        for (int64_t i = 0; i < n_values; i++) {
            float p = in->position[at + i] * (float)bins;
            int64_t k = bins ? least((int64_t)p, bins - 1) : 0;
            int missing = in->missing[at + i];
            tokens[i] = missing ? 0.0f : in->value[at + i];
            knot[i] = (Knot)(i * net->elements + (missing ? net->elements - 1 : k));
            place[i] = missing || !bins ? 0.0f : p - (float)k;
        }
        for (int64_t c = 0; c < s->categories; c++) {
            const float *from = levels + in->level[(rows->row + r) * s->categories + c] * width;
            for (int64_t l = 0; l < width; l++)
                tokens[n_values + c * width + l] = from[l] * scale[c * width + l];
        }
        memset(tokens + net->dense, 0, (size_t)(net->ld_dense - net->dense) * sizeof(float));
    }
}

/* Dense tokens times their features' shares (n, ld_features). */
static void weight_tokens(const Rows *rows, const float *shares, float *to)
{
    const Net *net = rows->net;
    int64_t n_values = net->shape.values, width = net->shape.level_width;
    const float *tokens = field(rows, net->tokens, net->ld_dense);
    for (int64_t r = 0; r < rows->n; r++) {
        const float *restrict from = tokens + r * net->ld_dense;
        const float *restrict share = shares + r * net->ld_features;
        float *restrict out = to + r * net->ld_dense;
        for (int64_t i = 0; i < n_values; i++)
            out[i] = share[i] * from[i];
        for (int64_t c = 0; c < net->shape.categories; c++)
            for (int64_t l = n_values + c * width; l < n_values + (c + 1) * width; l++)
                out[l] = share[n_values + c] * from[l];
    }
}

/* to += sum over value features of share times what a row reads between the knots. */
static inline __attribute__((always_inline)) void add_knots(
    const float *knots, int64_t ld, const Knot *knot, const float *place, const float *share,
    int64_t n_values, float *to, const int n)
{
    Vector sum[WIDE];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++)
        sum[j] = load(to + j * LANES);
    for (int64_t i = 0; i < n_values; i++) {
        const float *row = knots + knot[i] * ld;
        float s = share ? share[i] : 1.0f, b = s * place[i], a = s - b;
#pragma GCC unroll 8
        for (int j = 0; j < n; j++)
            sum[j] += a * load(row + j * LANES) + b * load(row + ld + j * LANES);
    }
#pragma GCC unroll 8
    for (int j = 0; j < n; j++)
        store(to + j * LANES, sum[j]);
}

/* to (n, ld) = sum over features of shares (n, ld_features; 1 without) times a map's outputs. */
static void token_sum(const Rows *rows, int64_t t, const float *shares, float *to)
{
    const Net *net = rows->net;
    const TokenMap *map = net->maps + t;
    int64_t n_values = net->shape.values, ld_values = whole(n_values), width = whole(map->width);
    const float *tokens = field(rows, net->tokens, net->ld_dense);
    if (shares) {
        float *weighted = weighted_of(rows);
        weight_tokens(rows, shares, weighted);
        tokens = weighted;
    }
    product(tokens, net->ld_dense, 1, rows->packed + map->dense, map->ld, to, map->ld, rows->n,
            width, net->dense, 0);
    if (!n_values)
        return;
    const float *knots = rows->packed + map->knots;
    for (int64_t r = 0; r < rows->n; r++) {
        const Knot *knot = (const Knot *)field(rows, net->knot, ld_values) + r * ld_values;
        const float *place = field(rows, net->place, ld_values) + r * ld_values;
        const float *share = shares ? shares + r * net->ld_features : 0;
        float *out = to + r * map->ld;
        int64_t k = 0;
        for (; k + WIDE * LANES <= width; k += WIDE * LANES)
            add_knots(knots + k, map->ld, knot, place, share, n_values, out + k, WIDE);
        for (; k < width; k += LANES)
            add_knots(knots + k, map->ld, knot, place, share, n_values, out + k, 1);
    }
}

/* Scalar products of a vector with what a row reads between the knots, in `to` (n_values). */
static void knot_products(const float *knots, int64_t ld, const Knot *knot, const float *place,
                          int64_t n_values, const float *vector, int64_t width, float *to,
                          float *tile)
{
    for (int64_t i = 0; i < n_values; i += LANES) {
        int64_t n = least(LANES, n_values - i);
        for (int64_t j = 0; j < n; j++) {
            const float *row = knots + knot[i + j] * ld;
            Vector left = all(0.0f), right = all(0.0f);
            for (int64_t k = 0; k < width; k += LANES) {
                Vector v = load(vector + k);
                left += v * load(row + k);
                right += v * load(row + ld + k);
            }
            store(tile + j * LANES, left + place[i + j] * (right - left));
        }
        if (n < LANES)
            memset(tile + n * LANES, 0, (size_t)((LANES - n) * LANES) * sizeof(float));
        float turned[LANES * LANES];
        transpose(tile, LANES, turned, LANES);
        Vector sum = load(turned);
#pragma GCC unroll 16
        for (int j = 1; j < LANES; j++)
            sum += load(turned + j * LANES);
        memcpy(to + i, &sum, (size_t)n * sizeof(float));
    }
}

/* Scalar products of a map's outputs with vectors (n, ld), in `dots` (n, ld_features), which may
 * be none; the products with the dense rows stay in the scratch for weighted tokens. */
static void token_dot(const Rows *rows, int64_t t, const float *vectors, float *dots)
{
    const Net *net = rows->net;
    const TokenMap *map = net->maps + t;
    int64_t n_values = net->shape.values, ld_values = whole(n_values);
    int64_t n_levels = net->shape.level_width;
    float *dense = weighted_of(rows);
    float *tile = rows->scratch + thread_scratch(net) - LANES * LANES;
    product(vectors, map->ld, 1, rows->packed + map->back, net->ld_dense, dense, net->ld_dense,
            rows->n, whole(net->dense), map->width, 0);
    if (!dots)
        return;
    const float *all_tokens = field(rows, net->tokens, net->ld_dense);
    for (int64_t r = 0; r < rows->n; r++) {
        const Knot *knot = (const Knot *)field(rows, net->knot, ld_values) + r * ld_values;
        const float *place = field(rows, net->place, ld_values) + r * ld_values;
        const float *restrict tokens = all_tokens + r * net->ld_dense;
        const float *restrict of_tokens = dense + r * net->ld_dense;
        float *restrict to = dots + r * net->ld_features;
        knot_products(rows->packed + map->knots, map->ld, knot, place, n_values,
                      vectors + r * map->ld, whole(map->width), to, tile);
        for (int64_t i = 0; i < n_values; i++)
            to[i] += tokens[i] * of_tokens[i];
        for (int64_t c = 0; c < net->shape.categories; c++) {
            float sum = 0.0f;
            for (int64_t l = n_values + c * n_levels; l < n_values + (c + 1) * n_levels; l++)
                sum += tokens[l] * of_tokens[l];
            to[n_values + c] = sum;
        }
    }
}

static void add_vectors(float *restrict to, const float *restrict from, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        to[k] += from[k];
}

static void fill_rows(float *to, const float *row, int64_t n_rows, int64_t ld)
{
    for (int64_t r = 0; r < n_rows; r++)
        memcpy(to + r * ld, row, (size_t)ld * sizeof(float));
}

/* Where a block's pairs of rows lie: a member's are one after the other from its first row on. */
static inline int64_t pairs_at(const Rows *rows, int64_t at)
{
    const Net *net = rows->net;
    int64_t start = rows->member * net->shape.batch;
    return at * rows->n_tape + (start + (rows->first - start) / 2) * net->ld_hidden;
}

/* out (n, H) = rows of hidden units (n, H) times a layer's packed weight, added where told; the
 * rows' pairs are kept at `pairs` for the weight's gradient. */
static void layer_product(const Rows *rows, const float *in, const float *weight, float *out,
                          float *pairs, int add)
{
    int64_t ld = rows->net->ld_hidden, n = rows->net->shape.hidden;
    if (!rows->net->shape.pairs) {
        product(in, ld, 1, weight, ld, out, ld, rows->n, whole(n), n, add);
        return;
    }
    float *across = weighted_of(rows);
    pair_columns(in, ld, across, ld, rows->n, n);
    pair_rows(in, ld, pairs, ld, rows->n, n);
    product_of_pairs(across, ld, 1, weight, ld, out, ld, rows->n, n, n / 2, add);
}

/* ---- the way there ---- */

/* From logits to the map's weights or, for 1.5-entmax, their roots; in place. */
static void map_row(float *restrict z, int64_t n, int64_t padded, int64_t map)
{
    for (int64_t k = n; k < padded; k++)
        z[k] = -INFINITY;
    if (map != SOFTMAX) {
        excess_row(z, padded, map);
        return;
    }
    float top = z[0], total = 0.0f;
    for (int64_t k = 1; k < n; k++)
        top = z[k] > top ? z[k] : top;
    for (int64_t k = 0; k < padded; k += LANES) {
        Vector e = exp_of(load(z + k) - top);
        store(z + k, e);
    }
    for (int64_t k = 0; k < n; k++)
        total += z[k];
    for (int64_t k = 0; k < padded; k++)
        z[k] = k < n ? z[k] / total : 0.0f;
}

static inline float weight_of(float excess, int64_t map)
{
    return map == ENTMAX15 ? excess * excess : excess;
}

static inline float strength_of(const Parameter *strength, int64_t m)
{
    return 1.0f / (1.0f + __builtin_expf(-strength->values[m * strength->stride]));
}

/* Logits of a step (n, ld_columns) become its masks (n, D) and shares of features. */
static void attend(const Rows *rows, const Input *in, int64_t step, float strength,
                   float *logits, const float *dots, float *masks)
{
    const Net *net = rows->net;
    int64_t n_columns = net->shape.columns, map = net->shape.map, padded = whole(n_columns);
    float *shares = field(rows, net->share + step * net->ld_features, net->ld_features);
    for (int64_t r = 0; r < rows->n; r++) {
        float *z = logits + r * net->ld_columns, *mask = masks + r * n_columns;
        for (int64_t f = 0; f < net->features; f++)
            z[in->column[f]] += dots[r * net->ld_features + f];
        map_row(z, n_columns, padded, map);
        for (int64_t k = 0; k < n_columns; k++)
            mask[k] = (1.0f - strength) / (float)n_columns + strength * weight_of(z[k], map);
        for (int64_t f = 0; f < net->features; f++)
            shares[r * net->ld_features + f] = (float)n_columns * mask[in->column[f]];
    }
}

/* Add a step's output to the state, and tell its size in each row. */
static void add_output(const Rows *rows, float *restrict state, const float *restrict output,
                       float *sizes)
{
    int64_t ld = rows->net->ld_hidden, width = whole(rows->net->shape.hidden);
    for (int64_t r = 0; r < rows->n; r++) {
        Vector squares = all(0.0f);
        for (int64_t k = r * ld; k < r * ld + width; k += LANES) {
            Vector own = load(output + k);
            squares += own * own;
            store(state + k, load(state + k) + own);
        }
        sizes[r] = __builtin_sqrtf(total_of(squares));
    }
}

static void rectify(const Rows *rows, const float *from, float *to, int64_t ld, int64_t width)
{
    for (int64_t r = 0; r < rows->n; r++)
        for (int64_t k = r * ld; k < r * ld + whole(width); k += LANES)
            store(to + k, positive(load(from + k)));
}

static void forward_step(const Rows *rows, const Input *in, const Parameter *own, int64_t step,
                         float *state, float *masks, float *sizes)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    const float *packed = rows->packed + net->steps + step * net->in_step;
    int64_t ld = ld_seen(net, step), width = seen_width(net, step);
    const float *seen = field(rows, seen_field(net, step), ld);
    float *query = field(rows, net->query + step * net->ld_key, net->ld_key);
    float *logits = field(rows, net->excess + step * net->ld_columns, net->ld_columns);
    float *shares = field(rows, net->share + step * net->ld_features, net->ld_features);
    float *dots = dots_of(rows), *output = other_of(rows);
    fill_rows(query, packed, rows->n, net->ld_key);
    product(seen, ld, 1, packed + net->in_step_condition, net->ld_key, query, net->ld_key,
            rows->n, whole(s->key), width, 1);
    token_dot(rows, key_map(step), query, dots);
    product(query, net->ld_key, 1, packed + net->in_step_column, net->ld_columns, logits,
            net->ld_columns, rows->n, whole(s->columns), s->key, 0);
    attend(rows, in, step, strength_of(own + STRENGTH, rows->member), logits, dots, masks);
    token_sum(rows, value_map(step), shares, output);
    add_output(rows, state, output, sizes);
}

typedef uint8_t Bytes __attribute__((vector_size(LANES), aligned(1), may_alias));

/* What dropout leaves of 16 units: the scale, or 0. */
static inline Vector kept(const uint8_t *bytes, int32_t threshold, float scale)
{
    Whole drawn = __builtin_convertvector(*(const Bytes *)bytes, Whole);
    return (Vector)((drawn >= threshold) & (Whole)all(scale));
}

/* The random bytes of a row of a layer, in whole vectors. */
static inline void load_bytes(const Input *in, const Net *net, int64_t layer, int64_t row,
                              uint8_t *to)
{
    int64_t n = net->shape.hidden, n_batch = net->shape.batch;
    int64_t before = (row / n_batch) * net->shape.layers + layer;
    memcpy(to, in->bytes + (before * n_batch + row % n_batch) * n, (size_t)n);
    memset(to + n, 0, (size_t)(whole(n) - n));
}

enum { RELU = 1, SELU = 2, MISH = 3 };

/* An activation, and its slope where told. */
static inline __attribute__((always_inline)) Vector active(Vector x, int64_t which, Vector *slope)
{
    if (which == RELU) {
        if (slope)
            *slope = is_positive(x);
        return positive(x);
    }
    if (which == SELU) {
        Vector low = SELU_SCALE * SELU_ALPHA * exp_of(x);
        if (slope)
            *slope = where(x > 0.0f, all(SELU_SCALE), low);
        return where(x > 0.0f, SELU_SCALE * x, low - SELU_SCALE * SELU_ALPHA);
    }
    /* x tanh(log(1 + e)), e = exp(x): Misra 2019, arXiv 1908.08681. */
    Vector e = exp_of(smaller(x, all(30.0f))), square = (1.0f + e) * (1.0f + e);
    Vector tanh = (square - 1.0f) / (square + 1.0f);
    if (slope)
        *slope = tanh + x * (1.0f - tanh * tanh) * e / (1.0f + e);
    return x * tanh;
}

/* after = keep ((1 - share) before + share f(before)). */
static void activate(const Rows *rows, const Input *in, int64_t layer)
{
    const Net *net = rows->net;
    int64_t ld = net->ld_hidden, width = whole(net->shape.hidden);
    const float *before = field(rows, net->before + layer * ld, ld);
    const float *share = rows->packed + net->shares + layer * ld;
    float *after = field(rows, net->after + layer * ld, ld);
    int64_t which = net->shape.activation;
    uint8_t bytes[width];
    float scale = in->bytes ? in->keep[rows->member] : 1.0f;
    int32_t threshold = in->bytes ? (int32_t)in->threshold[rows->member] : 0;
    for (int64_t r = 0; r < rows->n; r++) {
        if (in->bytes)
            load_bytes(in, net, layer, rows->row + r, bytes);
        for (int64_t k = 0; k < width; k += LANES) {
            Vector x = load(before + r * ld + k);
            Vector y = x + load(share + k) * (active(x, which, 0) - x);
            store(after + r * ld + k, in->bytes ? y * kept(bytes + k, threshold, scale) : y);
        }
    }
}

static void forward_trunk(const Rows *rows, const Input *in, float *logits)
{
    const Net *net = rows->net;
    int64_t ld = net->ld_hidden, n = net->shape.hidden, n_outputs = net->shape.outputs;
    activate(rows, in, 0);
    for (int64_t l = 1; l < net->shape.layers; l++) {
        const float *own = rows->packed + net->layers + (l - 1) * net->in_layer;
        float *before = field(rows, net->before + l * ld, ld);
        fill_rows(before, own + net->in_layer_bias, rows->n, ld);
        layer_product(rows, field(rows, net->after + (l - 1) * ld, ld), own, before,
                      rows->tape + pairs_at(rows, net->after_pairs + (l - 1) * ld), 1);
        activate(rows, in, l);
    }
    float *out = other_of(rows);
    fill_rows(out, rows->packed + net->head_bias, rows->n, net->ld_outputs);
    product(field(rows, net->after + (net->shape.layers - 1) * ld, ld), ld, 1,
            rows->packed + net->head, net->ld_outputs, out, net->ld_outputs, rows->n,
            whole(n_outputs), n, 1);
    for (int64_t r = 0; r < rows->n; r++)
        memcpy(logits + (rows->row + r) * n_outputs, out + r * net->ld_outputs,
               (size_t)n_outputs * sizeof(float));
}

/* The state becomes what the first activation reads. */
static void forward_rows(const Rows *rows, const Input *in, const Parameter *all_parameters,
                         float *logits, float *masks, float *sizes)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    int64_t all_rows = s->members * s->batch;
    float *state = field(rows, net->before, net->ld_hidden);
    float *context = field(rows, net->seen, net->ld_context);
    read_tokens(rows, in, all_parameters + LEVEL);
    token_sum(rows, 0, 0, context);
    for (int64_t r = 0; r < rows->n; r++)
        add_vectors(context + r * net->ld_context, rows->packed + net->context_bias,
                    whole(s->context));
    rectify(rows, context, context, net->ld_context, s->context);
    fill_rows(state, rows->packed + net->state_bias, rows->n, net->ld_hidden);
    for (int64_t t = 0; t < s->steps; t++) {
        int64_t at = t * all_rows + rows->row;
        if (t)
            rectify(rows, state, field(rows, seen_field(net, t), net->ld_hidden), net->ld_hidden,
                    s->hidden);
        forward_step(rows, in, all_parameters + step_parameter(t), t, state,
                     masks + at * s->columns, sizes + at);
    }
    forward_trunk(rows, in, logits);
}

static Rows block_of(const Net *net, int64_t task, const float *packed, float *tape, float *back,
                     float *scratch, int64_t scratch_size)
{
    const Shape *s = &net->shape;
    int64_t n_blocks = blocks_of(s->batch), start = (task % n_blocks) * BLOCK_ROWS;
    int64_t m = task / n_blocks, row = m * s->batch + start;
    Rows rows = {net, packed + m * net->packed, tape, back,
                 scratch + omp_get_thread_num() * scratch_size, s->members * s->batch, row,
                 least(BLOCK_ROWS, s->batch - start), m, row};
    if (!s->training) { /* every thread has a short tape of its own */
        rows.tape = tape + omp_get_thread_num() * BLOCK_ROWS * net->row_tape;
        rows.n_tape = BLOCK_ROWS, rows.first = 0;
    }
    return rows;
}

/* From a minibatch to logits (M, B, O), masks (T, M, B, D) and sizes (T, M, B). The packed
 * parameters and, in training, the tape are for the way back. */
void tabnet_forward(const Shape *shape, const Parameter *parameters, const Input *in,
                    float *logits, float *masks, float *sizes, float *packed, float *tape,
                    float *scratch, int64_t n_threads, int64_t scratch_size)
{
    LAY_OUT(net, shape);
    net.factor = in->factor;
    pack(&net, parameters, packed, n_threads);
    int64_t n_tasks = shape->members * blocks_of(shape->batch);
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (int64_t task = 0; task < n_tasks; task++) {
        Rows rows = block_of(&net, task, packed, tape, 0, scratch, scratch_size);
        forward_rows(&rows, in, parameters, logits, masks, sizes);
    }
}

/* ---- the way back, a block of a member's rows ---- */

/* From the gradient of the map's weights to that of the logits, in place. */
static void map_row_backward(float *restrict grad, const float *restrict excess, int64_t padded,
                             int64_t map)
{
    if (map != SOFTMAX) {
        excess_backward_row(grad, excess, padded, map);
        return;
    }
    float mean = 0.0f;
    for (int64_t k = 0; k < padded; k++)
        mean += grad[k] * excess[k];
    for (int64_t k = 0; k < padded; k++)
        grad[k] = excess[k] * (grad[k] - mean);
}

/* Through an activation: `grad` of what it puts out becomes `to`, that of what it reads; the sums
 * over the rows for its shares go to `sums`. */
static void activate_backward(const Rows *rows, const Input *in, int64_t layer,
                              const float *grad, float *to, float *sums)
{
    const Net *net = rows->net;
    int64_t ld = net->ld_hidden, width = whole(net->shape.hidden);
    const float *before = field(rows, net->before + layer * ld, ld);
    const float *share = rows->packed + net->shares + layer * ld;
    int64_t which = net->shape.activation;
    uint8_t bytes[width];
    float scale = in->bytes ? in->keep[rows->member] : 1.0f;
    int32_t threshold = in->bytes ? (int32_t)in->threshold[rows->member] : 0;
    memset(sums, 0, (size_t)ld * sizeof(float));
    for (int64_t r = 0; r < rows->n; r++) {
        if (in->bytes)
            load_bytes(in, net, layer, rows->row + r, bytes);
        for (int64_t k = 0; k < width; k += LANES) {
            Vector x = load(before + r * ld + k), g = load(grad + r * ld + k), slope;
            Vector value = active(x, which, &slope);
            g = in->bytes ? g * kept(bytes + k, threshold, scale) : g;
            store(to + r * ld + k, g * (1.0f + load(share + k) * (slope - 1.0f)));
            store(sums + k, load(sums + k) + g * (value - x));
        }
    }
}

/* From the outputs' gradients to those of what each layer reads; the first's is the state's. */
static void backward_trunk(const Rows *rows, const Input *in, const float *of_logits,
                           float *sums)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    int64_t ld = net->ld_hidden, n = s->hidden;
    float *out = back_field(rows, net->of_logits, net->ld_outputs), *grad = gradient_of(rows);
    pack_rows(of_logits + rows->row * s->outputs, out, rows->n, s->outputs, net->ld_outputs, 1.0f);
    product(out, net->ld_outputs, 1, rows->packed + net->head_back, ld, grad, ld, rows->n,
            whole(n), s->outputs, 0);
    for (int64_t l = s->layers - 1; l > 0; l--) {
        float *to = back_field(rows, net->of_before + (l - 1) * ld, ld);
        activate_backward(rows, in, l, grad, to, sums + l * ld);
        layer_product(rows, to,
                      rows->packed + net->layers + (l - 1) * net->in_layer + net->in_layer_back,
                      grad, rows->back + pairs_at(rows, net->of_before_pairs + (l - 1) * ld), 0);
    }
    activate_backward(rows, in, 0, grad, back_field(rows, net->of_output + (s->steps - 1) * ld, ld),
                      sums);
}

/* From gradients of features' shares to those of a step's logits, of columns and of features;
 * returns the gradient of the strength. */
static float attend_backward(const Rows *rows, const Input *in, int64_t step, float strength,
                             const float *dots, const float *of_masks)
{
    const Net *net = rows->net;
    int64_t n = net->shape.columns, map = net->shape.map, padded = whole(n);
    const float *all_excess = field(rows, net->excess + step * net->ld_columns, net->ld_columns);
    float *columns = back_field(rows, net->of_column + step * net->ld_columns, net->ld_columns);
    float *shares = back_field(rows, net->of_share + step * net->ld_features, net->ld_features);
    float of_strength = 0.0f;
    for (int64_t r = 0; r < rows->n; r++) {
        const float *excess = all_excess + r * net->ld_columns;
        float *grad = columns + r * net->ld_columns;
        memset(grad, 0, (size_t)net->ld_columns * sizeof(float));
        for (int64_t f = 0; f < net->features; f++)
            grad[in->column[f]] += (float)n * dots[r * net->ld_features + f];
        if (of_masks)
            add_vectors(grad, of_masks + r * n, n);
        for (int64_t k = 0; k < n; k++) {
            of_strength += grad[k] * (weight_of(excess[k], map) - 1.0f / (float)n);
            grad[k] *= strength;
        }
        map_row_backward(grad, excess, padded, map);
        for (int64_t f = 0; f < net->features; f++)
            shares[r * net->ld_features + f] = grad[in->column[f]];
    }
    return of_strength;
}

/* Gradients of the levels' numbers grow by those of the weighted dense tokens, times shares (n,
 * ld_features; 1 without). */
static void add_of_levels(const Rows *rows, const float *shares)
{
    const Net *net = rows->net;
    int64_t n_values = net->shape.values, width = net->shape.level_width;
    float *all_levels = back_field(rows, net->of_levels, net->ld_levels);
    for (int64_t r = 0; r < rows->n; r++) {
        const float *restrict from = weighted_of(rows) + r * net->ld_dense + n_values;
        float *restrict to = all_levels + r * net->ld_levels;
        for (int64_t c = 0; c < net->shape.categories; c++) {
            float share = shares ? shares[r * net->ld_features + n_values + c] : 1.0f;
            for (int64_t l = c * width; l < (c + 1) * width; l++)
                to[l] += share * from[l];
        }
    }
}

/* to = grad where what was seen is positive, and what is there already, if told. */
static void rectify_backward(const Rows *rows, const float *grad, const float *seen, float *to,
                             const float *add, int64_t ld, int64_t width)
{
    for (int64_t r = 0; r < rows->n; r++)
        for (int64_t k = r * ld; k < r * ld + whole(width); k += LANES) {
            Vector own = (Vector)((load(seen + k) > 0.0f) & (Whole)load(grad + k));
            store(to + k, add ? own + load(add + k) : own);
        }
}

/* Through the query: its gradient, and that of what the step saw. */
static void backward_query(const Rows *rows, int64_t step)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    const float *packed = rows->packed + net->steps + step * net->in_step;
    int64_t ld = ld_seen(net, step), width = seen_width(net, step);
    const float *columns =
        back_field(rows, net->of_column + step * net->ld_columns, net->ld_columns);
    const float *shares =
        back_field(rows, net->of_share + step * net->ld_features, net->ld_features);
    float *query = back_field(rows, net->of_query + step * net->ld_key, net->ld_key);
    float *other = other_of(rows);
    token_sum(rows, key_map(step), shares, query);
    product(columns, net->ld_columns, 1, packed + net->in_step_column_back, net->ld_key, query,
            net->ld_key, rows->n, whole(s->key), s->columns, 1);
    product(query, net->ld_key, 1, packed + net->in_step_condition_back, ld, other, ld, rows->n,
            whole(width), s->key, 0);
    const float *seen = field(rows, seen_field(net, step), ld);
    if (step)
        rectify_backward(rows, other, seen, back_field(rows, net->of_output + (step - 1) * ld, ld),
                         back_field(rows, net->of_output + step * ld, ld), ld, width);
    else
        rectify_backward(rows, other, seen, back_field(rows, net->of_context, ld), 0, ld, width);
}

static float backward_step(const Rows *rows, const Input *in, const Parameter *own, int64_t step,
                           const float *of_masks)
{
    const Net *net = rows->net;
    const float *query = field(rows, net->query + step * net->ld_key, net->ld_key);
    const float *shares = field(rows, net->share + step * net->ld_features, net->ld_features);
    float *dots = dots_of(rows), strength = strength_of(own + STRENGTH, rows->member);
    token_dot(rows, value_map(step),
              back_field(rows, net->of_output + step * net->ld_hidden, net->ld_hidden), dots);
    add_of_levels(rows, shares);
    float of_strength = attend_backward(rows, in, step, strength, dots, of_masks);
    if (net->shape.categories) {
        token_dot(rows, key_map(step), query, 0);
        add_of_levels(rows, back_field(rows, net->of_share + step * net->ld_features,
                                       net->ld_features));
    }
    backward_query(rows, step);
    return of_strength * strength * (1.0f - strength);
}

static void backward_rows(const Rows *rows, const Input *in, const Parameter *all_parameters,
                          const float *of_logits, const float *of_masks, float *sums)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    memset(back_field(rows, net->of_levels, net->ld_levels), 0,
           (size_t)(rows->n * net->ld_levels) * sizeof(float));
    backward_trunk(rows, in, of_logits, sums);
    for (int64_t t = s->steps - 1; t >= 0; t--) {
        const float *own = of_masks
            ? of_masks + (t * s->members * s->batch + rows->row) * s->columns : 0;
        sums[s->layers * net->ld_hidden + t] =
            backward_step(rows, in, all_parameters + step_parameter(t), t, own);
    }
    if (s->categories) {
        token_dot(rows, 0, back_field(rows, net->of_context, net->ld_context), 0);
        add_of_levels(rows, 0);
    }
}

/* ---- the way back, gradients of a member's parameters over all of its rows ---- */

/* A map's gradient is the sum over rows of shares times tokens times vectors. */
static const float *shares_of(const Rows *rows, int64_t t)
{
    const Net *net = rows->net;
    int64_t ld = net->ld_features, step = (t - 1) / 2;
    if (t == 0)
        return 0;
    return t % 2 ? back_field(rows, net->of_share + step * ld, ld)
                 : field(rows, net->share + step * ld, ld);
}

static const float *vectors_of(const Rows *rows, int64_t t)
{
    const Net *net = rows->net;
    int64_t step = (t - 1) / 2;
    if (t == 0)
        return back_field(rows, net->of_context, net->ld_context);
    return t % 2 ? field(rows, net->query + step * net->ld_key, net->ld_key)
                 : back_field(rows, net->of_output + step * net->ld_hidden, net->ld_hidden);
}

/* A row of a feature's group, and the factors of its vector: share, share times place, share
 * times value. */
typedef struct { Knot row; float share, place, value; } Factors;
/* A feature's rows in the order of their knots: group k is from start[k] to start[k + 1]. */
typedef struct { int64_t *start; Factors *rows; } Sorted;

static void sort_rows(const Rows *rows, int64_t i, Sorted *sorted)
{
    const Net *net = rows->net;
    int64_t ld = whole(net->shape.values), n = net->elements;
    const Knot *knot = (const Knot *)field(rows, net->knot, ld) + i;
    memset(sorted->start, 0, (size_t)(n + 1) * sizeof(int64_t));
    for (int64_t r = 0; r < rows->n; r++)
        sorted->start[knot[r * ld] - i * n + 1]++;
    for (int64_t k = 0; k < n; k++)
        sorted->start[k + 1] += sorted->start[k];
    int64_t next[n];
    memcpy(next, sorted->start, (size_t)n * sizeof(int64_t));
    for (int64_t r = 0; r < rows->n; r++)
        sorted->rows[next[knot[r * ld] - i * n]++].row = (Knot)r;
}

static void take_factors(const Rows *rows, int64_t i, const float *shares, Sorted *sorted)
{
    const Net *net = rows->net;
    int64_t ld = whole(net->shape.values);
    const float *place = field(rows, net->place, ld) + i;
    const float *value = field(rows, net->tokens, net->ld_dense) + i;
    for (int64_t j = 0; j < rows->n; j++) {
        Factors *own = sorted->rows + j;
        own->share = shares ? shares[own->row * net->ld_features + i] : 1.0f;
        own->place = own->share * place[own->row * ld];
        own->value = own->share * value[own->row * net->ld_dense];
    }
}

static inline Vector load_some(const float *from, int64_t n)
{
    Vector found = all(0.0f);
    memcpy(&found, from, (size_t)n * sizeof(float));
    return found;
}

static inline void store_some(float *to, Vector value, int64_t n)
{
    memcpy(to, &value, (size_t)least(n, LANES) * sizeof(float));
}

/* An element's gradient becomes that of its weight and, in part, of its scale. */
static inline __attribute__((always_inline)) float put_element(
    const Vector *sum, const float *weight, float *to, float factor, int64_t left, const int n)
{
    if (n == 1 && left < LANES) {
        store_some(to, factor * sum[0], left);
        return total_of(sum[0] * load_some(weight, left));
    }
    Vector total = all(0.0f);
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
        total += sum[j] * load(weight + j * LANES);
        store(to + j * LANES, factor * sum[j]);
    }
    return total_of(total);
}

/* Gradients of some columns of a feature's weights (R, width) and of its scales. Bin j fills up
 * for the rows of group j, and is full for those of later groups. */
static inline __attribute__((always_inline)) void feature_columns(
    const Sorted *sorted, const float *vectors, int64_t ld, int64_t n_elements, int64_t width,
    const float *weight, const float *scale, float factor, float *to, float *of_scale,
    int64_t left, const int n)
{
    Vector later[WIDE], of_value[WIDE];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++)
        later[j] = of_value[j] = all(0.0f);
    for (int64_t k = n_elements - 1; k >= 0; k--) {
        Vector full[WIDE], part[WIDE];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++)
            full[j] = part[j] = all(0.0f);
        for (int64_t at = sorted->start[k]; at < sorted->start[k + 1]; at++) {
            const Factors *row = sorted->rows + at;
            const float *from = vectors + row->row * ld;
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) {
                Vector own = load(from + j * LANES);
                full[j] += row->share * own;
                part[j] += row->place * own;
                of_value[j] += row->value * own;
            }
        }
        if (k == n_elements - 1) {
            of_scale[k] += put_element(full, weight + k * width, to + k * width,
                                       factor * scale[k], left, n);
            continue;
        }
        if (k == n_elements - 2) /* the last knot has no bin behind it */
            continue;
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            part[j] += later[j];
            later[j] += full[j];
        }
        of_scale[k + 1] += put_element(part, weight + (k + 1) * width, to + (k + 1) * width,
                                       factor * scale[k + 1], left, n);
    }
    of_scale[0] += put_element(of_value, weight, to, factor * scale[0], left, n);
}

/* Gradients of a value feature's weights in all maps, and of its scales. */
static void value_gradient(const Rows *rows, const Parameter *all_parameters, int64_t i)
{
    const Net *net = rows->net;
    int64_t n = net->elements, m = rows->member;
    const Parameter *scales = all_parameters + VALUE_SCALE;
    const float *scale = scales->values + m * scales->stride + i * n;
    float *of_scale = scales->grad + (m * net->shape.values + i) * n;
    int64_t start[n + 1];
    Sorted sorted = {start, (Factors *)rows->scratch};
    sort_rows(rows, i, &sorted);
    memset(of_scale, 0, (size_t)n * sizeof(float));
    for (int64_t t = 0; t < net->n_maps; t++) {
        const TokenMap *map = net->maps + t;
        const Parameter *own = all_parameters + map_parameter(t);
        const float *weight = own->values + m * own->stride + i * n * map->width;
        float *to = own->grad + (m * net->shape.values + i) * n * map->width, sums[n];
        float factor = factor_of(net, t, m);
        const float *vectors = vectors_of(rows, t);
        memset(sums, 0, sizeof(sums));
        take_factors(rows, i, shares_of(rows, t), &sorted);
        int64_t k = 0;
        for (; k + WIDE * LANES <= map->width; k += WIDE * LANES)
            feature_columns(&sorted, vectors + k, map->ld, n, map->width, weight + k, scale,
                            factor, to + k, sums, WIDE * LANES, WIDE);
        for (; k < map->width; k += LANES)
            feature_columns(&sorted, vectors + k, map->ld, n, map->width, weight + k, scale,
                            factor, to + k, sums, map->width - k, 1);
        for (int64_t j = 0; j < n; j++)
            of_scale[j] += factor * sums[j];
    }
}

static void put_rows(const float *from, int64_t ld, int64_t n_rows, int64_t n, float factor,
                     float *to)
{
    for (int64_t i = 0; i < n_rows; i++)
        for (int64_t k = 0; k < n; k++)
            to[i * n + k] = factor * from[i * ld + k];
}

/* to (n_in, n_out) = factor times the sum over rows of x (n_rows, n_in) times g (n_rows, n_out). */
static void weight_gradient(const float *x, int64_t ld_x, int64_t n_in, const float *g,
                            int64_t ld_g, int64_t n_out, int64_t n_rows, float factor,
                            float *scratch, float *to)
{
    for (int64_t start = 0; start < n_in; start += BLOCK_ROWS) {
        int64_t n = least(BLOCK_ROWS, n_in - start);
        product(x + start, 1, ld_x, g, ld_g, scratch, ld_g, n, whole(n_out), n_rows, 0);
        put_rows(scratch, ld_g, n, n_out, factor, to + start * n_out);
    }
}

/* Gradients of a category's weights in all maps, of its levels and their scale. */
static void category_gradient(const Rows *rows, const Input *in, const Parameter *all_parameters,
                              int64_t c)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    int64_t width = s->level_width, n_values = s->values, m = rows->member;
    const float *tokens = field(rows, net->tokens, net->ld_dense) + n_values + c * width;
    const float *of_levels = back_field(rows, net->of_levels, net->ld_levels) + c * width;
    float *weighted = rows->scratch, *out = weighted + rows->n * width;
    for (int64_t t = 0; t < net->n_maps; t++) {
        const TokenMap *map = net->maps + t;
        const float *shares = shares_of(rows, t);
        float *to = all_parameters[map_parameter(t) + 1].grad
                    + (m * s->categories + c) * width * map->width;
        for (int64_t r = 0; r < rows->n; r++) {
            float share = shares ? shares[r * net->ld_features + n_values + c] : 1.0f;
            for (int64_t l = 0; l < width; l++)
                weighted[r * width + l] = share * tokens[r * net->ld_dense + l];
        }
        weight_gradient(weighted, width, width, vectors_of(rows, t), map->ld, map->width, rows->n,
                        factor_of(net, t, m), out, to);
    }
    const float *levels = all_parameters[LEVEL].values + m * all_parameters[LEVEL].stride;
    const float *scale = rows->packed + net->level_scale + c * width;
    float *of_level = all_parameters[LEVEL].grad + m * s->levels * width;
    float *of_scale = all_parameters[LEVEL_SCALE].grad + (m * s->categories + c) * width;
    int64_t first = in->level_start[c], last = in->level_start[c + 1];
    memset(of_level + first * width, 0, (size_t)((last - first) * width) * sizeof(float));
    memset(of_scale, 0, (size_t)width * sizeof(float));
    for (int64_t r = 0; r < rows->n; r++) {
        int64_t level = in->level[(rows->row + r) * s->categories + c];
        for (int64_t l = 0; l < width; l++) {
            of_level[level * width + l] += of_levels[r * net->ld_levels + l] * scale[l];
            of_scale[l] += of_levels[r * net->ld_levels + l] * levels[level * width + l];
        }
    }
}

static void sum_rows(const float *from, int64_t ld, int64_t n_rows, int64_t n, float *to)
{
    for (int64_t k = 0; k < n; k += LANES) {
        Vector sum = all(0.0f);
        for (int64_t r = 0; r < n_rows; r++)
            sum += load(from + r * ld + k);
        store_some(to + k, sum, n - k);
    }
}

static void step_gradient(const Rows *rows, const Parameter *own, int64_t step,
                          const float *sums)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    int64_t m = rows->member, ld = net->ld_key, width = seen_width(net, step);
    const float *query = field(rows, net->query + step * ld, ld);
    const float *of_query = back_field(rows, net->of_query + step * ld, ld);
    weight_gradient(query, ld, s->key,
                    back_field(rows, net->of_column + step * net->ld_columns, net->ld_columns),
                    net->ld_columns, s->columns, rows->n, 1.0f / __builtin_sqrtf((float)s->key),
                    rows->scratch, own[COLUMN_KEY].grad + m * s->key * s->columns);
    weight_gradient(field(rows, seen_field(net, step), ld_seen(net, step)), ld_seen(net, step),
                    width, of_query, ld, s->key, rows->n, 1.0f / __builtin_sqrtf((float)width),
                    rows->scratch, own[CONDITION].grad + m * width * s->key);
    sum_rows(of_query, ld, rows->n, s->key, own[QUERY].grad + m * s->key);
    float total = 0.0f;
    for (int64_t b = 0; b < blocks_of(s->batch); b++)
        total += sums[b * partial_sums(net) + s->layers * net->ld_hidden + step];
    own[STRENGTH].grad[m] = total;
}

/* Gradients of biases, shares and the head. */
static void rest_gradient(const Rows *rows, const Parameter *all_parameters, const float *sums)
{
    const Net *net = rows->net;
    const Shape *s = &net->shape;
    int64_t m = rows->member, ld = net->ld_hidden, n = s->hidden;
    const Parameter *trunk = all_parameters + trunk_parameter(s);
    const Parameter *head = all_parameters + head_parameter(s);
    const float *of_logits = back_field(rows, net->of_logits, net->ld_outputs);
    sum_rows(back_field(rows, net->of_context, net->ld_context), net->ld_context, rows->n,
             s->context, all_parameters[CONTEXT_BIAS].grad + m * s->context);
    sum_rows(back_field(rows, net->of_output, ld), ld, rows->n, n, trunk[STATE_BIAS].grad + m * n);
    for (int64_t l = 0; l < s->layers; l++) {
        const Parameter *own = all_parameters + layer_parameter(s, l);
        float *of_share = (l ? own + LAYER_SHARE : trunk + FIRST_SHARE)->grad + m * n;
        sum_rows(sums + l * ld, partial_sums(net), blocks_of(s->batch), n, of_share);
        if (l)
            sum_rows(back_field(rows, net->of_before + (l - 1) * ld, ld), ld, rows->n, n,
                     own[LAYER_BIAS].grad + m * n);
    }
    weight_gradient(field(rows, net->after + (s->layers - 1) * ld, ld), ld, n, of_logits,
                    net->ld_outputs, s->outputs, rows->n, 1.0f / __builtin_sqrtf((float)n),
                    rows->scratch, head[0].grad + m * n * s->outputs);
    sum_rows(of_logits, net->ld_outputs, rows->n, s->outputs, head[1].grad + m * s->outputs);
}

/* Some rows of a layer's weight. */
static void layer_gradient(const Rows *rows, const Parameter *weight, int64_t layer,
                           int64_t piece)
{
    const Net *net = rows->net;
    int64_t ld = net->ld_hidden, n = net->shape.hidden, start = piece * BLOCK_ROWS;
    int64_t n_own = least(BLOCK_ROWS, n - start), at = (layer - 1) * ld;
    float factor = 1.0f / __builtin_sqrtf((float)n);
    float *to = weight->grad + (rows->member * n + start) * n;
    if (!net->shape.pairs) {
        weight_gradient(field(rows, net->after + at, ld) + start, ld, n_own,
                        back_field(rows, net->of_before + at, ld), ld, n, rows->n, factor,
                        rows->scratch, to);
        return;
    }
    product_of_pairs(rows->tape + pairs_at(rows, net->after_pairs + at) + start, 1, ld,
                     rows->back + pairs_at(rows, net->of_before_pairs + at), ld, rows->scratch,
                     ld, n_own, n, (rows->n + 1) / 2, 0);
    put_rows(rows->scratch, ld, n_own, n, factor, to);
}

/* One piece of a member's gradients: a layer's piece, a feature, a step, or the rest. */
static void gradient_piece(const Rows *rows, const Input *in, const Parameter *all_parameters,
                           const float *sums, int64_t i)
{
    const Shape *s = &rows->net->shape;
    int64_t n_pieces = blocks_of(s->hidden), n_layered = (s->layers - 1) * n_pieces;
    if (i < n_layered) {
        int64_t layer = 1 + i / n_pieces;
        layer_gradient(rows, all_parameters + layer_parameter(s, layer) + LAYER_WEIGHT, layer,
                       i % n_pieces);
    } else if ((i -= n_layered) < s->values) {
        value_gradient(rows, all_parameters, i);
    } else if ((i -= s->values) < s->categories) {
        category_gradient(rows, in, all_parameters, i);
    } else if ((i -= s->categories) < s->steps) {
        step_gradient(rows, all_parameters + step_parameter(i), i, sums);
    } else {
        rest_gradient(rows, all_parameters, sums);
    }
}

/* From gradients of logits (M, B, O) and masks (T, M, B, D; none without) to those of all
 * parameters, contiguous. `partial` is room for each block's partial sums. */
void tabnet_backward(const Shape *shape, const Parameter *parameters, const Input *in,
                     const float *of_logits, const float *of_masks, const float *packed,
                     float *tape, float *back, float *scratch, float *partial,
                     int64_t n_threads, int64_t scratch_size)
{
    LAY_OUT(net, shape);
    net.factor = in->factor;
    int64_t n_blocks = blocks_of(shape->batch), n_sums = partial_sums(&net);
    int64_t n_pieces = (shape->layers - 1) * blocks_of(shape->hidden) + net.features
                       + shape->steps + 1;
#pragma omp parallel num_threads(n_threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < shape->members * n_blocks; task++) {
            Rows rows = block_of(&net, task, packed, tape, back, scratch, scratch_size);
            backward_rows(&rows, in, parameters, of_logits, of_masks, partial + task * n_sums);
        }
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < shape->members * n_pieces; task++) {
            int64_t m = task / n_pieces, row = m * shape->batch;
            Rows rows = {&net, packed + m * net.packed, tape, back,
                         scratch + omp_get_thread_num() * scratch_size,
                         shape->members * shape->batch, row, shape->batch, m, row};
            gradient_piece(&rows, in, parameters, partial + m * n_blocks * n_sums,
                           task % n_pieces);
        }
    }
}

/* What labels cost, about, where they are chosen.

   The model need not be that of a label coding, as only differences of costs matter. It asks whether a label
   is that of W, of N or of NE. Each answer has a logit, the sum of two cells: one is found by the labels W,
   N, NW and NE, one by which labels around are equal. If the label is none of these, its digits of four bits
   follow, the highest first; they cost what they do by how often each came after this W and after this N. */
#ifndef KMC_CHOOSE_MODEL_H
#define KMC_CHOOSE_MODEL_H

#include <stdlib.h>

#include "common.h"

#define LANES 16 /* values of a digit */
#define QUESTIONS 3
#define CELL_BITS 14 /* log2 of the cells that four labels choose from */
#define PATTERNS 256 /* cells for which labels are equal */
#define ROW_BITS 13  /* log2 of the rows for W, and of those for N */

#define BIT 710          /* ln(2) in the unit of costs, nats / 1024 */
#define STEEPEST 1407    /* largest logit of an answer, in nats / 128 */
#define CELL_SHIFT 5     /* to these from logits of cells, which are in nats / 4096 */
#define FIRST_RATE 10000 /* at which cells learn; it falls with the root of their visits */
#define LAST_RATE 800

#define FIRST_COUNT 256 /* that a row starts with, about */
#define STEP 48         /* of counts */
#define MOST_COUNT 2000 /* of a row, so that the sum of two is below LOGARITHMS */
#define LOGARITHMS 4096
#define FAR 82 /* sum of differences of channels at which a first count is a 16th of the largest */

typedef struct {
    int16_t logit[QUESTIONS];
    uint8_t visits[QUESTIONS];
} Cell;

typedef struct {
    uint16_t total; /* 0 before the first visit */
    uint16_t count[LANES];
} Row;

typedef struct {
    int32_t label[QUESTIONS];
    int32_t logit[QUESTIONS];
    int asked[QUESTIONS]; /* labels that were asked for already are passed over */
    Cell *cells[2];
} Questions;

typedef struct {
    const uint8_t *colours; /* of each label, four bytes */
    size_t k;
    int digits;
    uint32_t nodes; /* rows of a context: one for each prefix of digits */
    Cell *cells;    /* those that four labels choose from, then those that a pattern chooses from */
    Row *rows;      /* those of W, then those of N */
    uint32_t context[2];
    int64_t cost; /* of the labels so far */
    int32_t rate[256];
    uint16_t logistic[STEEPEST + 1]; /* 2^15 / (1 + exp(-n / 128)) */
    uint16_t logarithm[LOGARITHMS];  /* of n, in nats / 1024 */
} Model;

/* Tables come from sums and products of integers, so that they are the same everywhere. */
static void fill_tables(Model *model) {
    uint64_t power = UINT64_C(1) << 32, sum = 0;
    for (int n = 0; n <= STEEPEST; n++) {
        model->logistic[n] = (uint16_t)((UINT64_C(1) << 47) / ((UINT64_C(1) << 32) + power));
        power = power * UINT64_C(4261542741) >> 32; /* exp(-1 / 128) * 2^32 */
    }
    for (uint32_t n = 1; n < LOGARITHMS; n++) {
        model->logarithm[n] = (uint16_t)(sum >> 20);
        sum += (UINT64_C(2) << 30) / (2 * n + 1);
    }
    for (uint32_t n = 0; n < 256; n++) {
        model->rate[n] = max_int((int32_t)isqrt(FIRST_RATE * FIRST_RATE / (n + 1)), LAST_RATE);
    }
}

static void find_questions(const Model *model, const uint16_t *here, const uint16_t *above,
                           const uint16_t *above2, Questions *questions) {
    const uint32_t W = here[-1], N = above[0], NW = above[-1], NE = above[1];
    const int pattern = (W == N) | (N == NE) << 1 | (W == NW) << 2 | (N == NW) << 3 | (W == here[-2]) << 4 |
                        (N == above2[0]) << 5 | (NE == W) << 6 | (NW == NE) << 7;
    const uint32_t hash = hash_pair(W | N << 16, NW | NE << 16) >> (32 - CELL_BITS);
    *questions = (Questions){.label = {(int32_t)W, (int32_t)N, (int32_t)NE},
                             .asked = {1, N != W, NE != W && NE != N},
                             .cells = {model->cells + hash, model->cells + (1 << CELL_BITS) + pattern}};
    for (int i = 0; i < QUESTIONS; i++) {
        const int32_t sum = questions->cells[0]->logit[i] + questions->cells[1]->logit[i];
        questions->logit[i] = clamp_int(sum >> CELL_SHIFT, -STEEPEST, STEEPEST);
    }
}

static int32_t probability(const Model *model, int32_t logit) {
    return logit >= 0 ? model->logistic[logit] : (1 << 15) - model->logistic[-logit];
}

static int32_t cost_of_answer(const Model *model, int32_t logit) {
    const int32_t part = max_int(probability(model, logit) >> 3, 1);
    return model->logarithm[LOGARITHMS - 1] - model->logarithm[min_int(part, LOGARITHMS - 1)];
}

static void learn_answer(Model *model, const Questions *questions, int i, int yes) {
    const int32_t logit = questions->logit[i];
    const int32_t error = (yes ? 1 << 15 : 0) - probability(model, logit);
    model->cost += cost_of_answer(model, yes ? logit : -logit);
    for (int f = 0; f < 2; f++) {
        Cell *cell = questions->cells[f];
        const int32_t step = (error * model->rate[cell->visits[i]] + (1 << 17)) >> 18;
        cell->logit[i] = (int16_t)clamp_int(cell->logit[i] + step, INT16_MIN, INT16_MAX);
        cell->visits[i] = (uint8_t)(cell->visits[i] + (cell->visits[i] < 255));
    }
}

/* Before its first visit a row counts what colours suggest: labels near that of W or N are likely. */
static void start_row(const Model *model, Row *row, uint32_t context, int place, int32_t prefix) {
    const uint8_t *own = model->colours + 4 * (size_t)context;
    uint32_t weight[LANES], sum = 0;
    for (int lane = 0; lane < LANES; lane++) {
        size_t label = (size_t)(LANES * prefix + lane) << (4 * place);
        weight[lane] = 0;
        if (label >= model->k) continue;
        /* The colour in the middle stands for all that share the digit. */
        const size_t span = (size_t)1 << (4 * place), left = model->k - label;
        const uint8_t *other = model->colours + 4 * (label + (span < left ? span : left) / 2);
        uint32_t distance = 0;
        for (int c = 0; c < 4; c++) distance += (uint32_t)abs(own[c] - other[c]);
        const uint32_t part = FAR * 256 / (FAR + distance);
        weight[lane] = (part * part >> 4) * (part * part >> 4) / 65536 + 1;
        sum += weight[lane];
    }
    for (int lane = 0; lane < LANES; lane++) {
        row->count[lane] = (uint16_t)(weight[lane] ? FIRST_COUNT * weight[lane] / sum + 1 : 0);
        row->total = (uint16_t)(row->total + row->count[lane]);
    }
}

/* Finds the rows for W and N; where there are too many of them, some share one. */
static void find_rows(const Model *model, uint32_t node, int place, int32_t prefix, Row *rows[2]) {
    for (int f = 0; f < 2; f++) {
        const uint32_t context = model->context[f];
        uint32_t at = context * model->nodes + node;
        if (model->k * model->nodes > 1 << ROW_BITS) at = hash_pair(context, node) >> (32 - ROW_BITS);
        rows[f] = model->rows + ((size_t)f << ROW_BITS) + at;
        if (!rows[f]->total) start_row(model, rows[f], context, place, prefix);
    }
}

static int32_t cost_of_digit(const Model *model, Row *const rows[2], int digit) {
    return model->logarithm[rows[0]->total + rows[1]->total] -
           model->logarithm[rows[0]->count[digit] + rows[1]->count[digit]];
}

static void learn_digit(Row *row, int digit) {
    row->count[digit] += STEP;
    row->total += STEP;
    if (row->total <= MOST_COUNT) return;
    row->total = 0;
    for (int lane = 0; lane < LANES; lane++) {
        row->count[lane] = (uint16_t)((row->count[lane] + 1) / 2);
        row->total = (uint16_t)(row->total + row->count[lane]);
    }
}

static void learn_digits(Model *model, int32_t label) {
    Row *rows[2];
    uint32_t node = 0;
    for (int place = model->digits - 1; place >= 0; place--) {
        const int digit = label >> (4 * place) & 15;
        find_rows(model, node, place, label >> (4 * place) >> 4, rows);
        model->cost += cost_of_digit(model, rows, digit);
        learn_digit(rows[0], digit);
        learn_digit(rows[1], digit);
        node = LANES * node + 1 + (uint32_t)digit;
    }
}

static void end_model(Model *model) {
    if (!model) return;
    free(model->rows);
    free(model->cells);
    free(model);
}

/* Returns NULL where there is no memory. */
static Model *start_model(const uint8_t *colours, size_t k) {
    Model *model = calloc(1, sizeof *model);
    if (!model) return NULL;
    model->colours = colours;
    model->k = k;
    model->digits = k <= 16 ? 1 : k <= 256 ? 2 : k <= 4096 ? 3 : 4;
    model->nodes = ((UINT32_C(1) << (4 * model->digits)) - 1) / 15;
    model->cells = calloc((1 << CELL_BITS) + PATTERNS, sizeof(Cell));
    model->rows = calloc((size_t)2 << ROW_BITS, sizeof(Row));
    fill_tables(model);
    if (model->cells && model->rows) return model;
    end_model(model);
    return NULL;
}

#endif

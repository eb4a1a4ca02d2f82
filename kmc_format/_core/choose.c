#include "choose.h"

#include "choose_model.h"
#include "mapping.h"

#define MARGIN 2         /* labels that are known on either side of a row */
#define BESIDE (2 * BIT) /* what a label is worth if E or S has it too, */
#define ASLANT BIT       /* and if SW or SE has it */
#define MOST_AHEAD (2 * (BESIDE + ASLANT))

typedef struct {
    const Choosing *job;
    Model *model;
    uint16_t *recent; /* three rows of labels, with margins, so that no neighbour need ask where edges are */
    int32_t ahead[4]; /* guesses of E, S, SW and SE; -1 outside */
} Chooser;

static int64_t squared_distance(const Choosing *job, size_t colour, int32_t label) {
    const int32_t *point = job->points + DIMENSIONS * colour;
    const int32_t *entry = job->entries + DIMENSIONS * (size_t)label;
    int64_t sum = 0;
    for (int c = 0; c < DIMENSIONS; c++) {
        const int64_t difference = (int64_t)point[c] - entry[c];
        sum += difference * difference;
    }
    return sum;
}

static int32_t worth_ahead(const Chooser *chooser, int32_t label) {
    const int32_t *ahead = chooser->ahead;
    return BESIDE * ((label == ahead[0]) + (label == ahead[1])) +
           ASLANT * ((label == ahead[2]) + (label == ahead[3]));
}

/* What is known while the labels of a pixel are compared. */
typedef struct {
    size_t colour;
    int64_t nearest_distance;
    int64_t least; /* distance and cost together, of the best so far */
    int32_t best;
    int32_t before; /* costs that all labels not yet compared have */
    int32_t rest;   /* what those are worth ahead, at most */
} Comparison;

/* Tells whether not even a perfect label among those not yet compared could be better. */
static int is_settled(const Choosing *job, const Comparison *now, int64_t distance) {
    return distance + job->lagrange * (now->before - now->rest) >= now->least;
}

static void compare(const Chooser *chooser, Comparison *now, int32_t label, int64_t distance, int32_t cost) {
    const Choosing *job = chooser->job;
    if (job->whole && job->whole[now->colour] && !job->whole_entries[label]) return;
    const int64_t total = distance + job->lagrange * (cost - worth_ahead(chooser, label));
    if (distance <= job->farthest[now->colour] && total < now->least) {
        now->least = total;
        now->best = label;
    }
}

/* Compares labels that have all digits but the last from the nearest: their colours are near, too. */
static void compare_digits(const Chooser *chooser, Comparison *now) {
    const Choosing *job = chooser->job;
    const Model *model = chooser->model;
    const int32_t nearest = job->nearest[now->colour], first = nearest & ~(LANES - 1);
    const int lanes = min_int(LANES, (int32_t)job->k - first);
    Row *rows[2];
    uint32_t node = 0;
    for (int place = model->digits - 1; place > 0; place--) {
        const int digit = nearest >> (4 * place) & 15;
        find_rows(model, node, place, nearest >> (4 * place) >> 4, rows);
        now->before += cost_of_digit(model, rows, digit);
        node = LANES * node + 1 + (uint32_t)digit;
    }
    if (is_settled(job, now, now->nearest_distance)) return;
    find_rows(model, node, 0, nearest >> 4, rows);
    for (int lane = 0; lane < lanes; lane++) {
        const int64_t distance = squared_distance(job, now->colour, first + lane);
        if (is_settled(job, now, distance)) continue;
        compare(chooser, now, first + lane, distance, now->before + cost_of_digit(model, rows, lane));
    }
}

static int32_t choose(const Chooser *chooser, const Questions *questions, size_t colour) {
    const Choosing *job = chooser->job;
    const Model *model = chooser->model;
    const int32_t nearest = job->nearest[colour];
    if (job->farthest[colour] < 0) return nearest;
    Comparison now = {colour, squared_distance(job, colour, nearest), INT64_MAX, nearest, 0, MOST_AHEAD};
    for (int i = 0; i < QUESTIONS; i++) {
        if (!questions->asked[i]) continue;
        const int32_t label = questions->label[i], logit = questions->logit[i];
        const int64_t distance = squared_distance(job, colour, label);
        compare(chooser, &now, label, distance, now.before + cost_of_answer(model, logit));
        now.before += cost_of_answer(model, -logit);
        now.rest -= worth_ahead(chooser, label);
        if (is_settled(job, &now, now.nearest_distance)) return now.best;
    }
    compare_digits(chooser, &now);
    return now.best;
}

static void find_ahead(Chooser *chooser, size_t x, size_t y) {
    const Choosing *job = chooser->job;
    const uint16_t *here = job->labels + y * job->width + x;
    const int right = x + 1 < job->width, below = y + 1 < job->height;
    chooser->ahead[0] = right ? here[1] : -1;
    chooser->ahead[1] = below ? here[job->width] : -1;
    chooser->ahead[2] = below && x ? here[job->width - 1] : -1;
    chooser->ahead[3] = below && right ? here[job->width + 1] : -1;
}

static void choose_row(Chooser *chooser, size_t y) {
    const Choosing *job = chooser->job;
    const size_t width = job->width, stride = width + 2 * MARGIN;
    uint16_t *here = chooser->recent + y % 3 * stride + MARGIN;
    const uint16_t *above = chooser->recent + (y + 2) % 3 * stride + MARGIN;
    const uint16_t *above2 = chooser->recent + (y + 1) % 3 * stride + MARGIN;
    Model *model = chooser->model;
    Questions questions;
    here[-1] = here[-2] = above[0];
    for (size_t x = 0; x < width; x++) {
        find_questions(model, here + x, above + x, above2 + x, &questions);
        find_ahead(chooser, x, y);
        model->context[0] = here[(ptrdiff_t)x - 1];
        model->context[1] = above[x];
        const int32_t label = choose(chooser, &questions, job->pixels[y * width + x]);
        job->labels[y * width + x] = here[x] = (uint16_t)label;
        int found = 0;
        for (int i = 0; i < QUESTIONS && !found; i++) {
            found = label == questions.label[i];
            if (questions.asked[i]) learn_answer(model, &questions, i, found);
        }
        if (!found) learn_digits(model, label);
    }
    here[width] = here[width - 1];
}

static const char *find_problem(const Choosing *job) {
    if (job->k < 1 || job->k > 65536) return "a codebook has 1 to 65,536 entries";
    if (job->lagrange < 0 || job->lagrange > MOST_LAGRANGE) return "lagrange is from 0 to 2^44";
    if (!are_coordinates_near(job->points, DIMENSIONS * job->colour_count) ||
        !are_coordinates_near(job->entries, DIMENSIONS * job->k)) {
        return "coordinates are at most 2^20 in size";
    }
    for (size_t n = 0; n < job->colour_count; n++) {
        if (job->nearest[n] < 0 || (size_t)job->nearest[n] >= job->k) return "a nearest entry is too large";
    }
    for (size_t n = 0; n < job->height * job->width; n++) {
        if (job->pixels[n] >= job->colour_count) return "a pixel's colour is too large";
        if (job->labels[n] >= job->k) return "a label is too large";
    }
    return NULL;
}

const char *choose_labels(const Choosing *job, int64_t *bytes) {
    const char *problem = find_problem(job);
    if (problem || !job->height || !job->width) {
        *bytes = 0;
        return problem;
    }
    Chooser chooser = {.job = job, .model = start_model(job->colours, job->k)};
    chooser.recent = calloc(job->width + 2 * MARGIN, 3 * sizeof(uint16_t));
    if (chooser.model && chooser.recent) {
        for (size_t y = 0; y < job->height; y++) choose_row(&chooser, y);
        *bytes = chooser.model->cost / (8 * BIT);
    } else {
        problem = "";
    }
    free(chooser.recent);
    end_model(chooser.model);
    return problem;
}

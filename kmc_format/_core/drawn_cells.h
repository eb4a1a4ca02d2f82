/* Questions that cells answer: online logistic regression. Part of drawn_impl.h. */

/* The probability, in 2^-16, of a logit in 2^-14 nat. */
ALWAYS_INLINE uint32_t logistic(const Drawn *drawn, int32_t logit) {
    return drawn->logistic[UNLIMITED + clamp_int(logit >> 10, -STEEPEST, STEEPEST - 1)];
}

/* Four of `count` cells, from slot `i` on; what is beyond the last is `none`. */
ALWAYS_INLINE Quad load_cells(Cell *const *slots, int i, int count, int question, const Cell *none) {
    return quad_collect(slots[i] + question, i + 1 < count ? slots[i + 1] + question : none,
                        i + 2 < count ? slots[i + 2] + question : none,
                        i + 3 < count ? slots[i + 3] + question : none);
}

ALWAYS_INLINE void store_cells(Cell *const *slots, int i, int count, int question, Quad cells) {
    Cell none;
    quad_spread(slots[i] + question, i + 1 < count ? slots[i + 1] + question : &none,
                i + 2 < count ? slots[i + 2] + question : &none,
                i + 3 < count ? slots[i + 3] + question : &none, cells);
}

/* Cells go down the gradient, and their rates fall, nearly as the square root of the visits. */
ALWAYS_INLINE Quad learn_cells(Quad cells, Quad error) {
    const Quad rate = quad_sub(quad_of(RATE), quad_and(cells, quad_of(4095)));
    const Quad step = quad_and(quad_add(quad_times(rate, error), quad_of(1 << 11)), quad_of(-4096));
    const Quad cube = quad_times(quad_sar(quad_times(rate, rate), 8), rate);
    return quad_add(cells, quad_add(step, quad_sar(cube, 17)));
}

/* Codes the answer to a question by the sum of its cells' logits. */
ALWAYS_INLINE int code_answer(Drawn *drawn, Cell *const *slots, int count, int question, int answer,
                              int decoding) {
    static const Cell none = 0;
    Quad cells[MOST_CELLS / 4], sum = quad_of(0);
    for (int i = 0; i < count; i += 4) {
        cells[i / 4] = load_cells(slots, i, count, question, &none);
        sum = quad_add(sum, quad_sar(cells[i / 4], 12));
    }
    const uint32_t p = drawn->logistic[UNLIMITED + (quad_sum(sum) >> 10)];
    answer = range_bit(&drawn->coder, p, answer, decoding);
    const Quad error = quad_of(((answer << 16) - (int32_t)p) >> 2);
    for (int i = 0; i < count; i += 4) {
        store_cells(slots, i, count, question, learn_cells(cells[i / 4], error));
    }
    return answer;
}

#define HEAVIEST ((1 << 17) - 1)

/* A refined probability, between two nodes of a curve. */
typedef struct {
    uint16_t *node;
    int32_t part;
    uint32_t p;
} Refined;

ALWAYS_INLINE Refined refine(uint16_t *curve, int32_t logit, uint32_t p) {
    const int32_t place = clamp_int((logit >> 7) + 16 * 88, 0, 32 * 88 - 1), part = place & 127;
    uint16_t *node = curve + (place >> 7);
    const uint32_t refined =
        ((uint32_t)node[0] * (uint32_t)(128 - part) + (uint32_t)node[1] * (uint32_t)part) >> 7;
    const Refined result = {node + (part >> 6), part,
                            (uint32_t)clamp_int((int32_t)(p + refined) >> 1, 4, 65532)};
    return result;
}

/* The same with weights that are learnt, and a probability that is refined. */
ALWAYS_INLINE int code_weighed_answer(Drawn *drawn, Cell *const *slots, int count, int question,
                                      uint32_t pattern, int answer, int decoding) {
    static const Cell none = 0;
    Refinement *refinement = drawn->refinement;
    int32_t *weights = refinement->by_pattern[question][pattern], *by_rate[MOST_CELLS];
    Quad cells[MOST_CELLS / 4], logits[MOST_CELLS / 4], rated[MOST_CELLS / 4], sum = quad_of(0);
    for (int i = 0; i < MOST_CELLS; i++) { /* those beyond the last have weights that nothing asks for */
        const Cell cell = i < count ? slots[i][question] : 0;
        by_rate[i] = &refinement->by_rate[question][(cell & 4095) >> 7][i];
    }
    for (int i = 0; i < count; i += 4) {
        const int j = i / 4;
        cells[j] = load_cells(slots, i, count, question, &none);
        logits[j] = quad_sar(cells[j], 12);
        rated[j] = quad_collect(by_rate[i], by_rate[i + 1], by_rate[i + 2], by_rate[i + 3]);
        const Quad weight = quad_sar(quad_add(quad_load(weights + i), rated[j]), 6);
        sum = quad_add(sum, quad_sar(quad_times_18(quad_sar(logits[j], 2), weight), 8));
    }
    const int32_t logit = quad_sum(sum);
    const uint32_t p = logistic(drawn, logit);
    const Refined refined = refine(refinement->curves[question][pattern], logit, p);
    answer = range_bit(&drawn->coder, refined.p, answer, decoding);
    *refined.node = (uint16_t)(*refined.node + (((answer ? 65535 : 0) - *refined.node) >> 6));
    const Quad error = quad_of(((answer << 16) - (int32_t)p) >> 2);
    for (int i = 0; i < count; i += 4) {
        const int j = i / 4;
        const Quad slope = quad_times_16(error, quad_sar(logits[j], 6));
        const Quad step = quad_sar(quad_add(slope, quad_of(1 << 13)), 14);
        const Quad weight = quad_add(quad_load(weights + i), quad_sar(step, 1));
        quad_store(weights + i, quad_within(weight, HEAVIEST));
        quad_spread(by_rate[i], by_rate[i + 1], by_rate[i + 2], by_rate[i + 3],
                    quad_within(quad_add(rated[j], step), HEAVIEST));
        store_cells(slots, i, count, question, learn_cells(cells[j], error));
    }
    return answer;
}

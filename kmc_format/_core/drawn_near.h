/* Labels that are not at hand: in a list of those nearby, or spelt. Part of drawn_impl.h. */

/* Which of sixteen labels equal none before them: a bit for each. */
ALWAYS_INLINE uint32_t find_distinct(const uint16_t *labels) {
    const Eight low = eight_at(labels), high = eight_at(labels + 8);
    uint32_t distinct = 0;
    for (int i = 0; i < NEAR; i++) {
        const Eight label = eight_of(labels[i]);
        const uint32_t like = equal_eights(low, label, high, label);
        distinct |= like & (~like + 1);
    }
    return distinct;
}

/* Looks for the label in a list of those nearby; returns it, or -1. */
NEVER_INLINE static int find_listed(Drawn *drawn, Row *row, uint32_t label, int decoding) {
    const Around around = look_around(row), *at = &around;
    const uint16_t *o = at->o - row->x, *a = at->a, *b = at->b, *line = a - row->x;
    const int32_t *above = row->above, *last = row->last;
    const uint16_t places[NEAR] = {(uint16_t)at->W,
                                   (uint16_t)at->N,
                                   (uint16_t)at->NE,
                                   line[above[0]],
                                   a[-1],
                                   (uint16_t)at->WW,
                                   a[2],
                                   b[0],
                                   a[-2],
                                   b[1],
                                   b[-1],
                                   line[above[1]],
                                   o[last[-1] - 1],
                                   o[last[-2] - 1],
                                   line[above[-1] - 1],
                                   line[above[-2] - 1]};
    uint32_t listed = find_distinct(places) & ~7u; /* the first three are those that were asked about */
    const uint32_t length = (uint32_t)count_ones(listed);
    if (length == 0) return -1;
    uint32_t lane = NEAR - 1;
    if (!decoding) {
        const Eight sought = eight_of(label);
        const uint32_t found = equal_eights(eight_at(places), sought, eight_at(places + 8), sought) & listed;
        if (found) lane = (uint32_t)count_ones(listed & (found - 1));
    }
    const uint32_t W = at->W, N = at->N, NE = at->NE, NW = at->NW;
    const uint32_t same = (uint32_t)(NW == N) | (uint32_t)(N == NE) << 1 | (uint32_t)(NW == W) << 2 |
                          (uint32_t)(N == W) << 3 | (uint32_t)(W == at->WW) << 4 |
                          (uint32_t)(N == at->NN) << 5 | (uint32_t)(NE == W) << 6 | (uint32_t)(NE == NW) << 7;
    lane = code_place(drawn, length << 1 | (uint32_t)row->last_listed, same, lane, decoding);
    row->last_listed = lane < length;
    if (lane >= length) return -1;
    while (lane--) listed &= listed - 1;
    return places[lowest_one(listed)];
}

/* A colour that labels around foretell, a + b - c, by the upper half of each channel. */
ONE_COPY uint32_t predict(const Drawn *drawn, uint32_t a, uint32_t b, uint32_t c) {
    const uint8_t *one = drawn->colours + 4 * a, *other = drawn->colours + 4 * b,
                  *less = drawn->colours + 4 * c;
    uint32_t colour = 0;
    for (int i = 0; i < 4; i++)
        colour |= (uint32_t)clamp_int(one[i] + other[i] - less[i], 0, 255) >> 4 << 4 * i;
    return colour;
}

/* The rows that a reference adds. */
NEVER_INLINE static void find_reference_rows(const Drawn *drawn, const Around *at, uint32_t *contexts,
                                             int rich) {
    const Before r = look_before(drawn, at);
    const uint32_t R = r.o[0];
    contexts[0] = R;
    if (!rich) {
        contexts[1] = hash_pair(R | at->W << 16, at->N);
        return;
    }
    contexts[1] = hash_pair(R, at->W);
    contexts[2] = hash_pair(R | (uint32_t)r.o[1] << 16, r.o[-1] | (uint32_t)r.below[0] << 16);
    contexts[3] = predict(drawn, at->W, R, r.o[-1]);
    contexts[4] = predict(drawn, at->N, R, r.a[0]);
}

/* Spells a label digit by digit; returns k or more for what is none. */
ONE_COPY uint32_t spell(Drawn *drawn, const Around *at, const Asked *asked, uint32_t label, Coding c) {
    uint32_t lean[LEAN_ROWS + LEAN_REFERENCE_ROWS] = {at->W, at->N, at->NE,
                                                      hash_pair(at->W | at->N << 16, at->NE)};
    const int ended = asked->ended;
    const int denied[DENIED] = {asked->expected, (int)at->W, ended ? -1 : (int)at->N,
                                ended ? -1 : (int)at->NE};
    const uint32_t four = hash_pair(at->W | at->N << 16, at->NE | at->NW << 16);
    const uint32_t times = (uint32_t)min_int((int32_t)asked->times, 7);
    uint32_t rich[MOST_ROWS] = {at->W,
                                at->N,
                                at->NE,
                                at->NW,
                                at->WW,
                                at->NN,
                                at->a[2],
                                0,
                                hash_pair(at->W, at->N),
                                times ? hash_pair(asked->likely, 100 + times) : 0,
                                four};
    if (c.rich) {
        uint32_t *predicted = rich + RICH_ROWS - PREDICTED;
        predicted[0] = predict(drawn, at->W, at->N, at->NW);
        predicted[1] = predict(drawn, at->W, at->W, at->WW);
        predicted[2] = predict(drawn, at->W, at->NE, at->N);
        predicted[3] = predict(drawn, at->N, at->N, at->NN);
    }
    uint32_t *contexts = c.rich ? rich : lean;
    if (c.frames) find_reference_rows(drawn, at, contexts + (c.rich ? RICH_ROWS : LEAN_ROWS), c.rich);
    return code_digits(drawn, contexts, denied, c.rich, c.frames, label, c.decoding);
}

/* Codes the label at the end of a zone or of a pixel by itself; returns it, or k or more if it is none. */
ALWAYS_INLINE uint32_t code_label(Drawn *drawn, Row *row, const Around *at, Asked *asked, uint32_t label,
                                  Coding c) {
    if (!asked->ended) {
        const int found = ask(drawn, row, at, asked, label, c);
        if (found >= 0) return (uint32_t)found;
    }
    if (c.list) {
        const int found = find_listed(drawn, row, label, c.decoding);
        if (found >= 0) return (uint32_t)found;
    }
    if (drawn->unseen_count) {
        AdaptiveBit *state = &drawn->adaptive->fresh[log2_floor((uint32_t)drawn->unseen_count)];
        const int fresh = !c.decoding && label < (uint32_t)drawn->k && is_unseen(drawn, label);
        if (range_adaptive(&drawn->coder, state, fresh, c.decoding))
            return code_fresh(drawn, label, c.decoding);
    }
    return spell(drawn, at, asked, label, c);
}

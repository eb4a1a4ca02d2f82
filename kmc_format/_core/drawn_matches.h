/* Labels that came last where the neighbours were these. Part of drawn_impl.h. */

#define TIMES (UINT32_C(255) << 16) /* the bits of an expectation that count */

/* Mixes a number with those before it. */
ALWAYS_INLINE uint64_t fold(uint64_t before, uint64_t number) { return before * SPREAD + number; }

/* Eleven neighbours as one number: all but W. */
ALWAYS_INLINE uint64_t near_context(const uint16_t *o, const uint16_t *a, const uint16_t *b) {
    uint64_t mixed = load_pair(o - 3) | (uint64_t)a[2] << 32;
    mixed = fold(fold(mixed, load_four(b - 1)), load_four(a - 2));
    return (mixed ^ mixed >> 32) * SPREAD;
}

/* Six columns of six labels and more, and two of this row, as one number. */
ALWAYS_INLINE uint64_t far_context(const uint16_t *o, const uint32_t *column) {
    uint64_t mixed = load_pair(o - 3);
    for (int i = -2; i <= 2; i += 2) mixed = fold(mixed, column[i] | (uint64_t)column[i + 1] << 32);
    return (mixed ^ mixed >> 32) * SPREAD;
}

ALWAYS_INLINE uint32_t expectation_state(Expectation expectation, const Around *at) {
    const uint32_t times = expectation >> 16 & 255, label = expectation & 65535;
    if (!times) return 0;
    return (uint32_t)min_int((int32_t)times, 4) + 4 * (label == at->W    ? 0u
                                                       : label == at->N  ? 1u
                                                       : label == at->NE ? 2u
                                                                         : 3u);
}

/* The line of the cache where a context has its match, whatever W is. */
ALWAYS_INLINE Expectation *find_line(Expectation *matches, uint64_t context, int bits) {
    return matches + (context >> (68 - bits) << 4);
}

/* What is expected in a context, whose place in its line is W's. What came there with other neighbours counts
   as nothing. */
ALWAYS_INLINE Match find_match(Expectation *matches, uint64_t context, uint32_t W, int bits) {
    const uint32_t here = (uint32_t)(context >> (56 - bits)) + 257 * W;
    Expectation *at = find_line(matches, context, bits) + (here >> 8 & 15);
    const Match match = {at, (*at ^ here << 24) >> 24 ? here << 24 : *at};
    return match;
}

/* Early, as memory takes its time: what is known of the next pixel's contexts before this one is. */
ALWAYS_INLINE void look_ahead(const Drawn *drawn, Row *row, const Around *at) {
    row->ahead = row->x + 1;
    row->near = near_context(at->o + 1, at->a + 1, at->b + 1);
    row->far = far_context(at->o + 1, drawn->columns + row->x + 1);
    PREFETCH(find_line(drawn->near_matches, row->near, drawn->match_bits));
    PREFETCH(find_line(drawn->far_matches, row->far, drawn->match_bits));
}

ALWAYS_INLINE void find_matches(const Drawn *drawn, Row *row, const Around *at, Asked *asked) {
    const int known = row->ahead == row->x;
    const uint64_t near = known ? row->near : near_context(at->o, at->a, at->b);
    const uint64_t far = known ? row->far : far_context(at->o, drawn->columns + row->x);
    asked->near = find_match(drawn->near_matches, near, at->W, drawn->match_bits);
    asked->far = find_match(drawn->far_matches, far, at->W, drawn->match_bits);
    look_ahead(drawn, row, at);
}

/* Finds the expected label, and two more cells for questions. */
ALWAYS_INLINE void expect_label(const Drawn *drawn, const Around *at, uint32_t same, int first, Cell **slots,
                                Asked *asked) {
    const Expectation nearly = asked->near.found, fully = asked->far.found,
                      best = fully & TIMES ? fully : nearly;
    const uint32_t near = expectation_state(nearly, at), far = expectation_state(fully, at);
    const uint32_t near_often = (nearly & TIMES) >= CERTAIN << 16,
                   far_often = (fully & TIMES) >= CERTAIN << 16;
    const uint32_t alike = ((nearly ^ fully) & 65535) == 0;
    if ((far ? far : near) > 12) asked->expected = (int)(best & 65535);
    asked->times = best >> 16 & 255;
    asked->likely = best & 65535;
    slots[0] = find_slot(drawn, first, near | same << 5 | near_often << 11);
    slots[1] =
        find_slot(drawn, first + 1, far | near << 5 | far_often << 10 | near_often << 11 | alike << 12);
}

ALWAYS_INLINE void learn_match(Match match, uint32_t label) {
    const Expectation found = match.found;
    const int again = (found & TIMES) && (found & 65535) == label;
    *match.at = again ? found + (uint32_t)((found & TIMES) < TIMES) * (1u << 16)
                      : (found >> 24 << 24) | label | 1u << 16;
}

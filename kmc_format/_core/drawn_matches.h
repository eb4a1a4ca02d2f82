/* Labels that came last where the neighbours were these. Part of drawn_impl.h. */

#define TIMES (UINT32_C(255) << 16) /* the bits of an expectation that count */

/* Twelve neighbours as one number. */
ALWAYS_INLINE uint64_t near_context(const Around *at) {
    const uint16_t *a = at->a, *b = at->b;
    const uint64_t mixed = four_labels(a[-2], a[-1], a[0], a[1]) * SPREAD +
                           four_labels(b[-1], b[0], b[1], b[2]) * UINT64_C(0xC2B2AE3D27D4EB4F) +
                           four_labels(at->W, at->WW, at->o[-3], a[2]) * UINT64_C(0x165667B19E3779F9);
    return mixed ^ mixed >> 32;
}

/* Six columns of six labels and more, and three of this row, as one number. */
ALWAYS_INLINE uint64_t far_context(const Around *at, const uint32_t *column) {
    uint64_t mixed = four_labels(at->W, at->WW, at->o[-3], 0) * UINT64_C(0xC2B2AE3D27D4EB4F);
    uint64_t power = SPREAD;
    for (int i = -2; i <= 3; i++, power *= SPREAD) mixed += column[i] * power;
    return mixed ^ mixed >> 32;
}

ALWAYS_INLINE uint32_t expectation_state(Expectation expectation, const Around *at) {
    const uint32_t times = expectation >> 16 & 255, label = expectation & 65535;
    if (!times) return 0;
    return (uint32_t)min_int((int32_t)times, 4) + 4 * (label == at->W    ? 0u
                                                       : label == at->N  ? 1u
                                                       : label == at->NE ? 2u
                                                                         : 3u);
}

/* Where a context has its match, and the bits that tell it from others there. */
ALWAYS_INLINE Match find_match(Expectation *matches, uint64_t context, int bits) {
    const uint64_t hash = context * SPREAD;
    const Match match = {matches + (hash >> (64 - bits)), (uint32_t)(hash >> (56 - bits) & 255) << 24};
    PREFETCH(match.at);
    return match;
}

/* Early, as memory takes its time. */
ALWAYS_INLINE void find_matches(const Drawn *drawn, const Around *at, int x, Asked *asked) {
    asked->near = find_match(drawn->near_matches, near_context(at), drawn->match_bits);
    asked->far = find_match(drawn->far_matches, far_context(at, drawn->columns + x), drawn->match_bits);
}

/* What is expected there; nothing, if what was there came with another context. */
ALWAYS_INLINE Expectation look_up(Match match) {
    if ((*match.at ^ match.check) >> 24) *match.at = match.check;
    return *match.at;
}

/* Finds the expected label, and two more cells for questions. */
ALWAYS_INLINE void expect_label(const Drawn *drawn, const Around *at, uint32_t same, int first, Cell **slots,
                                Asked *asked) {
    const Expectation nearly = look_up(asked->near), fully = look_up(asked->far),
                      best = fully & TIMES ? fully : nearly;
    const uint32_t near = expectation_state(nearly, at), far = expectation_state(fully, at);
    const uint32_t near_often = (nearly & TIMES) > 8 << 16, far_often = (fully & TIMES) > 8 << 16;
    const uint32_t alike = ((nearly ^ fully) & 65535) == 0;
    if ((far ? far : near) > 12) asked->expected = (int)(best & 65535);
    asked->times = best >> 16 & 255;
    asked->likely = best & 65535;
    slots[0] = find_slot(drawn, first, near | same << 5 | near_often << 11);
    slots[1] =
        find_slot(drawn, first + 1, far | near << 5 | far_often << 10 | near_often << 11 | alike << 12);
}

ALWAYS_INLINE void learn_match(Expectation *match, uint32_t label) {
    if ((*match & TIMES) && (*match & 65535) == label)
        *match += (*match & TIMES) < TIMES ? 1u << 16 : 0;
    else
        *match = (*match & ~(TIMES | 65535)) | label | 1u << 16;
}

/* Is the label the expected one, W, N or NE? Part of drawn_impl.h. */

/* Which of the equalities a large and a small pattern hold. */
#define MOST UINT64_C(0x030C03071F1E1F)
#define MORE UINT64_C(0x010402001F040F)

/* The cells of a pixel's questions; returns six equalities that weights and others go by. */
ALWAYS_INLINE uint32_t find_cells(const Drawn *drawn, const Row *row, const Around *at, Cell **slots,
                                  int count) {
    const uint64_t equal = equalities(at, row->past);
    /* NW = N, N = NE, NW = W, N = W, the last was like that left of it, N = NN: the product brings them
       together */
    const uint32_t same =
        (uint32_t)((equal & UINT64_C(0x0001000000060406)) * UINT64_C(0x0220080000004000) >> 58);
    const uint32_t near = count > 2 ? reach(at->a) : 0, far = count > 2 ? reach(at->b) : 0;
    const uint16_t *b = at->b, *c = at->c;
    uint64_t contexts[RICH_CELLS];
    contexts[0] = equal & MOST;
    contexts[1] = four_labels(at->W, at->NW, at->N, at->NE);
    if (count > 2) { /* that is, not with matches and many colours */
        contexts[2] = equal & MORE;
        contexts[3] = near | far << 6 | same << 12;
    }
    if (count > LEAN_CELLS) { /* with matches and few colours */
        const uint32_t run = (uint32_t)min_int(row->x - row->last[-1], 40), short_run = run < 15 ? run : 15;
        contexts[4] = equal ^ (uint64_t)(c[0] == b[0]) << 51 ^ (uint64_t)(c[0] == at->N) << 52 ^
                      (uint64_t)(c[1] == b[1]) << 53 ^ (uint64_t)(c[-1] == b[-1]) << 54 ^
                      (uint64_t)(c[2] == b[2]) << 55 ^ (uint64_t)(c[-2] == b[-2]) << 56;
        contexts[5] = short_run | near << 4 | same << 10 | far << 16;
        if (count > FEW_COLOURS_CELLS) { /* rich codings */
            contexts[6] = four_labels(at->W, at->N, at->NN, b[1]);
            contexts[7] = four_labels(at->W, at->N, at->NE, at->WW);
            contexts[8] = four_labels(at->W, at->N, at->WW, at->o[-3]);
            contexts[9] = run | same << 6;
            contexts[10] = near | far << 6 | reach(c) << 12 | (uint32_t)(at->N == at->NN) << 18 |
                           (uint32_t)(at->W == at->N) << 19 | (uint32_t)(at->NN == c[0]) << 20;
        }
    }
    for (int i = 0; i < count; i++) slots[i] = find_slot(drawn, i, contexts[i]);
    return same;
}

/* Asks whether the label is the one that came here many times in a row; returns it, or -1. It is much the
   quickest way to a label, so it does without cells. */
ALWAYS_INLINE int ask_certain(Drawn *drawn, Asked *asked, uint32_t label, int decoding) {
    const Expectation nearly = asked->near.found, fully = asked->far.found;
    const uint32_t times = fully >> 16 & 255;
    if (times < CERTAIN) return -1;
    const int expected = (int)(fully & 65535), alike = (nearly & TIMES) && ((nearly ^ fully) & 65535) == 0;
    AdaptiveBit *state = &drawn->adaptive->certain[alike][log2_floor(times)];
    if (range_adaptive(&drawn->coder, state, (int)label == expected, decoding)) return expected;
    asked->expected = expected;
    return -1;
}

/* The same as functions, which are compiled once for all options. */
NEVER_INLINE static int code_answer_of_frames(Drawn *drawn, Cell *const *slots, int count, int question,
                                              int answer, int decoding) {
    return code_answer(drawn, slots, count, question, answer, decoding);
}
NEVER_INLINE static int code_weighed_answer_of(Drawn *drawn, Cell *const *slots, int count, int question,
                                               uint32_t same, int answer, int decoding) {
    return code_weighed_answer(drawn, slots, count, question, same, answer, decoding);
}

/* Asks whether the label is the expected one, W, N or NE; returns it, or -1. */
ALWAYS_INLINE int ask(Drawn *drawn, Row *row, const Around *at, Asked *asked, uint32_t label, Coding c) {
    Cell *slots[MOST_CELLS];
    const int own = c.cells + (c.match ? MATCH_CELLS : 0);
    if (c.match) {
        find_matches(drawn, row, at, asked);
        const int certain = asked->expected < 0 ? ask_certain(drawn, asked, label, c.decoding) : -1;
        if (certain >= 0) return certain;
    }
    const int denied = asked->expected;
    const uint32_t same = find_cells(drawn, row, at, slots, c.cells);
    if (c.match) expect_label(drawn, at, same, c.cells, slots + c.cells, asked);
    if (c.frames) {
        find_reference_cells(drawn, at, own, slots + own);
        if (denied >= 0) asked->expected = denied;
    }
    /* An edge that goes straight down is likely, so N comes before W where W = NW. */
    const uint32_t first = at->W == at->NW ? at->N : at->W, second = first ^ at->W ^ at->N;
    const int expected = c.match ? asked->expected : -1;
    const int candidates[QUESTIONS] = {expected, (int)first, (int)second, (int)at->NE};
    const int open[QUESTIONS] = {expected >= 0 && denied < 0, (int)first != expected,
                                 at->W != at->N && (int)second != expected,
                                 at->NE != at->W && at->NE != at->N && (int)at->NE != expected};
    /* A copy of code_answer for four cells, and in compact decoders one for any number. */
    const int several = c.frames || (KMC_COMPACT && own != LEAN_CELLS);
    NO_UNROLL for (int i = c.match ? 0 : 1; i < QUESTIONS; i++) {
        if (!open[i]) continue;
        const int answer = (int)label == candidates[i];
        const int count = own + (c.frames ? REFERENCE_CELLS : 0);
        if (c.rich    ? code_weighed_answer_of(drawn, slots, count, i, same, answer, c.decoding)
            : several ? code_answer_of_frames(drawn, slots, count, i, answer, c.decoding)
                      : code_answer(drawn, slots, KMC_COMPACT ? LEAN_CELLS : own, i, answer, c.decoding)) {
            return candidates[i];
        }
    }
    return -1;
}

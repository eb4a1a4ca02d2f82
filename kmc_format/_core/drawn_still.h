/* Frames: what is as it was in the frame before, the reference. Part of drawn_impl.h. */

/* The labels of a row's reference, and of those above and below it. */
typedef struct {
    const uint16_t *o, *a, *b, *below;
} Before;

ALWAYS_INLINE Before look_before(const Drawn *drawn, const Around *at) {
    const ptrdiff_t away = drawn->away;
    const Before before = {at->o + away, at->a + away, at->b + away, at->o + away + drawn->stride};
    return before;
}

/* How many labels from two places on are the same, up to `most`. */
ALWAYS_INLINE int count_same(const uint16_t *one, const uint16_t *other, int most) {
    int count = 0;
    for (; count < most; count += 8) {
        const Eight a = eight_at(one + count), b = eight_at(other + count);
        const uint32_t unlike = ~equal_eights(a, b, a, b) & 255;
        if (unlike) return min_int(count + lowest_one(unlike), most);
    }
    return most;
}

/* Goes on by labels that are in the row already. */
ALWAYS_INLINE void pass(Row *row, int length) {
    const uint16_t *o = row->line + row->x;
    for (int i = 0; i < length; i += 8) {
        const Eight here = eight_at(o + i), left = eight_at(o + i - 1);
        uint32_t unlike = ~equal_eights(here, left, here, left) & 255;
        if (length - i < 8) unlike &= (1u << (length - i)) - 1;
        for (; unlike; unlike &= unlike - 1) *row->last++ = row->x + i + lowest_one(unlike);
    }
    o += length;
    row->x += length;
    row->past =
        (uint32_t)(o[-1] == o[-2]) | (uint32_t)(o[-2] == o[-3]) << 1 | (uint32_t)(o[-3] == o[-4]) << 2;
}

/* Codes which reference a row has, and whether it is that one's row; then it is done. */
NEVER_INLINE static int code_reference_row(Drawn *drawn, Row *row, int decoding) {
    ReferenceBits *bits = &drawn->adaptive->reference;
    const size_t bytes = sizeof(uint16_t) * (size_t)drawn->width;
    const ptrdiff_t there = drawn->reference - drawn->lines, elsewhere = drawn->moved - drawn->lines;
    uint16_t *line = drawn->line;
    drawn->away = there;
    if (drawn->has_moved) {
        const int moved = !decoding && kmc_drawn_fits_moved(drawn, row->moves & 1);
        AdaptiveBit *state = &bits->moved[row->moves & 3];
        row->moves = row->moves << 1 | (uint32_t)range_adaptive(&drawn->coder, state, moved, decoding);
        if (row->moves & 1) drawn->away = elsewhere;
    }
    const int still = !decoding && memcmp(line, line + drawn->away, bytes) == 0;
    AdaptiveBit *state = &bits->row[row->stills & 3];
    row->stills = row->stills << 1 | (uint32_t)range_adaptive(&drawn->coder, state, still, decoding);
    if (!(row->stills & 1)) return 0;
    begin_row_of_labels(drawn, row);
    if (decoding) memcpy(line, line + drawn->away, bytes);
    pass(row, drawn->width);
    end_row_of_labels(drawn, row);
    return 1;
}

enum { NO_ZONE, WHOLE_ZONE, ENDED_ZONE };

/* Codes a still zone, if one begins here: nothing is new above, so perhaps nothing is here. */
NEVER_INLINE static int code_still_zone(Drawn *drawn, Row *row, const Around *at, int decoding) {
    const Before r = look_before(drawn, at);
    if (at->W != r.o[-1] || at->N != r.a[0] || at->NW != r.a[-1]) return NO_ZONE;
    if (row->still <= row->x) row->still = row->x + count_same(at->a, r.a, drawn->width - row->x);
    const int length = row->still - row->x;
    if (length <= STILL) return NO_ZONE;
    int end = decoding ? 0 : count_same(at->o, r.o, length);
    const uint32_t size = (uint32_t)class_of(length);
    const uint32_t pattern = (uint32_t)(at->WW == r.o[-2]) | (uint32_t)(at->NN == r.b[0]) << 1 |
                             (uint32_t)(at->b[-1] == r.b[-1]) << 2 | (uint32_t)(at->b[1] == r.b[1]) << 3 |
                             (uint32_t)(at->a[-2] == r.a[-2]) << 4 | (uint32_t)(at->o[-3] == r.o[-3]) << 5;
    Cell *const slots[STILL_CELLS] = {drawn->still_cells + (size << 6 | pattern),
                                      drawn->still_cells + ZONE_SLOTS +
                                          spread((uint32_t)r.o[0] << 5 | size >> 1, 12)};
    const int whole = code_answer(drawn, slots, STILL_CELLS, 0, end == length, decoding);
    if (whole) {
        end = length;
    } else {
        ReferenceBits *bits = &drawn->adaptive->reference;
        end = kmc_drawn_place(&drawn->coder, &bits->side[size], &bits->from_begin[size],
                              &bits->from_end[size], length, end, decoding);
    }
    if (decoding) memcpy(row->line + row->x, r.o, sizeof(uint16_t) * (size_t)end);
    pass(row, end);
    if (!whole) row->broke = row->x;
    return whole ? WHOLE_ZONE : ENDED_ZONE;
}

/* A zone of one label stops before the reference, or the row below it, does not have that label. */
ALWAYS_INLINE int limit_zone(const Drawn *drawn, Row *row, const Around *at, int length) {
    const Before r = look_before(drawn, at);
    if (r.o[0] != at->W || r.below[0] != at->W) return 0;
    if (row->calm <= row->x) {
        const int most = drawn->width + 1 - row->x;
        row->calm = row->x;
        while (row->calm - row->x < most) {
            const int i = row->calm - row->x;
            const Eight label = eight_of(at->W);
            const uint32_t unlike = ~equal_eights(eight_at(r.o + i), label, eight_at(r.below + i), label);
            if (unlike & 65535) {
                row->calm += lowest_one((unlike | unlike >> 8) & 255);
                break;
            }
            row->calm += 8;
        }
        row->calm = min_int(row->calm, row->x + most);
    }
    return min_int(length, row->calm - row->x - 1);
}

/* The cells that a reference adds to a pixel's questions. */
NEVER_INLINE static void find_reference_cells(const Drawn *drawn, const Around *at, int first, Cell **slots) {
    const Before r = look_before(drawn, at);
    const uint16_t *o = at->o, *a = at->a;
    const uint32_t W = at->W, R = r.o[0];
    const uint32_t still = (uint32_t)(W == r.o[-1]) | (uint32_t)(at->N == r.a[0]) << 1 |
                           (uint32_t)(at->NW == r.a[-1]) << 2 | (uint32_t)(at->NE == r.a[1]) << 3 |
                           (uint32_t)(at->WW == r.o[-2]) << 4 | (uint32_t)(at->NN == r.b[0]) << 5;
    const uint32_t like = (uint32_t)(R == W) | (uint32_t)(R == at->N) << 1 | (uint32_t)(R == at->NE) << 2 |
                          (uint32_t)(W == at->N) << 3 | (uint32_t)(R == r.o[-1]) << 4 |
                          (uint32_t)(R == r.a[0]) << 5 | (uint32_t)(R == r.o[1]) << 6 |
                          (uint32_t)(R == r.below[0]) << 7 | (uint32_t)(W == at->NW) << 8;
    const Eight label = eight_of(W);
    const uint32_t here = equal_eights(eight_at(r.o - 2), label, eight_at(r.below - 2), label);
    const uint32_t above = equal_eights(eight_at(r.a - 2), label, eight_at(a - 2), label);
    slots[0] = find_slot(drawn, first, still | like << 6);
    slots[1] = find_slot(drawn, first + 1, four_labels(R, W, at->N, still & 3));
    slots[2] =
        find_slot(drawn, first + 2, (here & 0x1f1f) | (above & 0x1f1f) << 16 | (uint64_t)(o[-2] == W) << 32);
}

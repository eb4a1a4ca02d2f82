/* Zones: nothing changes above, so perhaps nothing does here. Part of drawn_impl.h. */

typedef struct {
    int begun, length, size, slope;
    ZoneExpectation *match;
    int end, times; /* where it is expected to end, if inside: its place in the zone; -1 if not */
    uint32_t forecast;
} Zone;

ALWAYS_INLINE void expect_end(const Drawn *drawn, const Row *row, const Around *at, Zone *zone) {
    const uint64_t context = far_context(at->o, drawn->columns + row->x);
    zone->match = drawn->zone_matches + (context >> (64 - drawn->match_bits));
    if (!zone->match->times) return;
    const int64_t end = (int64_t)zone->match->length + row->last[-1] - row->x;
    zone->times = min_int(zone->match->times, 3);
    zone->forecast = (uint32_t)zone->times << 2 | (end < 0 ? 1u : end < zone->length ? 2u : 3u);
    if (end >= 0 && end < zone->length) zone->end = (int)end;
}

ALWAYS_INLINE Zone enter_zone(const Drawn *drawn, const Row *row, const Around *at, int length, int match) {
    const int x = row->x, next = x + length + 1;
    Zone zone = {x, length, class_of(length), 7, NULL, -1, 0, 0};
    if (next < drawn->width) zone.slope = count_like(at->b + length + 1, at->W);
    if (match) expect_end(drawn, row, at, &zone);
    return zone;
}

/* Codes whether a zone goes on to its end. */
ALWAYS_INLINE int code_whole(Drawn *drawn, Row *row, const Around *at, const Zone *zone, int match, int whole,
                             int decoding) {
    const uint32_t W = at->W, size = (uint32_t)zone->size, slope = (uint32_t)zone->slope;
    const uint32_t before = at->o[-2] == W, since = (uint32_t)class_of(min_int(row->x - row->broke, 63)) + 1;
    const uint32_t pattern = before << 5 | (uint32_t)(at->a[-2] == W) << 4 |
                             (uint32_t)(at->NN == at->N) << 3 | (uint32_t)(at->b[1] == at->NN) << 2 |
                             (uint32_t)(at->b[-1] == at->NN) << 1 | (uint32_t)(at->o[-3] == W);
    Cell *const base = drawn->zone_cells;
    Cell *const slots[ZONE_CELLS] = {
        base + (size << 6 | pattern),
        base + ZONE_SLOTS + spread(W << 5 | size >> 1, 12),
        base + 2 * ZONE_SLOTS +
            spread(size | slope << 5 | since << 8 | (uint32_t)(at->a[-2] == W) << 13 | before << 14, 12),
        base + 3 * ZONE_SLOTS + (zone->forecast | size << 4),
    };
    return code_answer(drawn, slots, match ? ZONE_CELLS : ZONE_CELLS - 1, 0, whole, decoding);
}

/* Codes where a zone ends that does not go on to its end, from 0 on. */
ALWAYS_INLINE int code_end(Drawn *drawn, const Zone *zone, int seldom, int end, int decoding) {
    RangeCoder *coder = &drawn->coder;
    Adaptive *adaptive = drawn->adaptive;
    const int size = zone->size;
    if (zone->end >= 0 &&
        range_adaptive(coder, &adaptive->expected_end[zone->times], end == zone->end, decoding)) {
        return zone->end;
    }
    if (zone->length == 1) return 0;
    return (seldom || KMC_COMPACT ? kmc_drawn_place
                   : code_place_in)(coder, &adaptive->side[zone->slope][size], &adaptive->from_begin[size],
                                    &adaptive->from_end[zone->slope][size], zone->length, end, decoding);
}

/* Goes on by labels like those left of them. */
ALWAYS_INLINE void go_on(Row *row, int length) {
    row->past = length > 2 ? 7 : (row->past << length | ((1u << length) - 1)) & 7;
    row->x += length;
}

ALWAYS_INLINE void learn_zone(ZoneExpectation *match, uint32_t length, uint32_t label, int again) {
    if (again) {
        match->times = (uint16_t)(match->times + (match->times < 255));
    } else {
        match->length = length;
        match->label = (uint16_t)label;
        match->times = 1;
    }
}

/* Learns where a zone ended and by which label. */
ALWAYS_INLINE void learn_end(const Zone *zone, const Row *row, int begun, uint32_t label) {
    const int again =
        zone->end >= 0 && row->x == begun + (int)zone->match->length && zone->match->label == label;
    learn_zone(zone->match, (uint32_t)(row->x - begun), label, again);
}

/* Codes whether the label that ends a zone is the expected one; returns it, or -1. */
ALWAYS_INLINE int code_expected_end(Drawn *drawn, const Around *at, const Zone *zone, Asked *asked,
                                    int decoding) {
    const uint32_t expected = zone->match->label;
    if (expected == at->W) return -1;
    AdaptiveBit *state = &drawn->adaptive->expected_label[zone->times];
    const int same = range_adaptive(&drawn->coder, state, !decoding && at->o[0] == expected, decoding);
    if (same) return (int)expected;
    asked->expected = (int)expected;
    return -1;
}

/* Codes a zone; returns whether a label that ends it is to follow. */
ALWAYS_INLINE int code_zone(Drawn *drawn, Row *row, const Around *at, int length, Zone *zone, Coding c) {
    uint16_t *o = row->line + row->x;
    const uint32_t W = at->W;
    *zone = enter_zone(drawn, row, at, length, c.match);
    int end = 0;
    if (!c.decoding) {
        while (end < length && o[end] == W) end++;
    }
    const int whole = code_whole(drawn, row, at, zone, c.match, end == length, c.decoding);
    end = whole ? length : code_end(drawn, zone, c.match || c.rich, end, c.decoding);
    if (c.decoding) fill(o, end, W);
    go_on(row, end);
    if (whole && c.match) {
        const int again = (zone->forecast & 3) == 3;
        learn_zone(zone->match, (uint32_t)(row->x - row->last[-1]), zone->match->label, again);
    }
    if (!whole) row->broke = row->x;
    return !whole;
}

/* Labels that come for the first time: told by how many such labels they are on from the last. Part of
   drawn_impl.h. */

ALWAYS_INLINE int is_unseen(const Drawn *drawn, uint32_t label) {
    return (int)(drawn->unseen[label >> 6] >> (label & 63) & 1);
}

/* How many unseen labels there are from one to before another. */
static int count_unseen(const Drawn *drawn, uint32_t from, uint32_t to) {
    const uint64_t *words = drawn->unseen;
    const uint64_t low = words[from >> 6] >> (from & 63) << (from & 63),
                   high = ((uint64_t)1 << (to & 63)) - 1;
    if (from >> 6 == to >> 6) return count_ones(low & high);
    int count = count_ones(low) + count_ones(words[to >> 6] & high);
    for (uint32_t i = (from >> 6) + 1; i < to >> 6; i++) count += count_ones(words[i]);
    return count;
}

/* The unseen label that has so many before it. */
static uint32_t find_unseen(const Drawn *drawn, int rank) {
    uint32_t word = 0;
    for (int count; rank >= (count = count_ones(drawn->unseen[word])); word++) rank -= count;
    uint64_t bits = drawn->unseen[word];
    while (rank--) bits &= bits - 1;
    return word << 6 | (uint32_t)lowest_one(bits);
}

/* Codes an unseen label by its distance from the first one after the last that came. */
static uint32_t code_fresh(Drawn *drawn, uint32_t label, int decoding) {
    RangeCoder *coder = &drawn->coder;
    Adaptive *adaptive = drawn->adaptive;
    const int below = drawn->last_rank, above = drawn->unseen_count - 1 - below;
    const uint32_t last = (uint32_t)drawn->last_fresh;
    int distance = 0;
    if (!decoding)
        distance = label >= last ? count_unseen(drawn, last, label) : -count_unseen(drawn, label, last);
    if (above < 0 || !range_adaptive(coder, &adaptive->next, distance == 0, decoding)) {
        const int back =
            below > 0 && (above <= 0 || range_adaptive(coder, &adaptive->before, distance < 0, decoding));
        if (back)
            distance =
                -1 - kmc_drawn_distance(coder, &adaptive->distance[1], -distance - 1, below - 1, decoding);
        else
            distance = 1 + kmc_drawn_distance(coder, &adaptive->distance[0], distance - 1,
                                              max_int(above - 1, 0), decoding);
    } else {
        distance = 0;
    }
    drawn->last_rank = clamp_int(below + distance, 0, drawn->unseen_count - 1);
    if (decoding) label = find_unseen(drawn, drawn->last_rank);
    drawn->last_fresh = (int)label;
    drawn->unseen[label >> 6] &= ~((uint64_t)1 << (label & 63));
    drawn->unseen_count--;
    return label;
}

/* Lanes that rows of logits foretell: the list's, and the digits of labels. Part of drawn_impl.h. */

/* In a window of 32 from 32 - j on, lane j may not come; j = 32 denies none. */
#define FREE_8 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767
static const int16_t drawn_denied[64] = {FREE_8, FREE_8, FREE_8, FREE_8, -32768, 32767,  32767, 32767,
                                         32767,  32767,  32767,  32767,  FREE_8, FREE_8, FREE_8};

typedef struct {
    int16_t *rows[MOST_ROWS]; /* of logits in 1/4096 nat */
    uint8_t *visits[MOST_ROWS];

    int32_t *weights;        /* by row and log2 of visits, in 2^-18 */
    uint32_t denied[DENIED]; /* lanes that are known not to come; 32 for none */
} Forecast;

ALWAYS_INLINE int32_t *find_weight(const Forecast *forecast, int i) {
    return forecast->weights + 8 * i + log2_floor(*forecast->visits[i]);
}

/* The sum of the rows, of `vectors` times 16 lanes. */
ALWAYS_INLINE void add_rows(const Forecast *forecast, int count, int weighted, int denied, int vectors,
                            Lanes *sum) {
    UNROLL for (int v = 0; v < vectors; v++) sum[v] = lanes_set(0);
    for (int i = 0; i < count; i++) {
        const Lanes weight = lanes_set(weighted ? *find_weight(forecast, i) >> 4 : 0);
        UNROLL for (int v = 0; v < vectors; v++) {
            Lanes logits = lanes_load(forecast->rows[i] + 16 * v);
            if (weighted) logits = lanes_mulhi(logits, weight);
            sum[v] = i == 0 ? logits : lanes_adds(sum[v], logits);
        }
    }
    UNROLL for (int v = 0; v < vectors; v++) {
        for (int i = 0; i < 2 && weighted; i++) sum[v] = lanes_adds(sum[v], sum[v]);
        for (int i = 0; i < denied; i++) {
            sum[v] = lanes_min(sum[v], lanes_load(drawn_denied + 32 - forecast->denied[i] + 16 * v));
        }
    }
}

/* Rows go down the gradient of the lane's cost, and so do their weights. */
ALWAYS_INLINE void learn_rows(const Drawn *drawn, const Forecast *forecast, int count, int weighted,
                              int vectors, const Lanes *error) {
    for (int i = 0; i < count; i++) {
        uint8_t *visits = forecast->visits[i];
        const Lanes rate = lanes_set(drawn->rates[*visits]);
        int32_t gradient = 0;
        UNROLL for (int v = 0; v < vectors; v++) {
            int16_t *row = forecast->rows[i] + 16 * v;
            const Lanes logits = lanes_load(row);
            if (weighted) gradient += lanes_dot(error[v], lanes_sar(logits, 4));
            lanes_store(row, lanes_adds(logits, lanes_step(error[v], rate)));
        }
        if (weighted) {
            int32_t *weight = find_weight(forecast, i);
            *weight = clamp_int(*weight + ((gradient + (1 << 11)) >> 12), -(1 << 19) + 1, (1 << 19) - 1);
        }
        *visits = (uint8_t)(*visits + (*visits < 255));
    }
}

/* Codes one of 16 or 32 lanes. */
ALWAYS_INLINE uint32_t code_lane(Drawn *drawn, const Forecast *forecast, int count, int weighted, int denied,
                                 int bits, uint32_t lane, int decoding) {
    const int vectors = 1 << bits >> 4;
    RangeCoder *coder = &drawn->coder;
    Lanes sum[2], share[2], end[2];
    uint16_t ends[33];
    add_rows(forecast, count, weighted, denied, vectors, sum);
    ends[0] = 0;
    softmax_share(sum, bits, share, end);
    const Stretch stretch = softmax_stretch(lanes_get_last(end[vectors - 1]), bits);
    UNROLL for (int v = 0; v < vectors; v++) {
        end[v] = softmax_end(end[v], stretch, v);
        lanes_store(ends + 1 + 16 * v, end[v]);
    }
    const uint64_t unit = coder->range >> 15;
    if (decoding) {
        const uint64_t target = coder->code / unit;
        const int at = target > 32767 ? 32767 : (int)target;
        lane =
            vectors == 1 ? lanes_first_above(end[0], at) : lanes_first_above2(end[0], end[vectors - 1], at);
    }
    const uint64_t start = unit * ends[lane];
    range_narrow(coder, start, lane + 1 == 1u << bits ? coder->range - start : unit * ends[lane + 1] - start,
                 decoding);
    UNROLL for (int v = 0; v < vectors; v++) share[v] = softmax_error(share[v], stretch, lane, v);
    learn_rows(drawn, forecast, count, weighted, vectors, share);
    return lane;
}

/* The sum of the differences of two colours' channels. */
NEVER_INLINE static int32_t colour_difference(const uint8_t *one, const uint8_t *other) {
    int32_t sum = 0;
    for (int c = 0; c < 4; c++) sum += one[c] > other[c] ? one[c] - other[c] : other[c] - one[c];
    return sum;
}

/* The label in the middle of those that a lane leads to, or -1 if there are none. */
ALWAYS_INLINE int64_t find_middle(int k, int64_t first, int shift) {
    const int64_t span = (int64_t)1 << shift, there = k - first;
    return there > 0 ? first + ((there < span ? there : span) >> 1) : -1;
}

/* The logits of a row before its first visit: colours near that of a label are likely. */
SELDOM void begin_row(const Drawn *drawn, int16_t *row, uint32_t label, uint32_t prefix, int shift,
                      int weaker) {
    const uint8_t *mine = drawn->colours + 4 * (size_t)label;
    for (int j = 0; j < drawn->lanes; j++) {
        const int64_t middle = find_middle(drawn->k, ((int64_t)prefix * drawn->lanes + j) << shift, shift);
        const int32_t difference =
            middle < 0 ? 250 : colour_difference(mine, drawn->colours + 4 * (size_t)middle);
        row[j] = (int16_t)((-48 * min_int(difference, 250)) >> weaker);
    }
}

/* Finds the row of a feature; the first three are of one label. */
ALWAYS_INLINE void find_row(const Drawn *drawn, Forecast *forecast, int feature, int single, uint32_t context,
                            uint32_t node, uint32_t prefix, int place) {
    uint32_t at = context * (uint32_t)drawn->nodes + node;
    if (!single || drawn->digits > 2) at = at * UINT32_C(0x9E3779B1) >> (32 - ROW_BITS);
    int16_t *row = drawn->rows[feature] + ((size_t)at << drawn->lane_bits);
    uint8_t *visits = drawn->visits[feature] + at;
    if (*visits == 0) {
        *visits = 1;
        if (single)
            begin_row(drawn, row, context, prefix, place * drawn->lane_bits, feature < 2 ? 0 : 2);
        else
            memset(row, 0, sizeof *row << drawn->lane_bits);
    }
    forecast->rows[feature] = row;
    forecast->visits[feature] = visits;
}

/* The same as functions, so that they are compiled once for all options. */
#if KMC_COMPACT
NEVER_INLINE static uint32_t code_lane_of_16(Drawn *drawn, const Forecast *forecast, int count, int weighted,
                                             int denied, uint32_t lane, int decoding) {
    return code_lane(drawn, forecast, count, weighted, denied, 4, lane, decoding);
}
NEVER_INLINE static uint32_t code_lane_of_32(Drawn *drawn, const Forecast *forecast, int count, int weighted,
                                             int denied, uint32_t lane, int decoding) {
    return code_lane(drawn, forecast, count, weighted, denied, 5, lane, decoding);
}
#define DEFINE_LANE(NAME, COUNT, WEIGHTED, DENY, BITS)                                                       \
    ALWAYS_INLINE uint32_t NAME(Drawn *drawn, const Forecast *forecast, uint32_t lane, int decoding) {       \
        return (BITS == 4 ? code_lane_of_16 : code_lane_of_32)(drawn, forecast, COUNT, WEIGHTED, DENY, lane, \
                                                               decoding);                                    \
    }
#else
#define DEFINE_LANE(NAME, COUNT, WEIGHTED, DENY, BITS)                                                       \
    NEVER_INLINE static uint32_t NAME(Drawn *drawn, const Forecast *forecast, uint32_t lane, int decoding) { \
        return decoding ? code_lane(drawn, forecast, COUNT, WEIGHTED, DENY, BITS, lane, 1)                   \
                        : code_lane(drawn, forecast, COUNT, WEIGHTED, DENY, BITS, lane, 0);                  \
    }
#endif
DEFINE_LANE(code_listed, LIST_ROWS, 0, 0, 4)
DEFINE_LANE(code_lean_16, LEAN_ROWS, 0, DENIED, 4)
DEFINE_LANE(code_lean_32, LEAN_ROWS, 0, DENIED, 5)

/* Where speed gains less by a copy for each direction: rich ones, and those of frames, where a reference adds
   rows. */
#if KMC_COMPACT
#define DEFINE_LARGE_LANE(NAME, COUNT, WEIGHTED, BITS) DEFINE_LANE(NAME, COUNT, WEIGHTED, DENIED, BITS)
#else
#define DEFINE_LARGE_LANE(NAME, COUNT, WEIGHTED, BITS)                                                       \
    NEVER_INLINE static uint32_t NAME(Drawn *drawn, const Forecast *forecast, uint32_t lane, int decoding) { \
        return code_lane(drawn, forecast, COUNT, WEIGHTED, DENIED, BITS, lane, decoding);                    \
    }
#endif
DEFINE_LARGE_LANE(code_rich_16, RICH_ROWS, 1, 4)
DEFINE_LARGE_LANE(code_rich_32, RICH_ROWS, 1, 5)
DEFINE_LARGE_LANE(code_lean_16_of_frames, LEAN_ROWS + LEAN_REFERENCE_ROWS, 0, 4)
DEFINE_LARGE_LANE(code_lean_32_of_frames, LEAN_ROWS + LEAN_REFERENCE_ROWS, 0, 5)
DEFINE_LARGE_LANE(code_rich_16_of_frames, RICH_ROWS + RICH_REFERENCE_ROWS, 1, 4)
DEFINE_LARGE_LANE(code_rich_32_of_frames, RICH_ROWS + RICH_REFERENCE_ROWS, 1, 5)

/* Codes the place of a label in the list, by the list's length and by which labels around are equal. */
ALWAYS_INLINE uint32_t code_place(Drawn *drawn, uint32_t length, uint32_t same, uint32_t place,
                                  int decoding) {
    const uint32_t numbers[LIST_ROWS] = {length, 256 + same};
    Forecast forecast;
    for (int i = 0; i < LIST_ROWS; i++) {
        forecast.rows[i] = drawn->list_rows + 16 * (size_t)numbers[i];
        forecast.visits[i] = drawn->list_visits + numbers[i];
    }
    place = code_listed(drawn, &forecast, place, decoding);
    return place;
}

/* Spells a label; denied labels are known not to come. Returns k or more for what is none. */
NEVER_INLINE static uint32_t code_digits(Drawn *drawn, const uint32_t *contexts, const int *denied, int rich,
                                         int frames, uint32_t label, int decoding) {
    const int bits = drawn->lane_bits, more = rich ? RICH_REFERENCE_ROWS : LEAN_REFERENCE_ROWS;
    const int rows = (rich ? RICH_ROWS : LEAN_ROWS) + (frames ? more : 0);
    Forecast forecast;
    uint32_t node = 0, prefix = 0;
    for (int place = drawn->digits - 1; place >= 0; place--) {
        for (int i = 0; i < DENIED; i++) {
            const int here = place == 0 && (uint32_t)denied[i] >> bits == prefix;
            forecast.denied[i] = here ? (uint32_t)denied[i] & ((1u << bits) - 1) : 32;
        }
        for (int f = 0; f < rows; f++) {
            find_row(drawn, &forecast, f, is_single(rich, f), contexts[f], node, prefix, place);
        }
        forecast.weights = rich ? drawn->row_weights + 8 * MOST_ROWS * place : NULL;
        uint32_t lane = label >> place * bits & ((1u << bits) - 1);
        if (frames && bits == 4) {
            lane = (rich ? code_rich_16_of_frames : code_lean_16_of_frames)(drawn, &forecast, lane, decoding);
        } else if (frames) {
            lane = (rich ? code_rich_32_of_frames : code_lean_32_of_frames)(drawn, &forecast, lane, decoding);
        } else if (bits == 4) {
            lane = (rich ? code_rich_16 : code_lean_16)(drawn, &forecast, lane, decoding);
        } else {
            lane = (rich ? code_rich_32 : code_lean_32)(drawn, &forecast, lane, decoding);
        }
        node = (node << bits) + 1 + lane;
        prefix = prefix << bits | lane;
    }
    return prefix;
}

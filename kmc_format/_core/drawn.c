#include "drawn_model.h"

#include <stdlib.h>

#include "machine.h"

int32_t kmc_drawn_distance(RangeCoder *coder, LengthBits *bits, int32_t value, int32_t most, int decoding) {
    return code_distance(coder, bits, value, most, decoding);
}

int kmc_drawn_place(RangeCoder *coder, AdaptiveBit *side, LengthBits *from_begin, LengthBits *from_end,
                    int length, int place, int decoding) {
    return code_place_in(coder, side, from_begin, from_end, length, place, decoding);
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the rest takes little time */
#endif

/* The logistic function in steps of 1/16 nat, in the middle of each, by multiplication with exp(-1/16). */
static void make_logistic(Drawn *drawn) {
    uint16_t *middle = drawn->logistic + UNLIMITED;
    uint64_t power = UINT64_C(4162817722); /* exp(-1/32) in 2^-32 */
    for (int i = 0; i < UNLIMITED; i++) {
        if (i >= STEEPEST) {
            middle[i] = middle[STEEPEST - 1];
            middle[-1 - i] = middle[-STEEPEST];
            continue;
        }
        const uint32_t p = (uint32_t)((UINT64_C(1) << 48) / ((UINT64_C(1) << 32) + power));
        middle[i] = (uint16_t)min_int((int32_t)p, 65533);
        middle[-1 - i] = (uint16_t)(65536 - middle[i]);
        power = power * UINT64_C(4034753694) >> 32;
    }
}

static void choose_shape(Drawn *drawn) {
    const int k = drawn->k;
    drawn->lane_bits = (k > 16 && k <= 32) || (k > 256 && k <= 1024) || (k > 4096 && k <= 32768) ? 5 : 4;
    drawn->lanes = 1 << drawn->lane_bits;
    drawn->digits = drawn->nodes = 1;
    for (int reach = drawn->lanes; reach < k; reach <<= drawn->lane_bits) {
        drawn->nodes = drawn->nodes * drawn->lanes + 1;
        drawn->digits++;
    }
}

static void forget(Drawn *drawn) {
    AdaptiveBit *bits = (AdaptiveBit *)drawn->adaptive;
    range_forget(bits, sizeof(Adaptive) / sizeof *bits);
    for (int i = 0; i < 512; i++) drawn->list_visits[i] = 1;
    for (int n = 1; n < 256; n++) drawn->rates[n] = (int16_t)isqrt((UINT32_C(1) << 24) / (uint32_t)n);
    for (int i = 0; i < drawn->k; i++) drawn->unseen[i >> 6] |= (uint64_t)1 << (i & 63);
    drawn->unseen_count = drawn->k > 16 ? drawn->k : 0;
    for (int i = 0; i < 4; i++) drawn->changes[0][i] = drawn->width + 1;
    if (!(drawn->options & DRAWN_RICH)) return;
    for (int i = 0; i < 8 * MOST_ROWS * DIGITS; i++) drawn->row_weights[i] = 3 << 15;
    for (int q = 0; q < QUESTIONS; q++) {
        for (int i = 0; i < 64; i++) {
            for (int j = 0; j < MOST_CELLS; j++) drawn->refinement->by_pattern[q][i][j] = 1 << 15;
            for (int j = 0; j < 24; j++) {
                drawn->refinement->curves[q][i][j] = drawn->logistic[UNLIMITED + 16 * j - STEEPEST];
            }
        }
    }
}

/* Tables are parts of a block. Before there is one, this counts what they take. */
typedef struct {
    char *base;
    size_t used; /* SIZE_MAX if there can be no such block */
} Block;

static void *take(Block *block, size_t count, size_t size) {
    void *part = block->base ? block->base + block->used : NULL;
    if (block->used > SIZE_MAX / 4 || count > SIZE_MAX / 4 / (size ? size : 1)) {
        block->used = SIZE_MAX;
    } else {
        block->used += (count * size + 63) / 64 * 64;
    }
    return part;
}

/* Rows of logits need no zeros, as their visits tell whether they are there. */
static void place_rows(Drawn *drawn, Block *zeros, Block *others) {
    const int rich = drawn->options & DRAWN_RICH, count = rich ? RICH_ROWS : LEAN_ROWS;
    const int more = rich ? RICH_REFERENCE_ROWS : LEAN_REFERENCE_ROWS;
    const size_t most = (size_t)1 << ROW_BITS, own = (size_t)drawn->k * (size_t)drawn->nodes;
    for (int i = 0; i < count + (drawn->options & DRAWN_FRAMES ? more : 0); i++) {
        const size_t rows = is_single(rich, i) && drawn->digits <= 2 ? own : most;
        drawn->rows[i] = take(others, rows << drawn->lane_bits, sizeof(int16_t));
        drawn->visits[i] = take(zeros, rows, 1);
    }
}

static void place_tables(Drawn *drawn, Block *zeros, Block *others) {
    const int rich = drawn->options & DRAWN_RICH, match = drawn->options & DRAWN_MATCH;
    const int few = drawn->k <= FEW_COLOURS ? FEW_COLOURS_CELLS : LEAN_MATCH_CELLS;
    const int own = rich ? RICH_CELLS : match ? few : LEAN_CELLS;
    const int frames = drawn->options & DRAWN_FRAMES;
    const size_t cells = (size_t)(own + (match ? MATCH_CELLS : 0) + (frames ? REFERENCE_CELLS : 0));
    const size_t columns = (size_t)drawn->width, matches = match ? (size_t)1 << drawn->match_bits : 0;
    for (size_t i = 0; i < cells; i++) {
        drawn->features[i] = take(zeros, (size_t)QUESTIONS << (64 - drawn->slot_shift), sizeof(Cell));
    }
    drawn->zone_cells = take(zeros, ZONE_CELLS * ZONE_SLOTS, sizeof(Cell));
    drawn->list_rows = take(zeros, 512 * 16, sizeof(int16_t));
    drawn->unseen = take(zeros, (size_t)drawn->k / 64 + 1, sizeof(uint64_t));
    drawn->kept_lines = frames ? (size_t)drawn->height + 4 : LINES;
    drawn->lines = take(zeros, drawn->kept_lines * (columns + 2 * MARGIN), sizeof(uint16_t));
    if (frames) {
        drawn->reference = take(zeros, drawn->kept_lines * (columns + 2 * MARGIN), sizeof(uint16_t));
        drawn->moved = take(zeros, drawn->kept_lines * (columns + 2 * MARGIN), sizeof(uint16_t));
        drawn->still_cells = take(zeros, STILL_CELLS * ZONE_SLOTS, sizeof(Cell));
    }
    for (int i = 0; i < 2; i++) drawn->changes[i] = take(zeros, columns + 8, sizeof(int32_t));
    drawn->refinement = take(zeros, rich ? 1 : 0, sizeof(Refinement));
    drawn->near_matches = take(zeros, matches, sizeof(Expectation));
    drawn->far_matches = take(zeros, matches, sizeof(Expectation));
    drawn->zone_matches = take(zeros, matches, sizeof(ZoneExpectation));
    drawn->columns = take(zeros, match ? columns + 2 * MARGIN : 0, sizeof(uint32_t));
    drawn->adaptive = take(others, 1, sizeof(Adaptive));
    drawn->list_visits = take(others, 512, 1);
    drawn->row_weights = take(others, rich ? 8 * MOST_ROWS * DIGITS : 0, sizeof(int32_t));
    place_rows(drawn, zeros, others);
}

/* A block whose parts begin where lines of the cache do. */
static void align(Block *block, void *memory) {
    block->base = (char *)memory + (64 - ((uintptr_t)memory & 63));
    block->used = 0;
}

/* Two blocks for all tables; returns 0 if there is no memory. Pages of zeros cost nothing before they are
   touched. */
static int allocate(Drawn *drawn) {
    Block zeros = {NULL, 0}, others = {NULL, 0};
    place_tables(drawn, &zeros, &others);
    if (zeros.used > SIZE_MAX / 2 || others.used > SIZE_MAX / 2) return 0;
    drawn->blocks[0] = calloc(zeros.used + 64, 1);
    drawn->blocks[1] = malloc(others.used + 64);
    if (!drawn->blocks[0] || !drawn->blocks[1]) return 0;
    drawn->sizes[0] = zeros.used, drawn->sizes[1] = others.used;
    align(&zeros, drawn->blocks[0]);
    align(&others, drawn->blocks[1]);
    place_tables(drawn, &zeros, &others);
    drawn->line = drawn->lines + 3 * drawn->stride + MARGIN;
    drawn->columns += MARGIN;
    for (int i = 0; i < 2; i++) drawn->changes[i] += 4;
    return 1;
}

static void close_drawn(Drawn *drawn) {
    free(drawn->blocks[0]);
    free(drawn->blocks[1]);
}

/* Makes the tables; returns 0 if there is no memory. */
static int open_drawn(Drawn *drawn, int width, int height, int k, const uint8_t *colours, int options) {
    memset(drawn, 0, offsetof(Drawn, logistic));
    drawn->width = width, drawn->height = height, drawn->k = k, drawn->options = options,
    drawn->colours = colours;
    drawn->stride = width + 2 * MARGIN;
    choose_shape(drawn);
    const int large = options & (DRAWN_RICH | DRAWN_FRAMES),
              length = log2_floor64((uint64_t)width * (uint64_t)height);
    drawn->slot_shift = 64 - (large ? clamp_int(length - 3, 8, 16) : clamp_int(length - 6, 8, 13));
    drawn->match_bits = large ? clamp_int(length - 1, 8, 20) : clamp_int(length - 3, 8, 18);
    if (!allocate(drawn)) return 0;
    make_logistic(drawn);
    forget(drawn);
    return 1;
}

typedef int (*DrawnCoder)(Drawn *drawn, int decoding);

static DrawnCoder choose_coder(void) {
#if KMC_COMPACT
    return kmc_drawn_code_base;
#else
#ifdef KMC_HAS_AVX2
    if (machine_path() == MACHINE_BEST && machine_has_avx2()) return kmc_drawn_code_avx2;
#endif
    return machine_path() == MACHINE_PLAIN ? kmc_drawn_code_plain : kmc_drawn_code_base;
#endif
}

size_t kmc_drawn_encode(const uint16_t *labels, int width, int height, int k, const uint8_t *colours,
                        int options, uint8_t *out, size_t room) {
    Drawn drawn;
    size_t length = SIZE_MAX;
    uint8_t *coded = malloc(room + RANGE_SLACK);
    if (open_drawn(&drawn, width, height, k, colours, options) && coded) {
        drawn.known = labels;
        range_start_coding(&drawn.coder, coded, room + RANGE_SLACK);
        const int result = choose_coder()(&drawn, 0);
        length = range_finish(&drawn.coder);
        length = result != DRAWN_OK || length > room ? 0 : length;
        memcpy(out, coded, length);
    }
    free(coded);
    close_drawn(&drawn);
    return length;
}

int kmc_drawn_decode(const uint8_t *data, size_t length, const Plane *plane, int height, int k,
                     const uint8_t *colours, int options) {
    Drawn drawn;
    int result = DRAWN_MEMORY;
    if (open_drawn(&drawn, (int)plane->width, height, k, colours, options)) {
        drawn.plane = *plane;
        result = range_start_decoding(&drawn.coder, data, length) ? choose_coder()(&drawn, 1) : DRAWN_LENGTH;
        if (result == DRAWN_OK && !range_used_up(&drawn.coder)) result = DRAWN_LENGTH;
    }
    close_drawn(&drawn);
    return result;
}

int kmc_drawn_are_options_of_frames(int options) {
    const int needed = DRAWN_FRAMES | DRAWN_MATCH;
    return 0 <= options && options < 2 * DRAWN_STILL && (options & needed) == needed;
}

DrawnFrames *kmc_drawn_open_frames(int width, int height, int k, const uint8_t *colours, int options) {
    const size_t size = 4 * (size_t)k;
    Drawn *drawn = malloc(sizeof *drawn + size); /* the colours follow */
    if (!drawn) return NULL;
    memcpy(drawn + 1, colours, size);
    if (open_drawn(drawn, width, height, k, (uint8_t *)(drawn + 1), options)) return drawn;
    kmc_drawn_close_frames(drawn);
    return NULL;
}

/* The same place in the block of a copy. */
static void *in_copy(const Drawn *drawn, const Drawn *copy, const void *part) {
    Block block, copied;
    align(&block, drawn->blocks[0]);
    align(&copied, copy->blocks[0]);
    return copied.base + ((const char *)part - block.base);
}

DrawnFrames *kmc_drawn_copy_frames(const DrawnFrames *drawn) {
    Drawn *copy =
        kmc_drawn_open_frames(drawn->width, drawn->height, drawn->k, drawn->colours, drawn->options);
    if (!copy) return NULL;
    for (int i = 0; i < 2; i++) {
        Block block, copied;
        align(&block, drawn->blocks[i]);
        align(&copied, copy->blocks[i]);
        memcpy(copied.base, block.base, drawn->sizes[i]);
    }
    copy->lines = in_copy(drawn, copy, drawn->lines);
    copy->reference = in_copy(drawn, copy, drawn->reference);
    copy->unseen_count = drawn->unseen_count;
    copy->last_fresh = drawn->last_fresh;
    copy->last_rank = drawn->last_rank;
    copy->frames = drawn->frames;
    copy->broken = drawn->broken;
    memcpy(copy->offset, drawn->offset, sizeof copy->offset);
    return copy;
}

void kmc_drawn_close_frames(DrawnFrames *drawn) {
    close_drawn(drawn);
    free(drawn);
}

size_t kmc_drawn_size_of_frames(const DrawnFrames *drawn) {
    return sizeof *drawn + 4 * (size_t)drawn->k + drawn->sizes[0] + drawn->sizes[1];
}

/* What the last frame had becomes the reference; what belongs to one frame alone begins anew. */
static void begin_frame(Drawn *drawn, int options) {
    uint16_t *lines = drawn->lines;
    drawn->options = (drawn->options & ~(DRAWN_LIST | DRAWN_STILL)) | (options & (DRAWN_LIST | DRAWN_STILL));
    drawn->has_reference = drawn->frames;
    drawn->has_moved = 0;
    drawn->lines = drawn->reference;
    drawn->reference = lines;
    drawn->line = drawn->lines + 3 * drawn->stride + MARGIN;
    memset(drawn->columns - MARGIN, 0, sizeof *drawn->columns * (size_t)drawn->stride);
    for (int i = 0; i < 2; i++) memset(drawn->changes[i] - 4, 0, 4 * sizeof(int32_t));
    for (int i = 0; i < 4; i++) drawn->changes[0][i] = drawn->width + 1;
    drawn->frames = 1;
}

size_t kmc_drawn_encode_frame(DrawnFrames *drawn, const uint16_t *labels, int options, uint8_t *out,
                              size_t room) {
    uint8_t *coded = malloc(room + RANGE_SLACK);
    size_t length = DRAWN_NO_MEMORY;
    if (coded && !drawn->broken) {
        begin_frame(drawn, options);
        drawn->known = labels;
        range_start_coding(&drawn->coder, coded, room + RANGE_SLACK);
        if (drawn->has_reference) {
            kmc_drawn_find_offset(drawn);
            kmc_drawn_code_offset(drawn, 0);
        }
        choose_coder()(drawn, 0);
        length = range_finish(&drawn->coder);
        drawn->broken = length > room;
        if (!drawn->broken) memcpy(out, coded, length);
    }
    free(coded);
    return coded && drawn->broken ? DRAWN_NO_ROOM : length;
}

int kmc_drawn_decode_frame(DrawnFrames *drawn, const uint8_t *data, size_t length, const Plane *plane,
                           int options) {
    if (drawn->broken) return DRAWN_LABEL;
    begin_frame(drawn, options);
    drawn->plane = *plane;
    int result = DRAWN_LENGTH;
    if (range_start_decoding(&drawn->coder, data, length)) {
        if (drawn->has_reference) kmc_drawn_code_offset(drawn, 1);
        result = choose_coder()(drawn, 1);
    }
    if (result == DRAWN_OK && !range_used_up(&drawn->coder)) result = DRAWN_LENGTH;
    drawn->broken = result != DRAWN_OK;
    return result;
}

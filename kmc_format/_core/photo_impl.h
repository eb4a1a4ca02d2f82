/* The label coding for photographs, for one implementation of lanes.h: included once for each, which names
 * its entry PHOTO_CODE. Coder and decoder are the same functions with a constant `decoding`. */
#include "photo_contexts.h"

/* Add them up: the lanes' shares of their total, and the sums of these. */
ALWAYS_INLINE void add_rows(const Column *column, Pixel *pixel, Shape s, int d) {
    const int vectors = (1 << s.bits) / 16;
    Lanes sum[2], share[2], sums[2];
    UNROLL for (int v = 0; v < vectors; v++) sum[v] = lanes_set(0);
    for (int f = 0; f < shape_features(s); f++) {
        const int16_t *row = column->rows[f] + ((size_t)pixel->place[d][f] << s.bits);
        UNROLL for (int v = 0; v < vectors; v++) {
            Lanes logits = lanes_load(row + 16 * v);
            if (s.rich) logits = lanes_mulhi(logits, lanes_set(column->scales[d][f]));
            sum[v] = f == 0 ? logits : lanes_adds(sum[v], logits);
        }
    }
    if (s.rich) UNROLL for (int v = 0; v < vectors; v++) sum[v] = lanes_adds(sum[v], sum[v]);
    softmax_share(sum, s.bits, share, sums);
    UNROLL for (int v = 0; v < vectors; v++) {
        lanes_store(pixel->error[d] + 16 * v, share[v]);
        lanes_store(pixel->ends + 16 + 16 * v, sums[v]);
    }
}

/* Code one digit by the shares; leave the error of each lane. Returns the digit and sets its interval. */
ALWAYS_INLINE uint32_t code_digit(Pixel *pixel, Shape s, int d, uint32_t digit, uint32_t target,
                                  uint32_t *start, uint32_t *size) {
    const int lanes = 1 << s.bits, vectors = lanes / 16;
    uint16_t *ends = pixel->ends + 15;
    int16_t *error = pixel->error[d];
    Lanes end[2];
    const Stretch stretch = softmax_stretch(ends[lanes], s.bits);
    UNROLL for (int v = 0; v < vectors; v++) {
        end[v] = softmax_end(lanes_load(ends + 1 + 16 * v), stretch, v);
        lanes_store(ends + 1 + 16 * v, end[v]);
    }
    if (s.decoding)
        digit = vectors == 1 ? lanes_first_above(end[0], (int)target)
                             : lanes_first_above2(end[0], end[vectors - 1], (int)target);
    UNROLL for (int v = 0; v < vectors; v++)
        lanes_store(error + 16 * v, softmax_error(lanes_load(error + 16 * v), stretch, digit, v));
    *start = ends[digit], *size = (uint32_t)ends[digit + 1] - ends[digit];
    return digit;
}

/* A state goes on by the interval, and takes 16 bits if it has become low. */
ALWAYS_INLINE void advance_state(Column *column, int i, uint32_t start, uint32_t size, int careful) {
    uint32_t *slot = &column->states[i % PHOTO_STATES], state = *slot;
    state = (state >> PHOTO_PROBABILITY) * size + (state & ((1u << PHOTO_PROBABILITY) - 1)) - start;
    uint32_t low = state < PHOTO_STATE_LOW, next = 0;
    if (!careful || column->at + 2 <= column->length) {
        const uint8_t *p = column->data + column->at;
        next = (uint32_t)p[0] << 8 | p[1];
    }
    *slot = low ? state << 16 | next : state;
    column->at += 2 * low;
}

/* Code the next digit of the wavefront's row i. */
ALWAYS_INLINE void code_next_digit(Photo *photo, Column *column, Shape s, int digits, int careful, int i,
                                   int d) {
    Pixel *pixel = &column->pixels[i];
    const uint32_t mask = (1u << s.bits) - 1, node = pixel->node;
    uint32_t start, size, digit = 0;
    if (!s.decoding) digit = pixel->label >> s.bits * (digits - 1 - d) & mask;
    digit = code_digit(pixel, s, d, digit, column->states[i % PHOTO_STATES] & 32767, &start, &size);
    if (s.decoding) {
        advance_state(column, i, start, size, careful);
        pixel->label = pixel->label << s.bits | digit;
    } else {
        photo->intervals[column->coded++] = start | size << 15 | (uint32_t)(i % PHOTO_STATES) << 30;
    }
    pixel->node = (node << s.bits) + 1 + digit;
}

/* The rows that foretold a digit go down the gradient of its cost, and so do their weights. */
ALWAYS_INLINE void learn_digit(const Photo *photo, Column *column, const Pixel *pixel, Shape s, int d) {
    const int vectors = (1 << s.bits) / 16, features = shape_features(s);
    Lanes error[2];
    UNROLL for (int v = 0; v < vectors; v++) error[v] = lanes_load(pixel->error[d] + 16 * v);
    for (int f = 0; f < features; f += 4) {
        LanesParts slope[4];
        const int group = min_int(4, features - f);
        for (int g = 0; g < group; g++) {
            const uint32_t place = pixel->place[d][f + g];
            int16_t *row = column->rows[f + g] + ((size_t)place << s.bits);
            const uint32_t visits = column->visits[f + g][place];
            const Lanes rate = lanes_set(photo->rates[visits]);
            UNROLL for (int v = 0; v < vectors; v++) {
                Lanes logits = lanes_load(row + 16 * v);
                if (s.rich) {
                    LanesParts part = lanes_products(error[v], logits);
                    slope[g] = v == 0 ? part : lanes_join(slope[g], part);
                }
                lanes_store(row + 16 * v, lanes_adds(logits, lanes_step(error[v], rate)));
            }
            column->visits[f + g][place] = (uint8_t)(visits + (visits < 255));
        }
        if (s.rich) lanes_add_dots(&column->weights[d][f], slope, 13);
    }
}

/* Weights as the digits of a column use them. */
ALWAYS_INLINE void scale_weights(Column *column, Shape s, int digits) {
    for (int d = 0; d < digits; d++)
        for (int f = 0; f < shape_features(s); f++) {
            int32_t weight = clamp_int(column->weights[d][f], -PHOTO_ONE, PHOTO_ONE - 1);
            column->weights[d][f] = weight;
            column->scales[d][f] = (int16_t)(weight >> 9);
        }
}

/* Code a column of the wavefront: row i codes the pixel at x - PHOTO_LAG * i, if it is inside or all are (not
 * careful). */
ALWAYS_INLINE int code_column(Photo *photo, Column *column, Shape s, int careful, int x, int y) {
    const int digits = s.digits ? s.digits : photo->digits, width = photo->width;
    const int rows = careful ? min_int(PHOTO_ROWS, photo->height - y) : PHOTO_ROWS;
    const int first = careful ? max_int(0, (x - width) / PHOTO_LAG + (x >= width)) : 0;
    const int last = careful ? min_int(rows, x / PHOTO_LAG + 1) : PHOTO_ROWS;
    if (s.rich) scale_weights(column, s, digits);
    for (int i = first; i < last; i++) {
        const int mine = x - PHOTO_LAG * i;
        Pixel *pixel = &column->pixels[i];
        if (careful && mine == 0) /* left of a row is the first label of the row above */
            for (int j = 1; j <= PHOTO_MARGIN; j++) photo->lines[i + 2][-j] = photo->lines[i + 1][0];
        find_contexts(photo, pixel, s, i, mine);
        pixel->label = s.decoding ? 0 : photo->known[(size_t)(y + i) * (size_t)width + (size_t)mine];
        pixel->node = 0;
    }
    for (int d = 0; d < digits; d++) { /* loops of their own, so that work on several rows overlaps */
        for (int i = first; i < last; i++) find_rows(photo, column, &column->pixels[i], s, d);
        for (int i = first; i < last; i++) add_rows(column, &column->pixels[i], s, d);
        for (int i = first; i < last; i++) code_next_digit(photo, column, s, digits, careful, i, d);
    }
    for (int i = first; i < last; i++) {
        const int mine = x - PHOTO_LAG * i;
        const Pixel *pixel = &column->pixels[i];
        uint16_t *line = photo->lines[i + 2] + mine;
        if (UNLIKELY(pixel->label >= (uint32_t)photo->k)) return PHOTO_LABEL;
        *line = (uint16_t)pixel->label;
        if (careful && mine == width - 1) /* right of a row is its own last label */
            for (int j = 1; j <= PHOTO_MARGIN; j++) line[j] = *line;
    }
    for (int d = 0; d < digits; d++)
        for (int i = first; i < last; i++) learn_digit(photo, column, &column->pixels[i], s, d);
    return PHOTO_OK;
}

#if KMC_COMPACT
/* What codes columns is all that there are copies of: for photographs of 33 to 256 colours, and for any. */
NEVER_INLINE static int code_lean_two_of_16(Photo *photo, Column *column, int careful, int x, int y) {
    const Shape shape = {4, 2, PHOTO_LARGE, 0, 1};
    return code_column(photo, column, shape, careful, x, y);
}
SELDOM int code_any_of_16(Photo *photo, Column *column, int careful, int x, int y) {
    const Shape shape = {4, 0, photo->kind, photo->rich, 1};
    return code_column(photo, column, shape, careful, x, y);
}
SELDOM int code_any_of_32(Photo *photo, Column *column, int careful, int x, int y) {
    const Shape shape = {5, 0, photo->kind, photo->rich, 1};
    return code_column(photo, column, shape, careful, x, y);
}
#endif

/* Code a column by the copy of code_column that suits it. */
ALWAYS_INLINE int code_any_column(Photo *photo, Column *column, Shape s, int careful, int x, int y) {
#if KMC_COMPACT
    if (s.bits == 5) return code_any_of_32(photo, column, careful, x, y);
    if (s.digits == 2 && !s.rich) return code_lean_two_of_16(photo, column, careful, x, y);
    return code_any_of_16(photo, column, careful, x, y);
#else
    if (s.rich || !s.decoding) /* their speed hardly depends on it: one copy is enough */
        return code_column(photo, column, s, s.decoding ? careful : 1, x, y);
    return careful ? code_column(photo, column, s, 1, x, y) : code_column(photo, column, s, 0, x, y);
#endif
}

/* Code the rows of the picture from y on that are in one wavefront. */
ALWAYS_INLINE int code_wavefront(Photo *photo, Column *column, Shape s, int y) {
    const int behind = PHOTO_LAG * (PHOTO_ROWS - 1), columns = photo->width + behind;
    const int full = photo->height - y >= PHOTO_ROWS;
    const size_t most = 2 * PHOTO_ROWS * (size_t)photo->digits;
    int result = PHOTO_OK;
    for (int x = 0; x < columns && result == PHOTO_OK; x++) {
        const int inside = full && x > behind && x < photo->width - 1;
        const int careful = !inside || column->at + most > column->length;
        result = code_any_column(photo, column, s, careful, x, y);
        if (s.decoding && UNLIKELY(column->at > column->length)) return PHOTO_LENGTH;
    }
    return result;
}

ALWAYS_INLINE int code_picture(Photo *photo, Shape s) {
    Column column;
    memset(&column, 0, sizeof column);
    memcpy(column.rows, photo->rows, sizeof column.rows);
    memcpy(column.visits, photo->visits, sizeof column.visits);
    memcpy(column.states, photo->states, sizeof column.states);
    column.data = photo->data, column.at = photo->at, column.length = photo->length;
    for (int d = 0; d < PHOTO_DIGITS; d++)
        for (int f = 0; f < PHOTO_FEATURES; f++) column.weights[d][f] = PHOTO_ONE / 4;
    for (int y = 0; y < photo->height; y += PHOTO_ROWS) {
        const int result = code_wavefront(photo, &column, s, y),
                  rows = min_int(PHOTO_ROWS, photo->height - y);
        if (result != PHOTO_OK) return result;
        if (s.decoding)
            for (int i = 0; i < rows; i++) put_row(&photo->plane, (size_t)(y + i), photo->lines[i + 2]);
        for (int i = 0; i < 2; i++) {
            uint16_t *line = photo->lines[i];
            photo->lines[i] = photo->lines[PHOTO_ROWS + i], photo->lines[PHOTO_ROWS + i] = line;
        }
    }
    memcpy(photo->states, column.states, sizeof column.states);
    photo->at = column.at, photo->coded = column.coded;
    return PHOTO_OK;
}

#if KMC_COMPACT
SMALL int PHOTO_CODE(Photo *photo, int decoding) {
    const Shape shape = {photo->lane_bits, photo->digits, photo->kind, photo->rich, decoding};
    return code_picture(photo, shape);
}
#else
/* A function for each shape that is frequent: NAME, bits of lanes, digits, kind; and one for each number of
   lanes that asks how many digits there are, and more that others know when they are compiled. */
#define SHAPES(EACH)                                                                                         \
    EACH(small, 4, 1, PHOTO_SMALL)                                                                           \
    EACH(one_of_16, 4, 1, PHOTO_MIDDLE)                                                                      \
    EACH(one_of_32, 5, 1, PHOTO_MIDDLE)                                                                      \
    EACH(two_of_16, 4, 2, PHOTO_LARGE)
/* Of the rich model one copy serves both directions: its speed is that of the arithmetic. */
#define DEFINE(NAME, BITS, DIGITS, KIND)                                                                     \
    NEVER_INLINE static int code_##NAME(Photo *photo, int decoding) {                                        \
        const Shape coder = {BITS, DIGITS, KIND, 0, 0}, decoder = {BITS, DIGITS, KIND, 0, 1};                \
        const Shape rich = {BITS, DIGITS, KIND, 1, decoding};                                                \
        if (photo->rich) return code_picture(photo, rich);                                                   \
        return decoding ? code_picture(photo, decoder) : code_picture(photo, coder);                         \
    }
SHAPES(DEFINE)
#define DEFINE_ANY(NAME, BITS)                                                                               \
    NEVER_INLINE static int code_##NAME(Photo *photo, int decoding) {                                        \
        const Shape shape = {BITS, 0, PHOTO_LARGE, photo->rich, decoding};                                   \
        return code_picture(photo, shape);                                                                   \
    }
DEFINE_ANY(any_of_16, 4)
DEFINE_ANY(any_of_32, 5)

int PHOTO_CODE(Photo *photo, int decoding) {
#define TRY(NAME, BITS, DIGITS, KIND)                                                                        \
    if (photo->lane_bits == BITS && photo->digits == DIGITS && photo->kind == KIND) {                        \
        return code_##NAME(photo, decoding);                                                                 \
    }
    SHAPES(TRY)
    return photo->lane_bits == 4 ? code_any_of_16(photo, decoding) : code_any_of_32(photo, decoding);
}
#endif

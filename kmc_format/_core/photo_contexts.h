/* Which rows of logits foretell a label of a photograph: a part of photo_impl.h. */
#ifndef KMC_PHOTO_CONTEXTS_H
#define KMC_PHOTO_CONTEXTS_H

#include "photo_model.h"
#include "softmax.h"

/* The model as constants, so that each has loops of its own. */
typedef struct {
    int bits;   /* of the number of lanes: 4 or 5 */
    int digits; /* 1 or 2; 0 if there are more */
    enum PhotoKind kind;
    int rich, decoding;
} Shape;

/* A pixel until its rows of logits have taken their steps. */
typedef struct {
    _Alignas(
        64) int16_t error[PHOTO_DIGITS][32]; /* of each lane: its share of the interval, then what it lacks */
    uint16_t ends[64]; /* from 16 on the ends of the lanes' intervals, before them a 0 */
    uint32_t place[PHOTO_DIGITS][PHOTO_FEATURES]; /* which row of each feature */
    uint32_t context[PHOTO_FEATURES];
    int16_t cells[PHOTO_CELLS][4]; /* predicted colours */
    uint32_t node, label;
} Pixel;

/* A column of the wavefront, and copies from Photo, which nothing else points to and so may stay in
 * registers. */
typedef struct {
    Pixel pixels[PHOTO_ROWS];
    int16_t scales[PHOTO_DIGITS][PHOTO_FEATURES];
    int32_t weights[PHOTO_DIGITS][PHOTO_FEATURES];
    int16_t *rows[PHOTO_FEATURES];
    uint8_t *visits[PHOTO_FEATURES];
    uint32_t states[PHOTO_STATES];
    const uint8_t *data;
    size_t at, length, coded;
} Column;

ALWAYS_INLINE int shape_features(Shape s) {
    return !s.rich ? 3 : s.kind == PHOTO_LARGE ? PHOTO_SINGLES + PHOTO_CELLS : PHOTO_FEATURES;
}

/* Colours that the labels around foretell: a + b - c of each channel; o is the row itself, a and b are above.
 */
ALWAYS_INLINE void predict_cells(const Photo *photo, Pixel *pixel, const uint16_t *o, const uint16_t *a,
                                 const uint16_t *b) {
    const uint16_t sums[PHOTO_CELLS][3] = {{o[-1], a[0], a[-1]}, {o[-1], o[-1], o[-2]}, {o[-1], a[1], a[0]},
                                           {a[0], a[0], b[0]},   {a[0], a[1], b[1]},    {o[-1], a[-1], a[-2]},
                                           {a[1], o[-1], a[-1]}, {o[-1], a[0], b[0]}};
    int16_t terms[3][PHOTO_CELLS][4];
    for (int c = 0; c < PHOTO_CELLS; c++)
        for (int j = 0; j < 3; j++) memcpy(terms[j][c], photo->colours + 4 * (size_t)sums[c][j], 8);
    for (int c = 0; c < PHOTO_CELLS; c += 4) {
        Lanes sum =
            lanes_sub(lanes_add(lanes_load(terms[0][c]), lanes_load(terms[1][c])), lanes_load(terms[2][c]));
        lanes_store(pixel->cells[c], lanes_max(lanes_min(sum, lanes_set(255)), lanes_set(0)));
    }
    for (int c = 0; c < PHOTO_CELLS; c++) {
        const int16_t *cell = pixel->cells[c];
        pixel->context[PHOTO_SINGLES + c] =
            (uint32_t)(cell[0] >> 4 | cell[1] >> 4 << 4 | cell[2] >> 4 << 8 | cell[3] >> 4 << 12);
    }
}

/* The contexts of a pixel's features. The first label of one is in its lowest bits. */
ALWAYS_INLINE void find_contexts(const Photo *photo, Pixel *pixel, Shape s, int i, int x) {
    const uint16_t *o = photo->lines[i + 2] + x, *a = photo->lines[i + 1] + x, *b = photo->lines[i] + x;
    uint32_t *context = pixel->context;
    const int n = s.rich ? 5 : s.kind == PHOTO_SMALL ? 3 : s.bits;
#define JOIN2(p, q) ((uint32_t)(p) | (uint32_t)(q) << n)
#define JOIN3(p, q, r) (JOIN2(p, q) | (uint32_t)(r) << 2 * n)
#define JOIN4(p, q, r, t) (JOIN2(p, q) | JOIN2(r, t) << 2 * n)
#define JOIN6(p, q, r, t, u, v) (JOIN4(p, q, r, t) | JOIN2(u, v) << 4 * n)
    if (s.rich) {
        context[0] = o[-1], context[1] = a[0], context[2] = a[1], context[3] = a[-1];
        context[4] = o[-2], context[5] = b[0], context[6] = b[1], context[7] = o[-3];
        predict_cells(photo, pixel, o, a, b);
        if (s.kind != PHOTO_LARGE) {
            context += PHOTO_SINGLES + PHOTO_CELLS;
            context[0] = JOIN6(o[-1], a[0], a[-1], a[1], b[0], o[-2]);
            context[1] = JOIN6(a[0], b[0], b[1], b[-1], a[1], a[-1]);
            context[2] = JOIN6(o[-1], o[-2], a[-1], a[-2], o[-3], 0);
            context[3] = JOIN6(a[1], b[2], b[1], o[-1], a[0], 0);
        }
    } else if (s.kind == PHOTO_SMALL) {
        context[0] = JOIN4(o[-1], a[0], a[-1], a[1]);
        context[1] = JOIN3(a[0], b[0], b[1]);
        context[2] = JOIN3(o[-1], o[-2], o[-3]);
    } else if (s.kind == PHOTO_MIDDLE) {
        context[0] = JOIN2(o[-1], o[-2]), context[1] = JOIN2(a[0], b[0]), context[2] = a[1];
    } else {
        context[0] = o[-1], context[1] = a[0], context[2] = a[1];
    }
}

/* Which row of a feature. */
ALWAYS_INLINE uint32_t find_place(const Photo *photo, Shape s, int feature, uint32_t context, uint32_t node) {
    uint32_t place = s.digits == 1 ? context : context * (uint32_t)photo->nodes + node;
    if ((s.digits == 0 && photo->digits > 2) || (s.rich && feature >= PHOTO_SINGLES))
        return place * 0x9E3779B1u >> (32 - PHOTO_HASHED);
    return place;
}

/* The logits of a row before its first visit: like colours are likely. */
SELDOM void begin_row(const Photo *photo, int16_t *row, uint64_t colour, uint32_t node,
                                   int shift) {
    const size_t plane = (size_t)photo->nodes * (size_t)photo->lanes;
    int16_t channels[4];
    memcpy(channels, &colour, 8);
    for (int j = 0; j < photo->lanes; j += 16) {
        const int16_t *middle = photo->middles + node * (size_t)photo->lanes + j;
        Lanes sum = lanes_load(middle + 4 * plane);
        for (size_t c = 0; c < 4; c++) {
            Lanes mine = lanes_set(channels[c]), other = lanes_load(middle + c * plane);
            sum = lanes_add(sum, lanes_sub(lanes_max(mine, other), lanes_min(mine, other)));
        }
        sum = lanes_mullo(lanes_min(sum, lanes_set(PHOTO_FAR)), lanes_set(PHOTO_NEARNESS));
        lanes_store(row + j, lanes_sar(sum, shift));
    }
}

ALWAYS_INLINE void begin_feature(const Photo *photo, const Column *column, const Pixel *pixel, Shape s,
                                 int feature, uint32_t node, uint32_t place) {
    int16_t *row = column->rows[feature] + ((size_t)place << s.bits);
    uint32_t context = pixel->context[feature];
    uint64_t colour;
    if (s.rich && feature >= PHOTO_SINGLES + PHOTO_CELLS) {
        memset(row, 0, sizeof *row << s.bits);
        return;
    }
    if (!s.rich && s.kind == PHOTO_SMALL) context &= 7;
    if (!s.rich && s.kind == PHOTO_MIDDLE) context &= (1u << s.bits) - 1;
    if (s.rich && feature >= PHOTO_SINGLES)
        memcpy(&colour, pixel->cells[feature - PHOTO_SINGLES], 8);
    else
        memcpy(&colour, photo->colours + 4 * (size_t)context, 8);
    begin_row(photo, row, colour, node, feature < 2 ? 0 : 2);
}

/* Find the rows that foretell the next digit of row i of the wavefront. */
ALWAYS_INLINE void find_rows(const Photo *photo, Column *column, Pixel *pixel, Shape s, int d) {
    const uint32_t node = pixel->node;
    for (int f = 0; f < shape_features(s); f++) {
        uint32_t place = find_place(photo, s, f, pixel->context[f], node);
        pixel->place[d][f] = place;
        if (UNLIKELY(column->visits[f][place] == 0)) {
            column->visits[f][place] = 1;
            begin_feature(photo, column, pixel, s, f, node, place);
        }
    }
}

#undef JOIN2
#undef JOIN3
#undef JOIN4
#undef JOIN6
#endif

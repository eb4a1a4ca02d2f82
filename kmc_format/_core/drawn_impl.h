/* The label coding for drawn pictures, for one implementation of lanes.h: included once for each, which names
   its entry DRAWN_CODE. Coder and decoder are the same functions with a constant `decoding`. */
#include "drawn_model.h"
#include "softmax.h"

#include "drawn_neighbours.h"
#include "drawn_quads.h"

/* Constants, so that each kind of coding has loops of its own. */
typedef struct {
    int list, match, rich, cells, decoding; /* cells: features of a pixel's questions, but for matches */
    int frames;                             /* not constant */
} Coding;

/* What is known while a row is coded. */
typedef struct {
    uint16_t *line; /* the row's first label; the row above is `stride` before it */
    ptrdiff_t stride;
    int x, broke;           /* where we are; where a zone ended last in this row */
    uint32_t past;          /* whether the last three labels were those left of them, the last in bit 0 */
    const int32_t *above;   /* the next change in the row above */
    int32_t *last;          /* after the last change in this row */
    int ahead;              /* the place that the next two are of, or -1 */
    uint64_t near, far;     /* contexts of matches */
    uint32_t equals;        /* which rows were those above */
    uint32_t moves, stills; /* which rows had the moved reference; which were those of their reference */
    int still, calm; /* where the row above differs from its reference; where a label in the reference ends */
    int last_listed; /* whether the last label that was looked for in the list was there */
} Row;

/* A place in a table of expectations, and what was found there. */
typedef struct {
    Expectation *at;
    Expectation found;
} Match;

/* What a pixel was asked about. */
typedef struct {
    int ended; /* whether it ends a zone */
    Match near, far;
    int expected;           /* the label that was expected, or -1 */
    uint32_t likely, times; /* what came last with these neighbours, and how often */
} Asked;

ALWAYS_INLINE Around look_around(const Row *row) {
    const uint16_t *o = row->line + row->x, *a = o - row->stride, *b = a - row->stride;
    const Around around = {o, a, b, b - row->stride, o[-1], a[0], a[1], a[-1], o[-2], b[0]};
    return around;
}

/* The cells of a feature's context, one for each question. */
ALWAYS_INLINE Cell *find_slot(const Drawn *drawn, int feature, uint64_t context) {
    return drawn->features[feature] + QUESTIONS * (size_t)(context * SPREAD >> drawn->slot_shift);
}

#include "drawn_cells.h"
#include "drawn_matches.h"
#include "drawn_zones.h"

/* What a row begins and ends with. */
ALWAYS_INLINE void begin_row_of_labels(Drawn *drawn, Row *row) {
    row->line = drawn->line;
    for (int i = 1; i <= MARGIN; i++) row->line[-i] = *(row->line - row->stride);
    row->x = row->still = row->calm = 0;
    row->ahead = -1;
    row->broke = -63;
    row->past = 7;
    row->above = drawn->changes[0];
    row->last = drawn->changes[1];
}

ALWAYS_INLINE void end_row_of_labels(Drawn *drawn, Row *row) {
    for (int i = 0; i < 4; i++) row->last[i] = drawn->width + 1;
    int32_t *changes = drawn->changes[0];
    drawn->changes[0] = drawn->changes[1];
    drawn->changes[1] = changes;
}

#include "drawn_still.h"
#include "drawn_questions.h"
#include "drawn_rows.h"
#include "drawn_unseen.h"
#include "drawn_near.h"

/* Codes one label, or a zone and the label that ends it. Returns 0 if a label is not below k. */
ALWAYS_INLINE int code_next(Drawn *drawn, Row *row, Coding c) {
    while (*row->above <= row->x) row->above++;
    Around at = look_around(row);
    Asked asked = {0, {NULL, 0}, {NULL, 0}, -1, 0, 0};
    Zone zone = {0, 0, 0, 0, NULL, -1, 0, 0};
    int length = *row->above - 1 - row->x;
    const int even = at.W == at.N && at.NW == at.N;
    if (c.frames) {
        const int zone_found =
            drawn->options & DRAWN_STILL ? code_still_zone(drawn, row, &at, c.decoding) : NO_ZONE;
        if (zone_found == WHOLE_ZONE) return 1;
        if (zone_found == ENDED_ZONE) {
            while (*row->above <= row->x) row->above++;
            at = look_around(row);
            asked.expected = at.o[drawn->away];
            length = 0;
        } else if (even) {
            length = limit_zone(drawn, row, &at, length);
        }
    }
    int found = -1;
    if (length > (c.rich ? 8 : 0) && even) {
        if (!code_zone(drawn, row, &at, length, &zone, c)) return 1;
        at = look_around(row);
        asked.ended = 1;
        if (c.match && zone.end == row->x - zone.begun)
            found = code_expected_end(drawn, &at, &zone, &asked, c.decoding);
    }
    const int begun = row->last[-1];
    uint32_t label = found >= 0 ? (uint32_t)found : c.decoding ? 0 : *at.o;
    if (found < 0) label = code_label(drawn, row, &at, &asked, label, c);
    if (UNLIKELY(label >= (uint32_t)drawn->k)) return 0;
    if (c.match && asked.ended) learn_end(&zone, row, begun, label);
    if (c.match && !asked.ended) {
        learn_match(asked.near, label);
        learn_match(asked.far, label);
    }
    row->line[row->x] = (uint16_t)label;
    if (label != at.W) *row->last++ = row->x;
    row->past = (row->past << 1 | (label == at.W)) & 7;
    row->x++;
    return 1;
}

ONE_COPY int code_row(Drawn *drawn, Row *row, Coding c) {
    begin_row_of_labels(drawn, row);
    while (row->x < drawn->width) {
        if (!code_next(drawn, row, c)) return 0;
    }
    end_row_of_labels(drawn, row);
    return 1;
}

/* A row becomes part of the numbers of the columns. */
ALWAYS_INLINE void add_line(uint32_t *columns, const uint16_t *line, int count) {
    for (int i = 0; i < count; i++) columns[i] = (columns[i] << 5) + line[i];
}

/* Fills items of the plane, from x on in row y. */
ONE_COPY void put_labels(const Plane *plane, size_t y, size_t x, size_t count, const uint16_t *line) {
    const size_t at = y * plane->width + x;
    if (plane->item_size == 1) {
        uint8_t *items = (uint8_t *)plane->items + at;
        for (size_t i = 0; i < count; i++) items[i] = (uint8_t)plane->names[line[x + i]];
    } else {
        uint16_t *items = (uint16_t *)plane->items + at;
        for (size_t i = 0; i < count; i++) items[i] = plane->names[line[x + i]];
    }
}

/* Fills row y of the plane; where eight labels are those above, so are the plane's items. */
ALWAYS_INLINE void put_changes(const Plane *plane, size_t y, const uint16_t *line, const uint16_t *above) {
    const size_t size = (size_t)plane->item_size, bytes = plane->width * size;
    size_t x = 0;
    for (; x + 8 <= plane->width; x += 8) {
        uint8_t *items = (uint8_t *)plane->items + y * bytes + x * size;
        const Eight here = eight_at(line + x), there = eight_at(above + x);
        if (equal_eights(here, there, here, there) != 65535)
            put_labels(plane, y, x, 8, line);
        else if (size == 1)
            memcpy(items, items - bytes, 8);
        else
            memcpy(items, items - bytes, 16);
    }
    put_labels(plane, y, x, plane->width - x, line);
}

/* Fills row y of the plane, which holds the labels of a reference, where eight labels are unlike those. */
ALWAYS_INLINE void put_unlike(const Plane *plane, size_t y, const uint16_t *line, const uint16_t *reference) {
    size_t x = 0;
    for (; x + 8 <= plane->width; x += 8) {
        const Eight here = eight_at(line + x), there = eight_at(reference + x);
        if (equal_eights(here, there, here, there) != 65535) put_labels(plane, y, x, 8, line);
    }
    put_labels(plane, y, x, plane->width - x, line);
}

/* Goes on to the next row; at the end of the block of rows, the last three go to its beginning. */
ALWAYS_INLINE void next_line(Drawn *drawn) {
    drawn->line += drawn->stride;
    if (drawn->line < drawn->lines + (ptrdiff_t)drawn->kept_lines * drawn->stride) return;
    const size_t kept = sizeof(uint16_t) * 3 * (size_t)drawn->stride;
    memcpy(drawn->lines, drawn->lines + (LINES - 3) * drawn->stride, kept);
    drawn->line = drawn->lines + MARGIN + 3 * drawn->stride;
}

/* Codes whether a row is that above, and if not its labels; returns 0 if a label is not below k. */
ALWAYS_INLINE int code_own_row(Drawn *drawn, Row *row, Coding c) {
    uint16_t *line = drawn->line, *above = line - drawn->stride;
    const size_t bytes = sizeof(uint16_t) * (size_t)drawn->width;
    const int equal = !c.decoding && memcmp(line, above, bytes) == 0;
    AdaptiveBit *state = &drawn->adaptive->row[row->equals & 3];
    row->equals = row->equals << 1 | (uint32_t)range_adaptive(&drawn->coder, state, equal, c.decoding);
    if (!(row->equals & 1)) return code_row(drawn, row, c);
    memcpy(line - MARGIN, above - MARGIN, bytes + sizeof(uint16_t) * MARGIN);
    return 1;
}

/* Fills row y of the plane with what was decoded. */
ALWAYS_INLINE void put_decoded(Drawn *drawn, const Row *row, size_t y, Coding c) {
    const uint16_t *line = drawn->line;
    if (c.frames)
        put_unlike(&drawn->plane, y, line, line + (drawn->reference - drawn->lines));
    else if (y == 0)
        put_row(&drawn->plane, 0, line);
    else if (row->equals & 1)
        repeat_row(&drawn->plane, y);
    else
        put_changes(&drawn->plane, y, line, line - drawn->stride);
}

ALWAYS_INLINE int code_picture(Drawn *drawn, Coding c) {
    const size_t bytes = sizeof(uint16_t) * (size_t)drawn->width;
    Row row = {0};
    row.stride = drawn->stride;
    c.frames = c.match && drawn->has_reference;
    for (int y = 0; y < drawn->height; y++) {
        uint16_t *line = drawn->line;
        if (!c.decoding) memcpy(line, drawn->known + (size_t)y * (size_t)drawn->width, bytes);
        const int still = c.frames && code_reference_row(drawn, &row, c.decoding);
        if (!still && !code_own_row(drawn, &row, c)) return DRAWN_LABEL;
        for (int i = 0; i < MARGIN; i++) line[drawn->width + i] = line[drawn->width - 1];
        if (c.decoding) put_decoded(drawn, &row, (size_t)y, c);
        if (c.match) add_line(drawn->columns - MARGIN, line - MARGIN, drawn->width + 2 * MARGIN);
        next_line(drawn);
    }
    if (drawn->options & DRAWN_FRAMES)
        memcpy(drawn->line - MARGIN, drawn->line - drawn->stride - MARGIN,
               sizeof(uint16_t) * (size_t)drawn->stride);
    return DRAWN_OK;
}

/* A function for each kind of coding. Where speed hardly gains by a copy for each direction, there is one
   for both. */
#ifdef KMC_PLAIN
#define KMC_DRAWN_COPIES 0
#else
#define KMC_DRAWN_COPIES 1
#endif
#define DEFINE(NAME, MATCH, RICH, CELLS)                                                                     \
    NEVER_INLINE static int NAME(Drawn *drawn, int decoding) {                                               \
        const int list = drawn->options & DRAWN_LIST;                                                        \
        const Coding coding = {list, MATCH, RICH, CELLS, 0, 0}, other = {list, MATCH, RICH, CELLS, 1, 0};    \
        const Coding either = {list, MATCH, RICH, CELLS, decoding, 0};                                       \
        if (!KMC_DRAWN_COPIES || MATCH || RICH) return code_picture(drawn, either);                          \
        return decoding ? code_picture(drawn, other) : code_picture(drawn, coding);                          \
    }
#if KMC_COMPACT
int DRAWN_CODE(Drawn *drawn, int decoding) {
    const int options = drawn->options, match = options & DRAWN_MATCH, rich = options & DRAWN_RICH;
    const int with_matches = drawn->k > FEW_COLOURS ? LEAN_MATCH_CELLS : FEW_COLOURS_CELLS;
    const int cells = rich ? RICH_CELLS : match ? with_matches : LEAN_CELLS;
    const Coding coding = {options & DRAWN_LIST, match, rich, cells, decoding, 0};
    return code_picture(drawn, coding);
}
#else
DEFINE(code_lean, 0, 0, LEAN_CELLS)
DEFINE(code_lean_match, 1, 0, LEAN_MATCH_CELLS)
DEFINE(code_lean_match_few, 1, 0, FEW_COLOURS_CELLS)
DEFINE(code_rich, 0, 1, RICH_CELLS)
DEFINE(code_rich_match, 1, 1, RICH_CELLS)

int DRAWN_CODE(Drawn *drawn, int decoding) {
    if (drawn->options & DRAWN_RICH) {
        return (drawn->options & DRAWN_MATCH ? code_rich_match : code_rich)(drawn, decoding);
    }
    if (!(drawn->options & DRAWN_MATCH)) return code_lean(drawn, decoding);
    return (drawn->k > FEW_COLOURS ? code_lean_match : code_lean_match_few)(drawn, decoding);
}
#endif

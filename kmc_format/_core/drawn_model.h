/* What the parts of the label coding for drawn pictures share; drawn.h is its interface. */
#ifndef KMC_DRAWN_MODEL_H
#define KMC_DRAWN_MODEL_H

#include "common.h"
#include "drawn.h"
#include "plane.h"
#include "range.h"

enum {
    MARGIN = 16,   /* labels that a line has beyond either side of the picture */
    LINES = 8,     /* rows of labels that are kept, at least 6 */
    QUESTIONS = 4, /* is it one's, the other's, that of NE, the expected one? */
    /* Features of a question: of lean codings without matches, with matches, with matches and few colours; of
       rich ones; those that matches add; and at most. */
    LEAN_CELLS = 4,
    LEAN_MATCH_CELLS = 2,
    FEW_COLOURS_CELLS = 6,
    RICH_CELLS = 11,
    MATCH_CELLS = 2,
    REFERENCE_CELLS = 3, /* those that a reference adds */
    MOST_CELLS = 16,
    FEW_COLOURS = 16, /* so few that which labels are around says little */
    ZONE_CELLS = 4,
    ZONE_SLOTS = 4096,
    STILL_CELLS = 2,
    STILL = 8, /* a still zone is longer */
    MOST_OFFSET = 65536,
    SLOPES = 8,    /* how far an edge has moved: 0 to 7 */
    CLASSES = 32,  /* of lengths */
    LEAN_ROWS = 4, /* features of a digit */
    PREDICTED = 4, /* of these, colours that the labels around foretell, */
    RICH_ROWS = 15,
    LEAN_REFERENCE_ROWS = 2, /* those that a reference adds */
    RICH_REFERENCE_ROWS = 5,
    MOST_ROWS = 20,
    LIST_ROWS = 2, /* features of the list's lane */
    NEAR = 16,     /* places where the list looks for a label */
    CERTAIN = 8,   /* times in a row that a label came where it is asked for before others */
    DIGITS = 4,
    DENIED = 4,      /* labels that are known not to come, at most */
    ROW_BITS = 14,   /* log2 of a feature's rows of logits */
    RATE = 2048,     /* of a cell at first, in 2^-12 */
    STEEPEST = 176,  /* steps of 1/16 nat within which the logistic function changes */
    UNLIMITED = 4096 /* and as many as the sum of eight logits may need */
};

/* A logit, in 1/16384 nat, in the upper 20 bits; in the lower 12 how far its rate has fallen. */
typedef uint32_t Cell;

/* What came last where the neighbours were these: a label in the lower half, then eight bits of how often it
   came, and eight that tell other neighbours in the same place apart; of a zone, where it ended, the label
   there, and how often. */
typedef uint32_t Expectation;
typedef struct {
    uint32_t length;
    uint16_t label, times;
} ZoneExpectation;

/* How a length is told: whether it is longer than each power of 2, then the bit below its leading 1. */
typedef struct {
    AdaptiveBit longer[32], second[32];
} LengthBits;

/* Where a reference helps: what tells which one a row has, whether the row is its row, how the picture moved,
   and where still zones end. */
typedef struct {
    AdaptiveBit moved[4], row[4], side[CLASSES], none[2], negative[2];
    LengthBits offset[2], from_begin[CLASSES], from_end[CLASSES];
} ReferenceBits;

/* Weights of cells, in 2^-16: a part for the pattern of neighbours, one for the cell's rate; and curves that
   refine a probability by what came of it. */
typedef struct {
    int32_t by_pattern[QUESTIONS][64][MOST_CELLS], by_rate[QUESTIONS][16][MOST_CELLS];
    uint16_t curves[QUESTIONS][64][24];
} Refinement;

typedef struct {
    AdaptiveBit row[4];                                        /* is a row that above? */
    AdaptiveBit side[SLOPES][CLASSES];                         /* in which half a zone ends */
    LengthBits from_begin[CLASSES], from_end[SLOPES][CLASSES]; /* and how far from there */
    AdaptiveBit certain[2][8];                                 /* does what came often come again? */
    AdaptiveBit expected_end[4], expected_label[4];
    AdaptiveBit fresh[32];    /* is it a label that was not seen before? */
    AdaptiveBit next, before; /* the one after the last such label? one before it? */
    LengthBits distance[2];   /* how many such labels on */
    ReferenceBits reference;
} Adaptive;

typedef struct Drawn {
    int width, height, k, options;
    int slot_shift, match_bits; /* slots are found by the bits of a hash from this place on */
    int lane_bits, lanes, digits, nodes;
    const uint8_t *colours;
    const uint16_t *known; /* labels, when coding */
    Plane plane;           /* when decoding */
    RangeCoder coder;
    int16_t rates[256];         /* of a row's step, by visits */
    void *blocks[2];            /* hold all tables, */
    size_t sizes[2];            /* in so many bytes */
    Cell *features[MOST_CELLS]; /* of a pixel's questions: slots of QUESTIONS cells */
    Cell *zone_cells;           /* features of a zone's question: ZONE_SLOTS cells */
    Adaptive *adaptive;
    Refinement *refinement; /* rich only */
    int16_t *list_rows;     /* 256 rows of 16 logits for each feature, and their visits */
    uint8_t *list_visits;
    int16_t *rows[MOST_ROWS];
    uint8_t *visits[MOST_ROWS]; /* 0 for a row that is not there yet */
    int32_t *row_weights;       /* rich only: by place, feature, and log2 of visits */
    Expectation *near_matches, *far_matches;
    ZoneExpectation *zone_matches;
    uint64_t *unseen; /* a bit for each label */
    int unseen_count, last_fresh, last_rank;
    uint16_t *lines;     /* LINES rows of labels, each with margins, or all rows of a frame and one below */
    size_t kept_lines;   /* how many these are, three rows above the first among them */
    uint16_t *line;      /* the first label of this row; three rows above it are there */
    ptrdiff_t stride;    /* labels from row to row */
    int32_t *changes[2]; /* where labels change in the row above, and in this one */
    uint32_t *columns; /* the labels of a column above this row, each times 32 to the power of its distance */
    /* Frames only. */
    uint16_t *reference,
        *moved; /* the frame before, and the same moved by an offset, laid out like `lines` */
    Cell *still_cells;
    int frames, broken;           /* frames that are coded; whether one was not */
    int offset[2];                /* across and down, from a place to where it was in the frame before */
    int has_reference, has_moved; /* of this frame */
    ptrdiff_t away;               /* from a label to that of the row's reference */
    uint16_t logistic[2 * UNLIMITED];
} Drawn;

/* Codes a number from 0 to `most`, which is at least 0, plus one: the length in bits of that, then the bits.
 */
SHARED int32_t code_distance(RangeCoder *coder, LengthBits *bits, int32_t value, int32_t most, int decoding) {
    const int longest = log2_floor((uint32_t)most + 1),
              length = decoding ? 0 : log2_floor((uint32_t)value + 1);
    int n = 0;
    while (n < longest && range_adaptive(coder, &bits->longer[n], n < length, decoding)) n++;
    int32_t coded = 1;
    for (int i = n - 1; i >= 0; i--) {
        const int bit = (value + 1) >> i & 1;
        coded = coded << 1 | (i == n - 1 ? range_adaptive(coder, &bits->second[n], bit, decoding)
                                         : range_bit(coder, 1 << 15, bit, decoding));
    }
    return min_int(coded - 1, most);
}

/* Codes a place in a zone of at least two: whether it is in the second half, and how far from that end. */
SHARED int code_place_in(RangeCoder *coder, AdaptiveBit *side, LengthBits *from_begin, LengthBits *from_end,
                         int length, int place, int decoding) {
    const int half = (length + 1) / 2, late = range_adaptive(coder, side, place >= half, decoding);
    const int most = late ? length - half - 1 : half - 1;
    const int distance =
        code_distance(coder, late ? from_end : from_begin, late ? length - 1 - place : place, most, decoding);
    return late ? length - 1 - distance : distance;
}

/* The same as functions, where they are not called often. */
int32_t kmc_drawn_distance(RangeCoder *coder, LengthBits *bits, int32_t value, int32_t most, int decoding);
int kmc_drawn_place(RangeCoder *coder, AdaptiveBit *side, LengthBits *from_begin, LengthBits *from_end,
                    int length, int place, int decoding);

/* Whether a feature of a digit is a label, which has rows of its own and a colour. */
ALWAYS_INLINE int is_single(int rich, int feature) {
    return rich ? feature < 7 || feature == RICH_ROWS : feature < 3 || feature == LEAN_ROWS;
}

/* Whether a row has more in common with the moved reference than with the frame before; of much the same, the
   row above decides. */
int kmc_drawn_fits_moved(const Drawn *drawn, int last);

/* Finds by how much most of the labels to be coded have moved since the frame before; 0 where that does not pay. */
void kmc_drawn_find_offset(Drawn *drawn);

/* Codes that, and makes the moved reference if there is one. */
void kmc_drawn_code_offset(Drawn *drawn, int decoding);

/* Codes or decodes all labels; a DrawnResult. One for each implementation of lanes.h. */
int kmc_drawn_code_plain(Drawn *drawn, int decoding);
int kmc_drawn_code_base(Drawn *drawn, int decoding);
int kmc_drawn_code_avx2(Drawn *drawn, int decoding);

#endif

/* What the parts of the label coding for photographs share; photo.h is its interface. */
#ifndef KMC_PHOTO_MODEL_H
#define KMC_PHOTO_MODEL_H

#include "common.h"
#include "photo.h"

#ifndef STATES
#define STATES 2
#endif
enum {
    PHOTO_ROWS = 8,        /* rows of the picture in a wavefront */
    PHOTO_LAG = 2,         /* how many pixels each of them is behind the one above */
    PHOTO_STATES = STATES, /* rANS states; row i has state i mod PHOTO_STATES */
    PHOTO_MARGIN = 4,      /* labels that a row sees on either side of it */
    PHOTO_SINGLES =
        8, /* features of the rich model: of one label, of a predicted colour, of several labels */
    PHOTO_CELLS = 8,
    PHOTO_JOINTS = 4,
    PHOTO_FEATURES = PHOTO_SINGLES + PHOTO_CELLS + PHOTO_JOINTS,
    PHOTO_DIGITS = 4,
    PHOTO_HASHED = 14,       /* bits of the number of a row whose context is hashed */
    PHOTO_FAR = 250,         /* the largest difference of colours that counts, ... */
    PHOTO_NEARNESS = -48,    /* and the logit of a difference of 1 */
    PHOTO_PROBABILITY = 15,  /* bits of a frequency */
    PHOTO_STATE_LOW = 65536, /* where states begin; a lower one takes 16 bits */
    PHOTO_ONE = 1 << 24      /* a weight of 1 */
};

/* How labels are spelt, and which labels features join. */
enum PhotoKind { PHOTO_SMALL /* k <= 8 */, PHOTO_MIDDLE /* k <= 32 */, PHOTO_LARGE };

typedef struct {
    int width, height, k, rich;
    enum PhotoKind kind;
    int lane_bits, lanes, digits, nodes, features;
    int16_t *colours; /* four channels a label */
    int16_t *middles; /* five planes of nodes * lanes: channels of the label in the middle of those
                         that a lane leads to, and what to add to the difference */
    void *blocks[PHOTO_FEATURES];    /* hold rows */
    int16_t *rows[PHOTO_FEATURES];   /* lanes logits each, in 1/4096 nat */
    uint8_t *visits[PHOTO_FEATURES]; /* 0 for a row that is not there yet */
    int16_t rates[256];              /* of a row's step, by visits */
    uint16_t *lines[PHOTO_ROWS + 2]; /* two rows above the wavefront and its own */
    /* decoding */
    const uint8_t *data;
    size_t at, length;
    uint32_t states[PHOTO_STATES];
    Plane plane;
    /* coding: the intervals of all digits, in the decoder's order: start, size << 15, state << 30 */
    const uint16_t *known;
    uint32_t *intervals;
    size_t coded;
} Photo;

/* Code or decode all labels; a PhotoResult. One for each implementation of lanes.h. */
int kmc_photo_code_plain(Photo *photo, int decoding);
int kmc_photo_code_base(Photo *photo, int decoding);
int kmc_photo_code_avx2(Photo *photo, int decoding);

#endif

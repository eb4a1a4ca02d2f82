/* The choice of labels for which squared error and bits together are least.

   Entropy-constrained vector quantisation, after Chou, Lookabaugh and Gray, IEEE Transactions on Acoustics,
   Speech, and Signal Processing 37(1), 1989. */
#ifndef KMC_CHOOSE_H
#define KMC_CHOOSE_H

#include "common.h"

#define MOST_LAGRANGE (INT64_C(1) << 44)

/* What `choose_labels` works on; all but the labels is input. Points and entries have four coordinates, 0
   where there are fewer, at most FARTHEST_COORDINATE in size. */
typedef struct {
    const uint32_t *pixels; /* height x width: which of the colours each has */
    size_t height, width;
    const int32_t *points; /* colour_count x 4: the colours */
    size_t colour_count;
    const int32_t *entries; /* k x 4: the codebook, at most 65,536 entries */
    size_t k;
    const int32_t *nearest;  /* of each colour: the entry nearest to it */
    const int64_t *farthest; /* of each colour: the largest squared distance to its entry, no less than to the
                                nearest; a negative one lets the colour have only that */
    int64_t lagrange;        /* the squared distance that 1/1024 nat is worth, from 0 to MOST_LAGRANGE */
    const uint8_t *colours;  /* k x 4: what the labels look like, in the order of coding */
    const uint8_t *whole;    /* of each colour, whether it gets only whole entries, unless its nearest is none;
                                NULL where none does */
    const uint8_t *whole_entries; /* of each entry, whether it is one; NULL with `whole` */
    uint16_t *labels;        /* height x width, all below k. IN: a guess, such as the nearest or those of the
                                round before. OUT: the choice */
} Choosing;

/* Gives each pixel in turn the label that is cheapest where an adaptive model then stands, which learns
   from it. What a label does to the pixels that follow is guessed from the labels that those had before, so
   it pays to choose again by the result. `bytes` is about what the labels then take.

   Returns NULL, or what was wrong with the arguments; an empty message says that there was no memory. */
const char *choose_labels(const Choosing *job, int64_t *bytes);

#endif

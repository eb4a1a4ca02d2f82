/* What quantising needs: counting values, the nearest codebook entry, error diffusion.

   Functions that can fail return NULL when they did not, otherwise what was wrong with the arguments; an
   empty message says that there was no memory. */
#ifndef KMC_MAPPING_H
#define KMC_MAPPING_H

#include "common.h"

#define DIMENSIONS 4                  /* at most; missing coordinates are 0 */
#define FARTHEST_COORDINATE (1 << 20) /* in size, so that squared distances are at most 2^44 */
#define FULL_STRENGTH 4096

/* Numbers the n values in the order in which they first occur. IN and OUT: `values`, which become the
   numbers. OUT: the different values and how often each occurs, two arrays of `count` numbers, for the caller
   to free. */
const char *count_values(uint32_t *values, size_t n, uint32_t **found, uint32_t **counts, size_t *count);

/* Finds the position of the entry nearest to each of n points, of equals the first. */
const char *label_points(const int32_t *points, size_t n, const int32_t *entries, size_t k, int dimensions,
                         int32_t *labels);

/* What `dither` works on; all but the labels is input. */
typedef struct {
    const uint32_t *pixels; /* height x width: which of the colours each has */
    size_t height, width;
    const int32_t *points; /* colour_count x dimensions: the colours */
    size_t colour_count;
    int dimensions;
    const int32_t *entries; /* k x dimensions: the codebook */
    size_t k;
    const int32_t *pinned;   /* of each colour the label it always gets, in which errors end; or -1 */
    const uint8_t *coverage; /* of each colour; at 255 its last coordinate takes no part in the diffusion */
    const int32_t *limits;   /* 2 x dimensions: least and largest coordinates */
    int32_t strength;        /* how much of the error is passed on, from 0 to FULL_STRENGTH */
    uint16_t *labels;        /* height x width */
} Dithering;

/* Labels pixels with Floyd-Steinberg error diffusion, serpentine. */
const char *dither_pixels(const Dithering *job);

/* Whether all coordinates are at most FARTHEST_COORDINATE in size. */
int are_coordinates_near(const int32_t *coordinates, size_t count);

#endif

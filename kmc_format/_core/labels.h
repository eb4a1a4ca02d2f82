/* The label codings of FORMAT.md, but for the packed one. */
#ifndef KMC_LABELS_H
#define KMC_LABELS_H

#include "plane.h"

/* A tile, as all codings see it: labels go by numbers that put like colours side by side. */
typedef struct {
    int width, height, k;
    const uint8_t *colours; /* k x 4: what each number looks like */
} Tile;

enum { CODING_DRAWN = 1, CODING_PHOTOGRAPHIC = 2 };

/* How many kinds of options a coding has, counted from 0; none for one that is not known. */
int count_options(int coding);

/* Codes the numbers of a tile, height x width and below k. Returns the bytes written to `out`; 0 if `room`
   does not do; SIZE_MAX if there is no memory. */
size_t encode_labels(const Tile *tile, const uint16_t *numbers, int coding, int options, uint8_t *out,
                     size_t room);

/* Decodes what encode_labels made, whatever the bytes are. Returns NULL, the rule of FORMAT.md that is
   broken, or an empty message if there is no memory. */
const char *decode_labels(const Tile *tile, const uint8_t *data, size_t length, int coding, int options,
                          const Plane *plane);

#endif

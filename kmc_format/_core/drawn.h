/* The label coding for drawn pictures: masks, graphics, rendered text. FORMAT.md, "Drawn labels", tells the
   rule. */
#ifndef KMC_DRAWN_H
#define KMC_DRAWN_H

#include "plane.h"

/* What a coder may make use of, as bits of a number. */
enum { DRAWN_LIST = 1, DRAWN_MATCH = 2, DRAWN_RICH = 4, DRAWN_OPTIONS = 8 };

enum DrawnResult {
    DRAWN_OK,
    DRAWN_LABEL,  /* a decoded label is not below k */
    DRAWN_LENGTH, /* there are more bytes than the labels need, or no coder makes them */
    DRAWN_MEMORY  /* no memory for the tables */
};

/* Codes the labels of a tile, width * height of them, each below k, and `colours` of four bytes for each
   label. Returns the number of bytes written to `out`; 0 if `room` does not do; SIZE_MAX if there is no
   memory. */
size_t kmc_drawn_encode(const uint16_t *labels, int width, int height, int k, const uint8_t *colours,
                        int options, uint8_t *out, size_t room);

/* Decodes what kmc_drawn_encode made with the same arguments into a plane, whatever the bytes are; a
   DrawnResult. */
int kmc_drawn_decode(const uint8_t *data, size_t length, const Plane *plane, int height, int k,
                     const uint8_t *colours, int options);

#endif

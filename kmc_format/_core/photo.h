/* The label coding for photographs: each digit of a label is one softmax over the sum of a few rows of
 * logits. FORMAT.md tells the rule. Rows of the picture are coded as a wavefront, so that their work
 * overlaps. */
#ifndef KMC_PHOTO_H
#define KMC_PHOTO_H

#include "plane.h"

enum PhotoResult {
    PHOTO_OK,
    PHOTO_LABEL,  /* a decoded label is not below k */
    PHOTO_LENGTH, /* there are more or fewer bytes than the labels need */
    PHOTO_MEMORY  /* no memory for the tables */
};

/* Code the labels of a picture, width * height of them, each below k.
 *
 * `colours` has four bytes for each label. `rich` asks for the smaller and slower model. Returns the number
 * of bytes written to `out`; 0 if there is no room for them; SIZE_MAX if there is no memory. */
size_t kmc_photo_encode(const uint16_t *labels, int width, int height, int k, const uint8_t *colours,
                        int rich, uint8_t *out, size_t room);

/* Decode what kmc_photo_encode made with the same arguments into a plane, whatever the bytes are; a
 * PhotoResult. */
int kmc_photo_decode(const uint8_t *data, size_t length, const Plane *plane, int height, int k,
                     const uint8_t *colours, int rich);

#endif

/* The modelled codebook of FORMAT.md. */
#ifndef KMC_CODEBOOK_H
#define KMC_CODEBOOK_H

#include "common.h"

typedef struct {
    uint32_t *words; /* k rows of channels */
    size_t k;
    int channels; /* 1 to 4 */
    int bits;     /* of a channel: 8, 16 or 32 */
} Codebook;

/* At most so many bytes a modelled codebook takes. */
size_t codebook_room(const Codebook *codebook);

/* Codes a codebook, whose words are below 2^bits, into codebook_room() bytes; returns how many it takes. */
size_t encode_codebook(const Codebook *codebook, uint8_t *coded);

/* Decodes a codebook; returns 0 where some of the bytes were not needed, or no coder makes them. */
int decode_codebook(const Codebook *codebook, const uint8_t *coded, size_t size);

#endif

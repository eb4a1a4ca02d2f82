/* The range coder of FORMAT.md, in both directions.

   Every function takes `decoding`, which should be a constant, and the value to code, which is ignored when
   decoding; it returns the value that was coded or decoded. When coding, nothing is written beyond the room
   that the caller gave; the coder goes on counting, so that `range_length` tells what would have been needed.
   When decoding, bytes beyond the end are 0, and code stays below range whatever the bytes are. */
#ifndef KMC_RANGE_H
#define KMC_RANGE_H

#include "common.h"

typedef struct {
    uint64_t range;
    uint64_t code; /* decoding: the coded number's place in the range; coding: the range's lower end */
    size_t at;     /* bytes that were read or written, there or not */
    size_t size;   /* bytes of `input`, or room at `output` */
    const uint8_t *input;
    uint8_t *output;
} RangeCoder;

/* Starts to code into a buffer. It needs RANGE_SLACK bytes more than the coded bytes are to take at most;
   with a room of 0, nothing is written and `at` tells how much it would be. */
#define RANGE_SLACK 16
ALWAYS_INLINE void range_start_coding(RangeCoder *coder, uint8_t *output, size_t room) {
    RangeCoder start = {UINT64_MAX, 0, 0, room, NULL, output};
    *coder = start;
}

SHARED uint32_t range_next_bytes(RangeCoder *coder) {
    const size_t at = coder->at;
    uint32_t word = 0;
    if (at + 4 <= coder->size) {
        word = load_big32(coder->input + at);
    } else {
        for (size_t i = at; i < coder->size; i++) word |= (uint32_t)coder->input[i] << (24 - 8 * (i - at));
    }
    coder->at = at + 4;
    return word;
}

/* Starts to decode; returns 0 for bytes that no coder makes: the code is to be below the range. */
ALWAYS_INLINE int range_start_decoding(RangeCoder *coder, const uint8_t *input, size_t size) {
    RangeCoder start = {UINT64_MAX, 0, 0, size, input, NULL};
    *coder = start;
    coder->code = (uint64_t)range_next_bytes(coder) << 32;
    coder->code |= range_next_bytes(coder);
    return coder->code < coder->range;
}

/* Whether decoding needed every byte. */
ALWAYS_INLINE int range_used_up(const RangeCoder *coder) { return coder->at >= coder->size; }

/* Adds to the lower end; a carry runs back over the bytes FF before it. */
ALWAYS_INLINE void range_raise(RangeCoder *coder, uint64_t amount) {
    coder->code += amount;
    if (UNLIKELY(coder->code < amount)) {
        size_t i = coder->at < coder->size ? coder->at : coder->size & ~(size_t)3;
        while (i > 0 && ++coder->output[--i] == 0) {
        }
    }
}

/* Fills up a range that has become small. */
ALWAYS_INLINE void range_renew(RangeCoder *coder, int decoding) {
    if (UNLIKELY(coder->range < UINT64_C(1) << 32)) {
        coder->range <<= 32;
        if (decoding) {
            coder->code = coder->code << 32 | range_next_bytes(coder);
        } else {
            if (coder->at + 4 <= coder->size) {
                store_big32(coder->output + coder->at, (uint32_t)(coder->code >> 32));
            }
            coder->at += 4;
            coder->code <<= 32;
        }
    }
}

/* Goes on with a part of the range. */
ALWAYS_INLINE void range_narrow(RangeCoder *coder, uint64_t start, uint64_t size, int decoding) {
    if (decoding) {
        coder->code -= start;
    } else {
        range_raise(coder, start);
    }
    coder->range = size;
    range_renew(coder, decoding);
}

/* Codes a bit that is 1 with probability p / 2^16; p from 1 to 65535. */
SHARED int range_bit(RangeCoder *coder, uint32_t p, int bit, int decoding) {
    const uint64_t bound = (coder->range >> 16) * p;
    if (decoding) bit = coder->code < bound;
    if (bit) {
        coder->range = bound;
    } else {
        if (decoding) {
            coder->code -= bound;
        } else {
            range_raise(coder, bound);
        }
        coder->range -= bound;
    }
    range_renew(coder, decoding);
    return bit;
}

/* Ends coding; returns how many bytes the coded ones take, or SIZE_MAX if they found no room. Of all
   numbers in the range that with most zero bits ends them, and zero bytes at the end are left out. */
ALWAYS_INLINE size_t range_finish(RangeCoder *coder) {
    const uint64_t last = coder->code + coder->range - 1;
    uint64_t end = 0;
    if (last < coder->code) {
        range_raise(coder, ~coder->code + 1);
    } else if (coder->code > 0) {
        int zeros = 63;
        while ((last >> zeros << zeros) < coder->code) zeros--;
        end = last >> zeros << zeros;
    }
    size_t length = coder->at + 8;
    if (length > coder->size) return SIZE_MAX;
    store_big32(coder->output + coder->at, (uint32_t)(end >> 32));
    store_big32(coder->output + coder->at + 4, (uint32_t)end);
    while (length > 0 && coder->output[length - 1] == 0) length--;
    return length;
}

/* A bit whose probability is learnt: `p` of being 1, in 2^-16, and how often it came. */
typedef struct {
    uint16_t p;
    uint16_t times;
} AdaptiveBit;

ALWAYS_INLINE void range_forget(AdaptiveBit *states, size_t count) {
    for (size_t i = 0; i < count; i++) {
        states[i].p = 32768;
        states[i].times = 0;
    }
}

/* Codes a bit and learns from it: p goes 1 / (times + 2) of the way to it, later 1 / 32. */
SHARED int range_adaptive(RangeCoder *coder, AdaptiveBit *state, int bit, int decoding) {
    const int32_t p = state->p, parts = state->times + 2;
    bit = range_bit(coder, state->p, bit, decoding);
    state->p = (uint16_t)clamp_int(bit ? p + (65536 - p) / parts : p - p / parts, 32, 65504);
    state->times = (uint16_t)(state->times + (state->times < 30));
    return bit;
}

#endif

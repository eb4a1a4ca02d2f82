/* The distribution that a sum of logits stands for, of 16 or 32 lanes. FORMAT.md, "Digits of labels", tells
   the rule; both label codings go by it. */
#ifndef KMC_SOFTMAX_H
#define KMC_SOFTMAX_H

#include "common.h"
#include "lanes.h"

#define SOFTMAX_ONE (1u << 15) /* what all lanes together get */

/* From 32 - j on, lane j is 32767 and the others 0. */
static const int16_t softmax_hot[64] = {[32] = 32767};

/* How sums of shares become parts of SOFTMAX_ONE: they are shifted, then multiplied. */
typedef struct {
    uint32_t up;
    Lanes by;
} Stretch;

/* Each lane's share by its logit, and the sums of the shares up to it. */
ALWAYS_INLINE void softmax_share(const Lanes *logits, int bits, Lanes *share, Lanes *sums) {
    const int vectors = 1 << bits >> 4;
    Lanes before = lanes_set(0);
    /* (1 - (largest - logit) / 2^16)^16 is nearly exp */
    const Lanes top = lanes_not_highest(vectors == 2 ? lanes_max(logits[0], logits[vectors - 1]) : logits[0]);
    UNROLL for (int v = 0; v < vectors; v++) {
        share[v] = lanes_add(logits[v], top);
        share[v] = lanes_power(share[v], bits);
        sums[v] = lanes_add(lanes_sums(share[v]), before);
        if (v + 1 < vectors) before = lanes_last(sums[v]);
    }
}

/* All shares together become SOFTMAX_ONE less one for each lane, which `softmax_end` adds. */
ALWAYS_INLINE Stretch softmax_stretch(uint32_t total, int bits) {
    const uint32_t up = lanes_clz(total) - 16;
    const Stretch stretch = {up, lanes_set((int)(((SOFTMAX_ONE - (1u << bits)) << 16) / (total << up)))};
    return stretch;
}

ALWAYS_INLINE Lanes softmax_part(Lanes sums, Stretch stretch) {
    return lanes_mulhi_u(lanes_shl(sums, stretch.up), stretch.by);
}

/* Where the intervals of the lanes of vector v end. */
ALWAYS_INLINE Lanes softmax_end(Lanes sums, Stretch stretch, int v) {
    return lanes_add(softmax_part(sums, stretch), lanes_load(lanes_numbers + 16 * v));
}

/* What lane j lacked of SOFTMAX_ONE, and the others had too much. */
ALWAYS_INLINE Lanes softmax_error(Lanes share, Stretch stretch, uint32_t j, int v) {
    return lanes_sub(lanes_load(softmax_hot + 32 - j + 16 * v), softmax_part(share, stretch));
}

#endif

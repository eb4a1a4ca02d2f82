/* Which labels around a pixel are equal. Part of drawn_impl.h. */

/* A bit for each of eight labels: whether it equals the one in the same place. */
#if defined(KMC_SSE2) || defined(KMC_AVX2)
typedef __m128i Eight;
ALWAYS_INLINE Eight eight_at(const uint16_t *labels) { return _mm_loadu_si128((const __m128i *)labels); }
ALWAYS_INLINE void eight_store(uint16_t *labels, Eight v) { _mm_storeu_si128((__m128i *)labels, v); }
ALWAYS_INLINE Eight eight_of(uint32_t label) { return _mm_set1_epi16((int16_t)label); }
ALWAYS_INLINE uint32_t equal_eights(Eight a, Eight b, Eight c, Eight d) {
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_cmpeq_epi16(a, b), _mm_cmpeq_epi16(c, d)));
}
#elif defined(KMC_NEON)
typedef uint16x8_t Eight;
ALWAYS_INLINE Eight eight_at(const uint16_t *labels) { return vld1q_u16(labels); }
ALWAYS_INLINE void eight_store(uint16_t *labels, Eight v) { vst1q_u16(labels, v); }
ALWAYS_INLINE Eight eight_of(uint32_t label) { return vdupq_n_u16((uint16_t)label); }
ALWAYS_INLINE uint32_t equal_eights(Eight a, Eight b, Eight c, Eight d) {
    static const uint16_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t bits = vld1q_u16(places);
    return (uint32_t)vaddvq_u16(vandq_u16(vceqq_u16(a, b), bits)) |
           (uint32_t)vaddvq_u16(vandq_u16(vceqq_u16(c, d), bits)) << 8;
}
#elif defined(KMC_WASM)
typedef v128_t Eight;
LANES_FN Eight eight_at(const uint16_t *labels) { return wasm_v128_load(labels); }
LANES_FN void eight_store(uint16_t *labels, Eight v) { wasm_v128_store(labels, v); }
LANES_FN Eight eight_of(uint32_t label) { return wasm_i16x8_splat((int16_t)label); }
LANES_FN uint32_t equal_eights(Eight a, Eight b, Eight c, Eight d) {
    return wasm_i8x16_bitmask(wasm_i8x16_narrow_i16x8(wasm_i16x8_eq(a, b), wasm_i16x8_eq(c, d)));
}
#else
typedef struct {
    uint16_t labels[8];
} Eight;
ALWAYS_INLINE Eight eight_at(const uint16_t *labels) {
    Eight eight;
    memcpy(&eight, labels, sizeof eight);
    return eight;
}
ALWAYS_INLINE void eight_store(uint16_t *labels, Eight v) { memcpy(labels, &v, sizeof v); }
ALWAYS_INLINE Eight eight_of(uint32_t label) {
    Eight eight;
    for (int i = 0; i < 8; i++) eight.labels[i] = (uint16_t)label;
    return eight;
}
ALWAYS_INLINE uint32_t equal_eights(Eight a, Eight b, Eight c, Eight d) {
    uint32_t bits = 0;
    for (int i = 0; i < 8; i++) {
        bits |= (uint32_t)(a.labels[i] == b.labels[i]) << i | (uint32_t)(c.labels[i] == d.labels[i])
                                                                  << (8 + i);
    }
    return bits;
}
#endif

/* Labels around a pixel: o points to it in its own row, a, b and c to the same place in the rows above. */
typedef struct {
    const uint16_t *o, *a, *b, *c;
    uint32_t W, N, NE, NW, WW, NN;
} Around;

/* For i from -2 to 5, bits i + 2: a[i] = a[i + 1], + 8: a[i] = b[i], + 16: a[i] = W, + 24: b[i] = a[i + 1], +
   32: a[i] = WW, + 40: b[i] = a[i - 1]; then whether the last labels were those left of them: from 48 on. */
ALWAYS_INLINE uint64_t equalities(const Around *at, uint32_t past) {
    const Eight a = eight_at(at->a - 2), next = eight_at(at->a - 1), b = eight_at(at->b - 2);
    return equal_eights(a, next, a, b) | (uint64_t)equal_eights(a, eight_of(at->W), b, next) << 16 |
           (uint64_t)equal_eights(a, eight_of(at->WW), b, eight_at(at->a - 3)) << 32 | (uint64_t)past << 48;
}

/* How many labels to the left of one, and to the right, times 8, are like it: up to 7 each. */
ALWAYS_INLINE uint32_t reach(const uint16_t *labels) {
    const Eight here = eight_of(*labels);
    const uint32_t unlike = ~equal_eights(eight_at(labels - 8), here, eight_at(labels + 1), here);
    const uint32_t left = 7 - (uint32_t)log2_floor((unlike & 254) | 1);
    return left | (uint32_t)lowest_one((unlike >> 8 & 255) | 128) << 3;
}

/* Eight labels at a time: up to seven more than asked for. */
ALWAYS_INLINE void fill(uint16_t *labels, int count, uint32_t label) {
    for (int i = 0; i < count; i += 8) eight_store(labels + i, eight_of(label));
}

/* How many labels from here on are this one, up to 7. */
ALWAYS_INLINE int count_like(const uint16_t *labels, uint32_t label) {
    const Eight here = eight_of(label), row = eight_at(labels);
    return lowest_one((uint64_t)(~equal_eights(row, here, row, here) & 127) | 128);
}

/* How long a stretch of n is, n from 1 on: exactly up to 4, then two classes for each power of 2. */
ALWAYS_INLINE int class_of(int n) {
    if (n < 4) return n - 1;
    const int length = log2_floor((uint32_t)n);
    return min_int(2 * length - 1 + (n >> (length - 1) & 1), CLASSES - 1);
}

/* Spreads 64 bits over all. */
#define SPREAD UINT64_C(0x9E3779B185EBCA87)
ALWAYS_INLINE uint32_t spread(uint64_t value, int bits) { return (uint32_t)(value * SPREAD >> (64 - bits)); }

ALWAYS_INLINE uint64_t four_labels(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return (uint64_t)a | (uint64_t)b << 16 | (uint64_t)c << 32 | (uint64_t)d << 48;
}

/* The same of labels that follow one another. */
ALWAYS_INLINE uint64_t load_four(const uint16_t *labels) {
#if defined(KMC_SSE2) || defined(KMC_AVX2) || defined(KMC_NEON) || defined(KMC_WASM)
    uint64_t four;
    memcpy(&four, labels, sizeof four);
    return four;
#else
    return four_labels(labels[0], labels[1], labels[2], labels[3]);
#endif
}

ALWAYS_INLINE uint64_t load_pair(const uint16_t *labels) { return labels[0] | (uint64_t)labels[1] << 16; }

/* lanes.h with SSE2; that file includes this one and says what the functions do. */
#ifndef KMC_LANES_SSE2_H
#define KMC_LANES_SSE2_H

typedef struct {
    __m128i a, b; /* lanes 0 to 7, lanes 8 to 15 */
} Lanes;
LANES_FN Lanes lanes_pair(__m128i a, __m128i b) {
    Lanes r;
    r.a = a, r.b = b;
    return r;
}
LANES_FN Lanes lanes_set(int v) { return lanes_pair(_mm_set1_epi16((int16_t)v), _mm_set1_epi16((int16_t)v)); }
LANES_FN Lanes lanes_load(const void *p) {
    return lanes_pair(_mm_loadu_si128((const __m128i *)p), _mm_loadu_si128((const __m128i *)p + 1));
}
LANES_FN void lanes_store(void *p, Lanes a) {
    _mm_storeu_si128((__m128i *)p, a.a);
    _mm_storeu_si128((__m128i *)p + 1, a.b);
}
#define LANES_BOTH(name, op)                                                                                 \
    LANES_FN Lanes name(Lanes a, Lanes b) { return lanes_pair(op(a.a, b.a), op(a.b, b.b)); }
LANES_BOTH(lanes_add, _mm_add_epi16)
LANES_BOTH(lanes_sub, _mm_sub_epi16)
LANES_BOTH(lanes_adds, _mm_adds_epi16)
LANES_BOTH(lanes_and, _mm_and_si128)
LANES_BOTH(lanes_xor, _mm_xor_si128)
LANES_BOTH(lanes_max, _mm_max_epi16)
LANES_BOTH(lanes_min, _mm_min_epi16)
LANES_BOTH(lanes_avg, _mm_avg_epu16)
LANES_BOTH(lanes_mulhi, _mm_mulhi_epi16)
LANES_BOTH(lanes_mulhi_u, _mm_mulhi_epu16)
LANES_BOTH(lanes_mullo, _mm_mullo_epi16)
LANES_FN Lanes lanes_shl(Lanes a, uint32_t n) {
    __m128i by = _mm_cvtsi32_si128((int)n);
    return lanes_pair(_mm_sll_epi16(a.a, by), _mm_sll_epi16(a.b, by));
}
LANES_FN Lanes lanes_shr(Lanes a, int n) {
    return lanes_pair(_mm_srli_epi16(a.a, n), _mm_srli_epi16(a.b, n));
}
LANES_FN Lanes lanes_sar(Lanes a, int n) {
    return lanes_pair(_mm_srai_epi16(a.a, n), _mm_srai_epi16(a.b, n));
}
LANES_FN Lanes lanes_step(Lanes a, Lanes b) {
    return lanes_sar(lanes_sub(lanes_mulhi(a, lanes_shl(b, 2)), lanes_set(-1)), 1);
}
LANES_FN __m128i lanes_half_last(__m128i a) { return _mm_shuffle_epi32(_mm_shufflehi_epi16(a, 0xff), 0xff); }
LANES_FN __m128i lanes_half_sums(__m128i a) {
    a = _mm_add_epi16(a, _mm_slli_si128(a, 2));
    a = _mm_add_epi16(a, _mm_slli_si128(a, 4));
    return _mm_add_epi16(a, _mm_slli_si128(a, 8));
}
LANES_FN Lanes lanes_sums(Lanes a) {
    __m128i low = lanes_half_sums(a.a);
    return lanes_pair(low, _mm_add_epi16(lanes_half_sums(a.b), lanes_half_last(low)));
}
LANES_FN Lanes lanes_last(Lanes a) { return lanes_pair(lanes_half_last(a.b), lanes_half_last(a.b)); }
LANES_FN uint32_t lanes_get_last(Lanes a) { return (uint32_t)_mm_extract_epi16(a.b, 7); }
LANES_FN Lanes lanes_not_highest(Lanes a) {
    __m128i m = _mm_max_epi16(a.a, a.b);
    m = _mm_max_epi16(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epi16(m, _mm_shuffle_epi32(m, 0xb1));
    m = _mm_max_epi16(m, _mm_shufflehi_epi16(_mm_shufflelo_epi16(m, 0xb1), 0xb1));
    m = _mm_xor_si128(m, _mm_set1_epi16(-1));
    return lanes_pair(m, m);
}
LANES_FN uint32_t lanes_above(Lanes a, int t) {
    __m128i at = _mm_set1_epi16((int16_t)t);
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_cmpgt_epi16(a.a, at), _mm_cmpgt_epi16(a.b, at)));
}
LANES_FN uint32_t lanes_first_above(Lanes a, int t) { return lanes_ctz(lanes_above(a, t) | 1u << 15); }
LANES_FN uint32_t lanes_first_above2(Lanes a, Lanes b, int t) {
    return lanes_ctz(lanes_above(a, t) | lanes_above(b, t) << 16 | 1u << 31);
}
typedef __m128i LanesParts;
LANES_FN LanesParts lanes_products(Lanes a, Lanes b) {
    return _mm_add_epi32(_mm_madd_epi16(a.a, b.a), _mm_madd_epi16(a.b, b.b));
}
LANES_FN LanesParts lanes_join(LanesParts p, LanesParts q) { return _mm_add_epi32(p, q); }
LANES_FN void lanes_add_dots(int32_t *to, const LanesParts p[4], int n) {
    __m128i a = _mm_add_epi32(_mm_unpacklo_epi32(p[0], p[1]), _mm_unpackhi_epi32(p[0], p[1]));
    __m128i b = _mm_add_epi32(_mm_unpacklo_epi32(p[2], p[3]), _mm_unpackhi_epi32(p[2], p[3]));
    a = _mm_add_epi32(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
    a = _mm_add_epi32(_mm_srai_epi32(a, n), _mm_loadu_si128((const __m128i *)to));
    _mm_storeu_si128((__m128i *)to, a);
}
LANES_FN int32_t lanes_dot(Lanes a, Lanes b) {
    __m128i s = _mm_add_epi32(_mm_madd_epi16(a.a, b.a), _mm_madd_epi16(a.b, b.b));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

#endif

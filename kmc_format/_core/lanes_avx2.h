/* lanes.h with AVX2; that file includes this one and says what the functions do. */
#ifndef KMC_LANES_AVX2_H
#define KMC_LANES_AVX2_H

typedef __m256i Lanes;
LANES_FN Lanes lanes_set(int v) { return _mm256_set1_epi16((int16_t)v); }
LANES_FN Lanes lanes_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
LANES_FN void lanes_store(void *p, Lanes a) { _mm256_storeu_si256((__m256i *)p, a); }
LANES_FN Lanes lanes_add(Lanes a, Lanes b) { return _mm256_add_epi16(a, b); }
LANES_FN Lanes lanes_sub(Lanes a, Lanes b) { return _mm256_sub_epi16(a, b); }
LANES_FN Lanes lanes_adds(Lanes a, Lanes b) { return _mm256_adds_epi16(a, b); }
LANES_FN Lanes lanes_and(Lanes a, Lanes b) { return _mm256_and_si256(a, b); }
LANES_FN Lanes lanes_xor(Lanes a, Lanes b) { return _mm256_xor_si256(a, b); }
LANES_FN Lanes lanes_max(Lanes a, Lanes b) { return _mm256_max_epi16(a, b); }
LANES_FN Lanes lanes_min(Lanes a, Lanes b) { return _mm256_min_epi16(a, b); }
LANES_FN Lanes lanes_avg(Lanes a, Lanes b) { return _mm256_avg_epu16(a, b); }
LANES_FN Lanes lanes_mulhi(Lanes a, Lanes b) { return _mm256_mulhi_epi16(a, b); }
LANES_FN Lanes lanes_mulhi_u(Lanes a, Lanes b) { return _mm256_mulhi_epu16(a, b); }
LANES_FN Lanes lanes_mullo(Lanes a, Lanes b) { return _mm256_mullo_epi16(a, b); }
LANES_FN Lanes lanes_step(Lanes a, Lanes b) { return _mm256_mulhrs_epi16(a, b); }
LANES_FN Lanes lanes_shl(Lanes a, uint32_t n) { return _mm256_sll_epi16(a, _mm_cvtsi32_si128((int)n)); }
LANES_FN Lanes lanes_shr(Lanes a, int n) { return _mm256_srli_epi16(a, n); }
LANES_FN Lanes lanes_sar(Lanes a, int n) { return _mm256_srai_epi16(a, n); }
LANES_FN Lanes lanes_sums(Lanes a) {
    a = _mm256_add_epi16(a, _mm256_slli_si256(a, 2));
    a = _mm256_add_epi16(a, _mm256_slli_si256(a, 4));
    a = _mm256_add_epi16(a, _mm256_slli_si256(a, 8));
    /* the last lane of the lower half goes to the upper half */
    __m256i low = _mm256_shuffle_epi8(_mm256_permute2x128_si256(a, a, 0x08), _mm256_set1_epi16(0x0f0e));
    return _mm256_add_epi16(a, low);
}
LANES_FN Lanes lanes_last(Lanes a) {
    return _mm256_shuffle_epi8(_mm256_permute2x128_si256(a, a, 0x11), _mm256_set1_epi16(0x0f0e));
}
LANES_FN uint32_t lanes_get_last(Lanes a) {
    return (uint32_t)_mm_extract_epi16(_mm256_extracti128_si256(a, 1), 7);
}
LANES_FN Lanes lanes_not_highest(Lanes a) {
    __m128i m = _mm_max_epi16(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    m = _mm_minpos_epu16(
        _mm_xor_si128(m, _mm_set1_epi16(0x7fff))); /* 0x7fff - x, unsigned, falls as x rises */
    return _mm256_broadcastw_epi16(_mm_xor_si128(m, _mm_set1_epi16(-0x8000)));
}
LANES_FN uint32_t lanes_first_above(Lanes a, int t) {
    uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi16(a, lanes_set(t)));
    return lanes_ctz(bits | 1u << 30) >> 1;
}
LANES_FN uint32_t lanes_first_above2(Lanes a, Lanes b, int t) {
    Lanes at = lanes_set(t), both = _mm256_packs_epi16(_mm256_cmpgt_epi16(a, at), _mm256_cmpgt_epi16(b, at));
    return lanes_ctz((uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(both, 0xd8)) | 1u << 31);
}
typedef __m256i LanesParts;
LANES_FN LanesParts lanes_products(Lanes a, Lanes b) { return _mm256_madd_epi16(a, b); }
LANES_FN LanesParts lanes_join(LanesParts p, LanesParts q) { return _mm256_add_epi32(p, q); }
LANES_FN void lanes_add_dots(int32_t *to, const LanesParts p[4], int n) {
    __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(p[0], p[1]), _mm256_unpackhi_epi32(p[0], p[1]));
    __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(p[2], p[3]), _mm256_unpackhi_epi32(p[2], p[3]));
    a = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    sum = _mm_add_epi32(_mm_srai_epi32(sum, n), _mm_loadu_si128((const __m128i *)to));
    _mm_storeu_si128((__m128i *)to, sum);
}
LANES_FN int32_t lanes_dot(Lanes a, Lanes b) {
    __m256i p = _mm256_madd_epi16(a, b);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

#endif

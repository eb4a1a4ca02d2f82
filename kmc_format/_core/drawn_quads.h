/* Four cells of a question, or four numbers that belong to them. Part of drawn_impl.h.

   quad_sum          the sum of all four
   quad_times        products of numbers of 16 bits, those of a not negative
   quad_times_16     products of numbers of 16 bits
   quad_times_18     products of numbers of 18 and 13 bits
   quad_within       each number, or what of -limit .. limit is nearest to it
   quad_collect      the numbers at four places
   quad_spread       writes them there */

#if defined(KMC_SSE2) || defined(KMC_AVX2)
typedef __m128i Quad;
ALWAYS_INLINE Quad quad_of(int32_t v) { return _mm_set1_epi32(v); }
ALWAYS_INLINE Quad quad_load(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
ALWAYS_INLINE void quad_store(void *p, Quad a) { _mm_storeu_si128((__m128i *)p, a); }
ALWAYS_INLINE Quad quad_add(Quad a, Quad b) { return _mm_add_epi32(a, b); }
ALWAYS_INLINE Quad quad_sub(Quad a, Quad b) { return _mm_sub_epi32(a, b); }
ALWAYS_INLINE Quad quad_and(Quad a, Quad b) { return _mm_and_si128(a, b); }
ALWAYS_INLINE Quad quad_sar(Quad a, int n) { return _mm_srai_epi32(a, n); }
ALWAYS_INLINE int32_t quad_sum(Quad a) {
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a, 0xb1)));
}
ALWAYS_INLINE Quad quad_times(Quad a, Quad b) { return _mm_madd_epi16(a, b); }
ALWAYS_INLINE Quad quad_times_16(Quad a, Quad b) {
    return _mm_madd_epi16(_mm_and_si128(a, _mm_set1_epi32(0xffff)), b);
}
#if defined(KMC_AVX2)
ALWAYS_INLINE Quad quad_times_18(Quad a, Quad b) { return _mm_mullo_epi32(a, b); }
ALWAYS_INLINE Quad quad_within(Quad a, int32_t limit) {
    return _mm_max_epi32(_mm_min_epi32(a, _mm_set1_epi32(limit)), _mm_set1_epi32(-limit));
}
#else
ALWAYS_INLINE Quad quad_times_18(Quad a, Quad b) {
    const Quad high = quad_times_16(_mm_srai_epi32(a, 12), b);
    return _mm_add_epi32(_mm_slli_epi32(high, 12), _mm_madd_epi16(_mm_and_si128(a, _mm_set1_epi32(4095)), b));
}
ALWAYS_INLINE Quad quad_choose(Quad which, Quad a, Quad b) {
    return _mm_or_si128(_mm_and_si128(which, a), _mm_andnot_si128(which, b));
}
ALWAYS_INLINE Quad quad_within(Quad a, int32_t limit) {
    const Quad high = _mm_set1_epi32(limit), low = _mm_set1_epi32(-limit);
    a = quad_choose(_mm_cmpgt_epi32(a, high), high, a);
    return quad_choose(_mm_cmpgt_epi32(low, a), low, a);
}
#endif
ALWAYS_INLINE Quad quad_one(const void *p) {
    int32_t value;
    memcpy(&value, p, sizeof value);
    return _mm_cvtsi32_si128(value);
}
ALWAYS_INLINE Quad quad_collect(const void *a, const void *b, const void *c, const void *d) {
    return _mm_unpacklo_epi64(_mm_unpacklo_epi32(quad_one(a), quad_one(b)),
                              _mm_unpacklo_epi32(quad_one(c), quad_one(d)));
}
ALWAYS_INLINE void quad_put(void *p, Quad a) {
    const int32_t value = _mm_cvtsi128_si32(a);
    memcpy(p, &value, sizeof value);
}
ALWAYS_INLINE void quad_spread(void *a, void *b, void *c, void *d, Quad v) {
    const Quad upper = _mm_unpackhi_epi64(v, v);
    quad_put(a, v);
    quad_put(b, _mm_shuffle_epi32(v, 1));
    quad_put(c, upper);
    quad_put(d, _mm_shuffle_epi32(v, 3));
}

#elif defined(KMC_NEON)
typedef int32x4_t Quad;
ALWAYS_INLINE Quad quad_of(int32_t v) { return vdupq_n_s32(v); }
ALWAYS_INLINE Quad quad_load(const void *p) { return vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)p)); }
ALWAYS_INLINE void quad_store(void *p, Quad a) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_s32(a)); }
ALWAYS_INLINE Quad quad_add(Quad a, Quad b) { return vaddq_s32(a, b); }
ALWAYS_INLINE Quad quad_sub(Quad a, Quad b) { return vsubq_s32(a, b); }
ALWAYS_INLINE Quad quad_and(Quad a, Quad b) { return vandq_s32(a, b); }
ALWAYS_INLINE Quad quad_sar(Quad a, int n) { return vshlq_s32(a, vdupq_n_s32(-n)); }
ALWAYS_INLINE int32_t quad_sum(Quad a) { return vaddvq_s32(a); }
ALWAYS_INLINE Quad quad_times(Quad a, Quad b) { return vmulq_s32(a, b); }
ALWAYS_INLINE Quad quad_times_16(Quad a, Quad b) { return vmulq_s32(a, b); }
ALWAYS_INLINE Quad quad_times_18(Quad a, Quad b) { return vmulq_s32(a, b); }
ALWAYS_INLINE Quad quad_within(Quad a, int32_t limit) {
    return vmaxq_s32(vminq_s32(a, vdupq_n_s32(limit)), vdupq_n_s32(-limit));
}
ALWAYS_INLINE Quad quad_collect(const void *a, const void *b, const void *c, const void *d) {
    int32_t values[4];
    memcpy(values, a, 4), memcpy(values + 1, b, 4), memcpy(values + 2, c, 4), memcpy(values + 3, d, 4);
    return vsetq_lane_s32(
        values[3], vsetq_lane_s32(values[2], vsetq_lane_s32(values[1], vdupq_n_s32(values[0]), 1), 2), 3);
}
ALWAYS_INLINE void quad_spread(void *a, void *b, void *c, void *d, Quad v) {
    const int32_t values[4] = {vgetq_lane_s32(v, 0), vgetq_lane_s32(v, 1), vgetq_lane_s32(v, 2),
                               vgetq_lane_s32(v, 3)};
    memcpy(a, values, 4), memcpy(b, values + 1, 4), memcpy(c, values + 2, 4), memcpy(d, values + 3, 4);
}

#elif defined(KMC_WASM)
typedef v128_t Quad;
LANES_FN Quad quad_of(int32_t v) { return wasm_i32x4_splat(v); }
LANES_FN Quad quad_load(const void *p) { return wasm_v128_load(p); }
LANES_FN void quad_store(void *p, Quad a) { wasm_v128_store(p, a); }
LANES_FN Quad quad_add(Quad a, Quad b) { return wasm_i32x4_add(a, b); }
LANES_FN Quad quad_sub(Quad a, Quad b) { return wasm_i32x4_sub(a, b); }
LANES_FN Quad quad_and(Quad a, Quad b) { return wasm_v128_and(a, b); }
LANES_FN Quad quad_sar(Quad a, int n) { return wasm_i32x4_shr(a, (uint32_t)n); }
LANES_FN int32_t quad_sum(Quad a) {
    a = wasm_i32x4_add(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(a, 0) + wasm_i32x4_extract_lane(a, 1);
}
LANES_FN Quad quad_times(Quad a, Quad b) { return wasm_i32x4_dot_i16x8(a, b); }
LANES_FN Quad quad_times_16(Quad a, Quad b) {
    return wasm_i32x4_dot_i16x8(wasm_v128_and(a, wasm_i32x4_splat(0xffff)), b);
}
LANES_FN Quad quad_times_18(Quad a, Quad b) { return wasm_i32x4_mul(a, b); }
LANES_FN Quad quad_within(Quad a, int32_t limit) {
    return wasm_i32x4_max(wasm_i32x4_min(a, wasm_i32x4_splat(limit)), wasm_i32x4_splat(-limit));
}
LANES_FN Quad quad_collect(const void *a, const void *b, const void *c, const void *d) {
    Quad v = wasm_v128_load32_zero(a);
    v = wasm_v128_load32_lane(b, v, 1);
    v = wasm_v128_load32_lane(c, v, 2);
    return wasm_v128_load32_lane(d, v, 3);
}
LANES_FN void quad_spread(void *a, void *b, void *c, void *d, Quad v) {
    wasm_v128_store32_lane(a, v, 0);
    wasm_v128_store32_lane(b, v, 1);
    wasm_v128_store32_lane(c, v, 2);
    wasm_v128_store32_lane(d, v, 3);
}

#else
typedef struct {
    int32_t v[4];
} Quad;
#define QUAD_EACH(name, ...)                                                                                 \
    ALWAYS_INLINE Quad name(Quad a, Quad b) {                                                                \
        for (int i = 0; i < 4; i++) {                                                                        \
            const int32_t x = a.v[i], y = b.v[i];                                                            \
            a.v[i] = __VA_ARGS__;                                                                            \
        }                                                                                                    \
        return a;                                                                                            \
    }
QUAD_EACH(quad_add, (int32_t)((uint32_t)x + (uint32_t)y))
QUAD_EACH(quad_sub, x - y)
QUAD_EACH(quad_and, x &y)
QUAD_EACH(quad_times, x *y)
QUAD_EACH(quad_times_16, x *y)
QUAD_EACH(quad_times_18, x *y)
ALWAYS_INLINE Quad quad_of(int32_t v) {
    const Quad a = {{v, v, v, v}};
    return a;
}
ALWAYS_INLINE Quad quad_load(const void *p) {
    Quad a;
    memcpy(&a, p, sizeof a);
    return a;
}
ALWAYS_INLINE void quad_store(void *p, Quad a) { memcpy(p, &a, sizeof a); }
ALWAYS_INLINE Quad quad_sar(Quad a, int n) {
    for (int i = 0; i < 4; i++) a.v[i] >>= n;
    return a;
}
ALWAYS_INLINE int32_t quad_sum(Quad a) { return a.v[0] + a.v[1] + a.v[2] + a.v[3]; }
ALWAYS_INLINE Quad quad_within(Quad a, int32_t limit) {
    for (int i = 0; i < 4; i++) a.v[i] = clamp_int(a.v[i], -limit, limit);
    return a;
}
ALWAYS_INLINE Quad quad_collect(const void *a, const void *b, const void *c, const void *d) {
    Quad v;
    memcpy(v.v, a, 4), memcpy(v.v + 1, b, 4), memcpy(v.v + 2, c, 4), memcpy(v.v + 3, d, 4);
    return v;
}
ALWAYS_INLINE void quad_spread(void *a, void *b, void *c, void *d, Quad v) {
    memcpy(a, v.v, 4), memcpy(b, v.v + 1, 4), memcpy(c, v.v + 2, 4), memcpy(d, v.v + 3, 4);
}
#endif

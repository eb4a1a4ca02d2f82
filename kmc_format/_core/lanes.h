/* Sixteen lanes of 16 bits, the unit of the label codings' arithmetic.
 *
 * Four implementations give the same results: AVX2, SSE2, NEON and plain C. A file that is compiled for AVX2 defines
 * KMC_AVX2 (and sets the compiler's target) before it includes this one; KMC_PLAIN asks for plain C; otherwise the
 * machine's baseline is taken. All functions are pure. Lanes are numbered from 0 in the order of memory. */
#ifndef KMC_LANES_H
#define KMC_LANES_H

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#if defined(KMC_SMALL)
#define LANES_FN static inline __attribute__((unused))
#else
#define LANES_FN static inline __attribute__((always_inline, unused))
#endif
#define lanes_ctz(v) ((uint32_t)__builtin_ctz(v))
#define lanes_clz(v) ((uint32_t)__builtin_clz(v))
#else
#include <intrin.h>
#define LANES_FN static __forceinline
/* Zero bits below the lowest, above the highest one; v is not 0. */
LANES_FN uint32_t lanes_ctz(uint32_t v) {
    unsigned long at;
    _BitScanForward(&at, v);
    return at;
}
LANES_FN uint32_t lanes_clz(uint32_t v) {
    unsigned long at;
    _BitScanReverse(&at, v);
    return 31 - at;
}
#endif

#if defined(KMC_PLAIN)
#elif defined(KMC_AVX2)
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64) || (defined(_M_IX86_FP) && _M_IX86_FP >= 2)
#define KMC_SSE2
#include <emmintrin.h>
#elif defined(__aarch64__) || defined(_M_ARM64)
#define KMC_NEON
#include <arm_neon.h>
#else
#define KMC_PLAIN
#endif

/* What the functions do, a lane x of a, y of b at a time, modulo 2^16 unless they saturate:
 *   lanes_set(v)        v                             lanes_load, lanes_store   any alignment
 *   lanes_add, _sub     x + y, x - y                  lanes_adds                x + y, within -32768 .. 32767
 *   lanes_and, _xor                                   lanes_max, _min           of signed values
 *   lanes_avg(a, b)     (x + y + 1) >> 1 of unsigned values
 *   lanes_mulhi(a, b)   x y >> 16 of signed values    lanes_mulhi_u(a, b)       of unsigned values
 *   lanes_mullo(a, b)   x y
 *   lanes_step(a, b)    ((x y >> 14) + 1) >> 1, that is x y / 2^15 rounded; each y lies in -8192 .. 8191
 *   lanes_shl(a, n)     x << n                        lanes_shr(a, n)           x >> n, unsigned; lanes_sar signed
 *   lanes_sums(a)       the sum of lanes 0 to this one
 *   lanes_last(a)       lane 15, in all lanes         lanes_get_last(a)         lane 15, as 0 .. 65535
 *   lanes_not_highest(a)       ~ (the highest signed lane), in all lanes
 *   lanes_first_above(a, t)    the first lane with x > t, signed; 15 if there is none
 *   lanes_first_above2(a, b, t)  the same of 32 lanes, those of a first; 31 if there is none
 *   lanes_dot(a, b)     the sum of x y of signed values, modulo 2^32
 *   lanes_products(a, b)       the same in parts, which lanes_join(p, q) adds to others
 *   lanes_add_dots(to, p, n)   to each of four integers, the sum of the parts, >> n signed */

#if defined(KMC_AVX2)
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
LANES_FN uint32_t lanes_get_last(Lanes a) { return (uint32_t)_mm_extract_epi16(_mm256_extracti128_si256(a, 1), 7); }
LANES_FN Lanes lanes_not_highest(Lanes a) {
    __m128i m = _mm_max_epi16(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    m = _mm_minpos_epu16(_mm_xor_si128(m, _mm_set1_epi16(0x7fff))); /* 0x7fff - x, unsigned, falls as x rises */
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

#elif defined(KMC_SSE2)
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
#define LANES_BOTH(name, op) \
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
LANES_FN Lanes lanes_shr(Lanes a, int n) { return lanes_pair(_mm_srli_epi16(a.a, n), _mm_srli_epi16(a.b, n)); }
LANES_FN Lanes lanes_sar(Lanes a, int n) { return lanes_pair(_mm_srai_epi16(a.a, n), _mm_srai_epi16(a.b, n)); }
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

#elif defined(KMC_NEON)
typedef int16x8x2_t Lanes;
LANES_FN Lanes lanes_pair(int16x8_t a, int16x8_t b) {
    Lanes r;
    r.val[0] = a, r.val[1] = b;
    return r;
}
LANES_FN Lanes lanes_set(int v) { return lanes_pair(vdupq_n_s16((int16_t)v), vdupq_n_s16((int16_t)v)); }
/* loads of bytes, which need no alignment; each half keeps the machine's order of bytes within a lane */
LANES_FN int16x8_t lanes_load_half(const uint8_t *p) { return vreinterpretq_s16_u8(vld1q_u8(p)); }
LANES_FN Lanes lanes_load(const void *p) {
    return lanes_pair(lanes_load_half((const uint8_t *)p), lanes_load_half((const uint8_t *)p + 16));
}
LANES_FN void lanes_store(void *p, Lanes a) {
    vst1q_u8((uint8_t *)p, vreinterpretq_u8_s16(a.val[0]));
    vst1q_u8((uint8_t *)p + 16, vreinterpretq_u8_s16(a.val[1]));
}
#define LANES_BOTH(name, op) \
    LANES_FN Lanes name(Lanes a, Lanes b) { return lanes_pair(op(a.val[0], b.val[0]), op(a.val[1], b.val[1])); }
#define LANES_U(v) vreinterpretq_u16_s16(v)
#define LANES_S(v) vreinterpretq_s16_u16(v)
LANES_FN int16x8_t lanes_half_avg(int16x8_t a, int16x8_t b) { return LANES_S(vrhaddq_u16(LANES_U(a), LANES_U(b))); }
LANES_FN int16x8_t lanes_half_mulhi(int16x8_t a, int16x8_t b) {
    int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b)), high = vmull_high_s16(a, b);
    return vuzp2q_s16(vreinterpretq_s16_s32(low), vreinterpretq_s16_s32(high));
}
LANES_FN int16x8_t lanes_half_mulhi_u(int16x8_t a, int16x8_t b) {
    uint32x4_t low = vmull_u16(vget_low_u16(LANES_U(a)), vget_low_u16(LANES_U(b)));
    uint32x4_t high = vmull_high_u16(LANES_U(a), LANES_U(b));
    return vuzp2q_s16(vreinterpretq_s16_u32(low), vreinterpretq_s16_u32(high));
}
LANES_BOTH(lanes_add, vaddq_s16)
LANES_BOTH(lanes_sub, vsubq_s16)
LANES_BOTH(lanes_adds, vqaddq_s16)
LANES_BOTH(lanes_and, vandq_s16)
LANES_BOTH(lanes_xor, veorq_s16)
LANES_BOTH(lanes_max, vmaxq_s16)
LANES_BOTH(lanes_min, vminq_s16)
LANES_BOTH(lanes_avg, lanes_half_avg)
LANES_BOTH(lanes_mulhi, lanes_half_mulhi)
LANES_BOTH(lanes_mulhi_u, lanes_half_mulhi_u)
LANES_BOTH(lanes_mullo, vmulq_s16)
LANES_BOTH(lanes_step, vqrdmulhq_s16)
LANES_FN Lanes lanes_shl(Lanes a, uint32_t n) {
    int16x8_t by = vdupq_n_s16((int16_t)n);
    return lanes_pair(vshlq_s16(a.val[0], by), vshlq_s16(a.val[1], by));
}
LANES_FN Lanes lanes_sar(Lanes a, int n) {
    int16x8_t by = vdupq_n_s16((int16_t)-n);
    return lanes_pair(vshlq_s16(a.val[0], by), vshlq_s16(a.val[1], by));
}
LANES_FN Lanes lanes_shr(Lanes a, int n) {
    int16x8_t by = vdupq_n_s16((int16_t)-n);
    return lanes_pair(LANES_S(vshlq_u16(LANES_U(a.val[0]), by)), LANES_S(vshlq_u16(LANES_U(a.val[1]), by)));
}
LANES_FN int16x8_t lanes_half_sums(int16x8_t a) {
    int16x8_t none = vdupq_n_s16(0);
    a = vaddq_s16(a, vextq_s16(none, a, 7));
    a = vaddq_s16(a, vextq_s16(none, a, 6));
    return vaddq_s16(a, vextq_s16(none, a, 4));
}
LANES_FN Lanes lanes_sums(Lanes a) {
    int16x8_t low = lanes_half_sums(a.val[0]);
    return lanes_pair(low, vaddq_s16(lanes_half_sums(a.val[1]), vdupq_laneq_s16(low, 7)));
}
LANES_FN Lanes lanes_last(Lanes a) {
    return lanes_pair(vdupq_laneq_s16(a.val[1], 7), vdupq_laneq_s16(a.val[1], 7));
}
LANES_FN uint32_t lanes_get_last(Lanes a) { return (uint16_t)vgetq_lane_s16(a.val[1], 7); }
LANES_FN Lanes lanes_not_highest(Lanes a) { return lanes_set(~vmaxvq_s16(vmaxq_s16(a.val[0], a.val[1]))); }
/* four bits a lane */
LANES_FN uint64_t lanes_above(Lanes a, int t) {
    int16x8_t at = vdupq_n_s16((int16_t)t);
    uint8x16_t both = vuzp1q_u8(vreinterpretq_u8_u16(vcgtq_s16(a.val[0], at)),
                                vreinterpretq_u8_u16(vcgtq_s16(a.val[1], at)));
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(both), 4)), 0);
}
LANES_FN uint32_t lanes_first_bits(uint64_t bits) {
    return (uint32_t)bits ? lanes_ctz((uint32_t)bits) >> 2 : 8 + (lanes_ctz((uint32_t)(bits >> 32)) >> 2);
}
LANES_FN uint32_t lanes_first_above(Lanes a, int t) { return lanes_first_bits(lanes_above(a, t) | 1ull << 60); }
LANES_FN uint32_t lanes_first_above2(Lanes a, Lanes b, int t) {
    uint64_t bits = lanes_above(a, t);
    return bits ? lanes_first_bits(bits) : 16 + lanes_first_above(b, t);
}
typedef int32x4_t LanesParts;
LANES_FN LanesParts lanes_products(Lanes a, Lanes b) {
    int32x4_t s = vmull_s16(vget_low_s16(a.val[0]), vget_low_s16(b.val[0]));
    s = vmlal_high_s16(s, a.val[0], b.val[0]);
    s = vmlal_s16(s, vget_low_s16(a.val[1]), vget_low_s16(b.val[1]));
    return vmlal_high_s16(s, a.val[1], b.val[1]);
}
LANES_FN LanesParts lanes_join(LanesParts p, LanesParts q) { return vaddq_s32(p, q); }
LANES_FN int32_t lanes_dot(Lanes a, Lanes b) { return vaddvq_s32(lanes_products(a, b)); }
LANES_FN void lanes_add_dots(int32_t *to, const LanesParts p[4], int n) {
    int32x4_t a = vpaddq_s32(vpaddq_s32(p[0], p[1]), vpaddq_s32(p[2], p[3]));
    vst1q_s32(to, vaddq_s32(vld1q_s32(to), vshlq_s32(a, vdupq_n_s32(-n))));
}

#else
#include "lanes_plain.h"
#endif

/* The number of each lane of 32, from 1. */
static const int16_t lanes_numbers[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                          17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

#endif

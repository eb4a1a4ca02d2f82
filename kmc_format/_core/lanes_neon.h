/* lanes.h with NEON; that file includes this one and says what the functions do. */
#ifndef KMC_LANES_NEON_H
#define KMC_LANES_NEON_H

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
#define LANES_BOTH(name, op)                                                                                 \
    LANES_FN Lanes name(Lanes a, Lanes b) {                                                                  \
        return lanes_pair(op(a.val[0], b.val[0]), op(a.val[1], b.val[1]));                                   \
    }
#define LANES_U(v) vreinterpretq_u16_s16(v)
#define LANES_S(v) vreinterpretq_s16_u16(v)
LANES_FN int16x8_t lanes_half_avg(int16x8_t a, int16x8_t b) {
    return LANES_S(vrhaddq_u16(LANES_U(a), LANES_U(b)));
}
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
LANES_FN uint32_t lanes_first_above(Lanes a, int t) {
    return lanes_first_bits(lanes_above(a, t) | 1ull << 60);
}
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

#endif

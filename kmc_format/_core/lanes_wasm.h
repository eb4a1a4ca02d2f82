/* lanes.h with the vectors of WebAssembly; that file includes this one and says what the functions do. */
#ifndef KMC_LANES_WASM_H
#define KMC_LANES_WASM_H

typedef struct {
    v128_t a, b; /* lanes 0 to 7, lanes 8 to 15 */
} Lanes;
LANES_FN Lanes lanes_pair(v128_t a, v128_t b) {
    Lanes r;
    r.a = a, r.b = b;
    return r;
}
LANES_FN Lanes lanes_set(int v) {
    return lanes_pair(wasm_i16x8_splat((int16_t)v), wasm_i16x8_splat((int16_t)v));
}
LANES_FN Lanes lanes_load(const void *p) {
    return lanes_pair(wasm_v128_load(p), wasm_v128_load((const char *)p + 16));
}
LANES_FN void lanes_store(void *p, Lanes a) {
    wasm_v128_store(p, a.a);
    wasm_v128_store((char *)p + 16, a.b);
}
/* The upper halves of the products of all lanes. */
LANES_FN v128_t lanes_half_mulhi(v128_t a, v128_t b) {
    return wasm_i16x8_shuffle(wasm_i32x4_extmul_low_i16x8(a, b), wasm_i32x4_extmul_high_i16x8(a, b), 1, 3, 5,
                              7, 9, 11, 13, 15);
}
LANES_FN v128_t lanes_half_mulhi_u(v128_t a, v128_t b) {
    return wasm_i16x8_shuffle(wasm_u32x4_extmul_low_u16x8(a, b), wasm_u32x4_extmul_high_u16x8(a, b), 1, 3, 5,
                              7, 9, 11, 13, 15);
}
LANES_FN v128_t lanes_square(v128_t a) { return wasm_u32x4_shr(wasm_i32x4_mul(a, a), 16); }
LANES_FN v128_t lanes_quarter_power(v128_t square, int n) { /* of four lanes, each in 32 bits */
    const v128_t a = lanes_square(lanes_square(wasm_u32x4_shr(square, 16)));
    return wasm_u32x4_shr(wasm_i32x4_mul(a, a), (uint32_t)(16 + n));
}
LANES_FN v128_t lanes_half_power(v128_t a, int n) {
    return wasm_u16x8_narrow_i32x4(lanes_quarter_power(wasm_u32x4_extmul_low_u16x8(a, a), n),
                                   lanes_quarter_power(wasm_u32x4_extmul_high_u16x8(a, a), n));
}
LANES_FN Lanes lanes_power(Lanes a, int n) {
    return lanes_pair(lanes_half_power(a.a, n), lanes_half_power(a.b, n));
}
#define LANES_BOTH(name, op)                                                                                 \
    LANES_FN Lanes name(Lanes a, Lanes b) { return lanes_pair(op(a.a, b.a), op(a.b, b.b)); }
LANES_BOTH(lanes_add, wasm_i16x8_add)
LANES_BOTH(lanes_sub, wasm_i16x8_sub)
LANES_BOTH(lanes_adds, wasm_i16x8_add_sat)
LANES_BOTH(lanes_and, wasm_v128_and)
LANES_BOTH(lanes_xor, wasm_v128_xor)
LANES_BOTH(lanes_max, wasm_i16x8_max)
LANES_BOTH(lanes_min, wasm_i16x8_min)
LANES_BOTH(lanes_avg, wasm_u16x8_avgr)
LANES_BOTH(lanes_mulhi, lanes_half_mulhi)
LANES_BOTH(lanes_mulhi_u, lanes_half_mulhi_u)
LANES_BOTH(lanes_mullo, wasm_i16x8_mul)
LANES_BOTH(lanes_step, wasm_i16x8_q15mulr_sat) /* which never saturates, as b is small */
LANES_FN Lanes lanes_shl(Lanes a, uint32_t n) {
    return lanes_pair(wasm_i16x8_shl(a.a, n), wasm_i16x8_shl(a.b, n));
}
LANES_FN Lanes lanes_shr(Lanes a, int n) {
    return lanes_pair(wasm_u16x8_shr(a.a, (uint32_t)n), wasm_u16x8_shr(a.b, (uint32_t)n));
}
LANES_FN Lanes lanes_sar(Lanes a, int n) {
    return lanes_pair(wasm_i16x8_shr(a.a, (uint32_t)n), wasm_i16x8_shr(a.b, (uint32_t)n));
}
LANES_FN v128_t lanes_half_last(v128_t a) { return wasm_i16x8_shuffle(a, a, 7, 7, 7, 7, 7, 7, 7, 7); }
LANES_FN v128_t lanes_half_sums(v128_t a) {
    const v128_t zero = wasm_i16x8_splat(0);
    a = wasm_i16x8_add(a, wasm_i16x8_shuffle(zero, a, 7, 8, 9, 10, 11, 12, 13, 14));
    a = wasm_i16x8_add(a, wasm_i16x8_shuffle(zero, a, 6, 7, 8, 9, 10, 11, 12, 13));
    return wasm_i16x8_add(a, wasm_i16x8_shuffle(zero, a, 4, 5, 6, 7, 8, 9, 10, 11));
}
LANES_FN Lanes lanes_sums(Lanes a) {
    const v128_t low = lanes_half_sums(a.a);
    return lanes_pair(low, wasm_i16x8_add(lanes_half_sums(a.b), lanes_half_last(low)));
}
LANES_FN Lanes lanes_last(Lanes a) { return lanes_pair(lanes_half_last(a.b), lanes_half_last(a.b)); }
LANES_FN uint32_t lanes_get_last(Lanes a) { return wasm_u16x8_extract_lane(a.b, 7); }
LANES_FN Lanes lanes_not_highest(Lanes a) {
    v128_t m = wasm_i16x8_max(a.a, a.b);
    m = wasm_i16x8_max(m, wasm_i32x4_shuffle(m, m, 2, 3, 0, 1));
    m = wasm_i16x8_max(m, wasm_i32x4_shuffle(m, m, 1, 0, 3, 2));
    m = wasm_i16x8_max(m, wasm_i16x8_shuffle(m, m, 1, 0, 3, 2, 5, 4, 7, 6));
    m = wasm_v128_not(m);
    return lanes_pair(m, m);
}
LANES_FN uint32_t lanes_above(Lanes a, int t) {
    const v128_t at = wasm_i16x8_splat((int16_t)t);
    return wasm_i8x16_bitmask(wasm_i8x16_narrow_i16x8(wasm_i16x8_gt(a.a, at), wasm_i16x8_gt(a.b, at)));
}
LANES_FN uint32_t lanes_first_above(Lanes a, int t) { return lanes_ctz(lanes_above(a, t) | 1u << 15); }
LANES_FN uint32_t lanes_first_above2(Lanes a, Lanes b, int t) {
    return lanes_ctz(lanes_above(a, t) | lanes_above(b, t) << 16 | 1u << 31);
}
typedef v128_t LanesParts;
LANES_FN LanesParts lanes_products(Lanes a, Lanes b) {
    return wasm_i32x4_add(wasm_i32x4_dot_i16x8(a.a, b.a), wasm_i32x4_dot_i16x8(a.b, b.b));
}
LANES_FN LanesParts lanes_join(LanesParts p, LanesParts q) { return wasm_i32x4_add(p, q); }
LANES_FN v128_t lanes_low_pairs(v128_t a, v128_t b) { return wasm_i32x4_shuffle(a, b, 0, 4, 1, 5); }
LANES_FN v128_t lanes_high_pairs(v128_t a, v128_t b) { return wasm_i32x4_shuffle(a, b, 2, 6, 3, 7); }
LANES_FN void lanes_add_dots(int32_t *to, const LanesParts p[4], int n) {
    v128_t a = wasm_i32x4_add(lanes_low_pairs(p[0], p[1]), lanes_high_pairs(p[0], p[1]));
    v128_t b = wasm_i32x4_add(lanes_low_pairs(p[2], p[3]), lanes_high_pairs(p[2], p[3]));
    a = wasm_i32x4_add(wasm_i64x2_shuffle(a, b, 0, 2), wasm_i64x2_shuffle(a, b, 1, 3));
    wasm_v128_store(to, wasm_i32x4_add(wasm_i32x4_shr(a, (uint32_t)n), wasm_v128_load(to)));
}
LANES_FN int32_t lanes_dot(Lanes a, Lanes b) {
    v128_t s = lanes_products(a, b);
    s = wasm_i32x4_add(s, wasm_i32x4_shuffle(s, s, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(s, 0) + wasm_i32x4_extract_lane(s, 1);
}

#endif

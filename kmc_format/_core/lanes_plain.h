/* lanes.h in plain C; that file includes this one and says what the functions do. */
#ifndef KMC_LANES_PLAIN_H
#define KMC_LANES_PLAIN_H

typedef struct {
    int16_t v[16];
} Lanes;

#define LANES_EACH(name, ...)                                                                                \
    LANES_FN Lanes name(Lanes a, Lanes b) {                                                                  \
        for (int i = 0; i < 16; i++) {                                                                       \
            int32_t x = a.v[i], y = b.v[i];                                                                  \
            a.v[i] = lanes_low(__VA_ARGS__);                                                                 \
        }                                                                                                    \
        return a;                                                                                            \
    }

/* The lowest 16 bits as a signed value, in steps that C defines. */
LANES_FN int16_t lanes_low(int32_t v) {
    return (int16_t)((int32_t)(((uint32_t)v & 0xffff) ^ 0x8000) - 0x8000);
}
LANES_FN int32_t lanes_clip(int32_t v) { return v < -32768 ? -32768 : v > 32767 ? 32767 : v; }

LANES_FN Lanes lanes_set(int v) {
    Lanes a;
    for (int i = 0; i < 16; i++) a.v[i] = lanes_low(v);
    return a;
}
LANES_FN Lanes lanes_load(const void *p) {
    Lanes a;
    memcpy(&a, p, sizeof a);
    return a;
}
LANES_FN void lanes_store(void *p, Lanes a) { memcpy(p, &a, sizeof a); }
/* Shifts of negative values to the right: all compilers that we know keep the sign. */
LANES_EACH(lanes_add, x + y)
LANES_EACH(lanes_sub, x - y)
LANES_EACH(lanes_adds, lanes_clip(x + y))
LANES_EACH(lanes_and, x &y)
LANES_EACH(lanes_xor, x ^ y)
LANES_EACH(lanes_max, x > y ? x : y)
LANES_EACH(lanes_min, x < y ? x : y)
LANES_EACH(lanes_avg, ((x & 0xffff) + (y & 0xffff) + 1) >> 1)
LANES_EACH(lanes_mulhi, x *y >> 16)
LANES_EACH(lanes_mulhi_u, (int32_t)((uint32_t)(x & 0xffff) * (uint32_t)(y & 0xffff) >> 16))
LANES_EACH(lanes_mullo, x *y)
LANES_EACH(lanes_step, ((x * y >> 14) + 1) >> 1)
LANES_FN Lanes lanes_shl(Lanes a, uint32_t n) {
    for (int i = 0; i < 16; i++) a.v[i] = lanes_low((int32_t)((uint32_t)(uint16_t)a.v[i] << n));
    return a;
}
LANES_FN Lanes lanes_shr(Lanes a, int n) {
    for (int i = 0; i < 16; i++) a.v[i] = lanes_low((uint16_t)a.v[i] >> n);
    return a;
}
LANES_FN Lanes lanes_sar(Lanes a, int n) {
    for (int i = 0; i < 16; i++) a.v[i] = (int16_t)(a.v[i] >> n);
    return a;
}
LANES_FN Lanes lanes_sums(Lanes a) {
    for (int i = 1; i < 16; i++) a.v[i] = lanes_low(a.v[i] + a.v[i - 1]);
    return a;
}
LANES_FN Lanes lanes_last(Lanes a) { return lanes_set(a.v[15]); }
LANES_FN uint32_t lanes_get_last(Lanes a) { return (uint16_t)a.v[15]; }
LANES_FN Lanes lanes_not_highest(Lanes a) {
    int most = a.v[0];
    for (int i = 1; i < 16; i++) most = a.v[i] > most ? a.v[i] : most;
    return lanes_set(~most);
}
LANES_FN uint32_t lanes_first_above(Lanes a, int t) {
    uint32_t i = 0;
    while (i < 15 && a.v[i] <= t) i++;
    return i;
}
LANES_FN uint32_t lanes_first_above2(Lanes a, Lanes b, int t) {
    uint32_t i = 0;
    while (i < 16 && a.v[i] <= t) i++;
    return i < 16 ? i : 16 + lanes_first_above(b, t);
}
typedef uint32_t LanesParts;
LANES_FN LanesParts lanes_products(Lanes a, Lanes b) {
    uint32_t sum = 0;
    for (int i = 0; i < 16; i++) sum += (uint32_t)(a.v[i] * b.v[i]);
    return sum;
}
LANES_FN LanesParts lanes_join(LanesParts p, LanesParts q) { return p + q; }
LANES_FN int32_t lanes_dot(Lanes a, Lanes b) { return (int32_t)lanes_products(a, b); }
LANES_FN void lanes_add_dots(int32_t *to, const LanesParts p[4], int n) {
    for (int i = 0; i < 4; i++) to[i] += (int32_t)p[i] >> n;
}

#endif

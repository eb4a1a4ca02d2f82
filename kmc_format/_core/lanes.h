/* Sixteen lanes of 16 bits, the unit of the label codings' arithmetic.
 *
 * Five implementations give the same results: AVX2, SSE2, NEON, WebAssembly's and plain C. A file that is
 * compiled for AVX2 defines KMC_AVX2 (and sets the compiler's target) before it includes this one; KMC_PLAIN
 * asks for plain C; otherwise the machine's baseline is taken. All functions are pure. Lanes are numbered
 * from 0 in the order of memory. */
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
#elif defined(__wasm_simd128__)
#define KMC_WASM
#include <wasm_simd128.h>
#else
#define KMC_PLAIN
#endif

/* clang-format off */
/* What the functions do, a lane x of a, y of b at a time, modulo 2^16 unless they saturate:

     lanes_set(v)                 v
     lanes_load, lanes_store      any alignment
     lanes_add, lanes_sub         x + y, x - y
     lanes_adds                   x + y, within -32768 .. 32767
     lanes_and, lanes_xor
     lanes_max, lanes_min         of signed values
     lanes_avg(a, b)              (x + y + 1) >> 1 of unsigned values
     lanes_mulhi(a, b)            x y >> 16 of signed values; lanes_mulhi_u of unsigned ones
     lanes_mullo(a, b)            x y
     lanes_power(a, n)            four times x x >> 16 of unsigned values, then >> n
     lanes_step(a, b)             ((x y >> 14) + 1) >> 1, that is x y / 2^15 rounded; each y lies in -8192 .. 8191
     lanes_shl(a, n)              x << n
     lanes_shr(a, n)              x >> n of unsigned values; lanes_sar of signed ones
     lanes_sums(a)                the sum of lanes 0 to this one
     lanes_last(a)                lane 15, in all lanes; lanes_get_last as 0 .. 65535
     lanes_not_highest(a)         ~ (the highest signed lane), in all lanes
     lanes_first_above(a, t)      the first lane with x > t, signed; 15 if there is none
     lanes_first_above2(a, b, t)  the same of 32 lanes, those of a first; 31 if there is none
     lanes_dot(a, b)              the sum of x y of signed values, modulo 2^32
     lanes_products(a, b)         the same in parts, which lanes_join(p, q) adds to others
     lanes_add_dots(to, p, n)     to each of four integers, the sum of the parts, >> n signed */
/* clang-format on */

#if defined(KMC_AVX2)
#include "lanes_avx2.h"
#elif defined(KMC_SSE2)
#include "lanes_sse2.h"
#elif defined(KMC_NEON)
#include "lanes_neon.h"
#elif defined(KMC_WASM)
#include "lanes_wasm.h"
#else
#include "lanes_plain.h"
#endif

#if !defined(KMC_WASM) /* where products of 32 bits are quicker */
LANES_FN Lanes lanes_power(Lanes a, int n) {
    for (int i = 0; i < 4; i++) a = lanes_mulhi_u(a, a);
    return lanes_shr(a, n);
}
#endif

/* The number of each lane of 32, from 1. */
static const int16_t lanes_numbers[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                          17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

#endif

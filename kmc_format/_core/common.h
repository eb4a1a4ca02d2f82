/* What all parts of the compiled core share: fixed-width integers and a few small functions of them. */
#ifndef KMC_COMMON_H
#define KMC_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Coder and decoder are one function with a constant argument that tells which it is, and much of their
   speed comes from the compiler seeing that constant: so such functions are inlined always. */
#if defined(KMC_SMALL)
#define ALWAYS_INLINE static inline
#elif defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define ALWAYS_INLINE static __forceinline
#else
#define ALWAYS_INLINE static inline
#endif

#if defined(__GNUC__)
#define NEVER_INLINE __attribute__((noinline))
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#if defined(_MSC_VER)
#define NEVER_INLINE __declspec(noinline)
#else
#define NEVER_INLINE
#endif
#define UNLIKELY(condition) (condition)
#define PREFETCH(address) ((void)(address))
#endif

/* The decoder for browsers is to be small as well as fast. What many functions call is not copied into them
   there, SHARED if it is in a header of several files, else ONE_COPY; SELDOM marks what little time is spent
   in, and SMALL what that is besides. Loops of one or two rounds are to UNROLL all the same. */
#if defined(__wasm__)
#define KMC_COMPACT 1
#define SHARED NEVER_INLINE __attribute__((weak))
#define SMALL __attribute__((minsize))
#define SELDOM SMALL NEVER_INLINE static
#define ONE_COPY NEVER_INLINE static
#define NO_UNROLL _Pragma("nounroll")
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define KMC_COMPACT 0
#define SHARED ALWAYS_INLINE
#define SMALL
#define SELDOM NEVER_INLINE static
#define ONE_COPY ALWAYS_INLINE
#define NO_UNROLL
#define UNROLL
#endif

ALWAYS_INLINE int32_t min_int(int32_t a, int32_t b) { return a < b ? a : b; }

ALWAYS_INLINE int32_t max_int(int32_t a, int32_t b) { return a > b ? a : b; }

ALWAYS_INLINE int32_t clamp_int(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

/* Mixes two words into one whose high and low bits all depend on both. */
ALWAYS_INLINE uint32_t hash_pair(uint32_t a, uint32_t b) {
    uint32_t h = a * UINT32_C(0x9E3779B1) + b * UINT32_C(0x85EBCA77);
    h ^= h >> 15;
    h *= UINT32_C(0x2C1B3C6D);
    return h ^ (h >> 13);
}

/* The place of the highest bit that is 1; 0 for 0. */
ALWAYS_INLINE int log2_floor(uint32_t value) {
#if defined(__GNUC__)
    return 31 - __builtin_clz(value | 1);
#else
    int place = 0;
    for (int step = 16; step; step >>= 1) {
        if (value >> step) {
            value >>= step;
            place += step;
        }
    }
    return place;
#endif
}

ALWAYS_INLINE int log2_floor64(uint64_t value) {
    return value >> 32 ? 32 + log2_floor((uint32_t)(value >> 32)) : log2_floor((uint32_t)value);
}

/* How many bits are 1. */
ALWAYS_INLINE int count_ones(uint64_t value) {
#if defined(__GNUC__)
    return __builtin_popcountll(value);
#else
    value -= value >> 1 & UINT64_C(0x5555555555555555);
    value = (value & UINT64_C(0x3333333333333333)) + (value >> 2 & UINT64_C(0x3333333333333333));
    value = (value + (value >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (int)(value * UINT64_C(0x0101010101010101) >> 56);
#endif
}

/* The place of the lowest bit that is 1; the value must not be 0. */
ALWAYS_INLINE int lowest_one(uint64_t value) {
#if defined(__GNUC__)
    return __builtin_ctzll(value);
#else
    return count_ones((value & (~value + 1)) - 1);
#endif
}

/* The integer square root, rounded down. */
ALWAYS_INLINE uint32_t isqrt(uint32_t value) {
    uint32_t root = 0;
    for (uint32_t bit = UINT32_C(1) << 30; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

/* Bytes in big-endian order; compilers make one instruction of these. */
ALWAYS_INLINE uint32_t load_big32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

ALWAYS_INLINE void store_big32(uint8_t *bytes, uint32_t value) {
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

#endif

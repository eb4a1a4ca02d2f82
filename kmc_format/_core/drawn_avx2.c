/* The label coding for drawn pictures with AVX2; drawn.c asks the machine whether it has it. */
#include "machine.h"
#ifdef KMC_HAS_AVX2
#define KMC_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif
#define DRAWN_CODE kmc_drawn_code_avx2
#include "drawn_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int drawn_has_no_avx2;
#endif

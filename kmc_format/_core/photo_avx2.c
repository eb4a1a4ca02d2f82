/* The label coding for photographs with AVX2; photo.c asks the machine whether it has it. */
#include "machine.h"
#ifdef KMC_HAS_AVX2
#define KMC_AVX2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx2,bmi,bmi2,lzcnt")
#endif
#define PHOTO_CODE kmc_photo_code_avx2
#include "photo_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int kmc_photo_no_avx2;
#endif

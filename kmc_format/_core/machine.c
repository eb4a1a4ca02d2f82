#include "machine.h"

#if defined(_MSC_VER) && defined(KMC_HAS_AVX2)
#include <intrin.h>
#include <immintrin.h>
#endif

int machine_has_avx2(void) {
#if defined(KMC_HAS_AVX2) && defined(__GNUC__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#elif defined(KMC_HAS_AVX2) && defined(_MSC_VER)
    int info[4];
    __cpuid(info, 0);
    if (info[0] < 7) return 0;
    __cpuid(info, 1);
    if ((info[2] & (1 << 27 | 1 << 28)) != (1 << 27 | 1 << 28) || (_xgetbv(0) & 6) != 6) return 0;
    __cpuidex(info, 7, 0);
    return (info[1] >> 5 & 1) && (info[1] >> 3 & 1) && (info[1] >> 8 & 1);
#else
    return 0;
#endif
}

static int allowed = MACHINE_BEST;

int machine_path(void) { return allowed; }

void set_machine_path(int path) { allowed = path; }

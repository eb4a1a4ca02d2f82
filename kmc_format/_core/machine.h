/* Which implementation of lanes.h this machine is to run. */
#ifndef KMC_MACHINE_H
#define KMC_MACHINE_H

#if (defined(__x86_64__) || defined(_M_X64)) && !defined(KMC_PLAIN)
#define KMC_HAS_AVX2
#endif

enum { MACHINE_PLAIN, MACHINE_BASE, MACHINE_BEST };

/* Whether it can run AVX2 and what came with it. */
int machine_has_avx2(void);

/* The best that may be used: MACHINE_BEST, unless a test asked for less. */
int machine_path(void);

/* For tests: all implementations give the same results. */
void set_machine_path(int path);

#endif

/* The label coding for drawn pictures with the vectors that all machines of the architecture have. */
#if !defined(__SSE2__) && !defined(__aarch64__)
#include "plain_first.h"
#elif defined(__SSE2__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2") /* smaller: most of these machines have AVX2 */
#endif
#define DRAWN_CODE kmc_drawn_code_base
#include "drawn_impl.h"

/* The label coding for photographs with the vectors that all machines of the architecture have. */
#if !defined(__SSE2__) && !defined(__aarch64__)
#include "plain_first.h"
#elif defined(__SSE2__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2") /* smaller: most of these machines have AVX2 */
#endif
#define PHOTO_CODE kmc_photo_code_base
#include "photo_impl.h"

/* The label coding for drawn pictures with the vectors that all machines of the architecture have. */
#if !defined(__SSE2__) && !defined(__aarch64__)
#include "plain_first.h"
#endif
#define DRAWN_CODE kmc_drawn_code_base
#include "drawn_impl.h"

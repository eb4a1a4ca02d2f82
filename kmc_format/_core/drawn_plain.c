/* The label coding for drawn pictures in plain C, which tests compare the other implementations with. */
#define KMC_SMALL
#include "plain_first.h"
#ifndef KMC_PLAIN
#define KMC_PLAIN
#endif
#define DRAWN_CODE kmc_drawn_code_plain
#include "drawn_impl.h"

/* The label coding for photographs in plain C, which tests compare the other implementations with. */
#define KMC_SMALL
#include "plain_first.h"
#ifndef KMC_PLAIN
#define KMC_PLAIN
#endif
#define PHOTO_CODE kmc_photo_code_plain
#include "photo_impl.h"

/* For files that compile lanes.h in plain C, before anything else. KMC_SMALL is for those that only tests
   run: their functions are not copied into one another. */
#if defined(__GNUC__) && !defined(__clang__)
#if defined(KMC_SMALL)
#pragma GCC optimize("Os")
#endif
/* GCC 12 fails with an internal error where it vectorises code of ours with -fwrapv, as Python asks for. */
#pragma GCC optimize("no-tree-vectorize", "no-tree-slp-vectorize")
#endif

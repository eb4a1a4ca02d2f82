/* For files that compile lanes.h in plain C, before anything else. */
#if defined(__GNUC__) && !defined(__clang__)
/* GCC 12 fails with an internal error where it vectorises code of ours with -fwrapv, as Python asks for. */
#pragma GCC optimize("no-tree-vectorize", "no-tree-slp-vectorize")
#endif

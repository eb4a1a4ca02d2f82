/* A balanced k-d tree over codebook entries.

   After Bentley, "Multidimensional binary search trees used for associative searching", Communications of
   the ACM 18(9), 1975; distances to cells are kept incrementally, after Arya and Mount, "Algorithms for fast
   vector quantization", Data Compression Conference 1993. */
#ifndef KMC_TREE_H
#define KMC_TREE_H

#include "mapping.h"

typedef struct {
    int32_t coordinates[DIMENSIONS];
    int32_t number; /* its position in the codebook */
} TreeEntry;

typedef struct {
    int32_t split;
    int32_t axis;
} TreeNode;

/* A node has its entries in a stretch of `entries`, of which the first half is its left child's. Node n has
   the children 2 n + 1 and 2 n + 2. */
typedef struct {
    int32_t k;
    TreeEntry *entries;
    int32_t *places; /* where an entry is, by its number */
    TreeNode *nodes;
} Tree;

/* Builds a tree over k entries, a row of `dimensions` coordinates each. Whatever comes of it, `tree_end` is
   to be called. */
const char *tree_start(Tree *tree, const int32_t *entries, size_t k, int dimensions);

void tree_end(Tree *tree);

/* Returns the number of the entry nearest to a point, of equals the first; a good guess makes it quick. */
int32_t tree_nearest(const Tree *tree, const int32_t point[DIMENSIONS], int32_t guess);

#endif

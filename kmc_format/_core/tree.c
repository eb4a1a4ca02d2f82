#include "tree.h"

#include <stdlib.h>

#define LEAF 8 /* most entries that are compared one by one */

/* --- Building --- */

/* Orders keys so that the one at `middle` has the smaller ones before it. The keys are split by the highest
   bit in which they differ, again and again; so the time has a bound, whatever the keys are. */
static void select_key(uint64_t *keys, size_t n, size_t middle) {
    while (n > 1) {
        uint64_t differing = 0;
        for (size_t i = 1; i < n; i++) differing |= keys[i] ^ keys[0];
        if (!differing) return;
        const int bit = log2_floor64(differing);
        size_t zeros = 0;
        for (size_t i = 0; i < n; i++) {
            const uint64_t key = keys[i];
            keys[i] = keys[zeros];
            keys[zeros] = key;
            zeros += !(key >> bit & 1);
        }
        if (middle < zeros) {
            n = zeros;
        } else {
            keys += zeros;
            middle -= zeros;
            n -= zeros;
        }
    }
}

static int widest_axis(const TreeEntry *entries, int32_t size) {
    int32_t widest = -1;
    int axis = 0;
    for (int c = 0; c < DIMENSIONS; c++) {
        int32_t least = entries[0].coordinates[c], most = least;
        for (int32_t i = 1; i < size; i++) {
            least = min_int(least, entries[i].coordinates[c]);
            most = max_int(most, entries[i].coordinates[c]);
        }
        if (most - least > widest) {
            widest = most - least;
            axis = c;
        }
    }
    return axis;
}

/* Splits a node's entries at the median of the coordinate that differs most; of equals, the earlier entries
   go left. */
static void build(Tree *tree, uint64_t *keys, TreeEntry *moved, size_t node, int32_t start, int32_t size) {
    if (size <= LEAF) return;
    TreeEntry *entries = tree->entries + start;
    const int axis = widest_axis(entries, size);
    const int32_t half = size / 2;
    for (int32_t i = 0; i < size; i++) {
        const int32_t coordinate = entries[i].coordinates[axis] + FARTHEST_COORDINATE;
        keys[i] = (uint64_t)coordinate << 32 | (uint32_t)i;
    }
    select_key(keys, (size_t)size, (size_t)half);
    tree->nodes[node].axis = axis;
    tree->nodes[node].split = (int32_t)(keys[half] >> 32) - FARTHEST_COORDINATE;
    for (int32_t i = 0; i < size; i++) moved[i] = entries[(uint32_t)keys[i]];
    memcpy(entries, moved, (size_t)size * sizeof *entries);
    build(tree, keys, moved, 2 * node + 1, start, half);
    build(tree, keys, moved, 2 * node + 2, start + half, size - half);
}

int are_coordinates_near(const int32_t *coordinates, size_t count) {
    int far = 0;
    for (size_t i = 0; i < count; i++) {
        far |= (coordinates[i] > FARTHEST_COORDINATE) | (coordinates[i] < -FARTHEST_COORDINATE);
    }
    return !far;
}

const char *tree_start(Tree *tree, const int32_t *entries, size_t k, int dimensions) {
    memset(tree, 0, sizeof *tree);
    if (k < 1 || k > 1 << 18) return "a codebook has at least one entry, and at most 2^18";
    if (dimensions < 1 || dimensions > DIMENSIONS) return "there are one to four dimensions";
    if (!are_coordinates_near(entries, k * (size_t)dimensions)) return "coordinates are at most 2^20 in size";
    size_t nodes = 1;
    for (size_t size = k; size > LEAF; size = (size + 1) / 2) nodes = 2 * nodes + 1;
    tree->k = (int32_t)k;
    tree->entries = calloc(k, sizeof *tree->entries);
    tree->places = malloc(k * sizeof *tree->places);
    tree->nodes = calloc(nodes, sizeof *tree->nodes);
    uint64_t *keys = malloc(k * sizeof *keys);
    TreeEntry *moved = malloc(k * sizeof *moved);
    const int room = tree->entries && tree->places && tree->nodes && keys && moved;
    if (room) {
        for (size_t i = 0; i < k; i++) {
            tree->entries[i].number = (int32_t)i;
            for (int c = 0; c < dimensions; c++) {
                tree->entries[i].coordinates[c] = entries[i * (size_t)dimensions + (size_t)c];
            }
        }
        build(tree, keys, moved, 0, 0, tree->k);
        for (int32_t i = 0; i < tree->k; i++) tree->places[tree->entries[i].number] = i;
    }
    free(keys);
    free(moved);
    return room ? NULL : "";
}

void tree_end(Tree *tree) {
    free(tree->entries);
    free(tree->places);
    free(tree->nodes);
}

/* --- Searching --- */

/* What was found is one number, its squared distance above the entry's number; so the least of them is the
   nearest, and of equals the first. */
#define NUMBER_BITS 18

typedef struct {
    const TreeEntry *entries;
    const TreeNode *nodes;
    int64_t point[DIMENSIONS];
    int64_t gap[DIMENSIONS]; /* from the point to the cell, along each axis */
    int64_t found;
} Search;

ALWAYS_INLINE int64_t squared(int64_t value) { return value * value; }

/* Compares some entries one by one. */
ALWAYS_INLINE void compare(Search *search, const TreeEntry *entries, int32_t size) {
    int64_t found = search->found;
    for (int32_t i = 0; i < size; i++) {
        int64_t distance = 0;
        for (int c = 0; c < DIMENSIONS; c++) {
            distance += squared(entries[i].coordinates[c] - search->point[c]);
        }
        const int64_t measured = distance << NUMBER_BITS | entries[i].number;
        found = measured < found ? measured : found;
    }
    search->found = found;
}

/* Searches a node whose cell is at the squared distance `bound`. */
static void visit(Search *search, size_t node, int32_t start, int32_t size, int64_t bound) {
    if (size <= LEAF) {
        compare(search, search->entries + start, size);
        return;
    }
    const int32_t half = size / 2, axis = search->nodes[node].axis;
    const int64_t gap = search->point[axis] - search->nodes[node].split;
    const int64_t before = search->gap[axis], bound_beyond = bound - squared(before) + squared(gap);
    const int right = gap >= 0;
    const int32_t near = right ? half : 0, near_size = right ? size - half : half;
    visit(search, 2 * node + 1 + (size_t)right, start + near, near_size, bound);
    if (bound_beyond <= search->found >> NUMBER_BITS) {
        search->gap[axis] = gap;
        visit(search, 2 * node + 2 - (size_t)right, start + half - near, size - near_size, bound_beyond);
        search->gap[axis] = before;
    }
}

int32_t tree_nearest(const Tree *tree, const int32_t point[DIMENSIONS], int32_t guess) {
    Search search = {tree->entries, tree->nodes, {0}, {0}, INT64_MAX};
    for (int c = 0; c < DIMENSIONS; c++) search.point[c] = point[c];
    if (tree->k > LEAF) compare(&search, &tree->entries[tree->places[guess]], 1);
    visit(&search, 0, 0, tree->k, 0);
    return (int32_t)(search.found & ((1 << NUMBER_BITS) - 1));
}

const char *label_points(const int32_t *points, size_t n, const int32_t *entries, size_t k, int dimensions,
                         int32_t *labels) {
    Tree tree;
    const char *problem = tree_start(&tree, entries, k, dimensions);
    if (!problem && !are_coordinates_near(points, n * (size_t)dimensions)) {
        problem = "coordinates are at most 2^20 in size";
    }
    int32_t point[DIMENSIONS] = {0}, label = 0;
    for (size_t i = 0; !problem && i < n; i++) {
        for (int c = 0; c < dimensions; c++) point[c] = points[i * (size_t)dimensions + (size_t)c];
        label = tree_nearest(&tree, point, label);
        labels[i] = label;
    }
    tree_end(&tree);
    return problem;
}

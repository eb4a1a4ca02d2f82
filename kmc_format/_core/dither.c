#include <stdlib.h>

#include "tree.h"

#define SHIFT 16 /* sixteen shares of an error, times a strength up to 4096 */

/* Sixteen times the error that comes to each pixel of this row and the next, with a margin of one pixel. */
typedef struct {
    int32_t *here;
    int32_t *below;
} Errors;

/* What a pixel is to look like, errors included, is clipped to limits, so that errors do not pile up where
   the codebook cannot follow. */
ALWAYS_INLINE void aim(const Dithering *job, const int32_t *colour, const int32_t *errors, int used,
                       int32_t point[DIMENSIONS]) {
    const int64_t half = 1 << (SHIFT - 1);
    for (int c = 0; c < job->dimensions; c++) {
        const int32_t error = (int32_t)((errors[c] * (int64_t)job->strength + half) >> SHIFT);
        const int32_t wanted = clamp_int(colour[c] + error, job->limits[c], job->limits[job->dimensions + c]);
        point[c] = c < used ? wanted : colour[c];
    }
}

ALWAYS_INLINE void pass_on(Errors errors, size_t x, ptrdiff_t forth, const int32_t point[DIMENSIONS],
                           const int32_t entry[DIMENSIONS], int used) {
    const ptrdiff_t at = DIMENSIONS * ((ptrdiff_t)x + 1), step = DIMENSIONS * forth;
    for (int c = 0; c < DIMENSIONS; c++) {
        const int32_t error = c < used ? point[c] - entry[c] : 0;
        errors.here[at + step + c] += 7 * error;
        errors.below[at - step + c] += 3 * error;
        errors.below[at + c] += 5 * error;
        errors.below[at + step + c] += error;
    }
}

/* Every other row goes from right to left, so that errors do not drift to one side. Returns 0 where a pixel
   has no colour or a pinned label no entry. */
static int dither_row(const Dithering *job, const Tree *tree, Errors errors, size_t y, int32_t *label) {
    const ptrdiff_t forth = y & 1 ? -1 : 1;
    const uint32_t *pixels = job->pixels + y * job->width;
    uint16_t *labels = job->labels + y * job->width;
    int32_t point[DIMENSIONS] = {0};
    for (size_t n = 0; n < job->width; n++) {
        const size_t x = forth > 0 ? n : job->width - 1 - n;
        const size_t colour = pixels[x];
        if (colour >= job->colour_count) return 0;
        const int32_t pinned = job->pinned[colour];
        if (pinned >= 0) {
            if (pinned >= tree->k) return 0;
            labels[x] = (uint16_t)pinned;
            continue;
        }
        /* Where coverage is whole it stays so: errors of alpha would fray the edges. */
        const int used = job->dimensions - (job->coverage[colour] == 255);
        const int32_t *wanted = job->points + colour * (size_t)job->dimensions;
        aim(job, wanted, errors.here + DIMENSIONS * (x + 1), used, point);
        *label = tree_nearest(tree, point, *label);
        labels[x] = (uint16_t)*label;
        pass_on(errors, x, forth, point, tree->entries[tree->places[*label]].coordinates, used);
    }
    return 1;
}

static const char *find_problem(const Dithering *job) {
    const size_t dimensions = (size_t)job->dimensions;
    if (job->k > 65536) return "a codebook has at most 65,536 entries";
    if (job->strength < 0 || job->strength > FULL_STRENGTH) return "strength is from 0 to 4096";
    if (!are_coordinates_near(job->points, job->colour_count * dimensions) ||
        !are_coordinates_near(job->limits, 2 * dimensions)) {
        return "coordinates are at most 2^20 in size";
    }
    return NULL;
}

const char *dither_pixels(const Dithering *job) {
    Tree tree;
    const char *problem = tree_start(&tree, job->entries, job->k, job->dimensions);
    if (!problem) problem = find_problem(job);
    const size_t stride = DIMENSIONS * (job->width + 2);
    int32_t *both = problem ? NULL : calloc(2 * stride, sizeof *both);
    if (!problem && !both) problem = "";
    int32_t label = 0;
    for (size_t y = 0; !problem && y < job->height; y++) {
        const Errors errors = {both + (y & 1) * stride, both + (~y & 1) * stride};
        memset(errors.below, 0, stride * sizeof *errors.below);
        if (!dither_row(job, &tree, errors, y, &label)) {
            problem = "a pixel's colour or a pinned label is too large";
        }
    }
    free(both);
    tree_end(&tree);
    return problem;
}

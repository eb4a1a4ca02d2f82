/* The frame before as reference: where it is moved, by how much, and how that is found. */
#include "drawn_model.h"

#include <stdlib.h>

/* Goes on with a row beyond its ends. */
static void widen(const Drawn *drawn, uint16_t *row) {
    const int width = drawn->width;
    for (int i = 0; i < MARGIN; i++) row[width + i] = row[width - 1], row[-1 - i] = *(row - drawn->stride);
}

void kmc_drawn_begin_after(DrawnFrames *drawn, const uint16_t *labels) {
    uint16_t *to = drawn->lines + 3 * drawn->stride + MARGIN;
    for (int y = 0; y <= drawn->height; y++, to += drawn->stride) {
        const ptrdiff_t from = y < drawn->height ? y : y - 1;
        memcpy(to, labels + from * drawn->width, sizeof *to * (size_t)drawn->width);
        widen(drawn, to);
    }
    drawn->frames = 1;
}

int kmc_drawn_fits_moved(const Drawn *drawn, int last) {
    const uint16_t *line = drawn->line, *reference = line + (drawn->reference - drawn->lines),
                   *moved = line + (drawn->moved - drawn->lines);
    int as_it_was = 0, as_moved = 0;
    for (int x = 0; x < drawn->width; x++) {
        as_it_was += line[x] == reference[x];
        as_moved += line[x] == moved[x];
    }
    if (as_it_was == drawn->width || as_moved == drawn->width) return as_it_was < drawn->width;
    return as_moved > as_it_was + (last ? -8 : 8);
}

/* Makes the reference that is moved by the offset. */
static void move_reference(Drawn *drawn) {
    const int width = drawn->width, height = drawn->height, dx = drawn->offset[0], dy = drawn->offset[1];
    const ptrdiff_t stride = drawn->stride;
    uint16_t *to = drawn->moved + 3 * stride + MARGIN;
    for (int y = 0; y <= height; y++, to += stride) {
        const uint16_t *from = drawn->reference + (3 + clamp_int(y + dy, 0, height - 1)) * stride + MARGIN;
        for (int x = 0; x < width; x++) to[x] = from[clamp_int(x + dx, 0, width - 1)];
        widen(drawn, to);
    }
}

/* Sixteen labels in each of two rows, as a number; 0 where they are too plain to be found again. */
static uint64_t fingerprint(const uint16_t *labels, ptrdiff_t stride) {
    uint64_t mixed = 0;
    int changes = 0;
    for (int i = 0; i < 16; i++) {
        changes += labels[i] != labels[i + 1];
        mixed = (mixed + labels[i] + ((uint64_t)labels[i + stride] << 32)) * UINT64_C(0x9E3779B185EBCA87);
        mixed ^= mixed >> 29;
    }
    return changes < 4 ? 0 : mixed | 1;
}

/* Where in the frame before a fingerprint was; places where several were are forgotten. */
typedef struct {
    uint32_t check;
    int32_t x, y; /* x is -1 for none, -2 for several */
} Print;

enum { PRINT_BITS = 15, VOTES = 4096, STEP = 4 };

typedef struct {
    int32_t offset[2], count;
} Vote;

/* Remembers one place in STEP * STEP of the frame before. */
static void take_prints(const Drawn *drawn, Print *prints) {
    for (int i = 0; i < 1 << PRINT_BITS; i++) prints[i].x = -1;
    for (int y = 0; y + 1 < drawn->height; y += STEP) {
        const uint16_t *row = drawn->reference + (3 + y) * drawn->stride + MARGIN;
        for (int x = 0; x + 16 < drawn->width; x += STEP) {
            const uint64_t print = fingerprint(row + x, drawn->stride);
            Print *at = prints + (print >> (64 - PRINT_BITS));
            const Print new = {(uint32_t)print, at->x == -1 ? x : -2, y};
            if (print) *at = new;
        }
    }
}

/* Lets what is new in a row vote for how it moved. */
static void vote(const Drawn *drawn, int y, const Print *prints, Vote *votes) {
    const uint16_t *row = drawn->known + (ptrdiff_t)y * drawn->width;
    const uint16_t *before = drawn->reference + (3 + y) * drawn->stride + MARGIN;
    for (int x = 0; x + 16 < drawn->width; x++) {
        if (row[x] == before[x]) continue;
        const uint64_t print = fingerprint(row + x, drawn->width);
        const Print *found = prints + (print >> (64 - PRINT_BITS));
        if (!print || found->x < 0 || found->check != (uint32_t)print) continue;
        const int32_t dx = found->x - x, dy = found->y - y;
        if (dx < -MOST_OFFSET || dx > MOST_OFFSET || dy < -MOST_OFFSET || dy > MOST_OFFSET) continue;
        Vote *to = votes + (((uint32_t)dx * 31 + (uint32_t)dy * 1021) & (VOTES - 1));
        if (to->count == 0) to->offset[0] = dx, to->offset[1] = dy;
        to->count += to->offset[0] == dx && to->offset[1] == dy ? 1 : -1;
    }
}

/* How many labels are those of the frame before, or in each row those of the moved one if these are more. */
static int64_t count_kept(const Drawn *drawn, int with_moved) {
    int64_t kept = 0;
    for (int y = 0; y < drawn->height; y++) {
        const uint16_t *row = drawn->known + (ptrdiff_t)y * drawn->width;
        const ptrdiff_t at = (3 + y) * drawn->stride + MARGIN;
        int same = 0, same_moved = 0;
        for (int x = 0; x < drawn->width; x++) {
            same += row[x] == drawn->reference[at + x];
            same_moved += row[x] == drawn->moved[at + x];
        }
        kept += with_moved && same_moved > same ? same_moved : same;
    }
    return kept;
}

/* Finds by how much most of the labels to be coded have moved since the frame before; 0 where that does not
   pay. */
void kmc_drawn_find_offset(Drawn *drawn) {
    const int64_t pixels = (int64_t)drawn->width * drawn->height, kept = count_kept(drawn, 0);
    Print *prints = malloc(sizeof *prints << PRINT_BITS);
    Vote *votes = calloc(VOTES, sizeof *votes), *most = votes;
    drawn->offset[0] = drawn->offset[1] = 0;
    if (prints && votes && pixels - kept > pixels / 32) {
        take_prints(drawn, prints);
        for (int y = 0; y + 1 < drawn->height; y++) vote(drawn, y, prints, votes);
        for (Vote *one = votes; one < votes + VOTES; one++) most = one->count > most->count ? one : most;
        memcpy(drawn->offset, most->offset, sizeof drawn->offset);
        move_reference(drawn);
        if (count_kept(drawn, 1) < kept + (pixels - kept) / 4) drawn->offset[0] = drawn->offset[1] = 0;
    }
    free(prints);
    free(votes);
}

/* Codes by how much most labels have moved. */
void kmc_drawn_code_offset(Drawn *drawn, int decoding) {
    ReferenceBits *bits = &drawn->adaptive->reference;
    for (int i = 0; i < 2; i++) {
        const int offset = drawn->offset[i], size = offset < 0 ? -offset : offset;
        drawn->offset[i] = 0;
        if (range_adaptive(&drawn->coder, &bits->none[i], offset == 0, decoding)) continue;
        const int negative = range_adaptive(&drawn->coder, &bits->negative[i], offset < 0, decoding);
        const int coded =
            1 + kmc_drawn_distance(&drawn->coder, &bits->offset[i], size - 1, MOST_OFFSET - 1, decoding);
        drawn->offset[i] = negative ? -coded : coded;
    }
    drawn->has_moved = drawn->offset[0] || drawn->offset[1];
    if (drawn->has_moved) move_reference(drawn);
}

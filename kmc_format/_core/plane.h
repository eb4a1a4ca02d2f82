/* Where decoded labels go. */
#ifndef KMC_PLANE_H
#define KMC_PLANE_H

#include "common.h"

/* Rows of `width` items of one or two bytes. The codings number the labels in an order of their own; `names`
   tells the label of each number. */
typedef struct {
    void *items;
    size_t width;
    int item_size;
    const uint16_t *names;
} Plane;

/* Fills row y with the labels of these numbers. */
ALWAYS_INLINE void put_row(const Plane *plane, size_t y, const uint16_t *numbers) {
    const uint16_t *names = plane->names;
    if (plane->item_size == 1) {
        uint8_t *row = (uint8_t *)plane->items + y * plane->width;
        for (size_t x = 0; x < plane->width; x++) row[x] = (uint8_t)names[numbers[x]];
    } else {
        uint16_t *row = (uint16_t *)plane->items + y * plane->width;
        for (size_t x = 0; x < plane->width; x++) row[x] = names[numbers[x]];
    }
}

/* Fills row y, which is not the first, like the one above. */
ALWAYS_INLINE void repeat_row(const Plane *plane, size_t y) {
    const size_t bytes = plane->width * (size_t)plane->item_size;
    uint8_t *row = (uint8_t *)plane->items + y * bytes;
    memcpy(row, row - bytes, bytes);
}

#endif

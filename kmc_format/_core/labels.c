#include "labels.h"

#include "drawn.h"
#include "photo.h"

int count_options(int coding) {
    return coding == CODING_DRAWN ? DRAWN_OPTIONS : coding == CODING_PHOTOGRAPHIC ? 2 : 0;
}

size_t encode_labels(const Tile *tile, const uint16_t *numbers, int coding, int options, uint8_t *out,
                     size_t room) {
    if (coding == CODING_DRAWN) {
        return kmc_drawn_encode(numbers, tile->width, tile->height, tile->k, tile->colours, options, out,
                                room);
    }
    return kmc_photo_encode(numbers, tile->width, tile->height, tile->k, tile->colours, options, out, room);
}

const char *decode_labels(const Tile *tile, const uint8_t *data, size_t length, int coding, int options,
                          const Plane *plane) {
    int result;
    if (coding == CODING_DRAWN) {
        result = kmc_drawn_decode(data, length, plane, tile->height, tile->k, tile->colours, options);
    } else {
        result = kmc_photo_decode(data, length, plane, tile->height, tile->k, tile->colours, options);
    }
    static const char *const rules[] = {NULL, "label", "labels-length",
                                        ""}; /* in the order of both results */
    return rules[result];
}

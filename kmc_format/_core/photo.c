#include "photo_model.h"

#include <stdlib.h>

#include "machine.h"

/* ---- Implementations ---- */

typedef int (*PhotoCoder)(Photo *photo, int decoding);

static PhotoCoder choose_coder(void) {
#if KMC_COMPACT
    return kmc_photo_code_base;
#else
#ifdef KMC_HAS_AVX2
    if (machine_path() == MACHINE_BEST && machine_has_avx2()) return kmc_photo_code_avx2;
#endif
    return machine_path() == MACHINE_PLAIN ? kmc_photo_code_plain : kmc_photo_code_base;
#endif
}

/* ---- Model ---- */

static void choose_shape(Photo *photo) {
    const int k = photo->k;
    photo->kind = k <= 8 ? PHOTO_SMALL : k <= 32 ? PHOTO_MIDDLE : PHOTO_LARGE;
    photo->lane_bits = (k > 16 && k <= 32) || (k > 256 && k <= 1024) || (k > 4096 && k <= 32768) ? 5 : 4;
    photo->lanes = 1 << photo->lane_bits;
    photo->digits = photo->nodes = 1;
    for (int reach = photo->lanes; reach < k; reach <<= photo->lane_bits) {
        photo->nodes = photo->nodes * photo->lanes + 1;
        photo->digits++;
    }
    photo->features = !photo->rich                 ? 3
                      : photo->kind == PHOTO_LARGE ? PHOTO_SINGLES + PHOTO_CELLS
                                                   : PHOTO_FEATURES;
}

/* How many rows a feature has. */
static size_t count_rows(const Photo *photo, int feature) {
    if (photo->digits > 2 || (photo->rich && feature >= PHOTO_SINGLES)) return (size_t)1 << PHOTO_HASHED;
    if (!photo->rich && photo->kind == PHOTO_SMALL) return feature == 0 ? 4096 : 512;
    if (!photo->rich && photo->kind == PHOTO_MIDDLE && feature < 2) return (size_t)1 << 2 * photo->lane_bits;
    return (size_t)photo->k * (size_t)photo->nodes;
}

static void find_middles(Photo *photo) {
    const size_t plane = (size_t)photo->nodes * (size_t)photo->lanes;
    int16_t *middle = photo->middles;
    for (int d = photo->digits - 1, n = photo->lanes; d >= 0; d--, n *= photo->lanes) {
        const int span = 1 << photo->lane_bits * d;
        for (int i = 0; i < n; i++, middle++) {
            const int first = i * span, there = min_int(span, photo->k - first);
            for (int c = 0; c < 4; c++)
                middle[(size_t)c * plane] =
                    there > 0 ? photo->colours[4 * (size_t)(first + (there >> 1)) + (size_t)c] : 0;
            middle[4 * plane] = there > 0 ? 0 : PHOTO_FAR;
        }
    }
}

static void close_photo(Photo *photo) {
    for (int f = 0; f < photo->features; f++) {
        free(photo->blocks[f]);
        free(photo->visits[f]);
    }
    free(photo->colours);
    free(photo->middles);
    for (int i = 0; i < PHOTO_ROWS + 2; i++)
        if (photo->lines[i]) free(photo->lines[i] - PHOTO_MARGIN);
    free(photo->intervals);
}

static int open_lines(Photo *photo) {
    for (int i = 0; i < PHOTO_ROWS + 2; i++) {
        uint16_t *line = calloc((size_t)photo->width + 2 * PHOTO_MARGIN, sizeof *line);
        if (!line) return 0;
        photo->lines[i] = line + PHOTO_MARGIN;
    }
    return 1;
}

/* Make the tables; rows of logits are set at their first visit. Returns 0 if there is no memory. */
static int open_photo(Photo *photo, int width, int height, int k, const uint8_t *colours, int rich) {
    memset(photo, 0, sizeof *photo);
    photo->width = width, photo->height = height, photo->k = k, photo->rich = rich != 0;
    choose_shape(photo);
    for (int f = 0; f < photo->features; f++) {
        const size_t n = count_rows(photo, f);
        photo->blocks[f] = malloc(n * sizeof(int16_t) * (size_t)photo->lanes + 64);
        photo->rows[f] = (int16_t *)(((uintptr_t)photo->blocks[f] + 63) & ~(uintptr_t)63);
        photo->visits[f] = calloc(n, 1);
        if (!photo->blocks[f] || !photo->visits[f]) return 0;
    }
    photo->colours = malloc(sizeof(int16_t) * 4 * (size_t)k);
    photo->middles = malloc(sizeof(int16_t) * 5 * (size_t)photo->nodes * (size_t)photo->lanes);
    if (!photo->colours || !photo->middles || !open_lines(photo)) return 0;
    for (size_t i = 0; i < 4 * (size_t)k; i++) photo->colours[i] = colours[i];
    find_middles(photo);
    for (uint32_t n = 1; n < 256; n++) /* 2^12 or 2^11 / sqrt(n + 2) */
        photo->rates[n] = (int16_t)isqrt(((uint32_t)1 << (rich ? 23 : 24)) / (n + 2));
    return 1;
}

/* ---- Bytes: four states of 32 bits, then words of 16 bits, all big-endian ---- */

static void store_big16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }

/* Undo what the decoder does, from its end to its start, and so write from the end of `out`. Returns the
 * first byte's place, or room + 1 if there is no room. */
static size_t write_states(const Photo *photo, uint8_t *out, size_t room) {
    uint32_t states[PHOTO_STATES];
    size_t at = room;
    for (int i = 0; i < PHOTO_STATES; i++) states[i] = PHOTO_STATE_LOW;
    for (size_t n = photo->coded; n-- > 0;) {
        const uint32_t interval = photo->intervals[n], start = interval & 32767,
                       size = interval >> 15 & 32767;
        uint32_t *state = &states[interval >> 30];
        if (*state >> 17 >= size) {
            if (at < 2) return room + 1;
            at -= 2;
            store_big16(out + at, *state);
            *state >>= 16;
        }
        *state = (*state / size << PHOTO_PROBABILITY) + *state % size + start;
    }
    if (at < 4 * PHOTO_STATES) return room + 1;
    at -= 4 * PHOTO_STATES;
    for (int i = 0; i < PHOTO_STATES; i++) store_big32(out + at + 4 * i, states[i]);
    return at;
}

size_t kmc_photo_encode(const uint16_t *labels, int width, int height, int k, const uint8_t *colours,
                        int rich, uint8_t *out, size_t room) {
    Photo photo;
    size_t length = SIZE_MAX;
    if (open_photo(&photo, width, height, k, colours, rich)) {
        const size_t pixels = (size_t)width * (size_t)height;
        photo.known = labels;
        const size_t digits = pixels * (size_t)photo.digits;
        photo.intervals = digits > SIZE_MAX / 4 ? NULL : malloc(digits * sizeof(uint32_t));
        if (photo.intervals && choose_coder()(&photo, 0) == PHOTO_OK) {
            const size_t at = write_states(&photo, out, room);
            length = at > room ? 0 : room - at;
            memmove(out, out + room - length, length);
        }
    }
    close_photo(&photo);
    return length;
}

int kmc_photo_decode(const uint8_t *data, size_t length, const Plane *plane, int height, int k,
                     const uint8_t *colours, int rich) {
    Photo photo;
    int result = PHOTO_MEMORY;
    if (length < 4 * PHOTO_STATES) return PHOTO_LENGTH;
    if (open_photo(&photo, (int)plane->width, height, k, colours, rich)) {
        for (int i = 0; i < PHOTO_STATES; i++) photo.states[i] = load_big32(data + 4 * i);
        photo.at = 4 * PHOTO_STATES;
        photo.data = data, photo.length = length, photo.plane = *plane;
        result = choose_coder()(&photo, 1);
        if (result == PHOTO_OK && photo.at != length) result = PHOTO_LENGTH;
        for (int i = 0; i < PHOTO_STATES; i++)
            if (result == PHOTO_OK && photo.states[i] != PHOTO_STATE_LOW) result = PHOTO_LENGTH;
    }
    close_photo(&photo);
    return result;
}

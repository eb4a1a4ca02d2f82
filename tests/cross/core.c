/* Decodes what run.py takes out of the golden files, and codes it again if a writer made it, on all paths of
   the machine; prints what differs. It needs no Python, so that it runs under an emulator. Numbers in the
   file are little-endian. */
#include <stdio.h>
#include <stdlib.h>

#include "codebook.h"
#include "labels.h"
#include "machine.h"

enum { END, CODEBOOK, LABELS };

static FILE *file;
static int failures;

static uint32_t take(void) {
    uint8_t b[4];
    if (fread(b, 1, 4, file) != 4) exit(2);
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void *room_for(size_t count, size_t size) {
    void *block = calloc(count + 1, size);
    if (!block) exit(3);
    return block;
}

static uint8_t *take_bytes(size_t count) {
    uint8_t *bytes = room_for(count, 1);
    if (fread(bytes, 1, count, file) != count) exit(2);
    return bytes;
}

static void expect(int condition, const char *name, const char *what, int path) {
    if (!condition && failures++ < 20) printf("%s: %s, path %d\n", name, what, path);
}

static void check_codebook(const char *name) {
    const uint32_t is_written = take();
    Codebook given = {NULL, take(), (int)take(), (int)take()};
    const size_t count = given.k * (size_t)given.channels, length = take();
    uint8_t *coded = take_bytes(length);
    given.words = room_for(count, sizeof *given.words);
    for (size_t i = 0; i < count; i++) given.words[i] = take();

    Codebook decoded = given;
    decoded.words = room_for(count, sizeof *decoded.words);
    expect(decode_codebook(&decoded, coded, length), name, "a codebook is rejected", 0);
    expect(!memcmp(decoded.words, given.words, count * sizeof *given.words), name, "another codebook", 0);
    uint8_t *again = room_for(codebook_room(&given), 1);
    const size_t n = encode_codebook(&given, again);
    expect(!is_written || (n == length && !memcmp(again, coded, n)), name, "other bytes", 0);
    free(again);
    free(decoded.words);
    free(given.words);
    free(coded);
}

typedef struct {
    Tile tile;
    int coding, options;
    size_t pixels, length;
    uint8_t *coded;
    uint16_t *numbers, *names;
} Case;

static void check_decoding(const char *name, const Case *given, int item_size, int path) {
    const Tile *tile = &given->tile;
    const Plane plane = {room_for(given->pixels, (size_t)item_size), (size_t)tile->width, item_size,
                         given->names};
    const char *rule =
        decode_labels(tile, given->coded, given->length, given->coding, given->options, &plane);
    expect(!rule, name, rule ? rule : "", path);
    int same = 1;
    for (size_t i = 0; i < given->pixels; i++) {
        const int label = item_size == 1 ? ((uint8_t *)plane.items)[i] : ((uint16_t *)plane.items)[i];
        same &= label == given->numbers[i];
    }
    expect(same, name, "other labels", path);
    free(plane.items);
}

static void check_labels(const char *name) {
    const uint32_t is_written = take();
    Case given = {
        {(int)take(), (int)take(), (int)take(), NULL}, (int)take(), (int)take(), 0, take(), NULL, NULL, NULL};
    const size_t k = (size_t)given.tile.k;
    uint8_t *colours = take_bytes(4 * k);
    given.tile.colours = colours;
    given.pixels = (size_t)given.tile.width * (size_t)given.tile.height;
    given.coded = take_bytes(given.length);
    given.numbers = room_for(given.pixels, sizeof *given.numbers);
    given.names = room_for(k, sizeof *given.names);
    for (size_t i = 0; i < given.pixels; i++) given.numbers[i] = (uint16_t)take();
    for (size_t i = 0; i < k; i++) given.names[i] = (uint16_t)i;

    const size_t room = 64 + 16 * given.pixels;
    uint8_t *again = room_for(room, 1);
    for (int path = MACHINE_PLAIN; path <= MACHINE_BEST; path++) {
        set_machine_path(path);
        check_decoding(name, &given, 2, path);
        if (k <= 256) check_decoding(name, &given, 1, path);
        const size_t n = encode_labels(&given.tile, given.numbers, given.coding, given.options, again, room);
        expect(!is_written || (n == given.length && !memcmp(again, given.coded, n)), name, "other bytes",
               path);
    }
    free(again);
    free(given.names);
    free(given.numbers);
    free(given.coded);
    free(colours);
}

int main(int count, char **arguments) {
    file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) return 2;
    int cases = 0;
    for (uint32_t kind; (kind = take()) != END; cases++) {
        char *name = (char *)take_bytes(take());
        if (kind == CODEBOOK)
            check_codebook(name);
        else
            check_labels(name);
        free(name);
    }
    fclose(file);
    printf("%d cases, %d failures\n", cases, failures);
    return failures != 0 || cases == 0;
}

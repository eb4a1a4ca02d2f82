/* A target of libFuzzer for the compiled core: label codings, frames and codebook, without Python.

     clang -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Ikmc_format/_core \
         tests/fuzz/core.c $(ls kmc_format/_core/[!bm]*.c kmc_format/_core/machine.c) -o core-fuzzer
     python -I tests/fuzz/seeds.py seeds
     ./core-fuzzer -runs=100000 -max_len=3000 seeds

   The first bytes of an input say what the others are to be decoded as. What decodes is coded again, and has to
   come back; plain C and the best vectors have to agree on everything. */
#include <stdio.h>
#include <stdlib.h>

#include "codebook.h"
#include "drawn.h"
#include "labels.h"
#include "machine.h"

enum { HEAD = 6, MOST_PIXELS = 4096, FRAME_HEAD = 3, MOST_FRAMES = 6 };

static void expect(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "find: %s\n", what);
    abort();
}

static void *room_for(size_t count, size_t size) {
    void *block = calloc(count, size);
    expect(block != NULL, "no memory");
    return block;
}

static void try_codebook(const uint8_t *head, const uint8_t *data, size_t size) {
    Codebook codebook = {NULL, 1 + (head[1] | (size_t)(head[2] & 15) << 8), 1 + (head[2] >> 4) % 4, 8 << head[3] % 3};
    const size_t count = codebook.k * (size_t)codebook.channels;
    codebook.words = room_for(count, sizeof *codebook.words);
    if (decode_codebook(&codebook, data, size)) {
        Codebook again = codebook;
        again.words = room_for(count, sizeof *again.words);
        uint8_t *coded = room_for(codebook_room(&codebook), 1);
        const size_t length = encode_codebook(&codebook, coded);
        expect(length <= codebook_room(&codebook), "a codebook takes more than it may");
        expect(decode_codebook(&again, coded, length), "its own codebook is rejected");
        expect(!memcmp(again.words, codebook.words, count * sizeof *again.words), "another codebook");
        free(coded);
        free(again.words);
    }
    free(codebook.words);
}

/* Decodes into a new plane, by one path. */
static const char *decode_by(int path, const Tile *tile, const uint8_t *data, size_t size, int coding, int options,
                             Plane *plane) {
    plane->items = room_for((size_t)tile->width * (size_t)tile->height, sizeof(uint16_t));
    set_machine_path(path);
    return decode_labels(tile, data, size, coding, options, plane);
}

static void code_again(const Tile *tile, const uint16_t *numbers, int coding, int options, Plane *plane) {
    const size_t pixels = (size_t)tile->width * (size_t)tile->height, room = 64 + 16 * pixels;
    uint8_t *one = room_for(room, 1), *other = room_for(room, 1);
    set_machine_path(MACHINE_PLAIN);
    const size_t length = encode_labels(tile, numbers, coding, options, one, room);
    set_machine_path(MACHINE_BEST);
    expect(encode_labels(tile, numbers, coding, options, other, room) == length, "paths code another length");
    expect(length <= room && !memcmp(one, other, length), "paths code other bytes");
    expect(!decode_by(MACHINE_BEST, tile, one, length, coding, options, plane), "its own labels are rejected");
    expect(!memcmp(plane->items, numbers, sizeof *numbers * pixels), "its own labels are others");
    free(plane->items);
    free(one);
    free(other);
}

static const int edges[16] = {1, 2, 8, 9, 16, 17, 32, 33, 256, 257, 1024, 1025, 4096, 4097, 32769, 65536};

static void try_labels(const uint8_t *head, const uint8_t *data, size_t size) {
    const int coding = head[0] % 4, options = head[1] % count_options(coding);
    Tile tile = {1 + head[3] % 64, 0, head[2] & 1 ? edges[head[2] >> 4] : 1 + head[2], NULL};
    tile.height = 1 + head[4] % (MOST_PIXELS / tile.width) % 99;
    const size_t k = (size_t)tile.k, pixels = (size_t)tile.width * (size_t)tile.height;
    uint8_t *colours = room_for(k, 4);
    uint16_t *names = room_for(k, sizeof *names);
    for (size_t i = 0; i < 4 * k; i++) colours[i] = (uint8_t)(i * head[5] >> 2);
    for (size_t i = 0; i < k; i++) names[i] = (uint16_t)i;
    tile.colours = colours;

    Plane plain = {NULL, (size_t)tile.width, 2, names}, best = plain;
    const char *verdict = decode_by(MACHINE_PLAIN, &tile, data, size, coding, options, &plain);
    expect(decode_by(MACHINE_BEST, &tile, data, size, coding, options, &best) == verdict, "paths disagree");
    expect(!verdict || *verdict, "no memory to decode");
    if (!verdict) {
        expect(!memcmp(plain.items, best.items, sizeof *names * pixels), "paths decode other labels");
        for (size_t i = 0; i < pixels; i++) expect(((uint16_t *)best.items)[i] < tile.k, "a label is not below k");
        Plane again = best;
        code_again(&tile, best.items, coding, options, &again);
    }
    free(plain.items);
    free(best.items);
    free(names);
    free(colours);
}

/* The frames of a tile by one path: decoded, coded, or both. */
typedef struct {
    DrawnFrames *frames;
    Plane plane;
    int path;
} Film;

static Film open_film(int path, const Tile *tile, int options, const uint16_t *names) {
    const size_t pixels = (size_t)tile->width * (size_t)tile->height;
    Film film = {kmc_drawn_open_frames(tile->width, tile->height, tile->k, tile->colours, options),
                 {room_for(pixels, sizeof *names), (size_t)tile->width, 2, names}, path};
    expect(film.frames != NULL, "no memory for frames");
    return film;
}

static int decode_frame(const Film *film, const uint8_t *data, size_t size, int options) {
    set_machine_path(film->path);
    return kmc_drawn_decode_frame(film->frames, data, size, &film->plane, options);
}

/* Each frame is options, its length in two bytes, and so many bytes. What decodes is coded and decoded again. */
static void try_frames(const uint8_t *head, const uint8_t *data, size_t size) {
    Tile tile = {1 + head[3] % 64, 0, head[2] & 1 ? edges[head[2] >> 4] : 1 + head[2], NULL};
    tile.height = 1 + head[4] % (MOST_PIXELS / tile.width) % 99;
    const size_t k = (size_t)tile.k, pixels = (size_t)tile.width * (size_t)tile.height, room = 64 + 16 * pixels;
    const int kind = DRAWN_FRAMES | DRAWN_MATCH | (head[1] & DRAWN_RICH);
    uint8_t *colours = room_for(k, 4), *coded = room_for(room, 1);
    uint16_t *names = room_for(k, sizeof *names);
    for (size_t i = 0; i < 4 * k; i++) colours[i] = (uint8_t)(i * head[5] >> 2);
    for (size_t i = 0; i < k; i++) names[i] = (uint16_t)i;
    tile.colours = colours;
    Film films[4] = {open_film(MACHINE_PLAIN, &tile, kind, names), open_film(MACHINE_BEST, &tile, kind, names),
                     open_film(MACHINE_PLAIN, &tile, kind, names), open_film(MACHINE_BEST, &tile, kind, names)};
    for (int n = 0; n < MOST_FRAMES && size >= FRAME_HEAD; n++) {
        size_t length = (size_t)data[1] << 8 | data[2];
        const int options = kind | (data[0] & (DRAWN_LIST | DRAWN_STILL));
        data += FRAME_HEAD, size -= FRAME_HEAD;
        length = length > size ? size : length;
        const int verdict = decode_frame(&films[0], data, length, options);
        expect(decode_frame(&films[1], data, length, options) == verdict, "paths disagree on a frame");
        data += length, size -= length;
        if (verdict != DRAWN_OK) continue; /* all that follow are broken, too */
        const uint16_t *labels = films[0].plane.items;
        expect(!memcmp(labels, films[1].plane.items, sizeof *names * pixels), "paths decode another frame");
        for (size_t i = 0; i < pixels; i++) expect(labels[i] < tile.k, "a label of a frame is not below k");
        set_machine_path(films[2].path);
        const size_t again = kmc_drawn_encode_frame(films[2].frames, labels, options, coded, room);
        expect(again <= room, "a frame finds no room");
        expect(decode_frame(&films[3], coded, again, options) == DRAWN_OK, "its own frame is rejected");
        expect(!memcmp(labels, films[3].plane.items, sizeof *names * pixels), "its own frame is another");
    }
    for (int i = 0; i < 4; i++) {
        kmc_drawn_close_frames(films[i].frames);
        free(films[i].plane.items);
    }
    free(colours);
    free(coded);
    free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD) return 0;
    if (data[0] % 4 == 3) try_frames(data, data + HEAD, size - HEAD);
    else if (count_options(data[0] % 4)) try_labels(data, data + HEAD, size - HEAD);
    else try_codebook(data, data + HEAD, size - HEAD);
    return 0;
}

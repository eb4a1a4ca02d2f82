/* The decoder of the compiled core for WebAssembly: its functions as they are called from JavaScript, and the
   memory that they take. Pointers are offsets in that memory; every caller makes room, and copies. */
#include <stdlib.h>
#include <string.h>

#include "codebook.h"
#include "drawn.h"
#include "labels.h"
#include "photo.h"

#define EXPORT(NAME) __attribute__((export_name(#NAME)))

/* --- What there is of a C library. Compilers make one instruction of the first three. --- */

void *memcpy(void *to, const void *from, size_t size) { return __builtin_memcpy(to, from, size); }

void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }

void *memset(void *to, int value, size_t size) { return __builtin_memset(to, value, size); }

int memcmp(const void *one, const void *other, size_t size) {
    const uint8_t *a = one, *b = other;
    while (size && *a == *b) size--, a++, b++;
    return size ? *a - *b : 0;
}

/* --- Memory: blocks in the order of their addresses, of which those that are free are in a list --- */

enum { HEAD = 16, PAGE = 65536 };

typedef struct Free {
    size_t size; /* of the block, this head included */
    struct Free *next;
} Free;

extern char __heap_base; /* the linker's: what comes after all variables */
static Free *free_blocks;
static char *fresh; /* from here on, nothing was ever used, and all bytes are 0 */

/* Takes memory that was never used; NULL if the page's limit is reached. */
static Free *extend(size_t size) {
    if (!fresh) fresh = (char *)(((uintptr_t)&__heap_base + HEAD - 1) & ~(uintptr_t)(HEAD - 1));
    const size_t room = __builtin_wasm_memory_size(0) * PAGE - (size_t)fresh;
    if (size > room && __builtin_wasm_memory_grow(0, (size - room + PAGE - 1) / PAGE) == SIZE_MAX)
        return NULL;
    Free *block = (Free *)fresh;
    block->size = size;
    fresh += size;
    return block;
}

/* Takes the first free block that is large enough; returns NULL if there is none. */
static Free *reuse(size_t size) {
    for (Free **at = &free_blocks; *at; at = &(*at)->next) {
        Free *block = *at;
        if (block->size < size) continue;
        if (block->size - size <= HEAD) {
            *at = block->next;
        } else {
            Free *rest = (Free *)((char *)block + size);
            rest->size = block->size - size;
            rest->next = block->next;
            block->size = size;
            *at = rest;
        }
        return block;
    }
    return NULL;
}

static void *take(size_t size, int zeros) {
    if (size > (size_t)1 << 30) return NULL;
    size = (size + HEAD + HEAD - 1) & ~(size_t)(HEAD - 1);
    Free *block = reuse(size);
    if (block && zeros) memset((char *)block + HEAD, 0, size - HEAD);
    if (!block) block = extend(size);
    return block ? (char *)block + HEAD : NULL;
}

EXPORT(take) void *malloc(size_t size) { return take(size, 0); }

void *calloc(size_t count, size_t size) {
    return size && count > SIZE_MAX / size ? NULL : take(count * size, 1);
}

/* Joins a block with those beside it that are free. */
EXPORT(drop) void free(void *place) {
    if (!place) return;
    Free *block = (Free *)((char *)place - HEAD), *before = NULL, *after = free_blocks;
    while (after && after < block) before = after, after = after->next;
    block->next = after;
    if (after && (char *)block + block->size == (char *)after) {
        block->size += after->size;
        block->next = after->next;
    }
    if (!before) {
        free_blocks = block;
    } else if ((char *)before + before->size == (char *)block) {
        before->size += block->size;
        before->next = block->next;
    } else {
        before->next = block;
    }
}

/* --- Codings: what they return is DrawnResult's, which PhotoResult has in the same order --- */

EXPORT(codebook)
int codebook(uint32_t *words, size_t k, int channels, int bits, const uint8_t *coded, size_t size) {
    const Codebook codebook = {words, k, channels, bits};
    return decode_codebook(&codebook, coded, size);
}

/* Decodes a tile: of frames the next one, if there are such, or one by itself. */
EXPORT(labels)
int labels(int coding, int options, const uint8_t *coded, size_t size, void *items, int item_size, int width,
           int height, int k, const uint16_t *names, const uint8_t *colours, DrawnFrames *frames) {
    const Plane plane = {items, (size_t)width, item_size, names};
    if (frames) return kmc_drawn_decode_frame(frames, coded, size, &plane, options);
    return (coding == CODING_DRAWN ? kmc_drawn_decode : kmc_photo_decode)(coded, size, &plane, height, k,
                                                                          colours, options);
}

/* Rows of frames are kept with margins, which in narrow tiles take more than their labels. */
EXPORT(begin) DrawnFrames *begin(int width, int height, int k, const uint8_t *colours, int options) {
    if (((uint64_t)width + 32) * ((uint64_t)height + 4) > (uint64_t)1 << 28) return NULL;
    return kmc_drawn_open_frames(width, height, k, colours, options);
}

EXPORT(after) void after(DrawnFrames *frames, const uint16_t *numbers) {
    kmc_drawn_begin_after(frames, numbers);
}

EXPORT(copy) DrawnFrames *copy(const DrawnFrames *frames) { return kmc_drawn_copy_frames(frames); }

EXPORT(end) void end(DrawnFrames *frames) { kmc_drawn_close_frames(frames); }

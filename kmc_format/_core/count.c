#include <stdlib.h>

#include "mapping.h"

/* A hash table of values, which are numbered as they come. At most half of its slots are taken. */
typedef struct {
    uint32_t value;
    uint32_t next_number; /* the value's number plus one, or 0 where the slot is free */
} Slot;

typedef struct {
    size_t count;
    int bits; /* log2 of the slots */
    Slot *slots;
    uint32_t *values; /* by number */
    uint32_t *counts;
} Counter;

/* Where a value is, or belongs: Fibonacci hashing (Knuth 6.4), linear probing. */
ALWAYS_INLINE size_t find_slot(const Slot *slots, int bits, uint32_t value) {
    const size_t mask = ((size_t)1 << bits) - 1;
    size_t at = (value * UINT32_C(0x9E3779B1)) >> (32 - bits);
    while (slots[at].next_number && slots[at].value != value) at = (at + 1) & mask;
    return at;
}

/* Makes room for 2^(bits - 1) values; returns whether there was memory. */
static int grow(Counter *counter, int bits) {
    const size_t half = (size_t)1 << (bits - 1);
    if (bits > 31) return 0;
    Slot *slots = calloc(2 * half, sizeof *slots);
    uint32_t *values = realloc(counter->values, half * sizeof *values);
    if (values) counter->values = values;
    uint32_t *counts = realloc(counter->counts, half * sizeof *counts);
    if (counts) counter->counts = counts;
    if (!slots || !values || !counts) {
        free(slots);
        return 0;
    }
    for (size_t i = 0; i < counter->count; i++) {
        Slot *slot = &slots[find_slot(slots, bits, values[i])];
        slot->value = values[i];
        slot->next_number = (uint32_t)i + 1;
    }
    free(counter->slots);
    counter->slots = slots;
    counter->bits = bits;
    return 1;
}

/* Puts numbers in the place of values from `start` on, up to the end or until the table is half full. */
static size_t number_values(Counter *counter, uint32_t *values, size_t n, size_t start) {
    const size_t limit = (size_t)1 << (counter->bits - 1);
    Slot *slots = counter->slots;
    uint32_t before = 0, number = 0;
    for (size_t i = start; i < n; i++) {
        const uint32_t value = values[i];
        if (value != before || i == start) {
            Slot *slot = &slots[find_slot(slots, counter->bits, value)];
            if (!slot->next_number) {
                if (counter->count >= limit) return i;
                slot->value = value;
                counter->values[counter->count] = value;
                counter->counts[counter->count] = 0;
                slot->next_number = (uint32_t)++counter->count;
            }
            number = slot->next_number - 1;
            before = value;
        }
        counter->counts[number]++;
        values[i] = number;
    }
    return n;
}

const char *count_values(uint32_t *values, size_t n, uint32_t **found, uint32_t **counts, size_t *count) {
    Counter counter = {0, 0, NULL, NULL, NULL};
    int room = grow(&counter, 10);
    for (size_t done = 0; room && done < n;) {
        done = number_values(&counter, values, n, done);
        if (done < n) room = grow(&counter, counter.bits + 1);
    }
    free(counter.slots);
    if (!room) {
        free(counter.values);
        free(counter.counts);
        return "";
    }
    *found = counter.values;
    *counts = counter.counts;
    *count = counter.count;
    return NULL;
}

#include "codebook.h"

#include "range.h"

#define NEAR_BACK 64    /* entries that are looked through for a near one */
#define REPEAT_BACK 128 /* steps that are looked through for a repeat */
#define LONGEST 8       /* steps in a row that are compared */
#define SHORTEST 2      /* steps in a row that make a repeat */
#define SMALL_STEP 2    /* up to here an ordinary number is cheaper than to ask for a repeat */
#define KINDS 16

/* The numbers of one kind. */
typedef struct {
    AdaptiveBit zero;
    AdaptiveBit negative;
    AdaptiveBit longer[32];
    AdaptiveBit second[33]; /* the bit below the leading 1, by length */
} NumberKind;

typedef struct {
    RangeCoder coder;
    NumberKind kinds[KINDS];
    AdaptiveBit repeats[LONGEST + 1];
    const Codebook *codebook;
    uint32_t mask;
    size_t like;   /* the entry whose step is to be repeated */
    size_t length; /* how many steps before were as those before it; 0: no repeat */
} Model;

/* Codes a signed number: whether it is 0, its sign, the length of its magnitude less one, and these bits. */
ALWAYS_INLINE int64_t code_number(RangeCoder *coder, NumberKind *kind, int64_t value, int decoding) {
    if (range_adaptive(coder, &kind->zero, value == 0, decoding)) return 0;
    const int negative = range_adaptive(coder, &kind->negative, value < 0, decoding);
    const uint64_t size = decoding ? 0 : (uint64_t)(value < 0 ? -value : value) - 1;
    int length = 0;
    while (length < 32) {
        if (!range_adaptive(coder, &kind->longer[length], size >> length != 0, decoding)) break;
        length++;
    }
    uint64_t coded = length > 0;
    for (int i = length - 2; i >= 0; i--) {
        const int bit = (int)(size >> i & 1);
        coded = coded << 1 |
                (uint64_t)(i == length - 2 ? range_adaptive(coder, &kind->second[length], bit, decoding)
                                           : range_bit(coder, 32768, bit, decoding));
    }
    return negative ? -(int64_t)coded - 1 : (int64_t)coded + 1;
}

/* --- Repeats --- */

/* Whether two entries differ alike from the ones before them. */
ALWAYS_INLINE int is_same_step(const Model *model, size_t one, size_t other) {
    const int channels = model->codebook->channels;
    const uint32_t *a = model->codebook->words + one * (size_t)channels;
    const uint32_t *b = model->codebook->words + other * (size_t)channels;
    for (int c = 0; c < channels; c++) {
        if ((a[c] - a[c - channels] - b[c] + b[c - channels]) & model->mask) return 0;
    }
    return 1;
}

/* Finds the longest stretch of steps like the last ones before entry n; of several, the last. */
static void find_repeat(Model *model, size_t n) {
    const size_t last = n - 1;
    size_t longest = SHORTEST - 1;
    for (size_t i = last - 1; i >= 1 && i + REPEAT_BACK >= last; i--) {
        size_t length = 0;
        while (length < LONGEST && length < i && is_same_step(model, last - length, i - length)) length++;
        if (length > longest) {
            longest = length;
            model->like = i + 1;
            model->length = length;
        }
    }
}

/* The sum of a step's channels, each taken upwards or downwards, whichever is less. */
static uint64_t step_size(const Model *model, size_t n) {
    const int channels = model->codebook->channels;
    const uint32_t *entry = model->codebook->words + n * (size_t)channels;
    uint64_t size = 0;
    for (int c = 0; c < channels; c++) {
        const uint32_t up = (entry[c] - entry[c - channels]) & model->mask, down = (0 - up) & model->mask;
        size += up < down ? up : down;
    }
    return size;
}

/* Asks whether an entry repeats a step, if one is expected; if so, the entry is known. */
ALWAYS_INLINE int code_repeat(Model *model, size_t n, int decoding) {
    if (n >= 2 && !model->length) find_repeat(model, n);
    if (!model->length || step_size(model, model->like) <= SMALL_STEP) return 0;
    AdaptiveBit *state = &model->repeats[model->length < LONGEST ? model->length : LONGEST];
    const int repeats = !decoding && is_same_step(model, n, model->like);
    if (!range_adaptive(&model->coder, state, repeats, decoding)) return 0;
    if (decoding) {
        const int channels = model->codebook->channels;
        uint32_t *entry = model->codebook->words + n * (size_t)channels;
        const uint32_t *like = model->codebook->words + model->like * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            entry[c] = (entry[c - channels] + like[c] - like[c - channels]) & model->mask;
        }
    }
    return 1;
}

/* --- Entries --- */

typedef struct {
    int64_t guess;
    int kind;
} Guess;

ALWAYS_INLINE int64_t distance(const uint32_t *a, const uint32_t *b, int channels) {
    int64_t sum = 0;
    for (int c = 0; c < channels; c++) sum += a[c] > b[c] ? a[c] - b[c] : b[c] - a[c];
    return sum;
}

/* Guesses a channel from the near entry whose channels before it are most like this one's. */
ALWAYS_INLINE Guess guess_channel(const Model *model, size_t n, int c) {
    const int channels = model->codebook->channels;
    const uint32_t *entry = model->codebook->words + n * (size_t)channels;
    const int follows = (c == 1 || c == 2) && channels >= 3; /* red, green and blue move together */
    if (n == 0) return (Guess){follows ? entry[c - 1] : 0, 12 + c};
    if (c == 0) return (Guess){entry[-channels], 0};
    const uint32_t *near = NULL;
    int64_t least = INT64_MAX;
    for (size_t back = 1; back <= n && back <= NEAR_BACK; back++) {
        const uint32_t *other = entry - back * (size_t)channels;
        const int64_t difference = distance(entry, other, c);
        if (difference < least) {
            least = difference;
            near = other;
        }
    }
    int64_t guess = near[c];
    if (follows) {
        guess += (int64_t)entry[c - 1] - near[c - 1];
        guess = guess < 0 ? 0 : guess > model->mask ? model->mask : guess;
    }
    return (Guess){guess, 3 * c + (least == 0 ? 0 : least < 3 ? 1 : 2)};
}

ALWAYS_INLINE void code_entries(Model *model, int decoding) {
    const int channels = model->codebook->channels;
    for (size_t n = 0; n < model->codebook->k; n++) {
        uint32_t *entry = model->codebook->words + n * (size_t)channels;
        for (int c = code_repeat(model, n, decoding) ? channels : 0; c < channels; c++) {
            const Guess guess = guess_channel(model, n, c);
            const int64_t value = decoding ? 0 : (int64_t)(entry[c] & model->mask) - guess.guess;
            const int64_t number = code_number(&model->coder, &model->kinds[guess.kind], value, decoding);
            if (decoding) entry[c] = (uint32_t)(guess.guess + number) & model->mask;
        }
        if (model->length && is_same_step(model, n, model->like)) {
            model->like++;
            model->length++;
        } else {
            model->length = 0;
        }
    }
}

static void start(Model *model, const Codebook *codebook) {
    model->codebook = codebook;
    model->mask = codebook->bits == 32 ? UINT32_MAX : (UINT32_C(1) << codebook->bits) - 1;
    model->like = model->length = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        NumberKind *numbers = &model->kinds[kind];
        range_forget(&numbers->zero, 1);
        range_forget(&numbers->negative, 1);
        range_forget(numbers->longer, 32);
        range_forget(numbers->second, 33);
    }
    range_forget(model->repeats, LONGEST + 1);
}

/* A number takes up to 66 bits, and a bit costs at most eleven, as its probability is at least 2^-11. */
size_t codebook_room(const Codebook *codebook) {
    return codebook->k * (size_t)codebook->channels * 96 + RANGE_SLACK;
}

size_t encode_codebook(const Codebook *codebook, uint8_t *coded) {
    Model model;
    start(&model, codebook);
    range_start_coding(&model.coder, coded, codebook_room(codebook));
    code_entries(&model, 0);
    return range_finish(&model.coder);
}

int decode_codebook(const Codebook *codebook, const uint8_t *coded, size_t size) {
    Model model;
    start(&model, codebook);
    if (!range_start_decoding(&model.coder, coded, size)) return 0;
    code_entries(&model, 1);
    return range_used_up(&model.coder);
}

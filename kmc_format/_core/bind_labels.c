/* From Python's arguments to the codings of codebooks and labels. Each function takes its buffers, checks
   that their sizes belong together, and works without the GIL. What the arguments mean is told in
   __init__.py. */
#include <stdlib.h>

#include "binding.h"
#include "codebook.h"
#include "drawn.h"
#include "labels.h"

static int are_below(const uint32_t *words, size_t count, int bits) {
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) all |= words[i];
    return (uint64_t)all >> bits == 0;
}

/* Describes a codebook that is in a buffer. */
static Codebook as_codebook(Buffers *buffers, const Py_buffer *words, int bits) {
    Codebook codebook = {0};
    if (buffers->failed) return codebook;
    require(buffers, bits == 8 || bits == 16 || bits == 32, "a channel has 8, 16 or 32 bits");
    require(buffers, 1 <= words->shape[0] && words->shape[0] <= 65536, "a codebook has 1 to 65,536 entries");
    require(buffers, 1 <= words->shape[1] && words->shape[1] <= 4, "an entry has 1 to 4 channels");
    codebook.words = words->buf;
    codebook.k = length_of(words, 0);
    codebook.channels = (int)words->shape[1];
    codebook.bits = bits;
    return codebook;
}

PyObject *call_encode_codebook(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *object, *result = NULL;
    int bits;
    KEYWORDS("words", "bits");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "Oi:encode_codebook", keywords, &object, &bits)) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *words = take_buffer(&buffers, object, "words", 'u', 4, 2, 0);
    const Codebook codebook = as_codebook(&buffers, words, bits);
    const char *problem = NULL;
    if (!buffers.failed) {
        const size_t count = codebook.k * (size_t)codebook.channels;
        require(&buffers, are_below(codebook.words, count, bits), "a word has more bits than a channel");
    }
    if (!buffers.failed) {
        uint8_t *coded = malloc(codebook_room(&codebook));
        size_t size = 0;
        if (coded) {
            Py_BEGIN_ALLOW_THREADS size = encode_codebook(&codebook, coded);
            Py_END_ALLOW_THREADS result = PyBytes_FromStringAndSize((const char *)coded, (Py_ssize_t)size);
        }
        problem = coded ? NULL : "";
        free(coded);
    }
    (void)module;
    return finish_call(&buffers, problem, result);
}

PyObject *call_decode_codebook(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[2];
    int bits, sound = 0;
    KEYWORDS("data", "words", "bits");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOi:decode_codebook", keywords, &objects[0],
                                     &objects[1], &bits)) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *data = take_buffer(&buffers, objects[0], "data", 'b', 1, 1, 0);
    const Py_buffer *words = take_buffer(&buffers, objects[1], "words", 'u', 4, 2, 1);
    const Codebook codebook = as_codebook(&buffers, words, bits);
    if (!buffers.failed) {
        Py_BEGIN_ALLOW_THREADS sound = decode_codebook(&codebook, data->buf, length_of(data, 0));
        Py_END_ALLOW_THREADS
    }
    (void)module;
    return finish_call(&buffers, NULL, PyBool_FromLong(sound));
}

/* Describes a tile of a size whose colours are in a buffer. */
static Tile as_tile(Buffers *buffers, Py_ssize_t width, Py_ssize_t height, const Py_buffer *colours) {
    Tile tile = {0};
    if (buffers->failed) return tile;
    require(buffers, 1 <= height && height <= INT32_MAX / 2 && 1 <= width && width <= INT32_MAX / 8,
            "a tile is at least one pixel wide and high, and not too large");
    require(buffers, 1 <= colours->shape[0] && colours->shape[0] <= 65536, "there are 1 to 65,536 colours");
    require(buffers, colours->shape[1] == 4, "a colour has four channels");
    tile.width = (int)width;
    tile.height = (int)height;
    tile.k = (int)colours->shape[0];
    tile.colours = colours->buf;
    return tile;
}

static Tile as_tile_of(Buffers *buffers, const Py_buffer *labels, const Py_buffer *colours) {
    const Tile none = {0};
    return buffers->failed ? none : as_tile(buffers, labels->shape[1], labels->shape[0], colours);
}

static int most_label(const uint16_t *labels, size_t count) {
    int most = 0;
    for (size_t i = 0; i < count; i++) most = labels[i] > most ? labels[i] : most;
    return most;
}

PyObject *call_encode_labels(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[2], *result = NULL;
    int coding, options;
    Py_ssize_t limit;
    KEYWORDS("numbers", "colours", "coding", "options", "limit");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOiin:encode_labels", keywords, &objects[0],
                                     &objects[1], &coding, &options, &limit)) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *numbers = take_buffer(&buffers, objects[0], "numbers", 'u', 2, 2, 0);
    const Py_buffer *colours = take_buffer(&buffers, objects[1], "colours", 'u', 1, 2, 0);
    const Tile tile = as_tile_of(&buffers, numbers, colours);
    const char *problem = NULL;
    if (!buffers.failed) {
        const size_t count = length_of(numbers, 0) * length_of(numbers, 1);
        require(&buffers, most_label(numbers->buf, count) < tile.k,
                "a number is not below that of the colours");
        require(&buffers, 0 <= options && options < count_options(coding), "there is no such coding");
        require(&buffers, 0 <= limit && limit < PTRDIFF_MAX / 2, "a limit is a number of bytes");
    }
    if (!buffers.failed) {
        uint8_t *coded = malloc((size_t)limit + 1);
        size_t size = SIZE_MAX;
        if (coded) {
            Py_BEGIN_ALLOW_THREADS size =
                encode_labels(&tile, numbers->buf, coding, options, coded, (size_t)limit);
            Py_END_ALLOW_THREADS
        }
        if (size == SIZE_MAX)
            problem = "";
        else if (size == 0)
            result = Py_NewRef(Py_None);
        else
            result = PyBytes_FromStringAndSize((const char *)coded, (Py_ssize_t)size);
        free(coded);
    }
    (void)module;
    return finish_call(&buffers, problem, result);
}

static Plane as_plane(const Py_buffer *labels, const Py_buffer *names) {
    const Plane plane = {labels->buf, length_of(labels, 1), (int)labels->itemsize, names->buf};
    return plane;
}

PyObject *call_decode_labels(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[4], *result = NULL;
    int coding, options;
    KEYWORDS("data", "labels", "names", "colours", "coding", "options");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOOOii:decode_labels", keywords, &objects[0],
                                     &objects[1], &objects[2], &objects[3], &coding, &options)) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *data = take_buffer(&buffers, objects[0], "data", 'b', 1, 1, 0);
    const Py_buffer *labels = take_labels(&buffers, objects[1]);
    const Py_buffer *names = take_buffer(&buffers, objects[2], "names", 'u', 2, 1, 0);
    const Py_buffer *colours = take_buffer(&buffers, objects[3], "colours", 'u', 1, 2, 0);
    const Tile tile = as_tile_of(&buffers, labels, colours);
    const char *problem = NULL;
    if (!buffers.failed) {
        require(&buffers, length_of(names, 0) == (size_t)tile.k, "there are not as many names as colours");
        require(&buffers, 0 <= options && options < count_options(coding), "there is no such coding");
    }
    if (!buffers.failed) {
        const Plane plane = as_plane(labels, names);
        const char *rule = NULL;
        Py_BEGIN_ALLOW_THREADS rule =
            decode_labels(&tile, data->buf, length_of(data, 0), coding, options, &plane);
        Py_END_ALLOW_THREADS if (rule && !*rule) problem = "";
        else result = PyUnicode_FromString(rule ? rule : "");
    }
    (void)module;
    return finish_call(&buffers, problem, result);
}

/* --- Frames ------------------------------------------------------------------------------------------------
 */

/* What Python holds frames by. While a call works with them, no other may. */
typedef struct {
    DrawnFrames *frames;
    int width, height, k, busy;
} Held;

static const char *const held_name = "kmc_format frames";

static void let_go(PyObject *capsule) {
    Held *held = PyCapsule_GetPointer(capsule, held_name);
    kmc_drawn_close_frames(held->frames);
    free(held);
}

/* Wraps frames, which are closed if that fails or there are none. */
static PyObject *hold(DrawnFrames *frames, int width, int height, int k) {
    Held *held = frames ? malloc(sizeof *held) : NULL;
    PyObject *capsule = held ? PyCapsule_New(held, held_name, let_go) : PyErr_NoMemory();
    if (capsule) {
        const Held new = {frames, width, height, k, 0};
        *held = new;
        return capsule;
    }
    free(held);
    if (frames) kmc_drawn_close_frames(frames);
    return NULL;
}

static Held *take_held(Buffers *buffers, PyObject *object) {
    Held *held = buffers->failed ? NULL : PyCapsule_GetPointer(object, held_name);
    if (!held) buffers->failed = 1;
    require(buffers, held && !held->busy, "the frames are in use by another thread");
    return held;
}

PyObject *call_open_frames(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *object, *result = NULL;
    int width, height, options;
    KEYWORDS("width", "height", "colours", "options");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "iiOi:open_frames", keywords, &width, &height, &object,
                                     &options)) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *colours = take_buffer(&buffers, object, "colours", 'u', 1, 2, 0);
    const Tile tile = as_tile(&buffers, width, height, colours);
    require(&buffers, kmc_drawn_are_options_of_frames(options), "there is no such coding");
    if (!buffers.failed) {
        DrawnFrames *frames = kmc_drawn_open_frames(width, height, tile.k, tile.colours, options);
        result = hold(frames, width, height, tile.k);
        buffers.failed = !result;
    }
    (void)module;
    return finish_call(&buffers, NULL, result);
}

PyObject *call_copy_frames(PyObject *module, PyObject *object) {
    Buffers buffers = {0};
    const Held *held = take_held(&buffers, object);
    (void)module;
    if (buffers.failed) return NULL;
    return hold(kmc_drawn_copy_frames(held->frames), held->width, held->height, held->k);
}

PyObject *call_size_of_frames(PyObject *module, PyObject *object) {
    Buffers buffers = {0};
    const Held *held = take_held(&buffers, object);
    (void)module;
    return buffers.failed ? NULL : PyLong_FromSize_t(kmc_drawn_size_of_frames(held->frames));
}

static void require_shape(Buffers *buffers, const Held *held, const Py_buffer *labels) {
    require(buffers, !buffers->failed && labels->shape[0] == held->height && labels->shape[1] == held->width,
            "the labels have another shape than the frames");
}

PyObject *call_encode_frame(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[2], *result = NULL;
    int options;
    Py_ssize_t limit;
    KEYWORDS("frames", "numbers", "options", "limit");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOin:encode_frame", keywords, &objects[0],
                                     &objects[1], &options, &limit)) {
        return NULL;
    }
    Buffers buffers = {0};
    Held *held = take_held(&buffers, objects[0]);
    const Py_buffer *numbers = take_buffer(&buffers, objects[1], "numbers", 'u', 2, 2, 0);
    require_shape(&buffers, held, numbers);
    const char *problem = NULL;
    if (!buffers.failed) {
        const size_t count = length_of(numbers, 0) * length_of(numbers, 1);
        require(&buffers, most_label(numbers->buf, count) < held->k,
                "a number is not below that of the colours");
        require(&buffers, kmc_drawn_are_options_of_frames(options), "there is no such coding");
        require(&buffers, 0 <= limit && limit < PTRDIFF_MAX / 2, "a limit is a number of bytes");
    }
    if (!buffers.failed) {
        uint8_t *coded = malloc((size_t)limit + 1);
        size_t size = DRAWN_NO_MEMORY;
        if (coded) {
            held->busy = 1;
            Py_BEGIN_ALLOW_THREADS size =
                kmc_drawn_encode_frame(held->frames, numbers->buf, options, coded, (size_t)limit);
            Py_END_ALLOW_THREADS held->busy = 0;
        }
        if (size == DRAWN_NO_MEMORY)
            problem = "";
        else if (size == DRAWN_NO_ROOM)
            result = Py_NewRef(Py_None);
        else
            result = PyBytes_FromStringAndSize((const char *)coded, (Py_ssize_t)size);
        free(coded);
    }
    (void)module;
    return finish_call(&buffers, problem, result);
}

PyObject *call_decode_frame(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[4], *result = NULL;
    int options;
    KEYWORDS("frames", "data", "labels", "names", "options");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOOOi:decode_frame", keywords, &objects[0],
                                     &objects[1], &objects[2], &objects[3], &options)) {
        return NULL;
    }
    Buffers buffers = {0};
    Held *held = take_held(&buffers, objects[0]);
    const Py_buffer *data = take_buffer(&buffers, objects[1], "data", 'b', 1, 1, 0);
    const Py_buffer *labels = take_labels(&buffers, objects[2]);
    const Py_buffer *names = take_buffer(&buffers, objects[3], "names", 'u', 2, 1, 0);
    require_shape(&buffers, held, labels);
    if (!buffers.failed) {
        require(&buffers, length_of(names, 0) == (size_t)held->k, "there are not as many names as colours");
        require(&buffers, kmc_drawn_are_options_of_frames(options), "there is no such coding");
    }
    if (!buffers.failed) {
        const Plane plane = as_plane(labels, names);
        int broken;
        held->busy = 1;
        Py_BEGIN_ALLOW_THREADS broken =
            kmc_drawn_decode_frame(held->frames, data->buf, length_of(data, 0), &plane, options);
        Py_END_ALLOW_THREADS held->busy = 0;
        static const char *const rules[] = {"", "label", "labels-length"};
        result = PyUnicode_FromString(rules[broken]);
    }
    (void)module;
    return finish_call(&buffers, NULL, result);
}

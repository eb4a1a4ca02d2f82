/* From Python's arguments to the codings of codebooks and labels. Each function takes its buffers, checks
   that their sizes belong together, and works without the GIL. What the arguments mean is told in
   __init__.py. */
#include <stdlib.h>

#include "binding.h"
#include "codebook.h"
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
Tile as_tile(Buffers *buffers, Py_ssize_t width, Py_ssize_t height, const Py_buffer *colours) {
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

int most_label(const uint16_t *labels, size_t count) {
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

Plane as_plane(const Py_buffer *labels, const Py_buffer *names) {
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

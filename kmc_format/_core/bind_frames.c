/* From Python's arguments to the frames of drawn labels, as bind_labels.c does for other labels. */
#include <stdlib.h>

#include "binding.h"
#include "drawn.h"
#include "labels.h"

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

static void require_numbers(Buffers *buffers, const Held *held, const Py_buffer *numbers) {
    require_shape(buffers, held, numbers);
    if (buffers->failed) return;
    const size_t count = length_of(numbers, 0) * length_of(numbers, 1);
    require(buffers, most_label(numbers->buf, count) < held->k, "a number is not below that of the colours");
}

PyObject *call_begin_after(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[2];
    KEYWORDS("frames", "numbers");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OO:begin_after", keywords, &objects[0], &objects[1])) {
        return NULL;
    }
    Buffers buffers = {0};
    Held *held = take_held(&buffers, objects[0]);
    const Py_buffer *numbers = take_buffer(&buffers, objects[1], "numbers", 'u', 2, 2, 0);
    require_numbers(&buffers, held, numbers);
    if (!buffers.failed) kmc_drawn_begin_after(held->frames, numbers->buf);
    (void)module;
    return finish_call(&buffers, NULL, Py_NewRef(Py_None));
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
    require_numbers(&buffers, held, numbers);
    const char *problem = NULL;
    if (!buffers.failed) {
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

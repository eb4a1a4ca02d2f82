/* From Python's arguments to the functions that quantising needs. Each function takes its buffers, checks
   that their sizes belong together, and works without the GIL. What the arguments mean is told in
   __init__.py. */
#include <stdlib.h>

#include "binding.h"
#include "choose.h"
#include "mapping.h"

PyObject *call_count(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *object, *result = NULL;
    KEYWORDS("values");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "O:count", keywords, &object)) return NULL;
    Buffers buffers = {0};
    const Py_buffer *values = take_buffer(&buffers, object, "values", 'u', 4, 1, 1);
    const char *problem = NULL;
    uint32_t *found = NULL, *counts = NULL;
    size_t size = 0;
    if (!buffers.failed) {
        Py_BEGIN_ALLOW_THREADS problem =
            count_values(values->buf, length_of(values, 0), &found, &counts, &size);
        Py_END_ALLOW_THREADS const Py_ssize_t bytes = (Py_ssize_t)(size * sizeof *found);
        if (!problem) result = Py_BuildValue("y#y#", (const char *)found, bytes, (const char *)counts, bytes);
        free(found);
        free(counts);
    }
    (void)module;
    return finish_call(&buffers, problem, result);
}

PyObject *call_nearest(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[3];
    KEYWORDS("points", "entries", "numbers");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOO:nearest", keywords, &objects[0], &objects[1],
                                     &objects[2])) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *points = take_buffer(&buffers, objects[0], "points", 'i', 4, 2, 0);
    const Py_buffer *entries = take_buffer(&buffers, objects[1], "entries", 'i', 4, 2, 0);
    const Py_buffer *numbers = take_buffer(&buffers, objects[2], "numbers", 'i', 4, 1, 1);
    const char *problem = NULL;
    if (!buffers.failed) {
        require(&buffers, points->shape[1] == entries->shape[1], "points and entries differ in dimensions");
        require(&buffers, points->shape[0] == numbers->shape[0], "there are not as many numbers as points");
        require(&buffers, points->shape[1] <= DIMENSIONS, "there are one to four dimensions");
    }
    if (!buffers.failed) {
        Py_BEGIN_ALLOW_THREADS problem =
            label_points(points->buf, length_of(points, 0), entries->buf, length_of(entries, 0),
                         (int)points->shape[1], numbers->buf);
        Py_END_ALLOW_THREADS
    }
    (void)module;
    return finish_call(&buffers, problem, Py_NewRef(Py_None));
}

static void check_dithering(Buffers *buffers, const Dithering *job, const Py_buffer *pinned,
                            const Py_buffer *coverage, const Py_buffer *limits, const Py_buffer *labels,
                            const Py_buffer *entries) {
    require(buffers, job->dimensions <= DIMENSIONS, "there are one to four dimensions");
    const size_t dimensions = (size_t)job->dimensions;
    require(buffers, length_of(entries, 1) == dimensions && length_of(limits, 1) == dimensions,
            "points, entries and limits differ in dimensions");
    require(buffers, length_of(pinned, 0) == job->colour_count && length_of(coverage, 0) == job->colour_count,
            "there are not as many of pinned and coverage as points");
    require(buffers, limits->shape[0] == 2, "limits are a row of least coordinates and one of the largest");
    require(buffers, length_of(labels, 0) == job->height && length_of(labels, 1) == job->width,
            "labels and pixels differ in shape");
}

PyObject *call_dither(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[7];
    int strength;
    KEYWORDS("pixels", "points", "entries", "pinned", "coverage", "limits", "strength", "labels");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOOOOOiO:dither", keywords, &objects[0], &objects[1],
                                     &objects[2], &objects[3], &objects[4], &objects[5], &strength,
                                     &objects[6])) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *pixels = take_buffer(&buffers, objects[0], "pixels", 'u', 4, 2, 0);
    const Py_buffer *points = take_buffer(&buffers, objects[1], "points", 'i', 4, 2, 0);
    const Py_buffer *entries = take_buffer(&buffers, objects[2], "entries", 'i', 4, 2, 0);
    const Py_buffer *pinned = take_buffer(&buffers, objects[3], "pinned", 'i', 4, 1, 0);
    const Py_buffer *coverage = take_buffer(&buffers, objects[4], "coverage", 'u', 1, 1, 0);
    const Py_buffer *limits = take_buffer(&buffers, objects[5], "limits", 'i', 4, 2, 0);
    const Py_buffer *labels = take_buffer(&buffers, objects[6], "labels", 'u', 2, 2, 1);
    const char *problem = NULL;
    if (!buffers.failed) {
        const Dithering job = {
            pixels->buf,          length_of(pixels, 0),  length_of(pixels, 1), points->buf,
            length_of(points, 0), (int)points->shape[1], entries->buf,         length_of(entries, 0),
            pinned->buf,          coverage->buf,         limits->buf,          strength,
            labels->buf,
        };
        check_dithering(&buffers, &job, pinned, coverage, limits, labels, entries);
        if (!buffers.failed) {
            Py_BEGIN_ALLOW_THREADS problem = dither_pixels(&job);
            Py_END_ALLOW_THREADS
        }
    }
    (void)module;
    return finish_call(&buffers, problem, Py_NewRef(Py_None));
}

/* Whether two buffers share no memory. */
static int are_apart(const Py_buffer *one, const Py_buffer *other) {
    const uintptr_t a = (uintptr_t)one->buf, b = (uintptr_t)other->buf;
    return a + (uintptr_t)one->len <= b || b + (uintptr_t)other->len <= a;
}

PyObject *call_choose_labels(PyObject *module, PyObject *arguments, PyObject *named) {
    PyObject *objects[9] = {NULL};
    long long lagrange;
    int64_t bytes = 0;
    KEYWORDS("pixels", "points", "entries", "nearest", "farthest", "lagrange", "colours", "labels",
             "whole", "whole_entries");
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "OOOOOLOO|OO:choose_labels", keywords, &objects[0],
                                     &objects[1], &objects[2], &objects[3], &objects[4], &lagrange,
                                     &objects[5], &objects[6], &objects[7], &objects[8])) {
        return NULL;
    }
    Buffers buffers = {0};
    const Py_buffer *pixels = take_buffer(&buffers, objects[0], "pixels", 'u', 4, 2, 0);
    const Py_buffer *points = take_buffer(&buffers, objects[1], "points", 'i', 4, 2, 0);
    const Py_buffer *entries = take_buffer(&buffers, objects[2], "entries", 'i', 4, 2, 0);
    const Py_buffer *nearest_entries = take_buffer(&buffers, objects[3], "nearest", 'i', 4, 1, 0);
    const Py_buffer *farthest = take_buffer(&buffers, objects[4], "farthest", 'i', 8, 1, 0);
    const Py_buffer *colours = take_buffer(&buffers, objects[5], "colours", 'u', 1, 2, 0);
    const Py_buffer *labels = take_buffer(&buffers, objects[6], "labels", 'u', 2, 2, 1);
    const int some_whole = objects[7] && objects[7] != Py_None;
    const Py_buffer *whole = NULL, *whole_entries = NULL;
    if (some_whole) {
        whole = take_buffer(&buffers, objects[7], "whole", 'u', 1, 1, 0);
        whole_entries = take_buffer(&buffers, objects[8] ? objects[8] : Py_None, "whole_entries", 'u', 1, 1, 0);
    }
    const char *problem = NULL;
    if (!buffers.failed) {
        const size_t k = length_of(entries, 0), count = length_of(points, 0);
        require(&buffers,
                length_of(points, 1) == 4 && length_of(entries, 1) == 4 && length_of(colours, 1) == 4,
                "points, entries and colours have four columns");
        require(&buffers, length_of(colours, 0) == k, "there are not as many colours as entries");
        require(&buffers, length_of(nearest_entries, 0) == count && length_of(farthest, 0) == count,
                "there are not as many of nearest and farthest as points");
        require(&buffers,
                length_of(labels, 0) == length_of(pixels, 0) && length_of(labels, 1) == length_of(pixels, 1),
                "labels and pixels differ in shape");
        if (some_whole) {
            require(&buffers, length_of(whole, 0) == count, "there are not as many of whole as points");
            require(&buffers, length_of(whole_entries, 0) == k,
                    "there are not as many of whole_entries as entries");
        }
        const Choosing job = {
            .pixels = pixels->buf,
            .height = length_of(pixels, 0),
            .width = length_of(pixels, 1),
            .points = points->buf,
            .colour_count = count,
            .entries = entries->buf,
            .k = k,
            .nearest = nearest_entries->buf,
            .farthest = farthest->buf,
            .lagrange = lagrange,
            .colours = colours->buf,
            .whole = some_whole ? whole->buf : NULL,
            .whole_entries = some_whole ? whole_entries->buf : NULL,
            .labels = labels->buf,
        };
        const Py_buffer *inputs[] = {pixels, points, entries, nearest_entries, farthest, colours};
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
            require(&buffers, are_apart(labels, inputs[i]), "labels share memory with an input");
        }
        if (!buffers.failed) {
            Py_BEGIN_ALLOW_THREADS problem = choose_labels(&job, &bytes);
            Py_END_ALLOW_THREADS
        }
    }
    (void)module;
    return finish_call(&buffers, problem, PyLong_FromLongLong(bytes));
}

/* Help for the functions that Python calls: buffers as arguments, messages as exceptions. */
#ifndef KMC_BINDING_H
#define KMC_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "common.h"
#include "labels.h"

/* The buffers that a call holds. Once one could not be taken, the following are not looked at. */
typedef struct {
    Py_buffer views[12];
    int count;
    int failed; /* then an exception is set */
} Buffers;

/* Takes a buffer of items of a kind: 'u' or 'i' for integers without or with a sign, or 'b' for bytes of any
   kind, and of so many bytes each, in rows of C's order. Returns NULL and sets an exception if it is none. */
const Py_buffer *take_buffer(Buffers *buffers, PyObject *object, const char *name, char kind, int item_size,
                             int dimensions, int writable);

/* The same for labels to be written, which are unsigned integers of one or two bytes, in two dimensions. */
const Py_buffer *take_labels(Buffers *buffers, PyObject *object);

/* The size of a buffer in a dimension. */
ALWAYS_INLINE size_t length_of(const Py_buffer *view, int dimension) {
    return (size_t)view->shape[dimension];
}

/* Sets a ValueError and marks the buffers as failed unless a condition holds. */
void require(Buffers *buffers, int condition, const char *message);

/* Ends a call: releases the buffers and returns `result`, whose reference it takes over. If something went
   wrong it returns NULL with an exception: that which is set, or one for a problem, of which an empty message
   says that there was no memory. */
PyObject *finish_call(Buffers *buffers, const char *problem, PyObject *result);

/* Describes a tile of a size whose colours are in a buffer. */
Tile as_tile(Buffers *buffers, Py_ssize_t width, Py_ssize_t height, const Py_buffer *colours);

/* The largest label. */
int most_label(const uint16_t *labels, size_t count);

/* Describes labels to be written, by their names. */
Plane as_plane(const Py_buffer *labels, const Py_buffer *names);

#define KEYWORDS(...) static char *keywords[] = {__VA_ARGS__, NULL}

/* What the module has. */
PyObject *call_count(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_nearest(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_dither(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_choose_labels(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_encode_codebook(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_decode_codebook(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_encode_labels(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_decode_labels(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_open_frames(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_begin_after(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_copy_frames(PyObject *module, PyObject *object);
PyObject *call_size_of_frames(PyObject *module, PyObject *object);
PyObject *call_encode_frame(PyObject *module, PyObject *arguments, PyObject *named);
PyObject *call_decode_frame(PyObject *module, PyObject *arguments, PyObject *named);

#endif

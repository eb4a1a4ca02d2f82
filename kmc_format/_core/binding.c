#include "binding.h"

/* Whether items that a format of the struct module names are integers as wanted, in this machine's order. */
static int is_format(const char *format, char kind) {
    const uint16_t one = 1;
    const char order = *(const uint8_t *)&one ? '<' : '>';
    if (!format) format = "B";
    if (*format == '@' || *format == '=' || *format == order) format++;
    return *format && !format[1] && strchr(kind == 'i' ? "bhilqn" : "BHILQN", *format) != NULL;
}

static int is_wanted(const Py_buffer *view, char kind, int item_size, int dimensions) {
    if (view->ndim != dimensions || view->itemsize != item_size) return 0;
    return kind == 'b' || (is_format(view->format, kind) && (uintptr_t)view->buf % (size_t)item_size == 0);
}

const Py_buffer *take_buffer(Buffers *buffers, PyObject *object, const char *name, char kind, int item_size,
                             int dimensions, int writable) {
    if (buffers->failed) return NULL;
    Py_buffer *view = &buffers->views[buffers->count];
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) {
        buffers->failed = 1;
        if (PyErr_ExceptionMatches(PyExc_BufferError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "%s: the buffer is not in C's order, or read-only", name);
        }
        return NULL;
    }
    buffers->count++;
    if (!is_wanted(view, kind, item_size, dimensions)) {
        buffers->failed = 1;
        const char *kinds = kind == 'u' ? "unsigned integers" : kind == 'i' ? "signed integers" : "items";
        PyErr_Format(PyExc_ValueError, "%s: not an aligned buffer of %d dimensions of %s of %d bytes", name,
                     dimensions, kinds, item_size);
        return NULL;
    }
    return view;
}

const Py_buffer *take_labels(Buffers *buffers, PyObject *object) {
    Py_buffer view;
    if (buffers->failed) return NULL;
    int item_size = 1; /* of what take_buffer is to find wrong otherwise */
    if (PyObject_GetBuffer(object, &view, PyBUF_FULL_RO) == 0) {
        if (view.itemsize == 2) item_size = 2;
        PyBuffer_Release(&view);
    } else {
        PyErr_Clear();
    }
    return take_buffer(buffers, object, "labels", 'u', item_size, 2, 1);
}

void require(Buffers *buffers, int condition, const char *message) {
    if (buffers->failed || condition) return;
    buffers->failed = 1;
    PyErr_SetString(PyExc_ValueError, message);
}

PyObject *finish_call(Buffers *buffers, const char *problem, PyObject *result) {
    while (buffers->count > 0) PyBuffer_Release(&buffers->views[--buffers->count]);
    if (!buffers->failed && !problem) return result;
    Py_XDECREF(result);
    if (!buffers->failed) {
        if (!*problem) return PyErr_NoMemory();
        PyErr_SetString(PyExc_ValueError, problem);
    }
    return NULL;
}

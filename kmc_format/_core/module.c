/* The extension module kmc_format._core._native; its functions are in bind_labels.c and bind_mapping.c. */
#include "binding.h"
#include "machine.h"

static PyObject *use_path(PyObject *module, PyObject *argument) {
    const long path = PyLong_AsLong(argument);
    if (path == -1 && PyErr_Occurred()) return NULL;
    if (path < MACHINE_PLAIN || path > MACHINE_BEST) {
        PyErr_SetString(PyExc_ValueError,
                        "a path is 0 (plain C), 1 (the architecture's vectors) or 2 (the best)");
        return NULL;
    }
    set_machine_path((int)path);
    (void)module;
    return Py_NewRef(Py_None);
}

/* The detour is the way to convert a function pointer that compilers do not warn of. */
#define METHOD(name, function)                                                                               \
    {name, (PyCFunction)(void (*)(void))function, METH_VARARGS | METH_KEYWORDS, NULL}

static PyMethodDef methods[] = {
    METHOD("count", call_count),
    METHOD("nearest", call_nearest),
    METHOD("dither", call_dither),
    METHOD("encode_codebook", call_encode_codebook),
    METHOD("decode_codebook", call_decode_codebook),
    METHOD("encode_labels", call_encode_labels),
    METHOD("decode_labels", call_decode_labels),
    METHOD("begin_after", call_begin_after),
    METHOD("open_frames", call_open_frames),
    {"copy_frames", call_copy_frames, METH_O, NULL},
    {"size_of_frames", call_size_of_frames, METH_O, NULL},
    METHOD("encode_frame", call_encode_frame),
    METHOD("decode_frame", call_decode_frame),
    METHOD("choose_labels", call_choose_labels),
    {"use_path", use_path, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }

/* What the extensions in C have in common. Each is optional: what it does OpenCV does too, to the same bytes.
 *
 * They keep to Python's stable interface, hold no state, allocate nothing and work without the interpreter's lock.
 * Every size is checked before a byte is touched. */
#ifndef SCRIM_EXTENSION_H
#define SCRIM_EXTENSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Two versions of what is called with it, of which the program's start picks one. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define INLINE static inline __attribute__((always_inline))

enum { MOST_SIDE = 8192 };  /* of a picture, in pixels */

/* A plane of bytes with contiguous rows, or one kept small that stands for its bilinear enlargement by `factor`. */
typedef struct {
    uint8_t *at;
    Py_ssize_t stride, rows, columns;
    int factor;
} plane;

/* Two neighbouring bytes. */
typedef uint16_t __attribute__((aligned(1), may_alias)) pair;

/* Takes no "pair": an argument of a type that need not be aligned makes GCC 14 crash on aarch64. */
INLINE uint16_t sum_of(uint16_t two)
{
    return (uint16_t)((two & 255) + (two >> 8));
}

INLINE uint8_t *row_of(const plane *of, Py_ssize_t row)
{
    return of->at + row * of->stride;
}

/* x as a byte: what lies outside cut, halves to even. */
INLINE uint8_t rounded(float x)
{
    x = x > 0 ? x : 0;
    x = x < 255 ? x : 255;
    x += 8388608.0f;  /* 2^23: what is left of the fraction is rounded */
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint8_t)bits;
}

/* Gets a plane, with or without pixels. It is held until its view is released. */
static inline int get_plane(PyObject *object, Py_buffer *view, plane *found, int flags, const char *name)
{
    if (PyObject_GetBuffer(object, view, flags | PyBUF_STRIDES) < 0) return -1;
    if (view->ndim == 2 && view->itemsize == 1 && view->strides[1] == 1) {
        *found = (plane){view->buf, view->strides[0], view->shape[0], view->shape[1], 1};
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "%s: wants a plane of bytes with contiguous rows", name);
    PyBuffer_Release(view);
    return -1;
}

static inline int is_side(Py_ssize_t length)
{
    return length > 0 && length <= MOST_SIDE;
}

/* Gets a plane with pixels, and not more of them than a picture has. */
static inline int get_pixels(PyObject *object, Py_buffer *view, plane *found, int flags, const char *name)
{
    if (get_plane(object, view, found, flags, name) < 0) return -1;
    if (is_side(found->rows) && is_side(found->columns)) return 0;
    PyErr_Format(PyExc_ValueError, "%s: is %zd x %zd; allowed are 1 to %d", name, found->columns, found->rows, MOST_SIDE);
    PyBuffer_Release(view);
    return -1;
}

/* Gets memory that is aligned for what is `wide` bytes, as much as is wanted or more. */
static inline int get_memory(PyObject *object, Py_buffer *view, Py_ssize_t wanted, size_t wide, int flags, const char *name)
{
    if (PyObject_GetBuffer(object, view, flags) < 0) return -1;
    if (view->len >= wanted && (uintptr_t)view->buf % wide == 0) return 0;
    PyErr_Format(PyExc_ValueError, "%s: has %zd bytes, wants %zd, aligned for %zu", name, view->len, wanted, wide);
    PyBuffer_Release(view);
    return -1;
}

static inline int is_size(const plane *of, Py_ssize_t rows, Py_ssize_t columns, const char *name)
{
    if (of->rows == rows && of->columns == columns) return 1;
    PyErr_Format(PyExc_ValueError, "%s: is %zd x %zd, wants %zd x %zd", name, of->columns, of->rows, columns, rows);
    return 0;
}

/* Lets go of what is held, and answers None, or the error that was set. */
static inline PyObject *answer(Py_buffer *views, int held, int is_done)
{
    while (held > 0) PyBuffer_Release(&views[--held]);
    if (!is_done) return NULL;
    Py_RETURN_NONE;
}

/* The module `name`, with what is in `methods`. */
#define MODULE(name, about)                                                       \
    static PyModuleDef_Slot slots[] = {{0, NULL}};                                \
    static struct PyModuleDef module = {                                          \
        PyModuleDef_HEAD_INIT, #name, about, 0, methods, slots, NULL, NULL, NULL, \
    };                                                                            \
    PyMODINIT_FUNC PyInit_##name(void)                                            \
    {                                                                             \
        return PyModuleDef_Init(&module);                                         \
    }

#endif

/* Mixes two planes by a third in one pass, each product exactly rounded.
 *
 * OpenCV needs four passes for this, and on Arm its multiplication truncates. The inner loop is plain C that compilers
 * turn into SSE2, AVX2 or NEON; it works on 16 bits a pixel, because 255 * 255 + 128 + 254 fits into them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* x / 255, rounded to the nearest; exact for 0 <= x <= 255 * 255. */
static inline uint16_t share(uint16_t x)
{
    uint16_t t = (uint16_t)(x + 128);
    return (uint16_t)((uint16_t)(t + (t >> 8)) >> 8);
}

static void mix_row(uint8_t *restrict out, const uint8_t *restrict camera, const uint8_t *restrict alpha, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        uint16_t a = alpha[i];
        out[i] = (uint8_t)(share((uint16_t)(camera[i] * a)) + share((uint16_t)(out[i] * (255 - a))));
    }
}

/* Gets a plane of bytes whose rows are contiguous. */
static int get_plane(PyObject *from, Py_buffer *plane, int flags, const char *name)
{
    if (PyObject_GetBuffer(from, plane, flags | PyBUF_STRIDES) < 0) return -1;
    if (plane->ndim == 2 && plane->itemsize == 1 && plane->strides[1] == 1) return 0;
    PyErr_Format(PyExc_ValueError, "%s: wants a plane of bytes with contiguous rows", name);
    PyBuffer_Release(plane);
    return -1;
}

static int same_shape(const Py_buffer *one, const Py_buffer *other)
{
    return one->shape[0] == other->shape[0] && one->shape[1] == other->shape[1];
}

static void mix_planes(const Py_buffer *out, const Py_buffer *camera, const Py_buffer *alpha)
{
    for (Py_ssize_t row = 0; row < out->shape[0]; row++)
        mix_row((uint8_t *)out->buf + row * out->strides[0],
                (const uint8_t *)camera->buf + row * camera->strides[0],
                (const uint8_t *)alpha->buf + row * alpha->strides[0], out->shape[1]);
}

static PyObject *mix(PyObject *module, PyObject *arguments)
{
    PyObject *objects[3];
    Py_buffer out, camera, alpha;
    int is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOO", &objects[0], &objects[1], &objects[2])) return NULL;
    if (get_plane(objects[0], &out, PyBUF_WRITABLE, "out") < 0) return NULL;
    if (get_plane(objects[1], &camera, 0, "camera") == 0) {
        if (get_plane(objects[2], &alpha, 0, "alpha") == 0) {
            if (same_shape(&out, &camera) && same_shape(&out, &alpha)) {
                Py_BEGIN_ALLOW_THREADS
                mix_planes(&out, &camera, &alpha);
                Py_END_ALLOW_THREADS
                is_done = 1;
            } else {
                PyErr_SetString(PyExc_ValueError, "out, camera and alpha differ in shape");
            }
            PyBuffer_Release(&alpha);
        }
        PyBuffer_Release(&camera);
    }
    PyBuffer_Release(&out);
    if (!is_done) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"mix", mix, METH_VARARGS, "mix(out, camera, alpha): out becomes camera * alpha + out * (255 - alpha), over 255."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_blend", "One pass over three planes.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__blend(void)
{
    return PyModuleDef_Init(&module);
}

/* What stands before and after the Gaussian of the room: weighing the pixels by how little they are person, and dividing
 * by the weights again. What blur.py does in twenty passes of OpenCV, to the same bytes: every operation on floats is
 * rounded as it is written here, so compilers must not fuse multiplications and additions: -ffp-contract=off. */
#include "../extension.h"

enum { MOST_PLANES = 3 };

/* Planes of one shape, and floats of it: weight and weighted planes, one pixel after the other. */
typedef struct {
    Py_buffer views[2 + MOST_PLANES];
    int held, count;            /* views held; planes */
    Py_ssize_t rows, columns;
    float *mixed;
    plane alpha, planes[MOST_PLANES];
} task;

INLINE int share_of(uint8_t alpha, int steepness)
{
    int gone = alpha * steepness;
    return 255 - (gone < 255 ? gone : 255);
}

INLINE void weigh_row(float *restrict out, const uint8_t *restrict alpha, const uint8_t *const *rows, const int count, Py_ssize_t columns, int steepness)
{
    const uint8_t *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2];
    for (Py_ssize_t x = 0; x < columns; x++) {
        const float weight = (float)(share_of(alpha[x], steepness) * (1 / 255.0));
        out[(count + 1) * x] = weight;
        out[(count + 1) * x + 1] = (float)a[x] * weight;
        if (count > 1) out[(count + 1) * x + 2] = (float)b[x] * weight;
        if (count > 2) out[(count + 1) * x + 3] = (float)c[x] * weight;
    }
}

/* The sum of what has any weight, and how many of them there are. */
INLINE uint32_t sum_row(uint32_t *seen, const uint8_t *restrict row, const uint8_t *restrict alpha, Py_ssize_t columns, int steepness)
{
    uint32_t sum = 0, number = 0;
    for (Py_ssize_t x = 0; x < columns; x++) {
        const uint8_t counts = share_of(alpha[x], steepness) > 0;
        sum += counts ? row[x] : 0;
        number += counts;
    }
    *seen = number;
    return sum;
}

/* Fills `mixed`. Leaves the sum of each plane where it counts, and answers how many pixels that are. */
FOR_EACH_PROCESSOR
static uint64_t weigh_planes(const task *t, int steepness, uint64_t *sums)
{
    uint64_t number = 0;
    for (Py_ssize_t y = 0; y < t->rows; y++) {
        const uint8_t *alpha = row_of(&t->alpha, y), *rows[MOST_PLANES] = {NULL, NULL, NULL};
        float *out = t->mixed + y * t->columns * (t->count + 1);
        uint32_t seen = 0;
        for (int i = 0; i < t->count; i++) {
            rows[i] = row_of(&t->planes[i], y);
            sums[i] += sum_row(&seen, rows[i], alpha, t->columns, steepness);
        }
        number += seen;
        if (t->count == 3) weigh_row(out, alpha, rows, 3, t->columns, steepness);
        else if (t->count == 2) weigh_row(out, alpha, rows, 2, t->columns, steepness);
        else weigh_row(out, alpha, rows, 1, t->columns, steepness);
    }
    return number;
}

INLINE void divide_row(uint8_t *restrict out, const float *restrict mixed, const int plane, const int count, Py_ssize_t columns, float least, float offset)
{
    for (Py_ssize_t x = 0; x < columns; x++)
        out[x] = rounded((mixed[(count + 1) * x + 1 + plane] + offset) / (mixed[(count + 1) * x] + least));
}

FOR_EACH_PROCESSOR
static void divide_planes(const task *t, float least, const float *offsets)
{
    for (Py_ssize_t y = 0; y < t->rows; y++) {
        const float *mixed = t->mixed + y * t->columns * (t->count + 1);
        for (int i = 0; i < t->count; i++) {
            uint8_t *out = row_of(&t->planes[i], y);
            if (t->count == 3) divide_row(out, mixed, i, 3, t->columns, least, offsets[i]);
            else if (t->count == 2) divide_row(out, mixed, i, 2, t->columns, least, offsets[i]);
            else divide_row(out, mixed, i, 1, t->columns, least, offsets[i]);
        }
    }
}

/* --- Python --- */

/* Gets the next plane, as large as those before it. */
static int get_next(task *t, PyObject *object, plane *found, int flags, const char *name)
{
    if (get_plane(object, &t->views[t->held], found, flags, name) < 0) return -1;
    t->held++;
    return is_size(found, t->rows, t->columns, name) ? 0 : -1;
}

/* Gets the floats, (rows, columns, planes + 1) of them, and the tuple of planes. */
static int get_task(task *t, PyObject *mixed, PyObject *planes, int mixed_flags, int plane_flags)
{
    Py_buffer *view = &t->views[0];
    const Py_ssize_t count = PyTuple_Size(planes);
    t->held = 0;
    if (count < 0) return -1;
    if (count < 1 || count > MOST_PLANES) {
        PyErr_SetString(PyExc_ValueError, "planes: one, two or three are wanted");
        return -1;
    }
    if (PyObject_GetBuffer(mixed, view, mixed_flags | PyBUF_C_CONTIGUOUS) < 0) return -1;
    t->held++;
    if (view->ndim != 3 || view->itemsize != sizeof(float) || view->shape[2] != count + 1 || (uintptr_t)view->buf % sizeof(float)) {
        PyErr_Format(PyExc_ValueError, "mixed: wants floats, (rows, columns, %zd)", count + 1);
        return -1;
    }
    t->mixed = view->buf;
    t->rows = view->shape[0];
    t->columns = view->shape[1];
    t->count = (int)count;
    for (int i = 0; i < t->count; i++)
        if (get_next(t, PyTuple_GetItem(planes, i), &t->planes[i], plane_flags, "planes") < 0) return -1;
    return 0;
}

static PyObject *weigh(PyObject *module, PyObject *arguments)
{
    PyObject *mixed, *alpha, *planes, *means = NULL;
    task t;
    int steepness;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOO!i", &mixed, &alpha, &PyTuple_Type, &planes, &steepness)) return NULL;
    if (steepness < 0 || steepness > 255) {
        PyErr_SetString(PyExc_ValueError, "steepness: allowed are 0 to 255");
        return NULL;
    }
    if (get_task(&t, mixed, planes, PyBUF_WRITABLE, 0) == 0 && get_next(&t, alpha, &t.alpha, 0, "alpha") == 0) {
        uint64_t sums[MOST_PLANES] = {0, 0, 0}, number;
        Py_BEGIN_ALLOW_THREADS
        number = weigh_planes(&t, steepness, sums);
        Py_END_ALLOW_THREADS
        means = PyTuple_New(number ? t.count : 0);
        for (int i = 0; means && number && i < t.count; i++) {
            PyObject *mean = PyFloat_FromDouble((double)sums[i] * (1 / (double)number));
            if (!mean || PyTuple_SetItem(means, i, mean) < 0) Py_CLEAR(means);
        }
    }
    while (t.held > 0) PyBuffer_Release(&t.views[--t.held]);
    return means;
}

static PyObject *divide(PyObject *module, PyObject *arguments)
{
    PyObject *mixed, *planes, *offsets;
    task t;
    float shift[MOST_PLANES] = {0, 0, 0};
    double least;
    int is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO!dO!", &mixed, &PyTuple_Type, &planes, &least, &PyTuple_Type, &offsets)) return NULL;
    if (get_task(&t, mixed, planes, 0, PyBUF_WRITABLE) == 0) {
        if (PyTuple_Size(offsets) != t.count) PyErr_SetString(PyExc_ValueError, "offsets: one for each plane is wanted");
        for (int i = 0; i < t.count && !PyErr_Occurred(); i++) shift[i] = (float)PyFloat_AsDouble(PyTuple_GetItem(offsets, i));
        if (!PyErr_Occurred()) {
            Py_BEGIN_ALLOW_THREADS
            divide_planes(&t, (float)least, shift);
            Py_END_ALLOW_THREADS
            is_done = 1;
        }
    }
    return answer(t.views, t.held, is_done);
}

static PyMethodDef methods[] = {
    {"weigh", weigh, METH_VARARGS, "weigh(mixed, alpha, planes, steepness): weights and weighted planes; answers the means."},
    {"divide", divide, METH_VARARGS, "divide(mixed, planes, least, offsets): (weighted + offset) / (weight + least)."},
    {NULL, NULL, 0, NULL},
};

MODULE(_blur, "Weighing before a blur, dividing after it.")

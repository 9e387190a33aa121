/* Between planes and bytes that lie side by side: YUYV, and the chroma of NV12. What interleave.py does in five passes of
 * OpenCV each, to the same bytes.
 *
 * Pixels are read and written in words, lowest byte first, as every processor has them that scrim runs on. */
#include "extension.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read lowest byte first");

/* Four neighbouring bytes. */
typedef uint32_t __attribute__((aligned(1), may_alias)) quad;

/* The mean of two bytes, halves to even: as OpenCV rounds. */
INLINE uint8_t mean(uint16_t a, uint16_t b)
{
    const uint16_t sum = (uint16_t)(a + b);
    return (uint8_t)((uint16_t)(sum + ((sum >> 1) & 1)) >> 1);
}

/* Luma of a row of YUYV. */
INLINE void take_luma(uint8_t *restrict y, const uint8_t *restrict packed, Py_ssize_t width)
{
    const pair *restrict from = (const pair *)packed;
    for (Py_ssize_t x = 0; x < width; x++) y[x] = (uint8_t)(from[x] & 255);
}

/* Chroma of two rows of YUYV. */
INLINE void take_chroma(uint8_t *restrict u, uint8_t *restrict v, const uint8_t *restrict upper, const uint8_t *restrict lower, Py_ssize_t half)
{
    const quad *restrict a = (const quad *)upper, *restrict b = (const quad *)lower;
    for (Py_ssize_t x = 0; x < half; x++) {
        const uint32_t above = a[x], below = b[x];
        u[x] = mean((above >> 8) & 255, (below >> 8) & 255);
        v[x] = mean(above >> 24, below >> 24);
    }
}

/* A row of YUYV. */
INLINE void pack_row(uint8_t *restrict packed, const uint8_t *restrict y, const uint8_t *restrict u, const uint8_t *restrict v, Py_ssize_t half)
{
    quad *restrict to = (quad *)packed;
    const pair *restrict luma = (const pair *)y;
    for (Py_ssize_t x = 0; x < half; x++) {
        const uint32_t two = luma[x], blue = u[x], red = v[x];
        to[x] = (two & 255) | blue << 8 | (two >> 8) << 16 | red << 24;
    }
}

INLINE void split_row(uint8_t *restrict u, uint8_t *restrict v, const uint8_t *restrict pairs, Py_ssize_t count)
{
    const pair *restrict from = (const pair *)pairs;
    for (Py_ssize_t x = 0; x < count; x++) {
        u[x] = (uint8_t)(from[x] & 255);
        v[x] = (uint8_t)(from[x] >> 8);
    }
}

INLINE void join_row(uint8_t *restrict pairs, const uint8_t *restrict u, const uint8_t *restrict v, Py_ssize_t count)
{
    pair *restrict to = (pair *)pairs;
    for (Py_ssize_t x = 0; x < count; x++) to[x] = (uint16_t)(u[x] | v[x] << 8);
}

/* What a call works on: those it does not have stay empty. */
typedef struct {
    plane packed, y, u, v;
} task;

FOR_EACH_PROCESSOR
static void unpack_yuyv_planes(const task *t)
{
    const Py_ssize_t rows = t->u.rows, half = t->u.columns;
    for (Py_ssize_t row = 0; row < rows; row++) {
        const uint8_t *upper = row_of(&t->packed, 2 * row), *lower = row_of(&t->packed, 2 * row + 1);
        take_luma(row_of(&t->y, 2 * row), upper, 2 * half);
        take_luma(row_of(&t->y, 2 * row + 1), lower, 2 * half);
        take_chroma(row_of(&t->u, row), row_of(&t->v, row), upper, lower, half);
    }
}

FOR_EACH_PROCESSOR
static void pack_yuyv_planes(const task *t)
{
    const Py_ssize_t rows = t->y.rows, half = t->u.columns;
    for (Py_ssize_t row = 0; row < rows; row++)
        pack_row(row_of(&t->packed, row), row_of(&t->y, row), row_of(&t->u, row / 2), row_of(&t->v, row / 2), half);
}

FOR_EACH_PROCESSOR
static void split_planes(const task *t)
{
    const Py_ssize_t rows = t->u.rows, columns = t->u.columns;
    for (Py_ssize_t row = 0; row < rows; row++) split_row(row_of(&t->u, row), row_of(&t->v, row), row_of(&t->packed, row), columns);
}

FOR_EACH_PROCESSOR
static void join_planes(const task *t)
{
    const Py_ssize_t rows = t->u.rows, columns = t->u.columns;
    for (Py_ssize_t row = 0; row < rows; row++) join_row(row_of(&t->packed, row), row_of(&t->u, row), row_of(&t->v, row), columns);
}

/* Whether the sizes are those of one picture; `has_luma` where it is YUYV. */
static int fits(const task *t, int has_luma)
{
    const Py_ssize_t rows = t->u.rows, columns = t->u.columns;
    if (!is_size(&t->v, rows, columns, "v")) return 0;
    if (!has_luma) return is_size(&t->packed, rows, 2 * columns, "pairs");
    return is_size(&t->y, 2 * rows, 2 * columns, "y") && is_size(&t->packed, 2 * rows, 4 * columns, "packed");
}

/* Calls `work` with the planes that are named; those with an index below `written` are written to. */
static PyObject *call(PyObject *arguments, void (*work)(const task *), const char *const *names, plane *const *planes, int count, int written, task *t)
{
    PyObject *objects[4];
    Py_buffer views[4];
    int got = 0, is_done = 0;
    if (!PyArg_ParseTuple(arguments, count == 4 ? "OOOO" : "OOO", &objects[0], &objects[1], &objects[2], &objects[3])) return NULL;
    while (got < count && get_pixels(objects[got], &views[got], planes[got], got < written ? PyBUF_WRITABLE : 0, names[got]) == 0) got++;
    if (got == count && fits(t, count == 4)) {
        Py_BEGIN_ALLOW_THREADS
        work(t);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(views, got, is_done);
}

static PyObject *unpack_yuyv(PyObject *module, PyObject *arguments)
{
    static const char *const names[] = {"y", "u", "v", "packed"};
    task t;
    plane *const planes[] = {&t.y, &t.u, &t.v, &t.packed};
    (void)module;
    return call(arguments, unpack_yuyv_planes, names, planes, 4, 3, &t);
}

static PyObject *pack_yuyv(PyObject *module, PyObject *arguments)
{
    static const char *const names[] = {"packed", "y", "u", "v"};
    task t;
    plane *const planes[] = {&t.packed, &t.y, &t.u, &t.v};
    (void)module;
    return call(arguments, pack_yuyv_planes, names, planes, 4, 1, &t);
}

static PyObject *split(PyObject *module, PyObject *arguments)
{
    static const char *const names[] = {"u", "v", "pairs"};
    task t;
    plane *const planes[] = {&t.u, &t.v, &t.packed};
    (void)module;
    return call(arguments, split_planes, names, planes, 3, 2, &t);
}

static PyObject *join(PyObject *module, PyObject *arguments)
{
    static const char *const names[] = {"pairs", "u", "v"};
    task t;
    plane *const planes[] = {&t.packed, &t.u, &t.v};
    (void)module;
    return call(arguments, join_planes, names, planes, 3, 1, &t);
}

static PyMethodDef methods[] = {
    {"unpack_yuyv", unpack_yuyv, METH_VARARGS, "unpack_yuyv(y, u, v, packed): the planes of a picture; two rows' chroma is averaged."},
    {"pack_yuyv", pack_yuyv, METH_VARARGS, "pack_yuyv(packed, y, u, v): Y U Y V of each two pixels; two rows share their chroma."},
    {"split", split, METH_VARARGS, "split(u, v, pairs): every other byte to one plane, the others to the other."},
    {"join", join, METH_VARARGS, "join(pairs, u, v): bytes of two planes in turn."},
    {NULL, NULL, 0, NULL},
};

MODULE(_packed, "Bytes side by side.")

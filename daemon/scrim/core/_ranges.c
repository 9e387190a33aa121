/* Between JPEG's full range, luma and chroma from 0 to 255, and video's, luma from 16 to 235 and chroma from 16 to 240. What
 * ranges.py does with tables and sums, to the same bytes: exactly rounded, halves to even.
 *
 * Everything stays within 16 bits, so that the compiler takes as many pixels at once as there are. */
#include "extension.h"

/* floor(n / 255), for n below 65535. */
INLINE uint16_t by_255(uint16_t n)
{
    return (uint16_t)((uint16_t)(n + 1 + (n >> 8)) >> 8);
}

/* y * 219 / 255 + 16. 255 is odd: there are no halves. */
INLINE uint8_t narrow_y(uint8_t y)
{
    return (uint8_t)(by_255((uint16_t)(y * 219 + 127)) + 16);
}

/* (c - 128) * 224 / 255 + 128, where c is the mean of 224 / share samples that sum up to `sum`. */
INLINE uint8_t narrow_c(uint16_t sum, uint16_t share)
{
    return (uint8_t)by_255((uint16_t)(sum * share + (128 * 255 - 128 * 224 + 127)));
}

/* (y - 16) * 255 / 219. 219 is odd: there are no halves. */
INLINE uint8_t widen_y(uint8_t y)
{
    uint8_t above = y > 16 ? (uint8_t)(y - 16) : 0;
    above = above < 219 ? above : 219;
    const uint16_t n = (uint16_t)(above * 255 + 109);
    return (uint8_t)((uint16_t)((uint32_t)n * 19153 >> 16) >> 6);  /* n / 219, for every n here */
}

/* (c - 128) * 255 / 224 + 128. The one half is at 16 and goes down to 0: so it is (c - 16) * 255 / 224, rounded up. */
INLINE uint8_t widen_c(uint8_t c)
{
    uint8_t above = c > 16 ? (uint8_t)(c - 16) : 0;
    above = above < 224 ? above : 224;
    const uint16_t n = (uint16_t)((above * 31 + 223) >> 5);  /* above * 255 = above * 224 + above * 31 */
    return (uint8_t)(above + (uint8_t)((uint16_t)(n * 293) >> 11));  /* n / 7, for every n here; 7 * 32 = 224 */
}

INLINE void narrow_luma_row(uint8_t *restrict to, const uint8_t *restrict from, Py_ssize_t count)
{
    for (Py_ssize_t x = 0; x < count; x++) to[x] = narrow_y(from[x]);
}

INLINE void widen_luma_row(uint8_t *restrict to, const uint8_t *restrict from, Py_ssize_t count)
{
    for (Py_ssize_t x = 0; x < count; x++) to[x] = widen_y(from[x]);
}

INLINE void widen_chroma_row(uint8_t *restrict to, const uint8_t *restrict from, Py_ssize_t count)
{
    for (Py_ssize_t x = 0; x < count; x++) to[x] = widen_c(from[x]);
}

/* A row of chroma from one row or two, which may be the same one. */
INLINE void narrow_row(uint8_t *restrict to, const uint8_t *upper, const uint8_t *lower, Py_ssize_t count, uint16_t share)
{
    for (Py_ssize_t x = 0; x < count; x++) to[x] = narrow_c((uint16_t)(upper[x] + lower[x]), share);
}

/* The same from rows with twice as many samples. */
INLINE void narrow_wide_row(uint8_t *restrict to, const uint8_t *upper, const uint8_t *lower, Py_ssize_t count, uint16_t share)
{
    const pair *a = (const pair *)upper, *b = (const pair *)lower;
    for (Py_ssize_t x = 0; x < count; x++) to[x] = narrow_c((uint16_t)(sum_of(a[x]) + sum_of(b[x])), share);
}

/* The same from rows with half as many, of which each stands for two. */
INLINE void narrow_short_row(uint8_t *restrict to, const uint8_t *upper, const uint8_t *lower, Py_ssize_t count, uint16_t share)
{
    pair *restrict both = (pair *)to;
    for (Py_ssize_t x = 0; x < count / 2; x++) both[x] = (uint16_t)(narrow_c((uint16_t)(upper[x] + lower[x]), share) * 257);
    if (count % 2) to[count - 1] = narrow_c((uint16_t)(upper[count / 2] + lower[count / 2]), share);
}

/* What a call works on. */
typedef struct {
    plane to, from;
} task;

FOR_EACH_PROCESSOR
static void narrow_luma_plane(const task *t)
{
    for (Py_ssize_t row = 0; row < t->to.rows; row++) narrow_luma_row(row_of(&t->to, row), row_of(&t->from, row), t->to.columns);
}

FOR_EACH_PROCESSOR
static void narrow_chroma_plane(const task *t)
{
    const Py_ssize_t columns = t->to.columns, step = t->from.rows / t->to.rows;
    for (Py_ssize_t row = 0; row < t->to.rows; row++) {
        uint8_t *to = row_of(&t->to, row);
        const uint8_t *upper = row_of(&t->from, step * row), *lower = row_of(&t->from, step * (row + 1) - 1);
        if (t->from.columns == columns) narrow_row(to, upper, lower, columns, 112);
        else if (t->from.columns > columns) narrow_wide_row(to, upper, lower, columns, 56);
        else narrow_short_row(to, upper, lower, columns, 112);
    }
}

FOR_EACH_PROCESSOR
static void widen_luma_plane(const task *t)
{
    for (Py_ssize_t row = 0; row < t->to.rows; row++) widen_luma_row(row_of(&t->to, row), row_of(&t->from, row), t->to.columns);
}

FOR_EACH_PROCESSOR
static void widen_chroma_plane(const task *t)
{
    for (Py_ssize_t row = 0; row < t->to.rows; row++) widen_chroma_row(row_of(&t->to, row), row_of(&t->from, row), t->to.columns);
}

static int is_same_size(const task *t)
{
    return is_size(&t->from, t->to.rows, t->to.columns, "of");
}

/* Whether `from` has a sample for one, two or half a sample of `to` in a row, and one row or two. */
static int is_chroma_of_jpeg(const task *t)
{
    const Py_ssize_t rows = t->to.rows, columns = t->to.columns, have = t->from.columns;
    if ((t->from.rows == rows || t->from.rows == 2 * rows) && (have == columns || have == 2 * columns || have == (columns + 1) / 2)) return 1;
    PyErr_Format(PyExc_ValueError, "of: is %zd x %zd, wants %zd, %zd or %zd x %zd or %zd", have, t->from.rows, columns, 2 * columns,
                 (columns + 1) / 2, rows, 2 * rows);
    return 0;
}

static PyObject *call(PyObject *arguments, int (*fits)(const task *), void (*work)(const task *))
{
    PyObject *to, *from;
    Py_buffer views[2];
    task t;
    int got = 0, is_done = 0;
    if (!PyArg_ParseTuple(arguments, "OO", &to, &from)) return NULL;
    if (get_pixels(to, &views[0], &t.to, PyBUF_WRITABLE, "to") < 0) return NULL;
    got = get_pixels(from, &views[1], &t.from, 0, "of") == 0 ? 2 : 1;
    if (got == 2 && fits(&t)) {
        Py_BEGIN_ALLOW_THREADS
        work(&t);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(views, got, is_done);
}

static PyObject *narrow_luma(PyObject *module, PyObject *arguments)
{
    (void)module;
    return call(arguments, is_same_size, narrow_luma_plane);
}

static PyObject *narrow_chroma(PyObject *module, PyObject *arguments)
{
    (void)module;
    return call(arguments, is_chroma_of_jpeg, narrow_chroma_plane);
}

static PyObject *widen_luma(PyObject *module, PyObject *arguments)
{
    (void)module;
    return call(arguments, is_same_size, widen_luma_plane);
}

static PyObject *widen_chroma(PyObject *module, PyObject *arguments)
{
    (void)module;
    return call(arguments, is_same_size, widen_chroma_plane);
}

static PyMethodDef methods[] = {
    {"narrow_luma", narrow_luma, METH_VARARGS, "narrow_luma(to, of): JPEG's luma to video's."},
    {"narrow_chroma", narrow_chroma, METH_VARARGS, "narrow_chroma(to, of): JPEG's chroma to video's, with its samples averaged or doubled."},
    {"widen_luma", widen_luma, METH_VARARGS, "widen_luma(to, of): video's luma to JPEG's."},
    {"widen_chroma", widen_chroma, METH_VARARGS, "widen_chroma(to, of): video's chroma to JPEG's."},
    {NULL, NULL, 0, NULL},
};

MODULE(_ranges, "JPEG's range and video's.")

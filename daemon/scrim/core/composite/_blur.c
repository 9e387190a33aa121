/* The Gaussian of the room alone: each pixel counts by how little of it is person. What gaussian.py does in thirty passes of
 * OpenCV, to the same bytes.
 *
 * Up to the division all are whole numbers up to 2^24, in floats: there is nothing to round but what is rounded here, and
 * no order of additions gives anything else. Shares are 0 to FULL, taps sum up to TAPS. */
#include "../extension.h"

/* As many floats as the widest register that is counted on has: where two are taken for a vector, GCC keeps it in memory. */
#if defined(__x86_64__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { MOST_PLANES = 3, MOST_RADIUS = 1024, FULL = 16, TAPS = 4096, STEP = 4 * LANES };
enum { LINE = 16 };  /* floats in a line of the cache */

/* LANES floats that begin anywhere. */
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t numbers __attribute__((vector_size(4 * LANES)));

/* Planes of one shape, and memory: `stride` floats for each row and kind, which are shares and planes. All kinds of a row
 * and those of the next are `pitch` floats apart, a line of the cache more than they take: at 1920x1080 they take 4096
 * bytes, and whole columns would fall into the same few lines. */
typedef struct {
    Py_buffer views[2 + 2 * MOST_PLANES + 1];
    int held, count;            /* views held; planes */
    Py_ssize_t rows, columns, stride, pitch, radius;
    plane alpha, from[MOST_PLANES], out[MOST_PLANES];
    const float *taps;          /* of the middle, and of each pixel farther to either side */
    float *padded;              /* a row with `radius` more on either side */
    float *across;              /* all kinds, blurred to the sides: all rows, with `radius` more above and below */
} task;

/* Where a picture of `length` is mirrored at its edge. */
INLINE Py_ssize_t mirrored(Py_ssize_t at, Py_ssize_t length)
{
    while (at < 0 || at >= length) at = at < 0 ? -1 - at : 2 * length - 1 - at;
    return at;
}

/* STEP sums of what lies around `middle`, `pitch` apart, each times its tap. Divided by TAPS and rounded half up where that
 * is wanted. */
INLINE void sum_taps(float *restrict out, const float *restrict middle, Py_ssize_t pitch, const task *t, const int is_rounded)
{
    lanes sums[4];
    for (int k = 0; k < 4; k++) sums[k] = ((const lanes *)middle)[k] * t->taps[0];
    for (Py_ssize_t i = 1; i <= t->radius; i++) {
        const lanes *before = (const lanes *)(middle - i * pitch), *after = (const lanes *)(middle + i * pitch);
        for (int k = 0; k < 4; k++) sums[k] += (before[k] + after[k]) * t->taps[i];
    }
    for (int k = 0; k < 4; k++)
        ((lanes *)out)[k] = is_rounded ? __builtin_convertvector(__builtin_convertvector(sums[k] * (1.0f / TAPS) + 0.5f, numbers), lanes) : sums[k];
}

/* Blurs the row that lies in the middle of `padded`. */
INLINE void blur_row(float *restrict out, const task *t)
{
    float *restrict middle = t->padded + t->radius;
    for (Py_ssize_t i = 0; i < t->radius; i++) {
        const Py_ssize_t at = i < t->columns ? i : mirrored(i, t->columns);
        middle[-1 - i] = middle[at];
        middle[t->columns + i] = middle[t->columns - 1 - at];
    }
    for (Py_ssize_t x = 0; x < t->columns; x += STEP) sum_taps(out + x, middle + x, 1, t, 1);
}

INLINE uint8_t share_of(uint8_t alpha)
{
    return (uint8_t)(FULL - (alpha < FULL ? alpha : FULL));
}

/* Blurs all rows to the sides. Leaves the sum of each plane where it counts, and answers how many pixels that are. */
INLINE uint64_t blur_across(const task *t, uint64_t *sums)
{
    uint64_t number = 0;
    for (Py_ssize_t y = 0; y < t->rows; y++) {
        const uint8_t *restrict alpha = row_of(&t->alpha, y);
        float *restrict middle = t->padded + t->radius, *out = t->across + y * t->pitch;
        uint32_t seen = 0;
        for (Py_ssize_t x = 0; x < t->columns; x++) {
            const uint8_t share = share_of(alpha[x]);
            seen += share > 0;
            middle[x] = (float)(share * 256);
        }
        blur_row(out, t);
        number += seen;
        for (int i = 0; i < t->count; i++) {
            const uint8_t *restrict row = row_of(&t->from[i], y);
            uint32_t sum = 0;
            for (Py_ssize_t x = 0; x < t->columns; x++) {
                const uint8_t share = share_of(alpha[x]);
                sum += share ? row[x] : 0;
                middle[x] = (float)(row[x] * share);
            }
            blur_row(out + (i + 1) * t->stride, t);
            sums[i] += sum;
        }
    }
    return number;
}

INLINE void divide(uint8_t *restrict out, const float *restrict values, const float *restrict shares, Py_ssize_t count, float least, float offset)
{
    for (Py_ssize_t x = 0; x < count; x++) out[x] = rounded((values[x] + offset) / (shares[x] * (1.0f / 256) + least));
}

/* Blurs all rows downwards, and divides by the shares: STEP columns after STEP columns, so that they stay in the cache. */
INLINE void blur_down(const task *t, float least, const float *offsets)
{
    const Py_ssize_t pitch = t->pitch;
    float sums[MOST_PLANES + 1][STEP];
    for (Py_ssize_t i = 0; i < t->radius; i++) {
        const Py_ssize_t at = mirrored(i, t->rows);
        memcpy(t->across - (1 + i) * pitch, t->across + at * pitch, (size_t)pitch * sizeof(float));
        memcpy(t->across + (t->rows + i) * pitch, t->across + (t->rows - 1 - at) * pitch, (size_t)pitch * sizeof(float));
    }
    for (Py_ssize_t x = 0; x < t->columns; x += STEP) {
        const Py_ssize_t count = x + STEP < t->columns ? STEP : t->columns - x;
        for (Py_ssize_t y = 0; y < t->rows; y++) {
            for (int i = 0; i <= t->count; i++) sum_taps(sums[i], t->across + y * pitch + i * t->stride + x, pitch, t, 0);
            for (int i = 0; i < t->count; i++) divide(row_of(&t->out[i], y) + x, sums[i + 1], sums[0], count, least, offsets[i]);
        }
    }
}

FOR_EACH_PROCESSOR
static void blur_room(const task *t, double least, int neutral)
{
    uint64_t sums[MOST_PLANES] = {0, 0, 0};
    float offsets[MOST_PLANES] = {0, 0, 0};
    const uint64_t number = blur_across(t, sums);
    for (int i = 0; i < t->count; i++)
        offsets[i] = (float)(least * (number ? (double)sums[i] * (1 / (double)number) : neutral));
    blur_down(t, (float)least, offsets);
}

/* --- Python --- */

/* Gets the next plane, as large as alpha. */
static int get_next(task *t, PyObject *object, plane *found, int flags, const char *name)
{
    if (get_plane(object, &t->views[t->held], found, flags, name) < 0) return -1;
    t->held++;
    return is_size(found, t->rows, t->columns, name) ? 0 : -1;
}

static int get_planes(task *t, PyObject *out, PyObject *from)
{
    const Py_ssize_t count = PyTuple_Size(from);
    if (count < 1 || count > MOST_PLANES || PyTuple_Size(out) != count) {
        PyErr_SetString(PyExc_ValueError, "planes: one, two or three are wanted, and as many to write to");
        return -1;
    }
    t->count = (int)count;
    for (int i = 0; i < t->count; i++)
        if (get_next(t, PyTuple_GetItem(out, i), &t->out[i], PyBUF_WRITABLE, "out") < 0
            || get_next(t, PyTuple_GetItem(from, i), &t->from[i], 0, "planes") < 0) return -1;
    return 0;
}

static int get_taps(task *t, PyObject *object)
{
    Py_buffer *view = &t->views[t->held];
    if (get_memory(object, view, sizeof(float), sizeof(float), PyBUF_SIMPLE, "taps") < 0) return -1;
    t->held++;
    t->taps = view->buf;
    t->radius = view->len / (Py_ssize_t)sizeof(float) - 1;
    if (t->radius <= MOST_RADIUS) return 0;
    PyErr_Format(PyExc_ValueError, "taps: more than %d", MOST_RADIUS + 1);
    return -1;
}

/* How many bytes of memory the task is done in; shared out where there is `memory`. Its sizes are known. */
static Py_ssize_t room_for(task *t, float *memory)
{
    t->stride = (t->columns + STEP - 1) / STEP * STEP;
    t->pitch = t->stride * (t->count + 1) + LINE;
    const Py_ssize_t padded = t->stride + 2 * t->radius;
    if (memory) {
        t->padded = memory;
        t->across = memory + padded + t->radius * t->pitch;
    }
    return (padded + t->pitch * (t->rows + 2 * t->radius)) * (Py_ssize_t)sizeof(float);
}

static int get_spare(task *t, PyObject *object)
{
    Py_buffer *view = &t->views[t->held];
    if (get_memory(object, view, room_for(t, NULL), sizeof(float), PyBUF_WRITABLE, "spare") < 0) return -1;
    t->held++;
    room_for(t, view->buf);
    return 0;
}

static PyObject *blur(PyObject *module, PyObject *arguments)
{
    PyObject *out, *alpha, *from, *taps, *spare;
    task t;
    double least;
    int neutral, is_done = 0;
    (void)module;
    t.held = 0;
    if (!PyArg_ParseTuple(arguments, "O!OO!OOdi", &PyTuple_Type, &out, &alpha, &PyTuple_Type, &from, &taps, &spare, &least, &neutral))
        return NULL;
    if (get_pixels(alpha, &t.views[0], &t.alpha, 0, "alpha") < 0) return NULL;
    t.held++;
    t.rows = t.alpha.rows;
    t.columns = t.alpha.columns;
    if (get_planes(&t, out, from) == 0 && get_taps(&t, taps) == 0 && get_spare(&t, spare) == 0) {
        Py_BEGIN_ALLOW_THREADS
        blur_room(&t, least, neutral);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(t.views, t.held, is_done);
}

static PyObject *spare_bytes(PyObject *module, PyObject *arguments)
{
    task t;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "nnin", &t.rows, &t.columns, &t.count, &t.radius)) return NULL;
    return PyLong_FromSsize_t(room_for(&t, NULL));
}

static PyMethodDef methods[] = {
    {"blur", blur, METH_VARARGS, "blur(out, alpha, planes, taps, spare, least, neutral): the room of planes, blurred."},
    {"spare_bytes", spare_bytes, METH_VARARGS, "spare_bytes(rows, columns, planes, radius): of memory that blur() works in, 0 at first."},
    {NULL, NULL, 0, NULL},
};

MODULE(_blur, "The blurred room.")

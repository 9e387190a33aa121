/* Both ends of the model: the small RGB picture that it looks at, and the mask that it answers.
 *
 * The picture is made of the planes of a small I420 picture, in one pass, to the bytes that OpenCV gives with
 * INTER_LINEAR_EXACT for each plane and COLOR_YUV2RGB_I420 after that: both are whole numbers. Only where a pixel lies
 * between two others is worked out in doubles. The mask is read to the bytes that NumPy gives, float by float. Each operation on
 * floats is rounded as it is written here, so compilers must not fuse them: -ffp-contract=off. */
#include "extension.h"

enum { EIGHT = 8, MOST_SIDE = 8192, FAR = -1 };

/* Where the pixels of one side of a target lie between those of a source: pixel x is (source[at[x]] * left[x] +
 * source[at[x] + 1] * right[x]) / 256. Where right[x] is 0 there may be no second one. `begin` and `near` say the same of
 * EIGHT pixels at a time: those on the left are source[begin[x / EIGHT] + near[x]], unless begin is FAR. */
typedef struct {
    int32_t *at, *begin;
    uint16_t *left, *right;
    uint8_t *near;
} side;

INLINE void place(const side *to, Py_ssize_t count, Py_ssize_t source)
{
    const double scale = 1 / ((double)count / (double)source);
    for (Py_ssize_t x = 0; x < count; x++) {
        const double where = scale * ((double)x + 0.5) - 0.5;
        int32_t at = (int32_t)where;
        if (at > where) at--;
        double share = (where - at) * 256 + 4503599627370496.0;  /* 2^52: what is left of the fraction is rounded */
        share -= 4503599627370496.0;
        if (at < 0 || at >= source - 1) {
            at = at < 0 ? 0 : (int32_t)source - 1;
            share = 0;
        }
        to->at[x] = at;
        to->right[x] = (uint16_t)share;
        to->left[x] = (uint16_t)(256 - to->right[x]);
    }
}

/* Finds out which runs of EIGHT lie near enough in the source, and not at its very end. */
INLINE void gather(const side *to, Py_ssize_t count, Py_ssize_t source)
{
    for (Py_ssize_t x = 0; x + EIGHT <= count; x += EIGHT) {
        const int32_t first = to->at[x];
        const int is_near = to->at[x + EIGHT - 1] - first < 16 && first + 17 <= source;
        to->begin[x / EIGHT] = is_near ? first : FAR;
        for (Py_ssize_t i = x; i < x + EIGHT; i++) to->near[i] = (uint8_t)(to->at[i] - first);
    }
}

#if defined(__GNUC__) && !defined(__clang__)
typedef uint8_t sixteen __attribute__((vector_size(16)));

INLINE void pick(uint8_t *out, const uint8_t *from, const uint8_t *near)
{
    sixteen found, at;
    memcpy(&found, from, sizeof found);
    memcpy(&at, near, sizeof at);
    found = __builtin_shuffle(found, at);
    memcpy(out, &found, EIGHT);
}
#else
INLINE void pick(uint8_t *out, const uint8_t *from, const uint8_t *near)
{
    for (int i = 0; i < EIGHT; i++) out[i] = from[near[i]];
}
#endif

/* A row, as wide as the target; `out` counts 256 parts of a level. `spare` has room for two rows of the target. */
INLINE void narrow(uint16_t *restrict out, const uint8_t *restrict row, const side *to, Py_ssize_t count, Py_ssize_t source, uint8_t *restrict spare)
{
    uint8_t *restrict lefts = spare, *restrict rights = spare + count;
    Py_ssize_t x = 0;
    for (; x + EIGHT <= count && to->begin[x / EIGHT] != FAR; x += EIGHT) {
        const uint8_t *from = row + to->begin[x / EIGHT];
        pick(lefts + x, from, to->near + x);
        pick(rights + x, from + 1, to->near + x);
    }
    for (; x < count; x++) {
        const int32_t at = to->at[x];
        lefts[x] = row[at];
        rights[x] = row[at + 1 < source ? at + 1 : at];
    }
    const uint16_t *restrict left = to->left, *restrict right = to->right;
    for (x = 0; x < count; x++) out[x] = (uint16_t)(lefts[x] * left[x] + rights[x] * right[x]);
}

/* Goes down the rows of a squeezed plane; `rows` are the two that the present one lies between. */
typedef struct {
    plane from;
    const side *across, *down;
    Py_ssize_t columns, held[2];
    uint16_t *rows[2];
    uint8_t *spare;
} descent;

INLINE const uint16_t *squeezed(descent *d, Py_ssize_t row)
{
    const Py_ssize_t at = row & 1;
    if (d->held[at] != row) narrow(d->rows[at], row_of(&d->from, row), d->across, d->columns, d->from.columns, d->spare);
    d->held[at] = row;
    return d->rows[at];
}

INLINE void draw(uint8_t *restrict out, descent *d, Py_ssize_t row)
{
    const Py_ssize_t above = d->down->at[row], below = above + 1 < d->from.rows ? above + 1 : above;
    const uint16_t *restrict upper = squeezed(d, above), *restrict lower = squeezed(d, below);
    const uint16_t upper_share = d->down->left[row], lower_share = d->down->right[row];
    for (Py_ssize_t x = 0; x < d->columns; x++)
        out[x] = (uint8_t)(((uint32_t)upper[x] * upper_share + (uint32_t)lower[x] * lower_share + 32768) >> 16);
}

/* BT.601, limited range, in parts of 2^20. */
enum { BY_Y = 1220542, RED_BY_V = 1673527, GREEN_BY_U = -409993, GREEN_BY_V = -852492, BLUE_BY_U = 2116026, HALF = 1 << 19 };

/* What chroma adds to red, green and blue of two pixels each. */
INLINE void tint(int32_t *restrict red, int32_t *restrict green, int32_t *restrict blue, const uint8_t *restrict u, const uint8_t *restrict v, Py_ssize_t count)
{
    for (Py_ssize_t x = 0; x < count; x++) {
        const int32_t by_u = u[x] - 128, by_v = v[x] - 128;
        red[2 * x] = red[2 * x + 1] = RED_BY_V * by_v + HALF;
        green[2 * x] = green[2 * x + 1] = GREEN_BY_U * by_u + GREEN_BY_V * by_v + HALF;
        blue[2 * x] = blue[2 * x + 1] = BLUE_BY_U * by_u + HALF;
    }
}

INLINE uint8_t level(int32_t light)
{
    int16_t cut = (int16_t)(light >> 20);
    cut = cut > 0 ? cut : 0;
    cut = cut < 255 ? cut : 255;
    return (uint8_t)cut;
}

INLINE void paint(uint8_t *restrict out, const uint8_t *restrict y, const int32_t *restrict red, const int32_t *restrict green, const int32_t *restrict blue, Py_ssize_t count)
{
    for (Py_ssize_t x = 0; x < count; x++) {
        const int32_t light = (y[x] > 16 ? y[x] - 16 : 0) * BY_Y;
        out[3 * x] = level(light + red[x]);
        out[3 * x + 1] = level(light + green[x]);
        out[3 * x + 2] = level(light + blue[x]);
    }
}

/* The task: `rgb` of 2 * rows x 2 * columns pixels, and the memory it is done in. */
typedef struct {
    uint8_t *rgb;
    Py_ssize_t rows, columns;   /* of chroma */
    side across[2], down[2];    /* luma's and chroma's */
    descent planes[3];
    int32_t *tints[3];
    uint8_t *row[3];
} task;

FOR_EACH_PROCESSOR
static void make_picture(task *t)
{
    const Py_ssize_t wide = 2 * t->columns;
    for (int i = 0; i < 2; i++) {
        const plane *from = &t->planes[i].from;
        place(&t->across[i], i ? t->columns : wide, from->columns);
        gather(&t->across[i], i ? t->columns : wide, from->columns);
        place(&t->down[i], i ? t->rows : 2 * t->rows, from->rows);
    }
    for (Py_ssize_t row = 0; row < 2 * t->rows; row++) {
        if (row % 2 == 0) {
            draw(t->row[1], &t->planes[1], row / 2);
            draw(t->row[2], &t->planes[2], row / 2);
            tint(t->tints[0], t->tints[1], t->tints[2], t->row[1], t->row[2], t->columns);
        }
        draw(t->row[0], &t->planes[0], row);
        paint(t->rgb + row * 3 * wide, t->row[0], t->tints[0], t->tints[1], t->tints[2], wide);
    }
}

/* Whether none is infinite or no number: their exponents are all ones. */
FOR_EACH_PROCESSOR
static int are_finite(const float *values, Py_ssize_t count)
{
    uint32_t is_wrong = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        is_wrong |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !is_wrong;
}

FOR_EACH_PROCESSOR
static void fill_mask(uint8_t *restrict out, const float *restrict values, Py_ssize_t count, float low, float factor)
{
    for (Py_ssize_t i = 0; i < count; i++) out[i] = rounded((values[i] - low) * factor * 255);
}

/* --- Python --- */

/* Takes memory from what is left of `*memory`, if there is any; `*used` counts in either case. */
static void *take(uint8_t *memory, Py_ssize_t *used, Py_ssize_t bytes)
{
    const Py_ssize_t before = *used;
    *used += (bytes + 15) / 16 * 16;
    return memory ? memory + before : NULL;
}

static void take_side(side *to, uint8_t *memory, Py_ssize_t *used, Py_ssize_t count)
{
    to->at = take(memory, used, count * (Py_ssize_t)sizeof(int32_t));
    to->begin = take(memory, used, count * (Py_ssize_t)sizeof(int32_t));
    to->left = take(memory, used, count * (Py_ssize_t)sizeof(uint16_t));
    to->right = take(memory, used, count * (Py_ssize_t)sizeof(uint16_t));
    to->near = take(memory, used, count + 16);  /* pick() reads sixteen for EIGHT */
}

/* How many bytes of memory the task is done in; shared out where there is `memory`. */
static Py_ssize_t room_for(task *t, uint8_t *memory)
{
    Py_ssize_t used = 0;
    for (int i = 0; i < 2; i++) {
        take_side(&t->across[i], memory, &used, i ? t->columns : 2 * t->columns);
        take_side(&t->down[i], memory, &used, i ? t->rows : 2 * t->rows);
    }
    for (int i = 0; i < 3; i++) {
        descent *d = &t->planes[i];
        d->across = &t->across[i > 0];
        d->down = &t->down[i > 0];
        d->columns = i ? t->columns : 2 * t->columns;
        d->held[0] = d->held[1] = -1;
        d->rows[0] = take(memory, &used, d->columns * (Py_ssize_t)sizeof(uint16_t));
        d->rows[1] = take(memory, &used, d->columns * (Py_ssize_t)sizeof(uint16_t));
        d->spare = take(memory, &used, 2 * d->columns);
        t->tints[i] = take(memory, &used, 2 * t->columns * (Py_ssize_t)sizeof(int32_t));
        t->row[i] = take(memory, &used, d->columns);
    }
    return used;
}

static int is_side(Py_ssize_t length)
{
    return length > 0 && length <= MOST_SIDE;
}

/* Takes the size of the picture: even, and not larger than there is. */
static int has_size(task *t, Py_ssize_t width, Py_ssize_t height)
{
    t->rows = height / 2;
    t->columns = width / 2;
    if (is_side(width) && is_side(height) && width % 2 == 0 && height % 2 == 0) return 1;
    PyErr_Format(PyExc_ValueError, "rgb: is %zd x %zd; both must be even, up to %d", width, height, MOST_SIDE);
    return 0;
}

static int get_rgb(task *t, PyObject *object, Py_buffer *view)
{
    if (PyObject_GetBuffer(object, view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) < 0) return -1;
    if (view->ndim != 3 || view->itemsize != 1 || view->shape[2] != 3)
        PyErr_SetString(PyExc_ValueError, "rgb: wants bytes, (height, width, 3)");
    else if (has_size(t, view->shape[1], view->shape[0])) {
        t->rgb = view->buf;
        return 0;
    }
    PyBuffer_Release(view);
    return -1;
}

static int get_source(PyObject *object, Py_buffer *view, plane *found, const char *name)
{
    if (get_plane(object, view, found, 0, name) < 0) return -1;
    if (is_side(found->rows) && is_side(found->columns)) return 0;
    PyErr_Format(PyExc_ValueError, "%s: is %zd x %zd; allowed are 1 to %d", name, found->columns, found->rows, MOST_SIDE);
    PyBuffer_Release(view);
    return -1;
}

static PyObject *squeeze(PyObject *module, PyObject *arguments)
{
    static const char *const names[] = {"rgb", "y", "u", "v"};
    PyObject *objects[5];
    Py_buffer views[5];
    task t;
    int got = 0, is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOOO", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4])) return NULL;
    if (get_rgb(&t, objects[0], &views[0]) == 0) got++;
    while (got > 0 && got < 4 && get_source(objects[got], &views[got], &t.planes[got - 1].from, names[got]) == 0) got++;
    if (got == 4 && is_size(&t.planes[2].from, t.planes[1].from.rows, t.planes[1].from.columns, "v")
        && get_memory(objects[4], &views[4], room_for(&t, NULL), sizeof(int32_t), PyBUF_WRITABLE, "spare") == 0) {
        got++;
        room_for(&t, views[4].buf);
        Py_BEGIN_ALLOW_THREADS
        make_picture(&t);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(views, got, is_done);
}

static PyObject *spare_bytes(PyObject *module, PyObject *arguments)
{
    Py_ssize_t width, height;
    task t;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "nn", &width, &height) || !has_size(&t, width, height)) return NULL;
    return PyLong_FromSsize_t(room_for(&t, NULL));
}

static PyObject *read_shares(PyObject *module, PyObject *arguments)
{
    PyObject *mask, *tensor;
    Py_buffer views[2];
    double low, factor;
    int got = 0, is_done = 0, is_mask = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOdd", &mask, &tensor, &low, &factor)) return NULL;
    if (PyObject_GetBuffer(mask, &views[0], PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) == 0) got++;
    if (got == 1 && PyObject_GetBuffer(tensor, &views[1], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) == 0) got++;
    if (got == 2) {
        const Py_ssize_t count = views[0].len;
        const int is_float = views[1].format && strcmp(views[1].format, "f") == 0 && (uintptr_t)views[1].buf % sizeof(float) == 0;
        if (views[0].itemsize != 1) {
            PyErr_SetString(PyExc_ValueError, "mask: wants bytes");
        } else if (!is_float || views[1].len / (Py_ssize_t)sizeof(float) != count) {
            PyErr_Format(PyExc_ValueError, "tensor: wants %zd floats, aligned", count);
        } else {
            Py_BEGIN_ALLOW_THREADS
            is_mask = are_finite(views[1].buf, count);
            if (is_mask) fill_mask(views[0].buf, views[1].buf, count, (float)low, (float)factor);
            Py_END_ALLOW_THREADS
            is_done = 1;
        }
    }
    while (got > 0) PyBuffer_Release(&views[--got]);
    return is_done ? PyBool_FromLong(is_mask) : NULL;
}

static PyMethodDef methods[] = {
    {"squeeze", squeeze, METH_VARARGS, "squeeze(rgb, y, u, v, spare): the planes at the size of rgb, as colours."},
    {"spare_bytes", spare_bytes, METH_VARARGS, "spare_bytes(width, height): of memory that squeeze() works in."},
    {"read_shares", read_shares, METH_VARARGS, "read_shares(mask, tensor, low, factor): whether all are finite; then the mask is of them."},
    {NULL, NULL, 0, NULL},
};

MODULE(_picture, "Both ends of the model.")

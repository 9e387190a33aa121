/* Both ends of the model: the small RGB picture that it looks at, and the mask that it answers.
 *
 * The picture is made of the planes of a small I420 picture, in one pass, to the bytes that OpenCV gives with
 * INTER_LINEAR_EXACT for each plane and COLOR_YUV2RGB_I420 after that: both are whole numbers. The mask is read to the bytes
 * that NumPy gives, float by float: each operation is rounded as it is written here, so compilers must not fuse them:
 * -ffp-contract=off. */
#include "resize.h"

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
    resizing planes[3];
    int32_t *tints[3];
    uint8_t *row[3];
} task;

FOR_EACH_PROCESSOR
static void make_picture(task *t)
{
    const Py_ssize_t wide = 2 * t->columns;
    for (int i = 0; i < 2; i++) {
        place(&t->planes[i].across, 0, t->planes[i].across.count);
        place(&t->planes[i].down, 0, t->planes[i].down.count);
    }
    t->planes[2].across = t->planes[1].across;  /* u and v are of one size */
    t->planes[2].down = t->planes[1].down;
    for (Py_ssize_t row = 0; row < 2 * t->rows; row++) {
        if (row % 2 == 0) {
            resize_row(t->row[1], &t->planes[1], row / 2);
            resize_row(t->row[2], &t->planes[2], row / 2);
            tint(t->tints[0], t->tints[1], t->tints[2], t->row[1], t->row[2], t->columns);
        }
        resize_row(t->row[0], &t->planes[0], row);
        paint(t->rgb + row * 3 * wide, t->row[0], t->tints[0], t->tints[1], t->tints[2], wide);
    }
}

/* low + byte * (coarse + fine): coarse has so few digits that the first product is exact. */
FOR_EACH_PROCESSOR
static void fill_tensor(float *restrict out, const uint8_t *restrict bytes, Py_ssize_t count, float low, float coarse, float fine)
{
    for (Py_ssize_t i = 0; i < count; i++) out[i] = bytes[i] * coarse + (bytes[i] * fine + low);
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

/* How many bytes of memory the task is done in; shared out where there is `memory`. */
static Py_ssize_t room_for(task *t, uint8_t *memory)
{
    Py_ssize_t used = 0;
    for (int i = 0; i < 3; i++) {
        const Py_ssize_t columns = i ? t->columns : 2 * t->columns;
        take_resizing(&t->planes[i], memory, &used, columns, i ? t->rows : 2 * t->rows);
        t->tints[i] = take(memory, &used, 2 * t->columns * (Py_ssize_t)sizeof(int32_t));
        t->row[i] = take(memory, &used, columns);
    }
    return used;
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
    while (got > 0 && got < 4 && get_pixels(objects[got], &views[got], &t.planes[got - 1].from, 0, names[got]) == 0) got++;
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
    task t = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "nn", &width, &height) || !has_size(&t, width, height)) return NULL;
    return PyLong_FromSsize_t(room_for(&t, NULL));
}

/* Gets bytes, and a tensor of as many floats. Answers how many views are held: 2 where all is well. */
static int get_pair(PyObject *bytes, int byte_flags, PyObject *tensor, int tensor_flags, Py_buffer *views)
{
    if (PyObject_GetBuffer(bytes, &views[0], byte_flags | PyBUF_C_CONTIGUOUS) < 0) return 0;
    if (PyObject_GetBuffer(tensor, &views[1], tensor_flags | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) return 1;
    const int is_float = views[1].format && strcmp(views[1].format, "f") == 0 && (uintptr_t)views[1].buf % sizeof(float) == 0;
    if (views[0].itemsize == 1 && is_float && views[1].len / (Py_ssize_t)sizeof(float) == views[0].len) return 2;
    PyErr_Format(PyExc_ValueError, views[0].itemsize == 1 ? "tensor: wants %zd floats, aligned" : "picture or mask: wants bytes", views[0].len);
    PyBuffer_Release(&views[1]);
    return 1;
}

static PyObject *feed(PyObject *module, PyObject *arguments)
{
    PyObject *tensor, *picture;
    Py_buffer views[2];
    float low, coarse, fine;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOfff", &tensor, &picture, &low, &coarse, &fine)) return NULL;
    const int got = get_pair(picture, 0, tensor, PyBUF_WRITABLE, views);
    if (got == 2) {
        Py_BEGIN_ALLOW_THREADS
        fill_tensor(views[1].buf, views[0].buf, views[0].len, low, coarse, fine);
        Py_END_ALLOW_THREADS
    }
    return answer(views, got, got == 2);
}

static PyObject *read_shares(PyObject *module, PyObject *arguments)
{
    PyObject *mask, *tensor;
    Py_buffer views[2];
    float low, factor;
    int is_mask = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOff", &mask, &tensor, &low, &factor)) return NULL;
    const int got = get_pair(mask, PyBUF_WRITABLE, tensor, 0, views);
    if (got == 2) {
        Py_BEGIN_ALLOW_THREADS
        is_mask = are_finite(views[1].buf, views[0].len);
        if (is_mask) fill_mask(views[0].buf, views[1].buf, views[0].len, low, factor);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < got; i++) PyBuffer_Release(&views[i]);
    return got == 2 ? PyBool_FromLong(is_mask) : NULL;
}

static PyMethodDef methods[] = {
    {"squeeze", squeeze, METH_VARARGS, "squeeze(rgb, y, u, v, spare): the planes at the size of rgb, as colours."},
    {"spare_bytes", spare_bytes, METH_VARARGS, "spare_bytes(width, height): of memory that squeeze() works in."},
    {"feed", feed, METH_VARARGS, "feed(tensor, picture, low, coarse, fine): byte * coarse + (byte * fine + low), of each byte."},
    {"read_shares", read_shares, METH_VARARGS, "read_shares(mask, tensor, low, factor): whether all are finite; then the mask is of them."},
    {NULL, NULL, 0, NULL},
};

MODULE(_picture, "Both ends of the model.")

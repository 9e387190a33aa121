/* The arithmetic of the matte's edge and of its calm: what temporal.py and guided.py do in seventy passes of OpenCV.
 *
 * To the same bytes, on every processor: what can be whole numbers is, and each operation on floats is rounded as it is
 * written here. Compilers must not fuse multiplications and additions: -ffp-contract=off. */
#include "steady.h"

enum { Y, D, P, YY, DD, YD, YP, DP, SUMS };      /* sums over a window: luma, v - u and mask, and their products */
enum { SLOPE_Y, SLOPE_D, OFFSET, SOLVED };       /* what the least squares leave behind */
static const double ONE_OF_WINDOW = 1.0 / (SIDE * SIDE), QUARTER = 0.25 / (SIDE * SIDE), SIXTEENTH = 0.0625 / (SIDE * SIDE);

/* What was drawn: the rectangle of fine cells that are not 0, and the sum of all. */
typedef struct {
    Py_ssize_t left, top, right, bottom;
    uint64_t sum;
} extent;

typedef struct {
    plane seen;                 /* the model's mask, as it is */
    window inside;              /* in coarse cells */
    Py_ssize_t rows, columns;   /* of coarse cells, in the whole grid */
    resizing coarse, limit;     /* its mask, and where that has any support, at coarse and at fine size inside the window */
    uint8_t *row, *any;         /* of fine cells: one of the limit; what is in any row */
    plane out, mask, y, u, v;   /* inside the window: mask of rows x columns coarse cells, the others of twice as many fine ones */
    float noise, shift;
    double scale;
    float *solved;              /* SOLVED planes of rows x columns */
    int32_t *sums;              /* see sums_of */
    double *held;               /* see smooth */
} task;

/* Luma and v - u of a row of coarse cells, four times as large, and the mask, with RADIUS more on either side. */
INLINE void gather(const task *t, Py_ssize_t row, int32_t *restrict y, int32_t *restrict d, int32_t *restrict p)
{
    const Py_ssize_t columns = t->mask.columns;
    const uint8_t *y0 = row_of(&t->y, 2 * row), *y1 = row_of(&t->y, 2 * row + 1), *mask = row_of(&t->mask, row);
    const uint8_t *u0 = row_of(&t->u, 2 * row), *u1 = row_of(&t->u, 2 * row + 1);
    const uint8_t *v0 = row_of(&t->v, 2 * row), *v1 = row_of(&t->v, 2 * row + 1);
    for (Py_ssize_t x = 0; x < columns; x++) {
        y[x + RADIUS] = y0[2 * x] + y0[2 * x + 1] + y1[2 * x] + y1[2 * x + 1];
        d[x + RADIUS] = v0[2 * x] + v0[2 * x + 1] + v1[2 * x] + v1[2 * x + 1] - u0[2 * x] - u0[2 * x + 1] - u1[2 * x] - u1[2 * x + 1];
        p[x + RADIUS] = mask[x];
    }
    for (Py_ssize_t k = 1; k <= RADIUS; k++) {
        const Py_ssize_t left = RADIUS + mirrored(-k, columns), right = RADIUS + mirrored(columns - 1 + k, columns);
        y[RADIUS - k] = y[left], d[RADIUS - k] = d[left], p[RADIUS - k] = p[left];
        y[RADIUS + columns - 1 + k] = y[right], d[RADIUS + columns - 1 + k] = d[right], p[RADIUS + columns - 1 + k] = p[right];
    }
}

INLINE void sum_row(int32_t *restrict sums, const int32_t *restrict a, Py_ssize_t columns)
{
    for (Py_ssize_t x = 0; x < columns; x++) sums[x] = a[x] + a[x + 1] + a[x + 2] + a[x + 3] + a[x + 4];
}

INLINE void sum_products(int32_t *restrict sums, int32_t *restrict products, const int32_t *restrict a, const int32_t *restrict b, Py_ssize_t columns)
{
    for (Py_ssize_t x = 0; x < columns + 2 * RADIUS; x++) products[x] = a[x] * b[x];
    sum_row(sums, products, columns);
}

/* The sums of a row of windows, from the row sums of SIDE rows. `sums` has HELD times SUMS rows of these, SUMS rows of
 * what it answers, and four rows with RADIUS more on either side. */
INLINE int32_t *sums_of(const task *t, Py_ssize_t row, Py_ssize_t *summed)
{
    const Py_ssize_t columns = t->mask.columns, rows = t->mask.rows, wide = columns + 2 * RADIUS;
    int32_t *found = t->sums + HELD * SUMS * columns, *y = found + SUMS * columns, *d = y + wide, *p = d + wide, *products = p + wide;
    for (; *summed < rows && *summed <= row + RADIUS; ++*summed) {
        int32_t *into = t->sums + *summed % HELD * SUMS * columns;
        gather(t, *summed, y, d, p);
        sum_row(into + Y * columns, y, columns);
        sum_row(into + D * columns, d, columns);
        sum_row(into + P * columns, p, columns);
        sum_products(into + YY * columns, products, y, y, columns);
        sum_products(into + DD * columns, products, d, d, columns);
        sum_products(into + YD * columns, products, y, d, columns);
        sum_products(into + YP * columns, products, y, p, columns);
        sum_products(into + DP * columns, products, d, p, columns);
    }
    const int32_t *from[SIDE];
    for (Py_ssize_t k = 0; k < SIDE; k++) from[k] = t->sums + mirrored(row - RADIUS + k, rows) % HELD * SUMS * columns;
    const int32_t *a = from[0], *b = from[1], *c = from[2], *e = from[3], *f = from[4];
    for (Py_ssize_t i = 0; i < SUMS * columns; i++) found[i] = a[i] + b[i] + c[i] + e[i] + f[i];
    return found;
}

/* Least squares of a row of windows. */
INLINE void solve(const task *t, const int32_t *restrict sums, float *restrict slope_y, float *restrict slope_d, float *restrict offset)
{
    const Py_ssize_t n = t->mask.columns;
    const float noise = t->noise;
    for (Py_ssize_t x = 0; x < n; x++) {
        const float y = (float)(sums[Y * n + x] * QUARTER), d = (float)(sums[D * n + x] * QUARTER);
        const float p = (float)(sums[P * n + x] * ONE_OF_WINDOW);
        const float yy = (float)(sums[YY * n + x] * SIXTEENTH) - y * y + noise;
        const float dd = (float)(sums[DD * n + x] * SIXTEENTH) - d * d + noise;
        const float yd = (float)(sums[YD * n + x] * SIXTEENTH) - y * d;
        const float yp = (float)(sums[YP * n + x] * QUARTER) - y * p;
        const float dp = (float)(sums[DP * n + x] * QUARTER) - d * p;
        const float det = yy * dd - yd * yd, by_y = (yp * dd - yd * dp) / det, by_d = (yy * dp - yp * yd) / det;
        slope_y[x] = by_y;
        slope_d[x] = by_d;
        offset[x] = p - by_y * y - by_d * d;
    }
}

/* Sums of SIDE elements of a row. `padded` has room for RADIUS more on either side. */
INLINE void sum_floats(double *restrict sums, float *restrict padded, const float *restrict row, Py_ssize_t columns)
{
    memcpy(padded + RADIUS, row, (size_t)columns * sizeof *row);
    for (Py_ssize_t k = 1; k <= RADIUS; k++) {
        padded[RADIUS - k] = row[mirrored(-k, columns)];
        padded[RADIUS + columns - 1 + k] = row[mirrored(columns - 1 + k, columns)];
    }
    for (Py_ssize_t x = 0; x < columns; x++)
        sums[x] = (double)padded[x] + padded[x + 1] + padded[x + 2] + padded[x + 3] + padded[x + 4];
}

/* The mean of all explanations that cover a cell, in place. `held` has HELD row sums, one row of what is carried from
 * row to row, and one with RADIUS more on either side. The order of additions is OpenCV's. */
INLINE void smooth(const task *t, float *field, float shift)
{
    const Py_ssize_t columns = t->mask.columns, rows = t->mask.rows;
    double *carried = t->held + HELD * columns;
    float *padded = (float *)(carried + columns);
    Py_ssize_t summed = 0;
    for (Py_ssize_t row = -2 * RADIUS; row < rows; row++) {
        const Py_ssize_t below = mirrored(row + RADIUS, rows), above = mirrored(row - RADIUS, rows);
        for (; summed <= below || (summed < rows && summed <= RADIUS); summed++)
            sum_floats(t->held + summed % HELD * columns, padded, field + summed * columns, columns);
        const double *restrict gained = t->held + below % HELD * columns, *restrict lost = t->held + above % HELD * columns;
        if (row == -2 * RADIUS) memset(carried, 0, (size_t)columns * sizeof *carried);
        if (row < 0) {
            for (Py_ssize_t x = 0; x < columns; x++) carried[x] += gained[x];
            continue;
        }
        float *restrict out = field + row * columns;
        for (Py_ssize_t x = 0; x < columns; x++) {
            const double sum = carried[x] + gained[x];
            out[x] = (float)((float)(sum * ONE_OF_WINDOW) * t->scale) - shift;
            carried[x] = sum - lost[x];
        }
    }
}

/* A row of coarse cells, twice as wide. */
INLINE void widen(float *restrict out, const float *restrict row, Py_ssize_t columns)
{
    out[0] = row[0] * 0.5f + (row[0] + row[0]) * 0.25f;
    for (Py_ssize_t x = 0; x + 1 < columns; x++) {
        const float here = row[x], next = row[x + 1], both = (here + next) * 0.25f;
        out[2 * x + 1] = here * 0.5f + both;
        out[2 * x + 2] = next * 0.5f + both;
    }
    out[2 * columns - 1] = row[columns - 1] * 0.5f + (row[columns - 1] + row[columns - 1]) * 0.25f;
}

/* Applies the explanations of two rows of cells, `here` and one next to it, to a fine row. */
INLINE void paint_row(uint8_t *restrict out, const float *restrict here, const float *restrict next, const uint8_t *restrict y, const uint8_t *restrict u, const uint8_t *restrict v, Py_ssize_t n)
{
    for (Py_ssize_t x = 0; x < n; x++) {
        const float by_y = here[x] * 0.5f + (next[x] + here[x]) * 0.25f;
        const float by_d = here[n + x] * 0.5f + (next[n + x] + here[n + x]) * 0.25f;
        const float offset = here[2 * n + x] * 0.5f + (next[2 * n + x] + here[2 * n + x]) * 0.25f;
        out[x] = rounded(by_y * (float)y[x] + by_d * (float)(v[x] - u[x]) + offset);
    }
}

/* `wide` has room for 4 times SOLVED rows of fine cells. */
INLINE void paint(const task *t, float *wide)
{
    const Py_ssize_t columns = t->mask.columns, rows = t->mask.rows, fine = 2 * columns;
    for (Py_ssize_t row = 0, widened = 0; row < rows; row++) {
        for (; widened < rows && widened <= row + 1; widened++)
            for (int i = 0; i < SOLVED; i++)
                widen(wide + (widened % 4 * SOLVED + i) * fine, t->solved + (i * rows + widened) * columns, columns);
        const float *here = wide + row % 4 * SOLVED * fine;
        for (Py_ssize_t half = 0; half < 2; half++) {
            const Py_ssize_t beside = half ? (row + 1 < rows ? row + 1 : row) : (row > 0 ? row - 1 : row), at = 2 * row + half;
            paint_row(row_of(&t->out, at), here, wide + beside % 4 * SOLVED * fine, row_of(&t->y, at), row_of(&t->u, at), row_of(&t->v, at), fine);
        }
    }
}

/* The mask at coarse size. */
INLINE void coarsen(task *t)
{
    place(&t->coarse.across, t->inside.left, t->columns);
    place(&t->coarse.down, t->inside.top, t->rows);
    for (Py_ssize_t row = 0; row < t->mask.rows; row++) resize_row(row_of(&t->mask, row), &t->coarse, row);
}

/* Cuts a row at what is allowed. Answers its sum. */
INLINE uint32_t cut_row(uint8_t *restrict out, const uint8_t *restrict most, uint8_t *restrict any, Py_ssize_t count)
{
    uint32_t sum = 0;
    for (Py_ssize_t x = 0; x < count; x++) {
        const uint8_t left = out[x] < most[x] ? out[x] : most[x];
        out[x] = left;
        any[x] |= left;
        sum += left;
    }
    return sum;
}

/* Cuts what was drawn at the mask's support, and measures what is left. */
INLINE extent cut(task *t)
{
    const Py_ssize_t columns = t->out.columns;
    extent found = {0, 0, 0, 0, 0};
    place(&t->limit.across, 2 * t->inside.left, 2 * t->columns);
    place(&t->limit.down, 2 * t->inside.top, 2 * t->rows);
    memset(t->any, 0, (size_t)columns);
    for (Py_ssize_t row = 0; row < t->out.rows; row++) {
        resize_row(t->row, &t->limit, row);
        const uint32_t sum = cut_row(row_of(&t->out, row), t->row, t->any, columns);
        if (sum && !found.sum) found.top = row;
        if (sum) found.bottom = row + 1;
        found.sum += sum;
    }
    if (!found.sum) return found;
    found.right = columns;
    while (!t->any[found.left]) found.left++;
    while (!t->any[found.right - 1]) found.right--;
    return found;
}

FOR_EACH_PROCESSOR
static extent draw_edges(task *t)
{
    const Py_ssize_t columns = t->mask.columns, rows = t->mask.rows, field = rows * columns;
    Py_ssize_t summed = 0;
    coarsen(t);
    for (Py_ssize_t row = 0; row < rows; row++) {
        const int32_t *sums = sums_of(t, row, &summed);
        float *at = t->solved + row * columns;
        solve(t, sums, at, at + field, at + 2 * field);
    }
    for (int i = 0; i < SOLVED; i++) smooth(t, t->solved + i * field, i == OFFSET ? t->shift : 0);
    paint(t, (float *)t->sums);  /* the sums are done with */
    return cut(t);
}

/* --- Python --- */

/* Gets memory to work in. */
static int get_spare(PyObject *object, Py_buffer *view, Py_ssize_t wanted)
{
    return get_memory(object, view, wanted, sizeof(double), PyBUF_WRITABLE, "spare");
}

/* Gets a table of 256. */
static int get_table(PyObject *object, Py_buffer *view, Py_ssize_t wide, const char *name)
{
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) < 0) return -1;
    if (view->len == 256 * wide && (uintptr_t)view->buf % (size_t)wide == 0) return 0;
    PyErr_Format(PyExc_ValueError, "%s: wants 256 of %zd bytes", name, wide);
    PyBuffer_Release(view);
    return -1;
}

static PyObject *steady(PyObject *module, PyObject *arguments)
{
    PyObject *objects[5];
    Py_buffer views[5];
    plane planes[2];
    workspace work;
    window found = {0, 0, 0, 0};
    int got = 0, is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOOO", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4])) return NULL;
    if (get_pixels(objects[0], &views[0], &planes[0], PyBUF_WRITABLE, "average") == 0) got++;
    if (got == 1 && get_pixels(objects[1], &views[1], &planes[1], 0, "mask") == 0) got++;
    if (got == 2 && get_table(objects[2], &views[2], 1, "table") == 0) got++;
    if (got == 3 && get_table(objects[3], &views[3], sizeof(float), "gain") == 0) got++;
    if (got == 4 && is_size(&planes[0], planes[1].rows, planes[1].columns, "average")
        && get_spare(objects[4], &views[4], share_out(&work, planes[1].columns, NULL)) == 0) {
        got++;
        share_out(&work, planes[1].columns, views[4].buf);
        Py_BEGIN_ALLOW_THREADS
        found = steady_plane(&planes[0], &planes[1], views[2].buf, views[3].buf, work);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    while (got > 0) PyBuffer_Release(&views[--got]);
    if (!is_done) return NULL;
    return Py_BuildValue("nnnn", found.left, found.top, found.right - found.left, found.bottom - found.top);
}

/* How many bytes of memory edges() works in, for so many coarse cells; shared out where there is `memory`. */
static Py_ssize_t room_for(task *t, Py_ssize_t rows, Py_ssize_t columns, uint8_t *memory)
{
    const Py_ssize_t wide = columns + 2 * RADIUS;
    Py_ssize_t used = 0;
    t->coarse.from = t->limit.from = t->seen;
    take_resizing(&t->coarse, memory, &used, columns, rows);
    take_resizing(&t->limit, memory, &used, 2 * columns, 2 * rows);
    t->limit.firm = take(memory, &used, t->seen.columns);
    t->row = take(memory, &used, 2 * columns);
    t->any = take(memory, &used, 2 * columns);
    t->mask = (plane){take(memory, &used, rows * columns), columns, rows, columns, 1};
    t->held = take(memory, &used, (HELD + 2) * wide * (Py_ssize_t)sizeof(double));
    t->sums = take(memory, &used, ((HELD + 1) * SUMS + 4) * wide * (Py_ssize_t)sizeof(int32_t));
    t->solved = take(memory, &used, SOLVED * rows * columns * (Py_ssize_t)sizeof(float));
    return used;
}

/* The fine cells inside a window. */
static plane part_of(const plane *of, window inside)
{
    uint8_t *at = of->at + 2 * inside.top * of->stride + 2 * inside.left;
    return (plane){at, of->stride, 2 * (inside.bottom - inside.top), 2 * (inside.right - inside.left), 1};
}

/* Whether all planes are of one even size, and the window inside of that. */
static int fits(task *t)
{
    static const char *const names[] = {"y", "u", "v"};
    const plane *planes[] = {&t->y, &t->u, &t->v};
    const window in = t->inside;
    t->rows = t->out.rows / 2;
    t->columns = t->out.columns / 2;
    for (int i = 0; i < 3; i++)
        if (!is_size(planes[i], 2 * t->rows, 2 * t->columns, names[i])) return 0;
    if (is_size(&t->out, 2 * t->rows, 2 * t->columns, "out") && in.left >= 0 && in.top >= 0 && in.left < in.right
        && in.top < in.bottom && in.right <= t->columns && in.bottom <= t->rows)
        return 1;
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "window: is empty, or reaches out of the picture");
    return 0;
}

static PyObject *edges(PyObject *module, PyObject *arguments)
{
    static const char *const names[] = {"out", "mask", "y", "u", "v"};
    PyObject *objects[6];
    Py_buffer views[6];
    task t;
    plane *planes[] = {&t.out, &t.seen, &t.y, &t.u, &t.v};
    window *in = &t.inside;
    double noise, shift;
    extent found = {0, 0, 0, 0, 0};
    int got = 0, is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOOOO(nnnn)ddd", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4], &objects[5],
                          &in->left, &in->top, &in->right, &in->bottom, &noise, &t.scale, &shift))
        return NULL;
    t.noise = (float)noise;
    t.shift = (float)shift;
    while (got < 5 && get_pixels(objects[got], &views[got], planes[got], got ? 0 : PyBUF_WRITABLE, names[got]) == 0) got++;
    if (got == 5 && fits(&t)) {
        const Py_ssize_t rows = in->bottom - in->top, columns = in->right - in->left;
        if (get_spare(objects[5], &views[5], room_for(&t, rows, columns, NULL)) == 0) {
            got++;
            room_for(&t, rows, columns, views[5].buf);
            t.out = part_of(&t.out, *in);
            t.y = part_of(&t.y, *in);
            t.u = part_of(&t.u, *in);
            t.v = part_of(&t.v, *in);
            Py_BEGIN_ALLOW_THREADS
            found = draw_edges(&t);
            Py_END_ALLOW_THREADS
            is_done = 1;
        }
    }
    while (got > 0) PyBuffer_Release(&views[--got]);
    if (!is_done) return NULL;
    return Py_BuildValue("(nnnn)K", 2 * in->left * (found.sum > 0) + found.left, 2 * in->top * (found.sum > 0) + found.top,
                         found.right - found.left, found.bottom - found.top, (unsigned long long)found.sum);
}

static PyObject *spare_bytes(PyObject *module, PyObject *arguments)
{
    Py_ssize_t rows, columns;
    task t = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "nnn", &rows, &columns, &t.seen.columns)) return NULL;
    return PyLong_FromSsize_t(room_for(&t, rows, columns, NULL));
}

static PyMethodDef methods[] = {
    {"steady", steady, METH_VARARGS, "steady(average, mask, table, gain, spare): one step of the time filter, in place; answers where the average is not 0."},
    {"edges", edges, METH_VARARGS, "edges(out, mask, y, u, v, spare, window, noise, scale, shift): the mask, drawn at the picture's edges; answers where, and its sum."},
    {"spare_bytes", spare_bytes, METH_VARARGS, "spare_bytes(rows, columns, mask_columns): of memory that edges() works in."},
    {NULL, NULL, 0, NULL},
};

MODULE(_edges, "The matte's arithmetic.")

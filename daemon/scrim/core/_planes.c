/* The passes over whole planes: mixing camera and background by the matte, and shrinking.
 *
 * All is whole numbers, exactly rounded, so that every processor gives the same bytes. The inner loops are plain C that
 * compilers turn into SSE2, AVX2 or NEON; they work on 16 bits a pixel. Rows are worked on in runs short enough that
 * what lies between two steps stays in the nearest cache: each pixel of the large planes is read and written once. */
#include "extension.h"

enum { BLOCK = 64, MOST_WIDTH = MOST_SIDE };     /* in pixels; the one a multiple of the other */
enum { LINE = 64, AHEAD = 8 };                   /* bytes in a line of the cache, and rows to ask for in advance */
enum { MOST_LEVELS = 4 };
enum { ROOM = 0, EDGE = 1, PERSON = 2 };  /* what a block is: alpha 0, anything, 255 throughout */

/* Eight pixels at a time: one register of SSE2 and of NEON. */
typedef uint16_t eight __attribute__((vector_size(16)));
typedef uint16_t four __attribute__((vector_size(8)));

/* Enlarges cells to the right, from the middle of the first to the middle of the one after the last; `out` counts
 * 2 * factor parts of a level. */
INLINE void widen(uint16_t *restrict out, const uint8_t *restrict cells, Py_ssize_t count, int factor)
{
    if (factor == 8) {
        const eight falling = {15, 13, 11, 9, 7, 5, 3, 1}, rising = {1, 3, 5, 7, 9, 11, 13, 15};
        for (Py_ssize_t i = 0; i < count; i++) {
            const eight between = falling * (uint16_t)cells[i] + rising * (uint16_t)cells[i + 1];
            memcpy(out + 8 * i, &between, sizeof between);
        }
    } else if (factor == 4) {
        const four falling = {7, 5, 3, 1}, rising = {1, 3, 5, 7};
        for (Py_ssize_t i = 0; i < count; i++) {
            const four between = falling * (uint16_t)cells[i] + rising * (uint16_t)cells[i + 1];
            memcpy(out + 4 * i, &between, sizeof between);
        }
    } else {
        for (Py_ssize_t i = 0; i < count; i++) {
            const uint16_t here = cells[i], next = cells[i + 1];
            out[2 * i] = (uint16_t)(here * 3 + next);
            out[2 * i + 1] = (uint16_t)(here + next * 3);
        }
    }
}

/* Enlarges the cells from `first` to `end` and half of their neighbours; beyond the last ones the plane goes on as it
 * ends. Pixel 0 of the plane goes to out[factor / 2]. */
INLINE void widen_part(uint16_t *restrict out, const uint8_t *cells, Py_ssize_t columns, int factor, Py_ssize_t first, Py_ssize_t end)
{
    const Py_ssize_t begin = first > 0 ? first - 1 : 0, stop = end < columns ? end : columns - 1;
    const uint8_t head[2] = {cells[0], cells[0]}, tail[2] = {cells[columns - 1], cells[columns - 1]};
    if (first == 0) widen(out, head, 1, factor);
    widen(out + (begin + 1) * factor, cells + begin, stop - begin, factor);
    if (end == columns) widen(out + columns * factor, tail, 1, factor);
}

/* Goes down the rows of an enlarged plane. `upper` and `lower` are the two rows of cells that the present row lies
 * between, widened where that is wanted; their shares are such that a level counts 256. With factor 1 the cells are the
 * pixels, and nothing is widened. */
typedef struct {
    const plane *from;
    Py_ssize_t above;
    uint16_t upper_share, lower_share;
    uint16_t *upper, *lower;
    uint16_t rows[2][MOST_WIDTH + 16];
} descent;

INLINE const uint8_t *cells_at(const plane *from, Py_ssize_t row)
{
    return from->at + (row < 0 ? 0 : row < from->rows ? row : from->rows - 1) * from->stride;
}

INLINE void begin(descent *down, const plane *from)
{
    down->from = from;
    down->above = -2;
    down->upper = down->rows[0];
    down->lower = down->rows[1];
}

/* Comes to a row below the last one. Returns whether other cells count than there. */
INLINE int come_to(descent *down, Py_ssize_t row)
{
    const int factor = down->from->factor, parts = 2 * factor;
    const Py_ssize_t at = 2 * row + 1 - factor, above = at < 0 ? -1 : at / parts, before = down->above;
    const int lower = (int)(at - above * parts), scale = 256 / (parts * parts);
    down->lower_share = (uint16_t)(lower * scale);
    down->upper_share = (uint16_t)((parts - lower) * scale);
    down->above = above;
    return above != before;
}

/* Widens the cells that reach into the pixels from `left` to `right`. */
INLINE void widen_both(descent *down, Py_ssize_t left, Py_ssize_t right)
{
    const plane *from = down->from;
    const Py_ssize_t first = left / from->factor, end = (right - 1) / from->factor + 1;
    widen_part(down->upper, cells_at(from, down->above), from->columns, from->factor, first, end);
    widen_part(down->lower, cells_at(from, down->above + 1), from->columns, from->factor, first, end);
}

/* The same for whole rows, where that was done for all rows above: only one of them is new. */
INLINE void widen_next(descent *down)
{
    const plane *from = down->from;
    uint16_t *freed = down->upper;
    down->upper = down->lower;
    down->lower = freed;
    if (down->above < 0) widen_part(down->upper, cells_at(from, 0), from->columns, from->factor, 0, from->columns);
    widen_part(down->lower, cells_at(from, down->above + 1), from->columns, from->factor, 0, from->columns);
}

/* One pixel of the present row, rounded half up. */
INLINE uint8_t between(uint16_t upper, uint16_t lower, uint16_t upper_share, uint16_t lower_share)
{
    return (uint8_t)((uint16_t)(upper * upper_share + lower * lower_share + 128) >> 8);
}

/* Writes the present row from pixel `left` on. */
INLINE void draw(uint8_t *restrict out, const descent *down, Py_ssize_t left, Py_ssize_t count)
{
    const uint16_t *restrict upper = down->upper + down->from->factor / 2 + left, *restrict lower = down->lower + down->from->factor / 2 + left;
    const uint16_t upper_share = down->upper_share, lower_share = down->lower_share;
    if (down->from->factor == 1) {
        memcpy(out, cells_at(down->from, down->above) + left, (size_t)count);
        return;
    }
    for (Py_ssize_t i = 0; i < count; i++) out[i] = between(upper[i], lower[i], upper_share, lower_share);
}

/* x / 255, rounded to the nearest; exact for 0 <= x <= 255 * 255. */
INLINE uint16_t over_255(uint16_t x)
{
    uint16_t t = (uint16_t)(x + 128);
    return (uint16_t)((uint16_t)(t + (t >> 8)) >> 8);
}

INLINE uint8_t mixed(uint8_t room, uint8_t camera, uint8_t alpha)
{
    return (uint8_t)(over_255((uint16_t)(camera * alpha)) + over_255((uint16_t)(room * (uint8_t)~alpha)));
}

/* Mixes the camera over what was drawn, by the present row of the matte from pixel `left` on. */
INLINE void mix(uint8_t *restrict out, const uint8_t *restrict camera, const descent *alpha, Py_ssize_t left, Py_ssize_t count)
{
    const uint16_t *restrict upper = alpha->upper + alpha->from->factor / 2 + left, *restrict lower = alpha->lower + alpha->from->factor / 2 + left;
    const uint16_t upper_share = alpha->upper_share, lower_share = alpha->lower_share;
    if (alpha->from->factor == 1) {
        const uint8_t *restrict shares = cells_at(alpha->from, alpha->above) + left;
        for (Py_ssize_t i = 0; i < count; i++) out[i] = mixed(out[i], camera[i], shares[i]);
        return;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        out[i] = mixed(out[i], camera[i], between(upper[i], lower[i], upper_share, lower_share));
}

typedef struct {
    Py_ssize_t left, top, right, bottom;
} box;

/* What each block of the present row is. One that reaches out of the box is never PERSON, one outside is ROOM. */
INLINE void judge(uint8_t *kinds, const descent *alpha, box inside, Py_ssize_t width)
{
    const int factor = alpha->from->factor;
    const Py_ssize_t columns = alpha->from->columns;
    const uint8_t *upper = cells_at(alpha->from, alpha->above);
    const uint8_t *lower = factor == 1 ? upper : cells_at(alpha->from, alpha->above + 1);
    for (Py_ssize_t left = 0; left < width; left += BLOCK) {
        Py_ssize_t right = left + BLOCK < width ? left + BLOCK : width;
        Py_ssize_t first = left / factor, end = (right - 1) / factor + 1;
        uint8_t any = 0, all = 255;
        if (factor > 1) {  /* the neighbours lend their share */
            first -= first > 0;
            end += end < columns;
        }
        if (right > inside.left && left < inside.right)
            for (Py_ssize_t i = first; i < end; i++) {
                any |= upper[i] | lower[i];
                all &= upper[i] & lower[i];
            }
        kinds[left / BLOCK] = !any ? ROOM : all == 255 && left >= inside.left && right <= inside.right ? PERSON : EDGE;
    }
}

/* Where the run of blocks of one kind ends that begins at `left`; for every kind where `kinds` is NULL. */
INLINE Py_ssize_t run_end(const uint8_t *kinds, Py_ssize_t left, Py_ssize_t width)
{
    Py_ssize_t right = left + BLOCK;
    if (!kinds) return width;
    while (right < width && kinds[right / BLOCK] == kinds[left / BLOCK]) right += BLOCK;
    return right < width ? right : width;
}

FOR_EACH_PROCESSOR
static void blend_planes(const plane *out, const plane *camera, const plane *behind, const plane *alpha, box inside)
{
    const Py_ssize_t width = out->columns, height = out->rows;
    uint8_t kinds[MOST_WIDTH / BLOCK];
    descent room, person;
    if (width == 0) return;
    begin(&room, behind);
    begin(&person, alpha);
    for (Py_ssize_t row = 0; row < height; row++) {
        uint8_t *to = out->at + row * out->stride;
        const uint8_t *from = camera->at + row * camera->stride;
        const uint8_t *kind_of = row >= inside.top && row < inside.bottom ? kinds : NULL;
        if (come_to(&room, row) && behind->factor > 1) widen_next(&room);
        if (kind_of && come_to(&person, row)) {
            judge(kinds, &person, inside, width);
            for (Py_ssize_t left = 0, right; alpha->factor > 1 && left < width; left = right) {
                right = run_end(kinds, left, width);
                if (kinds[left / BLOCK] == EDGE) widen_both(&person, left, right);
            }
        }
        for (Py_ssize_t left = 0, right; left < width; left = right) {
            const int kind = kind_of ? kind_of[left / BLOCK] : ROOM;
            right = run_end(kind_of, left, width);
            if (kind == PERSON) memcpy(to + left, from + left, (size_t)(right - left));
            else draw(to + left, &room, left, right - left);
            if (kind == EDGE) {
                const Py_ssize_t begins = left > inside.left ? left : inside.left;
                const Py_ssize_t ends = right < inside.right ? right : inside.right;
                mix(to + begins, from + begins, &person, begins, ends - begins);
            }
        }
    }
}

/* Asks for two rows before they are worked on: a camera's picture is in no cache, and in pages that were not seen lately. */
INLINE void fetch(const plane *from, Py_ssize_t row)
{
    const uint8_t *at = row_of(from, row);
    if (row + 2 > from->rows) return;
    for (Py_ssize_t i = 0; i < 2 * from->stride; i += LINE) __builtin_prefetch(at + i);
}

/* The row of `out` that two rows of `from` become. */
INLINE void halve_row(const plane *out, const plane *from, Py_ssize_t row)
{
    uint8_t *restrict to = row_of(out, row);
    const pair *upper = (const pair *)row_of(from, 2 * row), *lower = (const pair *)row_of(from, 2 * row + 1);
    const Py_ssize_t columns = out->columns;
    for (Py_ssize_t i = 0; i < columns; i++)
        to[i] = (uint8_t)((uint16_t)(sum_of(upper[i]) + sum_of(lower[i]) + 2) >> 2);
}

/* Halves a plane `count` times; each row as soon as there are the two that it is made of. */
FOR_EACH_PROCESSOR
static void halve_plane(const plane *outs, int count, const plane *from)
{
    for (Py_ssize_t row = 0; row < outs[0].rows; row++) {
        fetch(from, 2 * row + AHEAD);
        halve_row(&outs[0], from, row);
        for (int at = 1; at < count && (row + 1) % ((Py_ssize_t)1 << at) == 0; at++)
            halve_row(&outs[at], &outs[at - 1], row >> at);
    }
}

static int is_factor(int factor)
{
    return factor == 1 || factor == 2 || factor == 4 || factor == 8;
}

/* The mean of the four pixels that a cell becomes when the plane is enlarged by 2, each of them rounded. `upper` and
 * `lower` are the rows around `here`; `spare` has room for two rows with one more on either side. */
INLINE void smooth_row(uint8_t *restrict out, const uint8_t *restrict upper, const uint8_t *restrict here, const uint8_t *restrict lower, uint16_t *restrict spare, Py_ssize_t count)
{
    uint16_t *restrict above = spare, *restrict below = spare + count + 2;
    for (Py_ssize_t x = 0; x < count; x++) {
        above[x + 1] = (uint16_t)(3 * here[x] + upper[x]);
        below[x + 1] = (uint16_t)(3 * here[x] + lower[x]);
    }
    above[0] = above[1], above[count + 1] = above[count];
    below[0] = below[1], below[count + 1] = below[count];
    for (Py_ssize_t x = 0; x < count; x++) {
        const uint16_t a = (uint16_t)((uint16_t)(3 * above[x + 1] + above[x] + 8) >> 4);
        const uint16_t b = (uint16_t)((uint16_t)(3 * above[x + 1] + above[x + 2] + 8) >> 4);
        const uint16_t c = (uint16_t)((uint16_t)(3 * below[x + 1] + below[x] + 8) >> 4);
        const uint16_t d = (uint16_t)((uint16_t)(3 * below[x + 1] + below[x + 2] + 8) >> 4);
        out[x] = (uint8_t)((uint16_t)(a + b + c + d + 2) >> 2);
    }
}

FOR_EACH_PROCESSOR
static void smooth_plane(const plane *out, const plane *from)
{
    uint16_t spare[2 * (MOST_WIDTH + 8 + 2)];
    if (from->columns == 0) return;
    for (Py_ssize_t row = 0; row < from->rows; row++)
        smooth_row(out->at + row * out->stride, cells_at(from, row - 1), cells_at(from, row), cells_at(from, row + 1), spare, from->columns);
}

/* Gets a plane that stands for its enlargement. */
static int get_enlarged(PyObject *object, Py_buffer *view, plane *found, int flags, const char *name, int factor)
{
    if (!is_factor(factor)) {
        PyErr_Format(PyExc_ValueError, "%s: factor = %d; allowed are 1, 2, 4 and 8", name, factor);
        return -1;
    }
    if (get_plane(object, view, found, flags, name) < 0) return -1;
    found->factor = factor;
    if (found->columns <= (MOST_WIDTH + 8) / factor) return 0;
    PyErr_Format(PyExc_ValueError, "%s: is wider than %d pixels", name, MOST_WIDTH);
    PyBuffer_Release(view);
    return -1;
}

/* Whether the enlarged plane has all the pixels of the other. */
static int covers(const plane *small, const plane *large)
{
    const Py_ssize_t rows = (large->rows + small->factor - 1) / small->factor;
    return small->rows >= rows && small->columns * small->factor >= large->columns;
}

/* The planes of `blend`: out and camera are pictures, each with luma, u and v; both chroma planes have one alpha. */
enum { OUT, CAMERA, BEHIND = CAMERA + 3, ALPHA = BEHIND + 3, VIEWS = ALPHA + 2 };

static int may_blend(const plane *out, const plane *camera, const plane *behind, const plane *alpha)
{
    const char *wrong = NULL;
    if (out->rows != camera->rows || out->columns != camera->columns) wrong = "out and camera differ in shape";
    else if (out->columns > MOST_WIDTH) wrong = "out: is too wide";
    else if (!covers(behind, out)) wrong = "behind: is smaller than out";
    else if (!covers(alpha, out)) wrong = "alpha: is smaller than out";
    if (wrong) PyErr_SetString(PyExc_ValueError, wrong);
    return !wrong;
}

/* Takes the planes of a picture of I420 apart. */
static int take_apart(plane *parts, const plane *whole)
{
    const Py_ssize_t rows = whole->rows / 3, columns = whole->columns / 2;
    if (whole->rows % 3 || whole->columns % 2 || whole->stride != whole->columns) {
        PyErr_SetString(PyExc_ValueError, "out: is no picture of I420");
        return 0;
    }
    parts[0] = (plane){whole->at, whole->columns, 2 * rows, whole->columns, 1};
    parts[1] = (plane){row_of(whole, 2 * rows), columns, rows, columns, 1};
    parts[2] = (plane){parts[1].at + rows * columns, columns, rows, columns, 1};
    return 1;
}

static int is_inside(const box *part, const plane *whole)
{
    if (part->left >= 0 && part->top >= 0 && part->right <= whole->columns && part->bottom <= whole->rows) return 1;
    PyErr_SetString(PyExc_ValueError, "box: reaches out of the picture");
    return 0;
}

static PyObject *blend(PyObject *module, PyObject *arguments)
{
    PyObject *objects[VIEWS];
    Py_buffer views[VIEWS];
    plane planes[VIEWS], out[3];
    int factors[VIEWS] = {1, 1, 1, 1}, got = 0, is_done = 0;
    static const char *const names[] = {"out", "camera", "camera", "camera", "behind", "behind", "behind", "alpha", "alpha"};
    box inside;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O(OOO)((Oi)(Oi)(Oi))(Oi)(Oi)(nnnn)", &objects[OUT], &objects[CAMERA], &objects[CAMERA + 1],
                          &objects[CAMERA + 2], &objects[BEHIND], &factors[BEHIND], &objects[BEHIND + 1], &factors[BEHIND + 1],
                          &objects[BEHIND + 2], &factors[BEHIND + 2], &objects[ALPHA], &factors[ALPHA], &objects[ALPHA + 1],
                          &factors[ALPHA + 1], &inside.left, &inside.top, &inside.right, &inside.bottom))
        return NULL;
    while (got < VIEWS && get_enlarged(objects[got], &views[got], &planes[got], got ? 0 : PyBUF_WRITABLE, names[got], factors[got]) == 0)
        got++;
    if (got == VIEWS && take_apart(out, &planes[OUT]) && is_inside(&inside, &out[0])
        && may_blend(&out[0], &planes[CAMERA], &planes[BEHIND], &planes[ALPHA])
        && may_blend(&out[1], &planes[CAMERA + 1], &planes[BEHIND + 1], &planes[ALPHA + 1])
        && may_blend(&out[2], &planes[CAMERA + 2], &planes[BEHIND + 2], &planes[ALPHA + 1])) {
        const box half = {inside.left / 2, inside.top / 2, inside.right / 2, inside.bottom / 2};
        Py_BEGIN_ALLOW_THREADS
        blend_planes(&out[0], &planes[CAMERA], &planes[BEHIND], &planes[ALPHA], inside);
        blend_planes(&out[1], &planes[CAMERA + 1], &planes[BEHIND + 1], &planes[ALPHA + 1], half);
        blend_planes(&out[2], &planes[CAMERA + 2], &planes[BEHIND + 2], &planes[ALPHA + 1], half);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(views, got, is_done);
}

/* Gets a plane, each side `times` as long as in another. */
static int get_times(PyObject *object, Py_buffer *view, plane *found, const plane *other, int times)
{
    if (get_enlarged(object, view, found, 0, "source", 1) < 0) return -1;
    if (found->rows == times * other->rows && found->columns == times * other->columns) return 0;
    PyErr_SetString(PyExc_ValueError, times == 1 ? "source: is not as wide and high as out" : "source: is not twice as wide and high as out");
    PyBuffer_Release(view);
    return -1;
}

static PyObject *halve(PyObject *module, PyObject *arguments)
{
    PyObject *objects, *source;
    Py_buffer views[MOST_LEVELS + 1];
    plane outs[MOST_LEVELS], from;
    Py_ssize_t count, got = 0;
    int is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!O", &PyTuple_Type, &objects, &source)) return NULL;
    count = PyTuple_Size(objects);
    if (count < 1 || count > MOST_LEVELS) return PyErr_Format(PyExc_ValueError, "outs: are %zd; allowed are 1 to %d", count, MOST_LEVELS);
    while (got < count && get_enlarged(PyTuple_GetItem(objects, got), &views[got], &outs[got], PyBUF_WRITABLE, "out", 1) == 0) {
        got++;
        if (got > 1 && (outs[got - 2].rows != 2 * outs[got - 1].rows || outs[got - 2].columns != 2 * outs[got - 1].columns)) {
            PyErr_SetString(PyExc_ValueError, "outs: one is not half as wide and high as the one before");
            break;
        }
    }
    if (got == count && !PyErr_Occurred() && get_times(source, &views[got], &from, &outs[0], 2) == 0) {
        got++;
        Py_BEGIN_ALLOW_THREADS
        halve_plane(outs, (int)count, &from);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(views, (int)got, is_done);
}

static PyObject *smooth(PyObject *module, PyObject *arguments)
{
    PyObject *objects[2];
    Py_buffer views[2];
    plane out, from;
    int got = 0, is_done = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO", &objects[0], &objects[1])) return NULL;
    if (get_enlarged(objects[0], &views[0], &out, PyBUF_WRITABLE, "out", 1) == 0) got++;
    if (got == 1 && get_times(objects[1], &views[1], &from, &out, 1) == 0) {
        got++;
        Py_BEGIN_ALLOW_THREADS
        smooth_plane(&out, &from);
        Py_END_ALLOW_THREADS
        is_done = 1;
    }
    return answer(views, got, is_done);
}

static PyMethodDef methods[] = {
    {"blend", blend, METH_VARARGS, "blend(out, camera, behind, luma, chroma, box): camera over behind, by one alpha for luma and one for both chroma planes."},
    {"halve", halve, METH_VARARGS, "halve(outs, source): each pixel of an out is the mean of four of what comes before it, rounded half up."},
    {"smooth", smooth, METH_VARARGS, "smooth(out, source): half of source enlarged by 2."},
    {NULL, NULL, 0, NULL},
};

MODULE(_planes, "One pass over whole planes.")

/* OpenCV's bit-exact linear resizing of bytes, INTER_LINEAR_EXACT, row by row.
 *
 * Where a pixel lies between two others is worked out in doubles, which compilers must not fuse (-ffp-contract=off), and
 * rounded to 256ths; all else is whole numbers. */
#ifndef SCRIM_RESIZE_H
#define SCRIM_RESIZE_H

#include "extension.h"

enum { EIGHT = 8, FAR = -1 };

/* Where the pixels of one side of a target lie between those of a source: pixel x is (source[at[x]] * left[x] +
 * source[at[x] + 1] * right[x]) / 256. Where right[x] is 0 there may be no second one. `begin` and `near` say the same of
 * EIGHT pixels at a time: those on the left are source[begin[x / EIGHT] + near[x]], unless begin is FAR. */
typedef struct {
    Py_ssize_t count, source;
    int32_t *at, *begin;
    uint16_t *left, *right;
    uint8_t *near;
} side;

/* Works out `count` pixels from `first` on, of a side of `whole`. */
INLINE void place(const side *to, Py_ssize_t first, Py_ssize_t whole)
{
    const double scale = 1 / ((double)whole / (double)to->source);
    for (Py_ssize_t x = 0; x < to->count; x++) {
        const double where = scale * ((double)(first + x) + 0.5) - 0.5;
        int32_t at = (int32_t)where;
        if (at > where) at--;
        double share = (where - at) * 256 + 4503599627370496.0;  /* 2^52: what is left of the fraction is rounded */
        share -= 4503599627370496.0;
        if (at < 0 || at >= to->source - 1) {
            at = at < 0 ? 0 : (int32_t)to->source - 1;
            share = 0;
        }
        to->at[x] = at;
        to->right[x] = (uint16_t)share;
        to->left[x] = (uint16_t)(256 - to->right[x]);
    }
    for (Py_ssize_t x = 0; x + EIGHT <= to->count; x += EIGHT) {
        const int32_t begin = to->at[x];
        const int is_near = to->at[x + EIGHT - 1] - begin < 16 && begin + 17 <= to->source;
        to->begin[x / EIGHT] = is_near ? begin : FAR;
        for (Py_ssize_t i = x; i < x + EIGHT; i++) to->near[i] = (uint8_t)(to->at[i] - begin);
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
INLINE void narrow(uint16_t *restrict out, const uint8_t *restrict row, const side *to, uint8_t *restrict spare)
{
    uint8_t *restrict lefts = spare, *restrict rights = spare + to->count;
    const uint16_t *restrict left = to->left, *restrict right = to->right;
    Py_ssize_t x = 0;
    for (; x + EIGHT <= to->count && to->begin[x / EIGHT] != FAR; x += EIGHT) {
        const uint8_t *from = row + to->begin[x / EIGHT];
        pick(lefts + x, from, to->near + x);
        pick(rights + x, from + 1, to->near + x);
    }
    for (; x < to->count; x++) {
        const int32_t at = to->at[x];
        lefts[x] = row[at];
        rights[x] = row[at + 1 < to->source ? at + 1 : at];
    }
    for (x = 0; x < to->count; x++) out[x] = (uint16_t)(lefts[x] * left[x] + rights[x] * right[x]);
}

/* Goes down the rows of a resized plane; `rows` are the two that the present one lies between. */
typedef struct {
    plane from;
    side across, down;
    Py_ssize_t held[2];
    uint16_t *rows[2];
    uint8_t *spare;
    uint8_t *firm;      /* room for a row of the source whose pixels count 255 where they are not 0; else NULL */
} resizing;

INLINE const uint16_t *resized(resizing *r, Py_ssize_t row)
{
    const Py_ssize_t at = row & 1;
    if (r->held[at] != row) {
        const uint8_t *restrict pixels = row_of(&r->from, row);
        if (r->firm) {
            uint8_t *restrict firm = r->firm;
            for (Py_ssize_t x = 0; x < r->from.columns; x++) firm[x] = pixels[x] ? 255 : 0;
            pixels = firm;
        }
        narrow(r->rows[at], pixels, &r->across, r->spare);
    }
    r->held[at] = row;
    return r->rows[at];
}

/* Writes the row that is `row` below the first. */
INLINE void resize_row(uint8_t *restrict out, resizing *r, Py_ssize_t row)
{
    const Py_ssize_t above = r->down.at[row], below = above + 1 < r->from.rows ? above + 1 : above;
    const uint16_t *restrict upper = resized(r, above), *restrict lower = resized(r, below);
    const uint16_t upper_share = r->down.left[row], lower_share = r->down.right[row];
    for (Py_ssize_t x = 0; x < r->across.count; x++)
        out[x] = (uint8_t)(((uint32_t)upper[x] * upper_share + (uint32_t)lower[x] * lower_share + 32768) >> 16);
}

/* Takes memory from what there is, if there is any; `*used` counts in either case. */
static inline void *take(uint8_t *memory, Py_ssize_t *used, Py_ssize_t bytes)
{
    const Py_ssize_t before = *used;
    *used += (bytes + 15) / 16 * 16;
    return memory ? memory + before : NULL;
}

static inline void take_side(side *to, uint8_t *memory, Py_ssize_t *used)
{
    to->at = take(memory, used, to->count * (Py_ssize_t)sizeof(int32_t));
    to->begin = take(memory, used, to->count * (Py_ssize_t)sizeof(int32_t));
    to->left = take(memory, used, to->count * (Py_ssize_t)sizeof(uint16_t));
    to->right = take(memory, used, to->count * (Py_ssize_t)sizeof(uint16_t));
    to->near = take(memory, used, to->count + 16);  /* pick() reads sixteen for EIGHT */
}

/* Gets ready for a target, or a part of one, of so many columns and rows. */
static inline void take_resizing(resizing *r, uint8_t *memory, Py_ssize_t *used, Py_ssize_t columns, Py_ssize_t rows)
{
    r->across.count = columns;
    r->down.count = rows;
    r->across.source = r->from.columns;
    r->down.source = r->from.rows;
    r->held[0] = r->held[1] = -1;
    r->firm = NULL;
    take_side(&r->across, memory, used);
    take_side(&r->down, memory, used);
    r->rows[0] = take(memory, used, columns * (Py_ssize_t)sizeof(uint16_t));
    r->rows[1] = take(memory, used, columns * (Py_ssize_t)sizeof(uint16_t));
    r->spare = take(memory, used, 2 * columns);
}

#endif

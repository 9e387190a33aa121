/* The arithmetic of the matte's calm, and of keeping what a mask is sure of: what temporal.py and firm.py do in ten passes
 * of OpenCV. */
#ifndef SCRIM_STEADY_H
#define SCRIM_STEADY_H

#include "../resize.h"

enum { RADIUS = 2, SIDE = 2 * RADIUS + 1, BLOCK = 16, HELD = 8 };  /* HELD rows of sums are kept: more than SIDE, a power of two */

/* A rectangle; right and bottom are exclusive. */
typedef struct {
    Py_ssize_t left, top, right, bottom;
} window;

/* Where a picture of `length` is mirrored at its outermost pixels. */
INLINE Py_ssize_t mirrored(Py_ssize_t at, Py_ssize_t length)
{
    if (length == 1) return 0;
    while (at < 0 || at >= length) at = at < 0 ? -at : 2 * length - 2 - at;
    return at;
}

/* What masks become without their faint part: before `first` it is 0, after `last` it is what it was. */
typedef struct {
    const uint8_t *of;
    uint8_t first, last;
} table;

INLINE table table_at(const uint8_t *of)
{
    int first = 0, last = 255;
    while (first < 256 && !of[first]) first++;
    while (last >= 0 && of[last] == last) last--;
    if (last < 0) return (table){of, 1, 0};
    return (table){of, (uint8_t)(first < 256 ? first : 0), (uint8_t)last};
}

INLINE uint8_t is_between(const uint8_t *mask, table firm, Py_ssize_t count)
{
    uint8_t found = 0;
    for (Py_ssize_t i = 0; i < count; i++) found |= (uint8_t)((mask[i] >= firm.first) & (mask[i] <= firm.last));
    return found;
}

INLINE void firm_row(uint8_t *restrict out, const uint8_t *restrict mask, table firm, Py_ssize_t width)
{
    const uint8_t first = firm.first;
    for (Py_ssize_t x = 0; x < width; x++) out[x] = mask[x] >= first ? mask[x] : 0;
    for (Py_ssize_t x = 0; x < width; x += 2 * BLOCK) {
        const Py_ssize_t count = x + 2 * BLOCK < width ? 2 * BLOCK : width - x;
        if (count == 2 * BLOCK ? is_between(mask + x, firm, 2 * BLOCK) : is_between(mask + x, firm, count))
            for (Py_ssize_t i = x; i < x + count; i++) out[i] = firm.of[mask[i]];
    }
}

/* sums[x] = changes of SIDE pixels around x in one row; `padded` has room for RADIUS more on either side. */
INLINE void sum_changes(uint16_t *restrict sums, uint8_t *restrict padded, const uint8_t *average, const uint8_t *mask, Py_ssize_t width)
{
    for (Py_ssize_t x = 0; x < width; x++) {
        uint8_t a = average[x], m = mask[x];
        padded[x + RADIUS] = (uint8_t)(a > m ? a - m : m - a);
    }
    for (Py_ssize_t k = 1; k <= RADIUS; k++) {
        padded[RADIUS - k] = padded[RADIUS + mirrored(-k, width)];
        padded[RADIUS + width - 1 + k] = padded[RADIUS + mirrored(width - 1 + k, width)];
    }
    for (Py_ssize_t x = 0; x < width; x++)
        sums[x] = (uint16_t)(padded[x] + padded[x + 1] + padded[x + 2] + padded[x + 3] + padded[x + 4]);
}

INLINE void follow(uint8_t *restrict held, const uint8_t *restrict seen, const uint16_t *restrict changes, const float *gain, Py_ssize_t count)
{
    for (Py_ssize_t x = 0; x < count; x++) {
        const float share = gain[(changes[x] + SIDE * SIDE / 2) / (SIDE * SIDE)], rest = 1 - share;
        const uint8_t moved = rounded((seen[x] * share + held[x] * rest) / (share + rest + 1e-5f));
        held[x] = seen[x] ? moved : 0;
    }
}

/* Memory to work in: HELD rows of sums and of masks without what is faint, a row of changes, one of bytes with RADIUS more
 * on either side, and what is in any row. */
typedef struct {
    uint16_t *sums, *changes;
    uint8_t *firm, *padded, *any;
} workspace;

static Py_ssize_t share_out(workspace *to, Py_ssize_t width, uint8_t *memory)
{
    Py_ssize_t used = 0;
    to->sums = take(memory, &used, HELD * width * (Py_ssize_t)sizeof(uint16_t));
    to->changes = take(memory, &used, width * (Py_ssize_t)sizeof(uint16_t));
    to->firm = take(memory, &used, HELD * width);
    to->padded = take(memory, &used, width + 2 * RADIUS);
    to->any = take(memory, &used, width);
    return used;
}

/* Moves a row of the average. Answers whether anything is left in it. */
INLINE int follow_row(uint8_t *restrict held, const uint8_t *restrict seen, const uint16_t *restrict changes, const float *gain, uint8_t *restrict any, Py_ssize_t width)
{
    uint8_t all = 0;
    for (Py_ssize_t x = 0; x < width; x += BLOCK) {
        const Py_ssize_t count = x + BLOCK < width ? BLOCK : width - x;
        uint16_t moved = 0;
        for (Py_ssize_t i = 0; i < count; i++) moved |= changes[x + i];
        if (moved) follow(held + x, seen + x, changes + x, gain, count);  /* else it is the mask already */
    }
    for (Py_ssize_t x = 0; x < width; x++) {
        any[x] |= held[x];
        all |= held[x];
    }
    return all != 0;
}

FOR_EACH_PROCESSOR
static window steady_plane(const plane *average, const plane *mask, const uint8_t *firming, const float *gain, workspace work)
{
    const Py_ssize_t width = mask->columns, height = mask->rows;
    const table firm = table_at(firming);
    window found = {0, 0, 0, 0};
    Py_ssize_t summed = 0;
    memset(work.any, 0, (size_t)width);
    for (Py_ssize_t y = 0; y < height; y++) {
        const uint16_t *from[SIDE];
        for (; summed < height && summed <= y + RADIUS; summed++) {  /* before the average of that row is overwritten */
            uint8_t *seen = work.firm + summed % HELD * width;
            firm_row(seen, row_of(mask, summed), firm, width);
            sum_changes(work.sums + summed % HELD * width, work.padded, row_of(average, summed), seen, width);
        }
        for (Py_ssize_t k = 0; k < SIDE; k++) from[k] = work.sums + mirrored(y - RADIUS + k, height) % HELD * width;
        const uint16_t *a = from[0], *b = from[1], *c = from[2], *d = from[3], *e = from[4];
        uint16_t *restrict changes = work.changes;
        for (Py_ssize_t x = 0; x < width; x++) changes[x] = (uint16_t)(a[x] + b[x] + c[x] + d[x] + e[x]);
        if (follow_row(row_of(average, y), work.firm + y % HELD * width, changes, gain, work.any, width)) {
            if (!found.bottom) found.top = y;
            found.bottom = y + 1;
        }
    }
    if (!found.bottom) return found;
    found.right = width;
    while (!work.any[found.left]) found.left++;
    while (!work.any[found.right - 1]) found.right--;
    return found;
}

#endif

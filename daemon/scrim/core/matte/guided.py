"""Moves the edge of a mask to where the picture has its edge.

A guided filter (He, Sun, Tang 2010; computed small and applied larger as in He, Sun 2015): in each small
window the mask is explained as ``alpha = a * luma + c * (v - u) + b`` by least squares, and the explanation,
not the mask, is what is drawn. Two guides instead of one because skin and hair differ from walls in colour as
often as in brightness; ``v - u`` did as well as ``u`` and ``v`` apart, at half the price.
"""

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.matte.grid import Grid, Window
from scrim.frame import Mask, Plane

Field = NDArray[np.float32]

Drawn = tuple[tuple[int, int, int, int], int]
"""Where a plane is not 0, (x, y, width, height) in its elements, all 0 where it is; and the sum of all."""

RADIUS = 2
"""Windows of the statistics reach this many coarse cells to each side."""

SIDE = (2 * RADIUS + 1, 2 * RADIUS + 1)

REACH = 2 * RADIUS
"""Coarse cells beyond the mask's support within which a pixel of the picture can have an influence."""

SOLVED = ("slope_y", "slope_d", "offset")
"""What the least squares leave behind: factors of luma and of v - u, and the constant."""

NOISE = 6.5
"""Variance, in squared 8-bit steps, below which a guide counts as flat: 2.5 steps of camera noise."""

BLACK, WHITE = 0.15, 0.75
"""The alphas that become 0 and 1: the explanation is soft where the picture has an edge that is not. Their
middle lies below a half because models see too little of a person rather than too much."""

SCALE = 1 / (WHITE - BLACK)
SHIFT = 255 * BLACK / (WHITE - BLACK)
"""Alpha becomes ``SCALE * alpha - SHIFT``, cut at 0 and 255."""

_DOUBLING = np.array([0.25, 0.5, 0.25], np.float32)


class _Fields:
    """Buffers at coarse size: window means, moments, and what is solved from them."""

    NAMES = ("y", "d", "p", "mean_y", "mean_d", "mean_p", "yy", "dd", "yd", "yp", "dp", "det", "spare")

    def __init__(self, shape: tuple[int, int]) -> None:
        self._fields = {name: np.empty(shape, np.float32) for name in (*self.NAMES, *SOLVED)}

    def within(self, window: Window) -> dict[str, Field]:
        """Views of all fields inside ``window``, by name."""
        return {name: window.of(field) for name, field in self._fields.items()}


class GuidedEdges(Protocol):
    """The two-guide filter, confined to a window of the frame, and to the mask's own support.

    Nothing is allocated after construction. Where the mask is 0 within REACH coarse cells the result is 0,
    and pixels farther than that from the mask's support have no influence: a window without mask explains
    nothing, exactly. The sums in the windows are sums of small fractions of two, so no rounding is carried
    along either.
    """

    def draw(self, mask: Mask, planes: tuple[Plane, Plane, Plane], window: Window, out: Plane) -> Drawn:
        """Draw the refined mask, no more of it than its support has, by interpolation, at each fine cell.

        Args:
            mask: at its own size, uint8.
            planes: luma, u and v at fine size, uint8; one row or column may be missing at the end.
            window: where; outside it, and within REACH of its inner edges, the mask must be 0.
            out: at fine size, uint8; written inside ``window`` only.

        Returns:
            What of ``out`` was drawn.
        """


def best_edges(grid: Grid, mask_size: tuple[int, int]) -> GuidedEdges:
    """By the extension in C where it was built, else by OpenCV; to the same bytes.

    Args:
        grid: the frame's division.
        mask_size: (width, height) in pixels of the masks.
    """
    try:
        from scrim.core.matte._edges import edges, spare_bytes
    except ImportError:
        return OpenCVEdges(grid, mask_size)
    return NativeEdges(grid, edges, spare_bytes(*grid.shape(1), mask_size[0]))


class NativeEdges:
    """The filter in one call.

    Args:
        grid: the frame's division.
        edges: the extension's.
        spare_bytes: how much memory that works in.
    """

    def __init__(self, grid: Grid, edges: Callable[..., Drawn], spare_bytes: int) -> None:
        self._edges = edges
        self._spare = np.empty(-(-spare_bytes // 8), np.float64)
        self._whole = tuple(np.zeros(grid.shape(2), np.uint8) for _ in range(3))

    def draw(self, mask: Mask, planes: tuple[Plane, Plane, Plane], window: Window, out: Plane) -> Drawn:
        """See :class:`GuidedEdges`."""
        if planes[0].shape != out.shape:
            y, u, v = map(_completed, planes, self._whole)
            planes = y, u, v
        return self._edges(out, mask, *planes, self._spare, window, NOISE, SCALE, SHIFT)


class OpenCVEdges:
    """The filter in fifty passes of OpenCV.

    Args:
        grid: the frame's division.
        mask_size: (width, height) in pixels of the masks.
    """

    def __init__(self, grid: Grid, mask_size: tuple[int, int]) -> None:
        fine = grid.shape(2)
        self._coarse, self._limit = np.empty(grid.shape(1), np.uint8), np.empty(fine, np.uint8)
        self._support = np.empty(mask_size[::-1], np.uint8)
        self._fields = _Fields(grid.shape(1))
        self._guide_y, self._guide_d, self._part, self._total = (np.empty(fine, np.float32) for _ in range(4))
        self._whole = tuple(np.zeros(fine, np.uint8) for _ in range(3))

    def draw(self, mask: Mask, planes: tuple[Plane, Plane, Plane], window: Window, out: Plane) -> Drawn:
        """See :class:`GuidedEdges`."""
        _resize(mask, self._coarse)
        self._gather(self._coarse, planes, window)
        self._explain(window)
        self._paint(window, out)
        self._cut(mask, window.of(out, 2), window)
        return drawn_within(window, out)

    def _gather(self, mask: Plane, planes: tuple[Plane, Plane, Plane], window: Window) -> None:
        """Guides at fine and coarse size, mask at coarse size, as numbers on the scale of bytes."""
        y, u, v = (
            window.of(_completed(plane, whole), 2) for plane, whole in zip(planes, self._whole, strict=True)
        )
        guide_y, guide_d = window.of(self._guide_y, 2), window.of(self._guide_d, 2)
        np.copyto(guide_y, y)
        cv2.subtract(v, u, dst=guide_d, dtype=cv2.CV_32F)
        fields = self._fields.within(window)
        for fine, coarse in ((guide_y, fields["y"]), (guide_d, fields["d"])):
            cv2.resize(fine, coarse.shape[::-1], dst=coarse, interpolation=cv2.INTER_AREA)
        np.copyto(fields["p"], window.of(mask))

    def _explain(self, window: Window) -> None:
        """Least squares in each window; then the mean of all explanations that cover a cell, sharpened."""
        fields = self._fields.within(window)
        _take_moments(fields)
        _solve(fields)
        for name in SOLVED:
            cv2.blur(fields[name], SIDE, dst=fields[name])
            cv2.multiply(fields[name], SCALE, dst=fields[name])
        cv2.subtract(fields["offset"], SHIFT, dst=fields["offset"])

    def _paint(self, window: Window, out: Plane) -> None:
        """Slopes and offset brought to fine size, applied to the guides there, rounded into ``out``."""
        fields = self._fields.within(window)
        part, total = window.of(self._part, 2), window.of(self._total, 2)
        _double(fields["slope_y"], part)
        cv2.multiply(part, window.of(self._guide_y, 2), dst=total)
        _double(fields["slope_d"], part)
        cv2.multiply(part, window.of(self._guide_d, 2), dst=part)
        cv2.add(total, part, dst=total)
        _double(fields["offset"], part)
        cv2.add(total, part, dst=window.of(out, 2), dtype=cv2.CV_8U)

    def _cut(self, mask: Mask, out: Plane, window: Window) -> None:
        """Nothing is left where the mask has no support."""
        cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY, dst=self._support)
        _resize(self._support, self._limit)
        cv2.min(out, window.of(self._limit, 2), dst=out)


def drawn_within(window: Window, out: Plane) -> Drawn:
    """What was drawn at fine size inside a window."""
    inside = window.of(out, 2)
    x, y, wide, high = cv2.boundingRect(inside)
    rect = (2 * window.left + x, 2 * window.top + y, wide, high) if wide else (0, 0, 0, 0)
    return rect, int(cv2.sumElems(inside)[0])


def _resize(mask: Mask, out: Plane) -> None:
    cv2.resize(mask, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR_EXACT)


def _double(field: Field, out: Field) -> None:
    """Enlarge by two, bilinear, by halves and quarters only: so every processor rounds alike."""
    cv2.resize(field, out.shape[::-1], dst=out, interpolation=cv2.INTER_NEAREST)
    cv2.sepFilter2D(out, cv2.CV_32F, _DOUBLING, _DOUBLING, dst=out, borderType=cv2.BORDER_REPLICATE)


def _take_moments(fields: dict[str, Field]) -> None:
    """Means, variances and covariances of guides and mask in each window; NOISE added to the variances."""
    spare = fields["spare"]
    for name in "ydp":
        cv2.blur(fields[name], SIDE, dst=fields[f"mean_{name}"])
    for one, other in ("yy", "dd", "yd", "yp", "dp"):
        moment = fields[one + other]
        cv2.multiply(fields[one], fields[other], dst=spare)
        cv2.blur(spare, SIDE, dst=moment)
        cv2.multiply(fields[f"mean_{one}"], fields[f"mean_{other}"], dst=spare)
        cv2.subtract(moment, spare, dst=moment)
    for name in ("yy", "dd"):
        cv2.add(fields[name], NOISE, dst=fields[name])


def _solve(fields: dict[str, Field]) -> None:
    """The two normal equations by Cramer's rule, and the constant that makes the means agree."""
    yy, dd, yd, yp, dp = (fields[name] for name in ("yy", "dd", "yd", "yp", "dp"))
    det, spare = fields["det"], fields["spare"]
    _determinant((yy, yd, yd, dd), det, spare)
    for name, columns in (("slope_y", (yp, yd, dp, dd)), ("slope_d", (yy, yp, yd, dp))):
        _determinant(columns, fields[name], spare)
        cv2.divide(fields[name], det, dst=fields[name])
    cv2.multiply(fields["slope_y"], fields["mean_y"], dst=spare)
    cv2.subtract(fields["mean_p"], spare, dst=fields["offset"])
    cv2.multiply(fields["slope_d"], fields["mean_d"], dst=spare)
    cv2.subtract(fields["offset"], spare, dst=fields["offset"])


def _determinant(rows: tuple[Field, Field, Field, Field], out: Field, spare: Field) -> None:
    """``out`` = a * d - b * c of ``rows`` a, b, c, d."""
    a, b, c, d = rows
    cv2.multiply(a, d, dst=out)
    cv2.multiply(b, c, dst=spare)
    cv2.subtract(out, spare, dst=out)


def _completed(plane: Plane, whole: Plane) -> Plane:
    """``plane``, its last row and column repeated into ``whole`` when the frame ends within a coarse cell."""
    below, right = whole.shape[0] - plane.shape[0], whole.shape[1] - plane.shape[1]
    if not below and not right:
        return plane
    cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REPLICATE, dst=whole)
    return whole

"""The demo camera's person: a cut-out that is moved, leaned and zoomed into a picture."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.frame import Plane, Planes

CUT_OUT = "astronaut.png"
"""NASA / Eileen Collins portrait, public domain, as distributed with scikit-image."""

_HEAD_ROOM = 0.10
"""Share of the picture's height above the hair."""

_BELOW = 0.06
"""Share of the picture's height by which the cut-out hangs below it: no lean shows its lower edge."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the person is.

    Attributes:
        matrix: 2 x 3, takes a luma pixel of the cut-out to a luma pixel of the picture.
        box: (left, top, right, bottom) in luma pixels of the picture, even: nothing is outside it.
    """

    matrix: NDArray[np.float64]
    box: tuple[int, int, int, int]


def pose_at(seconds: float, size: tuple[int, int], cut_out_size: tuple[int, int]) -> Pose:
    """The pose at a time: swaying, leaning and slowly coming nearer, never twice the same for long."""
    width, height = size
    cut_width, cut_height = cut_out_size
    sway = 0.075 * _wave(seconds, 9.0) + 0.018 * _wave(seconds, 3.7)
    lean = math.radians(1.7) * _wave(seconds + 0.9, 9.0)
    zoom = 1 + 0.06 * _wave(seconds, 13.0) + 0.004 * _wave(seconds, 4.1)
    scale = zoom * height * (1 - _HEAD_ROOM + _BELOW) / cut_height
    turn_x, turn_y = scale * math.cos(lean), scale * math.sin(lean)
    foot_x, foot_y = width * (0.5 + sway), height * (1 + _BELOW)
    pivot_x, pivot_y = cut_width / 2, float(cut_height)
    matrix = np.array(
        [
            [turn_x, -turn_y, foot_x - turn_x * pivot_x + turn_y * pivot_y],
            [turn_y, turn_x, foot_y - turn_y * pivot_x - turn_x * pivot_y],
        ]
    )
    return Pose(matrix, _box_of(matrix, size, cut_out_size))


def _wave(seconds: float, period_s: float) -> float:
    return math.sin(2 * math.pi * seconds / period_s)


def _box_of(
    matrix: NDArray[np.float64], size: tuple[int, int], cut_out_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    width, height = cut_out_size
    corners = (
        np.array([(-1, -1, 1), (width, -1, 1), (-1, height, 1), (width, height, 1)], np.float64) @ matrix.T
    )
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return (
        _even_within(left - 1, size[0]),
        _even_within(top - 1, size[1]),
        _even_within(right + 3, size[0]),
        _even_within(bottom + 3, size[1]),
    )


def _even_within(value: float, limit: int) -> int:
    return int(min(max(value, 0), limit)) & ~1


class Person:
    """The cut-out, and room to bring it into shape for pictures of one size.

    Args:
        size: (width, height) in pixels of the pictures, both even.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._cut_out, self._alpha = _load()
        width, height = size
        self._warped = Planes.of(np.empty((height * 3 // 2, width), np.uint8))
        self._warped_alpha = Planes.of(np.empty((height * 3 // 2, width), np.uint8))

    @property
    def cut_out_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the cut-out."""
        return self._cut_out.size

    def alpha(self, pose: Pose) -> Plane:
        """The person's share of each pixel at ``pose``, a new array of (height, width), 0 to 255."""
        width, height = self._size
        alpha = np.zeros((height, width), np.uint8)
        left, top, right, bottom = pose.box
        if right > left and bottom > top:
            _warp(self._alpha.y, pose.matrix, (left, top), alpha[top:bottom, left:right])
        return alpha

    def paint(self, planes: Planes, pose: Pose) -> None:
        """Put the person at ``pose`` in front of what ``planes`` show; allocates nothing of their size."""
        left, top, right, bottom = pose.box
        if right <= left or bottom <= top:
            return
        half = _halved(pose.matrix)
        for index, plane in enumerate(planes):
            shift = 0 if index == 0 else 1
            place = (left >> shift, top >> shift)
            view = plane[top >> shift : bottom >> shift, left >> shift : right >> shift]
            rows, columns = view.shape
            matrix = half if shift else pose.matrix
            keep = (self._warped_alpha.y if index == 0 else self._warped_alpha.u)[:rows, :columns]
            if index < 2:
                _warp(self._alpha.u if shift else self._alpha.y, matrix, place, keep)
                cv2.bitwise_not(keep, dst=keep)
            person = (self._warped.y, self._warped.u, self._warped.v)[index][:rows, :columns]
            _warp((self._cut_out.y, self._cut_out.u, self._cut_out.v)[index], matrix, place, person)
            cv2.multiply(view, keep, dst=view, scale=1 / 255)
            cv2.add(view, person, dst=view)


def _halved(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same movement between chroma planes, whose pixels lie in the middle of four luma pixels."""
    half = matrix.copy()
    half[:, 2] = (matrix[:, :2].sum(axis=1) * 0.5 - 0.5 + matrix[:, 2]) / 2
    return half


def _warp(source: Plane, matrix: NDArray[np.float64], place: tuple[int, int], target: Plane) -> None:
    """Fill ``target``, which lies at ``place`` (x, y) in the picture, with ``source`` moved by ``matrix``."""
    moved = matrix.copy()
    moved[:, 2] -= place
    rows, columns = target.shape
    cv2.warpAffine(source, moved, (columns, rows), dst=target, flags=cv2.INTER_LINEAR)


def _load() -> tuple[Planes, Planes]:
    """The cut-out's planes, already multiplied by alpha, and alpha for each plane."""
    png = Path(__file__).with_name(CUT_OUT).read_bytes()
    bgra = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert bgra is not None  # noqa: S101  (it is part of the package)
    alpha = np.ascontiguousarray(bgra[..., 3])
    half = cv2.resize(alpha, (alpha.shape[1] // 2, alpha.shape[0] // 2), interpolation=cv2.INTER_AREA)
    planes = Planes.of(np.asarray(cv2.cvtColor(bgra[..., :3], cv2.COLOR_BGR2YUV_I420), np.uint8))
    shares = Planes(alpha, np.asarray(half, np.uint8), np.asarray(half, np.uint8))
    for plane, share in zip(planes, shares, strict=True):
        cv2.multiply(plane, share, dst=plane, scale=1 / 255)
    return planes, shares

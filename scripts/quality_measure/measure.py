"""Mattes held against the truth: stills one by one, clips in time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from quality_measure.matting import Bgr, Matting, even
from quality_measure.metrics import Alpha, boundary_f, edge_at_rest, iou, mean_error, outline_f
from scrim.frame import Plane

STILL_GRID = (256, 256)
"""(width, height) at which stills are compared."""

CLIP_GRID = (256, 144)
"""(width, height) at which clips are compared, but for ``boundary_f_full``."""

STILL_FIGURES = ("iou", "outline_f", "boundary_f", "mae")

HEADROOM = 0.08
"""Share of a webcam crop that is above the person."""

LATEST = 3
"""Frames of lag that are looked for."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Still:
    """A picture and its true matte, both BGR or grey bytes of any size."""

    name: str
    picture: Bgr
    truth: NDArray[np.uint8]


def read_stills(folder: Path) -> list[Still]:
    """All pictures of ``folder/images`` that have a mask of the same name in ``folder/masks``.

    Raises:
        ValueError: there are none.
    """
    stills = []
    for path in sorted((folder / "images").glob("*")):
        mask = folder / "masks" / f"{path.stem}.png"
        picture, truth = cv2.imread(str(path)), cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
        if picture is not None and truth is not None:
            stills.append(Still(path.stem, np.asarray(picture), np.asarray(truth)))
    if not stills:
        raise ValueError(f"{folder}: has no pictures in images/ with masks of the same name in masks/")
    return stills


def webcam_crops(stills: Iterable[Still]) -> list[Still]:
    """Each still cut to 16:9, as large as it gets, with the person's top in it: what a webcam would show."""
    return [_crop(still) for still in stills if (still.truth > 127).any()]


def _crop(still: Still) -> Still:
    height, width = still.picture.shape[:2]
    wide, high = min(width, height * 16 // 9) // 2 * 2, min(height, width * 9 // 16) // 2 * 2
    truth = np.asarray(cv2.resize(still.truth, (width, height)))
    rows, columns = np.nonzero(truth > 127)
    top = int(np.clip(rows.min() - HEADROOM * high, 0, height - high))
    left = int(np.clip(columns.mean() - wide / 2, 0, width - wide))
    inside = np.s_[top : top + high, left : left + wide]
    return Still(still.name, still.picture[inside].copy(), truth[inside].copy())


def measure_stills(matting: Matting, stills: Sequence[Still]) -> Figures:
    """Means over all stills."""
    return dict(zip(STILL_FIGURES, _means(_still_rows(matting, stills)), strict=True))


def measure_halves(matting: Matting, stills: Sequence[Still]) -> tuple[Figures, Figures, Figures]:
    """Means over all stills, and over every second one from the first and from the second on.

    What was tuned was tuned on the first half; the other one tells whether it holds for others too.
    """
    rows = _still_rows(matting, stills)
    parts = (rows, rows[::2], rows[1::2])
    first, *others = [dict(zip(STILL_FIGURES, _means(part), strict=True)) for part in parts]
    return first, others[0], others[1]


def _still_rows(matting: Matting, stills: Iterable[Still]) -> list[tuple[float, ...]]:
    rows: list[tuple[float, ...]] = []
    for still in stills:
        matting.restart()
        alpha = _at(matting.matte(even(still.picture)), STILL_GRID)
        truth = _at(np.where(still.truth > 127, np.uint8(255), np.uint8(0)), STILL_GRID)
        rows.append(
            (iou(alpha, truth), outline_f(alpha, truth), boundary_f(alpha, truth), mean_error(alpha, truth))
        )
    return rows


class ClipMeter:
    """Gathers the figures of one clip, picture by picture.

    Args:
        matting: what makes the mattes; forgets earlier pictures here.
        is_sharp: the truth is good enough for ``boundary_f_full``.
    """

    def __init__(self, matting: Matting, *, is_sharp: bool = True) -> None:
        matting.restart()
        self._matting, self._is_sharp = matting, is_sharp
        self._scores: list[tuple[float, ...]] = []
        self._full: list[float] = []
        self._flicker: list[float] = []
        self._apart = np.zeros(LATEST + 1)
        self._truths: list[Alpha] = []
        self._before: Alpha | None = None

    def add(self, picture: Bgr, true_alpha: Alpha) -> None:
        """Hold the matte of the next picture against its truth."""
        matte = _enlarged(self._matting.matte(picture), picture.shape[:2])
        alpha, truth = _at(matte, CLIP_GRID), _shrunk(true_alpha, CLIP_GRID)
        if np.count_nonzero(truth > 0.5) > 300:
            self._scores.append((iou(alpha, truth), boundary_f(alpha, truth), mean_error(alpha, truth)))
            if self._is_sharp and len(self._scores) % 5 == 1:
                self._full.append(boundary_f(_alpha(matte), true_alpha))
        self._add_time(alpha, truth)

    def figures(self) -> Figures:
        """Means so far.

        ``flicker`` is the mean change of alpha near edges at rest, times 1000; ``lag`` the number of frames
        by which the truth has to be held back to fit the mattes best.
        """
        return {
            **dict(zip(("iou", "boundary_f", "mae"), _means(self._scores), strict=True)),
            "boundary_f_full": float(np.mean(self._full)) if self._full else float("nan"),
            "flicker": float(np.mean(self._flicker)) if self._flicker else float("nan"),
            "lag": float(np.argmin(self._apart)),
        }

    def _add_time(self, alpha: Alpha, truth: Alpha) -> None:
        if self._before is not None:
            at_rest = edge_at_rest(self._truths[-1], truth)
            if np.count_nonzero(at_rest) > 50:
                self._flicker.append(1000 * float(np.abs(alpha - self._before)[at_rest].mean()))
        self._truths = [*self._truths[-LATEST:], truth]
        if len(self._truths) > LATEST:
            self._apart += [mean_error(alpha, then) for then in reversed(self._truths)]
        self._before = alpha


def _means(rows: Sequence[tuple[float, ...]]) -> list[float]:
    return [float(mean) for mean in np.mean(rows, axis=0)]


def _enlarged(matte: Plane, shape: tuple[int, ...]) -> Plane:
    if matte.shape == shape:
        return matte
    return np.asarray(cv2.resize(matte, shape[::-1]), dtype=np.uint8)


def _at(alpha: NDArray[np.uint8], size: tuple[int, int]) -> Alpha:
    return _shrunk(_alpha(alpha), size)


def _alpha(alpha: NDArray[np.uint8]) -> Alpha:
    return np.asarray(alpha / np.float32(255), dtype=np.float32)


def _shrunk(alpha: Alpha, size: tuple[int, int]) -> Alpha:
    is_larger = alpha.shape[1] >= size[0] and alpha.shape[0] >= size[1]
    how = cv2.INTER_AREA if is_larger else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(alpha, size, interpolation=how), dtype=np.float32)

"""Who counts as foreground: everybody or one person, and the parts of the room that are kept."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from scrim.core.framing.view import FULL, View
from scrim.core.keep import KeepRegions, KeptView
from scrim.errors import SegmentError
from scrim.frame import Mask, Plane

Persons = Literal["all", "largest"]
"""Whom the model's mask may show: everybody, or the one person who was largest when chosen."""

_CORE = 128
"""A pixel from here on is somebody."""

_FAINT = 16
"""A pixel below this is nobody's edge."""

_LEAST_SHARE = 0.001
"""Of the picture; less is no person."""

_LEAST_OVERLAP = 0.1
"""Of the smaller of two silhouettes; less is not the same person in the next picture."""

_GROWTH_PER_S = 0.15
"""Nobody comes nearer faster for long: a silhouette that grows by more has met another. Twice the size is
believed to be one person after 3 s."""

_MERGED = 1.25
"""So many times what was believed is too much; the place of who was chosen is kept as it was before."""

_WAIT_S = 0.5
"""How long a person who was lost is waited for before another one is chosen."""

_TAKEOVER_RATIO = 2.0
_TAKEOVER_S = 1.0
"""Somebody so many times larger takes over after so long."""

_FRAGMENT = 0.02
"""A part this small beside the person, joined by a faint edge, is their finger and not somebody else."""


class PersonPolicy:
    """Takes the model's mask and leaves in it what is to be seen.

    Nothing that is 0 in the model's mask becomes more, but inside the keep regions.

    Args:
        mask_size: (width, height) in pixels of every mask.
        persons: who is shown.
        keep: what is shown of the room; in fractions of the whole camera picture.

    Attributes:
        person: the last mask without the keep regions; valid until the next call of ``apply``.
    """

    def __init__(
        self, mask_size: tuple[int, int], persons: Persons = "all", keep: KeepRegions | None = None
    ) -> None:
        width, height = mask_size
        self._shape = (height, width)
        self._chooser = OnePerson(mask_size) if persons == "largest" else None
        self._kept = None if keep is None or keep.is_empty else KeptView(keep, mask_size)
        self._out: Mask = np.zeros(self._shape, np.uint8)
        self.person: Mask = self._out

    def apply(self, mask: Mask, now_s: float, view: View = FULL) -> Mask:
        """The mask of what is to be seen.

        Args:
            mask: of the model; not written to.
            now_s: when the picture was taken, seconds of a monotonic clock.
            view: the part of the camera's picture that the mask is of.

        Returns:
            The model's own mask where there is nothing to do, else one that the next call overwrites.

        Raises:
            SegmentError: the mask has another size or type.
        """
        if mask.shape != self._shape or mask.dtype != np.uint8:
            raise SegmentError(f"the mask is {mask.shape} {mask.dtype}; allowed is {self._shape} uint8")
        self.person = self._chooser.only(mask, now_s) if self._chooser else mask
        if self._kept is None:
            return self.person
        cv2.max(self.person, self._kept.mask(view), dst=self._out)
        return self._out

    def reset(self) -> None:
        """Forget who was chosen."""
        if self._chooser:
            self._chooser.reset()


class OnePerson:
    """Leaves one person in a mask, the same one for as long as they are there.

    The largest person is chosen. Who is chosen stays until they are gone for 0.5 s or somebody is twice as
    large for a second. People whose masks touch are one; when they part, the one who was chosen before stays.

    Args:
        mask_size: (width, height) in pixels of every mask.
    """

    def __init__(self, mask_size: tuple[int, int]) -> None:
        width, height = mask_size
        half = ((height + 1) // 2, (width + 1) // 2)
        self._mask_size, self._half_size = mask_size, (half[1], half[0])
        self._half = np.empty(half, np.uint8)
        self._core = np.empty(half, np.uint8)
        self._reach = np.empty(half, np.uint8)
        self._near = np.empty(half, np.uint8)
        self._others = np.empty(half, np.uint8)
        self._labels = np.empty(half, np.int32)
        self._anchor: NDArray[np.bool_] = np.zeros(half, np.bool_)
        self._gate = np.empty((height, width), np.uint8)
        self._out: Mask = np.zeros((height, width), np.uint8)
        self._small, self._large = np.ones((3, 3), np.uint8), np.ones((9, 9), np.uint8)
        self.reset()

    def reset(self) -> None:
        """Forget who was chosen."""
        self._anchor.fill(False)
        self._area = 0.0
        self._seen_s: float | None = None
        self._rivalled_since_s: float | None = None

    def only(self, mask: Mask, now_s: float) -> Mask:
        """The mask with one person left in it; 0 everywhere while that person is waited for.

        Args:
            mask: shape and type as announced; not written to.
            now_s: seconds of a monotonic clock.

        Returns:
            Never more than ``mask`` at any pixel; overwritten by the next call.
        """
        stats = self._find(mask)
        chosen = self._choose(stats[:, cv2.CC_STAT_AREA], now_s)
        if chosen is None:
            self._out.fill(0)
            return self._out
        self._open_gate(chosen, stats)
        cv2.resize(self._reach, self._mask_size, dst=self._gate, interpolation=cv2.INTER_LINEAR_EXACT)
        cv2.min(mask, self._gate, dst=self._out)
        return self._out

    def _find(self, mask: Mask) -> NDArray[np.int32]:
        """Label everybody, at half size; a row of OpenCV's statistics each, background first."""
        cv2.resize(mask, self._half_size, dst=self._half, interpolation=cv2.INTER_AREA)
        self._grow(self._half, _CORE, self._core)
        _, _, stats, _ = cv2.connectedComponentsWithStats(
            self._core, labels=self._labels, connectivity=8, ltype=cv2.CV_32S
        )
        stats[0, cv2.CC_STAT_AREA] = 0
        return np.asarray(stats, np.int32)

    def _grow(self, mask: Plane, threshold: int, out: Plane) -> None:
        """Where a mask is at least ``threshold``, and one pixel more: a thin gap does not cut off a hand."""
        cv2.threshold(mask, threshold - 1, 255, cv2.THRESH_BINARY, dst=out)
        cv2.dilate(out, self._small, dst=out)

    def _choose(self, areas: NDArray[np.int32], now_s: float) -> int | None:
        largest = int(areas.argmax())
        if areas[largest] < _LEAST_SHARE * self._labels.size:
            return None
        if self._seen_s is None:
            return self._adopt(largest, areas, now_s)
        same = self._again(areas)
        if same is None:
            is_waited_for = 0 <= now_s - self._seen_s < _WAIT_S
            return None if is_waited_for else self._adopt(largest, areas, now_s)
        if self._is_taken_over(areas[largest] > _TAKEOVER_RATIO * areas[same], now_s):
            return self._adopt(largest, areas, now_s)
        self._follow(same, areas, now_s)
        return same

    def _again(self, areas: NDArray[np.int32]) -> int | None:
        """Who stands where the chosen one stood."""
        overlaps = np.bincount(self._labels[self._anchor], minlength=len(areas))
        overlaps[0] = 0
        same = int(overlaps.argmax())
        is_same = overlaps[same] > _LEAST_OVERLAP * min(self._area, areas[same])
        return same if is_same else None

    def _is_taken_over(self, is_rivalled: bool, now_s: float) -> bool:
        if not is_rivalled:
            self._rivalled_since_s = None
            return False
        if self._rivalled_since_s is None:
            self._rivalled_since_s = now_s
        return now_s - self._rivalled_since_s >= _TAKEOVER_S

    def _adopt(self, label: int, areas: NDArray[np.int32], now_s: float) -> int:
        np.equal(self._labels, label, out=self._anchor)
        self._area, self._seen_s, self._rivalled_since_s = float(areas[label]), now_s, None
        return label

    def _follow(self, label: int, areas: NDArray[np.int32], now_s: float) -> None:
        since_s = 0.0 if self._seen_s is None else min(max(now_s - self._seen_s, 0.0), 1.0)
        self._seen_s = now_s
        self._area = min(float(areas[label]), self._area * (1 + _GROWTH_PER_S * since_s))
        if areas[label] <= _MERGED * self._area:
            np.equal(self._labels, label, out=self._anchor)

    def _open_gate(self, chosen: int, stats: NDArray[np.int32]) -> None:
        """Write 255 into ``_reach`` where the chosen person's mask may pass, faint edges included."""
        self._grow(self._half, _FAINT, self._reach)
        left, top, width = (int(n) for n in stats[chosen, : cv2.CC_STAT_HEIGHT])
        seed = left + int((self._labels[top, left : left + width] == chosen).argmax())
        cv2.floodFill(self._reach, None, (seed, top), _CORE, flags=8)
        cv2.inRange(self._reach, _CORE, _CORE, dst=self._reach)
        if len(stats) > 2:
            self._part(chosen, stats[:, cv2.CC_STAT_AREA])

    def _part(self, chosen: int, areas: NDArray[np.int32]) -> None:
        """Take out of ``_reach`` whoever is joined to the chosen person by a faint edge."""
        table = np.where(areas > _FRAGMENT * areas[chosen], np.uint8(255), np.uint8(0))
        table[0] = table[chosen] = 0
        np.take(table, self._labels, out=self._others, mode="clip")
        cv2.bitwise_and(self._others, self._reach, dst=self._near)
        if not cv2.countNonZero(self._near):
            return
        table.fill(0)
        table[chosen] = 255
        np.take(table, self._labels, out=self._near, mode="clip")
        cv2.dilate(self._near, self._large, dst=self._near)
        cv2.dilate(self._others, self._small, dst=self._others)
        cv2.bitwise_and(self._reach, self._near, dst=self._reach)
        cv2.subtract(self._reach, self._others, dst=self._reach)

"""``core_program.py ORDERS core ...``: scrim's core, whose camera and model misbehave when they are told to.

Everything but these two is what ships. The camera shows the demo's person before a wall with the detector's
code on it, wherever the person never comes near: a room with things in it would test the model, which may
take one for a part of the person. Orders are words in files: ``camera`` and ``model``.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from scrim import cli
from scrim.core.capture import registry
from scrim.core.capture.demo import Demo
from scrim.core.capture.pace import READ_LIMIT_S
from scrim.core.segment import loading
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.detector import CodedBackground
from scrim.errors import SegmentError, SourceError
from scrim.frame import Caps, Frame, Mask, Plane, Planes

KEY = "chaos"
"""Of the code in the room."""

_MARGIN_PX = 28
"""So far from anywhere the person ever is there is no code: a mask that is a little too wide is no fault."""

_WATCHED_S = 200
_HOARD_BYTES = 400_000_000
_HANG_LIMIT_S = 20.0


def order(folder: Path, who: str) -> str:
    """What somebody is told to do; empty for nothing."""
    try:
        return (folder / who).read_text()
    except OSError:
        return ""


class Camera(Demo):
    """The demo with a coded room; stalls, vanishes, takes memory or the whole process with it.

    Args:
        caps: what to deliver.
        pace: deliver at ``caps.frame_rate``.
    """

    orders: Path

    def __init__(self, caps: Caps, pace: bool = True) -> None:
        super().__init__(caps, pace)
        self._hoard: list[Plane] = []

    def open(self) -> Caps:
        """Open, unless it is unplugged."""
        self._heed_unplugged()
        return super().open()

    def read(self) -> Frame | None:
        """The next picture, unless an order says otherwise."""
        match order(self.orders, "camera"):
            case "stall":
                time.sleep(READ_LIMIT_S)
                return None
            case "slow":
                time.sleep(0.7)
            case "explode":
                raise ZeroDivisionError("ordered")
            case "hoard" if not self._hoard:
                self._hoard.append(np.ones(_HOARD_BYTES, np.uint8))
            case "segfault":
                ctypes.string_at(0)
        self._heed_unplugged()
        return super().read()

    def _heed_unplugged(self) -> None:
        if order(self.orders, "camera") == "unplug":
            raise SourceError("chaos: unplugged")

    def _prepare(self) -> None:
        super()._prepare()
        width, height = self._caps.size
        self._room = np.full((height * 3 // 2, width), 128, np.uint8)
        wall = np.tile(np.linspace(120, 170, width).astype(np.uint8), (height, 1))
        Planes.of(self._room).y[:] = CodedBackground(self._caps.size, KEY).mark(wall, self._reach())

    def _reach(self) -> Plane:
        """255 wherever the person comes near within some minutes."""
        ever: Plane = np.zeros(self._caps.size[::-1], np.uint8)
        for second in range(_WATCHED_S):
            np.maximum(ever, self.alpha(int(second * self._caps.frame_rate)), out=ever)
        side = 2 * _MARGIN_PX + 1
        return np.asarray(cv2.dilate(ever, np.ones((side, side), np.uint8)), np.uint8)


class Model(TFLiteSegmenter):
    """The real model; fails in every way a model can when it is told to."""

    orders: Path

    def segment(self, rgb: Plane) -> Mask:
        """The mask, unless an order says otherwise."""
        mask = super().segment(rgb)
        wrong: dict[str, Callable[[], Mask]] = {
            "nan": lambda: np.full(mask.shape, np.nan, np.float32),
            "shape": lambda: mask[: mask.shape[0] // 2],
            "type": lambda: mask.astype(np.uint16),
            "empty": lambda: np.empty((0, 0), np.uint8),
            "raise": self._refuse,
            "explode": self._explode,
            "hang": lambda: self._hang(mask),
            "slow": lambda: self._delay(mask),
            "abort": self._abort,
        }
        told = wrong.get(order(self.orders, "model"))
        return mask if told is None else told()

    def _refuse(self) -> Mask:
        raise SegmentError("chaos: no mask today")

    def _explode(self) -> Mask:
        raise ZeroDivisionError("ordered")

    def _hang(self, mask: Mask) -> Mask:
        deadline_s = time.monotonic() + _HANG_LIMIT_S
        while order(self.orders, "model") == "hang" and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return mask

    def _delay(self, mask: Mask) -> Mask:
        time.sleep(0.35)
        return mask

    def _abort(self) -> Mask:
        os.abort()


def main() -> int:
    """Put the two in place and be ``scrim`` from here on."""
    Camera.orders = Model.orders = Path(sys.argv[1])
    registry.SOURCES["demo"] = f"{__name__}:Camera"
    vars(loading)["TFLiteSegmenter"] = Model
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())

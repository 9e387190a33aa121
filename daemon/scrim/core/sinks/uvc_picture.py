"""From a safe frame to what a USB host was promised: its size, its format, its brightness."""

from typing import Protocol, Self

import cv2
import numpy as np

from scrim.core.ranges import best_widen
from scrim.core.sinks.pack import ToYuyv
from scrim.frame import Origin, Plane, Planes, SafeFrame
from scrim.uvc.controls import Levels
from scrim.uvc.negotiation import Stream
from scrim.video_range import rounded

_LOWEST_QUALITY = 10
_FILL = 0.9
"""How much of the bus a picture may take: the camera's rate is never quite even."""

_MID_GREY = 126
"""The middle of video's luma, 16 to 235, around which contrast turns."""

_AS_IT_IS = (0, 100)
"""Brightness and contrast that change nothing."""


class Picture(Protocol):
    """What is sent: a safe frame, or a copy of one."""

    @property
    def i420(self) -> Plane:
        """See :class:`SafeFrame`."""

    @property
    def planes(self) -> Planes:
        """See :class:`SafeFrame`."""

    @property
    def size(self) -> tuple[int, int]:
        """See :class:`SafeFrame`."""

    @property
    def origin(self) -> Origin:
        """See :class:`SafeFrame`."""


class Still:
    """A copy of a placeholder: what a stream begins with before anything is written.

    Args:
        i420: the first picture, shape (height * 3 / 2, width).
    """

    origin: Origin = "placeholder"

    def __init__(self, i420: Plane) -> None:
        self.i420 = i420
        self.planes = Planes.of(i420)
        self._seen: tuple[int, int] = (0, 0)

    @classmethod
    def blank(cls, size: tuple[int, int]) -> Self:
        """Black."""
        width, height = size
        i420 = np.full((height * 3 // 2, width), 128, np.uint8)
        i420[:height] = 16
        return cls(i420)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.planes.size

    def become(self, placeholder: SafeFrame) -> None:
        """Take a copy. One that is painted once and written often is copied once."""
        pixels = placeholder.i420
        seen = (int(pixels.ctypes.data), placeholder.revision)
        if seen != self._seen:
            self._seen = seen
            np.copyto(self.i420, pixels)


class Shaper:
    """Cuts, scales and levels safe frames for one stream, without allocating per frame.

    A frame of another shape is cut at its longer side. Zoom, brightness and contrast apply to the camera's
    pictures; the placeholder stays as it is painted.

    Args:
        size: (width, height) in pixels of the result, both even.
        is_full_range: whether the result has luma and chroma from 0 to 255, as JPEG wants them.
    """

    def __init__(self, size: tuple[int, int], *, is_full_range: bool) -> None:
        width, height = size
        self._size = size
        self._is_full_range = is_full_range
        self._scaled = np.empty((height * 3 // 2, width), np.uint8)
        self._levelled = np.empty_like(self._scaled)
        self._widen_luma, self._widen_chroma = best_widen()
        self._luma: tuple[tuple[int, int], Plane | None] = (_AS_IT_IS, None)

    def __call__(self, frame: Picture, levels: Levels) -> Plane:
        """The picture as contiguous I420, shape (height * 3 / 2, width); valid until the next call."""
        is_painted = frame.origin == "placeholder"
        zoom = 100 if is_painted else levels.zoom
        i420 = frame.i420 if frame.size == self._size and zoom == 100 else self._cut(frame.planes, zoom)
        return self._level(i420, _AS_IT_IS if is_painted else (levels.brightness, levels.contrast))

    def _cut(self, planes: Planes, zoom: int) -> Plane:
        left, top, right, bottom = middle(planes.size, self._size, zoom)
        parts = (
            planes.y[top:bottom, left:right],
            planes.u[top // 2 : bottom // 2, left // 2 : right // 2],
            planes.v[top // 2 : bottom // 2, left // 2 : right // 2],
        )
        for part, target in zip(parts, Planes.of(self._scaled), strict=True):
            # Averaging by a factor that is no whole number costs ten times as much, and shows from 2 on.
            how = cv2.INTER_AREA if part.shape[0] >= 2 * target.shape[0] else cv2.INTER_LINEAR
            cv2.resize(part, target.shape[::-1], dst=target, interpolation=how)
        return self._scaled

    def _level(self, i420: Plane, wanted: tuple[int, int]) -> Plane:
        if self._luma[0] != wanted:
            self._luma = (wanted, self._luma_table(*wanted))
        table = self._luma[1]
        if table is None and not self._is_full_range:
            return i420
        height = self._size[1]
        if table is None:
            self._widen_luma(self._levelled[:height], i420[:height])
        else:
            cv2.LUT(i420[:height], table, dst=self._levelled[:height])
        if self._is_full_range:
            self._widen_chroma(self._levelled[height:], i420[height:])
        else:
            np.copyto(self._levelled[height:], i420[height:])
        return self._levelled

    def _luma_table(self, brightness: int, contrast: int) -> Plane | None:
        """None where luma stays as it is, or only its range changes."""
        if (brightness, contrast) == _AS_IT_IS:
            return None
        levels = (np.arange(256) - _MID_GREY) * (contrast / 100) + _MID_GREY + brightness
        video = np.clip(levels, 16, 235)
        return rounded((video - 16) * (255 / 219) if self._is_full_range else video)


class JpegWriter:
    """Writes pictures as JPEG into buffers; one that the bus could not carry in its time is compressed more.

    Args:
        stream: what was agreed on.
        quality: of pictures that fit, 1 to 100.
    """

    def __init__(self, stream: Stream, quality: int) -> None:
        self._most_bytes = min(stream.buffer_bytes, int(stream.bytes_per_s * stream.interval_s * _FILL))
        self._wanted = quality
        self.quality = quality

    def __call__(self, i420: Plane, buffer: Plane) -> int:
        """Write one picture.

        Args:
            i420: contiguous, full range.
            buffer: shape (bytes,).

        Returns:
            How many bytes it took; 0 when it does not fit at the lowest quality.
        """
        import simplejpeg

        planes = Planes.of(i420)
        for _ in range(2):
            jpeg = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=self.quality, fastdct=True)
            used = len(jpeg)
            self._adapt(used)
            if used <= min(self._most_bytes, buffer.size):
                np.copyto(buffer[:used], np.frombuffer(jpeg, np.uint8))
                return used
        return 0

    def _adapt(self, used: int) -> None:
        """Down at once, about as far as is needed; up again slowly."""
        if used > self._most_bytes:
            self.quality = max(_LOWEST_QUALITY, int(self.quality * max(0.3, 0.8 * self._most_bytes / used)))
        elif used < 0.7 * self._most_bytes:
            self.quality = min(self._wanted, self.quality + 1)


class YuyvWriter:
    """Packs pictures as YUYV into buffers.

    Args:
        size: (width, height) in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._bytes = size[0] * size[1] * 2
        self._pack = ToYuyv(size)

    def __call__(self, i420: Plane, buffer: Plane) -> int:
        """Write one picture; how many bytes it took, 0 when the buffer is too small."""
        if buffer.size < self._bytes:
            return 0
        self._pack.into(i420, buffer)
        return self._bytes


def middle(have: tuple[int, int], wanted: tuple[int, int], zoom: int) -> tuple[int, int, int, int]:
    """The largest part in the middle with another aspect.

    Args:
        have: (width, height) in pixels of the whole.
        wanted: (width, height); only its aspect counts.
        zoom: percent, 100 or more: how much nearer.

    Returns:
        (left, top, right, bottom) in pixels, all even: chroma has half as many.
    """
    ratio = min(have[0] / wanted[0], have[1] / wanted[1]) * 100 / zoom
    width, height = (max(2, round(side * ratio / 2) * 2) for side in wanted)
    left, top = (have[0] - width) // 4 * 2, (have[1] - height) // 4 * 2
    return left, top, left + width, top + height

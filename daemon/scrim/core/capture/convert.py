"""From what cameras deliver to I420, without allocating per frame.

A converter is made once for a format, a size and a stride; called with the bytes of one picture and an I420
buffer it fills the buffer. It raises ValueError when the bytes are not a whole picture of that size; what the
buffer holds then is undefined.
"""

from abc import ABC, abstractmethod

import numpy as np

from scrim.core.capture.jpeg import JpegDecoder, best_decoder
from scrim.core.interleave import best_split, best_unpack_yuyv
from scrim.frame import Plane, Planes

COST = {"YU12": 10, "NV12": 12, "YUYV": 20, "MJPG": 190}
"""The formats there is a converter for, and what a frame of 1280 x 720 costs: CPU time in hundredths of a
millisecond on x86-64."""

_JPEG_END = b"\xff\xd9"
_JPEG_PADDING_BYTES = 4096
"""Some cameras fill a picture up with zeros; its end is looked for in that many last bytes."""


class Converter(ABC):
    """Turns pictures of one format, size and stride into I420.

    Args:
        size: (width, height) in pixels, both even.
        stride: bytes from one row to the next of the first or only plane; 0 when rows are not padded or,
            as with MJPG, there are none.
    """

    bytes_per_pixel = 1

    def __init__(self, size: tuple[int, int], stride: int = 0) -> None:
        self._width, self._height = size
        self._stride = stride or self._width * self.bytes_per_pixel
        if self._stride < self._width * self.bytes_per_pixel or self._stride % 2:
            raise ValueError(f"stride = {stride}: too short or odd for a width of {self._width} pixels")

    @abstractmethod
    def __call__(self, data: Plane, i420: Plane) -> None:
        """Convert one picture.

        Args:
            data: its bytes, shape (bytes,); more than a picture's are ignored.
            i420: where it goes, shape (height * 3 / 2, width), contiguous.

        Raises:
            ValueError: ``data`` is not a whole picture.
        """

    def _rows(self, data: Plane, rows: int) -> Plane:
        """The first ``rows`` rows, shape (rows, stride)."""
        wanted = rows * self._stride
        if data.size < wanted:
            raise ValueError(f"{data.size} bytes: a picture of {self._width}x{self._height} has {wanted}")
        return data[:wanted].reshape(rows, self._stride)


class FromYu12(Converter):
    """YU12, V4L2's name of I420: three planes, the chroma's rows half as far apart as the luma's."""

    def __call__(self, data: Plane, i420: Plane) -> None:
        """Convert one picture."""
        width, height = self._width, self._height
        rows = self._rows(data, height * 3 // 2)
        planes = Planes.of(i420)
        np.copyto(planes.y, rows[:height, :width])
        chroma = rows[height:].reshape(2, height // 2, self._stride // 2)[:, :, : width // 2]
        np.copyto(planes.u, chroma[0])
        np.copyto(planes.v, chroma[1])


class FromNv12(Converter):
    """NV12: luma, then one plane of chroma pairs with the same stride."""

    def __init__(self, size: tuple[int, int], stride: int = 0) -> None:
        super().__init__(size, stride)
        self._split = best_split()

    def __call__(self, data: Plane, i420: Plane) -> None:
        """Convert one picture."""
        width, height = self._width, self._height
        rows = self._rows(data, height * 3 // 2)
        planes = Planes.of(i420)
        np.copyto(planes.y, rows[:height, :width])
        self._split(planes.u, planes.v, rows[height:, :width])


class FromYuyv(Converter):
    """YUYV: Y U Y V in each pair of pixels; the chroma of two rows is averaged."""

    bytes_per_pixel = 2

    def __init__(self, size: tuple[int, int], stride: int = 0) -> None:
        super().__init__(size, stride)
        self._unpack = best_unpack_yuyv(size)

    def __call__(self, data: Plane, i420: Plane) -> None:
        """Convert one picture."""
        width, height = self._width, self._height
        planes = Planes.of(i420)
        self._unpack(planes.y, planes.u, planes.v, self._rows(data, height)[:, : width * 2])


class FromMjpg(Converter):
    """MJPG: one JPEG per picture, of any chroma subsampling. The result is BT.601, limited range.

    Args:
        size: (width, height) in pixels, both even.
        stride: of no meaning: JPEGs have no rows.
        decoder: the best that is installed without it.
    """

    def __init__(
        self,
        size: tuple[int, int],
        stride: int = 0,  # noqa: ARG002
        decoder: JpegDecoder | None = None,
    ) -> None:
        super().__init__(size, 0)
        self._decode = decoder or best_decoder(size)
        self._copy = np.empty(0, np.uint8)

    def __call__(self, data: Plane, i420: Plane) -> None:
        """Convert one picture."""
        own = self._own(data)
        if _JPEG_END not in own[-_JPEG_PADDING_BYTES:].tobytes():
            raise ValueError(f"a JPEG of {data.size} bytes without an end")
        self._decode(own, i420)

    def _own(self, data: Plane) -> Plane:
        """A copy. Who writes into a loopback device does not wait for its readers.

        A header must still say what it said when it was looked at.
        """
        if data.size > self._copy.size:
            self._copy = np.empty(data.size * 3 // 2, np.uint8)
        own = self._copy[: data.size]
        np.copyto(own, data)
        return own


CONVERTERS: dict[str, type[Converter]] = {
    "YU12": FromYu12,
    "NV12": FromNv12,
    "YUYV": FromYuyv,
    "MJPG": FromMjpg,
}
"""By FourCC."""

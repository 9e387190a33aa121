"""A JPEG of a camera to I420 in BT.601, limited range; of any chroma subsampling that has a name.

By its planes where libturbojpeg is installed, else by BGR: the same picture within rounding, at more cost.
"""

from typing import Protocol

import cv2
import numpy as np

from scrim.core.capture.turbojpeg import Buffers, TurboJpeg, load
from scrim.core.ranges import best_narrow
from scrim.frame import Plane, Planes


class JpegDecoder(Protocol):
    """Decodes JPEGs of one size."""

    def __call__(self, data: Plane, i420: Plane) -> None:
        """Decode one. The header is looked at before anything else.

        Args:
            data: its bytes, shape (bytes,); what follows its end is ignored. Nobody writes to it meanwhile.
            i420: where it goes, shape (height * 3 / 2, width), contiguous.

        Raises:
            ValueError: it is no JPEG, of another size, or cannot be decoded. One whose data are complete but
                not clean can: many cameras write such.
        """


def best_decoder(size: tuple[int, int]) -> JpegDecoder:
    """For pictures of ``size``, (width, height) in pixels, both even."""
    library = load()
    return ThroughBgr(size) if library is None else ThroughPlanes(size, library)


class ThroughBgr:
    """By simplejpeg, whose wheel has libjpeg-turbo inside and decodes to RGB only.

    A header that is not clean is refused.

    Args:
        size: (width, height) in pixels, both even.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._bgr = np.empty((size[1], size[0], 3), np.uint8)

    def __call__(self, data: Plane, i420: Plane) -> None:
        """See ``JpegDecoder``."""
        import simplejpeg

        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            _check((width, height), self._size)
            simplejpeg.decode_jpeg(data, "BGR", fastupsample=True, buffer=self._bgr, strict=False)
        except KeyError as error:  # it has no name for what the library told it
            raise ValueError("a JPEG of a sampling or of colours that cannot be decoded") from error
        cv2.cvtColor(self._bgr, cv2.COLOR_BGR2YUV_I420, dst=i420)


class ThroughPlanes:
    """By libturbojpeg; pictures whose planes are not luma and chroma, or sampled in a rare way, by BGR.

    Args:
        size: (width, height) in pixels, both even.
        library: installed.
    """

    def __init__(self, size: tuple[int, int], library: TurboJpeg) -> None:
        self._size = size
        self._library = library
        self._buffers = Buffers(library, size)
        rows, columns = size[1] // 2, size[0] // 2
        self._narrow = best_narrow((rows, columns))
        self._known = {
            sampling
            for sampling, (_, *chroma) in self._buffers.planes.items()
            if all(_can_be_narrowed(plane.shape, rows, columns) for plane in chroma)
        }
        self._others: ThroughBgr | None = None

    def __call__(self, data: Plane, i420: Plane) -> None:
        """See ``JpegDecoder``."""
        with self._library.picture(data) as picture:
            header = picture.header()
            _check(header.size, self._size)
            if header.is_yuv and header.sampling in self._known:
                picture.decode(self._size, self._buffers)
                self._put(self._buffers.planes[header.sampling], Planes.of(i420))
                return
        self._others = self._others or ThroughBgr(self._size)
        self._others(data, i420)

    def _put(self, planes: tuple[Plane, ...], to: Planes) -> None:
        width, height = self._size
        luma, *chroma = planes
        self._narrow.luma(to.y, luma[:height, :width])
        if not chroma:
            np.copyto(to.u, 128)
            np.copyto(to.v, 128)
        for plane, wanted in zip(chroma, (to.u, to.v), strict=False):
            self._narrow.chroma(wanted, plane)


def _check(size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != expected:
        raise ValueError(f"a JPEG of {size[0]}x{size[1]}: expected {expected[0]}x{expected[1]}")


def _can_be_narrowed(shape: tuple[int, ...], rows: int, columns: int) -> bool:
    """Whether ``Narrow.chroma`` takes such a plane for one of ``rows`` and ``columns``."""
    return shape[0] in (rows, 2 * rows) and shape[1] in (columns, 2 * columns, (columns + 1) // 2)

"""Images from outside: their headers, and the child that decodes them."""

from pathlib import Path

from tests.fuzz.target import kind_of, promise

from scrim.decode import decode_bytes
from scrim.errors import ImageError
from scrim.image_header import fits, image_size

_BACKGROUNDS = Path(__file__).parents[2] / "daemon" / "scrim" / "gateway" / "backgrounds"

_WORDS = [
    *(b"\xff\xd8", b"\xff\xc0\x00\x11\x08", b"\xff\xc2", b"\xff\xda", b"\xff\xff\xff", b"\xff\xd9"),
    *(b"\xff\xe1\x00\x10Exif\0\0", b"\x89PNG\r\n\x1a\n", b"IHDR", b"IDAT", b"acTL", b"IEND"),
    *(b"RIFF", b"WEBP", b"VP8X", b"VP8L", b"VP8 ", b"ANIM", b"\x10\x00"),
]


def _seeds() -> list[bytes]:
    import cv2
    import numpy as np

    picture = np.arange(24 * 16 * 3, dtype=np.uint8).reshape(16, 24, 3)
    seeds = [cv2.imencode(suffix, picture)[1].tobytes() for suffix in (".jpg", ".png", ".webp")]
    lossless = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    progressive = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    extended = b"RIFF" + (22).to_bytes(4, "little") + b"WEBPVP8X" + (10).to_bytes(4, "little") + bytes(10)
    thumb = next((_BACKGROUNDS / "thumbs").iterdir()).read_bytes()
    return [*seeds, lossless, progressive, extended, thumb, b"GIF89a"]


class ImageHeader:
    """A size, or that it is none of ours."""

    limit_s = 1.0

    def __init__(self) -> None:
        self.seeds = _seeds()
        self.words = _WORDS

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        size = image_size(data)
        if size is None:
            return "none"
        promise(all(isinstance(side, int) and side >= 0 for side in size), f"a size of {size}")
        kind = next((word for word in (b"VP8X", b"VP8L", b"VP8 ") if data[12:16] == word), data[:2])
        return f"{kind!r} {fits(size)} {size[0].bit_length()} {size[1].bit_length()}"

    def close(self) -> None:
        """See ``Target``."""


class Decoder:
    """The real child: a picture of the size that the header told, in sealed memory; or an ``ImageError``."""

    limit_s = 2.0

    def __init__(self) -> None:
        self.seeds = _seeds()
        self.words = _WORDS

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        try:
            pixels = decode_bytes(data, "image")
        except ImageError as error:
            return kind_of(error)
        with pixels:
            promise(pixels.mapped().shape == (pixels.height, pixels.width, 3), "pixels of another shape")
            told = image_size(data) or ()
            promise(sorted(told) == sorted((pixels.width, pixels.height)), f"the header told {told}")
        return f"done {data[:4].hex()}"

    def close(self) -> None:
        """See ``Target``."""

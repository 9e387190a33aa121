"""Pictures of MJPG cameras, at both decoders: a camera, too, may be a stranger's device."""

from tests.fuzz.target import kind_of, promise

from scrim.frame import Plane

_SIZE = (34, 18)

_WORDS = [
    *(b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0\x00\x11\x08", b"\xff\xc2", b"\xff\xc4", b"\xff\xdb"),
    *(b"\xff\xdd\x00\x04", b"\xff\xd0", b"\xff\xee\x00\x0eAdobe", b"\x11\x22\x41", b"\x00\x12\x00\x22"),
]


def _seeds() -> list[bytes]:
    import cv2
    import numpy as np

    picture = np.arange(_SIZE[0] * _SIZE[1] * 3, dtype=np.uint8).reshape(_SIZE[1], _SIZE[0], 3)
    kinds = [[cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]]
    samplings = [[cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor] for factor in (0x211111, 0x411111, 0x111111)]
    colours = [cv2.imencode(".jpg", picture, options)[1].tobytes() for options in ([], *kinds, *samplings)]
    return [*colours, cv2.imencode(".jpg", picture[..., 0])[1].tobytes()]


class Mjpg:
    """A picture, or a ``ValueError``; nothing beside it is written, and the next one is decoded as ever."""

    limit_s = 1.0

    def __init__(self) -> None:
        import numpy as np

        from scrim.core.capture import turbojpeg
        from scrim.core.capture.convert import FromMjpg
        from scrim.core.capture.jpeg import ThroughBgr, ThroughPlanes

        self.seeds = _seeds()
        self.words = _WORDS
        library = turbojpeg.load()
        decoders = [ThroughBgr(_SIZE), *([ThroughPlanes(_SIZE, library)] if library is not None else [])]
        self._converters = [FromMjpg(_SIZE, 0, decoder) for decoder in decoders]
        self._memory = np.full((_SIZE[1] * 3 // 2 + 4, _SIZE[0]), 77, np.uint8)
        self._good = np.frombuffer(self.seeds[0], np.uint8)
        self._expected = [self._picture(number, self._good)[1] for number in range(len(decoders))]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        import numpy as np

        said = []
        for number, expected in enumerate(self._expected):
            said.append(self._picture(number, np.frombuffer(data, np.uint8))[0])
            promise(self._picture(number, self._good)[1] == expected, "the next picture is another one")
        return " / ".join(said)

    def _picture(self, number: int, data: Plane) -> tuple[str, bytes]:
        """What became of it, and the pixels."""
        i420 = self._memory[2:-2]
        try:
            self._converters[number](data, i420)
            said = "done"
        except ValueError as error:
            said = kind_of(error)
        promise((self._memory[:2] == 77).all() and (self._memory[-2:] == 77).all(), "written beside it")
        return said, i420.tobytes()

    def close(self) -> None:
        """See ``Target``."""

"""Both decoders of cameras' JPEGs: the same pictures, the same refusals, nothing written beside."""

import ctypes
import itertools
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scrim.core import ranges
from scrim.core.capture import turbojpeg
from scrim.core.capture.convert import Converter, FromMjpg
from scrim.core.capture.jpeg import ThroughBgr, ThroughPlanes, best_decoder
from scrim.core.capture.turbojpeg import TurboJpeg
from scrim.frame import Plane, Planes

SIZE = (96, 64)
SAMPLINGS = {"444": 0x111111, "422": 0x211111, "440": 0x121111, "420": 0x221111, "411": 0x411111}
MISSING = f"{turbojpeg.SONAME} is not installed: apt install {turbojpeg.PACKAGE}"

Size = tuple[int, int]
Make = Callable[[Size], Converter]


def library() -> TurboJpeg:
    found = turbojpeg.load()
    if found is None:
        pytest.skip(MISSING)
    return found


def through_planes(size: Size) -> Converter:
    return FromMjpg(size, 0, ThroughPlanes(size, library()))


def through_bgr(size: Size) -> Converter:
    return FromMjpg(size, 0, ThroughBgr(size))


@pytest.fixture(params=[through_planes, through_bgr], ids=["planes", "bgr"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param is through_planes:
        library()
    made: Make = request.param
    return made


def colours(size: Size, seed: int = 3) -> NDArray[np.uint8]:
    """A smooth picture, BGR."""
    few = np.random.default_rng(seed).integers(40, 216, (4, 6, 3), np.uint8)
    return np.clip(cv2.resize(few, size, interpolation=cv2.INTER_LINEAR), 0, 255).astype(np.uint8)


def jpeg(sampling: str, size: Size = SIZE, seed: int = 3, **options: int) -> Plane:
    """``grey`` or one of ``SAMPLINGS``; options are OpenCV's, without their ``IMWRITE_JPEG_``."""
    picture = colours(size, seed)
    words = [cv2.IMWRITE_JPEG_QUALITY, 95]
    for name, value in options.items():
        words += [getattr(cv2, f"IMWRITE_JPEG_{name}"), value]
    if sampling == "grey":
        picture = picture[..., 1]
    else:
        words += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    return np.frombuffer(cv2.imencode(".jpg", picture, words)[1].tobytes(), np.uint8)


def segments(data: Plane) -> list[bytes]:
    """A JPEG in pieces: its start, each segment, and the picture's data from its scan on."""
    whole = data.tobytes()
    pieces, at = [whole[:2]], 2
    while whole[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
        pieces.append(whole[at:end])
        at = end
    return [*pieces, whole[at:]]


def joined(*pieces: bytes) -> Plane:
    return np.frombuffer(b"".join(pieces), np.uint8)


def patched(data: Plane, offset: int, new: bytes) -> Plane:
    """With its frame header (SOF0) changed."""
    pieces = segments(data)
    at = next(number for number, piece in enumerate(pieces) if piece[1] == 0xC0)
    pieces[at] = pieces[at][:offset] + new + pieces[at][offset + len(new) :]
    return joined(*pieces)


def convert(converter: Converter, data: Plane, size: Size = SIZE) -> Plane:
    """The picture; what lies before and behind it must stay."""
    width, height = size
    count = width * height * 3 // 2
    memory = np.full(count + 256, 77, np.uint8)
    i420 = memory[128:-128].reshape(height * 3 // 2, width)
    try:
        converter(data, i420)
    finally:
        assert np.all(memory[:128] == 77)
        assert np.all(memory[-128:] == 77)
    return i420


def expected(data: Plane) -> Plane:
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2YUV_I420)


@pytest.mark.parametrize("options", [{}, {"PROGRESSIVE": 1}, {"RST_INTERVAL": 3}, {"OPTIMIZE": 1}])
@pytest.mark.parametrize("sampling", [*SAMPLINGS, "grey"])
def test_jpegs_of_any_sampling_and_kind_are_decoded(
    make: Make, sampling: str, options: dict[str, int]
) -> None:
    data = jpeg(sampling, **options)
    got = Planes.of(convert(make(SIZE), data))
    for plane, reference, most in zip(got, Planes.of(expected(data)), (3, 12, 12), strict=True):
        apart = np.abs(plane.astype(int) - reference)
        assert apart.max() <= most
        assert apart.mean() < 1.5


def test_black_and_white_have_the_levels_of_video(make: Make) -> None:
    for level, luma in ((0, 16), (255, 235)):
        data = np.frombuffer(
            simplejpeg.encode_jpeg(np.full((64, 96, 3), level, np.uint8), 95, "BGR"), np.uint8
        )
        planes = Planes.of(convert(make(SIZE), data))
        assert [np.unique(plane).tolist() for plane in planes] == [[luma], [128], [128]]


@given(st.integers(1, 40), st.integers(1, 24), st.sampled_from([*SAMPLINGS, "grey"]))
@settings(max_examples=60)
def test_any_even_size_is_decoded_and_nothing_beside_it_is_written(
    half_width: int, half_height: int, sampling: str
):
    size = (2 * half_width, 2 * half_height)
    data = jpeg(sampling, size)
    one, other = (convert(make(size), data, size) for make in (through_planes, through_bgr))
    assert np.abs(one[: size[1]].astype(int) - other[: size[1]]).max() <= 3


def test_with_and_without_the_extension_the_bytes_are_the_same() -> None:
    pytest.importorskip("scrim.core._ranges", reason="the extension in C was not built: no compiler")
    for size, sampling in itertools.product([SIZE, (98, 66), (2, 2)], [*SAMPLINGS, "grey"]):
        with_it, without = (ThroughPlanes(size, library()) for _ in range(2))
        without._narrow = ranges.NumpyNarrow((size[1] // 2, size[0] // 2))
        data = jpeg(sampling, size)
        assert np.array_equal(*(convert(FromMjpg(size, 0, way), data, size) for way in (with_it, without)))


def test_the_sampling_may_change_from_picture_to_picture(make: Make) -> None:
    converter = make(SIZE)
    for sampling in ("422", "grey", "444", "411", "420", "422"):
        data = jpeg(sampling)
        assert np.array_equal(convert(converter, data), convert(make(SIZE), data))


def test_planes_that_are_no_luma_and_chroma_are_decoded_too(make: Make) -> None:
    """An Adobe marker says that the planes are RGB."""
    pieces = [piece for piece in segments(jpeg("444")) if piece[1] != 0xE0]
    data = joined(pieces[0], b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00", *pieces[1:])
    assert np.array_equal(convert(make(SIZE), data), convert(through_bgr(SIZE), data))


def test_a_sampling_without_a_name_is_refused(make: Make) -> None:
    """Chroma of a quarter of the height beside chroma of all of it."""
    with pytest.raises(ValueError, match="JPEG of a sampling"):
        convert(make(SIZE), patched(jpeg("444"), 11, b"\x14"))


def test_what_is_complete_though_not_clean_is_decoded(make: Make) -> None:
    """Bytes that belong to nothing, behind the data."""
    data = jpeg("422")
    dirty = joined(data[:-2].tobytes(), b"\x01\x02\x03", b"\xff\xd9")
    assert np.array_equal(convert(make(SIZE), dirty), convert(make(SIZE), data))


@pytest.mark.parametrize("where", [2, -1])
def test_bytes_between_the_segments_of_a_header_are_passed_over(where: int) -> None:
    pieces = segments(jpeg("422"))
    dirty = joined(*pieces[:where], b"\x01\x02\x03", *pieces[where:])
    assert np.array_equal(*(convert(through_planes(SIZE), data) for data in (dirty, joined(*pieces))))
    with pytest.raises(ValueError, match="extraneous"):
        convert(through_bgr(SIZE), dirty)


def test_a_picture_with_a_hole_is_decoded_up_to_it(make: Make) -> None:
    data = jpeg("422")
    holed = joined(data[: data.size * 2 // 3].tobytes(), b"\xff\xd9")
    got, whole = convert(make(SIZE), holed), convert(make(SIZE), data)
    assert np.array_equal(got[:16], whole[:16])
    assert not np.array_equal(got[:64], whole[:64])


def test_a_picture_of_hundreds_of_scans_is_refused() -> None:
    """Each goes over all of it: a few kilobytes would take seconds."""
    data = jpeg("420", PROGRESSIVE=1).tobytes()
    last = data[data.rindex(b"\xff\xda") : -2]
    convert(through_planes(SIZE), joined(data[:-2], last * 400, data[-2:]))
    with pytest.raises(ValueError, match="more than 500 scans"):
        convert(through_planes(SIZE), joined(data[:-2], last * 501, data[-2:]))


def test_what_lies_apart_is_decoded_too() -> None:
    apart = np.repeat(jpeg("422"), 2)[::2]
    i420 = np.zeros((96, 96), np.uint8)
    ThroughPlanes(SIZE, library())(apart, i420)
    assert np.array_equal(i420, convert(through_planes(SIZE), jpeg("422")))


def test_tables_of_one_picture_are_not_used_for_the_next(make: Make) -> None:
    """Most cameras leave the standard tables out; a picture that brings others must not spoil those."""
    bare = joined(*(piece for piece in segments(jpeg("422")) if piece[1] != 0xC4))
    converter = make(SIZE)
    first = convert(converter, bare)
    convert(converter, jpeg("422", seed=9, OPTIMIZE=1))
    assert np.array_equal(convert(converter, bare), first)
    assert np.array_equal(first, convert(converter, jpeg("422")))


@pytest.mark.parametrize("told", [(128, 64), (96, 65), (1, 1), (65500, 65500)])
def test_another_size_is_refused_before_anything_is_decoded(make: Make, told: Size) -> None:
    data = patched(jpeg("420"), 5, told[1].to_bytes(2, "big") + told[0].to_bytes(2, "big"))
    with pytest.raises(ValueError, match=f"JPEG of {told[0]}x{told[1]}: expected 96x64"):
        convert(make(SIZE), data)


def test_what_is_no_jpeg_is_refused(make: Make) -> None:
    pieces = segments(jpeg("422"))
    tables = [piece for piece in pieces[1:-1] if piece[1] in (0xC4, 0xDB)]
    for data in (
        np.frombuffer(bytes(500) + b"\xff\xd9", np.uint8),
        joined(pieces[0], b"\xff\xd9"),
        joined(pieces[0], *tables, b"\xff\xd9"),
        patched(jpeg("422"), 5, b"\x00\x00"),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            convert(make(SIZE), data)


def test_what_changes_while_it_is_decoded_is_not_seen() -> None:
    """Who writes into a loopback device does not wait for its readers."""
    shared = jpeg("422").copy()
    seen: list[Plane] = []

    def decode(data: Plane, i420: Plane) -> None:
        shared[:] = 0
        seen.append(data)

    FromMjpg(SIZE, 0, decode)(shared, np.zeros((96, 96), np.uint8))
    assert np.array_equal(seen[0], jpeg("422"))


def test_nothing_frame_sized_is_allocated(make: Make) -> None:
    size = (1280, 720)
    converter, i420 = make(size), np.zeros((1080, 1280), np.uint8)
    for sampling in ("422", "420", "grey"):
        data = jpeg(sampling, size)
        converter(data, i420)
        tracemalloc.start()
        converter(data, i420)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1280 * 720 // 8


DAMAGE = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["set", "cut", "repeat"]),
        st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=8,
)


def damaged(data: bytes, damage: list[tuple[float, str, bytes]]) -> bytes:
    for place, kind, piece in damage:
        at = int(place * len(data))
        if kind == "set":
            data = data[:at] + piece + data[at + len(piece) :]
        elif kind == "cut":
            data = data[:at] + data[at + 16 * piece[0] :]
        else:
            data = data[: at + 16 * piece[0]] + data[at:]
        data = data or b"\xff"
    return data


@given(
    st.sampled_from([*SAMPLINGS, "grey"]),
    st.sampled_from([{}, {"PROGRESSIVE": 1}, {"RST_INTERVAL": 2}]),
    DAMAGE,
)
@settings(max_examples=150)
def test_damage_is_decoded_or_refused_and_spoils_nothing_after_it(
    sampling: str, options: dict[str, int], damage: list[tuple[float, str, bytes]]
) -> None:
    """Header and data alike; in most of them the damage is in the header."""
    size = (34, 18)
    good = jpeg(sampling, size, **options)
    data = joined(damaged(good.tobytes(), damage), b"\xff\xd9")
    for make in (through_planes, through_bgr):
        converter = make(size)
        before = convert(converter, good, size)
        try:
            convert(converter, data, size)
        except ValueError as error:
            assert str(error)  # noqa: PT017  (either outcome is right)
        assert np.array_equal(convert(converter, good, size), before)


def test_the_planes_have_room_for_whatever_a_header_says() -> None:
    """Even for one of another size than they were made for."""
    found = library()
    buffers = turbojpeg.Buffers(found, SIZE)
    most = max(plane.size for planes in buffers.planes.values() for plane in planes)
    memory = np.full(3 * (most + 64), 77, np.uint8).reshape(3, -1)
    buffers.pointers = (ctypes.c_void_p * 3)(*(row.ctypes.data for row in memory))
    for sampling, size in itertools.product(
        [*SAMPLINGS, "grey"], [SIZE, (192, 128), (40, 20), (100, 30), (97, 65)]
    ):
        with found.picture(jpeg(sampling, size)) as picture:
            picture.decode(SIZE, buffers)
        assert np.all(memory[:, most:] == 77)


GUARDED = """
import ctypes, mmap, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("no PR_SET_MDWE here")
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    import numpy
    from scrim.core.capture.convert import CONVERTERS
    convert, i420 = CONVERTERS["MJPG"]((96, 64)), numpy.zeros((96, 96), numpy.uint8)
    convert(numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8), i420)
    print(i420.sum(), "libturbojpeg" in open("/proc/self/maps").read())
"""
"""With what ``MemoryDenyWriteExecute=yes`` of the service stands for."""


def test_it_works_where_what_is_written_is_never_run() -> None:
    library()
    data = jpeg("422")
    said = subprocess.run(
        [sys.executable, "-c", GUARDED], input=data.tobytes(), capture_output=True, check=False, timeout=300
    )
    if b"no PR_SET_MDWE" in said.stderr:
        pytest.skip("this kernel has no PR_SET_MDWE: Linux 6.3 has")
    assert said.stdout.decode().split() == [str(convert(through_planes(SIZE), data).sum()), "True"]


def test_the_planes_are_taken_where_the_library_is(monkeypatch: pytest.MonkeyPatch) -> None:
    library()
    assert isinstance(best_decoder(SIZE), ThroughPlanes)
    for other in ("libscrim-none.so.0", "libc.so.6"):
        monkeypatch.setattr(turbojpeg, "SONAME", other)
        assert isinstance(best_decoder(SIZE), ThroughBgr)


def test_the_library_is_loaded_for_mjpg_only() -> None:
    library()
    program = (
        "from scrim.core.capture.convert import CONVERTERS\n"
        "def is_loaded(): return 'libturbojpeg' in open('/proc/self/maps').read()\n"
        "CONVERTERS['YUYV']((96, 64))\n"
        "print(is_loaded())\n"
        "CONVERTERS['MJPG']((96, 64))\n"
        "print(is_loaded())\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    assert said.stdout.split() == ["False", "True"]

"""P1: a picture leaves through one door only, and nothing but a SafeFrame is taken by a sink."""

import ast
import copy
import dataclasses
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import scrim
from scrim.config import GadgetSettings
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.gadget_node_fake import FakeGadgetNode
from scrim.core.sinks.base import Sink
from scrim.core.sinks.feed import FeedSink
from scrim.core.sinks.file import ImageFolderSink, VideoFileSink
from scrim.core.sinks.memory import MemorySink
from scrim.core.sinks.registry import SINKS
from scrim.core.sinks.uvc_gadget import UVCGadgetSink
from scrim.core.sinks.v4l2loopback import V4L2LoopbackSink
from scrim.core.videodev2_fake import FakeLoopback
from scrim.frame import Caps, Frame, Planes, SafeFrame
from scrim.local.feed import FeedWriter
from scrim.local.ring import RingReader, RingWriter
from scrim.uvc.offers import Speed, offers_at

PACKAGE = Path(scrim.__file__).parent
DOOR = "scrim.core.composite.door"
DOORKEEPERS = {"core/composite/compositor.py", "core/composite/placeholder.py"}
CAPS = Caps(64, 48, 30)
GADGET = GadgetSettings(formats=("YUYV",), sizes=("64x64",))


def placeholder() -> SafeFrame:
    return PlaceholderPainter(CAPS.size).paint(Reason.STARTING, 1)


def raw() -> Frame:
    i420 = np.zeros((CAPS.height * 3 // 2, CAPS.width), np.uint8)
    return Frame(Planes.of(i420), 0, 0)


class TestSafeFrame:
    def test_is_not_constructed(self) -> None:
        with pytest.raises(TypeError, match="nowhere else"):
            SafeFrame()

    def test_is_not_subclassed(self) -> None:
        with pytest.raises(TypeError, match="second door"):
            type("Twin", (SafeFrame,), {})

    @pytest.mark.parametrize(
        "duplicate", [copy.copy, copy.deepcopy, pickle.dumps, lambda frame: pickle.dumps(frame, 0)]
    )
    def test_is_not_copied(self, duplicate: Callable[[SafeFrame], object]) -> None:
        with pytest.raises(TypeError):
            duplicate(placeholder())

    def test_is_not_replaced(self) -> None:
        with pytest.raises(TypeError):
            dataclasses.replace(placeholder(), sequence=1)  # type: ignore[type-var]

    @pytest.mark.parametrize("name", [*SafeFrame.__slots__, "anything", "__class__"])
    def test_does_not_change(self, name: str) -> None:
        frame = placeholder()
        with pytest.raises(AttributeError, match="does not change"):
            setattr(frame, name, getattr(frame, name, None))

    def test_pixels_are_read_only(self) -> None:
        frame = placeholder()
        for plane in (frame.i420, *frame.planes):
            with pytest.raises(ValueError, match="read-only"):
                plane[0, 0] = 1

    def test_pixels_stay_read_only(self) -> None:
        frame = placeholder()
        for plane in (frame.i420, *frame.planes):
            with pytest.raises(ValueError, match="WRITEABLE"):
                plane.flags.writeable = True


class Lookalike:
    """Has all a SafeFrame has, and says it is one."""

    def __init__(self) -> None:
        real = placeholder()
        self.i420, self.planes, self.size = real.i420.copy(), real.planes, real.size
        self.pts_ns, self.sequence, self.origin, self.revision = 0, 0, "effect", 1

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return SafeFrame


def empty() -> SafeFrame:
    """Past the constructor, but not through the door: it has no pixels."""
    return object.__new__(SafeFrame)


IMPOSTORS: dict[str, Callable[[], object]] = {
    "raw frame": raw,
    "bytes of a picture": lambda: raw().planes.y,
    "same attributes": lambda: SimpleNamespace(
        **{name: getattr(placeholder(), name) for name in SafeFrame.__slots__}, size=CAPS.size
    ),
    "says it is one": Lookalike,
    "nothing": lambda: None,
    "no pixels": empty,
}


class Outside:
    """Every kind of sink, open, and what came out of them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes = [FakeLoopback((fourcc,)) for fourcc in ("YU12", "YUYV", "NV12")]
        self._memory, self._writer = MemorySink(), FeedWriter()
        self._gadget = FakeGadgetNode(offers_at(Speed.HIGH, GADGET.wish))
        self._pipe = self._writer.subscribe()[1]
        self.sinks: list[Sink] = [
            *(V4L2LoopbackSink("/dev/video10", lambda _, node=node: node) for node in self._nodes),  # type: ignore[misc]
            VideoFileSink(folder / "out.avi"),
            ImageFolderSink(folder / "images"),
            self._memory,
            FeedSink(self._writer),
            UVCGadgetSink(GADGET, open_node=lambda _: self._gadget, find=lambda: "/dev/video9"),
        ]
        for sink in self.sinks:
            sink.open(CAPS)
        self._gadget.host_plug()
        self._gadget.host_start()
        # The stream begins black, before anything is written.
        self._gadget.host_picture()

    def delivered(self) -> int:
        """How many pictures left through any of the sinks that can be looked into while open."""
        ring = self._writer.share()
        assert ring is not None
        fed = RingReader(ring).read() is not None
        os.close(ring)
        files = sum(1 for _ in (self._folder / "images").iterdir())
        written = sum(len(node.written) for node in self._nodes) + len(self._gadget.pictures)
        return fed + files + self._memory.count + written

    def close(self) -> int:
        """Frames in the video file, once all is closed."""
        for sink in self.sinks:
            sink.close()
        os.close(self._pipe)
        video = cv2.VideoCapture(str(self._folder / "out.avi"))
        count = 0
        while video.read()[0]:
            count += 1
        return count


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path)


def test_every_kind_of_sink_is_tried(outside: Outside) -> None:
    known = {SINKS[scheme].rpartition(":")[2] for scheme in SINKS} | {"FeedSink"}
    assert {type(sink).__name__ for sink in outside.sinks} == known
    outside.close()


def test_sinks_take_a_safe_frame(outside: Outside) -> None:
    for sink in outside.sinks:
        sink.write(placeholder())
    assert outside.delivered() == len(outside.sinks) - 1
    assert outside.close() == 1


@pytest.mark.parametrize("impostor", IMPOSTORS.values(), ids=IMPOSTORS)
def test_sinks_take_nothing_else(outside: Outside, impostor: Callable[[], object]) -> None:
    for sink in outside.sinks:
        with pytest.raises((TypeError, AttributeError)):
            sink.write(impostor())  # type: ignore[arg-type]
    assert outside.delivered() == 0
    assert outside.close() == 0


@pytest.mark.parametrize("impostor", IMPOSTORS.values(), ids=IMPOSTORS)
def test_the_feed_takes_nothing_else(impostor: Callable[[], object]) -> None:
    ring = RingWriter(CAPS.size)
    with pytest.raises((TypeError, AttributeError)):
        ring.write(impostor())  # type: ignore[arg-type]
    assert RingReader(ring.fd).read() is None
    ring.close()


def parsed() -> Iterator[tuple[str, ast.AST]]:
    """Every node of every module that ships, with the module's path in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield name, node


def imports_the_door(node: ast.AST) -> bool:
    """Any spelling of an import: of the module, of what is in it, or by its name as text."""
    match node:
        case ast.Import(names):
            return any(alias.name == DOOR for alias in names)
        case ast.ImportFrom(module, names, level):
            inside = module == DOOR or (level > 0 and (module or "").endswith("door"))
            return inside or any(alias.name in ("door", "seal") for alias in names)
        case ast.Constant(str() as text):
            return text.startswith(DOOR) or text in ("door", "seal", ".door")
    return False


def forces_the_door(node: ast.AST) -> bool:
    """Ways around a constructor: object's or SafeFrame's __new__ and __setattr__, another __class__, seal."""
    match node:
        case ast.Attribute(ast.Name("object" | "SafeFrame"), "__new__" | "__setattr__" | "__reduce__"):
            return True
        case ast.Attribute(attr="__class__", ctx=ast.Store()) | ast.Attribute(attr="seal"):
            return True
        case ast.Call(ast.Name("setattr"), [_, ast.Constant("__class__"), *_]):
            return True
        case ast.Call(ast.Name("type"), [_, _, _, *_]):
            return True
        case ast.Call(ast.Attribute(attr="__new__"), [ast.Name("SafeFrame"), *_]):
            return True
    return False


def makes_writeable(node: ast.AST) -> bool:
    """``array.flags.writeable = True`` or ``array.setflags(write=...)``."""
    match node:
        case ast.Assign([ast.Attribute(ast.Attribute(attr="flags"), "writeable")], ast.Constant(value)):
            return value is not False
        case ast.Attribute(attr="setflags"):
            return True
    return False


def test_only_compositor_and_placeholder_have_the_door() -> None:
    assert {name for name, node in parsed() if imports_the_door(node)} == DOORKEEPERS


def test_nobody_else_forces_the_door() -> None:
    assert {name for name, node in parsed() if forces_the_door(node)} == {"core/composite/door.py"}


def test_nobody_unlocks_pixels() -> None:
    assert not {name for name, node in parsed() if makes_writeable(node)}


@pytest.mark.parametrize(
    "code",
    [
        "import scrim.core.composite.door",
        "import scrim.core.composite.door as d",
        "from scrim.core.composite.door import seal",
        "from scrim.core.composite import door",
        "from .door import seal as s",
        "from scrim.core.composite.compositor import seal",
        "importlib.import_module('scrim.core.composite.door')",
    ],
)
def test_the_walk_sees_every_import(code: str) -> None:
    assert any(imports_the_door(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "object.__new__(SafeFrame)",
        "SafeFrame.__new__(SafeFrame)",
        "super().__new__(SafeFrame)",
        "object.__setattr__(frame, 'i420', raw)",
        "twin.__class__ = SafeFrame",
        "setattr(twin, '__class__', SafeFrame)",
        "type('Twin', (SafeFrame,), {})",
        "compositor.seal(raw)",
    ],
)
def test_the_walk_sees_every_trick(code: str) -> None:
    assert any(forces_the_door(node) for node in ast.walk(ast.parse(code)))

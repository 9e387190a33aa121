"""People cut out of clips with a one-coloured wall, their true mattes, and rooms put behind them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from quality_measure.metrics import Alpha
from quality_measure.rooms import office, study

Bgr = NDArray[np.uint8]
Colours = NDArray[np.float32]

SIZE = (1280, 720)
"""(width, height) of the pictures that are made."""

_ARGUMENT = re.compile(r"(?P<path>.+?)(:(?P<first>\d+)-(?P<last>\d+))?(@(?P<rooms>[a-z,]+))?")
_ALL_FRAMES = 1_000_000
_FRAME_RATE = 30
_SHARP_LINES = 480
_LEAST_WALL = 0.02
_ROOMS = {"study": study, "office": office}
_NOISE, _CHROMA_NOISE, _JPEG_QUALITY = 2.0, 1.0, 85
"""What a webcam adds: noise in all channels together, in each, and its compression."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A stretch of a clip before a room.

    Attributes:
        clip: the file.
        frames: first and last frame, the last exclusive.
        room: the room behind the person; None leaves the wall.
    """

    clip: Path
    frames: tuple[int, int]
    room: str | None

    @property
    def is_sharp(self) -> bool:
        """Whether the clip is so large that its true edges are known to the pixel, or nearly."""
        capture = cv2.VideoCapture(str(self.clip))
        try:
            return capture.get(cv2.CAP_PROP_FRAME_HEIGHT) >= _SHARP_LINES
        finally:
            capture.release()

    @property
    def name(self) -> str:
        """Clip, first frame and room."""
        return f"{self.clip.stem}@{self.frames[0]}/{self.room or 'wall'}"


def sequences(argument: str) -> list[Sequence]:
    """What ``FILE[:FIRST-LAST][@ROOM,...]`` asks for: that stretch of the clip before each room.

    Rooms are study and office, the default, and wall for what is there.

    Raises:
        ValueError: it is not of that form, or there is no such file.
    """
    match = _ARGUMENT.fullmatch(argument)
    if match is None or not Path(match["path"]).is_file():
        raise ValueError(f"{argument}: must be FILE[:FIRST-LAST][@ROOM,...], and the file must be there")
    rooms = (match["rooms"] or ",".join(_ROOMS)).split(",")
    if not {"wall", *_ROOMS}.issuperset(rooms):
        raise ValueError(f"{argument}: a room is one of wall, {', '.join(_ROOMS)}")
    frames = (int(match["first"] or 0), int(match["last"] or _ALL_FRAMES))
    return [Sequence(Path(match["path"]), frames, None if room == "wall" else room) for room in rooms]


def pictures(sequence: Sequence) -> Iterator[tuple[Bgr, Alpha]]:
    """The pictures of a sequence and their true mattes, 30 a second at most, the same every time."""
    rng = np.random.default_rng(0)
    room = _ROOMS[sequence.room](SIZE).astype(np.float32) if sequence.room else None
    for frame in _frames(sequence):
        cut = _cut_out(frame.astype(np.float32))
        if cut is None:
            continue
        person, alpha = _placed(*cut)
        if room is not None:
            person = person * alpha[..., None] + room * (1 - alpha[..., None])
        yield _seen_by_webcam(person, rng), alpha


def _frames(sequence: Sequence) -> Iterator[Bgr]:
    clip = cv2.VideoCapture(str(sequence.clip))
    step = max(1, round(clip.get(cv2.CAP_PROP_FPS) / _FRAME_RATE))
    first, last = sequence.frames
    try:
        for number in range(last):
            is_there, frame = clip.read()
            if not is_there:
                break
            if number >= first and (number - first) % step == 0:
                yield np.asarray(frame)
    finally:
        clip.release()


def _cut_out(frame: Colours) -> tuple[Colours, Alpha] | None:
    """Person without the wall's cast, and matte; None when there is no wall to tell them apart."""
    blue, green, red = cv2.split(frame)
    greenness = green - np.maximum(red, blue)
    if (greenness > 100).mean() > _LEAST_WALL:
        return _from_green(frame, greenness)
    yellowness = (red + green) / 2 - blue
    return _from_yellow(frame, yellowness) if (yellowness > 100).mean() > _LEAST_WALL else None


def _from_green(frame: Colours, greenness: Alpha) -> tuple[Colours, Alpha]:
    alpha = _person_only(1 - _ramp(greenness, 8, 190))
    person = frame.copy()
    soft = (alpha > 0.02) & (alpha < 0.98)
    share = alpha[soft][:, None]
    person[soft] = (frame[soft] - (1 - share) * np.array((0, 255, 0), np.float32)) / np.maximum(share, 0.15)
    person = np.clip(person, 0, 255)
    person[..., 1] = np.minimum(person[..., 1], np.maximum(person[..., 0], person[..., 2]) + 4)
    return person, alpha


def _from_yellow(frame: Colours, yellowness: Alpha) -> tuple[Colours, Alpha]:
    wall = yellowness > 100
    around = cv2.blur(wall.astype(np.float32), (61, 61))
    level = cv2.blur(yellowness * wall, (61, 61)) / np.maximum(around, 1e-3)
    level = np.where(level > 60, level, np.median(yellowness[wall])).astype(np.float32)
    alpha = _person_only(1 - _ramp(yellowness, np.float32(0.45) * level, np.float32(0.92) * level))
    person = frame.copy()
    cast = np.maximum(yellowness - 45, 0) * (alpha < 0.999)
    person[..., 1] -= 0.6 * cast
    person[..., 2] -= 0.4 * cast
    return np.clip(person, 0, 255), alpha


def _ramp(values: Alpha, low: Alpha | float, high: Alpha | float) -> Alpha:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)


def _person_only(alpha: Alpha) -> Alpha:
    """The largest blob alone, without holes: what shines through inside a person is the wall's reflection."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))
    if count < 2:
        return np.zeros_like(alpha)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < 60:
        return np.zeros_like(alpha)
    near = cv2.dilate((labels == largest).astype(np.uint8), np.ones((5, 5), np.uint8))
    filled = np.where(_holes(alpha * near > 0.5), 1.0, alpha * near)
    square = np.ones((9, 9), np.uint8)
    solid = cv2.morphologyEx((filled > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, square)
    inner = cv2.erode(solid, square, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.maximum(filled, inner), dtype=np.float32)


def _holes(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is not solid and cannot be reached from above or the sides."""
    empty = np.pad((~solid).astype(np.uint8), ((1, 0), (1, 1)), constant_values=1)
    cv2.floodFill(empty, None, (0, 0), 2)
    return np.asarray(empty[1:, 1:-1] == 1)


def _placed(person: Colours, alpha: Alpha) -> tuple[Colours, Alpha]:
    """A wide picture fills the frame's width; any other stands at the bottom, 92 % of the frame high."""
    width, height = SIZE
    rows, columns = alpha.shape
    is_wide = columns > 1.5 * rows
    scale = width / columns if is_wide else 0.92 * height / rows
    size = (round(columns * scale), round(rows * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    person, alpha = cv2.resize(person, size, interpolation=how), cv2.resize(alpha, size, interpolation=how)
    alpha = np.clip(alpha, 0, 1)
    if is_wide:
        return person[:height], alpha[:height]
    left, top = int(0.52 * width - size[0] / 2), height - size[1]
    around = ((top, 0), (left, width - left - size[0]))
    return np.pad(person, (*around, (0, 0))), np.pad(alpha, around)


def _seen_by_webcam(picture: Colours, rng: np.random.Generator) -> Bgr:
    rows, columns = picture.shape[:2]
    noise = rng.normal(0, _NOISE, (rows, columns, 1)) + rng.normal(0, _CHROMA_NOISE, (rows, columns, 3))
    grainy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))

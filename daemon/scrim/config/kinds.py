"""Kinds of values: what may stand behind a key, each with its own check."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from scrim.color import color_hex
from scrim.image_url import MAX_DATA_URL_CHARACTERS, fault_of
from scrim.strength import STRENGTHS
from scrim.wording import GROUP_NAME

EffectName = Literal["off", "blur", "image", "color"]
StrengthName = Literal["low", "medium", "high"]
Fit = Literal["cover", "contain", "stretch"]
ModelForm = Literal["auto", "int8", "float16"]

MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"

_SOURCE = r"(?:auto|demo|test):?|picamera:\d{1,2}|v4l2:/dev/.+|file:.+"
_SINK = r"v4l2loopback:/dev/[^?]+(?:\?format=(?:I420|YUYV|NV12))?|(?:file|images):.+|(?:uvc_gadget|memory):?"

_DELEGATE = r"edgetpu|/.+\.so[.0-9]*"


def _strength(value: object) -> object:
    """A strength by name, any case, or a number in (0, 100]."""
    if isinstance(value, str) and value.lower() in STRENGTHS:
        return value.lower()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("strength", "is neither a name nor a number")
    if not 0 < value <= 100:
        raise PydanticCustomError("strength", "is out of range")
    return float(value)


def _color(value: str) -> str:
    """A colour as ``#rrggbb``."""
    found = color_hex(value)
    if found is None:
        raise PydanticCustomError("color", "is not an opaque colour")
    return found


def _source(value: str) -> str:
    if not re.fullmatch(_SOURCE, value):
        raise PydanticCustomError("source", "is not a source")
    return value


def _sink(value: str) -> str:
    if not re.fullmatch(_SINK, value):
        raise PydanticCustomError("sink", "is not a sink")
    return value


def _delegate(value: str) -> str:
    if not re.fullmatch(_DELEGATE, value):
        raise PydanticCustomError("delegate", "is not a delegate")
    return value


def _size_px(value: int) -> int:
    if value % 2:
        raise PydanticCustomError("size", "is odd, and chroma is shared by pairs of pixels")
    return value


def _image_url(value: str) -> str:
    fault = fault_of(value)
    if fault is not None:
        raise PydanticCustomError("image_url", fault)
    return value


def _picture_size(value: str) -> str:
    width, height = map(int, value.split("x"))
    if width % 2 or height % 2 or not (64 <= width <= 4096 and 64 <= height <= 4096):
        raise PydanticCustomError("picture_size", "is not an even size of 64 to 4096 pixels")
    return value


def each_once(values: tuple[object, ...]) -> tuple[object, ...]:
    """Refuses a list in which something stands twice."""
    if len(set(values)) != len(values):
        raise PydanticCustomError("repeated", "has something twice")
    return values


def none_if_empty(value: object) -> object:
    """TOML has no null: an empty text stands for it."""
    return None if value == "" else value


ControlName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
ControlValue = bool | int | float | Annotated[str, Field(max_length=64)]
Strength = Annotated[float | StrengthName, BeforeValidator(_strength)]
Color = Annotated[str, AfterValidator(_color)]
EvenPixels = Annotated[int, AfterValidator(_size_px)]
ImageURL = Annotated[str, Field(max_length=MAX_DATA_URL_CHARACTERS), AfterValidator(_image_url)]
DeviceId = Annotated[str, Field(pattern=r"^[a-z0-9-]{8,16}$")]
GroupName = Annotated[str, Field(pattern=GROUP_NAME)]
TopicLevel = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
TopicPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,3}$")]
PlainText = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Delegate = Annotated[str, Field(max_length=4096), AfterValidator(_delegate)]
Pin = Annotated[Annotated[int, Field(ge=0, le=27)] | None, BeforeValidator(none_if_empty)]
PictureSize = Annotated[str, Field(pattern=r"^\d{2,4}x\d{2,4}$"), AfterValidator(_picture_size)]
UsbId = Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
HostName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")]
SourceURL = Annotated[str, AfterValidator(_source)]
SinkURL = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_sink)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Region = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], Field(strict=False)]

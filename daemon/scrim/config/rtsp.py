"""The section of the RTSP stream."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from scrim.config.kinds import none_if_empty
from scrim.config.sections import Section, setting

EncoderName = Literal["auto", "v4l2h264enc", "openh264enc", "x264enc"]

_STEP = r"/[A-Za-z0-9._~-]{1,64}"
_USER = r"^[A-Za-z0-9._@-]{1,64}$"


def _publish_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_whole = parts.hostname is not None and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.scheme not in {"rtsp", "rtsps"} or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise PydanticCustomError("publish_url", "is no rtsp: or rtsps: URL")
    if parts.username is not None or parts.password is not None:
        raise PydanticCustomError(
            "publish_url", "has a user in it, who belongs into publish_username and publish_password_file"
        )
    return value


PublishURL = Annotated[str, Field(max_length=1024), AfterValidator(_publish_url)]
_Path = Annotated[str | None, BeforeValidator(none_if_empty)]


class RtspSettings(Section):
    """The picture as an H.264 stream, for players, recorders and home automation: docs/rtsp.md."""

    is_enabled: bool = setting(False, "serve it at rtsp://host:port/path", "true or false")
    host: str = setting(
        "127.0.0.1", "address to listen on", "a loopback address; any other needs a password", max_length=253
    )
    port: int = setting(8554, "TCP port; 0 takes a free one", "0 to 65535", ge=0, le=65535)
    path: str = setting(
        "/scrim",
        "where the stream is",
        "1 to 4 times a slash and 1 to 64 of letters, digits and . _ ~ -",
        pattern=rf"^(?:{_STEP}){{1,4}}$",
    )
    username: str = setting(
        "scrim", "whose the password is", "1 to 64 of letters, digits and . _ @ -", pattern=_USER
    )
    password_file: _Path = setting(
        None,
        "file with the password that clients must know (digest authentication). Empty for none, or for the "
        "one that systemd's credential rtsp-password holds",
        "path of a file that only its owner can read",
        max_length=4096,
    )
    bit_rate_kbps: int = setting(3000, "kilobits per second of the stream", "100 to 25000", ge=100, le=25000)
    key_frame_interval_s: float = setting(
        2.0,
        "seconds from one whole picture to the next; a client that comes gets one at once",
        "0.5 to 10",
        ge=0.5,
        le=10,
    )
    encoder: EncoderName = setting(
        "auto",
        "auto takes the board's own encoder, else openh264enc, else x264enc, which is under the GPL",
        "auto, v4l2h264enc, openh264enc or x264enc",
    )
    publish_url: Annotated[PublishURL | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "push the stream to this server, whether or not it is served; the server must take RECORD",
        "rtsp://host:port/path or rtsps://host:port/path; or empty",
    )
    publish_username: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None, "user at that server; empty for none", "1 to 64 of letters, digits and . _ @ -", pattern=_USER
    )
    publish_password_file: _Path = setting(
        None,
        "file with that user's password. Empty for none, or for the one that systemd's credential "
        "rtsp-publish-password holds",
        "path of a file that only its owner can read",
        max_length=4096,
    )
    publish_ca_file: _Path = setting(
        None,
        "for rtsps:, trust the authorities in this file instead of the system's",
        "path of a PEM file; or empty",
        max_length=4096,
    )

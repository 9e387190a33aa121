"""What the child is told: everything it needs of the settings, checked, and the passwords."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from scrim.errors import ConfigError, Problem

if TYPE_CHECKING:
    from scrim.config import RtspSettings, Settings

CREDENTIAL = "rtsp-password"
PUBLISH_CREDENTIAL = "rtsp-publish-password"
LEAST_CHARACTERS = 12
"""Of the clients' password: who listens in on them may try as many as he likes, at home."""


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """A server that the stream is pushed to.

    Attributes:
        url: ``rtsp:`` or ``rtsps:``, without a user.
        username: empty for none.
        password: empty for none.
        ca_file: certificates that are trusted instead of the system's; empty for those.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class ServePlan:
    """Where clients may come.

    Attributes:
        host: an address.
        port: 0 takes a free one.
        path: begins with a slash.
        username: whose password it is.
        password: empty for none.
    """

    host: str
    port: int
    path: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        width: pixels of the picture until the feed says otherwise.
        height: the same.
        frame_rate: frames per second that the encoder reckons with.
        bit_rate_kbps: kilobits per second to stay at.
        key_frame_interval_s: seconds from one key frame to the next.
        encoder: an element's name, or ``auto``.
        serve: None for no server.
        publish: None for no pushing.
    """

    width: int
    height: int
    frame_rate: float
    bit_rate_kbps: int
    key_frame_interval_s: float
    encoder: str
    serve: ServePlan | None = None
    publish: PublishPlan | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the line."""
        return asdict(self)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """From what came over the line."""
        serve, publish = fields.pop("serve"), fields.pop("publish")
        return cls(
            **fields,
            serve=ServePlan(**serve) if serve else None,
            publish=PublishPlan(**publish) if publish else None,
        )


def plan_of(settings: "Settings") -> Plan:
    """What the settings ask for.

    Raises:
        ConfigError: other machines could come and there is no password, or a password cannot be read.
    """
    rtsp, camera = settings.rtsp, settings.camera
    return Plan(
        width=camera.width,
        height=camera.height,
        frame_rate=camera.frame_rate,
        bit_rate_kbps=rtsp.bit_rate_kbps,
        key_frame_interval_s=rtsp.key_frame_interval_s,
        encoder=rtsp.encoder,
        serve=_serve_plan(rtsp) if rtsp.is_enabled else None,
        publish=_publish_plan(rtsp, rtsp.publish_url) if rtsp.publish_url else None,
    )


def _serve_plan(rtsp: "RtspSettings") -> ServePlan:
    from scrim.gateway.listening import check_address

    key = "rtsp.password_file"
    password = _password(rtsp.password_file, CREDENTIAL, key)
    if password and len(password) < LEAST_CHARACTERS:
        mend = f"at least {LEAST_CHARACTERS} characters; openssl rand -base64 24 makes one"
        raise ConfigError([Problem(key, "(not shown)", "is too short a password", mend)])
    address = check_address("rtsp", rtsp.host, rtsp.port, has_password=bool(password), password_key=key)
    return ServePlan(address, rtsp.port, rtsp.path, rtsp.username, password)


def _publish_plan(rtsp: "RtspSettings", url: str) -> PublishPlan:
    password = _password(rtsp.publish_password_file, PUBLISH_CREDENTIAL, "rtsp.publish_password_file")
    return PublishPlan(url, rtsp.publish_username or "", password, rtsp.publish_ca_file or "")


def _password(path: str | None, credential: str, key: str) -> str:
    from scrim.password import find_password

    return find_password(Path(path) if path else None, credential, key) or ""

"""The sections of the settings document: each key with its default, its meaning and what is allowed."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from scrim.config.kinds import (
    MODEL_NAME,
    Color,
    ControlName,
    ControlValue,
    Delegate,
    DeviceId,
    EvenPixels,
    Fit,
    GroupName,
    HostName,
    ImageURL,
    ModelForm,
    Pin,
    PlainText,
    Region,
    SourceURL,
    Strength,
    TopicLevel,
    TopicPath,
    none_if_empty,
)
from scrim.wording import MOST_GROUPS

_PIN = "BCM number of a pin, 0 to 27; empty for none"


def setting(default: Any, description: str, allowed: str, **limits: Any) -> Any:  # noqa: ANN401
    """A settings key: its default, what it does, and what a person may write."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **limits)


class Section(BaseModel):
    """A part of the document: frozen, with no key that is not known and no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_Path = Annotated[str | None, BeforeValidator(none_if_empty)]


class CameraSettings(Section):
    """Where the picture comes from."""

    is_enabled: bool = setting(
        True, "false closes the camera, and the placeholder is shown, until it is true again", "true or false"
    )
    source: SourceURL = setting(
        "auto",
        "auto takes the first camera; where there is none the service waits for one, and scrim run plays "
        "the demo",
        "auto, picamera:0, v4l2:/dev/video0, file:/path/clip.mp4, demo: or test:",
        min_length=1,
        max_length=4096,
    )
    width: EvenPixels = setting(
        1280, "pixels; the picture going out has this size", "even, 64 to 4096", ge=64, le=4096
    )
    height: EvenPixels = setting(720, "pixels", "even, 64 to 4096", ge=64, le=4096)
    frame_rate: float = setting(30.0, "frames per second asked of the camera", "1 to 120", ge=1, le=120)
    mirror: bool = setting(False, "swap left and right", "true or false")
    rotate: Literal[0, 90, 180, 270] = setting(0, "degrees clockwise, before mirroring", "0, 90, 180 or 270")
    on_demand: bool = setting(
        False,
        "open the camera only while somebody watches: a program that reads a sink, the page, a USB host. A "
        "sink that writes files counts as somebody",
        "true or false",
    )
    controls: dict[ControlName, ControlValue] = setting(
        {},
        "what to turn on the camera, by the names that scrim doctor lists; the rest stays as it is",
        'such as { power_line_frequency = "50 Hz", focus_absolute = 30 }',
        max_length=64,
    )


class ModelSettings(Section):
    """Which model finds the person."""

    name: str = setting(
        "person-256x144",
        "a model in the models folder; larger finds finer edges and costs more",
        "person-192x112, person-256x144, person-320x176, person-384x208 or one of your own",
        pattern=MODEL_NAME,
    )
    form: ModelForm = setting(
        "auto", "auto times the model's forms once and takes the fastest here", "auto, int8 or float16"
    )
    delegate: Annotated[Delegate | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "what does the inference instead of the processor; empty for none. While it fails the processor does",
        "edgetpu, or the path of a TensorFlow Lite delegate's library",
    )
    threads: int = setting(
        0, "inference threads; 0 is one fewer than the processor has cores", "0 to 8", ge=0, le=8
    )


class BlurSettings(Section):
    """Blur the room. The person is left out of the blur, so nobody glows."""

    is_enabled: bool = setting(True, "whether the background is blurred", "true or false")
    strength: Strength = setting("medium", "how much", "low, medium, high, or a number above 0 and up to 100")


class ReplacementSettings(Section):
    """Replace the room by an image or a colour: concealment, where blur is obfuscation."""

    is_enabled: bool = setting(False, "whether the background is replaced", "true or false")
    background_image_url: Annotated[ImageURL | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "an image; empty for a colour",
        "https:, data:, library: and the id of one that was uploaded, or file: below "
        "/var/lib/scrim/backgrounds or /usr/share/scrim/backgrounds",
    )
    default_color: Annotated[Color | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "a colour; without colour and image the background is black",
        "#RRGGBB, #RGB or a CSS colour name",
    )
    fit: Fit = setting(
        "cover", "how an image of another shape fills the picture", "cover, contain or stretch"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.background_image_url is not None and self.default_color is not None:
            raise PydanticCustomError("contradiction", "image and color")
        return self


class MatteSettings(Section):
    """How the model's coarse mask becomes the edge of the person."""

    refine: bool = setting(
        True, "let the edge follow the picture; false is cheaper and coarser", "true or false"
    )
    smooth: bool = setting(True, "calm the edge over time where nothing moves", "true or false")
    second_look: Literal["off", "stills", "always"] = setting(
        "stills",
        "look more than once, for a better edge: six times at stills, which are the images of scrim process, "
        "and with always twice at every frame, which doubles the time of the model",
        "off, stills or always",
    )


class PersonSettings(Section):
    """Who is shown, and what when nobody is."""

    persons: Literal["all", "largest"] = setting(
        "all", "who is shown; largest hides everybody but one", "all or largest"
    )
    nobody: Literal["blur", "placeholder"] = setting(
        "blur",
        "what is shown when nobody is there; blur means the effect in use, over the whole picture",
        "blur or placeholder",
    )
    placeholder_after_s: float = setting(
        10.0, "seconds without a person before that placeholder, 3 at the least", "0 to 3600", ge=0, le=3600
    )


class FramingSettings(Section):
    """Let the picture follow the person."""

    is_enabled: bool = setting(False, "whether it does", "true or false")
    max_zoom: float = setting(1.5, "how near it may come", "1 to 3", ge=1, le=3)


class KeepSettings(Section):
    """Parts of the room that are always shown, such as a chair or a microphone. Only this file can say so."""

    regions: tuple[Region, ...] = setting(
        (),
        "rectangles, in fractions of the picture",
        "a list of at most 16 [left, top, width, height], each from 0 to 1",
        max_length=16,
        strict=False,
    )
    image_path: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "a grey PNG; where it is white the room is shown. Empty for none",
        "path of a PNG of at most 4096 x 4096 pixels and 8 MiB",
        max_length=4096,
    )


class PrivacySettings(Section):
    """What may be seen."""

    allow_raw: bool = setting(
        False,
        "let the picture pass unchanged when no effect is on; only this file can say so. "
        "false shows the placeholder instead",
        "true or false",
    )


class PanelSettings(Section):
    """A button and lights at the board's GPIO pins; the button connects its pin to ground."""

    button_pin: Pin = setting(None, "closes the camera; nobody on the network can open it again", _PIN)
    button_kind: Literal["momentary", "latching"] = setting(
        "momentary",
        "momentary: a press closes, the next one opens; latching: closed for as long as it is held down",
        "momentary or latching",
    )
    off_led_pin: Pin = setting(None, "lit while nothing of the camera is seen", _PIN)
    protected_led_pin: Pin = setting(None, "lit while the filtered picture goes out", _PIN)
    raw_led_pin: Pin = setting(None, "lit while the raw picture goes out", _PIN)


class BudgetSettings(Section):
    """How quality gives way when time is short."""

    is_adaptive: bool = setting(
        True,
        "lower the quality rather than fall behind, and raise it again when there is room",
        "true or false",
    )
    small_model: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "a cheaper model that may stand in; it is kept in memory beside the first. Empty for none",
        "a model's name, such as person-192x112",
        pattern=MODEL_NAME,
    )
    overlap: Literal["auto", "on", "off"] = setting(
        "auto",
        "find the person in one frame while the one before is composited, on two cores: more frames a "
        "second. auto does so while frames take long",
        "auto, on or off",
    )
    reuse_masks: bool = setting(
        False,
        "when time is short, use a mask for the frames after its own too. A LEAK: where the person moves "
        "away, the room is seen until the next mask",
        "true or false",
    )


class ImagesSettings(Section):
    """From where background images may be fetched."""

    allow_http: bool = setting(
        False, "fetch http: images too, which anybody on the way can read and exchange", "true or false"
    )
    allow_hosts: tuple[HostName, ...] = setting(
        (),
        "hosts that may have an address in the local network, of images and of models; all others must be "
        "on the internet",
        'a list of names or addresses, such as ["nas.lan", "192.168.1.5"]; or []',
        max_length=64,
        strict=False,
    )


class WebSettings(Section):
    """The page for people."""

    is_enabled: bool = setting(True, "serve the page", "true or false")
    host: str = setting(
        "127.0.0.1",
        "address to listen on; 0.0.0.0 and :: are all there are",
        "a loopback address; any other needs a password",
        max_length=253,
    )
    port: int = setting(8080, "TCP port; 0 takes a free one", "0 to 65535", ge=0, le=65535)
    password_file: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "file with the password that the page asks for, 8 characters or more. Empty for none, or for the one "
        "that systemd's credential web-password holds",
        "path of a file that only its owner can read",
        max_length=4096,
    )
    hosts: tuple[HostName, ...] = setting(
        (),
        "names by which the page may be called, beside this machine's own names and addresses; needs a "
        "password",
        'a list of names, such as ["camera.example.org"]; or []',
        max_length=16,
        strict=False,
    )
    certificate: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "speak TLS with this certificate. Empty for plain HTTP, where a password can be read on the way",
        "path of a PEM file with the chain",
        max_length=4096,
    )
    key: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None, "its private key", "path of a PEM file that not everybody can read", max_length=4096
    )


class DeviceSettings(Section):
    """Which device this is, for everybody who looks at more than one."""

    id: Annotated[DeviceId | None, BeforeValidator(none_if_empty)] = setting(
        None,
        "its name on the wire, the same for ever. Empty makes one of /etc/machine-id",
        "8 to 16 of a-z, 0-9 and -",
    )
    name: PlainText = setting(
        "",
        'its name for people. Empty is "Scrim" and its id',
        "at most 64 characters, none of them a control",
    )
    groups: tuple[GroupName, ...] = setting(
        (),
        "groups that settings and commands may be sent to; where two contradict, the later one wins",
        'a list of at most 8 names of a-z, 0-9, _ and -, such as ["office", "floor-2"]; or []',
        max_length=MOST_GROUPS,
        strict=False,
    )
    suggested_area: PlainText = setting(
        "",
        "the room it stands in, suggested to Home Assistant",
        "at most 64 characters, none of them a control",
    )


class MqttSettings(Section):
    """Talk to an MQTT broker, and through it to Home Assistant: docs/mqtt.md. Only this file can say so."""

    is_enabled: bool = setting(False, "connect to the broker", "true or false")
    host: HostName = setting("localhost", "the broker", "a host name or an address")
    port: int = setting(0, "TCP port; 0 is 8883 with tls and 1883 without", "0 to 65535", ge=0, le=65535)
    tls: bool = setting(False, "speak TLS", "true or false")
    ca_file: _Path = setting(
        None,
        "trust the authorities in this file instead of the system's",
        "path of a PEM file; or empty",
        max_length=4096,
    )
    cert_file: _Path = setting(
        None,
        "our certificate, where the broker asks for one",
        "path of a PEM file; or empty",
        max_length=4096,
    )
    key_file: _Path = setting(
        None,
        "its private key; empty where it is in cert_file",
        "path of a PEM file; or empty",
        max_length=4096,
    )
    tls_insecure: bool = setting(
        False,
        "do not look whose certificate the broker shows. Anybody on the way can then read and command",
        "true or false",
    )
    username: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None, "user name at the broker; empty for none", "at most 256 characters", max_length=256
    )
    password_file: _Path = setting(
        None,
        "a file that only scrim's user may read, with the password. Without one, the systemd credential "
        "mqtt-password and then the environment's SCRIM_MQTT_PASSWORD are taken",
        "path of a file; or empty",
        max_length=4096,
    )
    version: Literal["auto", "5", "3.1.1"] = setting(
        "auto", "of the protocol; auto is 5, and 3.1.1 where the broker does not know it", "auto, 5 or 3.1.1"
    )
    longest_pause_s: float = setting(
        7.0,
        "while the broker is away, seconds between two tries at the most, give or take 30 percent. Take 60 "
        "for a thousand devices and more",
        "1 to 60",
        ge=1,
        le=60,
    )
    prefix: TopicLevel = setting("scrim", "first level of every topic", "1 to 32 of letters, digits, _ and -")
    discovery: Literal["device", "single", "off"] = setting(
        "device",
        "announce to Home Assistant: device takes 2024.12 or later, single announces each entity by itself",
        "device, single or off",
    )
    discovery_prefix: TopicPath = setting(
        "homeassistant", "where Home Assistant listens", "1 to 4 levels of letters, digits, _ and -"
    )
    telemetry_interval_s: float = setting(
        10.0, "seconds between two messages of figures. Take 60 for a fleet", "2 to 3600", ge=2, le=3600
    )
    snapshots: Literal["off", "on_request", "retained"] = setting(
        "off",
        "small stills of what goes out, on request; retained lets the broker keep the last for 10 minutes",
        "off, on_request or retained",
    )
    log: bool = setting(False, "send the gateway's warnings too, at most 10 a minute", "true or false")


class PrometheusSettings(Section):
    """Figures for Prometheus, at /metrics."""

    is_enabled: bool = setting(False, "serve them", "true or false")
    host: str = setting(
        "127.0.0.1", "address to listen on", "a loopback address; any other needs a password", max_length=253
    )
    port: int = setting(9464, "TCP port; 0 takes a free one", "0 to 65535", ge=0, le=65535)
    password_file: Annotated[str | None, BeforeValidator(none_if_empty)] = setting(
        None,
        'file with the password of the user "scrim" (basic auth). Empty for none, or for the one that '
        "systemd's credential prometheus-password holds",
        "path of a file that only its owner can read",
        max_length=4096,
    )

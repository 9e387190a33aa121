"""What the device says of itself: the JSON of ``info``, ``config`` and ``state``, as docs/mqtt.md has it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scrim import __version__
from scrim.gateway.identity import Identity
from scrim.gateway.library import Library
from scrim.gateway.mqtt.choices import CUSTOM, Choices
from scrim.gateway.mqtt.view import View
from scrim.image_header import MAX_IMAGE_BYTES
from scrim.image_url import LIBRARY_SCHEME, fault_of, scheme_of, shown
from scrim.strength import strength_name

if TYPE_CHECKING:
    from scrim.config import Settings

SCHEMA = 1
"""Version of every payload; counts up when a field goes or changes its meaning."""

SIZES = ("640x480", "1280x720", "1920x1080")
RATES = ("15", "24", "30")

_CAMERA_KEYS = ("width", "height", "frame_rate", "mirror", "rotate")
_DELEGATES = ("cpu", "edgetpu")
_REPORTED = (
    "background_blur",
    "background_replacement",
    "matte",
    "person",
    "framing",
    "processing_budget_per_frame",
    "filter_cpu_utilization",
    "reporting_period_ms",
)


def encode(payload: Mapping[str, Any]) -> bytes:
    """As it goes over the wire."""
    return json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def iso(seconds: float | None) -> str | None:
    """A moment since 1970 as people and Home Assistant read it."""
    return None if seconds is None else datetime.fromtimestamp(round(seconds), UTC).isoformat()


def info(
    identity: Identity,
    settings: "Settings",
    view: View,
    choices: Choices,
    groups: Sequence[str],
    version: str | None,
) -> dict[str, Any]:
    """Who this device is and what it can do.

    Args:
        identity: who it is.
        settings: as the local file has them.
        view: what is known of it.
        choices: for the library of images.
        groups: that it listens to.
        version: of MQTT.
    """
    status = view.status
    return {
        "v": SCHEMA,
        "id": identity.id,
        "name": identity.name,
        "area": identity.area,
        "model": identity.model,
        "serial": identity.serial,
        "hw": identity.hardware,
        "os": identity.system,
        "sw": __version__,
        "started": iso(view.started_s),
        "groups": list(groups),
        "camera": {
            "source": status["camera"]["source"] if status else None,
            "caps": status["camera"]["caps"] if status else None,
        },
        "sinks": [sink["name"] for sink in status["sinks"]] if status else [],
        "models": list(view.models),
        "accelerator": accelerator(view),
        "backgrounds": choices.library.names(),
        "limits": {"max_image_bytes": MAX_IMAGE_BYTES, "commands_per_second": 5, "max_message_bytes": 262144},
        "mqtt": {"version": version, "prefix": settings.mqtt.prefix, "discovery": settings.mqtt.discovery},
    }


def config(view: View, choices: Choices, groups: Sequence[str], interval_s: float) -> dict[str, Any]:
    """The settings in effect, as far as they concern anybody else: no path, no device, no secret."""
    settings = view.settings
    camera = settings.get("camera", {})
    document = {key: settings[key] for key in _REPORTED if key in settings}
    if replacement := document.get("background_replacement"):
        url = replacement.get("background_image_url")
        whole = choices.image if url == choices.told(choices.image) else url
        told = told_image(whole, choices.library)
        document["background_replacement"] = {**replacement, "background_image_url": told}
    return {
        "v": SCHEMA,
        "rev": view.revision,
        "source": view.source,
        "ts": round(view.changed_s, 3),
        "output": camera.get("is_enabled", True),
        "camera": {
            key: camera[key] for key in ("width", "height", "frame_rate", "mirror", "rotate") if key in camera
        },
        "model": {"name": settings.get("model", {}).get("name")},
        "adaptive": settings.get("budget", {}).get("is_adaptive"),
        **document,
        "telemetry_interval_s": interval_s,
        "groups": list(groups),
        "restart_needed": list(view.restart_needed),
    }


def told_image(url: str | None, library: Library) -> str | dict[str, Any] | None:
    """A background image as it may be told: without path, password, query, and without the picture itself."""
    if url is None:
        return None
    if scheme_of(url) == "data":
        data = url.encode()
        is_whole = fault_of(url) is None  # the core tells of a picture without it
        size = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} if is_whole else {}
        return {"data_url": True, **size}
    if scheme_of(url) in ("file", LIBRARY_SCHEME):
        return {"library": library.name_of(url) or CUSTOM}
    return shown(url)


def state(view: View, choices: Choices, interval_s: float) -> dict[str, Any]:
    """What Home Assistant shows: flat, each value as it would set it."""
    settings = view.settings
    camera = settings.get("camera", {})
    return {
        "output": on_off(camera.get("is_enabled", True)),
        "effect": _effect(settings),
        "blur_strength": strength_name(settings.get("background_blur", {}).get("strength", "medium")),
        "background": choices.background,
        "background_color": choices.color,
        "background_image": choices.shown_image,
        "processing_budget": plain(settings.get("processing_budget_per_frame", 50)),
        "cpu_limit": plain(settings.get("filter_cpu_utilization", 30)),
        "reporting_period": plain(settings.get("reporting_period_ms", 1000)),
        "resolution": f"{camera.get('width', 1280)}x{camera.get('height', 720)}",
        "frame_rate": f"{camera.get('frame_rate', 30):g}",
        "model": settings.get("model", {}).get("name", ""),
        "adaptive": on_off(settings.get("budget", {}).get("is_adaptive", True)),
        "telemetry_interval": plain(interval_s),
        "in_use": on_off(view.is_in_use),
        "person": on_off(view.is_somebody_there),
        "problem": on_off(view.last_error != "ok" or view.pipeline in ("no_camera", "error")),
        "throttled": on_off(view.metrics.get("is_throttled")),
        "undervoltage": on_off(view.metrics.get("is_under_voltage")),
        "last_error": view.last_error,
        "pipeline": view.pipeline,
        "accelerator": accelerator(view),
        "started": iso(view.started_s),
        "rev": view.revision,
    }


def accelerator(view: View) -> str:
    """What does the inference, in one of three words."""
    delegate = view.metrics.get("delegate") or "cpu"
    return delegate if delegate in _DELEGATES else "other"


def sizes(view: View) -> list[str]:
    """Picture sizes to choose from: the usual ones and the one in use."""
    camera = view.settings.get("camera", {})
    used = f"{camera.get('width', 1280)}x{camera.get('height', 720)}"
    return sorted({*SIZES, used}, key=lambda size: [int(number) for number in size.split("x")])


def rates(view: View) -> list[str]:
    """Frame rates to choose from: the usual ones and the one in use."""
    used = f"{view.settings.get('camera', {}).get('frame_rate', 30):g}"
    return sorted({*RATES, used}, key=float)


def on_off(value: object) -> str:
    """As Home Assistant's switches have it."""
    return "ON" if value else "OFF"


def plain(number: float) -> float | int:
    """Whole numbers without a point."""
    return int(number) if number == int(number) else number


def _effect(settings: Mapping[str, Any]) -> str:
    replacement = settings.get("background_replacement", {})
    if settings.get("background_blur", {}).get("is_enabled"):
        return "blur"
    if not replacement.get("is_enabled"):
        return "off"
    return "image" if replacement.get("background_image_url") else "color"

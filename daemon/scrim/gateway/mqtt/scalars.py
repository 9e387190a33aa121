"""One value as text, as Home Assistant's entities send it, to a patch."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from scrim.errors import ConfigError, Problem
from scrim.wording import show

MAX_SCALAR_BYTES = 8192

Patch = dict[str, Any]

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?")
_SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")
_SWITCH = {"ON": True, "OFF": False}


def patch_of(key: str, payload: bytes) -> Patch:
    """What ``set/<key>`` asks for, as a patch for :class:`scrim.gateway.mqtt.changes.Changes`.

    Raises:
        ConfigError: no such key, or the text is none of its values' spelling.
    """
    make = _KEYS.get(key)
    if make is None:
        raise _refused(key, "is not a known key", ", ".join(_KEYS), key)
    if len(payload) > MAX_SCALAR_BYTES:
        raise _refused(key, "is too long", f"at most {MAX_SCALAR_BYTES} bytes; send JSON to set", "")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError:
        raise _refused(key, "is no UTF-8", "text", "") from None
    return make(key, text)


def _output(key: str, text: str) -> Patch:
    return {"output": _switch(key, text)}


def _adaptive(key: str, text: str) -> Patch:
    return {"adaptive": _switch(key, text)}


def _effect(_: str, text: str) -> Patch:
    return {"effect": text}


def _strength(_: str, text: str) -> Patch:
    return {"strength": float(text) if _NUMBER.fullmatch(text) else text}


def _resolution(key: str, text: str) -> Patch:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise _refused(key, "is no size", "such as 1280x720", text)
    return {"camera": {"width": int(found[1]), "height": int(found[2])}}


def _frame_rate(key: str, text: str) -> Patch:
    return {"camera": {"frame_rate": _number(key, text)}}


def _model(_: str, text: str) -> Patch:
    return {"model": {"name": text}}


def _named(key: str, text: str) -> Patch:
    return {key: text}


def _numbered(name: str) -> Callable[[str, str], Patch]:
    return lambda key, text: {name: _number(key, text)}


_KEYS: Mapping[str, Callable[[str, str], Patch]] = {
    "output": _output,
    "effect": _effect,
    "blur_strength": _strength,
    "background": _named,
    "background_color": _named,
    "background_image": _named,
    "processing_budget": _numbered("processing_budget_per_frame"),
    "cpu_limit": _numbered("filter_cpu_utilization"),
    "reporting_period": _numbered("reporting_period_ms"),
    "telemetry_interval": _numbered("telemetry_interval_s"),
    "resolution": _resolution,
    "frame_rate": _frame_rate,
    "model": _model,
    "adaptive": _adaptive,
}

KEYS = tuple(_KEYS)
"""What may stand behind ``set/``."""


def _switch(key: str, text: str) -> bool:
    value = _SWITCH.get(text.upper())
    if value is None:
        raise _refused(key, "is neither", "ON or OFF", text)
    return value


def _number(key: str, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _refused(key, "is no number", "such as 50 or 12.5", text)
    return float(text)


def _refused(key: str, message: str, allowed: str, text: str) -> ConfigError:
    return ConfigError([Problem(key[:40], show(text), message, allowed)], "request")

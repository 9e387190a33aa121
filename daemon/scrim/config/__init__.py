"""The settings document: read whole, checked whole, never changed in place.

``Settings`` is the schema, the defaults and, through its descriptions, the source of config/scrim.toml. A
change is a patch: ``patched`` applies it to a copy and checks the copy whole.

What needs the library that checks is imported when it is first asked for by name: where settings are only
read (:mod:`.plain`), that library is never loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scrim.config.reading import LIVE_KEYS, live_part, restart_needed
from scrim.strength import STRENGTHS, blur_sigma_px, strength_name, strength_number

if TYPE_CHECKING:
    from scrim.config.document import Settings, from_document
    from scrim.config.file import MAX_SETTINGS_BYTES, load
    from scrim.config.gadget import GadgetSettings
    from scrim.config.kinds import ControlValue, EffectName
    from scrim.config.rtsp import RtspSettings
    from scrim.config.sections import (
        CameraSettings,
        DeviceSettings,
        ImagesSettings,
        ModelSettings,
        MqttSettings,
        PanelSettings,
        PrometheusSettings,
        WebSettings,
    )

__all__ = [
    "LIVE_KEYS",
    "MAX_SETTINGS_BYTES",
    "STRENGTHS",
    "CameraSettings",
    "ControlValue",
    "DeviceSettings",
    "EffectName",
    "GadgetSettings",
    "ImagesSettings",
    "ModelSettings",
    "MqttSettings",
    "PanelSettings",
    "PrometheusSettings",
    "RtspSettings",
    "Settings",
    "WebSettings",
    "blur_sigma_px",
    "from_document",
    "live_part",
    "load",
    "restart_needed",
    "strength_name",
    "strength_number",
]

_ELSEWHERE = {
    "MAX_SETTINGS_BYTES": "file",
    "load": "file",
    "GadgetSettings": "gadget",
    "ControlValue": "kinds",
    "EffectName": "kinds",
    "RtspSettings": "rtsp",
    "Settings": "document",
    "from_document": "document",
}
"""Name to the module that has it; the others are sections."""


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'sections')}"), name)

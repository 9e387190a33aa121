"""The settings document: read whole, checked whole, never changed in place.

``Settings`` is the schema, the defaults and, through its descriptions, the source of config/scrim.toml. A
change is a patch: ``patched`` applies it to a copy and checks the copy whole.
"""

from scrim.config.document import LIVE_KEYS, Settings, from_document, live_part, restart_needed
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
from scrim.strength import STRENGTHS, blur_sigma_px, strength_name, strength_number

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

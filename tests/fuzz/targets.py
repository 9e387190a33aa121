"""Every door, by name."""

import importlib
from typing import cast

from tests.fuzz.target import Target

TARGETS = {
    "settings": "tests.fuzz.settings:SettingsFile",
    "patch": "tests.fuzz.patch:Patch",
    "mqtt": "tests.fuzz.mqtt:Mqtt",
    "image-header": "tests.fuzz.images:ImageHeader",
    "decoder": "tests.fuzz.images:Decoder",
    "mjpg": "tests.fuzz.mjpg:Mjpg",
    "uvc": "tests.fuzz.uvc:Uvc",
    "http": "tests.fuzz.http:Http",
    "local-socket": "tests.fuzz.local_socket:LocalSocket",
    "state": "tests.fuzz.state_file:State",
}


def make(name: str) -> Target:
    """A target; the caller's to close."""
    module, _, attribute = TARGETS[name].partition(":")
    return cast("Target", getattr(importlib.import_module(module), attribute)())

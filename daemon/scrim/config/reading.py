"""What is read out of settings, whichever kind they are; nothing here needs the library that checks them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scrim.image_url import without_secrets

if TYPE_CHECKING:
    from scrim.config.document import Settings
    from scrim.config.gadget import GadgetSettings
    from scrim.config.kinds import EffectName
    from scrim.uvc.offers import Wish

LIVE_KEYS = frozenset(
    {
        "camera.is_enabled",
        "camera.width",
        "camera.height",
        "camera.frame_rate",
        "camera.mirror",
        "camera.rotate",
        "model.name",
        "model.form",
        "budget.is_adaptive",
        "background_blur",
        "background_replacement",
        "matte",
        "person",
        "framing",
        "processing_budget_per_frame",
        "filter_cpu_utilization",
        "reporting_period_ms",
    }
)
"""What a patch may change while scrim runs: whole sections, and single keys of others.

Devices, paths and privacy stay with the local file. A model is one of those that lie on this machine.
"""

FIXED_KEYS = ("width", "height", "frame_rate")
"""Of the camera: the format going out is fixed for the life of the process."""

REPLACEMENT = "background_replacement"


def effect_of(settings: "Settings") -> "EffectName":
    """The effect in one word."""
    if settings.background_blur.is_enabled:
        return "blur"
    if not settings.background_replacement.is_enabled:
        return "off"
    return "color" if settings.background_replacement.background_image_url is None else "image"


def wish_of(gadget: "GadgetSettings") -> "Wish":
    """What is to be offered to USB hosts."""
    from scrim.uvc.offers import Wish

    pairs = (size.partition("x") for size in gadget.sizes)
    sizes = [(int(width), int(height)) for width, _, height in pairs]
    return Wish(gadget.formats, sizes, gadget.frame_rates, gadget.packet_bytes)


def shown_of(settings: "Settings") -> dict[str, Any]:
    """All settings as JSON values, without what stands in an image's URL for a password or as a query."""
    document = settings.model_dump(mode="json")
    url = settings.background_replacement.background_image_url
    if url is not None:
        document[REPLACEMENT]["background_image_url"] = without_secrets(url)
    return document


def restart_needed(running: "Settings", wanted: "Settings") -> tuple[str, ...]:
    """The keys whose values come into effect when the core is started again.

    Args:
        running: what the core was started with.
        wanted: what has been set since.
    """
    before, after = running.camera, wanted.camera
    keys = [key for key in FIXED_KEYS if getattr(before, key) != getattr(after, key)]
    if (before.rotate - after.rotate) % 180:  # another shape is asked of the camera
        keys.append("rotate")
    return tuple(f"camera.{key}" for key in keys)


def live_part(settings: "Settings") -> dict[str, Any]:
    """What of the settings may be changed while scrim runs, as JSON values by section and key."""
    whole: Mapping[str, Any] = settings.model_dump(mode="json")
    part: dict[str, Any] = {}
    for section, value in whole.items():
        if section in LIVE_KEYS:
            part[section] = value
        elif inner := {key: value[key] for key in live_keys_of(section)}:
            part[section] = inner
    return part


def live_keys_of(section: str) -> list[str]:
    """The keys of a section that may be changed while scrim runs, where not all of it may."""
    return sorted(key.partition(".")[2] for key in LIVE_KEYS if key.startswith(f"{section}."))

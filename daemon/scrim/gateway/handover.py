"""From settings that were checked to a gateway without the library that checks them: 11 MB less, for good.

``scrim gateway`` checks the settings, leaves them as JSON in memory without a name and becomes
``python -m scrim.gateway``, which reads them there. The process stays the same one.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from scrim.config.plain import plain

if TYPE_CHECKING:
    from scrim.config import Settings

_SPARING = {
    "MALLOC_ARENA_MAX": "1",  # threads that work one after the other need no heap of their own
    # Pictures lie in memory that goes back at once; by themselves these limits grow with every large piece.
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "SSL_CERT_FILE": os.devnull,  # aiohttp loads all authorities when it is imported; nobody uses these
    "SSL_CERT_DIR": os.devnull,
}
"""In the environment while the gateway's program starts, and not for anything that it does or starts."""


def become_gateway(settings: "Settings", *, is_verbose: bool) -> NoReturn:
    """Let this process be the gateway from here on; nothing that follows is run.

    Args:
        settings: checked.
        is_verbose: whether it logs more.
    """
    from scrim.config.schema import form_schema

    # Without a flag the descriptor outlives the change of program.
    handle = os.memfd_create("scrim-settings", 0)
    document = {
        "settings": settings.model_dump(mode="json"),
        "schema": form_schema(),
        "is_verbose": is_verbose,
        "environment": {name: os.environ.get(name) for name in _SPARING},
    }
    with os.fdopen(os.dup(handle), "w") as file:
        json.dump(document, file)
    warnings = [f"-W{option}" for option in sys.warnoptions]
    command = [sys.executable, *warnings, "-P", "-m", "scrim.gateway", str(handle)]
    os.execve(sys.executable, command, os.environ | _SPARING)  # noqa: S606  (no shell is the point)


@dataclass(frozen=True, slots=True)
class Received:
    """What ``become_gateway`` leaves.

    Attributes:
        settings: with the values that JSON has for them, and without a method.
        schema: of all settings, for a form.
        is_verbose: whether to log more.
    """

    settings: "Settings"
    schema: Mapping[str, Any]
    is_verbose: bool


def received(handle: int) -> Received:
    """What ``become_gateway`` left at a descriptor, which is closed; and the environment as it was."""
    with os.fdopen(handle, "rb") as file:
        file.seek(0)
        document = json.load(file)
    for name, value in document["environment"].items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    return Received(plain(document["settings"]), document["schema"], document["is_verbose"])

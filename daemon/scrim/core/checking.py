"""The core's settings, checked in a child: the core itself never loads the library that checks, 14 MB.

The child works while this process loads what the pictures need. What was changed at run time is checked there
too; a change that comes later is checked in the core, which loads the library then.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from scrim.config.plain import Patched, plain
from scrim.core.state import state_path
from scrim.errors import EXIT_FAILURE, ScrimError
from scrim.local.messages import parse_object
from scrim.statefile import MAX_STATE_BYTES

if TYPE_CHECKING:
    from scrim.config import Settings


def check_aside(settings: "Callable[[], Settings]", assigned: Mapping[str, Any]) -> "Callable[[], Settings]":
    """Begin to check; no other thread may run yet.

    Args:
        settings: reads and checks them; raises ``ScrimError``.
        assigned: the command line's patch, part of them already.

    Returns:
        Waits for the checked settings and returns them, or raises what ``settings`` raised: a ``ScrimError``
        with its text and exit status.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _check(writing, settings, assigned)
    os.close(writing)

    def wait() -> "Settings":
        with os.fdopen(reading, "rb") as answers:
            answer = answers.read()
        os.waitpid(child, 0)
        return _settings_of(answer)

    return wait


def _check(writing: int, settings: "Callable[[], Settings]", assigned: Mapping[str, Any]) -> None:
    """In the child: answer and end, whatever happens."""
    status = EXIT_FAILURE
    try:
        with os.fdopen(writing, "w") as answers:
            json.dump(_answer(settings, assigned), answers)
        status = 0
    finally:
        os._exit(status)


def _answer(settings: "Callable[[], Settings]", assigned: Mapping[str, Any]) -> dict[str, Any]:
    try:
        checked = settings()
        return {"settings": checked.model_dump(mode="json"), "known": _known(checked, assigned)}
    except ScrimError as error:
        return {"error": str(error), "status": error.exit_status}
    except KeyboardInterrupt:
        return {}


def _known(settings: "Settings", assigned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the remembered change makes of the settings, if it can be made; nothing is said of it here."""
    with suppress(OSError, ScrimError, AttributeError):
        with state_path().open("rb") as file:
            patch: Any = parse_object(file.read(MAX_STATE_BYTES + 1), MAX_STATE_BYTES).get("patch")
        changed = settings.patched(patch, live=True)
        after = [_patched(assigned, changed.patched(assigned))] if assigned else []
        return [{**_patched(patch, changed, live=True), "after": after}]
    return []


def _patched(patch: object, result: "Settings", *, live: bool = False) -> dict[str, Any]:
    return {"patch": patch, "live": live, "result": result.model_dump(mode="json")}


def _settings_of(answer: bytes) -> "Settings":
    document = json.loads(answer) if answer else {}
    if "settings" in document:
        return plain(document["settings"], _read_known(document["known"]))
    error = ScrimError(document.get("error", "the settings could not be checked"))
    error.exit_status = document.get("status", EXIT_FAILURE)
    raise error


def _read_known(entries: list[dict[str, Any]]) -> list[Patched]:
    return [
        Patched(one["patch"], one["live"], one["result"], tuple(_read_known(one.get("after", []))))
        for one in entries
    ]

"""What was changed at run time survives a restart: the settings' part of the core's state file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrim.config import live_part
from scrim.errors import StateError
from scrim.places import state_folder
from scrim.statefile import Document, StateFile

if TYPE_CHECKING:
    from scrim.config import Settings


def state_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the state is kept, see :func:`scrim.places.state_folder`."""
    return state_folder(environment) / "state.json"


def settings_document(base: "Settings", wanted: "Settings", revision: int) -> Document:
    """What is to be remembered.

    Args:
        base: as the local file has them.
        wanted: as they are now; only live sections may differ.
        revision: of ``wanted``.
    """
    return {"revision": revision, "patch": _difference(live_part(base), live_part(wanted))}


def remembered_settings(file: StateFile, base: "Settings") -> "tuple[Settings, int] | None":
    """The settings as they were when scrim ended.

    Only what may be changed at run time is taken from the file, so that it can neither name devices nor allow
    raw pictures.

    Args:
        file: where they are remembered.
        base: as the local file has them.

    Returns:
        The settings and their revision; None when nothing usable is remembered.
    """
    document = file.load(lambda found: restored_settings(found, base))
    return restored_settings(document, base) if document is not None else None


def restored_settings(document: Document, base: "Settings") -> "tuple[Settings, int]":
    """What a document of ``settings_document`` says: the settings and their revision.

    Raises:
        StateError: it is no such document.
        ConfigError: its settings do not go with the local file's any more.
    """
    patch, revision = document.get("patch"), document.get("revision")
    if not isinstance(patch, dict):
        raise StateError("patch: is missing or no object; allowed is a settings patch")
    if not isinstance(revision, int) or isinstance(revision, bool) or not 0 < revision < 1 << 53:
        raise StateError("revision: is missing or out of range; allowed is an integer above 0")
    return base.patched(patch, live=True), revision


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    """The patch that makes ``after`` of ``before``; both have the same keys."""
    patch: Document = {}
    for key, value in after.items():
        if isinstance(value, Mapping) and isinstance(before[key], Mapping):
            inner = _difference(before[key], value)
            if inner:
                patch[key] = inner
        elif value != before[key]:
            patch[key] = value
    return patch

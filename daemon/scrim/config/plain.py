"""Checked settings as values alone, for processes that read them and seldom or never check a change."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from scrim.config.reading import effect_of, shown_of
from scrim.patch import merge

if TYPE_CHECKING:
    from scrim.config.document import Settings
    from scrim.config.kinds import EffectName

_SWITCHES = tuple({"camera": {"is_enabled": is_enabled}} for is_enabled in (True, False))
"""What opens and closes the camera; no other key depends on it."""


@dataclass(frozen=True)
class Patched:
    """What a patch was found to make of settings when it was checked elsewhere.

    Attributes:
        patch: as it is given to ``patched``.
        live: the same.
        result: all settings afterwards, as JSON values.
        after: what further patches were found to make of that.
    """

    patch: Mapping[str, Any]
    live: bool
    result: Mapping[str, Any]
    after: "tuple[Patched, ...]" = ()


class PlainSection(SimpleNamespace):
    """A section's values; two are equal when all values are."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The values as JSON has them, whatever ``mode`` says; not shared with this section."""
        del mode
        return {key: _dumped(value) for key, value in vars(self).items()}

    def model_copy(self, *, update: Mapping[str, Any]) -> "PlainSection":
        """Another with some values replaced, which are taken as they are."""
        return type(self)(**{**vars(self), **update})


class PlainSettings(PlainSection):
    """All settings, with what the core asks of :class:`scrim.config.Settings`; see there.

    The library that checks is loaded by ``patched``, unless that patch was checked before or does nothing but
    open or close the camera: that cannot be wrong, and closing must not wait for a library.
    """

    __slots__ = ("_known",)

    def __init__(self, known: Iterable[Patched] = (), /, **values: Any) -> None:  # noqa: ANN401
        super().__init__(**values)
        self._known = tuple(known)

    @property
    def effect(self) -> "EffectName":
        """The effect in one word."""
        return effect_of(cast("Settings", self))

    def without_secrets(self) -> dict[str, Any]:
        """All settings as JSON values, without the secrets of an image's URL."""
        return shown_of(cast("Settings", self))

    def patched(self, patch: Mapping[str, Any], *, live: bool = False) -> "Settings":
        """A copy with a patch applied, checked whole.

        Raises:
            ConfigError: with every problem found.
        """
        if not patch:
            return cast("Settings", self)
        for known in self._known:
            if known.patch == patch and known.live == live:
                return plain(known.result, known.after)
        if patch in _SWITCHES and type(patch["camera"]["is_enabled"]) is bool:
            document = self.model_dump()
            return plain({**document, "camera": {**document["camera"], **patch["camera"]}})
        from scrim.config.document import from_document

        # None stands for what is not given, as in a file.
        checked = from_document(merge(self.model_dump(), {}))
        return plain(checked.patched(patch, live=live).model_dump(mode="json"))


def plain(document: Mapping[str, Any], known: Iterable[Patched] = ()) -> "Settings":
    """Settings that can be read by attribute like the real ones.

    Args:
        document: all of them, checked, as JSON values.
        known: patches of them that were checked already.
    """
    sections = {
        key: PlainSection(**_values(value)) if isinstance(value, Mapping) else _plain(value)
        for key, value in document.items()
    }
    return cast("Settings", PlainSettings(known, **sections))


def _values(section: Mapping[str, Any]) -> dict[str, Any]:
    """Of a section, of which a value may be a table of its own."""
    return {key: _plain(value) for key, value in section.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401
    return tuple(map(_plain, value)) if isinstance(value, list) else value


def _dumped(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, PlainSection):
        return value.model_dump()
    return [_dumped(inner) for inner in value] if isinstance(value, tuple) else deepcopy(value)

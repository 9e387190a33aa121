"""Reads one TOML table key by key and notes everything that is wrong with it, so that all is told at once."""

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from scrim.errors import Problem

T = TypeVar("T")

_LONGEST_TEXT = 500
_LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """A value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class TomlTable:
    """A table that is read once.

    A value that is absent or wrong becomes a problem, and a stand-in is returned so that reading goes on; the
    caller looks at ``problems`` before it believes any value.

    Args:
        values: the parsed table; anything but a mapping is a problem.
        path: dotted path of the table, empty for the document.
        problems: list to add to.
    """

    def __init__(self, values: object, path: str, problems: list[Problem]) -> None:
        self.problems = problems
        self._path = path
        self._known: set[str] = set()
        self._values: Mapping[str, object] = {}
        if isinstance(values, Mapping):
            self._values = values
        else:
            self._note(
                path, values, "is missing" if values is None else "is not a table", f"a table [{path}]"
            )

    def note(self, key: str, message: str, allowed: str) -> None:
        """Add a problem with one key of this table."""
        self._note(self._dotted(key), self._values.get(key), message, allowed)

    def has(self, key: str) -> bool:
        """Whether the key stands in the table."""
        return key in self._values

    def holds(self, key: str, value: object) -> bool:
        """Whether the key stands in the table with this value."""
        return self._values.get(key) == value

    def table(self, key: str) -> "TomlTable":
        """The table below a key."""
        self._known.add(key)
        return TomlTable(self._values.get(key), self._dotted(key), self.problems)

    def text(self, key: str, default: str | None = None) -> str:
        """A line of text, not empty."""
        return self._take(key, _as_text, "", default, f"text of 1 to {_LONGEST_TEXT} characters on one line")

    def choice(self, key: str, names: tuple[str, ...]) -> str:
        """One of some names."""
        return self._take(
            key, lambda v: v if isinstance(v, str) and v in names else None, names[0], None, ", ".join(names)
        )

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number."""

        def check(value: object) -> int | None:
            fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
            return value if fits and isinstance(value, int) else None

        return self._take(key, check, least, default, f"a whole number from {least} to {most}")

    def interval(self, key: str) -> tuple[float, float]:
        """Two finite numbers, the lower first."""
        return self._take(key, _as_interval, (0.0, 1.0), None, "[low, high], two finite numbers, low < high")

    def matching(self, key: str, check: Callable[[str], bool], allowed: str) -> str:
        """Text that a check accepts."""
        return self._take(key, lambda v: v if isinstance(v, str) and check(v) else None, "", None, allowed)

    def finish(self) -> None:
        """Note every key that nothing asked for."""
        allowed = ", ".join(sorted(self._known))
        for key in self._values:
            if key not in self._known:
                self.note(key, "is not a known key", allowed)

    def _dotted(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _note(self, key: str, value: object, message: str, allowed: str) -> None:
        self.problems.append(Problem(key, "(absent)" if value is None else shown(value), message, allowed))

    def _take(
        self, key: str, check: Callable[[object], T | None], stand_in: T, default: T | None, allowed: str
    ) -> T:
        self._known.add(key)
        if key not in self._values:
            if default is None:
                self.note(key, "is missing", allowed)
                return stand_in
            return default
        value = check(self._values[key])
        if value is None:
            self.note(key, "is not that", allowed)
            return stand_in
        return value


def _as_text(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT or not value.isprintable():
        return None
    return value


def _as_interval(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    numbers = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        return None
    return numbers[0], numbers[1]

"""Licences of what is installed, and whether they are among those that may come in."""

import re
import tomllib
from dataclasses import dataclass

from supply.locks import ROOT


@dataclass(frozen=True, slots=True)
class Licences:
    """What ``requirements/licences.toml`` says.

    Attributes:
        packages: SPDX expressions by name.
        inside: by name of the package, the libraries inside its wheels and their expressions.
        allowed: identifiers.
        allowed_inside: further ones, of libraries inside wheels.
    """

    packages: dict[str, str]
    inside: dict[str, dict[str, str]]
    allowed: frozenset[str]
    allowed_inside: frozenset[str]

    def problems(self) -> list[str]:
        """What may not come in."""
        rows = [(name, expression, self.allowed) for name, expression in self.packages.items()]
        for package, libraries in self.inside.items():
            both = self.allowed | self.allowed_inside
            rows += [(f"{package}: {name}", expression, both) for name, expression in libraries.items()]
        return [
            f"{name}: {expression}"
            for name, expression, allowed in rows
            if not is_allowed(expression, allowed)
        ]


def read() -> Licences:
    """The table of this tree."""
    table = tomllib.loads((ROOT / "requirements" / "licences.toml").read_text())
    return Licences(
        table["packages"],
        table["inside"],
        frozenset(table["allowed"]),
        frozenset(table["allowed_inside_wheels"]),
    )


def is_allowed(expression: str, allowed: frozenset[str]) -> bool:
    """Whether all that has to be kept to, of one of the alternatives, is allowed. Takes no brackets."""
    return any(
        all(part.strip() in allowed for part in re.split(r" AND ", alternative))
        for alternative in expression.split(" OR ")
    )

"""What is to be written, while it is being asked for: settings, and passwords for files of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from scrim.config import Settings
from scrim.errors import ConfigError, Problem
from scrim.password import MAX_PASSWORD_BYTES
from scrim.wording import show

Secret = Literal["web", "mqtt", "rtsp"]
SECRETS: tuple[Secret, ...] = get_args(Secret)

_LEAST_CHARACTERS: Mapping[Secret, int] = {"web": 8, "mqtt": 1, "rtsp": 12}
"""As the gateway asks for; a test holds them to its own figures."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key that gets another value.

    Attributes:
        key: dotted.
        before: as JSON would have it, without secrets.
        after: the same.
    """

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.after)}"


@dataclass(frozen=True, slots=True)
class Draft:
    """What holds so far.

    Attributes:
        file: the settings file.
        settings: checked.
        passwords: new ones, to be put into the files that the settings name.
    """

    file: Path
    settings: Settings
    passwords: Mapping[Secret, str] = field(default_factory=dict, repr=False)

    def patched(self, patch: Mapping[str, Any]) -> Self:
        """With these settings too.

        Raises:
            ConfigError: they are wrong; lists every problem.
        """
        return replace(self, settings=self.settings.patched(patch))

    def with_password(self, secret: Secret, password: str) -> Self:
        """With a new password, in the file that the settings name already, or else beside theirs.

        Raises:
            ConfigError: it cannot be one.
        """
        check_password(secret, password)
        place = getattr(self.settings, secret).password_file or str(self.file.parent / f"{secret}-password")
        named = self.patched({secret: {"password_file": place}})
        return replace(named, passwords={**self.passwords, secret: password})

    def password_path(self, secret: Secret) -> Path:
        """Where a password lies, or will."""
        return Path(getattr(self.settings, secret).password_file)

    def changes_since(self, before: Settings) -> list[Change]:
        """Every key with another value."""
        old, new = before.without_secrets(), self.settings.without_secrets()
        return [
            Change(key, old_value, new_value)
            for (key, old_value), (_, new_value) in zip(_flat(old), _flat(new), strict=True)
            if old_value != new_value
        ]


def check_password(secret: Secret, password: str) -> None:
    """See whether that part of scrim would take it.

    Raises:
        ConfigError: it would not. The text never has the password in it.
    """
    least, problem = _LEAST_CHARACTERS[secret], ""
    if len(password) < least:
        problem = f"has fewer than {least} characters"
    elif len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES or not password.isprintable():
        problem = "is no password"
    if problem:
        allowed = f"{least} characters to {MAX_PASSWORD_BYTES} bytes of one printable line"
        raise ConfigError([Problem(f"{secret} password", "(not shown)", problem, allowed)])


def _shown(value: object) -> str:
    return "(not set)" if value is None else show(value)


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys of sections; what lies below a key of a section is one value."""
    for name, value in document.items():
        if name in Settings.model_fields and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value

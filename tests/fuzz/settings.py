"""The settings file: any bytes that may lie there."""

import tomllib
from pathlib import Path

from tests.fuzz.target import folder, kind_of, promise

from scrim.config import Settings, from_document, load
from scrim.errors import ConfigError
from scrim.reference import as_toml


class SettingsFile:
    """Either settings, which written out mean the same again, or a list of problems."""

    limit_s = 2.0

    def __init__(self) -> None:
        self._folder = folder()
        self._path = Path(self._folder.name) / "scrim.toml"
        reference = as_toml(Settings())
        sections = reference.split("\n[")
        self.seeds = [b"", *(f"[{section}".encode() for section in sections[1:]), sections[0].encode()]
        keys = [
            line.partition(" = ")[0] for line in reference.splitlines() if " = " in line and line[0] != "#"
        ]
        odd = (
            '""',
            "[]",
            "{}",
            "nan",
            "inf",
            "-1",
            "1e999",
            "'''",
            "\\u0000",
            "9" * 400,
            "[[",
            "1979-05-27",
            "é",
        )
        self.words = [*(f"{key} = ".encode() for key in keys), *(f"\n{word}\n".encode() for word in odd)]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        self._path.write_bytes(data)
        try:
            settings = load(self._path)
        except ConfigError as error:
            promise(error.problems, "a refusal without a problem")
            str(error).encode()
            first = error.problems[0]
            return f"{first.key[:40]} {kind_of(ValueError(first.message))} {len(error.problems)}"
        written = as_toml(settings)
        promise(from_document(tomllib.loads(written)) == settings, "written out it means something else")
        return "good " + " ".join(sorted(settings.model_dump(exclude_defaults=True)))

    def close(self) -> None:
        """See ``Target``."""
        self._folder.cleanup()

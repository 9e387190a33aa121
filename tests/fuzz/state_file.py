"""The state file, both generations: what a broken card may have made of them."""

import json
from pathlib import Path

from tests.fuzz.target import folder, promise

from scrim.config import Settings
from scrim.core.state import remembered_settings, settings_document
from scrim.statefile import StateFile

_BETWEEN = b"\n---\n"


class State:
    """Settings are remembered or not; what is broken is set aside, and the next start remembers again."""

    limit_s = 2.0

    def __init__(self) -> None:
        self._folder = folder()
        self._path = Path(self._folder.name) / "state.json"
        self._changed = Settings().patched({"effect": "color", "color": "teal", "camera": {"mirror": True}})
        good = json.dumps(settings_document(Settings(), self._changed, 7)).encode()
        self.seeds = [good, good + _BETWEEN + good, b"{" + _BETWEEN + good, b""]
        self.words = [
            _BETWEEN,
            b'"revision":',
            b"null",
            b"-1",
            b"9" * 400,
            b'"privacy":{"allow_raw":true}',
            b'"\\ud800"',
            b"{}",
        ]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        newer, _, older = data.partition(_BETWEEN)
        self._path.write_bytes(newer)
        self._path.with_name("state.json.1").write_bytes(older)
        found = remembered_settings(StateFile(self._path, 0.0), Settings())
        if found is not None:
            settings, revision = found
            promise(revision >= 1, f"revision {revision}")
            promise(settings.privacy == Settings().privacy, "privacy changed")
            promise(settings.sinks == (), "sinks changed")
        aside = " ".join(sorted(path.name for path in self._path.parent.glob("*.bad")))
        again = StateFile(self._path, 0.0)
        again.load()
        again.save(settings_document(Settings(), self._changed, 8), 0.0)
        again.flush()
        promise(
            remembered_settings(StateFile(self._path, 0.0), Settings()) == (self._changed, 8), "it forgets"
        )
        again.drop()
        sections = sorted(found[0].model_dump(exclude_defaults=True)) if found else ()
        return f"{aside}: {' '.join(sections)}"

    def close(self) -> None:
        """See ``Target``."""
        self._folder.cleanup()

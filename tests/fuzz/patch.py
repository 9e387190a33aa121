"""Patches, as they come over the local socket, from the page and by MQTT."""

import json

from tests.fuzz.target import kind_of, promise

from scrim.config import Settings
from scrim.errors import ConfigError, LocalError
from scrim.local.messages import dump, failure, parse_object

_LOCAL_ONLY = ("privacy", "keep", "sinks", "mqtt", "web", "rtsp", "panel", "images", "device")
_TURNS = 200


class Patch:
    """Applied to what the ones before it left; only what may be changed while scrim runs changes."""

    limit_s = 2.0

    def __init__(self) -> None:
        self._settings = Settings()
        self._turns = 0
        self.seeds = [
            json.dumps(document).encode()
            for document in (
                {"effect": "blur", "strength": "high"},
                {"effect": "color", "color": "#1234ab", "fit": "contain"},
                {"effect": "image", "image": "https://user:secret@example.org/a.jpg?key=1"},
                {"backgroundBlur": {"isEnabled": True, "strength": 40}},
                {"background_replacement": {"background_image_url": "data:image/png;base64,iVBORw0KGgo="}},
                {
                    "camera": {"is_enabled": False, "width": 640, "rotate": 90},
                    "model": {"name": "person-256x144"},
                },
                {"person": None, "framing": {"max_zoom": 1.5}, "budget": {"is_adaptive": False}},
                {"privacy": {"allow_raw": True}, "keep": {"regions": [[0, 0, 1, 1]]}},
            )
        ]
        keys = [
            *Settings.model_fields,
            *(key for part in Settings.model_json_schema()["$defs"].values() for key in part["properties"]),
        ]
        odd = (
            "null",
            "true",
            "-0.0",
            "1e308",
            "1e999",
            '"\\ud800"',
            '"\\u0000"',
            "[[]]",
            '{"a":{}}',
            "9" * 400,
            '"file:/etc/passwd"',
        )
        self.words = [*(f'"{key}":'.encode() for key in keys), *(word.encode() for word in odd)]

    def run(self, data: bytes) -> str:
        """See ``Target``."""
        before, kept = self._settings, self._settings.model_dump_json()
        try:
            patch = parse_object(data)
            after = before.patched(patch, live=True)
        except (ConfigError, LocalError) as error:
            parse_object(dump(failure("1", error))[:-1])
            promise(before.model_dump_json() == kept, "a refused patch left something")
            return kind_of(error)
        for section in _LOCAL_ONLY:
            promise(getattr(after, section) == getattr(Settings(), section), f"{section} changed")
        promise(after.camera.source == "auto", "camera.source changed")
        parse_object(dump({"settings": after.without_secrets()})[:-1])
        self._turns += 1
        self._settings = after if self._turns % _TURNS else Settings()
        return "good " + " ".join(sorted(patch))

    def close(self) -> None:
        """See ``Target``."""

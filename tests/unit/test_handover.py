"""The gateway's settings without the library that checks them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from scrim.config import Settings
from scrim.gateway.handover import plain

HEAVY = {"cv2", "numpy", "pydantic", "simplejpeg", "webcolors"}


def leaves(settings: Any) -> Iterator[tuple[str, object]]:
    fields = vars(settings) if isinstance(settings, SimpleNamespace) else dict(settings)
    for key, value in fields.items():
        if isinstance(value, SimpleNamespace | Settings.__base__):
            yield from ((f"{key}.{inner}", leaf) for inner, leaf in leaves(value))
        else:
            yield key, value


def test_every_setting_reads_as_before() -> None:
    settings = Settings().patched(
        {
            "images": {"allow_hosts": ["nas.lan"]},
            "strength": 12,
            "sinks": ["file:/x.mkv"],
            "camera": {"controls": {"gain": 20}},
        }
    )
    assert dict(leaves(plain(settings.model_dump(mode="json")))) == dict(leaves(settings))


def test_no_setting_is_of_a_kind_that_json_would_change() -> None:
    schema = json.dumps(Settings.model_json_schema())
    assert not any(f'"format": "{kind}"' in schema for kind in ("path", "date-time", "binary", "duration"))


def test_an_idle_gateway_has_no_heavy_library_in_memory() -> None:
    code = f"import sys, scrim.gateway.__main__; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"

"""The gateway's settings without the library that checks them."""

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import scrim.gateway
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


def test_no_part_of_the_gateway_brings_a_heavy_library_before_it_is_needed() -> None:
    parts = [
        module.name
        for module in pkgutil.walk_packages(scrim.gateway.__path__, "scrim.gateway.")
        if ".rtsp.child" not in module.name and module.name != "scrim.gateway.jpeg"
    ]
    assert {"scrim.gateway.__main__", "scrim.gateway.web.server"} <= set(parts)
    code = f"import sys, {', '.join(parts)}; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


SPY = """
import json, os, sys
from scrim.gateway.handover import received
names = "SSL_CERT_FILE", "MALLOC_ARENA_MAX"
before = [os.environ.get(name) for name in names]
given = received(int(sys.argv[1]))
after = [os.environ.get(name) for name in names]
print(json.dumps([given.settings.web.port, given.is_verbose, len(given.schema["properties"]), before, after]))
"""
BECOME = """
import os, subprocess, sys
from scrim.config import Settings
from scrim.gateway.handover import become_gateway
def instead(path, command, environment):
    spy = [*command[: command.index("-m")], "-c", sys.argv[1], command[-1]]
    sys.exit(subprocess.call(spy, env=environment, close_fds=False))
os.execve = instead
become_gateway(Settings().patched({"web": {"port": 81}}), is_verbose=True)
"""


def test_the_gateway_gets_settings_schema_and_the_environment_as_it_was() -> None:
    """Another program stands in for it, and prints what it was given."""
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", BECOME, SPY],
        check=True,
        capture_output=True,
        text=True,
        env=environment | {"SSL_CERT_FILE": "/given.pem"},
    )
    sections = len(Settings.model_fields)
    assert json.loads(done.stdout) == [81, True, sections, [os.devnull, "1"], ["/given.pem", None]]

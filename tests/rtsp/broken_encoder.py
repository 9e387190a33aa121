"""Streams the placeholder with an encoder that breaks, and tells which one took its place.

python broken_encoder.py CASE GOOD_ENCODER
"""

import json
import logging
import sys
import time
from types import SimpleNamespace

from scrim.gateway.rtsp.child import encoder, gst
from scrim.gateway.rtsp.child.encoder import Unit
from scrim.gateway.rtsp.child.encoders import KINDS, UNIT_CAPS, Kind, Rate
from scrim.gateway.rtsp.child.gst import GLib
from scrim.gateway.rtsp.child.stream import Stream
from scrim.gateway.rtsp.plan import Plan

PLAN = Plan(320, 240, 30.0, 1500, 2.0, "auto")

FAULTS = {
    "fails": "identity error-after=1",
    "hangs": "valve drop=true",
    "is slow": "identity sleep-time=1000000",
}


class Listener:
    """Stands where a tap stands."""

    def __init__(self, loop: GLib.MainLoop) -> None:
        self.units: list[Unit] = []
        self._loop = loop

    def give(self, unit: Unit) -> None:
        self.units.append(unit)
        if len(self.units) == 4:
            self._loop.quit()


def broken(case: str, good: Kind) -> Kind:
    def launch(rate: Rate) -> str:
        if case == "cannot start":
            return f"nosuchelement name=encoder ! {UNIT_CAPS}"
        fault = FAULTS[case]
        return f"{fault} ! {good.launch(rate)}"

    return Kind("broken", "", "", "", launch)


def stand_still() -> bool:
    """The clock goes on as if all of the machine had stopped, while a picture is in the encoder."""
    later_s = 10 * encoder.HUNG_S
    encoder.time = SimpleNamespace(monotonic=lambda: time.monotonic() + later_s)  # type: ignore[assignment]
    return False


def main(case: str, name: str) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    gst.start()
    good = next(kind for kind in KINDS if kind.name == name)
    assert not gst.load(gst.PLUGINS)
    assert gst.load_plugin(good.plugin)
    loop = GLib.MainLoop()
    listener = Listener(loop)
    stream = Stream(PLAN, [broken(case, good), good], lambda is_wanted: None)
    stream.add(listener)  # type: ignore[arg-type]
    if case == "is slow":
        GLib.timeout_add(300, stand_still)
    GLib.timeout_add_seconds(150, loop.quit)
    loop.run()
    found = {"units": len(listener.units), "begins_with_key": listener.units[0].is_key}
    sys.stdout.write(json.dumps(found | {"encoder": stream.figures()["encoder"]}))
    stream.close()


main(*sys.argv[1:])

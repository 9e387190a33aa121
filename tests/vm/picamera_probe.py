"""Run by the guest's own Python, which has libcamera and picamera2: what they do, as JSON.

It makes the calls that scrim's PiCamera makes, for its tests run on a stand-in that claims to do the same.
"""

import json
import sys
import types
from typing import Any

# A newer picamera2 looks for this in the DNG library, which the guest has a stand-in of.
camdefs = types.ModuleType("pidng.camdefs")
camdefs.Picamera2Camera = object  # type: ignore[attr-defined]
sys.modules["pidng.camdefs"] = camdefs

from picamera2 import MappedArray, Picamera2  # type: ignore[import-not-found]  # noqa: E402

from scrim.core.capture.picamera import PiCamera, cameras  # noqa: E402
from scrim.errors import SourceError  # noqa: E402
from scrim.frame import Caps  # noqa: E402

SIZE = (640, 480)


def error_of(call: Any) -> str:
    """Kind and text of what a call raises."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  the kind is what is asked for
        return f"{type(error).__name__}: {error}"
    return "nothing"


def requests(camera: Any) -> dict[str, Any]:
    """Ask before the camera runs, start it, stop and start it again."""
    job = camera.capture_request(wait=False)
    early = error_of(lambda: job.get_result(timeout=0.2))
    camera.start()
    served = []
    for _ in range(2):
        request = job.get_result(timeout=60)
        with MappedArray(request, "main") as mapped:
            served.append([list(mapped.array.shape), str(mapped.array.dtype), sorted(request.get_metadata())])
        request.release()
        job = camera.capture_request(wait=False)
        camera.stop()
        camera.start()
    job.get_result(timeout=60).release()
    camera.stop()
    return {"early": early, "served": served}


def main() -> None:
    """Print everything."""
    said: dict[str, Any] = {
        "cameras": cameras(),
        "absent": error_of(lambda: PiCamera(7, Caps(*SIZE, 30)).open()),
    }
    source = PiCamera(0, Caps(*SIZE, 30), small_size=(256, 144))
    said["open"] = error_of(source.open)
    said["is_source_error"] = said["open"].startswith(SourceError.__name__)
    camera = Picamera2(0)
    said["controls"] = sorted(camera.camera_controls)
    said["model"] = camera.camera_properties["Model"]
    said["unknown_control"] = error_of(lambda: camera.set_controls({"Nope": 1}))
    wanted = {"size": SIZE, "format": "BGR888"}
    camera.configure(camera.create_video_configuration(main=wanted, lores=None, buffer_count=4, controls={}))
    said["main"] = {key: camera.camera_configuration()["main"][key] for key in ("format", "size", "stride")}
    said |= requests(camera)
    camera.close()
    sys.stdout.write(json.dumps(said) + "\n")


main()

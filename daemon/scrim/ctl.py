"""``scrim ctl``: look at a running core and change it, over its local socket."""

import argparse
import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from scrim.errors import ConfigError, ImageError, LocalError, Problem
from scrim.local.client import Client
from scrim.local.messages import MAX_MESSAGE_BYTES, parse_object
from scrim.local.status import CameraStatus, EffectStatus, ModelStatus, SafeModeStatus, SinkStatus, Status
from scrim.options import add_settings, settings_of
from scrim.patch import combine, parse_assignment

if TYPE_CHECKING:
    from scrim.local.ring import Picture

_EPILOG = """\
examples:
  scrim ctl status                                    how everything is
  scrim ctl status --json --watch                     one line of JSON a second, for programs
  scrim ctl set effect=blur strength=high
  scrim ctl set effect=color color=teal
  scrim ctl set effect=image image=https://example.org/room.jpg fit=cover
  scrim ctl set model.name=person-384x208             another model, fetched first if it has to be
  scrim ctl set camera.is_enabled=false               close the camera; true opens it again
  scrim ctl set --file patch.json                     as the page and other programs send it
  scrim ctl preview now.jpg                           what others see now
  scrim ctl events --follow                           what happens, until Ctrl-C
  scrim ctl reset                                     back to the settings file
  scrim ctl forget                                    take everything of ours off the MQTT broker
  scrim ctl settings                                  what is in effect
  scrim ctl restart                                   what needs a restart comes into effect

The socket is found where "scrim run" and the service put it; --socket or SCRIM_SOCKET name another.
Exit status: 0 done; 1 not done, or no core; 2 a wrong command line; 78 settings were refused.
"""

_PREVIEW_S = 5.0
_BACK_S = 30.0
_BACK_POLL_S = 0.1
_PROGRESS_S = 0.5
_WATCH_S = 1.0
_JPEG_QUALITY = 92
_STILLS = (".jpg", ".jpeg", ".png")
_CLEAR_SCREEN = "\x1b[H\x1b[2J"

Commands = Any  # argparse's own type for sub-parsers is private


def add_ctl(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "ctl",
        help="look at a running scrim and change it",
        description="Look at a running scrim and change it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--socket", type=Path, metavar="PATH", help="of the core")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    status = _action(actions, "status", _status, "say how everything is")
    status.add_argument("--json", action="store_true", help="for programs")
    status.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    change = _action(actions, "set", _set, "change settings; waits until the change is in effect")
    change.add_argument(
        "assignments",
        nargs="*",
        metavar="KEY=VALUE",
        help="such as effect=blur or background_blur.strength=40",
    )
    change.add_argument("--file", type=Path, metavar="FILE", help="a patch in JSON; - reads standard input")
    change.add_argument("--json", action="store_true", help="print the settings then in effect")
    preview = _action(actions, "preview", _preview, "save what goes out now as a still")
    preview.add_argument("file", type=Path, metavar="FILE", help="ending in .jpg or .png")
    events = _action(actions, "events", _events, "wait for the next event and print it")
    events.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    events.add_argument("--json", action="store_true", help="one line of JSON an event")
    settings = _action(actions, "settings", _settings, "print the settings in effect, as set takes them")
    settings.add_argument("--json", action="store_true", help="for programs")
    _action(actions, "restart", _restart, "end the core and wait until it has been started again")
    add_forget(actions)
    reset = _action(actions, "reset", _reset, "drop what was changed at run time")
    reset.add_argument("--json", action="store_true", help="print the settings then in effect")


def add_forget(actions: Commands) -> None:
    """Add the action to a command."""
    action = _action(
        actions,
        "forget",
        _forget,
        "take everything of this device off its MQTT broker, and out of Home Assistant",
    )
    add_settings(action)


def _action(
    actions: Commands, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text + ".")
    action.set_defaults(command=run)
    return action


def _status(options: argparse.Namespace) -> int:
    with Client(options.socket) as client:
        if not options.watch:
            print(_status_text(client.status(), is_json=options.json, indent=2))
            return 0
        with contextlib.suppress(KeyboardInterrupt):
            _watch(client, is_json=options.json)
    return 0


def _watch(client: Client, *, is_json: bool) -> NoReturn:
    clear = _CLEAR_SCREEN if sys.stdout.isatty() and not is_json else ""
    while True:
        print(clear + _status_text(client.status(), is_json=is_json, indent=None), flush=True)
        time.sleep(_WATCH_S)


def _status_text(status: Status, *, is_json: bool, indent: int | None) -> str:
    return json.dumps(status, indent=indent) if is_json else table(status)


def table(status: Status) -> str:
    """The status for a person, one line a subject."""
    rows = [
        ("state", status["state"] + _why(status["placeholder_reason"])),
        *_safe_mode_row(status["safe_mode"]),
        ("background", _effect_text(status["effect"])),
        ("camera", _camera_text(status["camera"])),
        (
            "frames",
            "{rate_in_hz:g} /s in, {rate_out_hz:g} /s out, {dropped} dropped".format(**status["frames"]),
        ),
        ("latency", "{p50:g} ms, 19 of 20 within {p95:g} ms".format(**status["latency_ms"])),
        ("model", _model_text(status["model"])),
        *((f"sink {sink['name']}", _sink_text(sink)) for sink in status["sinks"]),
        ("memory", f"{status['rss_mb']:g} MB"),
        ("scrim", "{version}, up {uptime_s:.0f} s, settings revision {revision}".format(**status)),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)


def _safe_mode_row(safe_mode: SafeModeStatus | None) -> list[tuple[str, str]]:
    if safe_mode is None:
        return []
    text = "after {crashes} crashes, for another {left_s:.0f} s; 'scrim ctl restart' ends it".format(
        **safe_mode
    )
    return [("safe mode", text)]


def _effect_text(effect: EffectStatus) -> str:
    match effect["effect"]:
        case "blur":
            return f"blurred, strength {effect['strength']:g} ({effect['strength_name']})"
        case "image":
            return f"image {effect['image']}, {effect['fit']}" + _why(effect["image_error"])
        case "color":
            return f"colour {effect['color'] or '#000000'}"
    return "no effect"


def _camera_text(camera: CameraStatus) -> str:
    closed = f"closed by {' and '.join(camera['closed_by'])}" if camera["closed_by"] else ""
    device = camera["device"]
    named = f"{device['name']}, {device['delivers']}" if device is not None else ""
    parts = (camera["source"], named, camera["state"], camera["caps"], camera["error"], closed)
    return ", ".join(filter(None, parts))


def _model_text(model: ModelStatus) -> str:
    fetching = model["fetching"]
    coming = f"; {fetching['name']} is being fetched" if fetching is not None else ""
    return "{name}, {form}, {runtime}".format(**model) + _why(model["error"]) + coming


def _sink_text(sink: SinkStatus) -> str:
    watched = "" if sink["consumers"] is None else f", {sink['consumers']} watching"
    frames = f"{sink['delivered']} frames, {sink['dropped']} dropped"
    return f"{sink['state']}, {frames}{watched}" + _why(sink["error"])


def _why(error: str | None) -> str:
    return f": {error}" if error else ""


def _set(options: argparse.Namespace) -> int:
    patches = [_read_patch(options.file)] if options.file else []
    patches += [parse_assignment(text, "ctl set") for text in options.assignments]
    if not patches:
        raise ConfigError(
            [Problem("ctl set", "(nothing)", "nothing is to be changed", "KEY=VALUE or --file")]
        )
    patch = combine(patches)
    with Client(options.socket) as client, _shown_progress(options.socket, is_wanted="model" in patch):
        answer = client.set(patch)
    _tell(answer, is_json=options.json)
    return 0


@contextlib.contextmanager
def _shown_progress(socket: Path | None, *, is_wanted: bool) -> Iterator[None]:
    """Show how far a model has come that the core fetches meanwhile."""
    is_over = threading.Event()
    showing = threading.Thread(target=_show_progress, args=(socket, is_over), daemon=True)
    if is_wanted:
        showing.start()
    try:
        yield
    finally:
        is_over.set()
        if is_wanted:
            showing.join()


def _show_progress(socket: Path | None, is_over: threading.Event) -> None:
    bar = None
    with contextlib.suppress(LocalError), Client(socket) as client:
        while not is_over.wait(_PROGRESS_S):
            fetching = client.status()["model"]["fetching"]
            if fetching is None:
                continue
            if bar is None:
                from tqdm import tqdm

                bar = tqdm(desc=f"fetching {fetching['name']}", unit="B", unit_scale=True, leave=False)
            bar.total = fetching["total_bytes"]
            bar.update(fetching["bytes"] - bar.n)
    if bar is not None:
        bar.close()


def _forget(options: argparse.Namespace) -> int:
    from scrim.gateway.mqtt.forget import forget

    settings = settings_of(options)
    topics = forget(settings)
    print(f"scrim: {len(topics)} topics are empty now")
    print("scrim: a gateway that still runs with mqtt.is_enabled announces itself again")
    return 0


def _reset(options: argparse.Namespace) -> int:
    with Client(options.socket) as client:
        _tell(client.reset(), is_json=options.json)
    return 0


def _settings(options: argparse.Namespace) -> int:
    with Client(options.socket) as client:
        answer = client.settings()
    print(json.dumps(answer, indent=2) if options.json else "\n".join(_assignments(answer["settings"])))
    return 0


def _assignments(settings: dict[str, Any], above: str = "") -> Iterator[str]:
    """Each setting as ``key=value``, in JSON, which is TOML too but for null: that is an empty text."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _assignments(value, f"{above}{key}.")
        else:
            yield f"{above}{key}={json.dumps('' if value is None else value, ensure_ascii=False)}"


def _restart(options: argparse.Namespace) -> int:
    deadline_s = time.monotonic() + _BACK_S
    with Client(options.socket) as client:
        client.restart()
        print("scrim: the core ends, and is waited for", flush=True)
        _wait_for_end(client, deadline_s)
    while time.monotonic() < deadline_s:
        time.sleep(_BACK_POLL_S)
        with contextlib.suppress(LocalError), Client(options.socket) as client:
            print(f"scrim: it is back, {client.status()['state']}")
            return 0
    raise LocalError(
        f"the core was not back within {_BACK_S:g} s; 'scrim run' and the service start it again, "
        "'scrim core' by itself is not"
    )


def _wait_for_end(client: Client, deadline_s: float) -> None:
    with contextlib.suppress(LocalError):
        while time.monotonic() < deadline_s:
            client.status()
            time.sleep(_BACK_POLL_S)


def _tell(answer: dict[str, Any], *, is_json: bool) -> None:
    print(json.dumps(answer, indent=2) if is_json else f"scrim: revision {answer['revision']} is in effect")


def _read_patch(path: Path) -> dict[str, Any]:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_MESSAGE_BYTES + 1)
        return parse_object(data)
    except OSError as error:
        why = error.strerror or str(error)
    except LocalError as error:
        why = str(error)
    raise ConfigError([Problem("--file", str(path), why, "a file with a patch in JSON")], "command line")


def _preview(options: argparse.Namespace) -> int:
    path: Path = options.file
    suffix = path.suffix.lower()
    if suffix not in _STILLS:
        raise ImageError(f"{path}: is no name for a still; it must end in one of {', '.join(_STILLS)}")
    with Client(options.socket) as client:
        picture = client.preview(_PREVIEW_S)
    if picture is None:
        raise LocalError(f"no picture came within {_PREVIEW_S:g} s; 'scrim ctl status' says how the core is")
    try:
        path.write_bytes(_still(picture, suffix))
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; name a place that can be written") from None
    height, width = picture.planes.y.shape
    print(f"scrim: {path}: {width}x{height}, {picture.origin}")
    return 0


def _still(picture: "Picture", suffix: str) -> bytes:
    import cv2
    import numpy as np

    height, width = picture.planes.y.shape
    i420 = np.concatenate([plane.reshape(-1) for plane in picture.planes]).reshape(height * 3 // 2, width)
    bgr = cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)
    _, encoded = cv2.imencode(suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _events(options: argparse.Namespace) -> int:
    with Client(options.socket) as client:
        try:
            for event in client.events():
                print(json.dumps(event) if options.json else _event_text(event), flush=True)
                if not options.follow:
                    break
        except KeyboardInterrupt:
            return 0
    return 0


def _event_text(event: dict[str, Any]) -> str:
    fields = " ".join(f"{key}={json.dumps(value)}" for key, value in event.items() if key != "event")
    return f"{time.strftime('%H:%M:%S')} {event['event']} {fields}".rstrip()

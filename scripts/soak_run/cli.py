"""The command: start, watch, measure, tell, draw."""

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chaos_run.stage import free_port

from scrim.errors import LocalError, ScrimError
from scrim.local import Client
from scrim.local.feed import FeedReader
from soak_run.picture import draw
from soak_run.samples import Sample, growth_mb, most, sample

EIGHT_HOURS = 8 * 3600 * 30
MOST_GROWTH_MB = 2.0
SAMPLE_S = 5.0
PROGRESS_S = 30.0
CHANGE_S = 20.0
START_S = 120.0

_CHANGES: tuple[dict[str, Any], ...] = (
    {"effect": "color", "color": "#203040"},
    {"effect": "blur", "strength": "high"},
    {"matte": {"refine": False}},
    {"matte": {"refine": True}},
    {"effect": "blur", "strength": "medium"},
)

CYCLE_S = CHANGE_S * len(_CHANGES)
"""What happens for the first time loads what it needs: that is over before anything is counted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 when something grew."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    width, _, height = options.size.partition("x")
    try:
        runs = run((int(width), int(height)), options.frames, options.minutes * 60)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    found = figures(runs)
    if options.svg:
        title = "A core and a gateway under way: {frames} frames in {minutes:g} minutes".format(**found)
        options.svg.write_text(draw(runs, title))
    print(json.dumps(found, indent=2) if options.json else table(found))
    return 0 if found["is_good"] else 1


def run(size: tuple[int, int], frames: int, seconds: float) -> Mapping[str, Sequence[Sample]]:
    """Filter so many frames, or for so long; samples of both processes.

    Args:
        size: (width, height) in pixels.
        frames: that are enough, once it is warm.
        seconds: that are enough, then.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scrim-soak-")))
        port, place = free_port(), folder / "core.sock"
        pids = dict(_started(stack, folder, size, port))
        _wait_for_page(port)
        stop = threading.Event()
        for work in (_read_feed, _watch_page, _play_with_settings):
            thread = threading.Thread(target=work, args=(stop, place, port))
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        print(f"soak: until every setting was changed once, {CYCLE_S:.0f} s", file=sys.stderr)
        time.sleep(CYCLE_S)
        return _sampled(pids, place, frames, seconds)


def figures(runs: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """What came of it."""
    last = runs["core"][-1]
    processes = {
        name: {
            "rss_mb": round(samples[-1].rss_mb, 1),
            "growth_mb": round(growth_mb(samples), 2),
            "descriptors": most(samples, "descriptors"),
            "threads": most(samples, "threads"),
        }
        for name, samples in runs.items()
    }
    is_good = all(
        one["growth_mb"] <= MOST_GROWTH_MB
        and one["descriptors"][1] <= one["descriptors"][0]
        and one["threads"][1] <= one["threads"][0]
        for one in processes.values()
    )
    return {
        "frames": last.frames,
        "minutes": round(last.at_s / 60, 1),
        "hours_at_30_fps": round(last.frames / 30 / 3600, 2),
        "is_good": is_good,
        "processes": processes,
    }


def table(found: Mapping[str, Any]) -> str:
    """For people."""
    lines = [
        "{frames} frames in {minutes:g} minutes, as many as in {hours_at_30_fps:g} hours at 30 fps".format(
            **found
        ),
        f"{'process':10} {'MB':>7} {'growth':>8} {'descriptors':>14} {'threads':>10}",
    ]
    for name, one in found["processes"].items():
        counts = [" to ".join(map(str, one[key])) for key in ("descriptors", "threads")]
        lines.append(
            f"{name:10} {one['rss_mb']:7.1f} {one['growth_mb']:+8.2f} {counts[0]:>14} {counts[1]:>10}"
        )
    lines.append(
        "counted after the warm-up and at the end: "
        + ("nothing grew" if found["is_good"] else "SOMETHING GREW")
    )
    return "\n".join(lines)


def _started(stack: ExitStack, folder: Path, size: tuple[int, int], port: int) -> Iterator[tuple[str, int]]:
    scripts = Path(__file__).resolve().parents[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(scripts.parent / "daemon"), str(scripts)]),
        "SCRIM_SOCKET": str(folder / "core.sock"),
        "XDG_STATE_HOME": str(folder / "state"),
        "SCRIM_CONFIG": str(folder / "scrim.toml"),
    }
    (folder / "scrim.toml").write_text(
        f'[camera]\nsource = "demo:"\nwidth = {size[0]}\nheight = {size[1]}\n'
        f"[budget]\nis_adaptive = false\n[web]\nport = {port}\n"
    )
    for name, module in (("core", "soak_run.core_program"), ("gateway", "scrim")):
        log = stack.enter_context((folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", module, name],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(_ended, process)
        if name == "core":
            _wait_for(folder / "core.sock")
        yield name, process.pid


def _ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(place: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(LocalError), Client(place) as client:
            if client.status()["state"] == "running":
                return
        time.sleep(0.1)
    raise SystemExit("soak: the core did not start")


def _wait_for_page(port: int) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with (
            contextlib.suppress(OSError),
            contextlib.closing(socket.create_connection(("127.0.0.1", port), 1)),
        ):
            return
        time.sleep(0.1)
    raise SystemExit("soak: the page did not start")


def _sampled(
    pids: Mapping[str, int], place: Path, frames: int, seconds: float
) -> Mapping[str, Sequence[Sample]]:
    runs: dict[str, list[Sample]] = {name: [] for name in pids}
    began_s = told_s = time.monotonic()
    with Client(place, timeout_s=60) as client:
        before = client.status()["frames"]["delivered"]
        while True:
            done, at_s = client.status()["frames"]["delivered"] - before, time.monotonic() - began_s
            for name, pid in pids.items():
                runs[name].append(sample(pid, done, at_s))
            if done >= frames or at_s >= seconds:
                return runs
            if time.monotonic() - told_s >= PROGRESS_S:
                told_s = time.monotonic()
                memory = ", ".join(f"{name} {runs[name][-1].rss_mb:.1f} MB" for name in runs)
                print(f"soak: {done} of {frames} frames, {at_s / 60:.0f} min, {memory}", file=sys.stderr)
            time.sleep(SAMPLE_S)


def _read_feed(stop: threading.Event, place: Path, _: int) -> None:
    """A reader of the feed."""
    with FeedReader(place, START_S) as feed:
        while not stop.is_set():
            feed.wait(0.5)


def _watch_page(stop: threading.Event, _: Path, port: int) -> None:
    """Somebody who looks at the page, and comes again every ten minutes."""
    while not stop.is_set():
        until_s = time.monotonic() + 600
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            with contextlib.closing(connection):
                connection.request("GET", "/preview.mjpg")
                answer = connection.getresponse()
                while not stop.is_set() and time.monotonic() < until_s and answer.read(4096):
                    pass
        stop.wait(0.5)


def _play_with_settings(stop: threading.Event, place: Path, _: int) -> None:
    """Somebody who changes settings now and then."""
    number = 0
    while not stop.wait(CHANGE_S):
        with contextlib.suppress(ScrimError), Client(place, timeout_s=60) as client:
            client.set(_CHANGES[number % len(_CHANGES)])
        number += 1


_EPILOG = """\
examples:
  scripts/soak --frames 20000
  nice -n 19 scripts/soak --minutes 60 --svg docs/soak.svg
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Let a core filter the demo as fast as it can while somebody watches the page and "
        "changes settings, and see whether memory, descriptors or threads of core or gateway grow.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--frames", type=int, default=EIGHT_HOURS, help="enough (default: %(default)s, 8 h at 30 fps)"
    )
    parser.add_argument("--minutes", type=float, default=1e6, help="enough, too")
    parser.add_argument("--size", default="320x180", metavar="WxH", help="of a frame (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the report for programs")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw what was measured")
    return parser

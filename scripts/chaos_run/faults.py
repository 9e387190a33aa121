"""The faults: what breaks, for how long, and how the world is put right again."""

import contextlib
import json
import random
import signal
import socket
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.publish
from paho.mqtt import MQTTException

from chaos_run.image_server import KINDS
from chaos_run.stage import Stage
from scrim.core.crashes import CRASHES
from scrim.errors import ScrimError
from scrim.rss_guard import SETTLED_S

Run = Callable[[Stage, random.Random], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: for people.
        run: breaks something when it is entered, and mends what does not mend itself when it is left.
        lasts_s: from and to how long it is left broken.
        weight: how often it comes, against the others.
    """

    name: str
    run: Run
    lasts_s: tuple[float, float] = (0.0, 0.0)
    weight: float = 1.0


@contextlib.contextmanager
def _ordered(stage: Stage, who: str, what: str) -> Iterator[None]:
    stage.order(who, what)
    try:
        yield
    finally:
        stage.order(who, "")


def camera(what: str) -> Run:
    """The camera does this."""
    return lambda stage, _: _ordered(stage, "camera", what)


def model(what: str) -> Run:
    """The model does this."""
    return lambda stage, _: _ordered(stage, "model", what)


@contextlib.contextmanager
def memory_leak(stage: Stage, _: random.Random) -> Iterator[None]:
    """The camera's driver takes 400 MB, once the core has lived long enough for that to be a surprise."""
    deadline_s = time.monotonic() + 90
    while time.monotonic() < deadline_s:
        with contextlib.suppress(ScrimError), stage.client() as client:
            if client.status()["uptime_s"] > SETTLED_S + 2:
                break
        time.sleep(0.5)
    with _ordered(stage, "camera", "hoard"):
        yield


def hit(unit: str, number: int) -> Run:
    """A process gets a signal, and goes on if it was stopped and still lives at the end."""

    @contextlib.contextmanager
    def run(stage: Stage, _: random.Random) -> Iterator[None]:
        service = stage.core if unit == "core" else stage.gateway
        service.send(number)
        yield
        if number == signal.SIGSTOP:
            service.send(signal.SIGCONT)

    return run


@contextlib.contextmanager
def crash_loop(stage: Stage, _: random.Random) -> Iterator[None]:
    """The core is killed whenever it has begun, until it is in safe mode; somebody ends that."""
    record = stage.folder / "run" / "runs.json"
    for _attempt in range(CRASHES + 1):
        before_ns = _changed_ns(record)
        stage.core.send(signal.SIGKILL)
        deadline_s = time.monotonic() + 30
        while _changed_ns(record) == before_ns and time.monotonic() < deadline_s:
            time.sleep(0.05)
    deadline_s = time.monotonic() + 30
    while not _restart_from_safe_mode(stage) and time.monotonic() < deadline_s:
        time.sleep(0.5)
    yield


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _restart_from_safe_mode(stage: Stage) -> bool:
    """Whether the core was in safe mode, and was asked to leave it."""
    with contextlib.suppress(ScrimError), stage.client() as client:
        if client.status()["safe_mode"] is not None:
            stage.safe_modes += 1
            client.restart()
            return True
    return False


@contextlib.contextmanager
def broker_gone(stage: Stage, rng: random.Random) -> Iterator[None]:
    """The broker dies, or says nothing any more."""
    is_hung = rng.random() < 0.3
    if is_hung:
        stage.broker.send(signal.SIGSTOP)
    else:
        stage.broker.stop()
    yield
    if is_hung:
        stage.broker.send(signal.SIGCONT)
    else:
        stage.broker.start()


@contextlib.contextmanager
def broker_flaps(stage: Stage, _: random.Random) -> Iterator[None]:
    """It goes and comes."""
    for _flap in range(5):
        stage.broker.stop()
        time.sleep(0.3)
        stage.broker.start()
        time.sleep(0.7)
    yield


@contextlib.contextmanager
def mqtt_poison(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Messages that nobody should send, some of them kept by the broker."""
    topics = (
        "set",
        "cmd/restart/x",
        "cmd/set",
        "cmd/camera",
        "desired",
        "cmd/snapshot_take",
        "cmd/" + "x" * 200,
    )
    messages: list[Any] = [
        (f"scrim/chaos-device/{rng.choice(topics)}", _junk(rng), 0, rng.random() < 0.2) for _ in range(60)
    ]
    with contextlib.suppress(OSError, MQTTException, ValueError):
        paho.mqtt.publish.multiple(messages, "127.0.0.1", stage.broker.port)
    yield


@contextlib.contextmanager
def good_settings(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Somebody plays with the settings."""
    for _ in range(rng.randint(1, 12)):
        _set(stage, _good_patch(rng))
    yield


@contextlib.contextmanager
def bad_settings(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Somebody asks for what must be refused."""
    for _ in range(30):
        _set(stage, _bad_patch(rng))
    yield


@contextlib.contextmanager
def raw_wanted(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Somebody tries to see the room."""
    wishes = (
        {"privacy": {"allow_raw": True}, "effect": "off"},
        {"Privacy": {"allowRaw": True}},
        {"effect": "off"},
        {"background_blur": {"is_enabled": False}, "background_replacement": {"is_enabled": False}},
        {"keep": {"regions": [[0, 0, 1, 1]]}},
        {"budget": {"reuse_masks": True}},
    )
    for wish in rng.sample(wishes, len(wishes)):
        _set(stage, wish)
    yield
    _set(stage, {"effect": "color", "color": "#204060"})


@contextlib.contextmanager
def camera_off(stage: Stage, _: random.Random) -> Iterator[None]:
    """Somebody switches the camera off, and on again."""
    _set(stage, {"camera": {"is_enabled": False}})
    yield
    for _attempt in range(20):  # it may be another fault's moment: who wants it on asks again
        if _set(stage, {"camera": {"is_enabled": True}}):
            return
        time.sleep(1.0)


@contextlib.contextmanager
def bad_image(stage: Stage, rng: random.Random) -> Iterator[None]:
    """An image from a server as bad as they get."""
    url = f"http://127.0.0.1:{stage.image_port}/{rng.choice(KINDS)}?{rng.random()}"
    _set(stage, {"effect": "image", "image": url})
    yield


@contextlib.contextmanager
def state_lost(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Nothing can be written where the core remembers settings; then it can again."""
    folder = stage.folder / "core-state"
    aside = stage.folder / "core-state-aside"
    folder.rename(aside)
    folder.write_text("no folder")
    for _ in range(3):
        _set(stage, _good_patch(rng))
    yield
    folder.unlink()
    aside.rename(folder)


@contextlib.contextmanager
def state_broken(stage: Stage, rng: random.Random) -> Iterator[None]:
    """What is remembered is garbage when the core starts."""
    for path in (stage.folder / "core-state").glob("state.json*"):
        path.write_bytes(rng.randbytes(rng.choice((0, 10, 5000))))
    stage.core.send(signal.SIGTERM)
    yield


@contextlib.contextmanager
def socket_abused(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Garbage, half requests and many connections at the local socket."""
    with contextlib.ExitStack() as stack:
        for _ in range(24):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(0.5)
            with contextlib.suppress(OSError):
                client.connect(str(stage.socket))
                client.sendall(
                    rng.choice((_junk(rng), b'{"id": "1", "method": "st', b"\n" * 99, bytes(300_000)))
                )
        yield


@contextlib.contextmanager
def page_abused(stage: Stage, rng: random.Random) -> Iterator[None]:
    """Garbage and connections that say nothing, at the page and at the stream."""
    with contextlib.ExitStack() as stack:
        for port in (stage.web_port, stage.rtsp_port):
            for _ in range(12):
                client = stack.enter_context(socket.socket())
                client.settimeout(0.5)
                with contextlib.suppress(OSError):
                    client.connect(("127.0.0.1", port))
                    client.sendall(
                        rng.choice((b"", _junk(rng), b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n", bytes(70_000)))
                    )
        yield


@contextlib.contextmanager
def asked_to_restart(stage: Stage, _: random.Random) -> Iterator[None]:
    """``scrim ctl restart``."""
    with contextlib.suppress(ScrimError), stage.client() as client:
        client.restart()
    yield


FAULTS = (
    Fault("camera stalls", camera("stall"), (1.5, 8)),
    Fault("camera unplugged", camera("unplug"), (0.5, 8)),
    Fault("camera slow", camera("slow"), (3, 8)),
    Fault("camera fails oddly", camera("explode"), (0.5, 4)),
    Fault("camera's driver crashes the core", camera("segfault"), (0.5, 1)),
    Fault("camera's driver leaks memory", memory_leak, (25, 35), 0.3),
    Fault("model: error", model("raise"), (0.5, 5)),
    Fault("model: odd error", model("explode"), (0.5, 5)),
    Fault("model: NaN", model("nan"), (0.5, 4)),
    Fault("model: wrong shape", model("shape"), (0.5, 4)),
    Fault("model: wrong type", model("type"), (0.5, 4)),
    Fault("model: nothing", model("empty"), (0.5, 4)),
    Fault("model: hangs", model("hang"), (1, 8)),
    Fault("model: slow", model("slow"), (3, 10)),
    Fault("model: aborts the core", model("abort"), (0.5, 1)),
    Fault("core killed", hit("core", signal.SIGKILL), weight=2),
    Fault("core segfaults", hit("core", signal.SIGSEGV)),
    Fault("core hangs", hit("core", signal.SIGSTOP), (4, 16)),
    Fault("core stopped in order", hit("core", signal.SIGTERM)),
    Fault("core asked to restart", asked_to_restart),
    Fault("core in a crash loop", crash_loop, weight=0.5),
    Fault("gateway killed", hit("gateway", signal.SIGKILL), weight=2),
    Fault("gateway hangs", hit("gateway", signal.SIGSTOP), (3, 26), 0.5),
    Fault("gateway stopped in order", hit("gateway", signal.SIGTERM)),
    Fault("broker gone", broker_gone, (1, 10)),
    Fault("broker flaps", broker_flaps),
    Fault("MQTT poison", mqtt_poison),
    Fault("settings changed", good_settings, weight=3),
    Fault("settings refused", bad_settings, weight=2),
    Fault("raw picture wanted", raw_wanted, (0.5, 3), 2),
    Fault("camera switched off and on", camera_off, (0.5, 4)),
    Fault("image from a bad server", bad_image, weight=3),
    Fault("state cannot be written", state_lost, (1, 15)),
    Fault("state broken at start", state_broken),
    Fault("local socket abused", socket_abused, (0.5, 4)),
    Fault("page and stream abused", page_abused, (0.5, 4)),
)
"""All kinds. None of them may show the room, and after each the picture must come back by itself."""


def _set(stage: Stage, patch: dict[str, Any]) -> bool:
    try:
        with stage.client() as client:
            client.set(patch)
    except ScrimError:
        return False
    return True


def _good_patch(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        (
            {"effect": "color", "color": f"#{rng.randrange(1 << 24):06x}"},
            {"effect": "blur", "strength": rng.choice(("medium", "high", 20, 60))},
            {"matte": {"refine": rng.random() < 0.5}},
            {"matte": {"smooth": rng.random() < 0.5}},
            {"matte": {"second_look": rng.choice(("always", "stills"))}},
            {"model": {"name": rng.choice(("person-256x144", "person-192x112")), "form": "float16"}},
            {"processing_budget_per_frame": rng.choice((5, 20, 50, 100))},
            {"person": {"nobody": rng.choice(("blur", "placeholder"))}},
        )
    )


def _bad_patch(rng: random.Random) -> dict[str, Any]:
    value: Any = rng.choice((None, -1, 1e308, "x" * 300, [], {"a": {"b": {"c": {}}}}, True, "\u202e", 7))
    key = rng.choice(
        ("camera", "background_blur", "model", "privacy", "sinks", "web", "nobody", "matte", "mqtt")
    )
    inner = rng.choice(("is_enabled", "strength", "name", "allow_raw", "source", "port", "refine", "path"))
    return {key: {inner: value}} if rng.random() < 0.8 else {key: value, inner: value}


def _junk(rng: random.Random) -> bytes:
    choice = rng.randrange(4)
    if choice == 0:
        return rng.randbytes(rng.choice((0, 1, 40, 4000)))
    if choice == 1:
        return json.dumps({rng.choice(string.ascii_letters): [[[[[[[[{}]]]]]]]]}).encode()
    if choice == 2:
        return b'{"effect": "off", "effect": "blur", "privacy": {"allow_raw": true}, "x": NaN}'
    return b'{"patch": {"background_blur": {"strength": 1e999}}}\n'

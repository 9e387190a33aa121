"""What ``scrim fleet`` does: lists, watches, changes."""

import argparse
import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable

from scrim.errors import EXIT_FAILURE, ConfigError, Problem
from scrim.fleet.broker import Broker, Options, Received, address_of, settle
from scrim.fleet.change import (
    JITTER_S,
    PATIENCE_S,
    Answer,
    Change,
    Target,
    answers_filter,
    desired_topic,
    make_token,
)
from scrim.fleet.roster import Device, Roster
from scrim.fleet.table import WIDTH, clock, cut, in_order, plain, summary, table
from scrim.patch import combine, parse_assignment

_QUIET_S = 0.7
_MOST_SETTLE_S = 30.0
_WATCH_S = 1.0
_CLEAR_SCREEN = "\x1b[H\x1b[2J"
_WORDS = {"done": "ok", "refused": "REFUSED", "silent": "NO ANSWER", "away": "AWAY"}


def _options(given: argparse.Namespace) -> Options:
    return Options(
        given.broker,
        given.username,
        given.password_file,
        bool(given.tls),
        given.ca_file,
        given.cert_file,
        given.key_file,
    )


def list_devices(given: argparse.Namespace) -> int:
    """List every device; the exit status."""
    roster = Roster(given.prefix or "scrim")
    with Broker(address_of(_options(given)), roster.filters()) as broker:
        _fill(broker, roster, roster.note)
        if given.watch:
            with contextlib.suppress(KeyboardInterrupt):
                _watch(broker, roster, given)
        elif given.json:
            _print_json(in_order(_wanted(roster, given.group)))
        else:
            print("\n".join(_page(_wanted(roster, given.group))))
    return 0


def _wanted(roster: Iterable[Device], group: str | None) -> list[Device]:
    return [device for device in roster if group is None or group in device.groups]


def _fill(broker: Broker, roster: Roster, note: Callable[[Received], object]) -> None:
    """Take what the broker keeps; say how far it is, where that takes its time."""
    began_s = told_s = time.monotonic()

    def take(received: Received) -> None:
        nonlocal told_s
        note(received)
        if time.monotonic() - told_s > _WATCH_S and time.monotonic() - began_s > 2 * _WATCH_S:
            told_s = time.monotonic()
            _progress(f"{len(roster)} devices so far")

    settle(broker, take, _QUIET_S, _MOST_SETTLE_S)
    _progress("")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _page(devices: list[Device], most_lines: int | None = None) -> list[str]:
    lines = table(devices, time.time(), _width())
    if most_lines is not None and len(lines) > most_lines:
        hidden = len(lines) - most_lines + 1
        lines = [*lines[: most_lines - 1], f"… and {hidden} more; --group shows one group"]
    return [*lines, "", summary(devices)]


def _width() -> int:
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def _watch(broker: Broker, roster: Roster, given: argparse.Namespace) -> None:
    told: dict[str, str] = {}
    while True:
        devices = _wanted(roster, given.group)
        if given.json:
            _print_news(in_order(devices), told)
        else:
            _print_screen(devices, is_up=broker.is_up)
        end_s = time.monotonic() + _WATCH_S
        while (left_s := end_s - time.monotonic()) > 0:
            received = broker.next(left_s)
            if received is not None:
                roster.note(received)


def _print_screen(devices: list[Device], *, is_up: bool) -> None:
    is_terminal = sys.stdout.isatty()
    lines = _page(devices, shutil.get_terminal_size().lines - 3 if is_terminal else None)
    state = clock(time.time()) if is_up else f"{clock(time.time())}, no connection to the broker"
    text = "\n".join([*lines[:-1], f"{lines[-1]}, {state}"])
    print((_CLEAR_SCREEN if is_terminal else "") + text, flush=True)


def _print_json(devices: Iterable[Device]) -> None:
    for device in devices:
        print(json.dumps(device.as_json()), flush=True)


def _print_news(devices: Iterable[Device], told: dict[str, str]) -> None:
    """A line for each device of which something changed."""
    for device in devices:
        line = json.dumps(device.as_json())
        if told.get(device.id) != line:
            told[device.id] = line
            print(line, flush=True)


def change_settings(given: argparse.Namespace) -> int:
    """Send a change and tell who made it; the exit status."""
    target = _target(given)
    patch = combine(parse_assignment(text, "fleet set") for text in given.assignments)
    patience_s = JITTER_S[target.scope] + PATIENCE_S if given.wait is None else given.wait
    prefix, token = given.prefix or "scrim", make_token()
    roster, kept_at, kept = Roster(prefix), desired_topic(prefix, target), b""

    def take(received: Received) -> None:
        nonlocal kept
        if received.topic == kept_at:
            kept = received.payload
        roster.note(received)

    filters = [*roster.filters(), kept_at, answers_filter(prefix)]
    with Broker(address_of(_options(given)), filters) as broker:
        _fill(broker, roster, take)
        expected = in_order(device for device in roster if target.includes(device))
        change = Change(broker, prefix, token)
        if given.keep:
            change.keep(target, patch, kept, time.time())
        elif not change.send(target, patch) and not expected:
            print(f"scrim: {target}: there is no such device", file=sys.stderr)
            return EXIT_FAILURE
        answers = change.answers(expected, patience_s, take)
        return _tell(answers, roster, len(expected), is_json=given.json, is_kept=given.keep)


def _target(given: argparse.Namespace) -> Target:
    if given.all:
        return Target("all")
    scope, name = ("device", given.device) if given.device is not None else ("group", given.group)
    if not name or any(character in name for character in "/+#\0"):
        problem = Problem(f"--{scope}", name, "is no name", "letters a to z, digits, _ and -")
        raise ConfigError([problem], "command line")
    return Target("device", name) if scope == "device" else Target("group", name)


def _tell(answers: Iterable[Answer], roster: Roster, expected: int, *, is_json: bool, is_kept: bool) -> int:
    """A line for each device; the exit status. Who is away will do later what the broker keeps."""
    counts = dict.fromkeys(_WORDS, 0)
    for number, answer in enumerate(answers, 1):
        counts[answer.outcome] += 1
        _progress("")
        print(json.dumps(answer.as_json()) if is_json else _answer_line(answer, roster.get), flush=True)
        _progress(f"{number} of {expected}" if number < expected else "")
    missed = counts["refused"] + counts["silent"] + (0 if is_kept else counts["away"])
    if not is_json:
        words = (("refused", "refused"), ("silent", "did not answer"), ("away", "away"))
        rest = "".join(f", {counts[key]} {word}" for key, word in words if counts[key])
        print(f"{counts['done']} done{rest}")
    return EXIT_FAILURE if missed or not (counts["done"] or is_kept) else 0


def _answer_line(answer: Answer, device_of: Callable[[str], Device | None]) -> str:
    device = device_of(answer.device_id)
    name = plain(device.name) if device is not None and device.name != device.id else ""
    head = f"{plain(answer.device_id):16} {cut(name, 20)}".rstrip()
    after = "" if answer.after_s is None else f" after {answer.after_s:.1f} s"
    return f"{head}: {_WORDS[answer.outcome]}{after}: {plain(answer.text)}"

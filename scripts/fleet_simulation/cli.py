"""The command: connect, watch, change, restart the broker; then tell."""

import argparse
import asyncio
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from fleet_simulation.broker import Mosquitto, NoMosquittoError, cost_of
from fleet_simulation.counters import Count, Counters
from fleet_simulation.fleet import GROUP, Fleet
from fleet_simulation.watchers import Watchers

_PATIENCE_S = 300.0
_DESCRIPTION = """\
Let so many devices, each with the gateway's own MQTT part over a core that does nothing, work at one
mosquitto on this machine, and measure the broker: at rest, when a group is changed with "scrim fleet set",
and when the broker is restarted."""


@dataclass(slots=True)
class Result:
    """What was seen; rates a second, of the broker unless named otherwise.

    Attributes:
        devices: how many.
        mosquitto: its version.
        tls: whether TLS was spoken.
        watchers: clients that listen to everything.
        telemetry_interval_s: as asked.
        connect_s: until all were connected, of which ``spread_s`` was waited.
        connect_cpu_ms: CPU of the broker for one device's connection and first messages.
        messages: published, by the last level of their topic.
        bytes_in: of all packets.
        bytes_out: the same.
        cpu_percent: of one processor core.
        rss_bytes: resident memory.
        retained: messages that it keeps.
        simulator_cpu_percent: of one processor core, of all simulated devices together.
        change: a group change; see :class:`Acknowledged`.
        restart_s: from the broker's start until all are connected again.
        restart_cpu_ms: CPU of the broker for one device in that time.
        dropped: messages that broker and devices had no room for.
    """

    devices: int
    mosquitto: str
    tls: bool
    watchers: int
    telemetry_interval_s: float
    spread_s: float
    connect_s: float = 0.0
    connect_cpu_ms: float = 0.0
    messages: dict[str, float] = field(default_factory=dict)
    bytes_in: float = 0.0
    bytes_out: float = 0.0
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    retained: int = 0
    simulator_cpu_percent: float = 0.0
    change: "Acknowledged | None" = None
    restart_s: float | None = None
    restart_cpu_ms: float | None = None
    dropped: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Answers to one change of all devices' group, as ``scrim fleet set`` tells them.

    Attributes:
        done: devices that did it.
        missed: devices that refused or did not answer.
        first_s: until the first answer.
        median_s: until half of them.
        last_s: until the last.
        cpu_ms: CPU of the broker in all.
    """

    done: int
    missed: int
    first_s: float
    median_s: float
    last_s: float
    cpu_ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 when a device or a message was lost."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    _allow_files(4 * options.devices + 256)
    try:
        result = asyncio.run(_measure(options))
    except NoMosquittoError as error:
        print(f"simulate-fleet: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(result), indent=2) if options.json else table(result))
    return int(bool(result.faults))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate-fleet",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--devices", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="to watch at rest (default: %(default)s)")
    parser.add_argument(
        "--interval",
        type=float,
        default=10,
        help="seconds between two telemetry messages (default: %(default)s)",
    )
    parser.add_argument(
        "--presence",
        type=float,
        default=120,
        help="seconds until somebody comes or goes (default: %(default)s)",
    )
    parser.add_argument(
        "--spread", type=float, default=20, help="seconds to switch all on (default: %(default)s)"
    )
    parser.add_argument(
        "--watchers",
        type=int,
        default=1,
        help="clients that listen to everything, as a recorder (default: 1)",
    )
    parser.add_argument("--discovery", action="store_true", help="announce each device to Home Assistant too")
    parser.add_argument("--tls", action="store_true", help="speak TLS")
    parser.add_argument(
        "--persistent", action="store_true", help="let the broker keep its messages in a file"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def _allow_files(count: int) -> None:
    """A socket for each device, and as many in the broker, which inherits this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, most), most))


async def _measure(options: argparse.Namespace) -> Result:
    with tempfile.TemporaryDirectory(prefix="scrim-fleet-") as folder:
        broker = Mosquitto(Path(folder), with_tls=options.tls, is_persistent=options.persistent)
        result = Result(
            options.devices, broker.version, options.tls, options.watchers, options.interval, options.spread
        )
        with broker:
            fleet = Fleet(
                broker,
                options.devices,
                Path(folder),
                options.interval,
                options.presence,
                discovery=options.discovery,
            )
            watchers = Watchers(broker, options.watchers, Path(folder))
            await watchers.start()
            try:
                await _connect(fleet, broker, result)
                await _rest(fleet, broker, watchers, result, options.seconds)
                await _change(broker, result)
                await _restart(fleet, broker, result)
            finally:
                result.faults += [repr(error) for error in fleet.failures()]
                await fleet.stop()
                await watchers.stop()
    return result


async def _connect(fleet: Fleet, broker: Mosquitto, result: Result) -> None:
    _say(f"connecting {fleet.count} devices within {result.spread_s:g} s")
    before, began_s = broker.cost(), time.monotonic()
    await fleet.start(result.spread_s)
    if await fleet.until_connected(_PATIENCE_S) is None:
        result.faults.append(f"only {fleet.connected} of {fleet.count} connected")
    result.connect_s = time.monotonic() - began_s
    await asyncio.sleep(2)
    result.connect_cpu_ms = 1000 * (broker.cost().cpu_s - before.cpu_s) / fleet.count


async def _rest(fleet: Fleet, broker: Mosquitto, watchers: Watchers, result: Result, seconds: float) -> None:
    _say(f"watching for {seconds:g} s")
    counters = Counters(broker)
    try:
        first, before, ours, mark = await counters.now(), broker.cost(), cost_of(os.getpid()), watchers.mark()
        await asyncio.sleep(seconds)
        last, after, ours_after = await counters.now(), broker.cost(), cost_of(os.getpid())
        seen = watchers.since(mark)
    finally:
        counters.close()
    result.messages = {level: number / (after.at_s - before.at_s) for level, number in seen.most_common()}
    result.bytes_in = _rate(first, last, "bytes_received")
    result.bytes_out = _rate(first, last, "bytes_sent")
    result.retained = last.retained
    result.cpu_percent = after.cpu_percent_since(before)
    result.rss_bytes = after.rss_bytes
    result.simulator_cpu_percent = ours_after.cpu_percent_since(ours)
    result.dropped = last.dropped + fleet.dropped
    if result.dropped:
        result.faults.append(f"{result.dropped} messages were dropped")


def _rate(first: Count, last: Count, name: str) -> float:
    return (getattr(last, name) - getattr(first, name)) / (last.at_s - first.at_s)


async def _change(broker: Mosquitto, result: Result) -> None:
    _say("changing the group")
    before = broker.cost()
    where = ["--broker", f"{'localhost' if broker.ca_file else '127.0.0.1'}:{broker.port}"]
    where += ["--ca-file", str(broker.ca_file)] if broker.ca_file else []
    command = [
        sys.executable,
        "-m",
        "scrim",
        "fleet",
        "set",
        *where,
        "--group",
        GROUP,
        "--json",
        "strength=high",
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    answers = [json.loads(line) for line in output.splitlines()]
    after_s = sorted(answer["after_s"] for answer in answers if answer["outcome"] == "done")
    if len(after_s) < result.devices:
        result.faults.append(f"{result.devices - len(after_s)} devices did not acknowledge the change")
    if after_s:
        cpu_ms = 1000 * (broker.cost().cpu_s - before.cpu_s)
        result.change = Acknowledged(
            len(after_s), len(answers) - len(after_s), after_s[0], median(after_s), after_s[-1], cpu_ms
        )


async def _restart(fleet: Fleet, broker: Mosquitto, result: Result) -> None:
    _say("restarting the broker")
    broker.stop()
    await asyncio.sleep(0.5)
    broker.start()
    before = broker.cost()
    result.restart_s = await fleet.until_connected(_PATIENCE_S)
    if result.restart_s is None:
        result.faults.append(f"only {fleet.connected} of {fleet.count} came back")
    await asyncio.sleep(2)
    result.restart_cpu_ms = 1000 * (broker.cost().cpu_s - before.cpu_s) / fleet.count


def _say(text: str) -> None:
    print(f"simulate-fleet: {text}", file=sys.stderr, flush=True)


def table(result: Result) -> str:
    """For people."""
    kb = 1000
    levels = ", ".join(f"{level} {rate:.1f}" for level, rate in result.messages.items())
    rows = [
        ("devices", f"{result.devices}, telemetry every {result.telemetry_interval_s:g} s"),
        (
            "broker",
            f"mosquitto {result.mosquitto}{', TLS' if result.tls else ''}, {result.watchers} watching all",
        ),
        ("connected", f"all after {result.connect_s:.1f} s; {result.connect_cpu_ms:.2f} ms CPU each"),
        ("messages", f"{sum(result.messages.values()):.1f} /s: {levels}"),
        ("bytes", f"{result.bytes_in / kb:.1f} kB/s in, {result.bytes_out / kb:.1f} kB/s out"),
        ("broker's CPU", f"{result.cpu_percent:.1f} % of one core"),
        ("broker's memory", f"{result.rss_bytes / 1e6:.1f} MB, {result.retained} messages kept"),
        ("simulator's CPU", f"{result.simulator_cpu_percent:.0f} % of one core, for all devices"),
    ]
    if result.change is not None:
        change = result.change
        times = f"first {change.first_s:.2f} s, half {change.median_s:.2f} s, last {change.last_s:.2f} s"
        rows.append(
            ("group change", f"{change.done} done, {change.missed} not; {times}; {change.cpu_ms:.0f} ms CPU")
        )
    if result.restart_s is not None and result.restart_cpu_ms is not None:
        rows.append(
            (
                "broker restarted",
                f"all back after {result.restart_s:.1f} s; {result.restart_cpu_ms:.2f} ms CPU each",
            )
        )
    rows += [("FAULT", fault) for fault in result.faults]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)

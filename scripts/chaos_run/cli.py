"""The command: let it rain, watch, tell."""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from chaos_run.faults import FAULTS, Fault
from chaos_run.report import Outcome, Presence, table
from chaos_run.stage import Stage, staged, wait_until_live
from chaos_run.supervisor import Service
from scrim.core.crashes import LAST_REST_S
from scrim.errors import ScrimError

PATIENCE_S = LAST_REST_S + 90.0
"""The longest safe mode, which several loops of crashes lead to, and a start on a busy machine."""

_LOOK_S = 0.1
_TWO_AT_ONCE = 0.25
_PAUSES_S = (0.3, 6.0)
_PROGRESS_S = 10.0
_RAW_PICTURES = 5
_OPERATOR_S = 4.0
"""So often somebody looks whether it is off, while no picture comes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 when a promise was broken."""
    options = _parser().parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    chosen = [fault for fault in FAULTS if any(text in fault.name for text in options.only or [""])]
    if not chosen:
        raise SystemExit("chaos: --only: no such fault; there are " + ", ".join(one.name for one in FAULTS))
    evidence = Path(tempfile.mkdtemp(prefix="scrim-chaos-evidence-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = run(options.minutes * 60, seed, evidence, chosen)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    print(json.dumps(outcome.as_dict(), indent=2) if options.json else table(outcome))
    if outcome.is_good:
        shutil.rmtree(evidence)
    else:
        print(f"logs, and pictures with the room in them: {evidence}", file=sys.stderr)
    return 0 if outcome.is_good else 1


def run(seconds: float, seed: int, evidence: Path, faults: Sequence[Fault] = FAULTS) -> Outcome:
    """Start everything, prove the detector, let faults happen for so long.

    Args:
        seconds: of faults.
        seed: of the random numbers; the same gives the same faults in the same order.
        evidence: folder for logs, and for pictures in which the room was found.
        faults: that may happen.
    """
    with staged(evidence) as stage, ExitStack() as stack:
        for output in stage.outputs:
            output.start()
            stack.callback(output.stop)
        raw_seen = _prove_the_detector(stage)
        for unit in (stage.gateway, stage.core):
            unit.start()
            stack.callback(_end, unit, evidence)
        _tell("waiting for the first picture")
        wait_until_live(stage, PATIENCE_S)
        presence, services = Presence(), {"core": stage.core.past, "gateway": stage.gateway.past}
        outcome = Outcome(seconds, seed, raw_seen, presence, stage.outputs, services)
        stack.enter_context(_watching(stage, presence))
        _rain(stage, outcome, random.Random(seed), seconds, faults)  # noqa: S311  (nothing is kept secret by it)
    return outcome


def _prove_the_detector(stage: Stage) -> dict[str, tuple[int, int]]:
    """Let raw pictures out, at every output, until the detector has seen them; then forget that.

    Only here, by the local file, and with units of their own.
    """
    _tell("raw pictures are let out, to prove that the detector sees them at every output")
    stage.write_settings(allow_raw=True)
    core, gateway = stage.core.again("core-raw"), stage.gateway.again("gateway-raw")
    core.start()
    gateway.start()
    try:
        wait_until_live(stage, PATIENCE_S)
        with stage.client() as client:
            client.set({"effect": "off"}, remember=False)
        deadline_s = time.monotonic() + PATIENCE_S / 2
        while any(output.flagged < _RAW_PICTURES for output in stage.outputs):
            if time.monotonic() > deadline_s or core.past.gave_up or gateway.past.gave_up:
                break
            time.sleep(_LOOK_S)
    finally:
        gateway.stop()
        core.stop()
        stage.write_settings(allow_raw=False)
    time.sleep(1.0)  # whatever was on its way to a watcher
    seen = {output.name: (output.flagged, output.pictures) for output in stage.outputs}
    for output in stage.outputs:
        output.forget()
    _tell("; ".join(f"{name}: seen in {flagged} of {of}" for name, (flagged, of) in seen.items()))
    return seen


def _rain(
    stage: Stage, outcome: Outcome, rng: random.Random, seconds: float, faults: Sequence[Fault]
) -> None:
    began_s = told_s = time.monotonic()
    number = 0
    while time.monotonic() - began_s < seconds:
        chosen = _choose(rng, faults)
        name = " + ".join(sorted(fault.name for fault in chosen))
        _happen(stage, chosen, rng)
        took_s = _recovery_s(stage)
        number += 1
        outcome.safe_modes = stage.safe_modes
        if took_s is None:
            outcome.lost.append(name)
        else:
            outcome.recoveries[name if len(chosen) == 1 else "two at once"].append(took_s)
        if time.monotonic() - told_s > _PROGRESS_S or took_s is None or outcome.leaks:
            told_s = time.monotonic()
            _progress(outcome, number, told_s - began_s, seconds, name, took_s)
        time.sleep(rng.uniform(*_PAUSES_S))


def _choose(rng: random.Random, faults: Sequence[Fault]) -> list[Fault]:
    count = 2 if rng.random() < _TWO_AT_ONCE and len(faults) > 1 else 1
    chosen: dict[str, Fault] = {}
    while len(chosen) < count:
        fault = rng.choices(faults, [fault.weight for fault in faults])[0]
        chosen[fault.name] = fault
    return list(chosen.values())


def _happen(stage: Stage, chosen: list[Fault], rng: random.Random) -> None:
    with ExitStack() as stack:
        for fault in chosen:
            stack.enter_context(fault.run(stage, rng))
        time.sleep(max(rng.uniform(*fault.lasts_s) for fault in chosen))


def _recovery_s(stage: Stage) -> float | None:
    """Until there is a picture taken from now on, and the gateway runs; None: it never comes."""
    healed_s = time.monotonic()
    next_s = healed_s + _OPERATOR_S
    while (now_s := time.monotonic()) - healed_s < PATIENCE_S:
        if stage.feed.live_pts_s > healed_s and stage.gateway.is_up:
            return max(0.0, stage.feed.live_s - healed_s)
        if now_s >= next_s:
            next_s = now_s + _OPERATOR_S
            _switch_on(stage)
        time.sleep(_LOOK_S)
    return None


def _switch_on(stage: Stage) -> None:
    """Do what a person does who finds the camera off: a crash may leave it as it was some seconds before."""
    with suppress(ScrimError), stage.client() as client:
        if client.status()["state"] == "off":
            client.set({"effect": "color", "color": "#204060", "camera": {"is_enabled": True}})


class _watching:  # noqa: N801  (used as a function)
    """Counts what a viewer of the feed sees."""

    def __init__(self, stage: Stage, presence: Presence) -> None:
        self._stage = stage
        self._presence = presence
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        feed, presence = self._stage.feed, self._presence
        while not self._stopping.wait(_LOOK_S):
            now_s = time.monotonic()
            gap_s = now_s - feed.newest_s
            presence.looks += 1
            presence.pictured += gap_s < 1
            presence.live += now_s - feed.live_s < 1
            presence.longest_gap_s = max(presence.longest_gap_s, gap_s)


def _end(unit: Service, evidence: Path) -> None:
    unit.stop()
    shutil.copy(unit.log, evidence)


def _progress(
    outcome: Outcome, number: int, now_s: float, seconds: float, name: str, took_s: float | None
) -> None:
    minutes, rest_s = divmod(int(now_s), 60)
    presence = outcome.presence
    live = 100 * presence.live / max(1, presence.looks)
    came = "NOT BACK" if took_s is None else f"back after {took_s:.1f} s"
    _tell(
        f"{minutes:3}:{rest_s:02} of {seconds / 60:g} min, {number} faults, live {live:.1f} %, "
        f"{outcome.leaks} leaks; {name}: {came}"
    )


def _tell(text: str) -> None:
    print(f"chaos: {text}", file=sys.stderr, flush=True)


_EPILOG = """\
examples:
  scripts/chaos --minutes 2
  scripts/chaos --minutes 5 --only "crash loop"
  nice -n 19 scripts/chaos --minutes 60 --seed 7 --json
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Let faults happen at random times to a real core and a real gateway, and search "
        "everything that they show for the room. Runs on loopback, in a folder of its own; needs "
        "mosquitto, and ffmpeg for the RTSP stream.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: %(default)g)")
    parser.add_argument("--seed", type=int, help="of the random numbers; the report tells which was taken")
    parser.add_argument(
        "--only",
        action="append",
        metavar="TEXT",
        help="faults with this in their name, repeatable; default: all",
    )
    parser.add_argument("--json", action="store_true", help="the report for programs")
    return parser

"""The long run: inputs with a new outcome are kept and changed further; time and memory are watched."""

import faulthandler
import hashlib
import random
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutation import MOST_BYTES, random_mutation
from tests.fuzz.target import Target

HANG_S = 120
"""An input that takes longer in real time ends the run with every thread's stack."""

MOST_KEPT = 2000
_WARM_UP = 500


@dataclass
class Report:
    """What came of a run.

    Attributes:
        inputs: how many were thrown.
        outcomes: how many different ones.
        slowest_s: processor time of the slowest input.
        grown_mb: by how much resident memory grew after the first inputs.
        findings: files with inputs that broke something.
    """

    inputs: int = 0
    outcomes: int = 0
    slowest_s: float = 0.0
    grown_mb: float = 0.0
    findings: list[Path] = field(default_factory=list)


def fuzz(target: Target, seconds: float, seed: int, folder: Path, most_findings: int = 5) -> Report:
    """Throw inputs at a target for some time.

    Args:
        target: stays the caller's to close.
        seconds: real time.
        seed: of the chance; the same throws the same, as far as outcomes are the same.
        folder: where findings are put.
        most_findings: after so many the run ends.
    """
    report, chance, seen = Report(), random.Random(seed), set[str]()
    kept = list(target.seeds)
    end_s = time.monotonic() + seconds
    resident_kb = 0
    while time.monotonic() < end_s and len(report.findings) < most_findings:
        data = _changed(chance, kept, target.words)
        outcome = _thrown(target, data, report, folder)
        if outcome is not None and outcome not in seen:
            seen.add(outcome)
            kept = [*kept[-MOST_KEPT:], data]
        report.inputs += 1
        if report.inputs == _WARM_UP:
            resident_kb = _resident_kb()
    report.outcomes = len(seen)
    report.grown_mb = (_resident_kb() - resident_kb) / 1024 if resident_kb else 0.0
    return report


def _changed(chance: random.Random, kept: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    data = chance.choice(kept)
    for _ in range(1 << chance.randrange(5)):
        data = random_mutation(chance, words, kept).of(data)
    return data[:MOST_BYTES]


def _thrown(target: Target, data: bytes, report: Report, folder: Path) -> str | None:
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    began_s = time.process_time()
    try:
        outcome = target.run(data)
        took_s = time.process_time() - began_s
        report.slowest_s = max(report.slowest_s, took_s)
        if took_s <= target.limit_s:
            return outcome
        text = f"took {took_s:.2f} s of processor time, {target.limit_s} allowed"
    except Exception:  # noqa: BLE001  (whatever it is, it is what is looked for)
        text = traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(text)
    report.findings.append(path)
    return None


def _resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])

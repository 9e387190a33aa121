"""What came of it, for people and for programs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from chaos_run.outputs import Output
from chaos_run.supervisor import Past


@dataclass
class Presence:
    """What a viewer of the feed saw, looked at ten times a second.

    Attributes:
        looks: in all.
        pictured: a picture, the placeholder or another, had come within the last second.
        live: a picture of the camera had.
        longest_gap_s: without any picture.
    """

    looks: int = 0
    pictured: int = 0
    live: int = 0
    longest_gap_s: float = 0.0


@dataclass
class Outcome:
    """All figures of a run.

    Attributes:
        seconds: that it took.
        seed: of the random numbers.
        raw_seen: for each output, in how many of its pictures the detector saw the room while raw pictures
            were allowed, and of how many: the proof that it would have seen a leak.
        recoveries: for each kind of fault, the seconds from its end to a picture of the camera.
        lost: faults after which none came.
        safe_modes: how often the core was seen in safe mode.
        presence: see there.
        outputs: who watched.
        services: name to past.
    """

    seconds: float
    seed: int
    raw_seen: Mapping[str, tuple[int, int]]
    presence: Presence
    outputs: Sequence[Output]
    services: Mapping[str, Past]
    recoveries: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lost: list[str] = field(default_factory=list)
    safe_modes: int = 0

    @property
    def leaks(self) -> int:
        """Pictures in which the room was found."""
        return sum(output.flagged for output in self.outputs)

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        has_looked = all(output.pictures and self.raw_seen[output.name][0] for output in self.outputs)
        gave_up = any(past.gave_up for past in self.services.values())
        return not self.leaks and not self.lost and has_looked and not gave_up

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "minutes": round(self.seconds / 60, 1),
            "seed": self.seed,
            "is_good": self.is_good,
            "faults": sum(map(len, self.recoveries.values())) + len(self.lost),
            "not_recovered": self.lost,
            "recovery_s": {
                name: {"count": len(times), "median": _round(median(times)), "longest": _round(max(times))}
                for name, times in sorted(self.recoveries.items())
            },
            "availability": {
                "picture": _share(self.presence.pictured, self.presence.looks),
                "live": _share(self.presence.live, self.presence.looks),
                "longest_gap_s": _round(self.presence.longest_gap_s),
            },
            "safe_modes": self.safe_modes,
            "leaks": self.leaks,
            "outputs": {output.name: self._output(output) for output in self.outputs},
            "services": {name: _past(past) for name, past in self.services.items()},
        }

    def _output(self, output: Output) -> dict[str, Any]:
        seen, of = self.raw_seen[output.name]
        return {
            "pictures": output.pictures,
            "flagged": output.flagged,
            "highest_score": _round(output.highest),
            "raw_seen": f"{seen} of {of}",
        }


def table(outcome: Outcome) -> str:
    """For people."""
    found = outcome.as_dict()
    told = "{minutes:g} minutes, seed {seed}, {faults} faults; ".format(**found)
    seen = "a picture {picture:.2%} of the time, the camera's {live:.2%}; at most {longest_gap_s:g} s without"
    lines = [
        told + f"{len(outcome.lost)} not recovered from; safe mode {outcome.safe_modes} times",
        seen.format(**found["availability"]),
        "",
        f"{'fault':36} {'times':>5} {'median':>8} {'longest':>8}   seconds from its end to a live picture",
    ]
    for name, times in found["recovery_s"].items():
        lines.append(f"{name:36} {times['count']:5} {times['median']:8.2f} {times['longest']:8.2f}")
    lines += [f"{name:36} never came back" for name in outcome.lost]
    lines += [
        "",
        f"{'output':10} {'pictures':>9} {'with room':>9} {'highest z':>9}   seen when raw was allowed",
    ]
    for name, one in found["outputs"].items():
        row = "{pictures:9} {flagged:9} {highest_score:9.2f}   {raw_seen}".format(**one)
        lines.append(f"{name:10} {row}")
    lines += ["", f"{'process':10} {'starts':>6} {'peak MB':>8} {'first':>7} {'last':>7} {'fds':>4}   ends"]
    for name, past in found["services"].items():
        ends = ", ".join(f"{count} x {how}" for how, count in sorted(past["ends"].items()))
        lines.append(
            f"{name:10} {past['starts']:6} {past['peak_mb']:8.1f} {past['first_mb']:7.1f} "
            f"{past['last_mb']:7.1f} {past['most_descriptors']:4}   {ends}"
        )
    lines += ["", "every promise was kept" if outcome.is_good else "A PROMISE WAS BROKEN"]
    return "\n".join(lines)


def _past(past: Past) -> dict[str, Any]:
    return {
        "starts": past.starts,
        "ends": dict(past.ends),
        "peak_mb": _round(past.peak_mb),
        "first_mb": _round(past.first_mb),
        "last_mb": _round(past.last_mb),
        "most_descriptors": past.most_descriptors,
        "gave_up": past.gave_up,
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0


def _round(value: float) -> float:
    return round(value, 2)

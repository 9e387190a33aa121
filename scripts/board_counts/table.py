"""Counts and estimates, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from board_counts.estimate import board_of, estimate, mean

STAGES = ("input", "segment", "matte", "composite")


def judged(counted: Mapping[str, Any]) -> dict[str, Any]:
    """One row that was counted, with its mean, its board and the estimate.

    Raises:
        ValueError: its rounds differ.
    """
    board, instructions = board_of(counted["cpu"]), mean(counted["instructions"])
    frame = estimate(board, instructions, counted["width"], counted["height"])
    return {
        **counted,
        "board": board.name,
        "instructions_per_frame": round(instructions),
        "least_ms": round(frame.least_ms, 1),
        "most_ms": round(frame.most_ms, 1),
        "keeps_budget_at_30_fps": frame.verdict,
    }


def table(judgements: Sequence[Mapping[str, Any]]) -> str:
    """Millions of instructions per frame and stage, and between which milliseconds a frame takes."""
    return "\n".join(_lines(judgements))


def _lines(judgements: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    head = f"{'what':38} {'M instr.':>8} " + " ".join(f"{name:>9}" for name in STAGES)
    head += f" {'ms, an estimate':>16} {'30 fps':>8}"
    cpu = None
    for one in judgements:
        if one["cpu"] != cpu:
            cpu = one["cpu"]
            yield from ("", f"{cpu}, {one['board']}", head, "-" * len(head))
        stages = " ".join(_millions(one["stages"].get(name)) for name in STAGES)
        milliseconds = f"{one['least_ms']} to {one['most_ms']}"
        instructions = one["instructions_per_frame"] / 1e6
        verdict = one["keeps_budget_at_30_fps"]
        yield f"{_what(one):38} {instructions:8.1f} {stages} {milliseconds:>16} {verdict:>8}"


def _millions(instructions: float | None) -> str:
    return " " * 9 if instructions is None else f"{instructions / 1e6:9.1f}"


def _what(one: Mapping[str, Any]) -> str:
    """Such as ``1280x720 blur, int8``: what differs from a plain frame."""
    words = [f"{one['width']}x{one['height']} {one['effect']}"]
    words += [one["form"]] * (one["form"] != "float16")
    words += ["floor"] * one["is_floor"] + [f"level {one['level']}"] * (one["level"] > 0)
    words += [one["model"]] * (one["model"] != "person-256x144")
    words += ["without C"] * (not one["has_extensions"])
    return ", ".join(words)

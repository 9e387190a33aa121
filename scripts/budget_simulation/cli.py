"""The command: replay, judge, print, draw."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from budget_simulation.board import play
from budget_simulation.judge import Verdict, judge
from budget_simulation.picture import draw
from budget_simulation.scenarios import scenarios


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 when a promise is broken."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate-budget",
        description="Replay loads against the time budget. Promised: reacts within 2 s, settles within 5 s, "
        "then changes the level at most once in 30 s.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="scenario", help="only those whose name contains one of these"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the noise (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw level and time over time")
    options = parser.parse_args(arguments)
    chosen = [
        one for one in scenarios() if not options.names or any(name in one.name for name in options.names)
    ]
    if not chosen:
        parser.error(f"no scenario is called {' or '.join(options.names)}")
    runs = [play(scenario, options.seed) for scenario in chosen]
    verdicts = [judge(run) for run in runs]
    if options.svg:
        options.svg.write_text(draw(runs, verdicts))
    print(
        json.dumps([asdict(verdict) for verdict in verdicts], indent=2) if options.json else table(verdicts)
    )
    return int(any(verdict.failures for verdict in verdicts))


def table(verdicts: Sequence[Verdict]) -> str:
    """For people."""
    head = (
        "scenario",
        "reacts s",
        "settles s",
        "changes",
        "in 30 s",
        "others",
        "over %",
        "load %",
        "level",
        "every",
    )
    rows = [head, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row, verdict in zip(rows, [None, *verdicts], strict=True):
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells) + _remark(verdict))
    return "\n".join(lines)


def _row(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.scenario,
        _seconds(verdict.react_s),
        _seconds(verdict.settle_s),
        str(verdict.changes),
        str(verdict.most_changes),
        "" if verdict.reference_changes is None else str(verdict.reference_changes),
        f"{verdict.over_percent:.1f}",
        f"{verdict.load_percent:.0f}",
        str(verdict.level),
        f"1/{verdict.every}",
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _remark(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    if verdict.failures:
        return "  BROKEN: " + "; ".join(verdict.failures)
    return "  (bottom of the ladder)" if verdict.is_bottom else ""


if __name__ == "__main__":
    sys.exit(main())

"""``scripts/fuzz``: throw changed inputs at every door of scrim for some minutes."""

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.engine import fuzz
from tests.fuzz.targets import TARGETS, make


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Returns:
        Exit status: 0 nothing found, 1 something.
    """
    options = _parser().parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if options.replay:
        return _replay(options.targets, options.replay)
    if options.guided:
        return _guided(options)
    failed = False
    for name in options.targets or TARGETS:
        target = make(name)
        try:
            report = fuzz(target, options.minutes * 60, options.seed, options.folder / name)
        finally:
            target.close()
        failed |= bool(report.findings)
        row = {
            "target": name,
            "inputs": report.inputs,
            "outcomes": report.outcomes,
            "slowest_ms": round(report.slowest_s * 1000, 1),
            "grown_mb": round(report.grown_mb, 1),
            "findings": [str(path) for path in report.findings],
        }
        print(json.dumps(row), flush=True)
    return 1 if failed else 0


def _guided(options: argparse.Namespace) -> int:
    """By Atheris, each target in a process of its own, because libFuzzer ends the one that it is in."""
    failed = False
    for name in options.targets or TARGETS:
        program = (
            "import logging, pathlib, sys; from tests.fuzz.guided import fuzz_guided; logging.disable(50); "
            "fuzz_guided(sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]))"
        )
        arguments = [name, str(round(options.minutes * 60)), str(options.folder / name)]
        done = subprocess.run([sys.executable, "-c", program, *arguments], check=False)
        failed |= done.returncode != 0
    return 1 if failed else 0


def _replay(names: list[str], path: Path) -> int:
    """Throw one input once more, and let the error be seen."""
    for name in names:
        target = make(name)
        try:
            print(target.run(path.read_bytes()))
        finally:
            target.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all of them")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target (1)")
    parser.add_argument(
        "--guided", action="store_true", help="by coverage, with Atheris: .venv/bin/pip install atheris"
    )
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="of the chance")
    parser.add_argument("--folder", type=Path, default=Path(".cache/fuzz"), help="for findings (.cache/fuzz)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="throw this finding once more")
    return parser


if __name__ == "__main__":
    sys.exit(main())

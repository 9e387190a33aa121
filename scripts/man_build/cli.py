"""``scripts/build-man``: write scrim's manual pages anew."""

import argparse
import sys
from pathlib import Path

from man_build import commands, settings

FOLDER = Path(__file__).resolve().parents[2] / "man"
PAGES = {"scrim.1": commands.page, "scrim.toml.5": settings.page}


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line, without the program's name.

    Returns:
        Exit status: 0 done; 1 with ``--check``, where a page is not what it would be.
    """
    parser = argparse.ArgumentParser(prog="scripts/build-man", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say which page is out of date")
    options = parser.parse_args(arguments)
    old = [name for name, page in PAGES.items() if _read(FOLDER / name) != page()]
    if options.check:
        mend = "scripts/build-man, or PYTHONPATH=daemon:scripts python -m man_build"
        for name in old:
            print(f"man/{name} is out of date: {mend}", file=sys.stderr)
        return 1 if old else 0
    FOLDER.mkdir(exist_ok=True)
    for name in old:
        (FOLDER / name).write_text(PAGES[name]())
        print(f"wrote man/{name}")
    return 0


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""

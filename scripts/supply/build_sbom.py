"""``scripts/build-sbom``: write the SBOM of each Debian release."""

import argparse
import sys
from pathlib import Path

from supply import licences
from supply.locks import RELEASES, ROOT
from supply.sbom import bill


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Returns:
        Exit status: 0 done; 1 where a licence may not come in.
    """
    parser = argparse.ArgumentParser(prog="scripts/build-sbom", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER", help="default dist")
    options = parser.parse_args(arguments)
    table = licences.read()
    if problems := table.problems():
        print(
            "\n".join(["build-sbom: not allowed in requirements/licences.toml:", *problems]), file=sys.stderr
        )
        return 1
    options.output.mkdir(parents=True, exist_ok=True)
    for release in RELEASES:
        path = options.output / f"scrim-{release}.cdx.json"
        path.write_text(bill(release, table))
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

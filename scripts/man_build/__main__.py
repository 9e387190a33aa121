"""Runs ``scripts/build-man``."""

import sys

from man_build.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Runs ``scripts/soak``."""

import sys

from soak_run.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Runs ``scripts/simulate-budget``."""

import sys

from budget_simulation.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Runs ``scripts/simulate-fleet``."""

import sys

from fleet_simulation.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Runs ``scripts/chaos``."""

import sys

from chaos_run.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m scrim``."""

import sys

from scrim.cli import main

sys.exit(main())

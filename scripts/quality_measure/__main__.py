"""``python -m quality_measure``."""

import sys

from quality_measure.cli import main

sys.exit(main())

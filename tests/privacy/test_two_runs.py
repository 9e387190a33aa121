"""P2 to P6 under any schedule: two runs before two cameras, see README.md.

A few hundred sequences always; before a release 20,000 new ones::

    SCRIM_PRIVACY_SEQUENCES=20000 python -m pytest tests/privacy/test_two_runs.py
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from .promises import check
from .schedule import Schedule, schedules

SEQUENCES = int(os.environ.get("SCRIM_PRIVACY_SEQUENCES", "300"))
IS_RELEASE = "SCRIM_PRIVACY_SEQUENCES" in os.environ


@pytest.mark.usefixtures("no_waiting")
@settings(
    max_examples=SEQUENCES,
    derandomize=not IS_RELEASE,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(schedule=schedules)
def test_the_room_leaks_through_no_sequence(folder: Path, schedule: Schedule) -> None:
    check(schedule, folder)

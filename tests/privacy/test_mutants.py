"""The proof of the proof: every seeded leak is found by the check of test_two_runs, in the same sequences."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .mutants import MUTANTS, Mutant
from .promises import LeakError, check
from .schedule import Schedule, schedules

SEQUENCES = 300
"""As many as are always played with the real parts; a seeded leak that needs more would go unnoticed."""


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_leak_is_caught(folder: Path, mutant: Mutant) -> None:
    @settings(
        max_examples=SEQUENCES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(schedule=schedules)
    def play(schedule: Schedule) -> None:
        check(schedule, folder, mutant.parts)

    with pytest.raises(LeakError):
        play()

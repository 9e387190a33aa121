"""The proof of the proof: the check of test_two_runs finds every seeded leak, in sequences of that kind."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .mutants import MUTANTS, Mutant
from .promises import LeakError, check
from .rig import foresee
from .scene import Sight
from .schedule import Schedule, schedules

SEQUENCES = 300
"""A seeded leak that needs more than these is one that goes unnoticed."""


@pytest.fixture(scope="module")
def sequences() -> list[Schedule]:
    """The same ones each time, and for each leak."""
    drawn: list[Schedule] = []

    @settings(
        max_examples=SEQUENCES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedule=schedules)
    def draw(schedule: Schedule) -> None:
        drawn.append(schedule)

    draw()
    return drawn


@pytest.fixture(scope="module")
def foreseen(sequences: list[Schedule], folder: Path) -> "Foreseen":
    return Foreseen(sequences, folder)


class Foreseen:
    """How the frames of each sequence are to be seen, found out once."""

    def __init__(self, sequences: list[Schedule], folder: Path) -> None:
        self._sequences, self._folder = sequences, folder
        self._sights: dict[int, Mapping[int, Sight]] = {}

    def __getitem__(self, number: int) -> Mapping[int, Sight]:
        if number not in self._sights:
            self._sights[number] = foresee(self._sequences[number], self._folder)
        return self._sights[number]


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_leak_is_caught(
    folder: Path, sequences: list[Schedule], foreseen: Foreseen, mutant: Mutant
) -> None:
    def play() -> None:
        for number, schedule in enumerate(sequences):
            check(schedule, folder, mutant.parts, foreseen[number])

    with pytest.raises(LeakError):
        play()

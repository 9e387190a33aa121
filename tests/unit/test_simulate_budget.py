"""The simulator of the budget: its promises under every load, its command, its picture."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from budget_simulation import board, cli, judge, picture, scenarios

ALL = scenarios.scenarios()


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_promises_are_kept(scenario):
    verdict = judge.judge(board.play(scenario))
    assert verdict.failures == ()
    assert verdict.react_s is None or verdict.react_s <= 2
    assert verdict.settle_s is None or verdict.settle_s <= 5
    assert verdict.most_changes <= 1


def test_the_reference_loads_are_all_there():
    assert sum(bool(scenario.reference) for scenario in ALL) == 14


def test_where_others_swing_for_ever_scrim_comes_to_rest():
    verdicts = [judge.judge(board.play(scenario)) for scenario in ALL if scenario.reference]
    assert sum(verdict.reference_changes or 0 for verdict in verdicts) > 150
    assert max(verdict.changes for verdict in verdicts) <= 4


def test_a_steady_load_stays_at_rest_for_an_hour():
    load = scenarios.Scenario("hour", 30, 50, scenarios.PI_4, 3600, jitter=0.1)
    changes = board.play(load).changes
    assert len(changes) <= 3
    assert changes[-1].since_s < 5


def test_the_pipeline_does_not_fall_behind_at_the_full_budget():
    run = board.play(scenarios.Scenario("full", 30, 100, scenarios.FrameCost(5, 16, 6, 4), 120, jitter=0.2))
    settled = [frame for frame in run.frames if frame.at_s > 10]
    late = sum(frame.spent_ms > 1000 / 30 * frame.level.every for frame in settled)
    assert late / len(settled) < 0.1


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    rate=st.sampled_from([5, 10, 15, 24, 30, 60]),
    percent=st.integers(20, 100),
    load=st.floats(0.1, 8),
    parts=st.tuples(*[st.floats(0.1, 1)] * 4),
    jitter=st.sampled_from([0, 0.05, 0.1, 0.2]),
)
def test_any_steady_load_is_brought_to_rest(rate, percent, load, parts, jitter):
    scale = load * 10 * percent / rate / sum(parts)
    cost = scenarios.FrameCost(*(scale * part for part in parts))
    run = board.play(scenarios.Scenario("random", rate, percent, cost, 120, jitter=jitter))
    assert judge.judge(run).most_changes <= 1
    assert len(run.changes) <= 7


def test_the_command_answers_programs(capsys):
    assert cli.main(["--json", "v1 load 8", "Pi 5"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["scenario"] for answer in answers] == ["v1 load 8", "Pi 5, 30 fps", "Pi 5, 60 fps"]


def test_the_command_answers_people(capsys):
    assert cli.main(["v2 load 5"]) == 0
    assert "(bottom of the ladder)" in capsys.readouterr().out


def test_a_broken_promise_is_an_exit_status(capsys, monkeypatch):
    monkeypatch.setattr(judge, "REACT_S", 0.1)
    assert cli.main(["step x 2"]) == 1
    assert "BROKEN: reacts after" in capsys.readouterr().out


def test_an_unknown_scenario_is_told(capsys):
    with pytest.raises(SystemExit):
        cli.main(["nothing like it"])
    assert "no scenario is called nothing like it" in capsys.readouterr().err


def test_the_picture_is_well_formed_and_always_the_same():
    runs = [board.play(scenario) for scenario in ALL[:3]]
    verdicts = [judge.judge(run) for run in runs]
    text = picture.draw(runs, verdicts)
    assert text == picture.draw([board.play(scenario) for scenario in ALL[:3]], verdicts)
    assert ET.fromstring(text).attrib["role"] == "img"
    assert all(scenario.name in text for scenario in ALL[:3])

"""Counting and timing."""

import pytest

from scrim.core.stats import BUCKETS_MS, Histogram, Percentiles, RateMeter, StageClock

SECOND_NS = 1_000_000_000


def test_a_stage_s_first_time_is_its_average_and_later_ones_move_it():
    clock = StageClock(weight=0.5)
    clock.add("segment", 10)
    assert clock.averages_ms() == {"segment": 10}
    clock.add("segment", 20)
    assert clock.averages_ms() == {"segment": 15}
    assert clock.total_ms["segment"] == 30
    assert clock.count["segment"] == 2


def test_a_stage_is_counted_also_when_it_fails():
    clock = StageClock()
    with pytest.raises(ValueError, match="planted"), clock.stage("segment"):
        raise ValueError("planted")
    assert clock.count["segment"] == 1
    assert clock.total_ms["segment"] >= 0


def test_averages_are_a_copy():
    clock = StageClock()
    clock.add("segment", 1)
    clock.averages_ms()["segment"] = 99
    assert clock.averages_ms() == {"segment": 1}


def test_no_events_and_one_event_have_no_rate():
    meter = RateMeter()
    assert meter.rate_hz(0) == 0
    meter.tick(0)
    assert meter.rate_hz(1) == 0


@pytest.mark.parametrize("rate_hz", [5, 30, 120])
def test_a_steady_rate(rate_hz: int):
    meter = RateMeter(window_s=2)
    for number in range(rate_hz * 10):
        meter.tick(number * SECOND_NS // rate_hz)
    assert meter.rate_hz(10 * SECOND_NS) == pytest.approx(rate_hz, rel=0.05)
    assert meter.total == rate_hz * 10


def test_a_young_meter_knows_its_rate_already():
    meter = RateMeter(window_s=2)
    for number in range(15):
        meter.tick(number * SECOND_NS // 30)
    assert meter.rate_hz(SECOND_NS // 2) == pytest.approx(30, rel=0.05)


def test_the_rate_falls_to_zero_when_nothing_comes():
    meter = RateMeter(window_s=2)
    for number in range(60):
        meter.tick(number * SECOND_NS // 30)
    assert meter.rate_hz(5 * SECOND_NS) == 0


def test_percentiles():
    values = Percentiles()
    assert values.at(50) == 0
    for number in range(100, 0, -1):
        values.add(number)
    assert values.at(0) == 1
    assert values.at(50) == pytest.approx(50, abs=1)
    assert values.at(95) == pytest.approx(95, abs=1)
    assert values.at(100) == 100


def test_percentiles_forget_the_oldest():
    values = Percentiles(size=3)
    for number in (1000, 1, 2, 3):
        values.add(number)
    assert values.at(100) == 3


def test_a_histogram_counts_up_to_each_bound_as_prometheus_does():
    histogram = Histogram()
    for value_ms in (0.5, 2.0, 2.001, 33.0, 199.9, 200.0, 200.1, 5000.0):
        histogram.add(value_ms)
    assert histogram.cumulative() == [2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 6, 8]
    assert histogram.total_ms == pytest.approx(5637.501)


def test_the_bounds_are_the_ones_that_operators_are_promised():
    assert [bound / 1000 for bound in BUCKETS_MS] == [
        0.002, 0.004, 0.008, 0.012, 0.016, 0.024, 0.033, 0.05, 0.066, 0.1, 0.2,
    ]  # fmt: skip


def test_each_stage_has_a_histogram_and_an_unknown_one_is_empty():
    clock = StageClock()
    for _ in range(3):
        clock.add("segment", 5.0)
    assert clock.histogram("segment").cumulative()[-1] == clock.count["segment"] == 3
    assert clock.histogram("nothing").cumulative() == [0] * (len(BUCKETS_MS) + 1)

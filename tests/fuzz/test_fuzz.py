"""The short run: at each door what Hypothesis makes of good inputs. scripts/fuzz is the long one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.engine import fuzz
from tests.fuzz.mutation import KINDS, MOST_BYTES, Mutation
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS, make

COUNTS = {"decoder": 3, "http": 15, "local-socket": 40, "state": 60}
PATIENCE_S = 180.0


@pytest.fixture(params=TARGETS)
def named(request: pytest.FixtureRequest) -> Iterator[tuple[str, Target]]:
    target = make(request.param)
    try:
        yield request.param, target
    finally:
        target.close()


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Good inputs with a few changes, or anything."""
    pieces = st.sampled_from(list(target.words)) | st.binary(max_size=16)

    def changed(seed: bytes, mutations: list[Mutation]) -> bytes:
        for mutation in mutations:
            seed = mutation.of(seed)
        return seed

    return st.builds(changed, st.sampled_from(list(target.seeds)), changes(pieces)) | st.binary(max_size=200)


def test_whatever_comes_the_answer_is_a_documented_one(named: tuple[str, Target]) -> None:
    name, target = named
    for seed in target.seeds:
        target.run(seed)

    @given(inputs(target))
    @settings(max_examples=COUNTS.get(name, 150), suppress_health_check=list(HealthCheck), database=None)
    def throw(data: bytes) -> None:
        target.run(data)

    throw()


class Planted:
    """Breaks where a word stands twice, and takes too long where another stands."""

    seeds = (b"harmless",)
    words = (b"BANG", b"SLOW")
    limit_s = 0.2

    def run(self, data: bytes) -> str:
        if data.count(b"BANG") > 1:
            raise ZeroDivisionError
        if b"SLOW" in data:
            end_s = time.process_time() + 0.4
            while time.process_time() < end_s:
                pass
        return str(len(data) // 8)

    def close(self) -> None:
        pass


def test_what_is_wrong_is_found_and_kept(tmp_path: Path) -> None:
    report = fuzz(Planted(), PATIENCE_S, seed=1, folder=tmp_path, most_findings=6)
    assert len(report.findings) == 6
    texts = [path.with_suffix(".txt").read_text() for path in report.findings]
    assert any("ZeroDivisionError" in text for text in texts)
    assert any("of processor time" in text for text in texts)
    for path, text in zip(report.findings, texts, strict=True):
        assert (b"BANG" if "ZeroDivisionError" in text else b"SLOW") in path.read_bytes()


def changes(pieces: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Mutation]]:
    """A few of them."""
    return st.lists(
        st.builds(Mutation, st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 64), pieces), max_size=6
    )


@given(st.binary(max_size=99), changes(st.binary(max_size=9)))
def test_a_change_never_fails_nor_grows_without_bound(data: bytes, mutations: list[Mutation]) -> None:
    for mutation in mutations:
        data = mutation.of(data)
        assert len(data) <= MOST_BYTES

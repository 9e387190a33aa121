"""Changes that overlap: in order, the later one wins, and what fails leaves everything as it was."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.waiting import until

from scrim.config import Settings
from scrim.core.changes import InEffect, SupersededError, answer_of
from scrim.core.composite.placeholder import PlaceholderPainter
from scrim.core.control import Control
from scrim.core.images import Images, decode_image
from scrim.core.look import first_look, image_url, make_look
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look, Pipeline
from scrim.core.segment.constant import ConstantSegmenter
from scrim.decode import GiveUp
from scrim.errors import ConfigError, ImageError, LocalError, ScrimError
from scrim.frame import Frame, FramePool, Plane, Planes

SIZE = (32, 32)
PATIENCE_S = 180.0
TEAL = {"effect": "color", "color": "teal"}


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((8, 8, 3), level, np.uint8)


def url(name: str) -> str:
    return f"https://images.example/{name}"


@dataclass
class Slow:
    """Pictures from outside that come when they are told to, or fail.

    Attributes:
        fetched: the URLs that were asked for.
        here: what has come, by URL: a picture or an error.
    """

    fetched: list[str] = field(default_factory=list)
    here: dict[str, NDArray[np.uint8] | ImageError] = field(default_factory=dict)

    def fetch(self, url: str, give_up: GiveUp) -> NDArray[np.uint8]:
        self.fetched.append(url)
        deadline_s = time.monotonic() + PATIENCE_S
        while url not in self.here:
            if give_up() or time.monotonic() > deadline_s:
                raise ImageError("not wanted any more")
            time.sleep(0.002)
        found = self.here[url]
        if isinstance(found, ImageError):
            raise found.with_traceback(None)  # else each time adds to what the first one keeps alive
        return found


class Rig:
    """A control over a real pipeline in which nobody is seen, stepped by a thread of its own."""

    def __init__(self, folder: Path, start: Settings | None = None) -> None:
        self.outside = Slow()
        self.images = Images((folder,), self.outside, decode_image)
        wanted = start or Settings()
        look, missing = first_look(wanted, SIZE, 1, self.images, is_strict=True)
        self.pipeline = Pipeline(SIZE, ConstantSegmenter(0, (32, 32)), look, FramePool(SIZE, 4))
        self.outlet = Outlet(PlaceholderPainter(SIZE), 1 / 30)
        self.control = Control(wanted, self.pipeline, self.outlet, self.images, base=Settings())
        self.control.missing = missing
        self._is_over = False
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over = True
        self.control.close()
        if self._thread.is_alive():
            self._thread.join()

    def shown(self) -> Plane:
        safe = self.pipeline.process(Frame(Planes.of(np.full((48, 32), 90, np.uint8)), 0, 0))
        assert safe is not None
        assert safe.revision == self.control.revision
        return safe.i420.copy()

    def level(self) -> int:
        """The luma of what is shown, if it is the same everywhere."""
        (level,) = np.unique(Planes.of(self.shown()).y)
        return int(level)

    def _run(self) -> None:
        while not self._is_over:
            self.control.step()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.start()
    yield rig
    rig.stop()


def image(name: str, **more: Any) -> dict[str, Any]:
    return {"effect": "image", "image": url(name), **more}


def done(answer: "Future[InEffect]") -> InEffect:
    return answer.result(PATIENCE_S)


def test_a_change_is_answered_when_it_is_in_effect(rig: Rig):
    answer = rig.control.submit(image("a"))
    until(lambda: rig.outside.fetched)
    assert not answer.done()
    assert rig.control.revision == 1
    rig.outside.here[url("a")] = grey(255)
    assert done(answer) == rig.control.in_effect
    assert (rig.level(), rig.control.revision) == (235, 2)


def test_the_later_one_wins_though_the_earlier_image_comes_last(rig: Rig):
    first = rig.control.submit(image("slow"))
    until(lambda: rig.outside.fetched)
    second = rig.control.submit(image("fast"))
    rig.outside.here[url("fast")] = grey(255)
    assert done(second).settings.background_replacement.background_image_url == url("fast")
    rig.outside.here[url("slow")] = grey(0)
    with pytest.raises(SupersededError, match="superseded by a later request") as caught:
        done(first)
    assert caught.value.in_effect is not None
    assert (rig.level(), rig.control.revision) == (235, 2)


def test_a_later_change_without_an_image_wins_too_and_has_nothing_of_the_earlier(rig: Rig):
    first = rig.control.submit(image("slow", fit="stretch"))
    until(lambda: rig.outside.fetched)
    second = rig.control.submit({"strength": "high"})
    assert done(second).settings == Settings().patched({"strength": "high"})
    assert isinstance(first.exception(PATIENCE_S), SupersededError)


def test_back_to_what_is_in_effect_wins_too(rig: Rig):
    first = rig.control.submit(image("slow"))
    until(lambda: rig.outside.fetched)
    assert done(rig.control.submit({"effect": "blur"})).revision == 1
    assert isinstance(first.exception(PATIENCE_S), SupersededError)


def test_a_later_one_that_is_wrong_does_not_overtake(rig: Rig):
    first = rig.control.submit(image("slow"))
    until(lambda: rig.outside.fetched)
    with pytest.raises(ConfigError) as caught:
        rig.control.submit({"strength": 0})
    assert caught.value.in_effect == answer_of(InEffect(Settings(), 1))
    rig.outside.here[url("slow")] = grey(255)
    assert done(first).revision == 2


def test_changes_without_images_are_all_made_in_order(rig: Rig):
    patches: list[dict[str, Any]] = [{"strength": n} for n in range(1, 30)]
    answers = [rig.control.submit(patch) for patch in [*patches, TEAL, {"fit": "contain"}]]
    assert [done(answer).revision for answer in answers] == list(range(2, 33))
    assert rig.control.settings == Settings().patched({"strength": 29, **TEAL, "fit": "contain"})


def test_an_image_that_fails_leaves_every_part(rig: Rig):
    done(rig.control.submit(TEAL))
    before, in_effect = rig.shown(), rig.control.in_effect
    rig.outside.here[url("bad")] = ImageError(f"{url('bad')}: the server answered 404 Not Found")
    with pytest.raises(ConfigError, match="404 Not Found") as caught:
        done(rig.control.submit(image("bad", strength="high")))
    assert caught.value.in_effect == answer_of(in_effect)
    (problem,) = caught.value.problems
    assert problem.message == "the server answered 404 Not Found"
    assert rig.control.in_effect is in_effect
    assert np.array_equal(rig.shown(), before)


def test_a_second_load_that_fails_leaves_the_first(rig: Rig):
    rig.outside.here |= {url("a"): grey(255), url("b"): ImageError("broken")}
    done(rig.control.submit(image("a")))
    with pytest.raises(ConfigError):
        done(rig.control.submit(image("b")))
    assert (rig.level(), rig.control.revision) == (235, 2)
    done(rig.control.submit({"fit": "contain"}))
    assert rig.outside.fetched == [url("a"), url("b")]


def test_what_fails_after_the_image_was_loaded_leaves_everything(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    done(rig.control.submit(TEAL))
    before, in_effect = rig.shown(), rig.control.in_effect

    def broken(*_: object) -> Look:
        raise MemoryError

    rig.outside.here[url("a")] = grey(255)
    with monkeypatch.context() as patched:
        patched.setattr("scrim.core.control.make_look", broken)
        with pytest.raises(LocalError, match="could not be made"):
            done(rig.control.submit(image("a")))
    assert rig.control.in_effect is in_effect
    assert np.array_equal(rig.shown(), before)
    assert done(rig.control.submit(image("a"))).revision == 3


def test_the_same_settings_and_the_same_url_load_nothing(rig: Rig):
    rig.outside.here[url("a")] = grey(255)
    patches = [image("a"), image("a"), {"fit": "contain"}, {"effect": "blur"}, image("a"), TEAL, image("a")]
    revisions = [done(rig.control.submit(patch)).revision for patch in patches]
    assert revisions == [2, 2, 3, 4, 5, 6, 7]
    assert rig.outside.fetched == [url("a")]


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path, rig: Rig):
    path = tmp_path / "room.png"
    for level, seen in ((0, 16), (255, 235)):
        cv2.imwrite(str(path), grey(level))
        os.utime(path, ns=(level, level))
        done(rig.control.submit({"effect": "image", "image": path.as_uri()}))
        assert rig.level() == seen
        done(rig.control.submit({"effect": "blur"}))


def test_too_many_changes_are_refused(tmp_path: Path):
    rig = Rig(tmp_path)
    answers = [rig.control.submit({"strength": 1 + n / 100}) for n in range(64)]
    with pytest.raises(LocalError, match="too many changes"):
        rig.control.submit(TEAL)
    rig.stop()
    for answer in answers:
        assert isinstance(answer.exception(0), LocalError)
    with pytest.raises(LocalError):
        rig.control.submit(TEAL)


def test_what_became_of_each_change_is_counted(rig: Rig):
    with pytest.raises(ConfigError):
        rig.control.submit({"strength": "ultra"})
    first = rig.control.submit(image("slow"))
    until(lambda: rig.outside.fetched)
    done(rig.control.submit(TEAL))
    assert isinstance(first.exception(), SupersededError)
    rig.outside.here[url("none")] = ImageError("404")
    assert isinstance(rig.control.submit(image("none")).exception(PATIENCE_S), ConfigError)
    done(rig.control.submit(TEAL))
    until(lambda: sum(rig.control.results.values()) == 5)
    assert rig.control.results == {"made": 2, "refused": 2, "superseded": 1, "failed": 0}
    rig.control.close()
    with pytest.raises(LocalError):
        rig.control.submit(TEAL)
    assert rig.control.results["failed"] == 1


def test_reset_goes_back_to_the_file(rig: Rig):
    done(rig.control.submit(TEAL))
    assert done(rig.control.reset()).settings == Settings()
    assert rig.control.revision == 3


def test_black_stands_in_for_an_image_that_is_not_there_at_start(tmp_path: Path):
    rig = Rig(tmp_path, Settings().patched(image("late")))
    rig.outside.here[url("late")] = ImageError("nobody is there yet")
    assert rig.level() == 16
    assert rig.control.missing is not None
    rig.control.step()
    assert rig.control.missing == "nobody is there yet"
    assert (rig.level(), rig.control.revision) == (16, 1)
    rig.outside.here[url("late")] = grey(255)
    until(lambda: rig.control.step() or rig.control.missing is None)
    assert (rig.level(), rig.control.revision) == (235, 2)


def test_a_change_ends_the_wait_for_an_image(tmp_path: Path):
    rig = Rig(tmp_path, Settings().patched(image("late")))
    assert rig.control.change(TEAL).effect == "color"
    assert rig.control.missing is None


# Any patch: changed whole, or not at all.

names = st.sampled_from(
    [*Settings.model_fields, "effect", "strength", "color", "image", "fit", "backgroundBlur", "isEnabled"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["off", "blur", "image", "color", "low", "teal", "cover", url("a"), url("none"), "file:/x"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["is_enabled", "isEnabled", "strength", "default_color", "background_image_url", "fit"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
good_patches = st.fixed_dictionaries(
    {},
    optional={
        "effect": st.sampled_from(["blur", "image", "color", "off"]),
        "strength": st.sampled_from(["low", "high", 3, 99.5]),
        "color": st.sampled_from(["teal", "#123"]),
        "image": st.sampled_from([url("a"), url("none"), None]),
        "fit": st.sampled_from(["cover", "contain", "stretch"]),
        "matte": st.fixed_dictionaries({"refine": st.booleans()}),
    },
)
patches = good_patches | st.dictionaries(names | st.text(max_size=5), values, max_size=4)
EXAMPLES = int(os.environ.get("SCRIM_FUZZ_PATCHES", "5000"))
"""100000 before a release."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    rig = Rig(tmp_path_factory.mktemp("fuzzed"))
    rig.outside.here |= {url("a"): grey(255), url("none"): ImageError("not there")}
    return rig


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(patches)
def test_a_patch_changes_everything_it_says_or_nothing(fuzzed: Rig, patch: dict[str, Any]):
    before, shown = fuzzed.control.in_effect, fuzzed.shown()
    error = refusal(fuzzed.control, patch)
    assert fuzzed.control.settings.privacy == Settings().privacy
    if error is None:
        assert fuzzed.control.settings == before.settings.patched(patch, live=True)
        assert np.array_equal(fuzzed.shown(), prepared(fuzzed.control.settings, fuzzed))
        return
    assert error.in_effect == answer_of(fuzzed.control.in_effect)
    if fuzzed.control.settings.effect != "off":  # which is refused and shows the placeholder
        assert fuzzed.control.in_effect is before
        assert np.array_equal(fuzzed.shown(), shown)


def refusal(control: Control, patch: dict[str, Any]) -> ScrimError | None:
    try:
        control.change(patch)
    except ScrimError as error:
        return error
    return None


def prepared(settings: Settings, rig: Rig) -> Plane:
    """What parts show that have known no other settings."""
    url = image_url(settings)
    look = make_look(settings, SIZE, 1, rig.images.get(url) if url else None)
    pipeline = Pipeline(SIZE, ConstantSegmenter(0, (32, 32)), look, FramePool(SIZE, 2))
    safe = pipeline.process(Frame(Planes.of(np.full((48, 32), 90, np.uint8)), 0, 0))
    assert safe is not None
    return safe.i420.copy()

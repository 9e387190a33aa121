"""A delegate that may do anything to its own process, and nothing to ours."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.waiting import until

from scrim.config import ModelSettings
from scrim.core.segment.base import Segmenter
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.constant import ConstantSegmenter
from scrim.core.segment.delegate_process import DEADLINE_S, DelegateProcess
from scrim.core.segment.delegated import Delegated
from scrim.core.segment.loading import load_model, start_delegate
from scrim.core.segment.model import ModelSpec, models_folder
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.errors import ModelError, SegmentError

KILLS = int(os.environ.get("SCRIM_DELEGATE_KILLS", "6"))
"""200 before a release."""

SIZE = (64, 48)
PICTURE = np.zeros((48, 64, 3), np.uint8)
PATIENCE_S = 180.0


@pytest.fixture(scope="module")
def spec():
    return Catalogue(models_folder())["person-192x112"]["float16"]


@pytest.fixture
def picture(spec):
    width, height = spec.input.size
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def patient(spec: ModelSpec, library: str, deadline_s: float = PATIENCE_S) -> DelegateProcess:
    """One that waits longer than scrim itself would: a busy machine is no fault of the delegate's."""
    return DelegateProcess(spec, 1, library, PATIENCE_S, deadline_s)


@pytest.fixture
def start(delegate, spec) -> Iterator[Callable[[], DelegateProcess]]:
    started: list[DelegateProcess] = []

    def make() -> DelegateProcess:
        started.append(patient(spec, delegate.library))
        return started[-1]

    yield make
    for process in started:
        process.close()


def test_the_child_gives_the_same_mask_as_this_process(start, spec, picture):
    here = TFLiteSegmenter(spec)
    there = start()
    assert there.input_size == here.input_size
    assert np.array_equal(there.segment(picture), here.segment(picture))
    here.close()


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("run-abort", "killed by SIGABRT"),
        ("run-crash", "killed by SIGSEGV"),
        ("run-error", "planted: the device is gone"),
        ("run-hang", "no answer within 500 ms"),
    ],
)
def test_a_fault_in_inference_is_an_error_here_and_the_end_there(spec, delegate, picture, order, said):
    process = patient(spec, delegate.library, DEADLINE_S if order == "run-hang" else PATIENCE_S)
    pid = process.pid
    delegate.order(order)
    with pytest.raises(SegmentError, match=said) as caught:
        process.segment(picture)
    assert delegate.library in str(caught.value)
    process.close()
    until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("load-abort", "killed by SIGABRT"),
        ("load-crash", "killed by SIGSEGV"),
        ("no-device", "planted: no device"),
        ("refuse", "cannot run it with delegate"),
    ],
)
def test_a_fault_while_loading_is_an_error_that_names_it(start, delegate, order, said):
    delegate.order(order)
    with pytest.raises(ModelError, match=said) as caught:
        start()
    assert "\n" not in str(caught.value)


def test_a_delegate_that_hangs_while_loading_is_given_up(delegate, spec):
    delegate.order("load-hang")
    with pytest.raises(ModelError, match="no answer within 200 ms"):
        DelegateProcess(spec, 1, delegate.library, start_s=0.2)


def test_a_library_that_is_not_there_is_named(spec):
    with pytest.raises(ModelError, match=r"/no/such\.so: the library cannot be loaded"):
        DelegateProcess(spec, 1, "/no/such.so")


def test_a_picture_of_another_size_is_refused_before_it_is_sent(start):
    with pytest.raises(SegmentError, match="wants"):
        start().segment(PICTURE)


def test_a_child_does_not_outlive_the_thread_that_made_it(delegate, spec):
    made: list[DelegateProcess] = []
    thread = threading.Thread(target=lambda: made.append(patient(spec, delegate.library)))
    thread.start()
    thread.join()
    pid = made[0].pid
    until(lambda: Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z")
    made[0].close()


class Device(ConstantSegmenter):
    """A delegate of this process that can be told to fail."""

    def __init__(self) -> None:
        super().__init__(200, SIZE)
        self.is_broken = False
        self.is_closed = False

    def segment(self, rgb):
        if self.is_broken:
            raise SegmentError("planted: lost")
        return super().segment(rgb)

    def close(self) -> None:
        self.is_closed = True
        super().close()


class Shelf:
    """Where devices are taken from; none while ``is_empty``."""

    def __init__(self, *, is_empty: bool = False) -> None:
        self.is_empty = is_empty
        self.tries = 0
        self.devices: list[Device] = []

    def start(self) -> Segmenter:
        self.tries += 1
        if self.is_empty:
            raise ModelError("planted: no device")
        self.devices.append(Device())
        return self.devices[-1]


def delegated(shelf: Shelf, *retry_s: float) -> Delegated:
    return Delegated("planted", ConstantSegmenter(100, SIZE), shelf.start, retry_s or (3600.0,))


def shown(segmenter: Segmenter) -> int:
    return int(segmenter.segment(PICTURE)[0, 0])


def test_the_cpu_works_until_the_delegate_does():
    gate, shelf = threading.Event(), Shelf()

    def start() -> Segmenter:
        gate.wait(PATIENCE_S)
        return shelf.start()

    both = Delegated("planted", ConstantSegmenter(100, SIZE), start)
    assert shown(both) == 100
    assert not both.is_active
    assert both.lost_because is None
    gate.set()
    both.wait(PATIENCE_S)
    assert shown(both) == 200
    assert both.is_active
    both.close()
    assert shelf.devices[0].is_closed


def test_the_frame_that_loses_it_has_no_mask_and_the_next_has_the_cpu_s():
    shelf = Shelf()
    both = delegated(shelf)
    both.wait(PATIENCE_S)
    shelf.devices[0].is_broken = True
    with pytest.raises(SegmentError, match="planted: lost"):
        both.segment(PICTURE)
    assert shown(both) == 100
    assert both.lost_because == "planted: lost"
    until(lambda: shelf.devices[0].is_closed)
    assert shelf.tries == 1
    both.close()


def test_a_lost_delegate_is_tried_again_and_comes_back():
    shelf = Shelf()
    both = delegated(shelf, 0.01)
    both.wait(PATIENCE_S)
    shelf.is_empty = shelf.devices[0].is_broken = True
    with pytest.raises(SegmentError):
        both.segment(PICTURE)
    until(lambda: shelf.tries >= 4)
    assert not both.is_active
    assert both.lost_because == "planted: no device"
    shelf.is_empty = False
    until(lambda: both.is_active)
    assert both.lost_because is None
    assert shown(both) == 200
    both.close()


def test_pauses_grow():
    shelf = Shelf(is_empty=True)
    both = delegated(shelf, 0.01, 0.02, 3600.0)
    until(lambda: shelf.tries == 3)
    with pytest.raises(ModelError, match="planted: no device"):
        both.wait(PATIENCE_S)
    both.close()
    assert shelf.tries == 3


def test_one_that_is_needed_and_does_not_come_is_an_error():
    gate = threading.Event()

    def start() -> Segmenter:
        gate.wait(PATIENCE_S)
        raise ModelError("planted: late")

    both = Delegated("planted", ConstantSegmenter(100, SIZE), start)
    with pytest.raises(ModelError, match="planted: does not start in time"):
        both.wait(0.01)
    gate.set()
    both.close()


def test_kills_without_end_change_nothing_here(delegate, spec, picture):
    """Every way to die in turn; each time the CPU's mask the next frame, and the delegate back after that."""
    on_cpu = TFLiteSegmenter(spec)
    expected = on_cpu.segment(picture).copy()
    both = Delegated(delegate.library, on_cpu, lambda: patient(spec, delegate.library), (0.01,))
    descriptors = set()
    for number in range(KILLS):
        both.wait(PATIENCE_S)
        assert np.array_equal(both.segment(picture), expected)
        descriptors.add(len(list(Path("/proc/self/fd").iterdir())))
        delegate.order(("run-abort", "run-crash", "run-error")[number % 3])
        with pytest.raises(SegmentError):
            both.segment(picture)
        delegate.order("work")
        assert np.array_equal(both.segment(picture), expected)
        until(lambda: both.is_active)
    both.close()
    assert len(descriptors) == 1


def test_the_settings_choose_a_delegate(delegate, monkeypatch):
    monkeypatch.setattr(DelegateProcess.__init__, "__defaults__", (PATIENCE_S, PATIENCE_S))
    monkeypatch.setattr("scrim.core.segment.loading.START_S", PATIENCE_S)
    loaded = load_model(ModelSettings(name="person-192x112", form="float16", delegate=delegate.library))
    loaded.require_delegate()
    assert loaded.delegate == delegate.library
    assert loaded.delegate_error is None
    loaded.segmenter.close()


def test_an_edge_tpu_needs_a_compiled_form_and_says_how_to_get_it():
    loaded = load_model(ModelSettings(name="person-192x112", form="int8", delegate="edgetpu"))
    with pytest.raises(ModelError, match="scripts/build-model --edgetpu"):
        loaded.require_delegate()
    assert loaded.delegate == "cpu"
    width, height = loaded.segmenter.input_size
    assert loaded.segmenter.segment(np.zeros((height, width, 3), np.uint8)).shape == (112, 192)
    loaded.segmenter.close()


def test_a_form_of_other_sizes_is_refused(spec):
    other = Catalogue(models_folder())["person-256x144"]["tpu-int8"]
    with pytest.raises(ModelError, match="another size"):
        start_delegate("edgetpu", {"edgetpu": other}, spec, 1)


def test_signals_to_the_child_alone_are_told(start, picture):
    process = start()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(SegmentError, match="killed by SIGKILL"):
        process.segment(picture)

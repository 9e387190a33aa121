"""The mailbox between threads, and the threads themselves."""

import logging
import threading

import pytest
from tests.waiting import until

from scrim.core.workers import Latest, Worker

PATIENCE_S = 180.0


def test_the_newest_wins_and_what_it_displaces_is_counted():
    mailbox: Latest[int] = Latest()
    for number in (1, 2, 3):
        mailbox.put(number)
    assert mailbox.get(0) == 3
    assert mailbox.dropped == 2
    assert mailbox.get(0) is None


def test_what_was_cleared_is_neither_delivered_nor_counted():
    mailbox: Latest[int] = Latest()
    mailbox.put(1)
    assert not mailbox.is_empty
    mailbox.clear()
    assert mailbox.is_empty
    assert mailbox.get(0) is None
    assert mailbox.dropped == 0


def waiting(mailbox: Latest[int], timeout_s: float) -> tuple[threading.Thread, list[int | None]]:
    got: list[int | None] = []
    thread = threading.Thread(target=lambda: got.append(mailbox.get(timeout_s)))
    thread.start()
    return thread, got


def test_whoever_waits_gets_what_is_put():
    mailbox: Latest[int] = Latest()
    thread, got = waiting(mailbox, PATIENCE_S)
    mailbox.put(7)
    thread.join(PATIENCE_S)
    assert got == [7]


def test_closing_wakes_whoever_waits_and_nobody_waits_any_more():
    mailbox: Latest[int] = Latest()
    thread, got = waiting(mailbox, 3600)
    mailbox.close()
    thread.join(PATIENCE_S)
    assert got == [None]
    assert mailbox.get(3600) is None


def test_what_is_in_it_when_it_closes_is_still_delivered():
    mailbox: Latest[int] = Latest()
    mailbox.put(1)
    mailbox.close()
    assert mailbox.get(0) == 1


def test_a_worker_repeats_its_step_until_it_is_told_to_stop():
    steps: list[int] = []
    worker = Worker("test", lambda: steps.append(0))
    worker.start()
    until(lambda: len(steps) > 3)
    worker.ask_to_stop()
    assert worker.join(PATIENCE_S)
    done = len(steps)
    assert done == len(steps)


def test_an_exception_does_not_end_the_thread_and_is_logged_once(caplog: pytest.LogCaptureFixture):
    steps: list[int] = []

    def fail() -> None:
        steps.append(0)
        raise ValueError("planted")

    worker = Worker("faulty", fail, pause_s=0.001)
    with caplog.at_level(logging.ERROR):
        worker.start()
        until(lambda: len(steps) > 5)
        worker.ask_to_stop()
        assert worker.join(PATIENCE_S)
    assert [record.message for record in caplog.records] == ["faulty: ValueError: planted"]


def test_another_exception_is_logged_too(caplog: pytest.LogCaptureFixture):
    numbers = iter(range(1000))

    def fail() -> None:
        raise ValueError(f"planted {min(next(numbers), 1)}")

    worker = Worker("faulty", fail, pause_s=0.001)
    with caplog.at_level(logging.ERROR):
        worker.start()
        until(lambda: len(caplog.records) == 2)
        worker.ask_to_stop()
        assert worker.join(PATIENCE_S)


def test_stopping_does_not_wait_for_the_pause():
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError

    worker = Worker("faulty", fail, pause_s=3600)
    worker.start()
    assert failed.wait(PATIENCE_S)
    worker.ask_to_stop()
    assert worker.join(PATIENCE_S)


def test_a_step_that_hangs_is_told():
    released = threading.Event()
    worker = Worker("slow", lambda: released.wait(PATIENCE_S) and None)
    worker.start()
    worker.ask_to_stop()
    assert not worker.join(0.01)
    released.set()
    assert worker.join(PATIENCE_S)

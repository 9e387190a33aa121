"""Pictures from outside, across the wall: asked for by the core, delivered in sealed memory."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.waiting import until

from scrim.decode import memory_file, never, seal_memory
from scrim.errors import ImageError, LocalError
from scrim.local.client import Channel, Client
from scrim.local.pictures import PictureDesk
from scrim.local.server import LocalServer

URL = "https://ann:pass@images.example/room.png?token=abc"
SHA256 = "0" * 64
PATIENCE_S = 180.0
Picture = NDArray[np.uint8]


class Later:
    """Answers ``wait`` when it is let go, everything else at once."""

    def __init__(self) -> None:
        self.waiting: list[Future[dict[str, Any]]] = []

    def handle(self, method: str, params: dict[str, Any]) -> "dict[str, Any] | Future[dict[str, Any]]":
        if method != "wait":
            return {"method": method}
        self.waiting.append(Future())
        return self.waiting[-1]


class Core:
    """The core's end: a server and a desk."""

    def __init__(self, path: Path, answer_s: float = PATIENCE_S) -> None:
        self.path = path
        self.desk = PictureDesk(answer_s)
        self.handler = Later()
        self.server = LocalServer(path, self.handler, pictures=self.desk)
        self._pool = ThreadPoolExecutor(1)

    def fetch(self, url: str = URL, give_up: Callable[[], bool] = never) -> "Future[Picture]":
        return self._pool.submit(self.desk.fetch, url, give_up)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    core = Core(tmp_path / "run" / "core.sock")
    with core.server:
        yield core


class Provider:
    """A gateway by hand."""

    def __init__(self, core: Core) -> None:
        self.channel = Channel(core.path, PATIENCE_S)
        self.channel.request("provide_images", {}, PATIENCE_S)

    def wanted(self) -> dict[str, Any]:
        event = self.channel.next_event(PATIENCE_S)
        assert event is not None
        assert event["event"] == "image_wanted"
        return event

    def deliver(
        self, token: str, data: bytes = bytes(24), *, is_sealed: bool = True, **params: Any
    ) -> dict[str, Any]:
        fd = memory_file("test", data)
        try:
            if is_sealed:
                seal_memory(fd)
            answer = {"token": token, "width": 4, "height": 2, "sha256": SHA256} | params
            return self.channel.request("image", answer, PATIENCE_S, fd)
        finally:
            os.close(fd)


@pytest.fixture
def provider(core: Core) -> Iterator[Provider]:
    provider = Provider(core)
    yield provider
    provider.channel.close()


def test_a_picture_reaches_the_core(core: Core, provider: Provider):
    fetching = core.fetch()
    wanted = provider.wanted()
    assert wanted["url"] == URL
    assert provider.deliver(wanted["token"], bytes(range(24))) == {}
    picture = fetching.result(PATIENCE_S)
    assert np.array_equal(picture.reshape(-1), np.arange(24))
    assert picture.shape == (2, 4, 3)
    assert not picture.flags.writeable


def test_it_may_come_over_another_connection(core: Core, provider: Provider):
    fetching = core.fetch()
    token = provider.wanted()["token"]
    other = Provider(core)
    other.deliver(token)
    other.channel.close()
    assert fetching.result(PATIENCE_S).shape == (2, 4, 3)


def test_a_provider_that_comes_a_moment_later_is_waited_for(tmp_path: Path):
    core = Core(tmp_path / "run" / "core.sock")
    core.desk = PictureDesk(PATIENCE_S, grace_s=PATIENCE_S)
    core.server = LocalServer(core.path, core.handler, pictures=core.desk)
    with core.server:
        fetched = core.fetch()
        with contextlib.closing(Provider(core).channel) as channel:
            wanted = channel.next_event(PATIENCE_S)
            assert wanted is not None
            assert wanted["url"] == URL
            channel.request("image_failed", {"token": wanted["token"], "message": "404"}, PATIENCE_S)
            with pytest.raises(ImageError, match="404"):
                fetched.result(PATIENCE_S)


def test_without_a_provider_the_error_says_what_must_run(core: Core):
    with pytest.raises(ImageError, match="'scrim gateway'") as caught:
        core.desk.fetch(URL)
    assert "pass" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_provider_says_why_it_cannot(core: Core, provider: Provider):
    fetching = core.fetch()
    params = {"token": provider.wanted()["token"], "message": "the server answered 404"}
    provider.channel.request("image_failed", params, PATIENCE_S)
    with pytest.raises(ImageError, match="answered 404"):
        fetching.result(PATIENCE_S)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"data": bytes(23)}, "23 bytes"),
        ({"data": bytes(25)}, "25 bytes"),
        ({"data": b""}, "0 bytes"),
        ({"is_sealed": False}, "not sealed"),
        ({"width": 5}, "24 bytes"),
        ({"width": 0, "height": 0}, "0 x 0"),
        ({"width": -4, "height": -2}, "-4 x -2"),
        ({"width": 1 << 40}, "allowed is"),
        ({"width": 4.0}, "exactly"),
        ({"width": True}, "exactly"),
        ({"sha256": "x"}, "sha256"),
        ({"more": 1}, "exactly"),
        ({"token": "0" * 32}, "nobody waits"),
        ({"token": 7}, "token: must be a text"),
        ({"token": "é"}, "nobody waits"),
    ],
)
def test_what_is_not_as_agreed_is_refused_and_waited_for_again(
    core: Core, provider: Provider, wrong: dict[str, Any], said: str
):
    fetching = core.fetch()
    token = provider.wanted()["token"]
    options = {"token": token} | wrong
    with pytest.raises(LocalError, match=said):
        provider.deliver(**options)
    assert not fetching.done()
    provider.deliver(token)
    assert fetching.result(PATIENCE_S).shape == (2, 4, 3)


def test_a_picture_without_its_memory_is_refused(core: Core, provider: Provider):
    core.fetch()
    params = {"token": provider.wanted()["token"], "width": 4, "height": 2, "sha256": SHA256}
    with pytest.raises(LocalError, match="no descriptor"):
        provider.channel.request("image", params, PATIENCE_S)
    provider.deliver(params["token"])


def test_a_picture_nobody_asked_for_is_refused(provider: Provider):
    with pytest.raises(LocalError, match="nobody waits"):
        provider.deliver("0" * 32)


def test_a_provider_that_goes_is_noticed_at_once(core: Core, provider: Provider):
    fetching = core.fetch()
    provider.wanted()
    provider.channel.close()
    with pytest.raises(ImageError, match="has gone"):
        fetching.result(PATIENCE_S)
    until(lambda: not core.desk.has_provider)


def test_another_provider_takes_over(core: Core, provider: Provider):
    newer = Provider(core)
    fetching = core.fetch()
    newer.wanted()
    newer.channel.close()
    provider.deliver(provider.wanted()["token"])
    assert fetching.result(PATIENCE_S).shape == (2, 4, 3)


def test_a_provider_that_never_answers_is_not_waited_for(tmp_path: Path):
    core = Core(tmp_path / "run" / "core.sock", answer_s=0.1)
    with core.server:
        provider = Provider(core)
        with pytest.raises(ImageError, match=r"did not deliver it within 0\.1 s"):
            core.desk.fetch(URL)
        with pytest.raises(LocalError, match="too late"):
            provider.deliver(provider.wanted()["token"])
        provider.channel.close()


def test_a_picture_that_is_not_wanted_any_more_is_given_up(core: Core, provider: Provider):
    enough = threading.Event()
    fetching = core.fetch(give_up=enough.is_set)
    provider.wanted()
    enough.set()
    with pytest.raises(ImageError, match="not wanted"):
        fetching.result(PATIENCE_S)


def test_a_core_that_wants_none_says_so(tmp_path: Path):
    with LocalServer(tmp_path / "run" / "core.sock", Later()) as server, Client(server.path) as client:
        for method in ("provide_images", "image", "image_failed"):
            with pytest.raises(LocalError, match="wants none"):
                client.request(method)


def test_descriptors_nobody_asked_for_are_closed(core: Core):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for count in (1, 4, 9):
        channel = Channel(core.path, PATIENCE_S)
        fds = [memory_file("test") for _ in range(count)]
        import socket

        with socket.socket(fileno=os.dup(channel.fileno())) as raw:
            socket.send_fds(raw, [b"{}\n"], fds)
        channel.next_event(0.05) if count < 5 else None
        channel.close()
        for fd in fds:
            os.close(fd)
    until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


# Answers that take time.


def test_others_are_served_while_one_waits_and_the_same_client_too(core: Core):
    with Client(core.path) as first, Client(core.path) as second:
        first_channel = Channel(core.path, PATIENCE_S)
        pool = ThreadPoolExecutor(1)
        waiting = pool.submit(first.request, "wait", {}, PATIENCE_S)
        until(lambda: core.handler.waiting)
        assert second.request("status") == {"method": "status"}
        assert first_channel.request("status", {}, PATIENCE_S) == {"method": "status"}
        core.handler.waiting[0].set_result({"came": "late"})
        assert waiting.result(PATIENCE_S) == {"came": "late"}
        first_channel.close()


def test_a_late_error_keeps_its_words_and_what_stays_in_effect(core: Core):
    error = LocalError("superseded")
    error.in_effect = {"revision": 3, "settings": {}}
    with Client(core.path) as client:
        waiting = ThreadPoolExecutor(1).submit(client.request, "wait", {}, PATIENCE_S)
        until(lambda: core.handler.waiting)
        core.handler.waiting[0].set_exception(error)
        with pytest.raises(LocalError, match="superseded") as caught:
            waiting.result(PATIENCE_S)
    assert caught.value.in_effect == {"revision": 3, "settings": {}}


def test_a_client_that_left_is_no_harm(core: Core):
    channel = Channel(core.path, PATIENCE_S)
    with pytest.raises(LocalError, match="did not answer"):
        channel.request("wait", {}, 0.05)
    channel.close()
    until(lambda: core.server.clients == 0)
    core.handler.waiting[0].set_result({})
    with Client(core.path) as client:
        assert client.request("status") == {"method": "status"}

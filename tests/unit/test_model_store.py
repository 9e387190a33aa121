"""Models given by URL: fetched once, checked, kept under their hash; asked for across the wall."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from scrim.core.model_store import ModelStore
from scrim.core.segment.model import InputSpec, ModelSpec, OutputSpec
from scrim.decode import memory_file, never, seal_memory
from scrim.errors import LocalError, ModelError
from scrim.local.client import Channel
from scrim.local.desk import GiveUp
from scrim.local.model_files import MOST_BYTES, ModelDesk, ModelFile, Progress
from scrim.local.server import LocalServer

URL = "https://ann:pass@models.example/mine.tflite?token=abc"
DATA = os.urandom(3 * 1024 * 1024 + 17)
PATIENCE_S = 180.0


def file_of(data: bytes) -> ModelFile:
    return ModelFile(memory_file("test", data), len(data))


def spec_of(folder: Path, data: bytes = DATA, name: str = "mine") -> ModelSpec:
    sha256 = hashlib.sha256(data).hexdigest()
    given = InputSpec(8, 8, 3, (0, 1), "uint8")
    taken = OutputSpec("alpha", 8, 8, 1, (0, 1), "uint8", 0, 1)
    path = folder / "models" / f"{sha256}.tflite"
    return ModelSpec(name, "int8", path, sha256, "", "", given, taken, URL)


class Outside:
    """Gives what it is told to, after ``meanwhile``."""

    def __init__(self, *answers: bytes | ModelError) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.progress: Progress | None = None
        self.meanwhile: Callable[[GiveUp], object] = lambda _: None

    def fetch(self, url: str, give_up: GiveUp) -> ModelFile:
        self.asked.append(url)
        self.meanwhile(give_up)
        answer = self._answers.pop(0)
        if isinstance(answer, ModelError):
            raise answer
        return file_of(answer)


class Kept:
    """A store and what it said."""

    def __init__(self, *answers: bytes | ModelError) -> None:
        self.outside = Outside(*answers)
        self.store = ModelStore(self.outside)
        self.said: list[ModelError | None] = []

    def want(self, *specs: ModelSpec) -> None:
        self.store.want(specs, self.said.append)
        self.store.step()


def test_a_model_is_fetched_once_checked_and_kept_under_its_hash(tmp_path: Path):
    kept, spec = Kept(DATA), spec_of(tmp_path)
    kept.want(spec)
    kept.want(spec)
    assert kept.said == [None, None]
    assert kept.outside.asked == [URL]
    assert spec.path.read_bytes() == DATA
    assert [entry.name for entry in spec.path.parent.iterdir()] == [spec.path.name]


def test_a_file_that_is_another_is_not_kept(tmp_path: Path):
    kept, spec = Kept(b"exchanged"), spec_of(tmp_path)
    kept.want(spec)
    text = str(kept.said[0])
    assert hashlib.sha256(b"exchanged").hexdigest() in text
    assert spec.sha256 in text
    assert "it was exchanged" in text
    assert not any(secret in text for secret in ("ann", "pass", "token"))
    assert list(spec.path.parent.iterdir()) == []


def test_what_cannot_be_had_says_why_and_may_be_wanted_again(tmp_path: Path):
    kept, spec = Kept(ModelError("404"), DATA), spec_of(tmp_path)
    kept.want(spec)
    kept.want(spec)
    assert [str(error) for error in kept.said] == ["404", "None"]
    assert kept.store.fetching is None


def test_of_several_files_the_first_that_is_missed_ends_it(tmp_path: Path):
    kept, other = Kept(DATA, ModelError("404")), spec_of(tmp_path, b"other", "other")
    kept.want(spec_of(tmp_path), other, spec_of(tmp_path, b"third"))
    assert [str(error) for error in kept.said] == ["404"]
    assert len(kept.outside.asked) == 2


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "models").write_text("no folder")
    kept, spec = Kept(DATA), spec_of(tmp_path)
    kept.want(spec)
    assert "cannot be written" in str(kept.said[0])
    assert "STATE_DIRECTORY" in str(kept.said[0])


def test_what_is_wanted_later_wins_and_the_earlier_is_not_told_of(tmp_path: Path):
    kept, later = Kept(ModelError("given up"), b"later"), spec_of(tmp_path, b"later", "later")
    gave_up: list[bool] = []

    def meanwhile(give_up: GiveUp) -> None:
        kept.outside.meanwhile = lambda _: None
        gave_up.append(give_up())
        kept.store.want([later], kept.said.append)
        gave_up.append(give_up())

    kept.outside.meanwhile = meanwhile
    kept.want(spec_of(tmp_path))
    assert kept.said == []
    kept.store.step()
    assert gave_up == [False, True]
    assert kept.said == [None]
    assert later.path.read_bytes() == b"later"


def test_what_is_given_up_says_nothing(tmp_path: Path):
    kept = Kept(ModelError("given up"))
    kept.outside.meanwhile = lambda _: kept.store.give_up()
    kept.want(spec_of(tmp_path))
    assert kept.said == []


def test_how_far_it_is_is_told(tmp_path: Path):
    kept, spec = Kept(DATA), spec_of(tmp_path)
    seen: list[object] = []

    def meanwhile(_: GiveUp) -> None:
        seen.append(kept.store.fetching)
        kept.outside.progress = (5, 10)
        seen.append(kept.store.fetching)

    kept.outside.meanwhile = meanwhile
    kept.want(spec)
    assert seen == [(spec, (0, None)), (spec, (5, 10))]
    assert kept.store.fetching is None


def test_closed_it_does_not_wait():
    kept = Kept()
    kept.store.close()
    kept.store.step()
    kept.want()
    assert kept.said == []


# Across the wall.


class Core:
    """The core's end: a server and a desk."""

    def __init__(self, path: Path, answer_s: float = PATIENCE_S) -> None:
        self.path = path
        self.desk = ModelDesk(answer_s)
        self.server = LocalServer(path, self, models=self.desk)
        self._pool = ThreadPoolExecutor(1)

    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {}

    def fetch(self, url: str = URL, give_up: GiveUp = never) -> "Future[ModelFile]":
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
        self.ask("provide_models")

    def ask(self, method: str, fd: int | None = None, **params: Any) -> dict[str, Any]:
        return self.channel.request(method, params, PATIENCE_S, fd)

    def token(self) -> str:
        event = self.channel.next_event(PATIENCE_S)
        assert event is not None
        assert (event["event"], event["url"]) == ("model_wanted", URL)
        return str(event["token"])

    def deliver(
        self, token: str, data: bytes = DATA, size: int | None = None, *, is_sealed: bool = True
    ) -> None:
        fd = memory_file("test", data)
        if is_sealed:
            seal_memory(fd)
        try:
            self.ask("model", fd, token=token, bytes=len(data) if size is None else size)
        finally:
            os.close(fd)


@pytest.fixture
def provider(core: Core) -> Iterator[Provider]:
    provider = Provider(core)
    yield provider
    provider.channel.close()


def test_a_file_comes_in_sealed_memory(core: Core, provider: Provider):
    fetching = core.fetch()
    token = provider.token()
    provider.ask("model_progress", token=token, bytes=10, total=None)
    assert core.desk.progress == (10, None)
    provider.ask("model_progress", token=token, bytes=20, total=len(DATA))
    assert core.desk.progress == (20, len(DATA))
    provider.deliver(token)
    file = fetching.result(PATIENCE_S)
    assert file.read(0, len(DATA) + 1) == DATA
    assert file.read(len(DATA) - 3, 100) == DATA[-3:]
    assert file.read(len(DATA), 100) == b""
    file.close()
    until(lambda: core.desk.progress is None)


def test_without_a_gateway_it_is_said_at_once(core: Core):
    with pytest.raises(ModelError, match="start it with 'scrim gateway'") as caught:
        core.desk.fetch(URL)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"bytes": -1}, "bytes"),
        ({"bytes": MOST_BYTES + 1}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({}, "bytes"),
        ({"bytes": 3}, "no descriptor"),
    ],
)
def test_what_was_not_agreed_on_is_refused(core: Core, provider: Provider, params: dict[str, Any], said: str):
    fetching = core.fetch()
    token = provider.token()
    with pytest.raises(LocalError, match=said):
        provider.ask("model", token=token, **params)
    with pytest.raises(LocalError, match="not sealed"):
        provider.deliver(token, is_sealed=False)
    with pytest.raises(LocalError, match="which are not 5"):
        provider.deliver(token, size=5)
    with pytest.raises(LocalError, match="too late"):
        provider.deliver("0" * 32)
    with pytest.raises(LocalError, match="too late"):
        provider.ask("model_progress", token="0" * 32, bytes=1)
    assert not fetching.done()
    provider.ask("model_failed", token=token, message="the server answered 404 Not Found")
    with pytest.raises(ModelError, match="404 Not Found"):
        fetching.result(PATIENCE_S)


def test_a_provider_that_leaves_or_does_not_answer_is_not_waited_for(core: Core, tmp_path: Path):
    provider = Provider(core)
    fetching = core.fetch()
    provider.token()
    provider.channel.close()
    with pytest.raises(ModelError, match="gone while it fetched"):
        fetching.result(PATIENCE_S)
    impatient = Core(tmp_path / "other" / "core.sock", answer_s=0.05)
    with impatient.server:
        provider = Provider(impatient)
        with pytest.raises(ModelError, match=r"did not deliver it within 0\.05 s"):
            impatient.desk.fetch(URL)
        provider.channel.close()


def test_a_model_that_is_not_wanted_any_more_is_given_up(core: Core, provider: Provider):
    enough = threading.Event()
    fetching = core.fetch(give_up=enough.is_set)
    token = provider.token()
    enough.set()
    with pytest.raises(ModelError, match="not wanted"):
        fetching.result(PATIENCE_S)
    with pytest.raises(LocalError, match="too late"):
        provider.ask("model_progress", token=token, bytes=1)

"""The local socket: what a client may ask, and what nobody may do to the core."""

import contextlib
import json
import math
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from scrim.errors import ConfigError, LocalError, Problem
from scrim.local import peer as peer_limits
from scrim.local.client import Client
from scrim.local.messages import MAX_DEPTH, MAX_MESSAGE_BYTES, LineBuffer, dump, parse_object, result_of
from scrim.local.place import check_folder, default_path, prepare_folder
from scrim.local.server import MAX_CLIENTS, LocalServer


class Echo:
    """Answers with what it was asked; ``refuse``, ``lie`` and ``fail`` do what they say."""

    def handle(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "refuse":
                raise ConfigError([Problem("a.b", "1", "is odd", "even"), Problem("c", "x", "is new", "old")])
            case "lie":
                return {"value": math.nan}
            case "fail":
                raise ZeroDivisionError
            case "nothing":
                raise LocalError("no method nothing")
        return {"method": method, "params": params}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "core.sock"


@pytest.fixture
def server(path: Path) -> Iterator[LocalServer]:
    with LocalServer(path, Echo()) as server:
        yield server


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(180)
    connection.connect(str(path))
    return connection


def ask(path: Path, line: bytes) -> dict[str, Any]:
    with connect(path) as connection:
        connection.sendall(line)
        return json.loads(connection.makefile("rb").readline())


# Requests and answers


def test_a_request_is_answered_with_its_result(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as client:
        assert client.request("hello", {"a": [1, 2.5, None]}) == {
            "method": "hello",
            "params": {"a": [1, 2.5, None]},
        }


def test_named_methods_are_requests(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as client:
        assert client.set({"effect": "blur"}) == {"method": "set", "params": {"patch": {"effect": "blur"}}}
        assert client.reset()["method"] == "reset"
        assert dict(client.status())["method"] == "status"


def test_every_problem_of_a_refused_setting_arrives(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as client, pytest.raises(ConfigError) as caught:
        client.request("refuse")
    assert caught.value.problems == (
        Problem("a.b", "1", "is odd", "even"),
        Problem("c", "x", "is new", "old"),
    )


def test_another_refusal_is_a_local_error_and_the_connection_goes_on(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as client:
        with pytest.raises(LocalError, match="no method nothing"):
            client.request("nothing")
        assert client.request("hello")["method"] == "hello"


@pytest.mark.parametrize("method", ["fail", "lie"])
def test_a_fault_in_the_handler_is_answered_and_the_server_lives(server: LocalServer, method: str) -> None:
    with Client(server.path, timeout_s=180) as client:
        with pytest.raises(LocalError):
            client.request(method)
        assert client.request("hello")["method"] == "hello"


def test_requests_sent_at_once_are_answered_in_order(server: LocalServer) -> None:
    with connect(server.path) as connection:
        connection.sendall(b"".join(dump({"id": str(i), "method": "x"}) for i in range(20)))
        lines = connection.makefile("rb")
        assert [json.loads(lines.readline())["id"] for _ in range(20)] == [str(i) for i in range(20)]


def test_events_reach_subscribers_only(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as subscriber, Client(server.path) as other:
        events = subscriber.events(timeout_s=180)
        other.request("hello")
        publisher_done = False

        def first() -> dict[str, Any]:
            nonlocal publisher_done
            subscriber.request("events")
            server.publish("camera_lost", since=3)
            publisher_done = True
            return next(events)

        assert first() == {"event": "camera_lost", "since": 3}
        assert publisher_done
        assert other.request("hello")["method"] == "hello"


def test_events_before_an_answer_are_kept(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as client:
        client.request("events")
        server.publish("camera_back")
        client.request("hello")
        assert next(client.events(timeout_s=180)) == {"event": "camera_back"}


def test_a_client_that_waits_for_events_in_vain_stops(server: LocalServer) -> None:
    with Client(server.path, timeout_s=180) as client:
        assert list(client.events(timeout_s=0.01)) == []


# Protocol abuse


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"nonsense", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"id":"1","method":"x","params":{"a":NaN}}', "NaN"),
        (b'{"id":"1","method":"x","params":{"a":-Infinity}}', "Infinity"),
        (b'{"id":"1","method":"x","params":{"a":1e999}}', "too large"),
        (b'{"id":"1","method":"x","params":{"a":' + b"9" * 5000 + b"}}", "not JSON"),
        (b'{"id":"1","method":"x","params":{"a":1,"a":2}}', "twice"),
        (b'{"id":"1","method":"x","shell":"rm"}', "unknown key"),
        (b'{"method":"x"}', "id"),
        (b'{"id":1,"method":"x"}', "id"),
        (b'{"id":"' + b"1" * 65 + b'","method":"x"}', "id"),
        (b'{"id":"1","method":"../x"}', "method"),
        (b'{"id":"1","method":"X"}', "method"),
        (b'{"id":"1","method":"x","params":[]}', "params"),
        (b'{"id":"1","method":"x","params":' + b'{"a":' * 8 + b"1" + b"}" * 8 + b"}", "deep"),
        (b"[" * 100_000, "deep"),
    ],
)
def test_a_line_that_is_no_request_is_refused_with_an_answer(
    server: LocalServer, line: bytes, complaint: str
) -> None:
    with connect(server.path) as connection:
        lines = connection.makefile("rb")
        connection.sendall(line + b"\n")
        answer = json.loads(lines.readline())
        assert answer["ok"] is False
        assert complaint in answer["errors"][0]["message"]
        connection.sendall(dump({"id": "2", "method": "x"}))
        assert json.loads(lines.readline())["ok"] is True


def test_an_answer_to_a_refused_request_carries_its_id(server: LocalServer) -> None:
    assert ask(server.path, b'{"id":"7","method":"x","more":1}\n')["id"] == "7"


def test_the_deepest_allowed_nesting_passes() -> None:
    inner = MAX_DEPTH - 1
    assert parse_object(b'{"a":' + b"[" * inner + b"]" * inner + b"}")
    with pytest.raises(LocalError, match="deep"):
        parse_object(b'{"a":' + b"[" * (inner + 1) + b"]" * (inner + 1) + b"}")


def test_a_message_above_the_limit_is_answered_and_its_sender_dropped(server: LocalServer) -> None:
    with connect(server.path) as connection:
        lines = connection.makefile("rb")
        connection.sendall(b" " * (MAX_MESSAGE_BYTES + 1))
        answer = json.loads(lines.readline())
        assert answer["ok"] is False
        assert str(MAX_MESSAGE_BYTES) in answer["errors"][0]["message"]
        assert lines.readline() == b""


def test_a_message_at_the_limit_passes(server: LocalServer) -> None:
    line = dump({"id": "1", "method": "x", "params": {"a": ""}})
    filled = line.replace(b'""', b'"' + b"a" * (MAX_MESSAGE_BYTES - len(line) + 1) + b'"')
    assert len(filled) == MAX_MESSAGE_BYTES + 1
    answer = ask(server.path, filled)
    assert "internal" not in str(answer)[:200]
    with Client(server.path, timeout_s=180) as client:
        assert client.request("hello")["method"] == "hello"


def test_a_line_buffer_holds_no_more_than_one_line() -> None:
    buffer = LineBuffer(max_bytes=8)
    assert buffer.feed(b"abc") == []
    assert buffer.feed(b"de\nfg\nh") == [b"abcde", b"fg"]
    assert buffer.unfinished_bytes == 1
    with pytest.raises(LocalError):
        buffer.feed(b"x" * 8)


@pytest.mark.parametrize("answer", [{}, {"ok": True}, {"ok": False, "errors": []}, {"ok": 1, "result": {}}])
def test_an_answer_that_is_none_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match="version"):
        result_of(answer)


# Limits


def test_one_client_too_many_is_told_so_and_others_go_on(server: LocalServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server.path)) for _ in range(MAX_CLIENTS)]
        until(lambda: server.clients == MAX_CLIENTS)
        late = stack.enter_context(connect(server.path))
        lines = stack.enter_context(late.makefile("rb"))
        assert str(MAX_CLIENTS) in json.loads(lines.readline())["errors"][0]["message"]
        assert lines.readline() == b""
        clients[0].sendall(dump({"id": "1", "method": "x"}))
        with clients[0].makefile("rb") as answers:
            assert json.loads(answers.readline())["ok"]
    until(lambda: server.clients == 0)


def test_a_client_that_does_not_end_its_line_is_dropped(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_limits, "STALL_S", 0.05)
    with connect(server.path) as connection:
        connection.sendall(b'{"id":')
        assert connection.recv(1) == b""


def test_an_idle_client_is_kept(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_limits, "STALL_S", 0.0)
    with Client(server.path, timeout_s=180) as idle, Client(server.path) as busy:
        idle.request("hello")
        for _ in range(5):
            busy.request("hello")
        assert idle.request("hello")["method"] == "hello"


def test_a_subscriber_that_does_not_read_is_dropped_and_its_memory_is_bounded(server: LocalServer) -> None:
    with connect(server.path) as deaf, Client(server.path) as other:
        deaf.sendall(dump({"id": "1", "method": "events"}))
        until(lambda: server.clients == 2)
        sent_bytes = 0
        while server.clients == 2:
            server.publish("noise", text="x" * 100_000)
            other.request("hello")
            sent_bytes += 100_000
            assert sent_bytes < 10 * peer_limits.MAX_UNSENT_BYTES
        assert other.request("hello")["method"] == "hello"


def test_a_client_that_asks_without_reading_is_not_read_on(server: LocalServer) -> None:
    with connect(server.path) as greedy, Client(server.path) as other:
        greedy.setblocking(False)
        line = dump({"id": "1", "method": "x", "params": {"a": "x" * 60_000}})
        deadline_s = time.monotonic() + 180
        with contextlib.suppress(BlockingIOError):
            while True:
                greedy.send(line)
                assert time.monotonic() < deadline_s, "the server reads on"
        assert other.request("hello")["method"] == "hello"


def test_descriptors_do_not_leak(server: LocalServer) -> None:
    def open_fds() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with Client(server.path, timeout_s=180) as client:
        client.request("hello")
    until(lambda: server.clients == 0)
    before = open_fds()
    for _ in range(20):
        with Client(server.path, timeout_s=180) as client:
            client.request("hello")
    until(lambda: server.clients == 0)
    assert open_fds() == before


# The socket's place


def test_the_socket_is_for_owner_and_group(server: LocalServer) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700


def test_a_second_core_is_refused_by_pid_and_the_first_goes_on(server: LocalServer) -> None:
    with pytest.raises(LocalError, match=rf"pid {os.getpid()}\): stop it"):
        LocalServer(server.path, Echo()).start()
    with Client(server.path, timeout_s=180) as client:
        assert client.request("hello")["method"] == "hello"


def test_the_socket_of_a_core_that_died_is_replaced(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    code = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX)\n"
        "s.bind(sys.argv[1]); s.listen(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.is_socket()
    with LocalServer(path, Echo()), Client(path) as client:
        assert client.request("hello")["method"] == "hello"


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("mine")
    with pytest.raises(LocalError, match="not a socket"):
        LocalServer(path, Echo()).start()
    assert path.read_text() == "mine"


def test_close_frees_the_place_and_start_takes_it_again(path: Path) -> None:
    server = LocalServer(path, Echo())
    for _ in range(3):
        server.start()
        with Client(path) as client:
            client.request("hello")
        server.close()
        assert not path.exists()
    server.close()


def test_close_leaves_a_socket_that_is_no_longer_ours(path: Path) -> None:
    server = LocalServer(path, Echo())
    server.start()
    path.unlink()
    with LocalServer(path, Echo()), Client(path) as client:
        server.close()
        assert client.request("hello")["method"] == "hello"


def test_no_core_is_an_error_with_its_mend(path: Path) -> None:
    with pytest.raises(LocalError, match="start it with 'scrim run'"):
        Client(path).connect()


def test_a_client_connects_anew_after_a_restart(path: Path) -> None:
    client = Client(path)
    with LocalServer(path, Echo()):
        client.connect()
        client.request("hello")
    with pytest.raises(LocalError):
        client.request("hello")
    with LocalServer(path, Echo()):
        client.connect()
        assert client.request("hello")["method"] == "hello"
        client.close()


def test_a_core_that_does_not_answer_is_an_error_in_time(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        with Client(path) as client, pytest.raises(LocalError, match="did not answer"):
            client.request("hello", timeout_s=0.02)


def test_a_path_too_long_for_a_socket_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="at most 107 bytes"):
        LocalServer(tmp_path / ("x" * 120), Echo()).start()


def test_the_place_is_the_first_that_applies(tmp_path: Path) -> None:
    system, missing = tmp_path, tmp_path / "missing"
    named = {
        "SCRIM_SOCKET": "/a/b.sock",
        "RUNTIME_DIRECTORY": "/run/x:/run/y",
        "XDG_RUNTIME_DIR": "/run/user/1",
    }
    assert default_path(named) == Path("/a/b.sock")
    del named["SCRIM_SOCKET"]
    assert default_path(named) == Path("/run/x/core.sock")
    del named["RUNTIME_DIRECTORY"]
    assert default_path(named, system) == system / "core.sock"
    assert default_path(named, missing) == Path("/run/user/1/scrim/core.sock")
    assert default_path({}, missing) == Path(f"/tmp/scrim-{os.getuid()}/core.sock")


def test_a_folder_that_others_prepared_in_a_shared_one_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    theirs = tmp_path / "open"
    theirs.mkdir()
    theirs.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for folder in (theirs, link):
        with pytest.raises(LocalError, match="mode 0700"):
            check_folder(folder / "core.sock")
        with pytest.raises(LocalError, match="mode 0700"):
            prepare_folder(folder / "core.sock")
    prepare_folder(tmp_path / "ours" / "core.sock")
    check_folder(tmp_path / "ours" / "core.sock")


def test_the_server_needs_no_asyncio() -> None:
    code = "import scrim.local.server, sys; sys.exit('asyncio' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=False, env=os.environ | {"PYTHONPATH": ":".join(sys.path)}
        ).returncode
        == 0
    )

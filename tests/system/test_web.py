"""The page's server: a real gateway over a real socket, with a core that has no camera."""

import asyncio
import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import simplejpeg

from scrim.config import Settings
from scrim.errors import ConfigError, DeviceError
from scrim.frame import Caps
from scrim.gateway.listening import check_address
from scrim.gateway.live_picture import MAX_RATE_HZ, MAX_VIEWERS, STILL_PX, LivePicture
from scrim.gateway.service import run
from scrim.gateway.web.guard import MAX_BODY_BYTES, host_name

POST = {"X-Scrim": "1", "Content-Type": "application/json"}
DEADLINE_S = 180.0
CHANGES = (
    "/api/settings",
    "/api/reset",
    "/api/restart",
    "/api/login",
    "/api/logout",
    "/api/backgrounds",
    "/api/backgrounds/remove",
)
"""All that a request can change anything with."""

Scenario = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


def play(gateway: Any, path: Path, scenario: Scenario) -> None:
    """Run ``scenario`` against a gateway for the core at ``path``."""

    async def go() -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with gateway(path) as url, aiohttp.ClientSession(connector=connector) as session:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(session, url)

    asyncio.run(go())


async def status_of(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(f"{url}/api/status") as answer:
        assert answer.status == 200
        return await answer.json()


async def until(
    session: aiohttp.ClientSession, url: str, condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Poll the status until ``condition`` holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition(answer := await status_of(session, url)):
            await asyncio.sleep(0.01)
    return answer


async def connected(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    return await until(session, url, lambda answer: answer["core"] == "connected")


@contextlib.asynccontextmanager
async def watch(session: aiohttp.ClientSession, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """The JPEGs of one viewer."""
    async with session.get(f"{url}/preview.mjpg") as answer:
        assert answer.status == 200
        assert answer.content_type == "multipart/x-mixed-replace"
        yield jpegs(answer.content)


async def jpegs(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    assert await content.readline() == b"--scrim-frame\r\n"
    while True:
        assert await content.readline() == b"Content-Type: image/jpeg\r\n"
        name, _, length = (await content.readline()).partition(b": ")
        assert name == b"Content-Length"
        assert await content.readline() == b"\r\n"
        yield await content.readexactly(int(length))
        assert await content.readexactly(17) == b"\r\n--scrim-frame\r\n"


# The page and the state


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_every_file_of_the_page_is_served_and_guarded(
    gateway: Any, tmp_path: Path, at: str, kind: str
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(url + at) as answer:
            assert (answer.status, answer.content_type) == (200, kind)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "http://" not in (await answer.text()).replace("http://www.w3.org/2000/svg", "")

    play(gateway, tmp_path / "core.sock", scenario)


def test_errors_are_guarded_too(gateway: Any, tmp_path: Path) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}/nothing") as answer:
            assert answer.status == 404
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

    play(gateway, tmp_path / "core.sock", scenario)


def test_the_state_is_what_the_core_says(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        answer = await connected(session, url)
        assert answer["status"]["camera"]["caps"] == "1280x720@30"
        assert answer["gone_because"] is None

    play(gateway, stand_in_core.path, scenario)


def test_an_event_brings_the_new_state_at_once(
    gateway: Any, stand_in_core: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrim.gateway.core_link.POLL_S", 3600.0)

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        stand_in_core.state, stand_in_core.placeholder_reason = "placeholder", "camera_lost"
        while (await status_of(session, url))["status"]["state"] != "placeholder":
            stand_in_core.publish("camera_lost")
            await asyncio.sleep(0.02)

    play(gateway, stand_in_core.path, scenario)


def test_without_a_core_the_page_says_so_and_finds_it_when_it_comes(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for _ in range(2):
            stand_in_core.stop()
            answer = await until(
                session, url, lambda answer: answer["core"] == "gone" and answer["status"] is None
            )
            assert answer["gone_because"]
            async with session.get(url) as page:
                assert page.status == 200
            stand_in_core.start()
            began_s = asyncio.get_running_loop().time()
            await connected(session, url)
            assert asyncio.get_running_loop().time() - began_s < 30

    play(gateway, stand_in_core.path, scenario)


# The live picture


def test_two_viewers_share_one_encode(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with watch(session, url) as first, watch(session, url) as second:
            await until(session, url, lambda answer: answer["gateway"]["viewers"] == 2)
            while not stand_in_core.feed.subscribers:
                await asyncio.sleep(0.01)
            for number in range(1, 6):
                stand_in_core.show()
                one, two = await asyncio.gather(anext(first), anext(second))
                assert one == two
                assert simplejpeg.decode_jpeg(one).shape == (360, 640, 3)
                assert (await status_of(session, url))["gateway"]["encoded"] == number

    play(gateway, stand_in_core.path, scenario)


def test_nothing_is_encoded_without_viewers(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        for _ in range(5):
            stand_in_core.show()
        answer = await status_of(session, url)
        assert answer["gateway"] == answer["gateway"] | {"encoded": 0, "viewers": 0}
        assert stand_in_core.feed.subscribers == 0
        stand_in_core.play()
        async with watch(session, url) as pictures:
            await anext(pictures)
        await until(session, url, lambda answer: answer["gateway"]["viewers"] == 0)
        while stand_in_core.feed.subscribers:
            await asyncio.sleep(0.01)
        while await is_encoding(session, url, stand_in_core):  # what was under way
            await asyncio.sleep(0.01)

    play(gateway, stand_in_core.path, scenario)


async def is_encoding(session: aiohttp.ClientSession, url: str, core: Any) -> bool:
    """Whether anything is encoded while the camera shows ten pictures."""
    before, shown = (await status_of(session, url))["gateway"]["encoded"], core.shown
    while core.shown < shown + 10:
        await asyncio.sleep(0.01)
    return bool((await status_of(session, url))["gateway"]["encoded"] != before)


def test_a_fast_camera_is_not_encoded_faster_than_the_limit(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        stand_in_core.play(frame_rate=200)
        async with watch(session, url) as pictures:
            await anext(pictures)
            began_s = asyncio.get_running_loop().time()
            for _ in range(5):
                await anext(pictures)
            assert asyncio.get_running_loop().time() - began_s >= 4 / MAX_RATE_HZ

    play(gateway, stand_in_core.path, scenario)


def test_a_viewer_outlives_the_core(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        stand_in_core.play()
        async with watch(session, url) as pictures:
            await anext(pictures)
            stand_in_core.stop()
            await until(session, url, lambda answer: answer["core"] == "gone")
            stand_in_core.start()
            stand_in_core.play()
            for _ in range(10):
                await anext(pictures)

    play(gateway, stand_in_core.path, scenario)


def test_one_viewer_too_many_is_refused(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        stand_in_core.play()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(MAX_VIEWERS):
                pictures = await stack.enter_async_context(watch(session, url))
                await anext(pictures)
            async with session.get(f"{url}/preview.mjpg") as answer:
                assert answer.status == 503
                assert answer.headers["Retry-After"]
        await until(session, url, lambda answer: answer["gateway"]["viewers"] == 0)
        async with watch(session, url) as pictures:
            assert simplejpeg.is_jpeg(await anext(pictures))

    play(gateway, stand_in_core.path, scenario)


# Stills


def test_a_still_is_what_goes_out_now_whole_or_small(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        stand_in_core.play()
        for query, shape in (("", (720, 1280, 3)), ("?size=small", (360, 640, 3))):
            async with session.get(f"{url}/snapshot.jpg{query}") as answer:
                assert (answer.status, answer.content_type) == (200, "image/jpeg")
                assert answer.headers["Cache-Control"] == "no-store"
                assert simplejpeg.decode_jpeg(await answer.read()).shape == shape
        async with session.get(f"{url}/snapshot.jpg?size=huge") as answer:
            assert answer.status == 400
        answer = await until(session, url, lambda answer: answer["gateway"]["viewers"] == 0)
        assert answer["gateway"]["encoded"] == 0
        while stand_in_core.feed.subscribers:
            await asyncio.sleep(0.01)

    stand_in_core.resize(Caps(1280, 720, 30))
    play(gateway, stand_in_core.path, scenario)


def test_many_who_ask_for_a_still_share_one(stand_in_core: Any) -> None:
    async def scenario() -> None:
        picture = LivePicture(stand_in_core.path)
        small = [asyncio.create_task(picture.still(STILL_PX)) for _ in range(20)]
        whole = [asyncio.create_task(picture.still()) for _ in range(20)]
        while not stand_in_core.feed.subscribers:
            await asyncio.sleep(0.01)
        stand_in_core.show()
        assert len(set(await asyncio.gather(*small))) == 1
        assert len(set(await asyncio.gather(*whole))) == 1
        assert stand_in_core.shown == 1
        await picture.close()

    asyncio.run(scenario())


def test_a_still_of_a_core_that_is_gone_is_refused(
    gateway: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrim.gateway.live_picture._STILL_S", 0.2)

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}/snapshot.jpg") as answer:
            assert answer.status == 503
            assert "core running" in (await answer.json())["errors"][0]["message"]

    play(gateway, tmp_path / "core.sock", scenario)


# What happened lately


def test_a_page_that_comes_late_is_told_what_happened_and_then_only_what_is_new(
    gateway: Any, stand_in_core: Any
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        seen: list[str] = []
        while "camera_lost" not in seen:
            stand_in_core.publish("camera_lost")
            answer = await status_of(session, url)
            seen = [event["event"] for event in answer["events"]]
        assert seen[0] == "core_here"
        assert answer["samples"][0]["fps"] == 29.9
        last = max(item["number"] for item in [*answer["events"], *answer["samples"]])
        async with session.get(f"{url}/api/status?after={last + 1000}") as later:
            answer = await later.json()
            assert (answer["events"], answer["samples"]) == ([], [])
        for wrong in ("-1", "x", "1e3", "9" * 16, "%C2%B2"):
            async with session.get(f"{url}/api/status?after={wrong}") as refused:
                assert refused.status == 400

    play(gateway, stand_in_core.path, scenario)


# Changing settings


def test_the_form_is_made_of_the_schema_and_what_is_in_effect(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        async with session.get(f"{url}/api/schema") as answer:
            schema = await answer.json()
        async with session.get(f"{url}/api/settings") as answer:
            settings = (await answer.json())["result"]["settings"]
        assert schema["properties"].keys() == settings.keys()
        assert schema["properties"]["framing"]["properties"]["max_zoom"]["isLive"] is True

    play(gateway, stand_in_core.path, scenario)


def test_settings_go_back_and_the_core_is_restarted(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        stand_in_core.settings = stand_in_core.settings.patched({"strength": 99})
        for at in ("/api/reset", "/api/restart"):
            async with session.post(url + at, json={}, headers=POST) as answer:
                assert (await answer.json())["ok"] is True
        assert stand_in_core.settings.background_blur.strength == "medium"
        assert "restart" in stand_in_core.asked

    play(gateway, stand_in_core.path, scenario)


def test_a_change_goes_to_the_core(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        for patch in (
            {"effect": "color", "background_replacement": {"default_color": "#336699"}},
            {"effect": "blur"},
            {"background_blur": {"strength": "high"}},
        ):
            async with session.post(f"{url}/api/settings", json=patch, headers=POST) as answer:
                assert answer.status == 200
                assert (await answer.json())["ok"] is True
            assert stand_in_core.patches[-1] == patch
        answer = await until(session, url, lambda answer: answer["status"]["revision"] == 4)
        assert answer["status"]["effect"]["strength"] == 30

    play(gateway, stand_in_core.path, scenario)


def test_every_problem_comes_back_with_its_key(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        patch = {"background_blur": {"strength": "ultra"}, "background_replacement": {"default_color": "no"}}
        async with session.post(f"{url}/api/settings", json=patch, headers=POST) as answer:
            assert answer.status == 422
            errors = (await answer.json())["errors"]
        assert {error["key"] for error in errors} == {
            "background_blur.strength",
            "background_replacement.default_color",
        }
        assert all(error["allowed"] for error in errors)

    play(gateway, stand_in_core.path, scenario)


def test_without_a_core_nothing_is_changed_and_it_is_said(gateway: Any, tmp_path: Path) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(f"{url}/api/settings", json={"effect": "off"}, headers=POST) as answer:
            assert answer.status == 503
            assert "not running" in (await answer.json())["errors"][0]["message"]

    play(gateway, tmp_path / "core.sock", scenario)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 60_000, b"\xff"]
)
def test_a_body_that_is_no_patch_is_refused(gateway: Any, stand_in_core: Any, body: bytes) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(f"{url}/api/settings", data=body, headers=POST) as answer:
            assert answer.status == 400
            assert (await answer.json())["ok"] is False
        assert stand_in_core.patches == []

    play(gateway, stand_in_core.path, scenario)


# Who may not


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 403),
        ({"X-Scrim": "2", "Content-Type": "application/json"}, 403),
        ({"X-Scrim": "1", "Content-Type": "text/plain"}, 415),
        ({"X-Scrim": "1", "Content-Type": "application/x-www-form-urlencoded"}, 415),
        (POST | {"Content-Encoding": "gzip"}, 415),
        (POST | {"Sec-Fetch-Site": "cross-site"}, 403),
        (POST | {"Sec-Fetch-Site": "same-site"}, 403),
        (POST | {"Sec-Fetch-Site": "none"}, 403),
        (POST | {"Origin": "http://evil.example"}, 403),
        (POST | {"Origin": "null"}, 403),
        (POST | {"Host": "evil.example"}, 403),
    ],
    ids=str,
)
def test_a_change_that_a_foreign_page_could_send_is_refused(
    gateway: Any, stand_in_core: Any, headers: dict[str, str], status: int
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        body = b'{"effect":"off"}'
        sent = gzip.compress(body) if "Content-Encoding" in headers else body
        for at in CHANGES:
            async with session.post(url + at, data=sent, headers=headers) as answer:
                assert answer.status == status, at
        assert stand_in_core.patches == []
        assert not {"set", "reset", "restart"} & set(stand_in_core.asked)
        same = POST | {"Sec-Fetch-Site": "same-origin", "Origin": url}
        async with session.post(f"{url}/api/settings", data=body, headers=same) as answer:
            assert answer.status == 200

    play(gateway, stand_in_core.path, scenario)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_only_post_changes_anything(gateway: Any, stand_in_core: Any, method: str) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        for at in CHANGES:
            async with session.request(method, url + at, data=b"{}", headers=POST) as answer:
                is_read = at in {"/api/settings", "/api/backgrounds"} and method in {"GET", "HEAD"}
                assert answer.status == (200 if is_read else 405), at
                assert "Access-Control-Allow-Origin" not in answer.headers
        assert stand_in_core.patches == []
        assert not {"set", "reset", "restart"} & set(stand_in_core.asked)

    play(gateway, stand_in_core.path, scenario)


@pytest.mark.parametrize("at", CHANGES)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused_unparsed(
    gateway: Any, stand_in_core: Any, chunked: bool, at: str
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(2 * MAX_BODY_BYTES // 1024):
            yield b" " * 1024

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        data = pieces() if chunked else b" " * (MAX_BODY_BYTES + 1)
        async with session.post(url + at, data=data, headers=POST) as answer:
            assert answer.status == 413
        assert stand_in_core.patches == []

    play(gateway, stand_in_core.path, scenario)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "0.0.0.0", "a@127.0.0.1"]
)
def test_a_name_rebound_to_loopback_is_refused(gateway: Any, tmp_path: Path, host: str) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for at in ("/", "/api/status", "/preview.mjpg", "/snapshot.jpg", "/api/backgrounds", "/app.js"):
            async with session.get(url + at, headers={"Host": host}) as answer:
                assert answer.status == 403
        for name in ("localhost:99", "127.0.0.1", "[::1]:8080", "LOCALHOST"):
            async with session.get(url, headers={"Host": name}) as answer:
                assert answer.status == 200

    play(gateway, tmp_path / "core.sock", scenario)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_can_link_here_but_embed_nothing(gateway: Any, tmp_path: Path, site: str) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for at in ("/api/status", "/preview.mjpg", "/snapshot.jpg", "/api/settings", "/app.js"):
            async with session.get(url + at, headers={"Sec-Fetch-Site": site}) as answer:
                assert answer.status == 403
        async with session.get(url, headers={"Sec-Fetch-Site": site}) as answer:
            assert answer.status == 200

    play(gateway, tmp_path / "core.sock", scenario)


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:1", "a"), ("A", "a"), ("[::1]:5", "[::1]"), ("[::1]", "[::1]"), ("a:b", "a:b"), ("", "")],
)
def test_the_port_is_no_part_of_the_host(host: str, name: str) -> None:
    assert host_name(host) == name


# Start and stop


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "10.0.0.1"])
def test_an_address_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="password") as caught:
        check_address("web", host, 8080)
    assert caught.value.problems[0].key == "web.host"
    assert caught.value.problems[0].value == host


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match=r"web\.port"):
        check_address("web", "127.0.0.1", port)


def test_loopback_is_accepted() -> None:
    assert [check_address("web", host, 0) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "127.0.0.1",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_with_a_password_others_may_reach_it(host: str) -> None:
    assert check_address("prometheus", host, 9464, has_password=True) == host


def test_a_name_is_no_address_also_with_a_password() -> None:
    with pytest.raises(ConfigError, match=r"prometheus\.host = example\.org: is no address"):
        check_address("prometheus", "example.org", 9464, has_password=True)


def test_a_port_that_is_taken_is_named_with_the_mend(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DeviceError, match=rf"port {port} .* taken .*web.port"):
            run(tmp_path / "core.sock", Settings().patched({"web": {"port": port}}), lambda url: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_prints_nothing_and_stops_when_told(
    tmp_path: Path, stand_in_core: Any, number: int
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from scrim.config import Settings;"
        "from scrim.gateway.service import run; settings = Settings().patched({'web': {'port': 0}});"
        "run(Path(sys.argv[1]), settings, lambda url: os.write(int(sys.argv[2]), url.encode()))"
    )
    reading, writing = os.pipe()
    arguments = [sys.executable, "-W", "error", "-c", code, str(stand_in_core.path), str(writing)]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(
        arguments,
        pass_fds=[writing],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writing)
        url = os.read(reading, 100).decode()
        os.close(reading)
        assert url.startswith("http://127.0.0.1:")
        stand_in_core.play()
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), DEADLINE_S) as viewer:
            viewer.sendall(b"GET /preview.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert viewer.recv(10)
            process.send_signal(number)
            out, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, errors) == (0, b"", b"")


def test_the_state_is_json_a_program_can_read(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        await connected(session, url)
        async with session.get(f"{url}/api/status") as answer:
            assert answer.content_type == "application/json"
            json.loads(await answer.read())

    play(gateway, stand_in_core.path, scenario)

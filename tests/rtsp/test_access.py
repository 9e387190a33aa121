"""Who may watch, and what nobody may."""

import asyncio
import base64
import logging
from pathlib import Path

import pytest

from scrim.config import Settings
from scrim.errors import ConfigError
from scrim.gateway.rtsp.limits import MAX_BODY_BYTES, MAX_CLIENTS
from scrim.gateway.rtsp.plan import plan_of

from .players import playing
from .raw import connected, digest
from .stage import SIZE, plan, served, until

PASSWORD = "correct-horse-battery"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


@pytest.mark.usefixtures("players")
@pytest.mark.parametrize("kind", ["ffmpeg tcp", "gst udp"])
def test_who_knows_the_password_watches(place: Path, kind: str) -> None:
    async def scenario() -> None:
        async with served(place, plan(password=PASSWORD)) as (_, part):
            url = (part.url or "").replace("://", f"://viewer:{PASSWORD}@")
            async with playing(url, SIZE, kind) as player:
                await player.number()
            wrong = (part.url or "").replace("://", "://viewer:another-horse@")
            async with playing(wrong, SIZE, kind) as player:
                with pytest.raises(asyncio.IncompleteReadError):
                    await player.picture()

    asyncio.run(scenario())


@pytest.mark.usefixtures("support")
def test_the_password_is_never_sent_and_nothing_goes_without_it(place: Path) -> None:
    async def scenario() -> None:
        async with (
            served(place, plan(password=PASSWORD)) as (core, part),
            connected(part.url or "") as client,
        ):
            stream = f"{client.url}/stream=0"
            asked = await client.ask("DESCRIBE")
            challenge = asked.headers["WWW-Authenticate"]
            assert (asked.status, challenge[:6], asked.body) == (401, "Digest", "")
            assert (await client.ask("SETUP", stream, Transport=TCP)).status == 401
            assert (await client.ask("PLAY")).status in {401, 454}
            basic = "Basic " + base64.b64encode(f"viewer:{PASSWORD}".encode()).decode()
            assert (await client.ask("DESCRIBE", Authorization=basic)).status == 401
            for user, password in (("viewer", "wrong"), ("scrim", PASSWORD), ("viewer", "")):
                tried = digest(challenge, "DESCRIBE", client.url, user, password)
                assert (await client.ask("DESCRIBE", Authorization=tried)).status == 401
            assert core.subscribers == 0
            right = digest(challenge, "DESCRIBE", client.url, "viewer", PASSWORD)
            assert (await client.ask("DESCRIBE", Authorization=right)).status == 200

    asyncio.run(scenario())


@pytest.mark.usefixtures("support")
def test_the_password_stands_in_no_command_line_environment_or_log(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with (
            served(place, plan(password=PASSWORD)) as (_, part),
            connected(part.url or "") as client,
        ):
            for file in ("cmdline", "environ"):
                assert PASSWORD.encode() not in Path(f"/proc/{part.pid}/{file}").read_bytes()
            challenge = (await client.ask("DESCRIBE")).headers["WWW-Authenticate"]
            right = digest(challenge, "DESCRIBE", client.url, "viewer", PASSWORD)
            assert (await client.ask("DESCRIBE", Authorization=right)).status == 200
            assert PASSWORD not in repr(part.figures)

    asyncio.run(scenario())
    assert caplog.records
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(plan(password=PASSWORD))


@pytest.mark.usefixtures("support")
def test_clients_can_do_nothing_but_watch(place: Path) -> None:
    async def scenario() -> None:
        async with (
            served(place) as (_, part),
            connected(part.url or "") as client,
        ):
            url, stream = client.url, f"{client.url}/stream=0"
            assert (await client.ask("ANNOUNCE", Content_Type="application/sdp")).status == 400
            assert (await client.ask("RECORD")).status >= 400
            for other in ("", "/", "/other", "/scrim/../etc"):
                assert (await client.ask("DESCRIBE", url.replace("/scrim", other))).status == 404
            assert (await client.ask("DESCRIBE")).status == 200
            multicast = "RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001"
            assert (await client.ask("SETUP", stream, Transport=multicast)).status == 461
            elsewhere = "RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.1"
            answer = await client.ask("SETUP", stream, Transport=elsewhere)
            assert "192.0.2.1" not in answer.headers["Transport"]

    asyncio.run(scenario())


@pytest.mark.usefixtures("support")
def test_no_web_page_gets_in_through_a_tunnel(place: Path) -> None:
    """RTSP in HTTP is what a page could speak, under a name that it rebinds to loopback."""

    async def scenario() -> None:
        async with (
            served(place) as (core, part),
            connected(part.url or "") as client,
        ):
            head = "HTTP/1.1\r\nHost: evil.example\r\nx-sessioncookie: 1\r\n"
            client.writer.write(f"GET /scrim {head}Accept: application/x-rtsp-tunnelled\r\n\r\n".encode())
            reading = asyncio.create_task(client.reader.read(1))
            await asyncio.wait({reading}, timeout=1.5)
            assert not reading.done() or reading.result() == b"", "silence, or hung up on"
            assert core.subscribers == 0
            reading.cancel()

    asyncio.run(scenario())


@pytest.mark.usefixtures("support")
def test_a_body_above_the_limit_is_refused(place: Path) -> None:
    async def scenario() -> None:
        async with served(place) as (_, part):
            async with connected(part.url or "") as client:
                head = f"SET_PARAMETER {client.url} RTSP/1.0\r\nCSeq: 1\r\n"
                client.writer.write(f"{head}Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
                client.writer.write(b"x" * (MAX_BODY_BYTES + 1))
                answer = await client.reader.read(1000)
                assert b" 200 " not in answer.split(b"\r\n")[0]
            async with connected(part.url or "") as client:
                assert (await client.ask("DESCRIBE")).status == 200

    asyncio.run(scenario())


@pytest.mark.usefixtures("support")
def test_no_more_clients_than_there_may_be(place: Path) -> None:
    async def scenario() -> None:
        async with served(place) as (_, part):
            many = [connected(part.url or "") for _ in range(MAX_CLIENTS)]
            clients = [await one.__aenter__() for one in many]
            assert all([(await client.ask("OPTIONS")).status == 200 for client in clients])
            async with connected(part.url or "") as refused:
                assert await refused.reader.read(1) == b""
            assert (await clients[0].ask("OPTIONS")).status == 200
            for one in many:
                await one.__aexit__(None, None, None)
            await until(lambda: part.figures["clients"] == 0)
            async with connected(part.url or "") as client:
                assert (await client.ask("OPTIONS")).status == 200

    asyncio.run(scenario())


@pytest.mark.usefixtures("support")
def test_noise_ends_nothing(place: Path) -> None:
    async def scenario() -> None:
        async with served(place) as (_, part):
            pid = part.pid
            for noise in (
                b"\0" * 4096,
                b"DESCRIBE\r\n\r\n",
                b"$\0\xff\xff" + b"x" * 65535,
                b"DESCRIBE rtsp://x RTSP/1.0\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
                b"X" * 100_000,
            ):
                async with connected(part.url or "") as client:
                    client.writer.write(noise)
                    client.writer.write_eof()
                    await client.reader.read(1000)
            async with connected(part.url or "") as client:
                assert (await client.ask("DESCRIBE")).status == 200
            assert part.pid == pid

    asyncio.run(scenario())


# Where it may listen


def settings(**rtsp: object) -> Settings:
    return Settings().patched({"rtsp": {"is_enabled": True, **rtsp}})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_an_address_others_can_reach_needs_a_password(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of(settings(host=host))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("rtsp.host", host)
    assert "rtsp.password_file" in problem.allowed
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    serve = plan_of(settings(host=host, password_file=str(file))).serve
    assert serve is not None
    assert (serve.host, serve.password, serve.username) == (host, PASSWORD, "scrim")


def test_a_short_password_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="too short") as caught:
        plan_of(settings(password_file=str(file)))
    assert "hunter2" not in str(caught.value)


def test_systemd_s_credentials_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rtsp-password").write_text(PASSWORD)
    (tmp_path / "rtsp-publish-password").write_text("for the server")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    made = plan_of(settings(host="0.0.0.0", publish_url="rtsp://server/in", publish_username="me"))
    assert made.serve is not None
    assert made.publish is not None
    assert (made.serve.password, made.publish.password) == (PASSWORD, "for the server")


def test_only_what_is_wanted_is_planned() -> None:
    assert plan_of(settings()).publish is None
    only_published = plan_of(Settings().patched({"rtsp": {"publish_url": "rtsps://server/in"}}))
    assert only_published.serve is None
    assert only_published.publish is not None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://server/in", "no rtsp:"),
        ("rtsp:///in", "no rtsp:"),
        ("rtsp://server:0/in", "no rtsp:"),
        ("rtsp://server:99999/in", "no rtsp:"),
        ("rtsp://server/a b", "no rtsp:"),
        ("rtsp://me:hunter22@server/in", "publish_username"),
    ],
)
def test_a_url_that_cannot_be_pushed_to_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Settings().patched({"rtsp": {"publish_url": url}})
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("path", ["scrim", "/", "/a b", "/a//b", "/a/b/c/d/e", "/a?b", ""])
def test_a_path_that_no_url_has_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"rtsp\.path"):
        Settings().patched({"rtsp": {"path": path}})


def test_only_the_local_file_says_where_the_stream_goes() -> None:
    for patch in ({"is_enabled": True}, {"publish_url": "rtsp://evil.example/in"}):
        with pytest.raises(ConfigError, match="local settings file"):
            Settings().patched({"rtsp": patch}, live=True)

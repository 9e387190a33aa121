"""The library over HTTP, up to the picture that goes out."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
import simplejpeg

from scrim.gateway.library import Library
from scrim.gateway.web.backgrounds import MOST_WAITING
from scrim.image_header import MAX_IMAGE_BYTES
from scrim.local.client import Client

UPLOAD = {"X-Scrim": "1", "Content-Type": "image/png"}
POST = {"X-Scrim": "1", "Content-Type": "application/json"}
DEADLINE_S = 180.0
Scenario = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


def play(gateway: Any, path: Path, scenario: Scenario) -> None:
    async def go() -> None:
        async with gateway(path) as url, aiohttp.ClientSession() as session:
            async with asyncio.timeout(4 * DEADLINE_S):
                await scenario(session, url)

    asyncio.run(go())


def image(color: tuple[int, int, int] = (40, 80, 200), size: tuple[int, int] = (640, 360)) -> bytes:
    """A PNG of one colour, BGR."""
    return cv2.imencode(".png", np.full((size[1], size[0], 3), color, np.uint8))[1].tobytes()


async def upload(
    session: aiohttp.ClientSession, url: str, data: Any, name: str = "room.png", **headers: str
) -> tuple[int, dict[str, Any]]:
    body = io.BytesIO(data) if isinstance(data, bytes) else data
    async with session.post(
        f"{url}/api/backgrounds?name={name}", data=body, headers=UPLOAD | headers
    ) as answer:
        return answer.status, await answer.json()


async def ours(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    async with session.get(f"{url}/api/backgrounds") as answer:
        return [each for each in (await answer.json())["backgrounds"] if not each["is_shipped"]]


def test_a_picture_is_uploaded_listed_looked_at_and_removed(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        status, answer = await upload(session, url, image(), "Mein%20B%C3%BCro.png")
        assert (status, answer["ok"]) == (200, True)
        background = answer["background"]
        assert background["title"] == "Mein Büro"
        assert await ours(session, url) == [background]
        async with session.get(url + background["thumb"]) as thumb:
            assert thumb.content_type == "image/jpeg"
            assert "immutable" in thumb.headers["Cache-Control"]
            assert simplejpeg.decode_jpeg(await thumb.read()).shape == (180, 320, 3)
        for wrong in ("x-000000000000", "..%2f..%2fetc%2fpasswd", "A"):
            async with session.get(f"{url}/backgrounds/{wrong}.jpg") as missing:
                assert missing.status == 404
        body = {"id": background["id"]}
        async with session.post(f"{url}/api/backgrounds/remove", json=body, headers=POST) as removed:
            assert removed.status == 200
        assert await ours(session, url) == []
        async with session.post(f"{url}/api/backgrounds/remove", json=body, headers=POST) as again:
            assert again.status == 422
            assert "no such picture" in (await again.json())["errors"][0]["message"]

    play(gateway, stand_in_core.path, scenario)


def test_a_picture_in_the_settings_is_not_removed(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        _, answer = await upload(session, url, image())
        background = answer["background"]
        stand_in_core.settings = stand_in_core.settings.patched(
            {"effect": "image", "image": background["url"]}
        )
        async with asyncio.timeout(DEADLINE_S):
            while True:
                async with session.get(f"{url}/api/status") as found:
                    status = (await found.json())["status"]
                if status and status["effect"]["image"] == background["url"]:
                    break
        body = {"id": background["id"]}
        async with session.post(f"{url}/api/backgrounds/remove", json=body, headers=POST) as removed:
            assert removed.status == 409
        assert await ours(session, url) == [background]

    play(gateway, stand_in_core.path, scenario)


def bomb() -> bytes:
    """A PNG whose header promises 400 million pixels."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (20_000).to_bytes(4, "big") * 2 + bytes(900)


async def endless() -> AsyncIterator[bytes]:
    for _ in range(MAX_IMAGE_BYTES // 65536 + 2):
        yield bytes(65536)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (bomb, "20000 x 20000 pixels; allowed is a JPEG, PNG or WebP"),
        (lambda: bytes(MAX_IMAGE_BYTES + 1), "larger than 8 MiB"),
        (endless, "larger than 8 MiB"),
        (lambda: b"", "is not an image"),
        (lambda: b"<svg onload='alert(1)'/>", "is not an image"),
        (lambda: image()[:200], "broken"),
    ],
    ids=["bomb", "long", "endless", "nothing", "svg", "cut off"],
)
def test_an_upload_that_is_no_picture_or_too_large_is_refused(
    gateway: Any, tmp_path: Path, make: Callable[[], Any], said: str
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        status, answer = await upload(session, url, make())
        assert (status, answer["ok"]) == (422, False)
        assert said in answer["errors"][0]["message"]
        assert await ours(session, url) == []

    play(gateway, tmp_path / "core.sock", scenario)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "image/svg+xml"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"X-Scrim": "0"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
    ids=str,
)
def test_an_upload_that_a_foreign_page_could_send_is_refused(
    gateway: Any, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(f"{url}/api/backgrounds", data=image(), headers=UPLOAD | headers) as answer:
            assert answer.status == status
        assert await ours(session, url) == []

    play(gateway, tmp_path / "core.sock", scenario)


def test_an_upload_is_an_image_only_where_one_is_expected(gateway: Any, stand_in_core: Any) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for at in ("/api/settings", "/api/backgrounds/remove", "/api/login", "/api/restart"):
            async with session.post(url + at, data=image(), headers=UPLOAD) as answer:
                assert answer.status == 415

    play(gateway, stand_in_core.path, scenario)


def test_a_picture_by_url_goes_through_the_rules_for_images_from_outside(
    gateway: Any, tmp_path: Path
) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        for address, said in (
            ("https://127.0.0.1/x.png", "not one on the internet"),
            ("https://169.254.169.254/latest", "not one on the internet"),
            ("http://example.org/x.png", "is not fetched"),
            ("file:///etc/passwd", "is not fetched"),
            ("library:studio-000000000000", "is not fetched"),
            ("data:image/png;base64,AAAA", "is not an image"),
            ("nonsense", ""),
        ):
            body = {"url": address}
            async with session.post(f"{url}/api/backgrounds", json=body, headers=POST) as answer:
                assert answer.status == 422, address
                assert said in (await answer.json())["errors"][0]["message"]
        for body in ({}, {"url": 5}, {"url": "x", "name": "y"}, []):
            async with session.post(f"{url}/api/backgrounds", json=body, headers=POST) as answer:
                assert answer.status == 400
        import base64

        data = "data:image/png;base64," + base64.b64encode(image()).decode()
        async with session.post(f"{url}/api/backgrounds", json={"url": data}, headers=POST) as answer:
            assert (await answer.json())["background"]["title"] == "Picture"

    play(gateway, tmp_path / "core.sock", scenario)


def test_more_uploads_than_can_wait_are_told_to_come_again(gateway: Any, tmp_path: Path) -> None:
    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        go_on = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield image()[:20]
            await go_on.wait()
            yield image()[20:]

        coming = [asyncio.create_task(upload(session, url, slow())) for _ in range(3 * MOST_WAITING)]
        async with asyncio.timeout(DEADLINE_S):
            while sum(task.done() for task in coming) < 2 * MOST_WAITING:
                await asyncio.sleep(0.05)
        assert {task.result()[0] for task in coming if task.done()} == {503}
        go_on.set()
        statuses = [status for status, _ in await asyncio.gather(*coming)]
        assert sorted(statuses) == [200] * MOST_WAITING + [503] * 2 * MOST_WAITING
        assert len(await ours(session, url)) == 1

    play(gateway, tmp_path / "core.sock", scenario)


def test_an_upload_that_does_not_come_is_given_up(
    gateway: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrim.gateway.web.backgrounds.UPLOAD_S", 0.2)

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async def never() -> AsyncIterator[bytes]:
            yield image()[:20]
            await asyncio.sleep(5)

        status, answer = await upload(session, url, never())
        assert status == 422
        assert "did not come" in answer["errors"][0]["message"]

    play(gateway, tmp_path / "core.sock", scenario)


def test_images_in_this_machine_s_folders_are_listed_too(
    gateway: Any, stand_in_core: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backgrounds"
    folder.mkdir()
    (folder / "Office wall.jpg").write_bytes(image())
    monkeypatch.setattr("scrim.gateway.web.backgrounds.Library", lambda: Library(folders=[folder]))

    async def scenario(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}/api/backgrounds") as answer:
            found = (await answer.json())["backgrounds"][-1]
        assert found["title"] == "Office wall.jpg"
        assert found["url"] == f"file:{folder}/Office%20wall.jpg"
        assert found["thumb"] is None

    play(gateway, stand_in_core.path, scenario)


# With a real core


async def running(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with session.get(f"{url}/api/status") as answer:
                status = (await answer.json())["status"]
            if status and status["state"] == "running":
                return
            await asyncio.sleep(0.1)


async def corner(session: aiohttp.ClientSession, url: str) -> np.ndarray:
    """The picture's upper left, which no person covers: mean RGB."""
    async with session.get(f"{url}/snapshot.jpg?size=small") as answer:
        if answer.status == 503:  # none came in time
            return np.full(3, -np.inf)
        assert answer.status == 200
        return simplejpeg.decode_jpeg(await answer.read())[:20, :20].reshape(-1, 3).mean(axis=0)


def test_what_is_uploaded_stands_behind_the_person_also_after_a_restart(real_scrim: Any) -> None:
    async def shows(session: aiohttp.ClientSession, url: str, rgb: tuple[int, int, int]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while np.abs(await corner(session, url) - rgb).max() > 8:
                await asyncio.sleep(0.1)

    async def is_made(session: aiohttp.ClientSession, url: str, patch: dict[str, str]) -> bool:
        """A busy machine may take longer to decode than anybody should wait."""
        async with session.post(f"{url}/api/settings", json=patch, headers=POST) as changed:
            answer = await changed.json()
        assert answer["ok"] or "takes too long" in str(answer), answer
        return bool(answer["ok"])

    async def choose(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            await running(session, url)
            _, answer = await upload(session, url, image((40, 80, 200)))
            patch = {"effect": "image", "image": answer["background"]["url"]}
            async with asyncio.timeout(DEADLINE_S):
                while not await is_made(session, url, patch):
                    await asyncio.sleep(0.1)
            await shows(session, url, (200, 80, 40))

    async def look_again(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            await running(session, url)
            await shows(session, url, (200, 80, 40))

    small = ("--set", "camera.source=demo:", "--set", "camera.width=320", "--set", "camera.height=180")
    with real_scrim(*small) as scrim:
        asyncio.run(choose(scrim.url))
        with Client(scrim.socket, timeout_s=DEADLINE_S) as client:
            assert str(client.status()["effect"]["image"]).startswith("library:room-")
    with real_scrim(*small) as scrim:
        asyncio.run(look_again(scrim.url))


def test_the_gateway_s_program_has_no_settings_in_its_arguments(real_scrim: Any) -> None:
    with real_scrim("--set", "camera.source=test:") as scrim:
        command = Path(f"/proc/{scrim.gateway.pid}/cmdline").read_text().split("\0")
        maps = Path(f"/proc/{scrim.gateway.pid}/maps").read_text()
    assert command[1:4] == ["-P", "-m", "scrim.gateway"]
    assert "pydantic" not in maps

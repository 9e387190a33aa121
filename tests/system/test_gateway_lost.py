"""The gateway is killed again and again, and the core is started again: what each owes the other.

The core's own counters are the witness: a frame that was lost is counted there. Before a release, on a quiet
machine, 120 kills, one in 5 s, at 30 frames a second:

    SCRIM_GATEWAY_KILLS=120 python -m pytest -s tests/system/test_gateway_lost.py

The core goes before all other processes where the test may say so, as root: only the gateway is to count.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from scrim.gateway.core_link import LAST_RETRY_S
from scrim.local import Client

PATIENCE_S = 180.0
BACK_S = 2.0
"""The gateway is live again this long after the core is."""

IS_RELEASE = "SCRIM_GATEWAY_KILLS" in os.environ
KILLS = int(os.environ.get("SCRIM_GATEWAY_KILLS", "2"))
TRIES = 1 if IS_RELEASE else 4
"""A machine that stops for seconds loses pictures too, but not every time."""

MOST_LATE = 0.002
"""A virtual machine is held up now and then: 1 of 2,701 frames was late without any gateway."""

INTERVAL_S = 5.0 if IS_RELEASE else 0.0
SIZE = ("640", "360", "30") if IS_RELEASE else ("160", "120", "2")
WIDTH, HEIGHT, RATE_HZ = SIZE
_CAMERA = f"camera.source=test: camera.width={WIDTH} camera.height={HEIGHT} camera.frame_rate={RATE_HZ}"
CORE = [word for each in _CAMERA.split() for word in ("--set", each)]
CORE += [
    "--set",
    "budget.is_adaptive=false",
    "--set",
    "model.name=person-192x112",
    "--set",
    "model.form=float16",
]


def counted(scrim: Any) -> dict[str, int]:
    """What only counts up in the core."""
    with Client(scrim.socket, timeout_s=PATIENCE_S) as client:
        status, counters = client.status(), client.request("counters")
    return {
        "captured": status["frames"]["captured"],
        "delivered": status["frames"]["delivered"],
        "dropped": sum(counters["frames_dropped"].values()),
        "placeholders": counters["events"]["placeholder_shown"],
        "of the feed": next(sink["dropped"] for sink in status["sinks"] if sink["name"] == "feed"),
    }


async def state(session: aiohttp.ClientSession, url: str) -> str:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(f"{url}/api/status") as answer:
            status = (await answer.json())["status"]
            return str(status["state"]) if status else "gone"
    return "gone"


async def live(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await state(session, url) != "running":
            await asyncio.sleep(0.02)


async def pictured(session: aiohttp.ClientSession, url: str) -> None:
    """Until there is a still; a busy machine may take longer than the page waits."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(f"{url}/snapshot.jpg") as still:
                if still.status == 200:
                    return


@contextlib.asynccontextmanager
async def watching(session: aiohttp.ClientSession, url: str) -> AsyncIterator[asyncio.Task[None]]:
    """Somebody watches the page; whatever happens to it."""

    async def watch() -> None:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{url}/preview.mjpg") as pictures:
                first.set()
                async for _ in pictures.content.iter_any():
                    pass

    first = asyncio.Event()
    task = asyncio.create_task(watch())
    await asyncio.wait_for(first.wait(), PATIENCE_S)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def killed_under_two_viewers(scrim: Any) -> None:
    """Start the gateway, watch it, and kill it."""
    began_s = time.monotonic()
    await asyncio.to_thread(scrim.start_gateway)
    async with aiohttp.ClientSession() as session:
        await live(session, scrim.url)
        async with watching(session, scrim.url), watching(session, scrim.url):
            await pictured(session, scrim.url)
            await asyncio.sleep(max(0.0, began_s + INTERVAL_S - time.monotonic()))
            scrim.kill_gateway()


def test_a_gateway_that_is_killed_costs_the_core_no_frame(
    real_scrim: Any, mosquitto: Any, go_first: Any
) -> None:
    """Fault 19; with viewers, and a broker that takes everything."""
    more = f"--set mqtt.is_enabled=true --set mqtt.port={mosquitto.port} --set mqtt.telemetry_interval_s=2"
    with real_scrim(*CORE, web=more) as scrim:
        go_first(scrim.core.pid)

        async def first_pictures() -> None:
            async with aiohttp.ClientSession() as session:
                await live(session, scrim.url)

        asyncio.run(first_pictures())
        scrim.kill_gateway()
        for _ in range(TRIES):
            if not (lost := lost_by_kills(scrim)):
                break
        assert scrim.core.poll() is None
        scrim.start_gateway()
    assert lost == []


def lost_by_kills(scrim: Any) -> list[str]:
    """Kill the gateway again and again; what the core lost that it may not lose."""
    before, began_s = counted(scrim), time.monotonic()
    for _ in range(KILLS):
        asyncio.run(killed_under_two_viewers(scrim))
    after, took_s = counted(scrim), time.monotonic() - began_s
    told = {name: after[name] - before[name] for name in before}
    print(f"{KILLS} kills in {took_s:.0f} s: {told}")  # noqa: T201
    assert told["captured"] > 0
    late = told["captured"] - told["delivered"] - told["dropped"]
    kept = {
        "every picture is delivered or counted as dropped": abs(late) <= 2,  # some are just on their way
        "no picture is dropped": told["dropped"] <= told["captured"] * (MOST_LATE if IS_RELEASE else 0),
        "the feed drops none": told["of the feed"] == 0,
        "no placeholder is shown": told["placeholders"] == 0 or not IS_RELEASE,
    }
    return [promise for promise, is_kept in kept.items() if not is_kept]


def test_the_gateway_is_live_again_soon_after_the_core_is(real_scrim: Any) -> None:
    """How soon is looked at before a release; here only that nothing waits for longer by design."""
    assert LAST_RETRY_S < BACK_S

    async def scenario(scrim: Any) -> list[float]:
        took_s = []
        async with aiohttp.ClientSession() as session:
            await live(session, scrim.url)
            for number in range(10 if IS_RELEASE else 1):
                scrim.core.send_signal(9 if number % 2 else 15)
                async with asyncio.timeout(PATIENCE_S):
                    while await state(session, scrim.url) != "gone":
                        await asyncio.sleep(0.02)
                scrim.restart_core()
                await asyncio.to_thread(_wait_for_core, scrim)
                began_s = time.monotonic()
                await live(session, scrim.url)
                await pictured(session, scrim.url)
                took_s.append(time.monotonic() - began_s)
        return took_s

    with real_scrim(*CORE) as scrim:
        took_s = asyncio.run(scenario(scrim))
    print("live again after", ", ".join(f"{each:.2f} s" for each in took_s))  # noqa: T201
    if IS_RELEASE:
        assert max(took_s) <= BACK_S


def _wait_for_core(scrim: Any) -> None:
    """Until it says itself that it runs."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(Exception), Client(scrim.socket, timeout_s=10) as client:
            if client.status()["state"] == "running":
                return
        time.sleep(0.02)
    raise AssertionError("the core does not run")

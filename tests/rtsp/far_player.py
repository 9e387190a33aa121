"""Plays by hand, on another host: says "playing", takes what comes, and keeps its session up by RTSP.

python far_player.py URL PASSWORD TRANSPORT
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.rtsp.raw import connected, digest


async def main(url: str, password: str, transport: str) -> None:
    async with connected(url) as client:
        challenge = (await client.ask("DESCRIBE")).headers["WWW-Authenticate"]

        async def ask(method: str, at: str, **headers: str) -> None:
            right = digest(challenge, method, at, "viewer", password)
            answer = await client.ask(method, at, Authorization=right, **headers)
            assert answer.status == 200, answer

        await ask("DESCRIBE", url)
        await ask("SETUP", f"{url}/stream=0", Transport=transport)
        await ask("PLAY", url)
        sys.stdout.write("playing\n")
        sys.stdout.flush()
        while True:
            await ask("GET_PARAMETER", url)
            await asyncio.sleep(1)


asyncio.run(main(*sys.argv[1:]))

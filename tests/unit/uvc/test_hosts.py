"""Conversations with real hosts: Linux's recorded one, and what documents say of Windows and macOS."""

import json
from pathlib import Path
from typing import Any

import pytest

from scrim.config import GadgetSettings
from scrim.uvc.controls import Levels, LoneShutter
from scrim.uvc.conversation import Conversation

HOSTS = json.loads((Path(__file__).parents[2] / "golden" / "uvc_hosts.json").read_text())


def conversation() -> Conversation:
    return Conversation(GadgetSettings().wish, Levels(), LoneShutter())


def say(talk: Conversation, request: dict[str, Any]) -> str | None:
    answer = talk.setup(bytes.fromhex(request["setup"]))
    if "data" in request:
        talk.data(bytes.fromhex(request["data"]))
    return None if answer is None else answer.hex()


def test_linux_hears_what_it_heard_when_it_was_recorded() -> None:
    talk = conversation()
    for part in HOSTS["recorded"]:
        heard = [say(talk, request) for request in part["requests"]]
        assert heard == [request["answer"] for request in part["requests"]], part["what"]


def test_what_linux_was_recorded_asking_is_all_there() -> None:
    """Every control is asked for its range and set, both formats are committed to, nothing is refused."""
    asked = [request for part in HOSTS["recorded"] for request in part["requests"]]
    assert {request["setup"][2:4] for request in asked} == {"01", "81", "82", "83", "84", "86", "87"}
    assert all(request["answer"] is not None for request in asked)
    commits = [request["data"][4:8] for request in asked if request["setup"].startswith("2101000201")]
    assert commits == ["0101", "0202"]


@pytest.mark.parametrize("host", HOSTS["constructed"], ids=lambda host: host["host"])
def test_a_host_of_another_kind_gets_what_it_wants(host: dict[str, Any]) -> None:
    talk = conversation()
    wanted = ""
    for request in host["requests"]:
        answer = say(talk, request)
        assert answer is not None, request
        length = int.from_bytes(bytes.fromhex(request["setup"])[6:8], "little")
        if "data" in request:
            wanted = request["data"][4:16]
            assert len(answer) == 2 * length
        elif length > 2:
            assert len(answer) == 2 * min(length, 34)
            is_current = request["setup"][2:4] == "81"
            assert not (wanted and is_current) or answer[4:16] == wanted
    fourcc, size, interval = host["commits"]
    stream = talk.stream
    assert (stream.fourcc, stream.size) == (fourcc, tuple(size))
    assert round(stream.interval_s * 1e7) == interval

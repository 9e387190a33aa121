"""Every reason of the placeholder and every state of the camera has its word wherever people read of them."""

import re
from pathlib import Path
from typing import get_args

import pytest

from scrim.core.composite.placeholder import Reason
from scrim.gateway import web
from scrim.gateway.mqtt.view import PLACEHOLDERS
from scrim.local.status import CameraState

WORDS = (Path(web.__file__).parent / "page" / "words.js").read_text()


def keys_of(table: str) -> set[str]:
    """The keys of one of the page's tables."""
    found = re.search(rf"const {table} = {{(.*?)}};", WORDS, re.DOTALL)
    assert found is not None
    return set(re.findall(r"(\w+):", found[1]))


def test_home_assistant_has_a_state_for_every_reason() -> None:
    assert set(PLACEHOLDERS) == set(Reason)


@pytest.mark.parametrize(
    ("table", "known"), [("REASONS", set(Reason)), ("CAMERA", set(get_args(CameraState)))]
)
def test_the_page_has_words_for_every_reason_and_state(table: str, known: set[str]) -> None:
    assert keys_of(table) == known

"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 180.0
"""No machine is as slow as that: who waits for longer waits in vain."""

_LOOK_S = 0.01

T = TypeVar("T")


def until(look: Callable[[], T | None], limit_s: float = PATIENCE_S, what: str = "it") -> T:
    """What ``look`` finds, once it finds something.

    Raises:
        AssertionError: it found nothing within ``limit_s``.
    """
    deadline_s = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < deadline_s, f"{what} never came to be"
        time.sleep(_LOOK_S)
    return found

"""How pictures from outside reach the core, which has no network: it asks, and somebody else fetches.

=====================  ==============================================================================
``provide_images``     a client registers; from then on it gets the event below
``image_wanted``       event: ``token``, ``url``
``image``              the answer: ``token``, ``width``, ``height``, ``sha256`` of the file, and one
                       descriptor of sealed memory with ``width * height * 3`` bytes, BGR
``image_failed``       the other answer: ``token``, ``message``
=====================  ==============================================================================

The token cannot be guessed, so an answer may come over another connection than the request.
"""

import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scrim.decode import GiveUp, map_pixels, never
from scrim.errors import ImageError, LocalError
from scrim.image_url import shown
from scrim.local.messages import WANTED_EVENT

logger = logging.getLogger(__name__)

ANSWER_S = 15.0
"""How long a provider may take."""

_POLL_S = 0.02
_LONGEST_MESSAGE = 500
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class _Wanted:
    """One picture that is waited for."""

    url: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    done: threading.Event = field(default_factory=threading.Event)
    picture: NDArray[np.uint8] | None = None
    error: str = ""

    def event(self) -> dict[str, Any]:
        return {"event": WANTED_EVENT, "token": self.token, "url": self.url}


class PictureDesk:
    """The core's side. ``fetch`` is called from one thread, the rest by the local server.

    Args:
        answer_s: how long a provider may take.

    Attributes:
        on_wanted: called, in the thread that fetches, when there is something to be asked of a provider.
    """

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._lock = threading.Lock()
        self._wanted: _Wanted | None = None
        self.on_wanted: Callable[[], None] = lambda: None
        self.has_provider = False

    def fetch(self, url: str, give_up: GiveUp = never) -> NDArray[np.uint8]:
        """Ask a provider for the picture behind ``url`` and wait for it.

        Returns:
            BGR, shape (height, width, 3), uint8, read-only.

        Raises:
            ImageError: there is no provider, it says why it cannot, or it does not answer in time.
        """
        if not self.has_provider:
            raise ImageError(
                f"{shown(url)}: images from outside are fetched by scrim's gateway, which is not running; "
                "start it with 'scrim gateway', or name a file: image"
            )
        wanted = _Wanted(url)
        with self._lock:
            self._wanted = wanted
        self.on_wanted()
        try:
            self._wait(wanted, give_up)
        finally:
            with self._lock:
                self._wanted = None
        if wanted.picture is None:
            raise ImageError(wanted.error)
        return wanted.picture

    def _wait(self, wanted: _Wanted, give_up: GiveUp) -> None:
        deadline_s = time.monotonic() + self._answer_s
        while not wanted.done.wait(_POLL_S):
            if give_up():
                raise ImageError(f"{shown(wanted.url)}: is not wanted any more")
            if time.monotonic() > deadline_s:
                raise ImageError(
                    f"{shown(wanted.url)}: scrim's gateway did not deliver it within {self._answer_s:g} s"
                )

    # From here on: the server's thread.

    def request(self) -> dict[str, Any] | None:
        """The event for a provider that has not had it; None when nothing is wanted."""
        with self._lock:
            return self._wanted.event() if self._wanted else None

    def provider_left(self) -> None:
        """Nobody is there any more who could answer."""
        with self._lock:
            self.has_provider = False
            if self._wanted is not None:
                self._wanted.error = f"{shown(self._wanted.url)}: scrim's gateway has gone while it fetched"
                self._wanted.done.set()

    def answer(self, method: str, params: dict[str, Any], fd: int) -> dict[str, Any]:
        """Take ``image`` or ``image_failed``.

        Args:
            method: which of them.
            params: of the request.
            fd: the descriptor that came with it, or -1; stays the caller's to close.

        Raises:
            LocalError: nobody waits for it, or it is not what was agreed on.
        """
        with self._lock:
            wanted = self._wanted
            if wanted is None or not secrets.compare_digest(_text(params, "token"), wanted.token):
                raise LocalError("token: nobody waits for this picture; it came too late")
            if method == "image_failed":
                wanted.error = _text(params, "message")
            else:
                wanted.picture = _picture(params, fd)
            wanted.done.set()
        return {}


def _picture(params: dict[str, Any], fd: int) -> NDArray[np.uint8]:
    width, height, sha256 = params.get("width"), params.get("height"), params.get("sha256")
    if (
        params.keys() != {"token", "width", "height", "sha256"}
        or type(width) is not int
        or type(height) is not int
    ):
        raise LocalError("image: allowed is exactly token, width, height and sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise LocalError("image: sha256 is not one")
    if fd < 0:
        raise LocalError("image: no descriptor came with it")
    try:
        picture = map_pixels(fd, width, height)
    except ImageError as error:
        raise LocalError(f"image: {error}") from None
    logger.info("background image: %d x %d pixels, sha256 %s", width, height, sha256)
    return picture


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise LocalError(f"{name}: must be a text")
    return value.encode("ascii", "replace").decode()[:_LONGEST_MESSAGE]

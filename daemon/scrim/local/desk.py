"""How the core, which has no network, comes by what lies outside: it asks, and somebody else fetches.

============================  =====================================================================
``provide_<things>``          a client registers; from then on it gets the event below
``<thing>_wanted``            event: ``token``, ``url``
``<thing>``                   the answer: ``token``, and what else a desk wants, with one descriptor
``<thing>_failed``            the other answer: ``token``, ``message``
============================  =====================================================================

The token cannot be guessed, so an answer may come over another connection than the request.
"""

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from scrim.errors import LocalError, ScrimError
from scrim.image_url import shown

T = TypeVar("T")

GiveUp = Callable[[], bool]
"""Asked now and then: whether the thing is not wanted any more."""

GRACE_S = 1.5
"""How long nobody may be there to ask: a gateway that starts with the core, or again, needs a moment."""

_POLL_S = 0.02
_LONGEST_MESSAGE = 500


@dataclass(slots=True)
class Wanted(Generic[T]):
    """One thing that is waited for.

    Attributes:
        url: where it lies.
        token: what its answer must bring along.
        done: it is there, or will not come.
        found: the thing.
        error: why it will not come.
    """

    url: str
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    done: threading.Event = field(default_factory=threading.Event)
    found: T | None = None
    error: str = ""


class Desk(ABC, Generic[T]):
    """The core's side. ``fetch`` is called from one thread, the rest by the local server.

    Args:
        answer_s: how long a provider may take.
        grace_s: how long there may be none.

    Attributes:
        on_wanted: called, in the thread that fetches, when there is something to be asked of a provider.
        has_provider: somebody is there who would fetch.
    """

    THING: ClassVar[str]
    """What is fetched, as the methods' names have it: ``image``."""

    def __init__(self, answer_s: float, grace_s: float = GRACE_S) -> None:
        self._answer_s = answer_s
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._wanted: Wanted[T] | None = None
        self.on_wanted: Callable[[], None] = lambda: None
        self.has_provider = False

    def fetch(self, url: str, give_up: GiveUp = lambda: False) -> T:
        """Ask a provider for what is behind ``url`` and wait for it.

        Raises:
            ScrimError: there is no provider, it says why it cannot, or it does not answer in time.
        """
        if not self._somebody_comes(give_up):
            raise self._error(f"{shown(url)}: {self._nobody()}")
        wanted: Wanted[T] = Wanted(url)
        with self._lock:
            self._wanted = wanted
        self.on_wanted()
        try:
            self._wait(wanted, give_up)
        finally:
            with self._lock:
                self._wanted = None
        if wanted.found is None:
            raise self._error(wanted.error)
        return wanted.found

    def _somebody_comes(self, give_up: GiveUp) -> bool:
        deadline_s = time.monotonic() + self._grace_s
        while not (self.has_provider or give_up() or time.monotonic() > deadline_s):
            time.sleep(_POLL_S)
        return self.has_provider

    def _wait(self, wanted: Wanted[T], give_up: GiveUp) -> None:
        deadline_s = time.monotonic() + self._answer_s
        while not wanted.done.wait(_POLL_S):
            if give_up():
                raise self._error(f"{shown(wanted.url)}: is not wanted any more")
            if time.monotonic() > deadline_s:
                raise self._error(
                    f"{shown(wanted.url)}: scrim's gateway did not deliver it within {self._answer_s:g} s"
                )

    @abstractmethod
    def _error(self, text: str) -> ScrimError:
        """The kind of error that a thing is missed with."""

    @abstractmethod
    def _nobody(self) -> str:
        """What to tell, behind the URL, while there is no provider."""

    @abstractmethod
    def _take(self, params: dict[str, Any], fd: int) -> T:
        """The thing that an answer brings.

        Args:
            params: of the answer; the token is right.
            fd: the descriptor that came with it, or -1; stays the caller's to close.

        Raises:
            LocalError: it is not what was agreed on.
        """

    # From here on: the server's thread.

    @property
    def methods(self) -> frozenset[str]:
        """The methods that are answered here, but for the one to register by."""
        return frozenset({self.THING, f"{self.THING}_failed"})

    @property
    def registers_by(self) -> str:
        """The method by which a client registers."""
        return f"provide_{self.THING}s"

    def request(self) -> dict[str, Any] | None:
        """The event for a provider that has not had it; None when nothing is wanted."""
        with self._lock:
            wanted = self._wanted
        if wanted is None:
            return None
        return {"event": f"{self.THING}_wanted", "token": wanted.token, "url": wanted.url}

    def provider_left(self) -> None:
        """Nobody is there any more who could answer."""
        with self._lock:
            self.has_provider = False
            if self._wanted is not None:
                self._wanted.error = f"{shown(self._wanted.url)}: scrim's gateway has gone while it fetched"
                self._wanted.done.set()

    def answer(self, method: str, params: dict[str, Any], fd: int) -> dict[str, Any]:
        """Take one of ``methods``.

        Args:
            method: which of them.
            params: of the request.
            fd: the descriptor that came with it, or -1; stays the caller's to close.

        Raises:
            LocalError: nobody waits for it, or it is not what was agreed on.
        """
        from secrets import compare_digest  # brings OpenSSL: 4 MB, and most cores never need it

        with self._lock:
            wanted = self._wanted
            if wanted is None or not compare_digest(text_of(params, "token"), wanted.token):
                raise LocalError("token: nobody waits for this; it came too late")
            self._heed(wanted, method, params, fd)
        return {}

    def _heed(self, wanted: Wanted[T], method: str, params: dict[str, Any], fd: int) -> None:
        if method == f"{self.THING}_failed":
            wanted.error = text_of(params, "message")
        else:
            wanted.found = self._take(params, fd)
        wanted.done.set()


def text_of(params: dict[str, Any], name: str) -> str:
    """A text among the params, in ASCII and of bounded length.

    Raises:
        LocalError: it is missing, empty or none.
    """
    value = params.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise LocalError(f"{name}: must be a text")
    return value.encode("ascii", "replace").decode()[:_LONGEST_MESSAGE]

"""Who has given the password, and how often anybody may try."""

import hashlib
import hmac
import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from scrim.errors import ScrimError

Clock = Callable[[], float]
"""Monotonic, in seconds."""

MAX_SESSIONS = 64
IDLE_S = 7 * 86400.0
SESSION_S = 30 * 86400.0
"""A browser is let in for this long, and for ``IDLE_S`` since its last request."""

TRIES = 5
TRY_EVERY_S = 30.0
"""Whoever was wrong ``TRIES`` times may try again every so often; counted for each neighbour."""

TRIES_OF_ALL = 50
TRY_OF_ALL_EVERY_S = 2.0
"""The same for all neighbours together, so that many addresses help nobody."""

_MAX_NEIGHBOURS = 1024
_TOKEN_BYTES = 32


class WrongPasswordError(ScrimError):
    """The password is another."""


class TooManyTriesError(ScrimError):
    """There were too many wrong passwords.

    Attributes:
        retry_s: when the next one is looked at.
    """

    def __init__(self, retry_s: float) -> None:
        self.retry_s = math.ceil(retry_s)
        super().__init__(f"there were too many wrong passwords; try again in {self.retry_s} s")


@dataclass(slots=True)
class _Bucket:
    """Holds tries; one comes back every ``every_s``."""

    most: float
    every_s: float
    at_s: float
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.most

    def wait_s(self, now_s: float) -> float:
        """How long until there is one; 0 when there is."""
        self.left = min(self.most, self.left + (now_s - self.at_s) / self.every_s)
        self.at_s = now_s
        return max(0.0, (1 - self.left) * self.every_s)


class Tries:
    """Counts wrong passwords, for each neighbour and for all.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._of_all = _Bucket(TRIES_OF_ALL, TRY_OF_ALL_EVERY_S, clock())
        self._of_each: OrderedDict[str, _Bucket] = OrderedDict()

    def check(self, address: str) -> None:
        """See whether a password from there may be looked at.

        Raises:
            TooManyTriesError: not yet.
        """
        now_s = self._clock()
        each = self._of_each.get(_neighbour(address))
        wait_s = max(self._of_all.wait_s(now_s), each.wait_s(now_s) if each else 0.0)
        if wait_s > 0:
            raise TooManyTriesError(wait_s)

    def spend(self, address: str) -> None:
        """Note a wrong password from there."""
        neighbour, now_s = _neighbour(address), self._clock()
        each = self._of_each.setdefault(neighbour, _Bucket(TRIES, TRY_EVERY_S, now_s))
        self._of_each.move_to_end(neighbour)
        while len(self._of_each) > _MAX_NEIGHBOURS:
            self._of_each.popitem(last=False)
        for bucket in (each, self._of_all):
            bucket.wait_s(now_s)
            bucket.left -= 1


@dataclass(slots=True)
class _Session:
    began_s: float
    used_s: float


class Login:
    """Lets in who knows the password. Sessions are kept in memory, by a hash of their token.

    Args:
        password: the right one.
        clock: tells the time.
    """

    def __init__(self, password: str, clock: Clock = time.monotonic) -> None:
        self._wanted = _digest(password.encode())
        self._clock = clock
        self._tries = Tries(clock)
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, address: str, password: str) -> str:
        """Begin a session.

        Args:
            address: who asks.
            password: what they gave.

        Returns:
            Its token, which only the browser keeps.

        Raises:
            WrongPasswordError: the password is another.
            TooManyTriesError: it was not even looked at.
        """
        self.check(address, password)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now_s = self._clock()
        self._sessions[_digest(token.encode())] = _Session(now_s, now_s)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def check(self, address: str, password: str) -> None:
        """As ``begin``, without beginning anything."""
        self._tries.check(address)
        if not hmac.compare_digest(_digest(password.encode()), self._wanted):
            self._tries.spend(address)
            raise WrongPasswordError("the password is wrong")

    def knows(self, token: str) -> bool:
        """Whether a session of this token is going on; it counts as used."""
        key, now_s = _digest(token.encode()), self._clock()
        session = self._sessions.get(key)
        if session is None:
            return False
        if now_s - session.used_s > IDLE_S or now_s - session.began_s > SESSION_S:
            del self._sessions[key]
            return False
        session.used_s = now_s
        self._sessions.move_to_end(key)
        return True

    def end(self, token: str) -> None:
        """End a session. Does nothing when there is none."""
        self._sessions.pop(_digest(token.encode()), None)


def _digest(secret: bytes) -> bytes:
    """Of a length that tells nothing of the secret's."""
    return hashlib.sha256(secret).digest()


def _neighbour(address: str) -> str:
    """Who counts as one: an IPv4 address, or a whole network of IPv6, which one person may have."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)

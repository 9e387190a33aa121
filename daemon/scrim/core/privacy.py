"""Whether the camera may be used: one switch for everybody who has a say, and no beats yes."""

import threading
from collections.abc import Callable
from typing import Protocol

from scrim.core.outlet import Outlet

HOST_PARTY = "usb host"
"""The party at the other end of the gadget's cable."""

SETTINGS_PARTY = "settings"
"""The party that speaks for ``camera.is_enabled``."""


class PrivacySwitch(Protocol):
    """One party's word, such as the settings', a button's or a USB host's. From any thread; never waits."""

    def set_private(self, is_private: bool) -> None:
        """Close the camera, or have nothing against its use any more."""


class Privacy:
    """Closes the camera while any party wants it closed; any thread may call any method.

    At once nothing but the placeholder goes out. The camera's own thread closes the device when its present
    wait is over, which takes :data:`scrim.core.capture.pace.READ_LIMIT_S` at most. Pictures taken before the
    camera was opened again are refused at the outlet, however late they come.

    Args:
        outlet: withholds pictures.

    Attributes:
        epoch: counts up by one each time that the camera is to be closed.
    """

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._lock = threading.Lock()
        self._parties: tuple[str, ...] = ()
        self._followers: tuple[Callable[[], None], ...] = ()
        self.epoch = 0

    @property
    def is_private(self) -> bool:
        """Whether the camera is to be closed."""
        return bool(self._parties)

    @property
    def parties(self) -> tuple[str, ...]:
        """Who wants it closed, in the order in which they said so."""
        return self._parties

    def switch(self, party: str) -> PrivacySwitch:
        """A party's own switch; two of the same name are one."""
        return _Switch(self, party)

    def follow(self, follower: Callable[[], None]) -> None:
        """Call ``follower``, which must not wait, whenever the camera is to be closed or opened."""
        self._followers = (*self._followers, follower)

    def say(self, party: str, *, is_private: bool) -> None:
        """Take one party's word."""
        with self._lock:
            before = self.is_private
            others = tuple(name for name in self._parties if name != party)
            if is_private != (party in self._parties):
                self._parties = (*others, party) if is_private else others
            if self.is_private == before:
                return
            self.epoch += self.is_private
            self._outlet.set_private(self.is_private)
        for follower in self._followers:
            follower()


class Shutter:
    """A party's switch that shows whether the camera is closed: a USB host's, which sees both.

    Args:
        privacy: of the camera.
        party: whose.
    """

    def __init__(self, privacy: Privacy, party: str) -> None:
        self._privacy = privacy
        self._switch = privacy.switch(party)

    @property
    def is_private(self) -> bool:
        """Whether the camera is to be closed, whoever wants it."""
        return self._privacy.is_private

    def set_private(self, is_private: bool) -> None:
        """Take the party's word; the others' stay."""
        self._switch.set_private(is_private)


class _Switch:
    """One party's switch."""

    def __init__(self, privacy: Privacy, party: str) -> None:
        self._privacy = privacy
        self._party = party

    def set_private(self, is_private: bool) -> None:
        """See :class:`PrivacySwitch`."""
        self._privacy.say(self._party, is_private=is_private)

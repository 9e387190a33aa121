"""Whether somebody is there, and what is shown when nobody is. Time is always handed in."""

from typing import Literal

import cv2

from scrim.frame import Mask

NoPersonPolicy = Literal["blur", "placeholder"]
"""What nobody looks like: the effect as ever, all background; or the placeholder after a while."""


class Presence:
    """Says whether a person is there, from how much of the picture is person.

    Between the two shares nothing changes. At first nobody is there.

    Args:
        on_share: this much of the picture, 0 to 1, is a person coming.
        off_share: less than this is a person going; at most ``on_share``.
        on_s: seconds that ``on_share`` must last; 0 believes the first picture.
        off_s: seconds that less than ``off_share`` must last.

    Raises:
        ValueError: the shares are not 0 < off_share <= on_share <= 1, or a time is negative.

    Attributes:
        is_present: whether somebody is there.
    """

    def __init__(
        self, on_share: float = 0.02, off_share: float = 0.01, on_s: float = 0.0, off_s: float = 3.0
    ) -> None:
        if not 0 < off_share <= on_share <= 1:
            raise ValueError(f"shares {on_share}, {off_share}: allowed is 0 < off_share <= on_share <= 1")
        if not (on_s >= 0 and off_s >= 0):
            raise ValueError(f"on_s = {on_s}, off_s = {off_s}: allowed is 0 or more")
        self._on_share, self._off_share = on_share, off_share
        self._on_s, self._off_s = on_s, off_s
        self._doubted_since_s: float | None = None
        self._absent_since_s: float | None = None
        self.is_present = False

    def update(self, share: float, now_s: float) -> bool:
        """Take one picture's share into account.

        Args:
            share: of the picture that is person, 0 to 1, keep regions not counted.
            now_s: when the picture was taken, seconds of a monotonic clock.

        Returns:
            Whether somebody is there now.
        """
        if not self.is_present and self._absent_since_s is None:
            self._absent_since_s = now_s
        if not self._contradicts(share):
            self._doubted_since_s = None
            return self.is_present
        if self._doubted_since_s is None:
            self._doubted_since_s = now_s
        if now_s - self._doubted_since_s >= (self._off_s if self.is_present else self._on_s):
            self._turn()
        return self.is_present

    def absent_for_s(self, now_s: float) -> float:
        """Seconds since the last picture with a person, or since the first picture; 0 while one is there."""
        if self.is_present or self._absent_since_s is None:
            return 0.0
        return max(0.0, now_s - self._absent_since_s)

    def _contradicts(self, share: float) -> bool:
        return share < self._off_share if self.is_present else share >= self._on_share

    def _turn(self) -> None:
        self._absent_since_s = self._doubted_since_s if self.is_present else None
        self._doubted_since_s = None
        self.is_present = not self.is_present


class NoPerson:
    """Decides when the placeholder takes over because nobody is there.

    Args:
        policy: ``blur`` never does: with an empty mask the whole picture is background anyway.
        after_s: seconds without a person before ``placeholder`` does. Never before ``Presence`` says gone.

    Raises:
        ValueError: ``after_s`` is negative.
    """

    def __init__(self, policy: NoPersonPolicy = "blur", after_s: float = 10.0) -> None:
        if not after_s >= 0:
            raise ValueError(f"after_s = {after_s}: allowed is 0 or more")
        self._policy = policy
        self._after_s = after_s

    def shows_placeholder(self, presence: Presence, now_s: float) -> bool:
        """Whether the placeholder is shown now; False again with the first picture of a person."""
        is_absent = not presence.is_present
        return self._policy == "placeholder" and is_absent and presence.absent_for_s(now_s) >= self._after_s


def person_share(mask: Mask) -> float:
    """How much of a picture is person, 0 to 1: the mean of its mask."""
    return cv2.sumElems(mask)[0] / (255 * mask.size)

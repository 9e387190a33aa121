"""Who is shown, from where, and what when nobody is there: what one frame teaches about the next."""

from dataclasses import dataclass

from scrim.core.framing.framing import Framing
from scrim.core.keep import KeepRegions
from scrim.core.person import PersonPolicy, Persons
from scrim.core.presence import NoPerson, NoPersonPolicy, Presence, person_share
from scrim.frame import Frame, Mask


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings say of the person.

    Attributes:
        persons: who is shown.
        max_zoom: how near framing may come; 1 leaves the picture alone.
        nobody: what is shown when nobody is there.
        placeholder_after_s: seconds before the placeholder is, if that is it.
    """

    persons: Persons = "all"
    max_zoom: float = 1.0
    nobody: NoPersonPolicy = "blur"
    placeholder_after_s: float = 10.0


NO_WISHES = Wishes()
"""Everybody, the whole picture, and the effect as ever when nobody is there."""


class Subject:
    """Keeps an eye on the person. Used from one thread.

    Nothing here looks at a pixel of the camera: masks and times decide everything.

    Args:
        frame_size: (width, height) in pixels of every frame, both even.
        keep: parts of the room that are always shown; None for none.

    Attributes:
        presence: whether somebody is there.
    """

    def __init__(self, frame_size: tuple[int, int], keep: KeepRegions | None = None) -> None:
        self._frame_size = frame_size
        self._keep = keep
        self._wishes = NO_WISHES
        self._policy: PersonPolicy | None = None
        self._mask_size: tuple[int, int] | None = None
        self._framing = Framing(frame_size, self._wishes.max_zoom)
        self._no_person = NoPerson()
        self.presence = Presence()

    def follow(self, wishes: Wishes) -> None:
        """Do as the settings say from now on; what is not touched by a change goes on as it was."""
        if wishes == self._wishes:
            return
        before, self._wishes = self._wishes, wishes
        if wishes.persons != before.persons:
            self._policy = None
        if wishes.max_zoom != before.max_zoom:
            self._framing = Framing(self._frame_size, wishes.max_zoom)
        self._no_person = NoPerson(wishes.nobody, wishes.placeholder_after_s)

    def crop(self, frame: Frame) -> Frame | None:
        """The part of the frame to be shown, at full size; None when no buffer is free, and it is dropped."""
        return frame if self._wishes.max_zoom == 1 else self._framing.crop(frame)

    def choose(self, mask: Mask, pts_ns: int) -> Mask:
        """The mask of what is to be seen, from the model's; valid until the next call.

        Raises:
            SegmentError: the mask has another size than the ones before it.
        """
        now_s = pts_ns / 1e9
        policy = self._policy_for(mask)
        chosen = policy.apply(mask, now_s, self._framing.view)
        self._framing.observe(policy.person)
        self.presence.update(person_share(policy.person), now_s)
        return chosen

    def is_hidden(self, pts_ns: int) -> bool:
        """Whether the placeholder is to be shown because nobody is there."""
        return self._no_person.shows_placeholder(self.presence, pts_ns / 1e9)

    def reset(self) -> None:
        """Forget what earlier frames taught."""
        if self._policy is not None:
            self._policy.reset()
        self._framing.reset()
        self.presence = Presence()

    def _policy_for(self, mask: Mask) -> PersonPolicy:
        mask_size = (mask.shape[1], mask.shape[0])
        if self._policy is None or mask_size != self._mask_size:
            self._policy = PersonPolicy(mask_size, self._wishes.persons, self._keep)
            self._mask_size = mask_size
        return self._policy

"""The demo camera: somebody moves in front of a room, without a camera."""

import numpy as np

from scrim.core.capture.drawn import DrawnSource
from scrim.core.capture.person import Person, Pose, pose_at
from scrim.core.capture.room import room_picture
from scrim.frame import Caps, Plane, Planes


class Demo(DrawnSource):
    """A person sways in front of a drawn room full of private things.

    Frame n of the same caps is the same picture in every run.

    Args:
        caps: what to deliver.
        pace: deliver at ``caps.frame_rate``; False delivers as fast as frames are read.
    """

    def __init__(self, caps: Caps, pace: bool = True) -> None:
        super().__init__(caps, pace)
        self._room: Plane | None = None
        self._person: Person | None = None

    def alpha(self, sequence: int) -> Plane:
        """The true matte of frame ``sequence``: a new array of (height, width), 0 = room, 255 = person."""
        person = self._person_loaded()
        return person.alpha(self._pose(person, sequence))

    def _prepare(self) -> None:
        if self._room is None:
            self._room = room_picture(self._caps.size)
        self._person_loaded()

    def _draw(self, i420: Plane, sequence: int) -> None:
        assert self._room is not None  # noqa: S101  (open() came first)
        np.copyto(i420, self._room)
        person = self._person_loaded()
        person.paint(Planes.of(i420), self._pose(person, sequence))

    def _person_loaded(self) -> Person:
        if self._person is None:
            self._person = Person(self._caps.size)
        return self._person

    def _pose(self, person: Person, sequence: int) -> Pose:
        return pose_at(sequence / self._caps.frame_rate, self._caps.size, person.cut_out_size)

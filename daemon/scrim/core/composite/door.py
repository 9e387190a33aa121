"""The one door: the only place where a SafeFrame comes into being.

Only :mod:`.compositor` and :mod:`.placeholder` may import this module; the import rules in pyproject.toml and
a test hold everybody else off.
"""

from scrim.frame import Origin, Plane, SafeFrame


def seal(i420: Plane, pts_ns: int, sequence: int, origin: Origin, revision: int) -> SafeFrame:
    """Declare a finished picture safe.

    Args:
        i420: contiguous, shape (height * 3 / 2, width), uint8. Made read-only; views of it that were taken
            before must not be written to afterwards.
        pts_ns: capture time in ns of CLOCK_MONOTONIC.
        sequence: of the camera frame, -1 for a placeholder.
        origin: what the picture shows.
        revision: revision of the settings it was made under.
    """
    # First the array itself: a read-only view of a writeable array can be made writeable again.
    i420.flags.writeable = False
    frame = object.__new__(SafeFrame)
    put = object.__setattr__
    put(frame, "i420", i420.view())
    put(frame, "pts_ns", pts_ns)
    put(frame, "sequence", sequence)
    put(frame, "origin", origin)
    put(frame, "revision", revision)
    return frame

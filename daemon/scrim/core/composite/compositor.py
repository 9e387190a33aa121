"""Where a camera frame becomes a safe one."""

import numpy as np

from scrim.core.composite.base import Background
from scrim.core.composite.blend import best_blend
from scrim.core.composite.door import seal
from scrim.core.pyramid import Pyramid
from scrim.frame import Frame, FramePool, Matte, Planes, SafeFrame


class Compositor:
    """Blends the person over a background, exactly: alpha 0 gives the background's bytes, 255 the camera's.

    Args:
        size: (width, height) in pixels of every frame, both even.
        pool: buffers of that size for the finished pictures.
    """

    def __init__(self, size: tuple[int, int], pool: FramePool) -> None:
        self._pool = pool
        self._blend = best_blend(size[0])

    def compose(
        self, pyramid: Pyramid, matte: Matte, background: Background, revision: int
    ) -> SafeFrame | None:
        """Blend one frame.

        Args:
            pyramid: holds the frame.
            matte: computed from that same frame.
            background: what is seen where the matte is 0.
            revision: of the settings in effect.

        Returns:
            The safe frame, or None when every buffer is still in use: the frame is dropped.
        """
        i420 = self._pool.lease()
        if i420 is None:
            return None
        frame = pyramid.frame
        self._blend(i420, frame.planes, background.planes(pyramid, matte), matte)
        return seal(i420, frame.pts_ns, frame.sequence, "effect", revision)

    def pass_raw(self, frame: Frame, revision: int) -> SafeFrame | None:
        """Let a frame through unchanged. Only for settings whose local file allows it.

        Returns:
            The frame as a safe one, or None when every buffer is still in use.
        """
        i420 = self._pool.lease()
        if i420 is None:
            return None
        for target, source in zip(Planes.of(i420), frame.planes, strict=True):
            np.copyto(target, source)
        return seal(i420, frame.pts_ns, frame.sequence, "raw", revision)

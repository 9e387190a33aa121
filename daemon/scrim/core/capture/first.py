"""Waits for the first camera to be plugged in: what ``auto`` means on an appliance."""

from collections.abc import Callable

from scrim.core.capture.base import Camera, CameraDetails, Dropping, Source
from scrim.core.capture.registry import candidate_nodes, find_camera
from scrim.errors import SourceError
from scrim.frame import Caps, Frame


class FirstCamera:
    """The first camera there is, looked for at each ``open`` until there is one; then that one for good.

    Another camera that is plugged in later is not taken: a picture should not change its place by itself.

    Args:
        make: the source that a URL means.
        find: the URL of the first camera, ``demo:`` where there is none.
        nodes: the devices that are there.
    """

    def __init__(
        self,
        make: Callable[[str], Source],
        find: Callable[[], str] = find_camera,
        nodes: Callable[[], list[str]] = candidate_nodes,
    ) -> None:
        self._make = make
        self._find = find
        self._nodes = nodes
        self._looked_at: list[str] = []
        self._source: Source | None = None

    @property
    def details(self) -> CameraDetails | None:
        """See :class:`Camera`."""
        return self._source.details if isinstance(self._source, Camera) else None

    @property
    def dropped(self) -> int:
        """See :class:`Dropping`."""
        return self._source.dropped if isinstance(self._source, Dropping) else 0

    def open(self) -> Caps:
        """Find the camera, if it is not found yet, and open it.

        Raises:
            SourceError: there is none, or it cannot be used.
        """
        if self._source is None:
            self._looked_at = self._nodes()
            url = self._find()
            if url == "demo:":
                raise SourceError("auto: there is no camera; plug one in, or name one in camera.source")
            self._source = self._make(url)
        return self._source.open()

    def read(self) -> Frame | None:
        """See :class:`Source`."""
        if self._source is None:
            raise SourceError("auto: read before open")
        return self._source.read()

    def has_returned(self) -> bool:
        """Whether the camera is back; before there was one, whether any device came or went."""
        if self._source is None:
            return self._nodes() != self._looked_at
        return isinstance(self._source, Camera) and self._source.has_returned()

    def close(self) -> None:
        """See :class:`Source`."""
        if self._source is not None:
            self._source.close()

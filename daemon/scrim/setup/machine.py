"""What this machine has that settings could name: cameras, loopback devices, USB controllers, pins."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """One device.

    Attributes:
        url: for the settings.
        words: what it is, for people.
    """

    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found.

    Attributes:
        cameras: by names that survive replugging where they have any, the one that ``auto`` takes first.
        loopbacks: v4l2loopback devices, for ``sinks``.
        controllers: USB device controllers; without one the board cannot be a webcam.
        missing_for_rtsp: Debian's packages that the stream still needs.
        has_pins: whether a button and lights can be connected.
    """

    cameras: tuple[Found, ...] = ()
    loopbacks: tuple[Found, ...] = ()
    controllers: tuple[str, ...] = ()
    missing_for_rtsp: tuple[str, ...] = ()
    has_pins: bool = False


def look() -> Machine:
    """Look at everything, without starting any of it. Takes about half a second."""
    from scrim.gadget.board import controllers
    from scrim.gateway.rtsp.support import probe

    return Machine(
        tuple(_cameras()),
        tuple(_loopbacks()),
        tuple(controllers()),
        probe().missing,
        any(Path("/dev").glob("gpiochip[0-9]*")),
    )


def _cameras() -> Iterator[Found]:
    from scrim.core.capture import listing, picamera

    for url, sensor in picamera.cameras():
        yield Found(url, f"{sensor}, on a ribbon cable")
    for camera in listing.cameras():
        if not camera.error:
            offers = ", ".join(f"{offer.fourcc} to {offer.size_and_rate}" for offer in camera.offers)
            yield Found(camera.url, f"{camera.name}: {offers}")


def _loopbacks() -> Iterator[Found]:
    from scrim.core.capture.registry import candidate_nodes
    from scrim.core.videodev2 import LOOPBACK_DRIVER, VideoNode

    for path in candidate_nodes():
        try:
            node = VideoNode(path)
        except OSError:
            continue
        try:
            capability = node.capability()
        except OSError:
            continue
        finally:
            node.close()
        if capability.driver == LOOPBACK_DRIVER:
            yield Found(f"v4l2loopback:{path}", f'"{capability.card}" for programs of this machine')

"""What v4l2loopback has beside V4L2: it tells who reads it, and shows a picture while nobody feeds it."""

import errno
import mmap
from collections.abc import Callable
from typing import Any

import videodev2 as v4l2

from scrim.frame import Plane

Ioctl = Callable[[int, Any], None]
"""Makes an ioctl on one node: a request and its argument; raises OSError."""

USAGE = v4l2.V4L2_EVENT_PRIVATE_START + 0x08E00000 + 1
"""V4L2_EVENT_PRI_CLIENT_USAGE, from 0.13 on; its data begin with a 32-bit count."""

_CONTROLS = v4l2.V4L2_CID_BASE | 0xF000
TIMEOUT_MS = _CONTROLS + 2
"""Control: shows its picture when nothing was written for so long; 0 for never."""

TIMEOUT_IMAGE = _CONTROLS + 3
"""Button: who opens the device next and sets its format provides that picture."""

_MOST_EVENTS = 32


def subscribe(ioctl: Ioctl) -> bool:
    """Ask to be told, of how it is now too.

    Returns:
        Whether the driver does so.

    Raises:
        OSError: the node is gone.
    """
    wish = v4l2.v4l2_event_subscription(type=USAGE, flags=v4l2.V4L2_EVENT_SUB_FL_SEND_INITIAL)
    try:
        ioctl(v4l2.VIDIOC_SUBSCRIBE_EVENT, wish)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return False
        raise
    return True


def provide_image(ioctl: Ioctl, fd: int, picture: Plane) -> None:
    """Fill in the picture to be shown, on a descriptor that ``TIMEOUT_IMAGE`` was pressed for.

    Args:
        ioctl: makes ioctls on ``fd``.
        fd: the descriptor; its format is set.
        picture: in that format, flat.

    Raises:
        OSError: the device does not take it.
    """
    ioctl(v4l2.VIDIOC_REQBUFS, _output(v4l2.v4l2_requestbuffers, count=1))
    buffer = _output(v4l2.v4l2_buffer, index=0)
    ioctl(v4l2.VIDIOC_QUERYBUF, buffer)
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    with mmap.mmap(fd, buffer.length, mmap.MAP_SHARED, protection, offset=int(buffer.m.offset)) as memory:
        memory[: min(picture.size, buffer.length)] = picture.data[: buffer.length]


def _output(structure: Any, **fields: int) -> Any:  # noqa: ANN401  (videodev2 has no types)
    return structure(type=v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT, memory=v4l2.V4L2_MEMORY_MMAP, **fields)


def newest(ioctl: Ioctl) -> int | None:
    """How many read, by the newest event; None where nothing has changed. The node must not block.

    Raises:
        OSError: the node is gone.
    """
    count = None
    for _ in range(_MOST_EVENTS):
        event = v4l2.v4l2_event()
        try:
            ioctl(v4l2.VIDIOC_DQEVENT, event)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EAGAIN, errno.EINVAL, errno.ENOTTY):
                break
            raise
        if event.type == USAGE:
            count = int.from_bytes(bytes(event.u.data)[:4], "little")
    return count

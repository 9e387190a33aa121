"""The event by which v4l2loopback, from 0.13 on, tells the one who feeds it whether somebody reads."""

import errno
from collections.abc import Callable
from typing import Any

import videodev2 as v4l2

Ioctl = Callable[[int, Any], None]
"""Makes an ioctl on one node: a request and its argument; raises OSError."""

USAGE = v4l2.V4L2_EVENT_PRIVATE_START + 0x08E00000 + 1
"""V4L2_EVENT_PRI_CLIENT_USAGE of v4l2loopback; its data begin with a 32-bit count."""

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

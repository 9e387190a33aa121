"""What every sink asks of a frame before it takes it."""

from scrim.errors import SinkError
from scrim.frame import Caps, SafeFrame


def accept(frame: object, caps: Caps | None, name: str) -> SafeFrame:
    """The frame, if a sink that was opened for ``caps`` may deliver it.

    Raises:
        TypeError: it is not a SafeFrame.
        SinkError: the sink is not open (``caps`` is None), or the frame is of another size.
    """
    # Not isinstance: that asks the object for its class, and a look-alike lies.
    if type(frame) is not SafeFrame:
        raise TypeError(f"{name}: only a SafeFrame can be delivered, not a {type(frame).__name__}")
    if caps is None:
        raise SinkError(f"{name}: write before open")
    if frame.size != caps.size:
        width, height = frame.size
        raise SinkError(f"{name}: a frame of {width}x{height} for an output of {caps}; scale it before")
    return frame

"""Feed, placeholder, encoder and taps together. Does nothing while there is no tap."""

import ctypes
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from scrim.errors import LocalError
from scrim.gateway.rtsp.child.encoder import Encoder, Unit
from scrim.gateway.rtsp.child.encoders import Kind, Rate
from scrim.gateway.rtsp.child.gst import GLib, Gst
from scrim.gateway.rtsp.child.pictures import Canvas, Pictures
from scrim.gateway.rtsp.child.placeholder import draw
from scrim.gateway.rtsp.child.taps import Gate, Tap
from scrim.gateway.rtsp.plan import Plan

log = logging.getLogger(__name__)

STILL_S = 0.5
"""Without a picture for this long the placeholder is shown; a core that lives sends ten a second."""

PLACEHOLDER_INTERVAL_S = 0.1

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 30.0
"""The pause after an encoder's fault doubles from the first to this."""


class Stream:
    """The one encoded stream. In GLib's loop, but for what says otherwise.

    Args:
        plan: says what size, and how to encode.
        kinds: encoders, best first; one that fails gives way to the next.
        want: called with whether the feed is wanted, whenever that changes.

    Attributes:
        is_wanted: whether anybody watches.
        encoded: units since the start.
        dropped: pictures since the start for which the encoder had no time.
    """

    def __init__(self, plan: Plan, kinds: list[Kind], want: Callable[[bool], None]) -> None:
        self.is_wanted = False
        self._plan = plan
        self._kinds = kinds
        self._want = want
        self._rate = Rate(plan.bit_rate_kbps, max(1, round(plan.key_frame_interval_s * plan.frame_rate)))
        self._pictures = Pictures()
        self._pipe_watch = self._timer = 0
        self._placeholder: Gst.Buffer | None = None
        self._encoder: Encoder | None = None
        self._before = [0, 0]
        self._retry_s = FIRST_RETRY_S
        self._retry_at_s = 0.0
        self._shown_s = 0.0
        self._pts_ns = -1
        self._taps: tuple[Tap, ...] = ()

    @property
    def encoded(self) -> int:
        """Units since the start."""
        return self._before[0] + (self._encoder.given if self._encoder else 0)

    @property
    def dropped(self) -> int:
        """Pictures since the start for which the encoder had no time."""
        return self._before[1] + (self._encoder.dropped if self._encoder else 0)

    def figures(self) -> dict[str, Any]:
        """What there is to know."""
        return {
            "encoder": self._kinds[0].name,
            "is_wanted": self.is_wanted,
            "is_encoding": self._encoder is not None,
            "is_placeholder": self.is_wanted and self._is_still(),
            "encoded": self.encoded,
            "dropped": self.dropped,
        }

    def add(self, tap: Tap) -> None:
        """Let units through a tap from now on. From any thread."""
        GLib.idle_add(self._change, lambda: (*self._taps, tap))

    def remove(self, tap: Tap) -> None:
        """Not any more. From any thread."""
        GLib.idle_add(self._change, lambda: tuple(other for other in self._taps if other is not tap))

    def open(self, tap: Tap) -> None:
        """Let all units through from the next key frame on, which is the next frame. From any thread."""
        tap.set(Gate.OPEN)
        GLib.idle_add(self._force_key)

    def adopt_pipe(self, fd: int) -> None:
        """Take up a feed."""
        if not self.is_wanted:
            os.close(fd)
            return
        self._drop_feed()
        self._pictures.adopt_pipe(fd)
        condition = GLib.IOCondition.IN | GLib.IOCondition.HUP | GLib.IOCondition.ERR
        self._pipe_watch = GLib.unix_fd_add_full(GLib.PRIORITY_HIGH, fd, condition, self._readable)

    def adopt_ring(self, fd: int) -> None:
        """Read pictures from another ring from now on."""
        if not self.is_wanted:
            os.close(fd)
            return
        try:
            self._pictures.adopt_ring(fd)
        except LocalError as error:
            log.warning("%s", error)
            return
        self._show_newest()

    def close(self) -> None:
        """Stop."""
        self._taps = ()
        self._settle()

    def _change(self, taps: Callable[[], tuple[Tap, ...]]) -> bool:
        self._taps = taps()
        self._settle()
        return False

    def _settle(self) -> None:
        """Start or stop, where the first tap came or the last one went."""
        if self.is_wanted == bool(self._taps):
            self._force_key()
            return
        self.is_wanted = bool(self._taps)
        if self.is_wanted:
            self._shown_s = 0.0
            self._timer = GLib.timeout_add(round(PLACEHOLDER_INTERVAL_S * 1000), self._tick)
            self._show_placeholder()
        else:
            GLib.source_remove(self._timer)
            self._drop_feed()
            self._drop_encoder()
            trim_memory()
        self._want(self.is_wanted)

    def _force_key(self) -> bool:
        if self._encoder is not None:
            self._encoder.force_key()
        return False

    def _tick(self) -> bool:
        if self._encoder is not None:
            self._encoder.check()
        if self._is_still():
            self._show_placeholder()
        return True

    def _is_still(self) -> bool:
        return time.monotonic() - self._shown_s > STILL_S

    def _readable(self, _fd: int, _condition: GLib.IOCondition) -> bool:
        if not self._pictures.drain():
            self._pipe_watch = 0
            self._drop_feed()
            return False
        self._show_newest()
        return True

    def _show_newest(self) -> None:
        ring = self._pictures.ring
        if ring is None or not self.is_wanted:
            return
        encoder = self._encoder_for(ring.size)
        if encoder is None or encoder.is_behind or (found := ring.read(encoder.canvas)) is None:
            return
        self._shown_s = time.monotonic()
        self._placeholder = None
        picture, pts_ns = found
        # The core repeats a picture where it has no other; players do that themselves.
        if pts_ns != self._pts_ns:
            self._pts_ns = pts_ns
            encoder.push(picture, pts_ns)

    def _show_placeholder(self) -> None:
        encoder = self._encoder_for(self._size())
        if encoder is None or encoder.is_behind:
            return
        if self._placeholder is None:
            drawn = Gst.Buffer.new_wrapped(draw(*encoder.size))
            self._placeholder = encoder.canvas.source(drawn.get_all_memory())
        picture = encoder.canvas.copy(self._placeholder)
        if picture is not None:
            encoder.push(picture, time.monotonic_ns())

    def _size(self) -> tuple[int, int]:
        """What was shown last, or will be."""
        if self._pictures.ring is not None:
            return self._pictures.ring.size
        return self._encoder.size if self._encoder is not None else (self._plan.width, self._plan.height)

    def _encoder_for(self, size: tuple[int, int]) -> Encoder | None:
        """The encoder for pictures of this size; None while it is not to be had."""
        if self._encoder is not None and self._encoder.size == size:
            return self._encoder
        self._drop_encoder()
        if time.monotonic() < self._retry_at_s:
            return None
        try:
            canvas = Canvas(*size, self._plan.frame_rate)
            self._encoder = Encoder(self._kinds[0], self._rate, canvas, self._give, self._fault)
        except GLib.Error as error:
            self._fault(error.message)
        return self._encoder

    def _give(self, unit: Unit) -> None:
        """In the encoder's thread."""
        self._retry_s = FIRST_RETRY_S
        for tap in self._taps:
            tap.give(unit)

    def _fault(self, reason: str) -> None:
        """Another encoder takes its place; the last one is tried again."""
        self._drop_encoder()
        if len(self._kinds) > 1:
            self._kinds = self._kinds[1:]
            log.warning("encoder: %s; %s takes its place", reason, self._kinds[0].name)
            return
        log.warning("encoder: %s; it is started again in %.0f s", reason, self._retry_s)
        self._retry_at_s = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _drop_encoder(self) -> None:
        if self._encoder is not None:
            self._before = [self.encoded, self.dropped]
            encoder, self._encoder = self._encoder, None
            self._placeholder = None
            encoder.close()

    def _drop_feed(self) -> None:
        if self._pipe_watch:
            GLib.source_remove(self._pipe_watch)
        self._pipe_watch = 0
        self._pictures.close()


def trim_memory() -> None:
    """Give back what the C library keeps of freed memory: an encoder took some MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

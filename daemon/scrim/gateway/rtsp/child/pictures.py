"""The frame feed as GStreamer's buffers: one copy, made outside of Python, checked to be whole."""

import contextlib
import mmap
import os

from scrim.gateway.rtsp.child.gst import Gst, GstAllocators, GstVideo
from scrim.local.ring_layout import HEAD, HEADER, HEADS_BYTES, PUBLISHED, PUBLISHED_AT, Layout, sealed_bytes

_ATTEMPTS = 4
_DRAIN_BYTES = 65536


class Canvas:
    """Buffers of one size for the encoder, from a pool: nothing frame-sized is allocated per frame.

    Args:
        width: pixels, even.
        height: pixels, even.
        frame_rate: frames per second, for the caps.
    """

    def __init__(self, width: int, height: int, frame_rate: float) -> None:
        self.size = (width, height)
        self.caps = Gst.Caps.from_string(
            f"video/x-raw,format=I420,width={width},height={height},colorimetry=bt601,"
            f"framerate={round(frame_rate * 1000)}/1000"
        )
        self._info = GstVideo.VideoInfo.new_from_caps(self.caps)
        self._pool = GstVideo.VideoBufferPool.new()
        config = self._pool.get_config()
        Gst.BufferPool.config_set_params(config, self.caps, self._info.size, 1, 0)
        self._pool.set_config(config)
        self._pool.set_active(True)

    def source(self, memory: Gst.Memory) -> Gst.Buffer:
        """A buffer that looks at an I420 picture without padding, of this size."""
        width, height = self.size
        luma, chroma = width * height, width * height // 4
        buffer = Gst.Buffer.new()
        buffer.append_memory(memory)
        GstVideo.buffer_add_video_meta_full(
            buffer,
            GstVideo.VideoFrameFlags.NONE,
            GstVideo.VideoFormat.I420,
            width,
            height,
            3,
            [0, luma, luma + chroma, 0],
            [width, width // 2, width // 2, 0],
        )
        return buffer

    def copy(self, source: Gst.Buffer) -> Gst.Buffer | None:
        """A copy in a buffer of the pool; None when it cannot be made. Other threads run meanwhile."""
        flow, buffer = self._pool.acquire_buffer(None)
        if flow != Gst.FlowReturn.OK:
            return None
        is_open, into = GstVideo.video_frame_map(self._info, buffer, Gst.MapFlags.WRITE)
        if not is_open:
            return None
        try:
            is_open, frame = GstVideo.video_frame_map(self._info, source, Gst.MapFlags.READ)
            if not is_open:
                return None
            try:
                return buffer if into.copy(frame) else None
            finally:
                frame.unmap()
        finally:
            into.unmap()

    def close(self) -> None:
        """Let every buffer go that comes back from now on, and those that lie ready."""
        self._pool.set_active(False)


class Ring:
    """One ring of the frame feed, read as :class:`scrim.local.ring.RingReader` does.

    Args:
        fd: the ring's memory; the ring's to close from now on.

    Raises:
        LocalError: it is not a feed that this version can read.

    Attributes:
        size: (width, height) of the pictures, in pixels.
    """

    def __init__(self, fd: int) -> None:
        try:
            self._size_bytes = sealed_bytes(fd)
            self._memory = mmap.mmap(fd, min(self._size_bytes, HEADS_BYTES), prot=mmap.PROT_READ)
            self._layout = Layout.read(self._memory[: HEADER.size], self._size_bytes)
        except BaseException:
            os.close(fd)
            raise
        self.size = (self._layout.width, self._layout.height)
        # Mapped for each picture anew: 0.1 ms, and what lies mapped would count as this process's memory.
        self._fd_memory = GstAllocators.FdAllocator.alloc(
            GstAllocators.FdAllocator.new(), fd, self._size_bytes, GstAllocators.FdMemoryFlags.NONE
        )
        self._slots: list[Gst.Buffer] = []
        self._seen = 0

    def read(self, canvas: Canvas) -> tuple[Gst.Buffer, int] | None:
        """The newest picture and its capture time in ns; None when there is none newer than the last.

        Args:
            canvas: of this size; the same at every call.
        """
        if not self._slots:
            self._slots = [canvas.source(self._picture(slot)) for slot in range(self._layout.slots)]
        for _ in range(_ATTEMPTS):
            (published,) = PUBLISHED.unpack_from(self._memory, PUBLISHED_AT)
            if published in (0, self._seen):
                return None
            slot = (published - 1) % self._layout.slots
            before = self._head(slot)
            if before[0] % 2 or before[1] != published:
                continue
            buffer = canvas.copy(self._slots[slot])
            if buffer is None:
                return None
            if self._head(slot) == before:
                self._seen = published
                return buffer, before[3]
        return None

    def _picture(self, slot: int) -> Gst.Memory:
        return self._fd_memory.share(self._layout.picture_at(slot), self._layout.picture_bytes)

    def _head(self, slot: int) -> tuple[int, ...]:
        """Lock, count, sequence, capture time, revision, origin."""
        return HEAD.unpack_from(self._memory, self._layout.head_at(slot))


class Pictures:
    """The feed: a pipe that says when there is a picture, and the ring that holds it.

    Attributes:
        ring: None while there is none.
    """

    def __init__(self) -> None:
        self._pipe = -1
        self.ring: Ring | None = None

    def adopt_pipe(self, fd: int) -> None:
        """Take up a feed; what was there before is over."""
        self.close()
        os.set_blocking(fd, False)
        self._pipe = fd

    def adopt_ring(self, fd: int) -> None:
        """Read from another ring from now on.

        Raises:
            LocalError: it is not a feed that this version can read.
        """
        self.ring = None
        self.ring = Ring(fd)

    def drain(self) -> bool:
        """Take the bytes out of the pipe; False when its other end is closed."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._pipe, _DRAIN_BYTES))
        return True

    def close(self) -> None:
        """The feed is over. Does nothing the second time."""
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = -1
        self.ring = None

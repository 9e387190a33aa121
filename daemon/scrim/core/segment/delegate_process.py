"""A model on a delegate, in a process of its own: if the library aborts, crashes or hangs, only that ends."""

import json
import mmap
import os
import select
import signal
import subprocess
import sys
import threading

import numpy as np

from scrim.core.segment.delegate_child import DONE, MOST_ANSWER_BYTES, memory_bytes, order, views
from scrim.core.segment.model import ModelSpec
from scrim.errors import ModelError, SegmentError
from scrim.frame import Mask, Plane

START_S = 10.0
"""How long a delegate may take to load; an Edge TPU on USB takes about 3 s after being plugged in."""

DEADLINE_S = 0.5
"""How long an inference may take."""

_END_S = 0.2
_CHILD = [sys.executable, "-P", "-m", "scrim.core.segment.delegate_child"]


class DelegateProcess:
    """Runs a model on a delegate in a child. The thread that makes it must live as long as it does.

    Args:
        spec: the model.
        threads: for what the delegate leaves to the CPU.
        delegate: path of the library.
        start_s: how long it may take to load.
        deadline_s: how long an inference may take.

    Raises:
        ModelError: the delegate does not load, refuses the model, crashes or takes too long.
    """

    def __init__(
        self,
        spec: ModelSpec,
        threads: int,
        delegate: str,
        start_s: float = START_S,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.spec = spec
        self._delegate = delegate
        self._deadline_s = deadline_s
        self._mask = np.empty((spec.output.height, spec.output.width), np.uint8)
        memory_fd = os.memfd_create("scrim-delegate", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory_fd, memory_bytes(spec))
            self._picture, self._answered = views(mmap.mmap(memory_fd, memory_bytes(spec)), spec)
            self._child: subprocess.Popen[bytes] | None = subprocess.Popen(
                [*_CHILD, str(memory_fd), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pass_fds=(memory_fd,),
            )
        finally:
            os.close(memory_fd)
        self._requests, self._answers = _pipes(self._child)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        try:
            self.runtime = self._loaded(self._ask(order(spec, threads, delegate), start_s))
        except SegmentError as error:
            self.close()
            raise ModelError(str(error)) from None
        except BaseException:
            self.close()
            raise

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the picture ``segment`` wants."""
        return self.spec.input.size

    @property
    def pid(self) -> int | None:
        """Of the child; None when closed."""
        return None if self._child is None else self._child.pid

    def segment(self, rgb: Plane) -> Mask:
        """Find the person; see :class:`scrim.core.segment.base.Segmenter`. After an error it is of no use."""
        if rgb.shape != self._picture.shape or rgb.dtype != np.uint8:
            wanted = self._picture.shape
            raise SegmentError(
                f"model {self.spec.name}: got a picture {rgb.shape} {rgb.dtype}, wants {wanted} uint8"
            )
        np.copyto(self._picture, rgb)
        answer = self._ask(b"\n", self._deadline_s)
        if answer != DONE:
            raise self._error(answer.decode("utf-8", "replace").strip())
        # A copy, for the child is not trusted to leave its own alone.
        np.copyto(self._mask, self._answered)
        return self._mask

    def close(self) -> None:
        """End the child, which may take a while in the kernel; that is not waited for."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        # The memory, and the descriptor it keeps, go with the last array that looks at it.
        self._picture = self._answered = np.empty(0, np.uint8)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            threading.Thread(target=child.wait, name="delegate-end", daemon=True).start()

    def _ask(self, request: bytes, timeout_s: float) -> bytes:
        """Send something and wait for the answer; the interpreter lock is not held meanwhile."""
        if self._child is None:
            raise SegmentError(f"model {self.spec.name} is closed")
        try:
            os.write(self._requests, request)
        except BrokenPipeError:
            raise self._gone() from None
        if not self._poll.poll(timeout_s * 1000):
            raise self._error(f"no answer within {timeout_s * 1000:.0f} ms")
        answer = os.read(self._answers, MOST_ANSWER_BYTES)
        if not answer:
            raise self._gone()
        return answer

    def _loaded(self, answer: bytes) -> str:
        """The runtime, if the child has loaded everything."""
        said = json.loads(answer)
        if "error" in said:
            raise ModelError(" ".join(str(said["error"]).split()))
        return str(said["runtime"])

    def _gone(self) -> SegmentError:
        """How the child ended."""
        try:
            status = self._child.wait(_END_S) if self._child is not None else 0
        except subprocess.TimeoutExpired:
            return self._error("its process has closed its pipe")
        if status < 0:
            return self._error(f"its process was killed by {signal.Signals(-status).name}")
        return self._error(f"its process ended with status {status}")

    def _error(self, what: str) -> SegmentError:
        return SegmentError(f"delegate {self._delegate}: {what}")


def _pipes(child: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """Descriptors of the child's input and output."""
    if child.stdin is None or child.stdout is None:
        raise AssertionError("both were asked for")
    return child.stdin.fileno(), child.stdout.fileno()

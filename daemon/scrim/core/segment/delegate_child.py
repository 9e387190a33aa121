"""The child that runs a model on a delegate: ``python -m scrim.core.segment.delegate_child FD PARENT``.

A delegate's library may abort, crash or hang; here it takes nothing with it. The first line of the input is
the order, JSON; its answer is a line of JSON with ``runtime`` or ``error``. From then on every byte of input
asks for one inference on the picture in the shared memory; the answer is ``.`` when the mask lies behind the
picture, or a line with what went wrong.
"""

import ctypes
import json
import mmap
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scrim.core.segment.model import InputSpec, ModelSpec, OutputSpec
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.errors import ModelError, SegmentError

DONE = b".\n"
MOST_ANSWER_BYTES = 4096
"""A pipe takes this much at once, so that an answer is read whole."""

_MOST_ORDER_BYTES = 64 * 1024
_SET_DEATH_SIGNAL = 1


def order(spec: ModelSpec, threads: int, delegate: str) -> bytes:
    """The first line of the child's input."""
    fields = {**asdict(spec), "path": str(spec.path)}
    return json.dumps({"spec": fields, "threads": threads, "delegate": delegate}).encode() + b"\n"


def main() -> None:
    """Load, answer, and infer until the input ends."""
    memory_fd, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.dup(1)
    os.dup2(2, 1)  # libraries print where they please
    try:
        segmenter = _load(os.read(0, _MOST_ORDER_BYTES))
    except ModelError as error:
        _say(answers, json.dumps({"error": str(error)[: MOST_ANSWER_BYTES // 8]}).encode())
        return
    _say(answers, json.dumps({"runtime": str(segmenter.runtime)}).encode())
    _serve(segmenter, memory_fd, answers)


def memory_bytes(spec: ModelSpec) -> int:
    """How much memory both ends share: the picture, and behind it the mask."""
    return _picture_bytes(spec) + spec.output.width * spec.output.height


def views(
    memory: mmap.mmap, spec: ModelSpec
) -> "tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint8]]]":
    """The shared memory as picture, shape (height, width, 3), and mask, shape (height, width); uint8."""
    shared = np.frombuffer(memory, np.uint8)
    picture, mask = np.split(shared, [_picture_bytes(spec)])
    height, width = spec.input.height, spec.input.width
    return picture.reshape(height, width, 3), mask.reshape(spec.output.height, spec.output.width)


def _picture_bytes(spec: ModelSpec) -> int:
    return spec.input.width * spec.input.height * spec.input.channels


def _load(line: bytes) -> TFLiteSegmenter:
    given = json.loads(line)
    return TFLiteSegmenter(_spec(given["spec"]), int(given["threads"]), str(given["delegate"]))


def _spec(fields: Mapping[str, Any]) -> ModelSpec:
    given, taken = dict(fields["input"]), dict(fields["output"])
    given["range"], taken["range"] = tuple(given["range"]), tuple(taken["range"])
    parts = {"path": Path(fields["path"]), "input": InputSpec(**given), "output": OutputSpec(**taken)}
    return ModelSpec(**{**fields, **parts})


def _serve(segmenter: TFLiteSegmenter, memory_fd: int, answers: int) -> None:
    with mmap.mmap(memory_fd, memory_bytes(segmenter.spec)) as memory:
        picture, mask = views(memory, segmenter.spec)
        while os.read(0, 1):
            try:
                np.copyto(mask, segmenter.segment(picture))
            except SegmentError as error:
                _say(answers, str(error).replace("\n", " ")[: MOST_ANSWER_BYTES // 8].encode())
            else:
                os.write(answers, DONE)
        os._exit(0)  # the delegate's own tidying up is not waited for


def _say(answers: int, line: bytes) -> None:
    os.write(answers, line + b"\n")


def _die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends, even while a library hangs."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    main()

"""Counts the instructions of frames. Runs inside an emulated board: ``python guest.py ROWS``.

ROWS is a file of JSON, a list of :class:`Row`. One line beginning with ``count:`` is printed for each.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

EXTENSIONS = (
    "scrim.core._planes",
    "scrim.core._packed",
    "scrim.core._ranges",
    "scrim.core._picture",
    "scrim.core.matte._edges",
    "scrim.core.composite._blur",
)
"""What is built from C where there is a compiler."""

MARK = "count: "


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to count.

    Attributes:
        clip: raw frames, as ``scrim.core.bench.clip`` writes them.
        width: pixels.
        height: pixels.
        effect: blur or color.
        model: such as person-256x144.
        form: float16 or int8.
        level: of the ladder of a time budget.
        is_floor: the bare model and one pass over the picture instead of a frame.
        has_extensions: with the extensions in C.
        frames: in a round.
    """

    clip: str
    width: int
    height: int
    effect: str = "blur"
    model: str = "person-256x144"
    form: str = "float16"
    level: int = 0
    is_floor: bool = False
    has_extensions: bool = True
    frames: int = 3


def main() -> None:
    """Count every row, in a process of its own: a processor has few counters, and each row takes two."""
    import scrim.config
    import scrim.core.bench.worker  # noqa: F401  once, and not again in every process

    for document in json.loads(Path(sys.argv[1]).read_text()):
        if not os.fork():
            print(MARK + json.dumps(count(Row(**document))), flush=True)
            return
        if os.wait()[1]:
            sys.exit(1)


@contextmanager
def extensions(are_there: bool) -> Iterator[None]:
    """Let the import of every extension fail meanwhile, as where there was no compiler; or not."""
    before = {name: sys.modules[name] for name in EXTENSIONS if name in sys.modules}
    if not are_there:
        modules: dict[str, Any] = dict.fromkeys(EXTENSIONS)  # None: there is no such module
        sys.modules.update(modules)
    try:
        yield
    finally:
        for name in EXTENSIONS:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def count(row: Row) -> dict[str, Any]:
    """Play a round to warm up and two that count.

    Returns:
        The row; ``instructions``: of each round, per frame, in user mode, None where nobody may count;
        ``stages``: nanoseconds per frame of each stage, ``whole``: of everything. Where a nanosecond
        passes with each instruction, these are instructions too, those of the kernel included.
    """
    from scrim.config import Settings
    from scrim.core.bench.worker import Job, ready

    patch = {"effect": row.effect, "model": {"threads": 1, "name": row.model, "form": row.form}}
    document = Settings().patched(patch).model_dump()
    size = (row.width, row.height)
    job = Job(row.clip, *size, document, "/", row.frames, time.monotonic(), row.is_floor, row.level)
    with extensions(row.has_extensions):
        play = ready(job)
        _, *rounds = [play() for _ in range(3)]
    last = rounds[-1]
    return {
        **asdict(row),
        "instructions": [one.instructions for one in rounds],
        "stages": {name: round(spent_ms * 1e6) for name, spent_ms in last.stages_ms.items()},
        "whole": round(last.wall_ms * 1e6),
    }


if __name__ == "__main__":
    main()

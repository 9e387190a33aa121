"""What is counted, and the footage for it."""

from collections.abc import Iterator
from pathlib import Path

from board_counts.guest import Row
from scrim.core.bench.clip import write_clip

SIZES = ((640, 480), (1280, 720), (1920, 1080))
EFFECTS = ("blur", "color")
SMALL_MODEL = "person-192x112"
CLIP_FRAMES = 8


def write_clips(folder: Path) -> None:
    """Write the first frames of the demo in every size, raw."""
    folder.mkdir(parents=True)
    for width, height in SIZES:
        path = folder / f"{width}x{height}.i420"
        write_clip(path, (width, height), None)
        with path.open("r+b") as file:
            file.truncate(CLIP_FRAMES * width * height * 3 // 2)


def rows() -> Iterator[Row]:
    """Every size and effect; the other form, the floor, a budget's levels, and without extensions."""
    hd = (1280, 720)
    yield row(hd)
    yield row(hd, form="int8")
    yield row(hd, effect="color")
    yield row(hd, is_floor=True)
    yield from (row(size, effect=effect) for size in ((640, 480), (1920, 1080)) for effect in EFFECTS)
    yield row(hd, level=1)
    yield row(hd, level=2)
    yield row(hd, level=2, model=SMALL_MODEL)
    yield from (row(hd, effect=effect, has_extensions=False) for effect in EFFECTS)


def row(size: tuple[int, int], **what: str | int | bool) -> Row:
    """One row, of this size in pixels, where the guest finds its footage."""
    width, height = size
    return Row(f"/count/clips/{width}x{height}.i420", width, height, **what)  # type: ignore[arg-type]

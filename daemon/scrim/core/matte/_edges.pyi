from typing import Any

from numpy.typing import NDArray

from scrim.frame import Mask, Plane

def steady(
    average: Mask, mask: Mask, table: NDArray[Any], gain: NDArray[Any], spare: NDArray[Any], /
) -> tuple[int, int, int, int]: ...
def edges(
    out: Plane,
    mask: Plane,
    y: Plane,
    u: Plane,
    v: Plane,
    spare: NDArray[Any],
    window: tuple[int, int, int, int],
    noise: float,
    scale: float,
    shift: float,
    /,
) -> tuple[tuple[int, int, int, int], int]: ...
def spare_bytes(rows: int, columns: int, mask_columns: int, /) -> int: ...

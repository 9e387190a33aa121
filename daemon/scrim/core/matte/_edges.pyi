from typing import Any

from numpy.typing import NDArray

from scrim.frame import Mask, Plane

def steady(average: Mask, mask: Mask, gain: NDArray[Any], spare: NDArray[Any], /) -> None: ...
def edges(
    out: Plane,
    mask: Plane,
    y: Plane,
    u: Plane,
    v: Plane,
    spare: NDArray[Any],
    noise: float,
    scale: float,
    shift: float,
    /,
) -> None: ...
def spare_bytes(rows: int, columns: int, /) -> int: ...

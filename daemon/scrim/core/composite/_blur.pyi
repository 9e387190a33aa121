from typing import Any

from numpy.typing import NDArray

from scrim.frame import Plane

def blur(
    out: tuple[Plane, ...],
    alpha: Plane,
    planes: tuple[Plane, ...],
    taps: NDArray[Any],
    spare: NDArray[Any],
    least: float,
    neutral: int,
    /,
) -> None: ...
def spare_bytes(rows: int, columns: int, planes: int, radius: int, /) -> int: ...

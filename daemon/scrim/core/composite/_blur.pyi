from typing import Any

from numpy.typing import NDArray

from scrim.frame import Plane

def weigh(
    mixed: NDArray[Any], alpha: Plane, planes: tuple[Plane, ...], steepness: int, /
) -> tuple[float, ...]: ...
def divide(
    mixed: NDArray[Any], planes: tuple[Plane, ...], least: float, offsets: tuple[float, ...], /
) -> None: ...

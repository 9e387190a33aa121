from typing import Any

from numpy.typing import NDArray

from scrim.frame import Plane

def squeeze(rgb: Plane, y: Plane, u: Plane, v: Plane, spare: NDArray[Any], /) -> None: ...
def spare_bytes(width: int, height: int, /) -> int: ...

from scrim.frame import Plane

def blend(
    out: Plane,
    camera: Plane,
    behind: Plane,
    behind_factor: int,
    alpha: Plane,
    alpha_factor: int,
    box: tuple[int, int, int, int],
    /,
) -> None: ...
def halve(outs: tuple[Plane, ...], source: Plane, /) -> None: ...
def smooth(out: Plane, source: Plane, /) -> None: ...

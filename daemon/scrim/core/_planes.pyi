from scrim.frame import Coarse, Plane, Planes

def blend(
    out: Plane,
    camera: Planes,
    behind: tuple[Coarse, Coarse, Coarse],
    luma: Coarse,
    chroma: Coarse,
    box: tuple[int, int, int, int],
    /,
) -> None: ...
def halve(outs: tuple[Plane, ...], source: Plane, /) -> None: ...
def smooth(out: Plane, source: Plane, /) -> None: ...

"""What a small machine spares: settings of the process itself, made before anything is loaded."""

import ctypes
import gc
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of ``mallopt`` in glibc's malloc.h."""

_OF_ITS_OWN_BYTES = 1 << 19
"""From here on memory is the system's again as soon as it is freed: pictures, not what lives for one call."""


def one_blas_thread() -> None:
    """Keep OpenBLAS, which is inside numpy and OpenCV, from starting threads that nobody uses.

    It reads its environment when it is loaded; what is set there already stays.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def start_sparingly() -> None:
    """Let all threads share one heap, give back what was freed, and look for no garbage until ``settle``.

    A heap for each of a dozen threads takes 4 MB more, and they hardly ever allocate at the same time. Where
    the C library has no ``mallopt``, nothing of this happens but the last.
    """
    gc.disable()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _OF_ITS_OWN_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _OF_ITS_OWN_BYTES)


def settle() -> None:
    """When everything that stays is there: give back the rest, and never look through it for garbage again.

    A look through all that was imported would hold up a frame by 15 ms now and then.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

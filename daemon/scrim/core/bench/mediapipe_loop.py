"""Measures MediaPipe's selfie segmentation as its documentation shows it, in a process of its own.

Run by path with any Python that has ``mediapipe``; imports nothing of scrim; speaks as :mod:`.worker` does.
The loop: BGR frame to RGB, segment (landscape model), threshold the mask at 0.1, make the background (a 55 x
55 Gaussian of the frame, an image or a colour), choose per pixel with ``numpy.where``.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np


def main() -> int:
    """Serve rounds until standard input ends."""
    job = json.loads(sys.argv[1])
    cv2.setNumThreads(1)
    size = (job["width"], job["height"])
    frames = _read(Path(job["clip"]), size)
    with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=1) as segmentation:
        background = _background(job["background"], size)
        _filter(segmentation, frames[0], background)
        first_frame_s = time.monotonic() - job["started_s"]
        clip_mb = Path(job["clip"]).stat().st_size * 3 / 1e6  # as bytes in the file, and twice that as BGR
        for _ in sys.stdin:
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            for at in range(job["frames"]):
                _filter(segmentation, frames[at % len(frames)], background)
            cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
            print(json.dumps(_round(cpu_s, wall_s, job["frames"], clip_mb, first_frame_s)), flush=True)
    return 0


def _round(cpu_s: float, wall_s: float, count: int, clip_mb: float, first_frame_s: float) -> dict[str, Any]:
    peak_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - clip_mb
    return {
        "cpu_ms": cpu_s * 1000 / count,
        "wall_ms": wall_s * 1000 / count,
        "stages_ms": {},
        "peak_rss_mb": peak_rss_mb,
        "first_frame_s": first_frame_s,
    }


def _filter(segmentation: Any, bgr: Any, background: Any) -> Any:  # noqa: ANN401  mediapipe has no types
    mask = segmentation.process(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)).segmentation_mask
    person = np.stack((mask,) * 3, axis=-1) > 0.1
    behind = cv2.GaussianBlur(bgr, (55, 55), 0) if background is None else background
    return np.where(person, bgr, behind)


def _background(path: str | None, size: tuple[int, int]) -> Any:  # noqa: ANN401
    return None if path is None else cv2.resize(cv2.imread(path), size)


def _read(path: Path, size: tuple[int, int]) -> list[Any]:
    width, height = size
    raw = np.memmap(path, np.uint8, "r").reshape(-1, height * 3 // 2, width)
    frames = [cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420) for i420 in raw]
    return frames + frames[-2:0:-1]


if __name__ == "__main__":
    sys.exit(main())

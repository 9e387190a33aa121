"""What is measured, as rows of a table: one for each model, way of making mattes, and footage."""

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np

from quality_measure.keyed import Sequence, pictures
from quality_measure.matting import Bgr, Matting, Way
from quality_measure.measure import ClipMeter, Figures, Still, measure_halves, measure_stills

Row = dict[str, str | float]

MEAN = "mean of clips"
"""Footage of the row that stands for all clips."""

COST = "cost at 1280x720"
"""Footage of the row that says what a matte costs."""

_TIMED = 120


def still_rows(mattings: list[Matting], stills: list[Still]) -> Iterator[Row]:
    """Means over stills; with six looks, over their halves as well."""
    for matting in mattings if stills else ():
        whole, first, second = measure_halves(matting, stills)
        yield {**_named(matting), "footage": f"{len(stills)} stills", **whole}
        if matting.way.looks == 6:
            yield {**_named(matting), "footage": "1st, 3rd … still", **first}
            yield {**_named(matting), "footage": "2nd, 4th … still", **second}


def crop_rows(mattings: list[Matting], crops: list[Still]) -> Iterator[Row]:
    """Means over stills cut to 16:9."""
    for matting in mattings if crops else ():
        yield {**_named(matting), "footage": f"{len(crops)} crops", **measure_stills(matting, crops)}


def clip_rows(mattings: list[Matting], clips: list[Sequence]) -> Iterator[Row]:
    """Figures of each clip, and their means."""
    results: list[list[Figures]] = [[] for _ in mattings]
    for clip in clips:
        meters = [ClipMeter(matting, is_sharp=clip.is_sharp) for matting in mattings]
        for picture, truth in pictures(clip):
            for meter in meters:
                meter.add(picture, truth)
        for result, meter in zip(results, meters, strict=True):
            result.append(meter.figures())
    for matting, result in zip(mattings, results, strict=True):
        for clip, figures in zip(clips, result, strict=True):
            yield {**_named(matting), "footage": clip.name, **figures}
        if len(clips) > 1:
            yield {**_named(matting), "footage": MEAN, **_mean(result)}


def cost_rows(mattings: list[Matting], clip: Sequence) -> Iterator[Row]:
    """CPU milliseconds a matte takes more than a mask that is only enlarged, as the median over pictures."""
    shown = [picture for picture, _ in islice(pictures(clip), _TIMED)]
    for matting in mattings if shown else ():
        plain = Matting(matting.toml, Way(refine=False, smooth=False))
        extra_ms = [_timed_ms(matting, picture) - _timed_ms(plain, picture) for picture in shown]
        warm = extra_ms[len(extra_ms) // 10 :]
        yield {**_named(matting), "footage": COST, "extra_ms": float(np.median(warm))}


def _timed_ms(matting: Matting, picture: Bgr) -> float:
    begin_ns = time.thread_time_ns()
    matting.matte(picture)
    return (time.thread_time_ns() - begin_ns) / 1e6


def _named(matting: Matting) -> Row:
    return {"model": f"{matting.spec.name} {matting.spec.form}", "matte": str(matting.way)}


def _mean(results: list[Figures]) -> Figures:
    """Means over the clips that have the figure."""
    known = {name: [result[name] for result in results if not np.isnan(result[name])] for name in results[0]}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in known.items()}

"""``scripts/quality``: measure the mattes on footage of your own."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from quality_measure.keyed import Sequence, pictures, sequences
from quality_measure.matting import Bgr, Matting
from quality_measure.measure import ClipMeter, Figures, Still, measure_stills, read_stills
from quality_measure.sheet import write_sheet
from scrim.errors import ScrimError

MODELS = Path(__file__).resolve().parents[2] / "models"
DEFAULT_MODELS = ("person-256x144-f16", "person-256x144-int8", "person-384x208-f16", "person-384x208-int8")
_EVERY = 60
"""A clip's every 60th picture is on the sheet."""

Row = dict[str, str | float]


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line, without the program's name.

    Returns:
        Exit status: 0, or 1 when something given cannot be used.
    """
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        stills = read_stills(options.stills) if options.stills else []
        clips = [sequence for argument in options.keyed for sequence in sequences(argument)]
        mattings = [_matting(model, options) for model in options.models]
        rows = [*_measure_stills(mattings, stills), *_measure_clips(mattings, clips)]
        if options.sheet:
            write_sheet(options.sheet, mattings[0], _shown(stills, clips))
    except (ValueError, ScrimError) as error:
        print(f"quality: {error}", file=sys.stderr)
        return 1
    print(json.dumps(rows, indent=1) if options.json else _table(rows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/quality",
        description="Hold mattes against the truth.",
        epilog="iou, mae: at 256x256 (stills), 256x144 (clips). boundary_f: outlines within 3 pixels there; "
        "outline_f: the same for outlines two pixels thick; boundary_f_full: at 1280x720. flicker: change of "
        "alpha x 1000 near edges at rest. lag: frames.",
    )
    parser.add_argument("--stills", type=Path, metavar="FOLDER", help="pictures in images/, masks in masks/")
    parser.add_argument(
        "--keyed",
        nargs="+",
        default=[],
        metavar="CLIP",
        help="people before a green or yellow-green wall: FILE[:FIRST-LAST][@ROOM,...]; rooms: study, office "
        "(both are drawn, and the default), wall (leave it)",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=DEFAULT_MODELS,
        help="names in models/, or TOML files (default: %(default)s)",
    )
    parser.add_argument("--plain", action="store_true", help="without refinement")
    parser.add_argument("--unsteady", action="store_true", help="without smoothing over time")
    parser.add_argument("--second-look", action="store_true", help="run each model twice")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="a contact sheet with the first model")
    return parser


def _matting(model: str, options: argparse.Namespace) -> Matting:
    toml = Path(model) if model.endswith(".toml") else MODELS / f"{model}.toml"
    return Matting(
        toml, refine=not options.plain, smooth=not options.unsteady, second_look=options.second_look
    )


def _measure_stills(mattings: list[Matting], stills: list[Still]) -> Iterator[Row]:
    for matting in mattings if stills else ():
        yield {"model": _name(matting), "footage": f"{len(stills)} stills", **measure_stills(matting, stills)}


def _measure_clips(mattings: list[Matting], clips: list[Sequence]) -> Iterator[Row]:
    results: list[list[Figures]] = [[] for _ in mattings]
    for clip in clips:
        meters = [ClipMeter(matting) for matting in mattings]
        for picture, truth in pictures(clip):
            for meter in meters:
                meter.add(picture, truth)
        for result, meter in zip(results, meters, strict=True):
            result.append(meter.figures())
    for matting, result in zip(mattings, results, strict=True):
        for clip, figures in zip(clips, result, strict=True):
            yield {"model": _name(matting), "footage": clip.name, **figures}
        if len(clips) > 1:
            yield {"model": _name(matting), "footage": "mean of clips", **_mean(result)}


def _name(matting: Matting) -> str:
    return f"{matting.spec.name} {matting.spec.form}"


def _mean(results: list[Figures]) -> Figures:
    return {name: float(np.nanmean([result[name] for result in results])) for name in results[0]}


def _shown(stills: list[Still], clips: list[Sequence]) -> Iterator[Bgr]:
    yield from (still.picture for still in stills)
    for clip in clips:
        yield from (
            picture for number, (picture, _) in enumerate(pictures(clip)) if number % _EVERY == _EVERY // 2
        )


def _table(rows: list[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"

"""``scripts/quality``: measure the mattes on footage of your own."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from quality_measure.goals import missed, verdicts
from quality_measure.keyed import Sequence as Clip
from quality_measure.keyed import pictures, sequences
from quality_measure.matting import LOOKS, Bgr, Matting, Way
from quality_measure.measure import Still, read_stills, webcam_crops
from quality_measure.rows import Row, clip_rows, cost_rows, crop_rows, still_rows
from quality_measure.sheet import write_sheet
from scrim.errors import ScrimError

MODELS = Path(__file__).resolve().parents[2] / "models"
DEFAULT_MODELS = ("person-256x144-f16", "person-256x144-int8", "person-384x208-f16", "person-384x208-int8")
_EVERY = 60
"""A clip's every 60th picture is on the sheet."""

_SMALL, _LARGE = ("256x144-f16", "256x144-int8"), ("384x208-f16", "384x208-int8")
_BARE = ("192x112-int8", *_SMALL, "256x144-tpu-int8", "320x176-int8", *_LARGE)


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line, without the program's name.

    Returns:
        Exit status: 0; 1 when something given cannot be used, or a goal is missed that was asked about.
    """
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        return _measure(options)
    except (ValueError, ScrimError) as error:
        print(f"quality: {error}", file=sys.stderr)
        return 1


def _measure(options: argparse.Namespace) -> int:
    stills = read_stills(options.stills) if options.stills else []
    clips = [sequence for argument in options.keyed for sequence in sequences(argument)]
    rows = list(_goal_rows(stills, clips) if options.goals else _asked_rows(options, stills, clips))
    if options.sheet:
        write_sheet(options.sheet, _mattings(options)[0], _shown(stills, clips))
    goals = verdicts(rows) if options.goals else []
    print(json.dumps([*rows, *goals], indent=1) if options.json else "\n\n".join(map(_table, (rows, goals))))
    return 1 if missed(goals) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/quality",
        description="Hold mattes against the truth.",
        epilog="iou, mae: at 256x256 (stills), 256x144 (clips). boundary_f: outlines within 3 pixels there; "
        "outline_f: the same for outlines two pixels thick; boundary_f_full: at 1280x720, of clips with 480 "
        "lines or more. flicker: change of alpha x 1000 near edges at rest. lag: frames.",
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
    parser.add_argument("--bare", action="store_true", help="the model's masks, no mattes")
    parser.add_argument("--plain", action="store_true", help="without refinement")
    parser.add_argument("--unsteady", action="store_true", help="without smoothing over time")
    parser.add_argument(
        "--looks", type=int, choices=LOOKS, default=1, help="inferences for a mask (default: %(default)s)"
    )
    parser.add_argument(
        "--crops", action="store_true", help="the stills cut to 16:9 too, as a webcam's would be"
    )
    parser.add_argument(
        "--goals",
        action="store_true",
        help="measure what the goals are about, whatever the options above say, and tell which are met",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="a contact sheet with the first model")
    return parser


def _mattings(options: argparse.Namespace) -> list[Matting]:
    way = Way(
        is_bare=options.bare, refine=not options.plain, smooth=not options.unsteady, looks=options.looks
    )
    return [Matting(_toml(model), way) for model in options.models]


def _toml(model: str) -> Path:
    return Path(model) if model.endswith(".toml") else MODELS / f"{model}.toml"


def _asked_rows(options: argparse.Namespace, stills: list[Still], clips: list[Clip]) -> Iterator[Row]:
    mattings = _mattings(options)
    yield from still_rows(mattings, stills)
    if options.crops:
        yield from crop_rows(mattings, webcam_crops(stills))
    yield from clip_rows(mattings, clips)


def _goal_rows(stills: list[Still], clips: list[Clip]) -> Iterator[Row]:
    """Everything a goal is about, and what belongs beside it: bare masks, fewer looks, halves, crops."""
    usual, twice, six = (_made(Way(looks=looks), (*_SMALL, *_LARGE)) for looks in LOOKS)
    bare = _made(Way(is_bare=True), (*_SMALL, *_LARGE))
    if stills:
        yield from still_rows([*_made(Way(is_bare=True), _BARE), *usual, *twice, *six], stills)
        yield from crop_rows([*bare, *usual, *twice, *six], webcam_crops(stills))
    if clips:
        yield from clip_rows([*bare, *usual, *twice[2:]], clips)
        yield from cost_rows(usual[:2], clips[0])


def _made(way: Way, sizes: Sequence[str]) -> list[Matting]:
    return [Matting(_toml(f"person-{size}"), way) for size in sizes]


def _shown(stills: list[Still], clips: list[Clip]) -> Iterator[Bgr]:
    yield from (still.picture for still in stills)
    for clip in clips:
        yield from (
            picture for number, (picture, _) in enumerate(pictures(clip)) if number % _EVERY == _EVERY // 2
        )


def _table(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _cell(value: str | float | None) -> str:
    if value is None or value != value:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"

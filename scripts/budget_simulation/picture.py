"""Small multiples: time per frame and level over time, one panel per scenario, as SVG."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from html import escape

from budget_simulation.board import Run
from budget_simulation.judge import Verdict

COLUMNS = 3
PANEL_PX = (440, 212)
HEAD_PX = 96
MARGIN_PX = 16
PLOT_PX = (352, 84)
STRIP_PX = 40
LEFT_PX, TOP_PX, GAP_PX = 64, 52, 10
MOST_PERCENT = 200
POINTS = 140

STYLE = (
    ".bg{fill:#fff}.card{fill:#f8fafc;stroke:#cbd5e1}.t{fill:#0f172a;font-weight:600;font-size:14px}"
    ".s{fill:#475569;font-size:11.5px}.a{fill:#475569;font-size:10.5px}.axis{stroke:#94a3b8;fill:none}"
    ".grid{stroke:#e2e8f0}.limit{stroke:#b91c1c;stroke-width:1.3;stroke-dasharray:5 3}"
    ".band{fill:#93c5fd;opacity:.55}.line{fill:none;stroke:#1d4ed8;stroke-width:1.4;stroke-linejoin:round}"
    ".level{fill:#d97706;opacity:.85}.step{stroke:#64748b;stroke-dasharray:2 3}"
    "@media(prefers-color-scheme:dark){.bg{fill:#0f172a}.card{fill:#1e293b;stroke:#475569}.t{fill:#f1f5f9}"
    ".s,.a{fill:#cbd5e1}.grid{stroke:#334155}.limit{stroke:#f87171}.band{fill:#60a5fa;opacity:.35}"
    ".line{stroke:#93c5fd}.level{fill:#f59e0b}.step{stroke:#94a3b8}}"
)

LEGEND = (
    "Processing time of a frame in percent of what the budget allows, cut off at 200 %, and the level of the "
    "ladder (0 = full quality), over seconds. Dotted: the load changes."
)

ATTRIBUTES = (
    'role="img" font-family="system-ui, sans-serif" '
    'aria-label="Time per frame and quality level over time, one panel for each simulated load"'
)


def draw(runs: Sequence[Run], verdicts: Sequence[Verdict]) -> str:
    """The whole picture; the same runs give the same text."""
    rows = -(-len(runs) // COLUMNS)
    width = COLUMNS * PANEL_PX[0] + (COLUMNS + 1) * MARGIN_PX
    height = HEAD_PX + rows * (PANEL_PX[1] + MARGIN_PX)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {ATTRIBUTES}>',
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{width}" height="{height}" rx="14"/>',
        *_head(),
    ]
    for number, (run, verdict) in enumerate(zip(runs, verdicts, strict=True)):
        left = MARGIN_PX + number % COLUMNS * (PANEL_PX[0] + MARGIN_PX)
        top = HEAD_PX + number // COLUMNS * (PANEL_PX[1] + MARGIN_PX)
        lines += [f'<g transform="translate({left} {top})">', *_panel(run, verdict), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _head() -> Iterator[str]:
    left = MARGIN_PX + 4
    yield _text(left, 32, "t", "Staying within the budget, simulated", extra=' style="font-size:20px"')
    yield _text(left, 54, "s", LEGEND)
    yield f'<path class="line" d="M{left} 74h26"/>' + _text(left + 32, 78, "s", "median")
    yield f'<path class="band" d="M{left + 90} 67h26v14h-26z"/>' + _text(
        left + 122, 78, "s", "8 in 10 frames"
    )
    yield f'<path class="limit" d="M{left + 220} 74h26"/>' + _text(left + 252, 78, "s", "the budget")
    yield f'<path class="level" d="M{left + 326} 67h26v14h-26z"/>' + _text(left + 358, 78, "s", "level")


def _panel(run: Run, verdict: Verdict) -> Iterator[str]:
    yield f'<rect class="card" width="{PANEL_PX[0]}" height="{PANEL_PX[1]}" rx="8"/>'
    yield _text(12, 20, "t", run.scenario.name)
    last = run.changes[-1].level if run.changes else run.levels[0]
    shown = f"ends at level {last.number}" + (f": 1 of {last.every} frames" if last.every > 1 else "")
    yield _text(PANEL_PX[0] - 12, 20, "s", shown, anchor="end")
    yield _text(12, 36, "s", _summary(run, verdict))
    yield f'<g transform="translate({LEFT_PX} {TOP_PX})">'
    yield from _times(run)
    yield f'</g><g transform="translate({LEFT_PX} {TOP_PX + PLOT_PX[1] + GAP_PX})">'
    yield from _levels(run)
    yield "</g>"


def _summary(run: Run, verdict: Verdict) -> str:
    scenario = run.scenario
    parts = [f"{scenario.frame_rate:g} fps, {scenario.budget_percent:g} %, {scenario.cost.full_ms:g} ms"]
    if verdict.react_s is not None:
        parts.append(f"reacts {verdict.react_s:.1f} s")
    if verdict.settle_s is not None:
        parts.append(f"settles {verdict.settle_s:.1f} s")
    reference = verdict.reference_changes
    parts.append(_count(verdict.changes) + (f" (others {reference})" if reference is not None else ""))
    return " · ".join(parts)


def _count(changes: int) -> str:
    return f"{changes or 'no'} change{'' if changes == 1 else 's'}"


def _times(run: Run) -> Iterator[str]:
    width, height = PLOT_PX
    for percent in (0, 100, 200):
        y = height - height * percent / MOST_PERCENT
        yield f'<path class="grid" d="M0 {y:g}h{width}"/>' + _text(
            -6, y + 4, "a", f"{percent} %", anchor="end"
        )
    yield _upright("time", height)
    for step_s in run.scenario.steps_s:
        if step_s:
            x = width * step_s / run.scenario.seconds
            yield f'<path class="step" d="M{x:.1f} 0V{height + GAP_PX + STRIP_PX}"/>'
    points = list(_binned(run))
    upper = [f"{x:.1f} {_y(high):.1f}" for x, _, _, high in points]
    lower = [f"{x:.1f} {_y(low):.1f}" for x, low, _, _ in reversed(points)]
    yield f'<path class="band" d="M{"L".join(upper + lower)}z"/>'
    yield f'<path class="line" d="M{"L".join(f"{x:.1f} {_y(middle):.1f}" for x, _, middle, _ in points)}"/>'
    yield f'<path class="limit" d="M0 {_y(1):g}h{width}"/>'
    yield f'<path class="axis" d="M0 0V{height}H{width}"/>'


def _binned(run: Run) -> Iterator[tuple[float, float, float, float]]:
    """(x, tenth, fifth, ninth tenth) of the load in each slice of time that has frames."""
    ends = [frame.at_s for frame in run.frames]
    slice_s = run.scenario.seconds / POINTS
    for number in range(POINTS):
        begin, end = bisect_left(ends, number * slice_s), bisect_left(ends, (number + 1) * slice_s)
        loads = sorted(frame.spent_ms / run.allowed_ms(frame.level) for frame in run.frames[begin:end])
        if loads:
            low, middle, high = (loads[int(share * (len(loads) - 1) + 0.5)] for share in (0.1, 0.5, 0.9))
            yield (number + 0.5) * PLOT_PX[0] / POINTS, low, middle, high


def _y(load: float) -> float:
    return PLOT_PX[1] * (1 - min(1.0, 100 * load / MOST_PERCENT))


def _levels(run: Run) -> Iterator[str]:
    width, seconds, bottom = PLOT_PX[0], run.scenario.seconds, len(run.levels) - 1
    path = "".join(
        f"H{width * change.since_s / seconds:.1f}V{STRIP_PX * (1 - change.level.number / bottom):.1f}"
        for change in run.changes
    )
    yield f'<path class="level" d="M0 {STRIP_PX}{path}H{width}V{STRIP_PX}z"/>'
    yield f'<path class="axis" d="M0 0V{STRIP_PX}H{width}"/>'
    yield _text(-6, STRIP_PX + 1, "a", "0", anchor="end") + _text(-6, 8, "a", f"{bottom}", anchor="end")
    yield _upright("level", STRIP_PX)
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        yield _text(share * width, STRIP_PX + 14, "a", f"{share * seconds:g} s", anchor=anchor)


def _upright(text: str, height: float) -> str:
    return (
        f'<text class="a" text-anchor="middle" transform="translate(-50 {height / 2:g}) rotate(-90)">'
        f"{text}</text>"
    )


def _text(x: float, y: float, kind: str, text: str, anchor: str = "start", extra: str = "") -> str:
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{placed}{extra}>{escape(text)}</text>'

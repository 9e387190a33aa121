"""Memory, descriptors and threads over frames, one panel each, as SVG."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from soak_run.samples import Sample

PANEL_PX, PLOT_PX = (880, 190), (760, 118)
LEFT_PX, TOP_PX, HEAD_PX, MARGIN_PX = 84, 44, 84, 16
POINTS = 380

STYLE = (
    ".bg{fill:#fff}.card{fill:#f8fafc;stroke:#cbd5e1}.t{fill:#0f172a;font-weight:600;font-size:14px}"
    ".s{fill:#475569;font-size:12px}.a{fill:#475569;font-size:11px}.grid{stroke:#e2e8f0}"
    ".core,.gateway{fill:none;stroke-width:1.8;stroke-linejoin:round}.core{stroke:#1d4ed8}.gateway{stroke:#b45309}"
    "@media(prefers-color-scheme:dark){.bg{fill:#0f172a}.card{fill:#1e293b;stroke:#475569}.t{fill:#f1f5f9}"
    ".s,.a{fill:#cbd5e1}.grid{stroke:#334155}.core{stroke:#93c5fd}.gateway{stroke:#fbbf24}}"
)


_ATTRIBUTES = (
    'role="img" font-family="system-ui, sans-serif" aria-label="Memory, descriptors and threads over frames"'
)


@dataclass(frozen=True)
class _Panel:
    title: str
    value: Callable[[Sample], float]


PANELS = (
    _Panel("resident memory, MB", lambda one: one.rss_mb),
    _Panel("open descriptors", lambda one: one.descriptors),
    _Panel("threads", lambda one: one.threads),
)


def draw(runs: Mapping[str, Sequence[Sample]], title: str) -> str:
    """The whole picture; the same samples give the same text.

    Args:
        runs: process, ``core`` or ``gateway``, to samples in order.
        title: what was run.
    """
    width = PANEL_PX[0] + 2 * MARGIN_PX
    height = HEAD_PX + len(PANELS) * (PANEL_PX[1] + MARGIN_PX)
    view = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    lines = [
        f"<svg {view} {_ATTRIBUTES}>",
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{width}" height="{height}" rx="14"/>',
        _text(MARGIN_PX + 4, 32, "t", title, ' style="font-size:18px"'),
        *_legend(runs),
    ]
    for number, panel in enumerate(PANELS):
        top = HEAD_PX + number * (PANEL_PX[1] + MARGIN_PX)
        lines += [f'<g transform="translate({MARGIN_PX} {top})">', *_panel(panel, runs), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _legend(runs: Mapping[str, Sequence[Sample]]) -> Iterator[str]:
    for number, name in enumerate(runs):
        x = MARGIN_PX + 4 + number * 130
        yield f'<path class="{name}" d="M{x} 56h26"/>' + _text(x + 32, 60, "s", name)


def _panel(panel: _Panel, runs: Mapping[str, Sequence[Sample]]) -> Iterator[str]:
    width, height = PLOT_PX
    frames = max(samples[-1].frames for samples in runs.values())
    top = _above(max(panel.value(one) for samples in runs.values() for one in samples))
    yield f'<rect class="card" width="{PANEL_PX[0]}" height="{PANEL_PX[1]}" rx="8"/>'
    yield _text(14, 26, "t", panel.title)
    yield f'<g transform="translate({LEFT_PX} {TOP_PX})">'
    for share in (0.0, 0.5, 1.0):
        y = height * (1 - share)
        yield f'<path class="grid" d="M0 {y:g}h{width}"/>' + _text(-8, y + 4, "a", f"{share * top:g}", _END)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        text = f"{share * frames / 1000:.0f}" + (" thousand frames" if share == 1 else "")
        yield _text(share * width, height + 18, "a", text, _END if share == 1 else _MIDDLE)
    for name, samples in runs.items():
        thinned = samples[:: max(1, len(samples) // POINTS)]
        points = [
            f"{width * one.frames / frames:.1f} {height * (1 - panel.value(one) / top):.1f}"
            for one in thinned
        ]
        yield f'<path class="{name}" d="M{"L".join(points)}"/>'
    yield "</g>"


_END, _MIDDLE = ' text-anchor="end"', ' text-anchor="middle"'


def _above(value: float) -> float:
    """A round number that is no less."""
    step = next(step for step in (10, 20, 40, 50, 100, 200, 400, 500, 1000, 10_000) if value <= step)
    return float(step)


def _text(x: float, y: float, kind: str, text: str, extra: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{extra}>{escape(text)}</text>'

"""Where the time of a frame goes, as a picture: one bar for each thing measured, cut into its stages."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH_PX, MARGIN_PX, LABEL_PX = 960, 20, 190
HEAD_PX, ROW_PX, BAR_PX = 84, 62, 28
_LEAST_LABEL_PX = 46

_COLOURS: Mapping[str, str] = {
    "input": "#0891b2",
    "segment": "#1d4ed8",
    "matte": "#7c3aed",
    "composite": "#be185d",
    "rest": "#94a3b8",
}

_STYLE = (
    ".bg{fill:#fff}.t{fill:#0f172a;font-weight:600}.s{fill:#475569;font-size:12px}.on{fill:#fff;font-size:11px}"
    ".floor{stroke:#16a34a;stroke-width:2;stroke-dasharray:5 3}.grid{stroke:#e2e8f0}"
    "@media(prefers-color-scheme:dark){.bg{fill:#0f172a}.t{fill:#f1f5f9}.s{fill:#cbd5e1}.grid{stroke:#334155}}"
)


_ATTRIBUTES = 'role="img" font-family="system-ui, sans-serif" aria-label="Time of a frame by stage"'


def draw(results: Sequence[Mapping[str, Any]]) -> str:
    """The picture as SVG; the same results give the same text.

    Args:
        results: of :func:`scrim.core.bench.command.measure`.
    """
    most_ms = max((_whole_ms(one) for one in results), default=1.0) or 1.0
    height = HEAD_PX + len(results) * ROW_PX + MARGIN_PX
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" {_ATTRIBUTES}>',
        f"<style>{_STYLE}</style>",
        f'<rect class="bg" width="{WIDTH_PX}" height="{height}" rx="12"/>',
        _text(MARGIN_PX, 32, "t", "Where the time of a frame goes", 'font-size="20"'),
        _text(MARGIN_PX, 54, "s", "Milliseconds of wall time in each stage; dashed: the floor of that row."),
    ]
    for number, one in enumerate(results):
        lines += _row(one, HEAD_PX + number * ROW_PX, (WIDTH_PX - LABEL_PX - 2 * MARGIN_PX) / most_ms)
    return "\n".join([*lines, "</svg>", ""])


def _row(one: Mapping[str, Any], top: float, px_per_ms: float) -> Iterator[str]:
    size, threads = f"{one['width']}x{one['height']}", one["threads"]
    yield _text(MARGIN_PX, top + 12, "t", f"{one['program']} {one['effect']}", 'font-size="13"')
    yield _text(MARGIN_PX, top + 27, "s", f"{size}, {threads} thread" + ("s" if threads > 1 else ""))
    left = float(MARGIN_PX + LABEL_PX)
    for name, spent_ms in _stages(one).items():
        wide = spent_ms * px_per_ms
        colour = _COLOURS.get(name, _COLOURS["rest"])
        title = f"<title>{escape(name)} {spent_ms:.2f} ms</title>"
        box = f'x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{BAR_PX}"'
        yield f'<rect {box} fill="{colour}">{title}</rect>'
        if wide >= _LEAST_LABEL_PX:
            yield _text(left + 4, top + 18, "on", f"{name} {spent_ms:.2f}")
        left += wide
    told = f"{_whole_ms(one):.2f} ms"
    if one.get("floor_wall_ms"):
        x = MARGIN_PX + LABEL_PX + one["floor_wall_ms"] * px_per_ms
        yield f'<path class="floor" d="M{x:.1f} {top - 4}v{BAR_PX + 8}"/>'
        told += f"; floor {one['floor_wall_ms']:.2f} ms"
    yield _text(MARGIN_PX + LABEL_PX, top + BAR_PX + 15, "s", told)


def _stages(one: Mapping[str, Any]) -> dict[str, float]:
    """Every stage, and what lies between them."""
    stages = {str(name): float(spent) for name, spent in one["stages"].items()}
    rest_ms = _whole_ms(one) - sum(stages.values())
    return stages | ({"rest": rest_ms} if rest_ms > 0 else {})


def _whole_ms(one: Mapping[str, Any]) -> float:
    return max(float(one["wall_ms_per_frame"]), float(sum(one["stages"].values())))


def _text(x: float, y: float, kind: str, words: str, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" {extra}>{escape(words)}</text>'

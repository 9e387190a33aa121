"""Six calm places to sit in front of: each looks as a camera sees what lies far behind a person."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from background_drawing.light import (
    HEIGHT,
    WIDTH,
    Canvas,
    bokeh,
    falling,
    filled,
    finished,
    glow,
    mixed,
    rgb,
    soft,
)

_SEED = 11


def studio() -> Canvas:
    """A seamless grey with a light behind the person."""
    canvas = falling(rgb("#4a4f57"), rgb("#22252a"))
    glow(canvas, (0.5, 0.42), 0.62, rgb("#9aa3ad"), 0.85)
    glow(canvas, (0.18, 0.1), 0.5, rgb("#ffd9b0"), 0.10)
    return finished(canvas)


def daylight() -> Canvas:
    """A bright room with a window, a shelf and a plant, out of focus."""
    canvas = falling(rgb("#f2ede4"), rgb("#d8cdbd"))
    filled(canvas, (0.04, 0.06, 0.36, 0.68), rgb("#cfe6f5"))
    filled(canvas, (0.04, 0.40, 0.36, 0.68), rgb("#a9c79a"))
    for left in (0.04, 0.19, 0.345):
        filled(canvas, (left, 0.06, left + 0.015, 0.68), rgb("#fbfaf6"))
    filled(canvas, (0.04, 0.355, 0.36, 0.375), rgb("#fbfaf6"))
    for row, top in enumerate((0.20, 0.42)):
        filled(canvas, (0.62, top + 0.14, 0.97, top + 0.165), rgb("#b98f66"))
        _books(canvas, top, row)
    filled(canvas, (0.0, 0.80, 1.0, 1.0), rgb("#b48a62"))
    _leaves(canvas)
    canvas = soft(canvas, 24)
    glow(canvas, (0.2, 0.3), 0.5, rgb("#ffffff"), 0.42)
    return finished(canvas)


def evening() -> Canvas:
    """A dark room, and the lights of a town behind its window."""
    canvas = falling(rgb("#0b1220"), rgb("#2a2030"))
    glow(canvas, (0.3, 0.62), 0.55, rgb("#6b4a52"), 0.5)
    rng = np.random.default_rng(_SEED)
    lamps = [rgb(color) for color in ("#ffcf8a", "#ffad6b", "#ffe6bd", "#9cc4ff", "#ff8f7a")]
    discs = [
        ((rng.uniform(0, 1), rng.normal(0.58, 0.11)), rng.uniform(0.014, 0.036), lamps[rng.integers(5)])
        for _ in range(70)
    ]
    bokeh(canvas, discs, 0.34)
    filled(canvas, (0.0, 0.84, 1.0, 1.0), rgb("#120f16"))
    canvas = soft(canvas, 3)
    glow(canvas, (0.93, 0.45), 0.42, rgb("#ffb469"), 0.55)
    return finished(canvas)


def dunes() -> Canvas:
    """Hills behind hills in the morning, each paler than the one before it."""
    canvas = falling(rgb("#f7dfc6"), rgb("#f0b797"))
    glow(canvas, (0.7, 0.26), 0.22, rgb("#fff6e2"), 0.9)
    near, far = rgb("#4f3a4a"), rgb("#e7a98c")
    across = np.linspace(0, 1, WIDTH)
    rng = np.random.default_rng(_SEED)
    for number in range(6):
        waves = sum(
            rng.uniform(0.3, 1) / wave * np.sin(2 * np.pi * wave * across + rng.uniform(0, 7))
            for wave in (1, 2, 3)
        )
        edge = (0.46 + 0.1 * number + 0.035 * waves) * HEIGHT
        points = np.stack([across * WIDTH, edge], axis=1)
        corners = np.array([[WIDTH, HEIGHT], [0, HEIGHT]], float)
        shape = np.concatenate([points, corners]).astype(np.int32)
        cv2.fillPoly(canvas, [shape], mixed(far, near, number / 5).tolist(), cv2.LINE_AA)
    return finished(soft(canvas, 1.2))


def forest() -> Canvas:
    """Leaves with the sun behind them."""
    canvas = falling(rgb("#3f6b3a"), rgb("#16301f"))
    rng = np.random.default_rng(_SEED)
    greens = [rgb(color) for color in ("#86b551", "#5f9444", "#b9cf74", "#3d7343", "#dfe3a0")]
    discs = []
    for _ in range(190):
        at = (rng.uniform(0, 1), rng.beta(1.4, 1.9))
        discs.append((at, rng.uniform(0.02, 0.06), greens[rng.integers(5)] * (1.05 - 0.7 * at[1])))
    bokeh(canvas, discs, 0.30)
    canvas = soft(canvas, 7)
    glow(canvas, (0.24, 0.08), 0.6, rgb("#fbf6c8"), 0.5)
    return finished(canvas)


def linen() -> Canvas:
    """A plain wall on which a window throws its light."""
    canvas = falling(rgb("#e9e2d6"), rgb("#d9cfc0"))
    light = np.zeros((HEIGHT, WIDTH), np.float32)
    for number in range(4):
        left = 0.50 + 0.125 * number
        pane = np.array([[left, 0.02], [left + 0.105, 0.02], [left - 0.16, 0.80], [left - 0.265, 0.80]])
        cv2.fillPoly(light, [(pane * (WIDTH, HEIGHT)).astype(np.int32)], 1.0, cv2.LINE_AA)
    light[int(0.38 * HEIGHT) : int(0.405 * HEIGHT)] = 0
    canvas += cv2.GaussianBlur(light, (0, 0), 14)[..., None] * (rgb("#fff7e6") - rgb("#dcd2c3")) * 0.85
    return finished(canvas)


def _books(canvas: Canvas, top: float, row: int) -> None:
    rng = np.random.default_rng(_SEED + row)
    colors = [rgb(color) for color in ("#7a8fa6", "#c7a17a", "#a35d4f", "#e4d8c4", "#5d7a6c", "#3f4b57")]
    left = 0.64
    while left < 0.93:
        width, height = rng.uniform(0.012, 0.03), rng.uniform(0.08, 0.13)
        filled(canvas, (left, top + 0.14 - height, left + width, top + 0.14), colors[rng.integers(6)])
        left += width + (0.05 if rng.random() < 0.2 else 0.003)


def _leaves(canvas: Canvas) -> None:
    rng = np.random.default_rng(_SEED)
    filled(canvas, (0.425, 0.66, 0.495, 0.82), rgb("#c56f4c"))
    for _ in range(34):
        x, y = rng.normal(0.46, 0.035), rng.normal(0.50, 0.08)
        size = (int(rng.uniform(14, 30)), int(rng.uniform(40, 70)))
        color = mixed(rgb("#3d6b45"), rgb("#8fb56a"), rng.random()).tolist()
        at = (int(x * WIDTH), int(y * HEIGHT))
        cv2.ellipse(canvas, at, size, rng.uniform(-60, 60), 0, 360, color, -1, cv2.LINE_AA)


SCENES: Mapping[str, Callable[[], Canvas]] = {
    "Studio": studio,
    "Daylight": daylight,
    "Linen": linen,
    "Forest": forest,
    "Dunes": dunes,
    "Evening": evening,
}
"""By title."""

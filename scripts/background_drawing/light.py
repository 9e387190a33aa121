"""What the scenes are painted with. A canvas is BGR, float32, 0 to 255; places and sizes are shares of it."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.float32]
Colour = NDArray[np.float32]
"""BGR, 0 to 255."""

WIDTH, HEIGHT = 1600, 900
_GRAIN = 0.9
"""Standard deviation of the noise that keeps slow gradients from showing steps."""


def rgb(text: str) -> Colour:
    """A colour as ``#rrggbb``."""
    return np.array([int(text[at : at + 2], 16) for at in (5, 3, 1)], np.float32)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Between two colours; 0 is the first."""
    return (one + (other - one) * share).astype(np.float32)


def falling(top: Colour, bottom: Colour) -> Canvas:
    """A canvas that goes from one colour to another."""
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(top + (bottom - top) * down, (HEIGHT, WIDTH, 3)))


def glow(canvas: Canvas, at: tuple[float, float], radius: float, color: Colour, strength: float) -> None:
    """Light that falls off in all directions."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    distance = np.hypot(x - at[0] * WIDTH, y - at[1] * HEIGHT) / (radius * WIDTH)
    share = strength * np.exp(-2.2 * distance**2)[..., None]
    canvas += (color - canvas) * share


def filled(canvas: Canvas, box: tuple[float, float, float, float], color: Colour) -> None:
    """A rectangle: left, top, right, bottom."""
    left, top, right, bottom = box
    canvas[int(top * HEIGHT) : int(bottom * HEIGHT), int(left * WIDTH) : int(right * WIDTH)] = color


def soft(canvas: Canvas, sigma_px: float) -> Canvas:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE), np.float32)


def bokeh(
    canvas: Canvas, discs: Iterable[tuple[tuple[float, float], float, Colour]], strength: float
) -> None:
    """Points of light as a lens shows them that is focused elsewhere: discs with a brighter rim."""
    for (x, y), radius, color in discs:
        cover = np.zeros((HEIGHT, WIDTH), np.float32)
        at, size = (int(x * WIDTH), int(y * HEIGHT)), int(radius * WIDTH)
        cv2.circle(cover, at, size, 0.75, -1, cv2.LINE_AA)
        cv2.circle(cover, at, size, 1.0, 2, cv2.LINE_AA)
        canvas += (color - canvas) * (cover * strength)[..., None]


def finished(canvas: Canvas) -> Canvas:
    """With the grain of a photograph, and a little darker towards the corners."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    dark = 1 - 0.16 * np.clip((x**2 + y**2) / 2, 0, 1)[..., None] ** 1.5
    grain = np.random.default_rng(1).normal(0, _GRAIN, (HEIGHT, WIDTH, 1))
    return np.clip(canvas * dark + grain, 0, 255).astype(np.float32)

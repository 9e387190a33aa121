"""Blur strengths: their names, their numbers, and the Gaussian that they mean."""

from collections.abc import Mapping
from math import floor

STRENGTHS: Mapping[str, float] = {"low": 7.0, "medium": 15.0, "high": 30.0}
"""Named blur strengths, as the Amazon Chime SDK's background filters 2.0 number them."""


def strength_number(strength: float | str) -> float:
    """The number behind a strength, in (0, 100]."""
    return STRENGTHS[strength] if isinstance(strength, str) else strength


def strength_name(strength: float | str) -> str:
    """The name nearest to a strength."""
    number = strength_number(strength)
    return min(STRENGTHS, key=lambda name: abs(STRENGTHS[name] - number))


def blur_sigma_px(strength: float, height: int) -> int:
    """Standard deviation, in pixels, of the Gaussian that a strength means at a frame height.

    The figure of the Amazon Chime SDK's background blur 1.0: floor(strength * height / 540 + 0.5).
    """
    return floor(strength * height / 540 + 0.5)

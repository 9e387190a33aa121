"""Smooth motion to a goal, the same at every frame rate."""

from math import exp

from scrim.core.framing.view import FULL, View, centred

_PACE_LAG_S = 0.12
_LONGEST_STEP_S = 0.1
_NEAR = 2e-4
"""Fraction of the picture: a quarter of a pixel at 1280. Nearer than this is there."""

Point = tuple[float, float, float]
"""Middle of a view and its share: x, y, share, in fractions of the picture."""


class Glide:
    """Three equal lags one behind the other: critically damped, and the acceleration has no jumps.

    Every point of the way is a weighted mean of goals given earlier. The views inside a picture form a convex
    set, so the way never leaves the picture and never overshoots. A step of d is accelerated with at most
    0.24 * pace**2 * d, and 98 % done after 7.5 / pace seconds.
    """

    def __init__(self) -> None:
        self._lags: list[Point] = [_point(FULL)] * 3
        self._pace_hz = 0.0

    @property
    def view(self) -> View:
        """Where it is."""
        x, y, share = self._lags[2]
        return FULL if share > 1 - _NEAR else centred(x, y, share)

    def jump(self, goal: View) -> None:
        """Be there now, at rest."""
        self._lags = [_point(goal)] * 3

    def step(self, goal: View, pace_hz: float, since_s: float) -> View:
        """Move on.

        Args:
            goal: where to; it counts for the whole step.
            pace_hz: of each lag, 1 / s; itself eased, so that a change of pace is no jolt.
            since_s: seconds since the last step; a gap counts as 0.1 s, so that nothing jumps after it.

        Returns:
            Where it is now.
        """
        since_s = min(max(since_s, 0.0), _LONGEST_STEP_S)
        self._pace_hz += (pace_hz - self._pace_hz) * (1 - exp(-since_s / _PACE_LAG_S))
        turned = self._pace_hz * since_s
        target = _point(goal)
        axes = [_ease(target[n], [lag[n] for lag in self._lags], turned) for n in range(3)]
        self._lags = [(axes[0][n], axes[1][n], axes[2][n]) for n in range(3)]
        if all(abs(lag[n] - target[n]) < _NEAR for lag in self._lags for n in range(3)):
            self.jump(goal)
        return self.view


def _ease(goal: float, lags: list[float], turned: float) -> list[float]:
    """The exact solution of three equal lags over one step with a constant goal."""
    left = exp(-turned)
    first, second, third = (lag - goal for lag in lags)
    return [
        goal + left * first,
        goal + left * (second + turned * first),
        goal + left * (third + turned * second + turned * turned / 2 * first),
    ]


def _point(view: View) -> Point:
    return view.left + view.share / 2, view.top + view.share / 2, view.share

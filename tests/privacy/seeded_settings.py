"""Seeded leaks in what is shown when: control, outlet and placeholder, each with one mistake."""

from collections.abc import Mapping
from typing import Any

from scrim.config import Settings
from scrim.core.capture_loop import CaptureLoop
from scrim.core.composite.door import seal
from scrim.core.composite.placeholder import PlaceholderPainter, Reason
from scrim.core.control import Control
from scrim.core.outlet import Outlet
from scrim.core.pipeline import Look
from scrim.errors import ConfigError
from scrim.frame import SafeFrame


class ImageFailureShowsRaw(Control):
    """Shows the room when a background image cannot be used."""

    def change(self, patch: Mapping[str, Any]) -> Settings:
        try:
            return super().change(patch)
        except ConfigError:
            if "image" in patch:
                look = Look(self.revision, background=None, is_raw=True)
                self._pipeline.swap(look)
            raise


class RawByPatch(Control):
    """Takes a patch from the network for the local file."""

    def change(self, patch: Mapping[str, Any]) -> Settings:
        wanted = self.settings.patched(patch)
        if wanted != self.settings:
            self._swap(wanted)
            self._settle()
        return wanted


class HalfRefused(Control):
    """Switches the picture, and only then finds the image wanting."""

    def _swap(self, wanted: Settings, **how: bool) -> None:
        blank = Settings().patched({"effect": "color", "color": "#123456"})
        self._pipeline.swap(self._prepare(blank, self.revision))
        super()._swap(wanted, **how)


class RepeatsAcrossChange(Outlet):
    """Repeats the last picture after the effect has changed."""

    def require(self, revision: int) -> None:
        last = self._last
        super().require(revision)
        self._last = last


class TakesOldRevision(Outlet):
    """Takes pictures that were begun under earlier settings."""

    def put(self, frame: SafeFrame, reason: Reason | None = None) -> None:
        required, self._revision = self._revision, 0
        super().put(frame, reason)
        self._revision = required


class RepeatsTooLong(Outlet):
    """Repeats the last picture until the camera is back."""

    def take(self) -> SafeFrame | None:
        last = self._last
        taken = super().take()
        is_placeholder = taken is None or taken.origin == "placeholder"
        if is_placeholder and last is not None and last.origin != "placeholder":
            self._last = last
            return last
        return taken


class KeepsAfterDrop(Outlet):
    """Holds on to the last picture when it is told to forget; shows it before anything else at start."""

    def take(self) -> SafeFrame | None:
        taken = super().take()
        return None if taken is not None and taken.origin == "placeholder" else taken


class IgnoresTheSwitch(Outlet):
    """Lets out what was on its way when the camera was switched off."""

    def set_private(self, is_private: bool) -> None:
        self.drop()


class RepeatsAcrossTheSwitch(Outlet):
    """Forgets nothing when the camera is switched off."""

    def drop(self) -> None:
        if not self._is_private:
            super().drop()


class TakesWhatIsLate(Outlet):
    """Takes a picture of before the switch that is finished after it."""

    def set_private(self, is_private: bool) -> None:
        super().set_private(is_private)
        self._opened_ns = -1


class NeverCloses(CaptureLoop):
    """Keeps the camera open."""

    def close(self) -> None:
        """Do not."""


class SwitchForgotten(Control):
    """Says that the camera is off, and leaves it on."""

    def _heed_switch(self) -> None:
        self._switch.set_private(False)


class OriginLies(PlaceholderPainter):
    """Says of a placeholder that it is a picture."""

    def paint(self, reason: Reason, revision: int) -> SafeFrame:
        safe = super().paint(reason, revision)
        return seal(safe.i420.copy(), safe.pts_ns, 0, "raw", revision)

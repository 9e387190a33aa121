"""A core that filters nothing: it says that all is well, somebody comes and goes, and takes what is set."""

import random
import time
from typing import Any

from scrim import __version__
from scrim.config import Settings
from scrim.errors import ConfigError, LocalError
from scrim.gateway.core_link import CoreListener
from scrim.local.status import Status

FRAME_RATE_HZ = 29.9


class SimulatedCore:
    """Has the calls of :class:`scrim.gateway.core_link.CoreLink` that the MQTT part makes.

    Args:
        settings: as the local file has them.
        presence_s: somebody comes or goes about this often.
        chance: of this device.
    """

    def __init__(self, settings: Settings, presence_s: float, chance: random.Random) -> None:
        self.status: Status | None = None
        self.gone_because: str | None = None
        self._settings = settings
        self._revision = 1
        self._presence_s = presence_s
        self._chance = chance
        self._is_somebody_there = True
        self._listeners: list[CoreListener] = []
        self._began_s = time.monotonic()

    def add(self, listener: CoreListener) -> None:
        """Tell ``listener`` of everything from now on."""
        self._listeners.append(listener)

    def step(self, passed_s: float) -> None:
        """Say how it is, after so many seconds."""
        if self._chance.random() < passed_s / self._presence_s:
            self._is_somebody_there = not self._is_somebody_there
        self.status = self._status()
        for listener in self._listeners:
            listener.core_changed(self.status)

    async def set(self, patch: dict[str, Any], **_terms: Any) -> dict[str, Any]:  # noqa: ANN401
        """Change settings, as the core does."""
        try:
            self._settings = self._settings.patched(patch, live=True)
        except ConfigError as error:
            error.in_effect = self._in_effect()
            raise
        self._revision += 1
        return self._in_effect()

    async def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer what the MQTT part asks."""
        del params
        match method:
            case "settings":
                return self._in_effect()
            case "metrics":
                return self._metrics()
            case "restart":
                return {}
        raise LocalError(f"method = {method!r}: a simulated core has none")

    def _in_effect(self) -> dict[str, Any]:
        return {"revision": self._revision, "settings": self._settings.model_dump(mode="json")}

    def _frames(self) -> int:
        return int((time.monotonic() - self._began_s) * FRAME_RATE_HZ)

    def _status(self) -> Status:
        frames = self._frames()
        blur = self._settings.background_blur
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._began_s, 1),
            "state": "running",
            "placeholder_reason": None,
            "revision": self._revision,
            "camera": {
                "source": "v4l2:/dev/video0",
                "state": "live",
                "caps": "1280x720@30",
                "error": None,
                "closed_by": [],
            },
            "frames": {
                "rate_in_hz": 30.0,
                "rate_out_hz": FRAME_RATE_HZ,
                "captured": frames,
                "delivered": frames,
                "dropped": frames // 5000,
            },
            "latency_ms": {"p50": 41.2, "p95": 52.9},
            "stages_ms": {"capture": 1.2, "segment": 16.8, "matte": 5.9, "composite": 6.4},
            "model": {"name": "person-256x144", "form": "int8", "runtime": "LiteRT", "input": "256x144"},
            "effect": {
                "effect": self._settings.effect,
                "strength": 15.0,
                "strength_name": blur.strength if isinstance(blur.strength, str) else "medium",
                "color": None,
                "image": None,
                "image_error": None,
                "fit": "cover",
            },
            "quality": {"level": 0, "reason": None, "is_overlapping": False},
            "is_somebody_there": self._is_somebody_there,
            "coverage": 0.31,
            "sinks": [],
            "rss_mb": 109.0,
        }

    def _metrics(self) -> dict[str, Any]:
        frames = self._frames()
        return {
            "frames_submitted": frames,
            "frames_segmented": frames,
            "frames_per_segmentation": 1.0,
            "consumers": 1,
            "delegate": "cpu",
            "temperature_c": round(52 + 4 * self._chance.random(), 1),
            "is_throttled": False,
            "is_under_voltage": False,
            "cpu_frequency_mhz": 2400.0,
            "resident_memory_bytes": 109_000_000,
            "estimated_cpu_usage_percent": round(88 + 6 * self._chance.random(), 1),
        }

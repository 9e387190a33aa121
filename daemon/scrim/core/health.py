"""How the machine and this process are: read from sysfs and /proc, a few small files at a time.

What a file of the kernel's cannot tell is None: other boards have other files, and a sandbox may hide some.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scrim.rss_guard import resident_bytes

SYSFS = Path("/sys")
PROC_SELF = Path("/proc/self")

_MOST_FILES = 16
_MOST_BYTES = 4096
_PLAUSIBLE_C = (-40.0, 150.0)
"""What a sensor says outside of this is no temperature: switched-off zones say 0 K and the like."""
_PROCESSOR_ZONES = ("cpu", "soc", "x86_pkg_temp", "coretemp")
_PROCESSOR_COOLERS = ("cpufreq", "processor")


@dataclass(frozen=True, slots=True)
class Health:
    """The machine at one moment; None is not known here.

    Attributes:
        temperature_c: of the processor's warmest sensor, or of the warmest of all where none is named so.
        is_throttled: the kernel holds the processor's clock down.
        is_under_voltage: a Raspberry Pi's power supply is too weak.
        cpu_frequency_mhz: of the fastest core.
    """

    temperature_c: float | None = None
    is_throttled: bool | None = None
    is_under_voltage: bool | None = None
    cpu_frequency_mhz: float | None = None


class HealthReader:
    """Reads the machine's health. Which files there are is found out once; at most 16 of a kind are read.

    The kernel's interfaces: Documentation/driver-api/thermal/sysfs-api.rst (temp in 1/1000 °C, cur_state 0
    for no cooling), hwmon/raspberrypi-hwmon.rst (in0_lcrit_alarm) and admin-guide/pm/cpufreq.rst (in kHz).

    Args:
        sysfs: where it is mounted.
    """

    def __init__(self, sysfs: Path = SYSFS) -> None:
        zones = {zone / "temp": _text(zone / "type") for zone in _found(sysfs, "class/thermal/thermal_zone*")}
        named = [file for file, kind in zones.items() if _names_any(kind, _PROCESSOR_ZONES)]
        self._temperatures = named or list(zones)
        self._coolers = [
            cooler / "cur_state"
            for cooler in _found(sysfs, "class/thermal/cooling_device*")
            if _names_any(_text(cooler / "type"), _PROCESSOR_COOLERS)
        ]
        self._alarms = [
            monitor / "in0_lcrit_alarm"
            for monitor in _found(sysfs, "class/hwmon/hwmon*")
            if _text(monitor / "name") == "rpi_volt"
        ]
        self._policies = _found(sysfs, "devices/system/cpu/cpufreq/policy*")
        self._highest_khz: dict[Path, int] = {}

    def read(self) -> Health:
        """The health now."""
        alarms = _numbers(self._alarms)
        frequencies = _numbers(policy / "scaling_cur_freq" for policy in self._policies)
        return Health(
            self._temperature_c(),
            self._is_throttled(),
            any(alarms) if alarms else None,
            max(frequencies) / 1000 if frequencies else None,
        )

    def _temperature_c(self) -> float | None:
        degrees = [milli / 1000 for milli in _numbers(self._temperatures)]
        lowest, highest = _PLAUSIBLE_C
        return max((value for value in degrees if lowest <= value <= highest), default=None)

    def _is_throttled(self) -> bool | None:
        # A limit that was there from the beginning is the owner's wish; one that comes later is the heat's.
        cooling = [state > 0 for state in _numbers(self._coolers)]
        limited = [self._is_limited(policy) for policy in self._policies]
        known = [*cooling, *(is_limited for is_limited in limited if is_limited is not None)]
        return any(known) if known else None

    def _is_limited(self, policy: Path) -> bool | None:
        limit_khz = _number(policy / "scaling_max_freq")
        if limit_khz is None:
            return None
        highest_khz = self._highest_khz[policy] = max(limit_khz, self._highest_khz.get(policy, 0))
        return limit_khz < highest_khz


class ProcessReader:
    """Reads what this process uses; one thread reads.

    Args:
        clock_s: monotonic clock.
        proc: the process's folder.
    """

    def __init__(self, clock_s: Callable[[], float], proc: Path = PROC_SELF) -> None:
        self._clock_s = clock_s
        self._proc = proc
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self._before = (clock_s(), self._cpu_s())
        self._percent: float | None = None

    def rss_bytes(self) -> int | None:
        """Resident memory; None where it cannot be read."""
        return resident_bytes(self._proc / "statm")

    def cpu_percent(self) -> float | None:
        """CPU time of all threads since the last call or the making, in percent of one core's time."""
        (before_s, before_cpu_s), (now_s, cpu_s) = self._before, (self._clock_s(), self._cpu_s())
        if cpu_s is None or before_cpu_s is None:
            return None
        if now_s > before_s:
            self._percent = 100 * (cpu_s - before_cpu_s) / (now_s - before_s)
            self._before = (now_s, cpu_s)
        return self._percent

    def _cpu_s(self) -> float | None:
        # proc(5), stat: the name, second, may hold blanks and brackets; utime and stime are 14th and 15th.
        ticks = _text(self._proc / "stat").rpartition(")")[2].split()[11:13]
        if len(ticks) != 2 or not all(map(str.isdecimal, ticks)):
            return None
        return sum(map(int, ticks)) * self._tick_s


def _found(root: Path, pattern: str) -> list[Path]:
    return sorted(root.glob(pattern))[:_MOST_FILES]


def _names_any(kind: str, names: Iterable[str]) -> bool:
    return any(name in kind.lower() for name in names)


def _text(file: Path) -> str:
    """What a small file says, without the blanks around it; empty when it cannot be read."""
    try:
        with file.open("rb", buffering=0) as stream:
            return (stream.read(_MOST_BYTES) or b"").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    text = _text(file)[:32]
    try:
        return int(text)
    except ValueError:
        return None


def _numbers(files: Iterable[Path]) -> list[int]:
    return [number for number in map(_number, files) if number is not None]

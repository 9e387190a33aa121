"""The guest's half: what its pytest reports is written down where the host reads it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import REPORTS


class Reporter:
    """A plugin of the guest's pytest.

    Args:
        config: of the guest's pytest.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._path = Path(os.environ["VM_OUT"]) / REPORTS

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Mark the kernel's log."""
        Path("/dev/kmsg").write_text(f"test: {item.nodeid}\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Add what the kernel said to a failure."""
        report = yield
        if report.failed:
            report.sections.append(("kernel", _kernel_log()))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write one down, and sync it: the host sees nothing else."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a") as file:
            file.write(json.dumps(data) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _kernel_log() -> str:
    said = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    return said[max(0, said.rfind("test: ")) :][-8000:]

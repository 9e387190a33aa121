"""Runs this folder's tests in a guest with real drivers, and reports them as if they had run here.

On the host a test of this folder is not run: the guest runs it, all of them in one boot. What the guest's
pytest reports is handed to the host's, so that selection, output and exit status are as ever. See README.md.
"""

import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .host import Guest, GuestError, why_not
from .inside import Reporter
from .wheels import provide

FOLDER = Path(__file__).parent
IS_INSIDE = "SCRIM_VM_INSIDE" in os.environ
IS_LONG = os.environ.get("SCRIM_VM") == "long"
"""``SCRIM_LONG=1`` sets it too."""
PATIENCE_S = 900
"""A test that takes longer ends the guest; ``@pytest.mark.patience(seconds)`` gives it more."""

FIGURE = "figure"
_GUEST = pytest.StashKey[Guest]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "patience(seconds): how long the guest may take for this test, if more than usual"
    )
    config.addinivalue_line("markers", "long_only: left out of the short suite")
    config.addinivalue_line("markers", "cycles(short, long): how often the fixture cycles says to repeat")
    config.addinivalue_line("markers", "appliance: needs the packages that scripts/install takes")
    config.addinivalue_line("markers", "debian_package: needs the Debian package too")
    if IS_INSIDE:
        config.pluginmanager.register(Reporter(config))


@pytest.fixture
def cycles(request: pytest.FixtureRequest) -> int:
    """How often to repeat: the first number of the test's mark, in the long suite the second."""
    return int(request.node.get_closest_marker("cycles").kwargs["long" if IS_LONG else "short"])


@pytest.fixture
def within() -> Callable[[float], float]:
    """How long something may take of which a goal is known.

    The long suite, on a machine that has nothing else to do, holds the goals themselves. The short one runs
    beside whatever runs, on a machine that may stop for seconds: it shows that things happen at all, and
    allows ten times as long and half a minute.
    """
    return lambda goal_s: goal_s if IS_LONG else 10 * goal_s + 30


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, list[float]], None]:
    """Puts what something took, in seconds, into the list of figures at the end."""

    def note(what: str, times_s: list[float]) -> None:
        middle, longest = statistics.median(times_s), max(times_s)
        figures = f"{len(times_s)} times, median {middle:.2f} s, longest {longest:.2f} s"
        record_property(FIGURE, f"{what}: {figures}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    figures = [text for report in reports for name, text in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("measured in the guest")
        terminalreporter.write_line("\n".join(dict.fromkeys(map(str, figures))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [] if IS_INSIDE else [item for item in items if _is_ours(item)]
    reason = why_not() if ours else None
    for item in ours:
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
        elif not IS_LONG and item.get_closest_marker("long_only"):
            item.add_marker(pytest.mark.skip(reason="in the long suite only: scripts/vm-test long"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if IS_INSIDE or not _is_ours(item) or item.get_closest_marker("skip"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    _stop_guest(session)


def _is_ours(item: pytest.Item) -> bool:
    return FOLDER in item.path.parents


def _reports(item: pytest.Item) -> list[pytest.TestReport]:
    mark = item.get_closest_marker("patience")
    try:
        told = _guest(item).reports_of(item.nodeid, max(PATIENCE_S, mark.args[0] if mark else 0))
    except GuestError as error:
        _stop_guest(item.session)
        return [pytest.TestReport(item.nodeid, item.location, {}, "failed", str(error), "call")]
    return [_restored(item.config, report) for report in told]


def _restored(config: pytest.Config, told: dict[str, Any]) -> pytest.TestReport:
    report: pytest.TestReport = config.hook.pytest_report_from_serializable(config=config, data=told)
    if isinstance(report.longrepr, list):  # why it was skipped; JSON has no tuples
        report.longrepr = tuple(report.longrepr)
    return report


def _guest(item: pytest.Item) -> Guest:
    """The guest that runs; where none does, a new one for this test and all that are left."""
    session = item.session
    if _GUEST not in session.stash:
        left = [one for one in session.items[session.items.index(item) :] if _is_ours(one)]
        left = [one for one in left if not one.get_closest_marker("skip")]
        node_ids = [one.nodeid for one in left]
        folder = item.config._tmp_path_factory.mktemp("vm")
        with_package = any(one.get_closest_marker("debian_package") for one in left)
        if with_package or any(one.get_closest_marker("appliance") for one in left):
            provide(folder, with_package=with_package)
        options = ["-x"] if item.config.getoption("maxfail") == 1 else []
        session.stash[_GUEST] = Guest(node_ids, folder, options)
    return session.stash[_GUEST]


def _stop_guest(session: pytest.Session) -> None:
    if _GUEST in session.stash:
        session.stash[_GUEST].stop()
        del session.stash[_GUEST]

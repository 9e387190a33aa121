"""Answers requests at the local socket: how everything is, and what shall change."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from scrim.core.changes import InEffect, Terms, answer_of
from scrim.core.control import Control
from scrim.core.report import Report
from scrim.errors import LocalError

_METHODS = (
    "status, metrics, counters, settings, set, reset, restart, events, feed, provide_images, image "
    "or image_failed"
)


class Answers:
    """Answers requests at the local socket.

    Methods: ``set`` (``patch``: a settings patch); without params ``status``, ``metrics``, ``counters``,
    ``settings``, ``reset`` and ``restart``.

    Args:
        control: changes settings.
        report: says how everything is.
        forget: drops what is remembered of changes at run time.
        restart: ends the core, to be started again; must not wait.
    """

    def __init__(
        self,
        control: Control,
        report: Report,
        forget: Callable[[], object] = lambda: None,
        restart: Callable[[], None] = lambda: None,
    ) -> None:
        self._control = control
        self._report = report
        self._forget = forget
        self._restart = restart

    def handle(self, method: str, params: dict[str, Any]) -> "dict[str, Any] | Future[dict[str, Any]]":
        """Answer one request; see :class:`scrim.local.server.Handler`."""
        match method:
            case "status":
                return dict(self._report.status())
            case "metrics":
                return dict(self._report.metrics())
            case "counters":
                return dict(self._report.counters())
            case "settings":
                return answer_of(self._control.in_effect)
            case "set":
                return self._set(params)
            case "reset":
                return self._reset(params)
            case "restart":
                return self._begin_restart(params)
        raise LocalError(f"method = {method!r}: unknown; allowed is {_METHODS}")

    def _set(self, params: dict[str, Any]) -> "Future[dict[str, Any]]":
        patch, if_revision = params.get("patch"), params.get("if_revision")
        remember = params.get("remember", True)
        is_revision = if_revision is None or (isinstance(if_revision, int) and if_revision is not True)
        known = params.keys() <= {"patch", "if_revision", "remember"}
        if not isinstance(patch, dict) or not isinstance(remember, bool) or not is_revision or not known:
            raise LocalError('params: allowed is {"patch": {...}}, and "if_revision": 7, "remember": false')
        return _then(self._control.submit(patch, Terms(if_revision, remember)), answer_of)

    def _begin_restart(self, params: dict[str, Any]) -> dict[str, Any]:
        if params:
            raise LocalError("params: restart has none")
        self._restart()
        return {}

    def _reset(self, params: dict[str, Any]) -> "Future[dict[str, Any]]":
        if params:
            raise LocalError("params: reset has none")

        def forget(in_effect: InEffect) -> dict[str, Any]:
            self._forget()
            return answer_of(in_effect)

        return _then(self._control.reset(), forget)


def _then(given: "Future[InEffect]", make: Callable[[InEffect], dict[str, Any]]) -> "Future[dict[str, Any]]":
    """What ``make`` makes of the result once it is there; its error where there is one."""
    answer: Future[dict[str, Any]] = Future()

    def finish(done: "Future[InEffect]") -> None:
        try:
            answer.set_result(make(done.result()))
        except Exception as error:  # noqa: BLE001  it is raised where the answer is taken
            answer.set_exception(error)

    given.add_done_callback(finish)
    return answer

"""Answers requests at the local socket: how everything is, and what shall change."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from scrim.core.control import Control, InEffect, answer_of
from scrim.core.report import Report
from scrim.errors import LocalError


class Answers:
    """Answers requests at the local socket.

    Methods: ``status`` and ``metrics`` (no params), ``set`` (``patch``: a settings patch) and ``reset`` (no
    params).

    Args:
        control: changes settings.
        report: says how everything is.
        forget: drops what is remembered of changes at run time.
    """

    def __init__(self, control: Control, report: Report, forget: Callable[[], object] = lambda: None) -> None:
        self._control = control
        self._report = report
        self._forget = forget

    def handle(self, method: str, params: dict[str, Any]) -> "dict[str, Any] | Future[dict[str, Any]]":
        """Answer one request; see :class:`scrim.local.server.Handler`."""
        match method:
            case "status":
                return dict(self._report.status())
            case "metrics":
                return dict(self._report.metrics())
            case "set":
                return self._set(params)
            case "reset":
                return self._reset(params)
        allowed = "status, metrics, set, reset, events, feed, provide_images, image or image_failed"
        raise LocalError(f"method = {method!r}: unknown; allowed is {allowed}")

    def _set(self, params: dict[str, Any]) -> "Future[dict[str, Any]]":
        patch = params.get("patch")
        if not isinstance(patch, dict) or len(params) != 1:
            raise LocalError('params: allowed is exactly {"patch": {...}}')
        return _then(self._control.submit(patch), answer_of)

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

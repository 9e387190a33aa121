"""The lines on the local socket: strict JSON, one object a line.

=========  =======================================================================================
request    ``{"id": "1", "method": "status", "params": {}}``
answer     ``{"id": "1", "ok": true, "result": {}}``
refusal    ``{"id": "1", "ok": false, "errors": [{"key": "", "value": "", "message": "", "allowed": ""}]}``
event      ``{"event": "camera_lost", ...}``
=========  =======================================================================================

The refusal of a change of settings has a ``result`` too: what stays in effect.
The answer to ``feed``, each event ``feed`` and the request ``image`` carry one file descriptor.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from scrim.errors import ConfigError, LocalError, Problem, ScrimError

MAX_MESSAGE_BYTES = 256 * 1024
"""No line is longer, the newline not counted."""

MAX_DEPTH = 8
"""No object or array lies deeper in another."""

CHANGE_S = 20.0
"""How long a change of settings may take: its image may be slow to come."""

MODEL_CHANGE_S = 150.0
"""How long it may take where it names a model, which may have to be fetched."""


def change_s(patch: Mapping[str, Any]) -> float:
    """How long the answer to this patch may take."""
    return MODEL_CHANGE_S if "model" in patch else CHANGE_S


_METHOD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_REQUEST_KEYS = frozenset({"id", "method", "params"})
_PROBLEM_KEYS = ("key", "value", "message", "allowed")


class MessageTooLongError(LocalError):
    """The other end sent a line above the limit; where the next one starts cannot be known."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks.

    Attributes:
        id: chosen by the client, at most 64 characters; comes back with the answer.
        method: lower-case word.
        params: JSON values by name.
    """

    id: str
    method: str
    params: dict[str, Any]


def _reject_constant(name: str) -> NoReturn:
    raise LocalError(f"{name} is not JSON: use a finite number or null")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise LocalError(f"number {text[:32]} is too large: use one a double can hold")
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise LocalError(f"key {twice[:64]!r} is given twice: give it once")
    return found


def _check_depth(value: object, most: int) -> None:
    layer: Sequence[object] = [value]
    for _ in range(most):
        layer = [inner for outer in layer for inner in _children(outer) if isinstance(inner, dict | list)]
        if not layer:
            return
    raise LocalError(f"nested too deep: at most {most} levels")


def _children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def parse_object(
    line: bytes | bytearray, max_bytes: int = MAX_MESSAGE_BYTES, max_depth: int = MAX_DEPTH
) -> dict[str, Any]:
    """Read one JSON object, strictly.

    Args:
        line: UTF-8, without its newline.
        max_bytes: refused unread above this.
        max_depth: no object or array lies deeper in another.

    Raises:
        LocalError: too long, not UTF-8, not JSON, not an object, a key twice, NaN or infinity, nested too
            deep.
    """
    if len(line) > max_bytes:
        raise MessageTooLongError(f"message is {len(line)} bytes: at most {max_bytes}")
    try:
        value = json.loads(
            bytes(line).decode(),
            object_pairs_hook=_unique,
            parse_constant=_reject_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise LocalError("message is not UTF-8") from None
    except RecursionError:
        raise LocalError(f"nested too deep: at most {max_depth} levels") from None
    except ValueError as error:
        raise LocalError(f"message is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise LocalError("message is not a JSON object: write {...}")
    _check_depth(value, max_depth)
    return value


def dump(message: Mapping[str, Any]) -> bytes:
    """One line, newline included.

    Raises:
        LocalError: not JSON (NaN, a foreign type, a loop), or above ``MAX_MESSAGE_BYTES``.
    """
    try:
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalError(f"message cannot be written as JSON: {error}") from None
    if len(line) > MAX_MESSAGE_BYTES:
        raise LocalError(f"message is {len(line)} bytes: at most {MAX_MESSAGE_BYTES}")
    return line + b"\n"


def parse_request(message: dict[str, Any]) -> Request:
    """Check the shape of a request.

    Raises:
        LocalError: a key too many or missing, or a value of another type.
    """
    unknown = sorted(message.keys() - _REQUEST_KEYS)
    if unknown:
        raise LocalError(f"unknown key {unknown[0][:64]!r}: a request has id, method and params")
    request_id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if not isinstance(request_id, str) or not 0 < len(request_id) <= 64:
        raise LocalError("id must be a string of 1 to 64 characters")
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise LocalError("method must be a lower-case word of at most 32 characters")
    if not isinstance(params, dict):
        raise LocalError("params must be an object")
    return Request(request_id, method, params)


def failure(request_id: str | None, error: ScrimError) -> dict[str, Any]:
    """The answer to a request that was refused; ``request_id`` is None when it could not be read."""
    answer: dict[str, Any] = {"id": request_id, "ok": False, "errors": errors_of(error)}
    if error.in_effect is not None:
        answer["result"] = dict(error.in_effect)
    return answer


def errors_of(error: ScrimError) -> list[dict[str, str]]:
    """``error`` as the list an answer carries: one entry a problem, or one entry without a key."""
    if isinstance(error, ConfigError):
        return [{name: getattr(problem, name) for name in _PROBLEM_KEYS} for problem in error.problems]
    return [{"key": "", "value": "", "message": str(error), "allowed": ""}]


def result_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer brought.

    Raises:
        ConfigError: the request was refused for its settings; lists every problem.
        LocalError: it was refused for another reason, or the answer has no answer's shape.
    """
    result, errors = answer.get("result"), answer.get("errors")
    if answer.get("ok") is True and isinstance(result, dict):
        return result
    if answer.get("ok") is not False or not isinstance(errors, list) or not errors:
        raise LocalError("the other end answered something that is no answer: are both of the same version?")
    problems = [_problem(entry) for entry in errors]
    refusal: ScrimError = LocalError("; ".join(problem.message for problem in problems))
    if any(problem.key for problem in problems):
        refusal = ConfigError(problems)
    refusal.in_effect = result if isinstance(result, dict) else None
    raise refusal


def _problem(entry: object) -> Problem:
    fields = entry if isinstance(entry, dict) else {}
    return Problem(**{name: str(fields.get(name, "")) for name in _PROBLEM_KEYS})


class LineBuffer:
    """Cuts a stream of bytes into lines and never holds more than one line's limit of an unfinished one."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()

    @property
    def unfinished_bytes(self) -> int:
        """How much of a line has come without its end."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` finishes, without their newlines.

        Raises:
            MessageTooLongError: a line is above the limit.
        """
        self._rest += data
        *lines, rest = self._rest.split(b"\n") if b"\n" in data else (self._rest,)
        self._rest = rest
        if max(map(len, (rest, *lines))) > self._max_bytes:
            raise MessageTooLongError(f"message is above {self._max_bytes} bytes")
        return [bytes(line) for line in lines]

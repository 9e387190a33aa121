"""The small JSON bodies that the page sends and gets."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from scrim.errors import LocalError, ScrimError
from scrim.gateway.web.guard import MAX_BODY_BYTES
from scrim.local.messages import errors_of, parse_object

BODY_S = 10.0
"""How long one may take to come."""


async def document(request: web.Request) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises:
        aiohttp.web.HTTPException: it is too large, does not come, or is none.
    """
    try:
        async with asyncio.timeout(BODY_S):
            return parse_object(await request.read(), MAX_BODY_BYTES)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except LocalError as error:
        raise bad_request(str(error)) from None


async def text_field(request: web.Request, name: str) -> str:
    """The one text of an object that has nothing else.

    Raises:
        aiohttp.web.HTTPException: as ``document``, or it is another object.
    """
    found = await document(request)
    value = found.get(name)
    if not isinstance(value, str) or len(found) != 1:
        raise bad_request(f'allowed is exactly {{"{name}": "..."}}')
    return value


def bad_request(message: str) -> web.HTTPBadRequest:
    """To be raised; in the shape of all errors."""
    body = {"ok": False, "errors": [{"message": message}]}
    return web.HTTPBadRequest(text=json.dumps(body), content_type="application/json")


def refusal(error: ScrimError | str, status: int) -> web.Response:
    """An error for people: each problem with its key, and what stays in effect, as far as there is."""
    if isinstance(error, str):
        return web.json_response({"ok": False, "errors": [{"message": error}]}, status=status)
    answer: dict[str, Any] = {"ok": False, "errors": errors_of(error)}
    if error.in_effect is not None:
        answer["result"] = dict(error.in_effect)
    return web.json_response(answer, status=status)


def done(**more: Mapping[str, Any]) -> web.Response:
    """Success, with what there is to say."""
    return web.json_response({"ok": True, **more})

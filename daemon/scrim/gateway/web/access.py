"""Asks for the password, where there is one: a cookie for browsers, basic authentication for programs."""

import base64
import binascii
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from scrim.gateway.web.body import document, done, refusal, text_field
from scrim.gateway.web.guard import Answer
from scrim.gateway.web.login import SESSION_S, Login, TooManyTriesError, WrongPasswordError

log = logging.getLogger(__name__)

_COOKIE = "scrim-session"
_OPEN_PATHS = frozenset({"/api/login"})


class Access:
    """Asks for the password.

    Args:
        login: knows it; None where nobody is asked.
        is_open: whether a path can be had without it, such as the page itself, which says nothing.
    """

    def __init__(self, login: Login | None, is_open: Callable[[str], bool]) -> None:
        self._login = login
        self._is_open = is_open

    @property
    def is_asked_for(self) -> bool:
        """Whether there is a password."""
        return self._login is not None

    def middleware(self) -> Middleware:
        """Refuses whoever has not given it."""

        @web.middleware
        async def check(request: web.Request, handler: Answer) -> web.StreamResponse:
            is_open = request.path in _OPEN_PATHS or self._is_open(request.path)
            if not is_open and not self._lets_in(request):
                return refusal("give the password first", 401)
            return await handler(request)

        return check

    def still_lets_in(self, request: web.Request) -> bool:
        """For what answers for long: whether the session that let a request in still goes on."""
        tokens = _tokens(request)
        return self._login is None or not tokens or any(map(self._login.knows, tokens))

    async def begin(self, request: web.Request) -> web.Response:
        """``POST /api/login {"password": …}``: 200 with a cookie, 401, or 429."""
        password = await text_field(request, "password")
        if self._login is None:
            return done()
        try:
            token = self._login.begin(request.remote or "", password)
        except WrongPasswordError as error:
            log.warning("page: wrong password from %s", request.remote)
            return refusal(error, 401)
        except TooManyTriesError as error:
            return _later(error)
        response = done()
        is_tls = _is_tls(request)
        response.set_cookie(
            _cookie_name(is_tls=is_tls),
            token,
            max_age=int(SESSION_S),
            path="/",
            secure=is_tls,
            httponly=True,
            samesite="Strict",
        )
        return response

    async def end(self, request: web.Request) -> web.Response:
        """``POST /api/logout {}``: 200, and the cookie is gone."""
        await document(request)
        for token in _tokens(request):
            if self._login is not None:
                self._login.end(token)
        response = done()
        for is_tls in (False, True):
            response.del_cookie(
                _cookie_name(is_tls=is_tls), path="/", secure=is_tls, httponly=True, samesite="Strict"
            )
        return response

    def _lets_in(self, request: web.Request) -> bool:
        if self._login is None or any(map(self._login.knows, _tokens(request))):
            return True
        return self._lets_program_in(self._login, request)

    def _lets_program_in(self, login: Login, request: web.Request) -> bool:
        password = _basic_password(request.headers.get("Authorization", ""))
        if password is None:
            return False
        try:
            login.check(request.remote or "", password)
        except WrongPasswordError:
            log.warning("page: wrong password from %s", request.remote)
            return False
        except TooManyTriesError as error:
            raise web.HTTPTooManyRequests(
                text=str(error), headers={"Retry-After": str(error.retry_s)}
            ) from None
        return True


def _later(error: TooManyTriesError) -> web.Response:
    response = refusal(error, 429)
    response.headers["Retry-After"] = str(error.retry_s)
    return response


def _is_tls(request: web.Request) -> bool:
    """Whether the browser came by TLS, to us or to something before us."""
    return request.secure or request.headers.get("Origin", "").lower().startswith("https://")


def _cookie_name(*, is_tls: bool) -> str:
    """The prefix makes browsers keep other hosts from setting it (RFC 6265bis, 4.1.3)."""
    return f"__Host-{_COOKIE}" if is_tls else _COOKIE


def _tokens(request: web.Request) -> list[str]:
    names = (_cookie_name(is_tls=is_tls) for is_tls in (True, False))
    return [request.cookies[name] for name in names if name in request.cookies]


def _basic_password(header: str) -> str | None:
    """The password in an Authorization header (RFC 7617), whatever the user's name; None without one."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""

"""The URL of a background image: which may be named, and what of one may be shown."""

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

MAX_URL_CHARACTERS = 4096
MAX_DATA_URL_CHARACTERS = 192 * 1024
"""With room for the rest of a message, see :data:`scrim.local.messages.MAX_MESSAGE_BYTES`."""

LIBRARY_SCHEME = "library"
"""Names a picture that the gateway keeps, by its id."""

_FETCHED = frozenset({"http", "https", "data", LIBRARY_SCHEME})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LIBRARY_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\ud800-\udfff]")
_LONGEST_SHOWN = 200
_WITH_HOST = frozenset({"http", "https", "rtsp", "rtsps"})
"""Schemes whose URLs may have a user and a password in them."""


def scheme_of(url: str) -> str:
    """The scheme in lower case; empty without one."""
    found = _SCHEME.match(url)
    return found[1].lower() if found else ""


def is_fetched(url: str) -> bool:
    """Whether the image comes from outside, through the process that sees the network."""
    return scheme_of(url) in _FETCHED


def fault_of(url: str) -> str | None:
    """What is wrong with the wording of an image's URL; None when nothing is. Says nothing of its content."""
    scheme = scheme_of(url)
    if scheme not in _FETCHED | {"file"}:
        return "is no URL of a kind that is known here"
    if len(url) > (MAX_DATA_URL_CHARACTERS if scheme == "data" else MAX_URL_CHARACTERS):
        return "is too long"
    if scheme == "data":
        return None if url.isascii() and "," in url and not _INVISIBLE.search(url) else "is no data: URL"
    if scheme == LIBRARY_SCHEME:
        return None if _LIBRARY_ID.fullmatch(url.partition(":")[2]) else "is no id of the library"
    if scheme == "file":
        return "has a zero byte" if "\0" in url else None
    if _INVISIBLE.search(url):
        return "has a space or a character that cannot be seen"
    parts = _split(url)
    return None if parts is not None and parts.hostname else "names no host"


def file_path(url: str) -> Path:
    """Where a ``file:`` URL points; links are not followed.

    Raises:
        ValueError: it is no URL of a file on this machine.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc:
        raise ValueError("is no file: URL of this machine")
    return Path(unquote(parts.path))


def shown(url: str) -> str:
    """The URL as it may stand in a log or an error: no user, password, query, fragment and image data."""
    scheme = scheme_of(url)
    if scheme == "data":
        return f"{url.partition(',')[0][:60]},... ({len(url)} characters)"
    if scheme in _WITH_HOST:
        parts = _split(url)
        if parts is None:
            return f"{scheme}:..."
        host = parts.netloc.rpartition("@")[2]
        url = f"{scheme}://{host}{parts.path}"
    return url if len(url) <= _LONGEST_SHOWN else url[: _LONGEST_SHOWN - 3] + "..."


def without_secrets(url: str) -> str:
    """The URL as others may read it: as ``shown``, but whole where nothing in it can be a secret."""
    if scheme_of(url) in _WITH_HOST:
        parts = _split(url)
        is_plain = parts is not None and "@" not in parts.netloc and not parts.query and not parts.fragment
        return url if is_plain else shown(url)
    return shown(url) if scheme_of(url) == "data" else url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts

"""Fetching an image from outside: a file, or what stands in a ``data:`` URL itself."""

import base64
import binascii
import hashlib
import ssl
from urllib.parse import unquote_to_bytes

from scrim.decode import memory_file
from scrim.errors import ImageError
from scrim.gateway.addresses import AddressRules
from scrim.gateway.fetching import Encoded, Kind, Limits, Resolve, WebFetcher, system_resolve
from scrim.image_header import FORMATS, MAX_IMAGE_BYTES
from scrim.image_url import scheme_of, shown

__all__ = ["Encoded", "ImageFetcher", "Limits"]

_IMAGE = Kind("image", "image/jpeg, image/png, image/webp", FORMATS)


class ImageFetcher(WebFetcher):
    """Fetches ``https:`` and ``data:`` URLs, and ``http:`` where the local settings file allows it.

    Args:
        rules: which addresses may be reached.
        allow_http: fetch without encryption too.
        resolve: finds a host's addresses; asked once for each host on the way.
        tls: verifies the server; default: as this machine does.
        limits: what a server may take.
    """

    def __init__(
        self,
        rules: AddressRules,
        *,
        allow_http: bool = False,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits if limits is not None else Limits(most_bytes=MAX_IMAGE_BYTES)
        super().__init__(_IMAGE, rules, allow_http=allow_http, resolve=resolve, tls=tls, limits=limits)

    async def fetch(self, url: str) -> Encoded:
        """The image behind ``url``, as it lies there.

        Returns:
            Its bytes; the caller's to close.

        Raises:
            ImageError: it cannot be had; names the URL without its secrets, and the limit or the HTTP status.
        """
        return _inline(url) if scheme_of(url) == "data" else await self.fetch_file(url)


def _inline(url: str) -> Encoded:
    """The image in a data: URL (RFC 2397)."""
    head, _, body = url.partition(",")
    data = unquote_to_bytes(body)
    if head.lower().endswith(";base64"):
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            raise ImageError(f"{shown(url)}: is not base64") from None
    return Encoded(memory_file("scrim-image", data), hashlib.sha256(data).hexdigest(), len(data))

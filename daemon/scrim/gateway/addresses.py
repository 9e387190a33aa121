"""Which addresses an image may be fetched from: those on the internet, and what the local file allows."""

import ipaddress
import re
from collections.abc import Callable, Iterable

from scrim.errors import ImageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOCAL = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""What a host in ``images.allow_hosts`` may have besides public addresses (RFC 1918, RFC 4193)."""

_INTERNET_6 = ipaddress.ip_network("2000::/3")
"""All that IANA has given out; IPv4-mapped and -compatible, NAT64 and local addresses lie outside."""

_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",  # this host
            "100.64.0.0/10",  # carriers' NAT
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",  # benchmarks
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address inside
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
"""From IANA's registries of special-purpose addresses: what ``is_global`` lets pass in some Python."""

_NUMERIC = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)


def is_public(address: Address) -> bool:
    """Whether an address is one on the internet and nothing else, such as IPv4 in an IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or address not in _INTERNET_6:
            return False
        if address.exploded[20:29] in {"0000:5efe", "0200:5efe"}:  # ISATAP
            return False
    listed = any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    return address.is_global and not address.is_multicast and not listed


def is_local(address: Address) -> bool:
    """Whether an address is one in a network at home or at work; loopback and link-local are not."""
    scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    return not scoped and any(address in network for network in _LOCAL if network.version == address.version)


def literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name.

    Raises:
        ImageError: it is an address in a spelling that not everybody reads alike, such as 127.1.
    """
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    if _NUMERIC.fullmatch(host) or ":" in host:
        raise ImageError(f"{host}: is an odd spelling of an address; write it as 192.0.2.1")
    return None


class AddressRules:
    """What may be reached.

    Args:
        allow_hosts: names and addresses of the local settings file. A name in it may have addresses of the
            local network; an address in it may be reached, whatever it is.
        is_public: tells the internet's addresses from all others.
    """

    def __init__(
        self, allow_hosts: Iterable[str] = (), is_public: Callable[[Address], bool] = is_public
    ) -> None:
        self._hosts = {_plain(host) for host in allow_hosts}
        self._is_public = is_public

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Make sure that every address of a host may be reached.

        Raises:
            ImageError: one may not; names it and the mend.
        """
        for text in addresses:
            if not self._may_reach(host, ipaddress.ip_address(text)):
                raise ImageError(
                    f"{host}: has the address {text}, which is not one on the internet; allowed are public "
                    "addresses, and hosts in images.allow_hosts of the local settings file"
                )

    def _may_reach(self, host: str, address: Address) -> bool:
        is_listed = _plain(host) in self._hosts and is_local(address)
        return self._is_public(address) or is_listed or _plain(str(address)) in self._hosts


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()

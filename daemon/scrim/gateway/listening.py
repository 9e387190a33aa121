"""Where the gateway's servers may listen, and how they begin to: loopback, or elsewhere with a password."""

import errno
import ipaddress
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from scrim.errors import ConfigError, DeviceError, Problem


def check_address(
    section: str, host: str, port: int, *, has_password: bool = False, password_key: str = ""
) -> str:
    """Where to listen.

    Args:
        section: of the settings, for errors, such as ``web``.
        host: an address of this machine, or ``localhost``.
        port: 0 to 65535; 0 takes a free one.
        has_password: whoever comes must know a password.
        password_key: of the settings, where one could be named; for errors.

    Returns:
        The address; ``localhost`` becomes 127.0.0.1.

    Raises:
        ConfigError: other machines could reach it and there is no password, or it is no address, or there is
            no such port; lists every problem.
    """
    address = "127.0.0.1" if host == "localhost" else host
    problems = [*_host_problems(section, host, address, password_key, has_password=has_password)]
    if not 0 <= port <= 65535:
        problems.append(
            Problem(f"{section}.port", str(port), "is no TCP port", "0 to 65535; 0 takes a free one")
        )
    if problems:
        raise ConfigError(problems)
    return address


def _host_problems(
    section: str, host: str, address: str, password_key: str, *, has_password: bool
) -> list[Problem]:
    key = f"{section}.host"
    if is_loopback(address):
        return []
    if not has_password:
        mend = "127.0.0.1, ::1 or localhost; from elsewhere use ssh -L"
        mend += f", or name a file in {password_key}" if password_key else ""
        return [Problem(key, host, "other machines could reach it, and that needs a password", mend)]
    if not is_address(address):
        return [Problem(key, host, "is no address", "an IP address of this machine, such as 0.0.0.0 for all")]
    return []


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address; a name is no address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_address(text: str) -> bool:
    """Whether a text is an IP address, without brackets and port."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def listen(
    runner: web.AppRunner, section: str, address: str, port: int, tls: ssl.SSLContext | None = None
) -> str:
    """Begin to listen, and return the URL.

    Args:
        runner: set up.
        section: of the settings, for errors.
        address: as ``check_address`` returned it.
        port: the same; 0 takes a free one.
        tls: to speak it.

    Raises:
        DeviceError: the port cannot be had.
    """
    try:
        await web.TCPSite(runner, address, port, ssl_context=tls).start()
    except OSError as error:
        raise DeviceError(_refused_port(error, section, address, port)) from None
    return f"http{'s' if tls else ''}://{_name(address)}:{runner.addresses[0][1]}/"


def _name(address: str) -> str:
    """What to call it in a URL; all addresses have the machine's name."""
    if ipaddress.ip_address(address).is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if ":" in address else address


def tls_context(section: str, certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """What a server needs to speak TLS, 1.2 or newer; None where the settings name neither file.

    Args:
        section: of the settings, for errors.
        certificate: path of a PEM file with the chain.
        key: path of a PEM file with the private key.

    Raises:
        ConfigError: one of the two is missing, cannot be read or used, or everybody can read the key.
    """
    if certificate is None and key is None:
        return None
    problems = list(_tls_problems(section, certificate, key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not problems:
        try:
            context.load_cert_chain(str(certificate), str(key))
        except (OSError, ValueError) as error:
            mend = "a certificate and its own key, both PEM, the key without a pass phrase"
            problems.append(Problem(f"{section}.certificate", str(certificate), _reason(error), mend))
    if problems:
        raise ConfigError(problems)
    return context


def _tls_problems(section: str, certificate: str | None, key: str | None) -> Iterator[Problem]:
    for name, path in (("certificate", certificate), ("key", key)):
        if path is None:
            yield Problem(
                f"{section}.{name}",
                "",
                "is missing",
                f"both {section}.certificate and {section}.key, or neither",
            )
            continue
        try:
            mode = Path(path).stat().st_mode
        except OSError as error:
            yield Problem(f"{section}.{name}", path, error.strerror or str(error), "path of a PEM file")
            continue
        if name == "key" and mode & stat.S_IRWXO:
            yield Problem(f"{section}.{name}", path, f"has mode {stat.S_IMODE(mode):04o}", _CLOSE_KEY)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be used: {(error.reason or 'not PEM').lower().replace('_', ' ')}"
    return getattr(error, "strerror", None) or str(error)


_CLOSE_KEY = "chmod o= it: everybody on this machine can read it"


def _refused_port(error: OSError, section: str, address: str, port: int) -> str:
    mend = f"set {section}.port to another, or to 0 for any free one"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is taken by another program: {mend}"
    if error.errno == errno.EACCES:
        return f"port {port} on {address} is for root only: {mend}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address} is no address of this machine: set {section}.host to one that is"
    return f"port {port} on {address} cannot be had: {error.strerror}: {mend}"

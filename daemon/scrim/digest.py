"""SHA-256 without OpenSSL, which takes 4 MB and is loaded by nothing else in the core."""

from importlib import import_module

_LEAN = ("_sha2", "_sha256")
"""Where CPython has its own, from 3.12 on and before; :mod:`random` looks there for the same reason."""


def sha256_hex(data: bytes) -> str:
    """The digest in hexadecimal digits."""
    for name in (*_LEAN, "hashlib"):
        try:
            return str(import_module(name).sha256(data).hexdigest())
        except ImportError:
            continue
    raise AssertionError("unreachable: every Python has hashlib")

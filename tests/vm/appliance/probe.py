"""Run inside a unit's sandbox, by scrim's own Python: tries what an attacker would, and says how it went.

    python probe.py PATH...

For every path it says whether it can be opened for reading and for writing.
"""

import ctypes
import json
import mmap
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAMILIES = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_BLUETOOTH", "AF_ALG")
MANY_BYTES = 600 * 1000 * 1000
LIMITED = f"""
import mmap, resource
from scrim import decode_child
decode_child._limit(resource.RLIMIT_AS, decode_child.MAX_MEMORY_BYTES)
mmap.mmap(-1, {MANY_BYTES})
"""


def outcome(attempt: Callable[[], Any]) -> str:
    """``yes``, or the name of the error."""
    try:
        attempt()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "yes"


def connect() -> None:
    """A connection to this machine's own address, as to any other."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60):
        pass


def make_device() -> None:
    """A node of the first camera, made by hand."""
    os.mknod("/tmp/camera", stat.S_IFCHR | 0o666, os.makedev(81, 0))


def write_code() -> None:
    """Memory that can be written and run."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def change_root() -> None:
    """A system call that no service needs."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def opened(path: str, flags: int) -> str:
    return outcome(lambda: os.close(os.open(path, flags)))


def decoded() -> str:
    """What comes of an image that is decoded in a child, started from here."""
    import cv2
    import numpy as np

    from scrim.decode import decode_bytes

    _, encoded = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))
    with decode_bytes(encoded.tobytes(), "probe") as pixels:
        return f"{pixels.width}x{pixels.height}"


def memory_beyond_the_limit() -> str:
    """How a child ends that takes more memory than it allowed itself."""
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else "it was given"


def status(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}:")).split(":")[1].strip()


def seen() -> dict[str, Any]:
    families = [name for name in FAMILIES if hasattr(socket, name)]
    return {
        "user": os.getuid(),
        "groups": sorted(os.getgroups()),
        "sockets": {name: outcome(lambda name=name: kind(name)) for name in families},
        "connect": outcome(connect),
        "interfaces": interfaces(),
        "network": Path("/proc/self/ns/net").readlink().name,
        "devices": sorted(path.name for path in Path("/dev").glob("video*")),
        "make device": outcome(make_device),
        "code": outcome(write_code),
        "mount": outcome(change_root),
        "capabilities": status("CapEff"),
        "bounding": status("CapBnd"),
        "no new privileges": status("NoNewPrivs"),
        "filter": status("Seccomp"),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "read": {path: opened(path, os.O_RDONLY | os.O_NONBLOCK) for path in sys.argv[2:]},
        "write": {path: opened(path, os.O_RDWR | os.O_NONBLOCK) for path in sys.argv[2:]},
        "create": {
            path: created(path) for path in ("/", "/usr", "/etc", "/etc/scrim", "/home", "/root", "/var/lib")
        },
        "decoded": decoded(),
        "beyond the limit": memory_beyond_the_limit(),
    }


def kind(name: str) -> None:
    """A socket of that family."""
    type_ = socket.SOCK_STREAM if name in ("AF_UNIX", "AF_INET", "AF_INET6") else socket.SOCK_RAW
    socket.socket(getattr(socket, name), type_).close()


def interfaces() -> list[str]:
    """From the kernel's list: no socket may be had to ask."""
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines]


def created(folder: str) -> str:
    return outcome(lambda: os.close(os.open(f"{folder}/probe", os.O_CREAT | os.O_WRONLY, 0o600)))


if __name__ == "__main__":
    print("probe: " + json.dumps(seen()), flush=True)

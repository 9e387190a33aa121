"""``python -m scrim.gateway HANDLE``: what ``scrim gateway`` becomes once the settings are checked."""

import sys

from scrim.errors import EXIT_RESTART
from scrim.gateway.handover import received
from scrim.gateway.service import run
from scrim.journal import start_logging
from scrim.local.place import default_path
from scrim.told import exit_status_of


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit status, see :func:`scrim.gateway.service.run`."""
    given = received(int(sys.argv[1]))
    start_logging(is_verbose=given.is_verbose, identifier="scrim-gateway")
    is_to_restart = run(default_path(), given.settings, _say_where, given.schema)
    return EXIT_RESTART if is_to_restart else 0


def _say_where(url: str | None) -> None:
    if url is not None:
        print(f"scrim: look at {url}", flush=True)


if __name__ == "__main__":
    sys.exit(exit_status_of(main))

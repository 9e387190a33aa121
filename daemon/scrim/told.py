"""What every command of scrim does with the errors that end it."""

import signal
import sys
from collections.abc import Callable

from scrim.errors import EXIT_FAILURE, ScrimError


def exit_status_of(command: Callable[[], int]) -> int:
    """Run a command; an error that is meant for a person is told as one line on stderr.

    Returns:
        The exit status: the command's own, or the error's.
    """
    try:
        return command()
    except ScrimError as error:
        print(f"scrim: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return EXIT_FAILURE

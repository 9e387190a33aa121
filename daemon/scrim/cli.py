"""The command line. Every command imports what it needs when it is chosen."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scrim import __version__
from scrim.errors import EXIT_FAILURE, EXIT_RESTART
from scrim.examples import give_examples
from scrim.journal import start_logging
from scrim.options import SYSTEM_CONFIG, add_settings, assigned, config_path, settings_of
from scrim.thrift import one_blas_thread, start_sparingly
from scrim.told import exit_status_of

_MOST_PIXELS = 8192 * 8192
"""No picture that scrim reads has more."""

_EPILOG = """\
examples:
  scrim run                                  the first camera, or the demo; prints where to look
  sudo scrim setup                           asks for camera, outputs, broker, and writes the settings
  scrim run --set camera.source=file:/x.mp4  a clip instead of a camera
  scrim process party.jpg safe.jpg           one picture, filtered
  scrim process talk.mp4 safe.mp4 --set effect=color --set color=teal
  scrim bench --size 1280x720 --effect blur  what a frame costs here
  scrim ctl set effect=blur strength=high    change a running scrim; "scrim ctl --help" has more
  scrim doctor                               what works on this machine, and what does not
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, 1 for a fault, 2 for a wrong command line, 75 for a core that is to be started
        again, 78 for wrong settings.
    """
    # OpenCV reads this once, when it is imported; its own limit would let a picture fill 3 GB.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MOST_PIXELS))
    one_blas_thread()
    words = sys.argv[1:] if arguments is None else arguments
    options = command_line(_first_word(words)).parse_args(words)
    start_logging(is_verbose=options.verbose, identifier=options.identifier)
    return exit_status_of(lambda: int(options.command(options)))


def command_line(only: str | None = None) -> argparse.ArgumentParser:
    """Every command with its options; the manual page is made from it.

    Args:
        only: a command, to leave the others out, if there is one of that name.
    """
    parser = argparse.ArgumentParser(
        prog="scrim",
        description="A webcam that shows the person and not the room.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"scrim {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    parser.set_defaults(identifier="scrim")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adders = _adders()
    for add in [adders[only]] if only in adders else adders.values():
        add(commands)
    give_examples(parser)
    return parser


Commands = Any  # argparse's own type for sub-parsers is private


def _adders() -> dict[str, Callable[[Commands], None]]:
    """What adds each command, in the order of the help."""
    return {
        "run": _add_run,
        "setup": _add_setup,
        "ctl": _add_ctl,
        "fleet": _add_fleet,
        "mqtt": _add_mqtt,
        "core": _add_core,
        "gateway": _add_gateway,
        "process": _add_process,
        "bench": _add_bench,
        "doctor": _add_doctor,
        "gadget": _add_gadget,
        "check-config": _add_check,
        "show-config": _add_show,
    }


def _first_word(words: Sequence[str]) -> str | None:
    """The command: no option of the whole line takes a value that could be taken for it."""
    return next((word for word in words if not word.startswith("-")), None)


def _add_setup(commands: Commands) -> None:
    from scrim.setup.command import add_setup

    add_setup(commands)


def _add_ctl(commands: Commands) -> None:
    from scrim.ctl import add_ctl

    add_ctl(commands)


def _add_fleet(commands: Commands) -> None:
    from scrim.fleet.command import add_fleet

    add_fleet(commands)


def _add_run(commands: Commands) -> None:
    command = commands.add_parser("run", help="run core and gateway in the foreground; Ctrl-C stops them")
    add_settings(command)
    command.set_defaults(command=_run)


def _add_core(commands: Commands) -> None:
    command = commands.add_parser("core", help="run the process that sees the camera")
    add_settings(command)
    command.add_argument(
        "--strict", action="store_true", help="end with an error when the camera cannot be opened at start"
    )
    command.add_argument(
        "--demo",
        action="store_true",
        help="where auto finds no camera, play the demo",
    )
    command.set_defaults(command=_core, identifier="scrim-core")


def _add_gateway(commands: Commands) -> None:
    command = commands.add_parser("gateway", help="run the process that sees the network")
    add_settings(command)
    command.set_defaults(command=_gateway, identifier="scrim-gateway")


def _add_mqtt(commands: Commands) -> None:
    from scrim.ctl import add_forget

    command = commands.add_parser("mqtt", help="clean up at the MQTT broker")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_forget(actions)


def _add_process(commands: Commands) -> None:
    command = commands.add_parser(
        "process",
        help="filter an image, a folder of images or a video, offline",
        description="Filter an image, a folder of images or a video. The same input gives the same output. "
        "Each image of a folder stands for itself; a video has a memory.",
    )
    command.add_argument("input", type=Path, metavar="IN", help="an image, a folder of images, or a video")
    command.add_argument(
        "output", type=Path, metavar="OUT", help="an image, a folder, or a video (.mp4, .avi, .mkv lossless)"
    )
    command.add_argument(
        "--matte", type=Path, metavar="OUT", help="write the 8-bit alpha matte too: PNG, folder or video"
    )
    command.add_argument("--background", type=Path, metavar="FILE", help="replace the room by this image")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    add_settings(command)
    command.set_defaults(command=_process)


def _add_bench(commands: Commands) -> None:
    command = commands.add_parser("bench", help="measure what a frame costs on this machine")
    command.add_argument("--clip", type=Path, help="a video to measure on; else the demo")
    command.add_argument(
        "--size", action="append", metavar="WxH", help="frame size, repeatable (default 1280x720)"
    )
    command.add_argument(
        "--effect", action="append", choices=("blur", "image", "color"), help="repeatable (default blur)"
    )
    command.add_argument(
        "--threads", action="append", type=_count, help="inference threads, repeatable (default 1)"
    )
    command.add_argument(
        "--against", choices=("mediapipe",), help="measure this too, interleaved, and print the ratio"
    )
    command.add_argument("--frames", type=_count, default=100, help="frames in a round (default 100)")
    command.add_argument(
        "--rounds", type=_count, default=5, help="rounds, of which the median counts (default 5)"
    )
    command.add_argument(
        "--profile", type=Path, metavar="FILE.svg", help="draw where the time of a frame goes"
    )
    command.add_argument("--json", action="store_true", help="for programs")
    add_settings(command)
    command.set_defaults(command=_bench)


def _add_doctor(commands: Commands) -> None:
    command = commands.add_parser(
        "doctor", help="say what works on this machine, and what would mend the rest"
    )
    command.add_argument("--json", action="store_true", help="for programs")
    add_settings(command)
    command.set_defaults(command=_doctor)


def _add_gadget(commands: Commands) -> None:
    command = commands.add_parser(
        "gadget",
        help="make the board a USB webcam for a host; as root",
        description="Set the kernel's USB gadget up or down, or say how it is. What hosts see stands in "
        "the section [gadget] of the settings. docs/gadget.md has the rest.",
    )
    command.add_argument(
        "action", choices=("up", "down", "status"), help="up and down do no harm when repeated"
    )
    command.add_argument("--json", action="store_true", help="status for programs")
    add_settings(command)
    command.set_defaults(command=_gadget)


def _add_check(commands: Commands) -> None:
    command = commands.add_parser("check-config", help="check a settings file; lists every error")
    command.add_argument("file", type=Path, nargs="?", help="default: the file scrim would read")
    command.set_defaults(command=_check_config)


def _add_show(commands: Commands) -> None:
    command = commands.add_parser(
        "show-config", help="print the settings in effect as TOML, each with its comment"
    )
    command.add_argument("--json", action="store_true", help="for programs")
    command.add_argument(
        "--schema", action="store_true", help="print the JSON schema of the settings instead"
    )
    add_settings(command)
    command.set_defaults(command=_show_config)


def _count(text: str) -> int:
    """A whole number above 0, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _run(options: argparse.Namespace) -> int:
    from scrim.launcher import run_both

    settings_of(options)  # a mistake in them is told once, before anything starts
    return run_both(_forwarded(options))


def _forwarded(options: argparse.Namespace) -> list[str]:
    """The settings options, for a child process."""
    forwarded = ["--config", str(options.config)] if options.config else []
    for assignment in options.assignments:
        forwarded += ["--set", assignment]
    return forwarded


def _core(options: argparse.Namespace) -> int:
    from scrim.core.checking import check_aside

    start_sparingly()
    patch = assigned(options)
    settings = check_aside(partial(settings_of, options), patch)

    from scrim.core.service import run
    from scrim.local.place import default_path

    is_to_restart = run(
        settings(),
        default_path(),
        _stop_signal(),
        is_patient=not options.strict,
        plays_demo=options.demo,
        assigned=patch,
    )
    return EXIT_RESTART if is_to_restart else 0


def _gateway(options: argparse.Namespace) -> int:
    from scrim.gateway.handover import become_gateway

    become_gateway(settings_of(options), is_verbose=options.verbose)


def _process(options: argparse.Namespace) -> int:
    from scrim.core.offline import process

    settings = settings_of(options)
    failed = process(
        settings, options.input, options.output, options.matte, options.background, is_quiet=options.quiet
    )
    return EXIT_FAILURE if failed else 0


def _bench(options: argparse.Namespace) -> int:
    from scrim.core.bench.command import Options, measure, parse_size, save_picture, table

    wanted = Options(
        sizes=[parse_size(text) for text in options.size or ["1280x720"]],
        effects=options.effect or ["blur"],
        threads=options.threads or [1],
        clip=options.clip,
        with_mediapipe=options.against == "mediapipe",
        frames=options.frames,
        rounds=options.rounds,
    )
    results = measure(settings_of(options), wanted, is_quiet=options.json)
    if options.profile:
        save_picture(options.profile, results)
    print(json.dumps({"results": results}, indent=2) if options.json else table(results))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from scrim.core.doctor import examine
    from scrim.finding import table
    from scrim.gateway import doctor

    settings = settings_of(options)
    findings = [*examine(settings), *doctor.examine(settings)]
    print(
        json.dumps([finding.as_dict() for finding in findings], indent=2) if options.json else table(findings)
    )
    return 0 if all(finding.is_good for finding in findings) else EXIT_FAILURE


def _gadget(options: argparse.Namespace) -> int:
    from scrim.gadget import command

    if options.action == "down":
        print(command.down())
        return 0
    settings = settings_of(options).gadget
    if options.action == "up":
        print(command.up(settings))
        return 0
    text, is_up = command.status_text(settings)
    print(command.as_json(command.status()) if options.json else text)
    return 0 if is_up else EXIT_FAILURE


def _check_config(options: argparse.Namespace) -> int:
    path = config_path(options.file)
    if path is None:
        print(f"scrim: {SYSTEM_CONFIG} is not there; the defaults are in effect, and they are good")
        return 0
    from scrim.config import load

    load(path)
    print(f"scrim: {path} is good")
    return 0


def _show_config(options: argparse.Namespace) -> int:
    from scrim.config import Settings
    from scrim.reference import as_toml

    settings = settings_of(options)
    if options.schema:
        print(json.dumps(Settings.model_json_schema(), indent=2))
    elif options.json:
        print(settings.model_dump_json(indent=2))
    else:
        print(as_toml(settings), end="")
    return 0


def _stop_signal() -> threading.Event:
    """Set by SIGTERM and SIGINT.

    Not by their handler: it interrupts the main thread, which may be holding the very lock that setting the
    event takes, and would then wait for itself for ever.
    """
    stop = threading.Event()
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        os.read(heard, 1)
        stop.set()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return stop


if __name__ == "__main__":
    sys.exit(main())

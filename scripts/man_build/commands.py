"""scrim(1), from the argument parsers."""

import argparse
from collections.abc import Iterator

from man_build import roff
from scrim import __version__
from scrim.cli import command_line
from scrim.examples import actions_of

_STATUS = (
    ("0", "done"),
    ("1", "a fault that may pass, or a finding of scrim doctor"),
    ("2", "a wrong command line"),
    ("75", "a core that is to be started again"),
    ("78", "wrong settings; each mistake is listed"),
    ("130", "ended by Ctrl-C"),
)

_ENVIRONMENT = (
    ("SCRIM_CONFIG", "The settings file, where --config does not name one."),
    ("SCRIM_SOCKET", "The core's socket."),
    ("SCRIM_MODELS", "A folder with models of your own."),
    ("SCRIM_BROKER", "The MQTT broker of scrim fleet, where --broker does not name one."),
    ("SCRIM_MQTT_PASSWORD", "The password at the broker, where no file has it."),
    ("STATE_DIRECTORY, XDG_STATE_HOME", "Where that is kept which outlives a run."),
    ("CREDENTIALS_DIRECTORY", "Where systemd puts passwords: web-password, mqtt-password and others."),
)

_FILES = (
    ("/etc/scrim/scrim.toml", "The settings; scrim.toml(5)."),
    ("/var/lib/scrim", "What was changed while scrim ran, models that were fetched."),
    (
        "/var/lib/scrim/backgrounds",
        "Images for the background; /usr/share/scrim/backgrounds is another place.",
    ),
    ("/var/lib/scrim-gateway", "The library of backgrounds, and what the gateway remembers."),
    ("/run/scrim/core.sock", "The core's socket, where systemd runs it."),
)


def page() -> str:
    """The whole page."""
    return roff.page(_lines(command_line()))


def _lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield roff.title("SCRIM", 1, __version__)
    yield roff.heading("Name")
    yield "scrim \\- a webcam that shows the person and not the room"
    yield roff.heading("Synopsis")
    yield ".B scrim"
    yield roff.escaped("[--help] [--version] [--verbose] COMMAND ...")
    yield roff.heading("Description")
    yield from roff.paragraph(
        "scrim takes the picture of a camera, finds the person in it, and blurs or replaces everything else. "
        "What comes out is a camera for other programs, a USB webcam, a stream, or a picture on a page. "
        "Two processes do it: the core sees the camera and has no network, the gateway sees the network and "
        "has no camera. scrim run starts both."
    )
    yield roff.heading("Options")
    yield from _options(parser)
    yield roff.heading("Commands")
    for name, command in actions_of(parser).items():
        yield from _command(f"scrim {name}", command, _help_of(parser, name))
        for action, inner in actions_of(command).items():
            yield from _command(f"scrim {name} {action}", inner, _help_of(command, action))
    for title, rows in (("Exit status", _STATUS), ("Environment", _ENVIRONMENT), ("Files", _FILES)):
        yield roff.heading(title)
        for term, text in rows:
            yield from roff.item(term, text)
    yield roff.heading("See also")
    yield ".BR scrim.toml (5),"
    yield ".BR systemctl (1),"
    yield ".BR v4l2\\-ctl (1)"


def _command(name: str, command: argparse.ArgumentParser, help_text: str) -> Iterator[str]:
    yield roff.subheading(name)
    yield from roff.literal([_usage(command)])
    text = command.description or help_text
    yield from roff.paragraph(text[:1].upper() + text[1:].rstrip(".") + ".")
    yield from _options(command)
    if command.epilog:
        yield from _epilog(command.epilog)


def _usage(command: argparse.ArgumentParser) -> str:
    """One line: the name, what has to be given, and that there are options."""
    words = [command.prog, "[options]"]
    for action in _own(command):
        if not action.option_strings:
            name = _metavar(action)
            words.append(
                {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(action.nargs), name)
            )
    if actions_of(command):
        words.append("ACTION ...")
    return " ".join(words)


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in _own(command):
        term = ", ".join(action.option_strings) or _metavar(action)
        if action.option_strings and action.nargs != 0:
            term += f" {_metavar(action)}"
        text = action.help or ""
        yield from roff.item(term, text[:1].upper() + text[1:].rstrip(".") + ".")


def _own(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """Options and arguments, without --help and the list of actions."""
    skipped = (argparse._HelpAction, argparse._SubParsersAction)  # noqa: SLF001
    return [action for action in command._actions if not isinstance(action, skipped)]  # noqa: SLF001


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _help_of(parser: argparse.ArgumentParser, name: str) -> str:
    """The one line that the list of commands has."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return next(str(one.help) for one in action._choices_actions if one.dest == name)  # noqa: SLF001
    return ""


def _epilog(text: str) -> Iterator[str]:
    """Examples as they are, other paragraphs filled."""
    for part in text.strip("\n").split("\n\n"):
        first, *rest = part.splitlines()
        if rest and all(line.startswith("  ") for line in rest):
            yield from roff.paragraph(first[:1].upper() + first[1:])
            yield from roff.literal([line.removeprefix("  ") for line in rest])
        elif any(line.startswith("  ") for line in rest):
            yield from roff.literal([first, *rest])
        else:
            yield from roff.paragraph(part)

"""Examples in the help of every command."""

import argparse
from collections.abc import Mapping

_EXAMPLES: Mapping[str, str] = {
    "run": """\
  scrim run                                          the first camera, or the demo
  scrim run --set camera.source=v4l2:/dev/video0 --set effect=color --set color=teal
  scrim run --config my.toml
""",
    "core": """\
  scrim core                                         as scrim.service runs it
  scrim core --strict --set camera.source=test:      end at once where the camera cannot be opened
""",
    "gateway": """\
  scrim gateway                                      as scrim-gateway.service runs it
  scrim gateway --set web.port=8081
""",
    "mqtt": """\
  sudo scrim mqtt forget                             before this device is given away
  scrim mqtt forget --config my.toml
""",
    "process": """\
  scrim process party.jpg safe.jpg                   blur
  scrim process photos/ safe/ --set effect=color --set color=teal
  scrim process talk.mp4 safe.mkv --background beach.jpg --matte matte.mkv
""",
    "bench": """\
  scrim bench --size 1280x720 --size 1920x1080 --effect blur --effect color
  scrim bench --clip talk.mp4 --json
  scrim bench --profile where-the-time-goes.svg
  scrim bench --against mediapipe                    after scripts/setup --mediapipe
""",
    "doctor": """\
  scrim doctor                                       what works here, and what mends the rest
  scrim doctor --json --config my.toml
  scrim doctor --set camera.source=picamera:1        before it is written into the file
""",
    "gadget": """\
  sudo scrim gadget up
  sudo scrim gadget up --set gadget.product="Meeting room 4"
  scrim gadget status --json
  sudo scrim gadget down
""",
    "check-config": """\
  scrim check-config                                 the file that scrim would read
  scrim check-config my.toml
""",
    "show-config": """\
  scrim show-config                                  what is in effect, each key with its comment
  scrim show-config --set effect=off --json
  scrim show-config --schema                         for editors and forms
""",
}
"""By command; those that are not here bring their own."""


def give_examples(parser: argparse.ArgumentParser) -> None:
    """Give every command its examples, and every action of a command those of the command that show it."""
    for name, command in actions_of(parser).items():
        if name in _EXAMPLES:
            _show(command, _EXAMPLES[name])
        for action in actions_of(command).values():
            lines = (command.epilog or "").splitlines(keepends=True)
            _show(action, "".join(line for line in lines if f"scrim {name} {_last(action)} " in f"{line} "))


def actions_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands below one, by name."""
    for action in parser._actions:  # noqa: SLF001  (argparse has no other way to ask)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


def _show(command: argparse.ArgumentParser, examples: str) -> None:
    if examples and command.epilog is None:
        command.epilog = f"examples:\n{examples}"
        command.formatter_class = argparse.RawDescriptionHelpFormatter


def _last(action: argparse.ArgumentParser) -> str:
    return action.prog.rpartition(" ")[2]

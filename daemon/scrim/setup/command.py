"""The command line of ``scrim setup``."""

import argparse
import json
import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrim.config import MAX_SETTINGS_BYTES, Settings, load
from scrim.errors import ConfigError, Problem, SetupError
from scrim.options import SYSTEM_CONFIG, config_path, is_there
from scrim.setup.draft import Change, Draft
from scrim.setup.writing import NewFile, Owner, write_all

_EPILOG = """\
examples:
  sudo scrim setup                              ask, show the changes, write /etc/scrim/scrim.toml
  scrim setup --config my.toml                  a file of your own
  sudo scrim setup --defaults                   what this machine has, without a question
  sudo scrim setup --answers answers.json       for programs; - reads standard input
  scrim setup --answers answers.json --dry-run  only show what would change

Answers are a patch of the settings, as for "scrim ctl set --file", with passwords beside it:
  {"camera": {"source": "auto"}, "effect": "blur", "mqtt": {"is_enabled": true, "host": "broker.lan",
   "username": "cam"}, "passwords": {"mqtt": "...", "web": "..."}}
A file with passwords in it must be its owner's alone (chmod 600).

Ctrl-C leaves everything as it was. The file that was there before stays beside the new one, as .bak.
Exit status: 0 done; 1 not done; 2 a wrong command line; 78 wrong answers or a wrong settings file.
"""

_GATEWAY_USER = "scrim-gateway"

Commands = Any  # argparse's own type for sub-parsers is private


def add_setup(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "setup",
        help="ask what a first start needs, and write it into the settings file",
        description="Ask for camera, outputs, effect, broker, passwords and pins, show what would change, "
        "and write it into the settings file, whose comments stay.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--config", type=Path, metavar="FILE", help=f"settings file (default {SYSTEM_CONFIG})"
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument(
        "--answers", type=Path, metavar="FILE", help="ask nothing, take these; JSON, - for standard input"
    )
    how.add_argument("--defaults", action="store_true", help="ask nothing, take what would be offered")
    command.add_argument("--dry-run", action="store_true", help="show the changes, and write nothing")
    command.add_argument(
        "--json", action="store_true", help="for programs, with --answers or --defaults: print what was done"
    )
    command.set_defaults(command=_setup, refuse=command.error)


def _setup(options: argparse.Namespace) -> int:
    is_asking = options.answers is None and not options.defaults
    if options.json and is_asking:
        options.refuse("--json needs --answers or --defaults")
    try:
        return _run(options, is_asking=is_asking)
    except KeyboardInterrupt:
        print("\nscrim: setup: nothing was changed", file=sys.stderr)
        raise


def _run(options: argparse.Namespace, *, is_asking: bool) -> int:
    file = (config_path(options.config) or SYSTEM_CONFIG).resolve()
    if not options.dry_run:
        _refuse_unwritable(file)
    text, before = _read(file)
    draft = _answered(Draft(file, before), options, is_asking=is_asking)
    changes = draft.changes_since(before)
    if not options.json:
        _show(draft, changes)
    is_wanted = bool(changes or draft.passwords or not file.exists()) and not options.dry_run
    if is_wanted and is_asking:
        from scrim.setup.asking import terminal

        is_wanted = terminal().confirm(f"Write this to {file}?", default=True)
    backup = _write(draft, text, before) if is_wanted else None
    if options.json:
        print(json.dumps(_told(draft, changes, backup, is_written=is_wanted), indent=2))
    elif is_wanted:
        _say_what_next(file, backup)
    else:
        print("nothing was changed")
    return 0


def _read(file: Path) -> tuple[str, Settings]:
    """The file's text and what it says; where there is none, the reference with every default."""
    if is_there(file):
        settings = load(file)
        return file.read_bytes().decode(), settings
    from scrim.reference import as_toml

    return as_toml(Settings()), Settings()


def _refuse_unwritable(file: Path) -> None:
    """Before anything is asked."""
    place = next(folder for folder in file.parents if folder.is_dir())
    if not os.access(place, os.W_OK | os.X_OK):
        raise SetupError(
            f"setup: {file}: {place} cannot be written by this user; run sudo scrim setup, or name a file "
            "of your own with --config FILE"
        )


def _answered(draft: Draft, options: argparse.Namespace, *, is_asking: bool) -> Draft:
    from scrim.setup.dialogue import ask, from_answers

    if options.answers is not None:
        return from_answers(draft, _answers(options.answers))
    from scrim.setup.asking import Asker, Defaults, terminal
    from scrim.setup.machine import look

    asker: Asker = terminal() if is_asking else Defaults()
    asker.say(f"scrim setup writes {draft.file}. Enter takes what stands in brackets.")
    asker.say("Nothing is written before the end; Ctrl-C leaves everything as it is.")
    asker.say("Looking at what this machine has ...")
    return ask(draft, asker, look())


def _answers(path: Path) -> Mapping[str, Any]:
    try:
        if str(path) == "-":
            data, mode = sys.stdin.buffer.read(MAX_SETTINGS_BYTES + 1), 0
        else:
            with path.open("rb") as file:
                data, mode = file.read(MAX_SETTINGS_BYTES + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise _wrong(path, error.strerror or str(error), "a readable file") from None
    if len(data) > MAX_SETTINGS_BYTES:
        raise _wrong(path, "is too large", f"at most {MAX_SETTINGS_BYTES} bytes")
    try:
        answers = json.loads(data)
    except (ValueError, RecursionError):
        raise _wrong(path, "is no JSON", "an object; scrim setup --help has an example") from None
    if not isinstance(answers, dict):
        raise _wrong(path, "is no object", "an object; scrim setup --help has an example")
    if answers.get("passwords") and mode & 0o077:
        raise _wrong(path, "has passwords in it, and others can read it", f"chmod 600 {path}")
    return answers


def _wrong(path: Path, message: str, allowed: str) -> ConfigError:
    return ConfigError([Problem("--answers", str(path), message, allowed)], "command line")


def _show(draft: Draft, changes: list[Change]) -> None:
    print(f"\nChanges of {draft.file}:")
    for line in changes:
        print(f"  {line}")
    for secret in draft.passwords:
        print(f"  a new password in {draft.password_path(secret)}")
    if not changes and not draft.passwords:
        print("  none")


def _write(draft: Draft, text: str, before: Settings) -> Path | None:
    """Put everything in its place; the settings last, because they name the others.

    Returns:
        Where the file that was there before is kept; None where there was none.
    """
    from scrim.setup.document import edited

    file = draft.file
    outcome = edited(text, before, draft.settings)
    there = file.exists()
    if there and file.read_bytes().decode(errors="replace") != text:
        raise SetupError(
            f"setup: {file} was changed by somebody else meanwhile; nothing was written, start again"
        )
    gateway, group = _owners(file)
    _make_folder(file.parent, group)
    backup = file.with_name(f"{file.name}.bak")
    files = [
        NewFile(draft.password_path(secret), password.encode() + b"\n", 0o600, gateway)
        for secret, password in draft.passwords.items()
    ]
    if there:
        status = file.stat()
        files.append(NewFile(backup, text.encode(), status.st_mode & 0o777, (status.st_uid, status.st_gid)))
    write_all([*files, NewFile(file, outcome.encode(), 0o640, group, keeps_mode=True)])
    return backup if there else None


def _make_folder(folder: Path, owner: Owner | None) -> None:
    """Where it is missing: the services have to look into it."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(0o750, parents=True)
        if owner is not None:
            os.chown(folder, *owner)
    except OSError as error:
        raise SetupError(f"setup: {folder}: {error.strerror}; nothing was changed") from None


def _owners(file: Path) -> tuple[Owner | None, Owner | None]:
    """Whose a new password is, and whose new settings: the services', where they are installed here."""
    if os.geteuid() or file != SYSTEM_CONFIG:
        return None, None
    try:
        gateway, core = pwd.getpwnam(_GATEWAY_USER), pwd.getpwnam("scrim")
    except KeyError:
        return None, None
    return (gateway.pw_uid, gateway.pw_gid), (0, core.pw_gid)


def _told(draft: Draft, changes: list[Change], backup: Path | None, *, is_written: bool) -> dict[str, Any]:
    return {
        "file": str(draft.file),
        "backup": str(backup) if backup else None,
        "is_written": is_written,
        "changes": [{"key": one.key, "before": one.before, "after": one.after} for one in changes],
        "passwords": [str(draft.password_path(secret)) for secret in draft.passwords],
    }


def _say_what_next(file: Path, backup: Path | None) -> None:
    print(f"written: {file}" + (f"; as it was before: {backup}" if backup else ""))
    if file == SYSTEM_CONFIG:
        print("next: sudo systemctl restart scrim scrim-gateway; scrim doctor says whether all of it works")
    else:
        print(f"next: scrim run --config {file}; scrim doctor --config {file} says whether all of it works")
    print("What was changed while scrim ran goes before the file, until scrim ctl reset.")

"""The command line of ``scrim fleet``."""

import argparse
from pathlib import Path
from typing import Any

_EPILOG = """\
examples:
  scrim fleet --broker broker.lan                          every device, once
  scrim fleet --broker broker.lan --watch                  again every second, until Ctrl-C
  scrim fleet --broker broker.lan --group office --json    one line of JSON a device, for programs
  scrim fleet --broker broker.lan --tls --username ops --password-file ops.txt
  scrim fleet set --broker broker.lan --group office effect=blur strength=high
  scrim fleet set --broker broker.lan --group office --keep effect=color color=teal
  scrim fleet set --broker broker.lan --device b8a3f20c4d11 camera.is_enabled=false

SCRIM_BROKER stands in for --broker, SCRIM_MQTT_PASSWORD for --password-file. The broker must speak MQTT 5.
Exit status: 0 done; 1 no broker, or a device that did not do it; 2 a wrong command line; 78 wrong options.
"""

Commands = Any  # argparse's own type for sub-parsers is private


def add_fleet(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "fleet",
        help="see and change many devices through their MQTT broker",
        description="See and change many devices through their MQTT broker.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_broker(command)
    command.add_argument("--group", metavar="GROUP", help="only devices of this group")
    command.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    command.add_argument("--json", action="store_true", help="one line of JSON a device, for programs")
    command.set_defaults(command=_list)
    actions = command.add_subparsers(title="actions", metavar="ACTION")
    change = actions.add_parser(
        "set",
        help="change settings of a group, of one device, or of all",
        description="Change settings, and say of each device whether it did.",
    )
    _add_broker(change, argparse.SUPPRESS)
    whom = change.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "--group", metavar="GROUP", help="every device of this group", default=argparse.SUPPRESS
    )
    whom.add_argument("--device", metavar="ID", help="this device")
    whom.add_argument("--all", action="store_true", help="every device of the broker")
    change.add_argument(
        "--keep",
        action="store_true",
        help="let the broker keep it too, for devices that are away: they do it when they are back",
    )
    change.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        help="for answers; default 20, and 5 more a group, 10 more for all",
    )
    change.add_argument(
        "--json", action="store_true", help="one line of JSON a device", default=argparse.SUPPRESS
    )
    change.add_argument("assignments", nargs="+", metavar="KEY=VALUE", help="such as effect=blur")
    change.set_defaults(command=_set)


def _add_broker(command: argparse.ArgumentParser, default: Any = None) -> None:  # noqa: ANN401
    """The options that say which broker; a sub-command's leave those before it alone."""
    group = command.add_argument_group("broker")
    for name, metavar, text in (
        ("--broker", "HOST[:PORT]", "port 1883, or 8883 with TLS"),
        ("--username", "NAME", "at the broker"),
        ("--prefix", "WORD", "first level of every topic (scrim)"),
    ):
        group.add_argument(name, metavar=metavar, help=text, default=default)
    group.add_argument("--tls", action="store_true", help="speak TLS", default=default or False)
    for name, text in (
        ("--password-file", "with the password; only its owner may read it"),
        ("--ca-file", "whom to trust instead of the system's authorities; means --tls"),
        ("--cert-file", "our certificate, where the broker asks for one; means --tls"),
        ("--key-file", "its key, where it is not in the same file"),
    ):
        group.add_argument(name, type=Path, metavar="FILE", help=text, default=default)


def _list(given: argparse.Namespace) -> int:
    from scrim.fleet.actions import list_devices

    return list_devices(given)


def _set(given: argparse.Namespace) -> int:
    from scrim.fleet.actions import change_settings

    return change_settings(given)

"""scrim setup: its questions, the file that comes of them, and how it is written."""

import os
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrim.config import Settings, from_document, load
from scrim.errors import ConfigError, SetupError
from scrim.gateway.prometheus import serving as prometheus
from scrim.gateway.rtsp import plan as rtsp
from scrim.gateway.web import serving as web
from scrim.reference import as_toml
from scrim.setup.asking import Choice, Defaults, Terminal
from scrim.setup.dialogue import ask, from_answers
from scrim.setup.document import edited
from scrim.setup.draft import Draft, check_password
from scrim.setup.machine import Found, Machine
from scrim.setup.writing import NewFile, write_all

FILE = Path("/etc/scrim/scrim.toml")
FULL = Machine(
    cameras=(Found("v4l2:/dev/v4l/by-id/usb-cam", "A camera: MJPG to 1920x1080@30"),),
    loopbacks=(Found("v4l2loopback:/dev/video10", '"scrim"'), Found("v4l2loopback:/dev/video11", '"more"')),
    controllers=("fe980000.usb",),
    has_pins=True,
)


class Person:
    """Types lines, and reads what is shown."""

    def __init__(self, *lines: str) -> None:
        self._lines = iter(lines)
        self.seen: list[str] = []
        self.terminal = Terminal(self._type, self._type, self.seen.append)

    def _type(self, question: str) -> str:
        self.seen.append(question)
        try:
            return next(self._lines)
        except StopIteration:
            raise EOFError from None

    @property
    def is_done(self) -> bool:
        return next(self._lines, None) is None


def draft(**patch: Any) -> Draft:
    return Draft(FILE, Settings()).patched(patch)


def everything(*lines: str, machine: Machine = FULL, before: Draft | None = None) -> Draft:
    """What comes of these answers; all of them are asked for."""
    person = Person(*lines)
    outcome = ask(before or draft(), person.terminal, machine)
    assert person.is_done
    return outcome


def test_a_first_start_is_answered_line_by_line() -> None:
    outcome = everything(
        *("2", "2, 3"),
        *("y", "2", "twelve letters", "twelve letters"),
        *("4", "teal"),
        *("y", "8081", "2", "long enough", "long enough"),
        *("y", "Desk", "broker.lan", "y", "/etc/ssl/ours.pem", "0", "desk", "secret", "secret", "n"),
        *("y", "17", "-", "23", ""),
    )
    assert [str(change) for change in outcome.changes_since(Settings())] == [
        "camera.source: 'auto' -> 'v4l2:/dev/v4l/by-id/usb-cam'",
        "background_blur.is_enabled: true -> false",
        "background_replacement.is_enabled: false -> true",
        "background_replacement.default_color: (not set) -> '#008080'",
        "panel.button_pin: (not set) -> 17",
        "panel.protected_led_pin: (not set) -> 23",
        "sinks: [] -> ['v4l2loopback:/dev/video11', 'uvc_gadget:']",
        "web.host: '127.0.0.1' -> '0.0.0.0'",
        "web.port: 8080 -> 8081",
        "web.password_file: (not set) -> '/etc/scrim/web-password'",
        "device.name: '' -> 'Desk'",
        "mqtt.is_enabled: false -> true",
        "mqtt.host: 'localhost' -> 'broker.lan'",
        "mqtt.tls: false -> true",
        "mqtt.ca_file: (not set) -> '/etc/ssl/ours.pem'",
        "mqtt.username: (not set) -> 'desk'",
        "mqtt.password_file: (not set) -> '/etc/scrim/mqtt-password'",
        "rtsp.is_enabled: false -> true",
        "rtsp.host: '127.0.0.1' -> '0.0.0.0'",
        "rtsp.password_file: (not set) -> '/etc/scrim/rtsp-password'",
    ]
    assert outcome.passwords == {"rtsp": "twelve letters", "web": "long enough", "mqtt": "secret"}
    assert "secret" not in repr(outcome)


def test_enter_keeps_everything_that_is_set() -> None:
    before = draft(
        camera={"source": "file:/clip.mp4"},
        sinks=["images:/tmp/pictures"],
        background_blur={"strength": 33},
        web={"host": "192.168.1.4", "password_file": "/etc/scrim/mine"},
        panel={"button_pin": 4},
    )
    person = Person(*[""] * 40)
    assert ask(before, person.terminal, FULL) == before


def test_a_wrong_answer_is_explained_and_asked_again() -> None:
    person = Person(
        *("9", "4", "/dev/video0", "v4l2:/dev/video0"),
        *("1 7", "-", "maybe", "n"),
        *("5", "ftp://x/y", "https://example.org/room.jpg"),
        *("y", "65536", "80", "2", "short", "long enough", "long enouhg", "long enough", "long enough"),
        *("n", "n"),
    )
    outcome = ask(draft(), person.terminal, FULL)
    assert person.is_done
    seen = "\n".join(person.seen)
    for told in (
        "9: is none of these (allowed: 1 to 4)",
        "camera.source = '/dev/video0': is not a source (allowed: auto, picamera:0,",
        "7: is none of these (allowed: 1 to 3, blanks between, or - for none)",
        "maybe: is no answer (allowed: y or n)",
        "background_replacement.background_image_url = 'ftp://x/y'",
        "web.port = 65536",
        "has fewer than 8 characters",
        "the two are not the same",
    ):
        assert told in " ".join(seen.split()), told
    assert "long enou" not in seen
    assert outcome.settings.camera.source == "v4l2:/dev/video0"
    assert outcome.settings.effect == "image"
    assert outcome.settings.web.port == 80
    assert outcome.passwords == {"web": "long enough"}


def test_a_machine_without_anything_says_so() -> None:
    person = Person(*[""] * 20)
    outcome = ask(draft(), person.terminal, Machine(missing_for_rtsp=("python3-gi",)))
    assert outcome == draft()
    seen = "\n".join(person.seen)
    for told in ("no camera was found", "no v4l2loopback device", "no USB device controller", "no GPIO pins"):
        assert told in seen
    assert "sudo apt install python3-gi" in seen


def test_without_a_person_defaults_are_taken_and_nothing_is_tried() -> None:
    taken = ask(draft(mqtt={"is_enabled": True, "host": "no.such.host.invalid"}), Defaults(), FULL)
    assert taken.settings.sinks == ("v4l2loopback:/dev/video10",)
    assert taken.settings.camera.source == "auto"
    assert ask(taken, Defaults(), FULL) == taken


def test_the_end_of_input_is_no_answer() -> None:
    with pytest.raises(SetupError, match="nothing was changed"):
        ask(draft(), Person("1").terminal, FULL)


def test_values_can_be_typed_as_well_as_numbers() -> None:
    choices = [Choice("auto", "the first"), Choice("demo:", "drawn")]
    assert Person("demo:").terminal.choose("Which?", choices, "auto") == "demo:"
    assert Person("demo: 1").terminal.choose_many("Which?", choices, []) == ("demo:", "auto")


def test_answers_are_a_patch_and_passwords() -> None:
    outcome = from_answers(draft(), {"effect": "color", "color": "red", "passwords": {"web": "12345678"}})
    assert outcome.settings.effect == "color"
    assert outcome.settings.web.password_file == "/etc/scrim/web-password"


@pytest.mark.parametrize(
    "answers",
    [
        {"passwords": "x"},
        {"passwords": {"root": "12345678"}},
        {"passwords": {"web": 12345678}},
        {"passwords": {"web": "1234567"}},
        {"passwords": {"rtsp": "two\nlines of it"}},
        {"passwords": {"mqtt": "x" * 1025}},
        {"passwords": {"mqtt": "\ud800"}},
        {"camera": {"source": "nowhere"}},
        {"camra": {}},
    ],
)
def test_wrong_answers_are_refused_without_showing_a_password(answers: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        from_answers(draft(), answers)
    assert "1234567" not in str(refused.value)
    assert "two" not in str(refused.value)


def test_passwords_are_as_long_as_the_gateway_wants_them() -> None:
    assert prometheus.LEAST_CHARACTERS == rtsp.LEAST_CHARACTERS  # so that one sentence of the docs holds
    for secret, least in (("web", web.LEAST_CHARACTERS), ("rtsp", rtsp.LEAST_CHARACTERS)):
        check_password(secret, "x" * least)  # type: ignore[arg-type]
        with pytest.raises(ConfigError):
            check_password(secret, "x" * (least - 1))  # type: ignore[arg-type]


MINE = """\
# Mine, of 2024.
sinks = [ "images:/a",   # the first
          "images:/b" ]

[camera]   # the big one
source = "demo:"     # until it comes
width=640
  height = 480

[model]
threads = 2

# The end.
"""


def test_comments_order_and_spelling_stay() -> None:
    before = from_document(tomllib.loads(MINE))
    after = before.patched({"camera": {"source": "auto", "mirror": True}, "effect": "color", "color": "red"})
    text = edited(MINE, before, after)
    assert from_document(tomllib.loads(text)) == after
    changed = text.replace('"auto"', '"demo:"').replace("mirror = true\n", "")
    assert changed.startswith(MINE.rstrip().removesuffix("# The end.").rstrip())
    assert "# The end." in text


def test_a_first_file_is_the_reference_with_the_answers_in_it() -> None:
    reference, after = as_toml(Settings()), Settings().patched({"web": {"port": 80}, "sinks": ["memory:"]})
    wanted = reference.replace("port = 8080", "port = 80").replace("sinks = []", 'sinks = ["memory:"]')
    assert edited(reference, Settings(), after) == wanted
    assert wanted != reference


DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "sinks": st.lists(st.sampled_from(["memory:", "uvc_gadget:", "file:/a\"'\\b.mkv"]), max_size=3),
        "reporting_period_ms": st.floats(1, 3_600_000),
        "camera": st.fixed_dictionaries(
            {},
            optional={
                "width": st.sampled_from([640, 1280]),
                "controls": st.dictionaries(
                    st.sampled_from(["gain", "focus"]),
                    st.integers(-9, 9) | st.booleans() | st.text(max_size=9),
                ),
            },
        ),
        "keep": st.fixed_dictionaries(
            {"regions": st.lists(st.tuples(*[st.floats(0, 1)] * 4).map(list), max_size=3)}
        ),
        "panel": st.fixed_dictionaries({"button_pin": st.none() | st.integers(0, 27)}),
        "device": st.fixed_dictionaries({"name": st.from_regex(r"[^\x00-\x1f\x7f]{0,20}", fullmatch=True)}),
    },
)


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=30)
def test_any_change_of_any_file_means_what_was_answered(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    before = Settings().patched(first)
    after = before.patched(second)
    for text, meant in ((as_toml(before), before), ("", Settings())):
        assert from_document(tomllib.loads(edited(text, meant, after))) == after


@pytest.mark.parametrize(
    "text",
    [
        'camera.source = "demo:"\nweb = { port = 80 }\n',
        "[web]\r\nport = 80\r\n[camera]\r\nsource = 'demo:'\r\n",
    ],
)
def test_other_spellings_of_toml_are_edited_too(text: str) -> None:
    before = from_document(tomllib.loads(text))
    after = before.patched(
        {"camera": {"source": "auto", "width": 640}, "web": {"port": 81, "hosts": ["a.b"]}}
    )
    assert from_document(tomllib.loads(edited(text, before, after))) == after


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_files_or_none(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("before")
    bad.mkdir()
    with pytest.raises(SetupError, match="nothing was changed"):
        write_all([NewFile(good, b"after", 0o600), NewFile(bad, b"", 0o600)])
    assert good.read_text() == "before"
    assert names(tmp_path) == ["bad", "good"]
    write_all([NewFile(good, b"after", 0o600), NewFile(tmp_path / "new", b"x", 0o640)])
    assert good.read_text() == "after"
    assert names(tmp_path) == ["bad", "good", "new"]


def test_modes_are_kept_or_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o664)
    write_all([NewFile(path, b"settings", 0o640, keeps_mode=True)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    write_all([NewFile(path, b"password", 0o600)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_belong_to_whom_they_are_for(tmp_path: Path) -> None:
    new, there = tmp_path / "password", tmp_path / "scrim.toml"
    there.write_text("before")
    os.chown(there, 0, 12)
    write_all([NewFile(new, b"x", 0o600, (65534, 65533)), NewFile(there, b"y", 0o640, keeps_mode=True)])
    assert [(path.stat().st_uid, path.stat().st_gid) for path in (new, there)] == [(65534, 65533), (0, 12)]


@pytest.mark.parametrize("place", ["write", "fsync", "fchmod"])
def test_a_full_disk_leaves_everything_as_it_was(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scrim.toml"
    path.write_text("before")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if place == "write":
        files: Iterable[NewFile] = [NewFile(path, b"a", 0o600), NewFile(Path("/dev/full/x"), b"b", 0o600)]
    else:
        monkeypatch.setattr(os, place, fails)
        files = [NewFile(path, b"a", 0o600)]
    with pytest.raises(SetupError, match="nothing was changed"):
        write_all(list(files))
    assert path.read_text() == "before"
    assert names(tmp_path) == ["scrim.toml"]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "scrim.toml"
    after = Settings().patched({"camera": {"source": "demo:"}})
    write_all([NewFile(path, edited(as_toml(Settings()), Settings(), after).encode(), 0o640)])
    assert load(path) == after

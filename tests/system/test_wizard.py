"""scrim setup at a real terminal: a pty, as ssh gives one."""

import contextlib
import errno
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scrim.config import load

PATIENCE_S = 180.0


class Session:
    """A person at a terminal, who waits for each question."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where a shell started the tests with &
            os.execve(sys.executable, [sys.executable, "-m", "scrim", "setup", *arguments], environment)
        self.screen = ""
        self._read_to = 0

    def expect(self, text: str) -> None:
        """Wait until ``text`` is shown, after what was expected before."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (found := self.screen.find(text, self._read_to)) < 0:
            assert time.monotonic() < deadline_s, self.screen
            if not self._read():
                pytest.fail(f"ended before {text!r}:\n{self.screen}")
        self._read_to = found + len(text)

    def type(self, line: str) -> None:
        os.write(self._descriptor, line.encode() + b"\n")

    def answer(self, question: str, line: str = "") -> None:
        self.expect(question)
        self.type(line)

    def secret(self, question: str, line: str) -> None:
        """Once the terminal does not show what is typed any more."""
        self.expect(question)
        deadline_s = time.monotonic() + PATIENCE_S
        while termios.tcgetattr(self._descriptor)[3] & termios.ECHO:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        self.type(line)

    def press(self, key: bytes) -> None:
        os.write(self._descriptor, key)

    def end(self, key: bytes = b"") -> int:
        """Read to the end, pressing ``key`` while nothing comes; the exit status."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self._read(key):
            assert time.monotonic() < deadline_s, self.screen
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._descriptor)

    def _read(self, key: bytes = b"") -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], 3.0)
        if not ready:
            self.press(key)
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # which a terminal gives whose other end has been closed
                raise
            return False
        self.screen += data.decode().replace("\r\n", "\n")
        return bool(data)


Start = Callable[..., Session]


@pytest.fixture
def start(scrim_environment: dict[str, str]) -> Iterator[Start]:
    sessions: list[Session] = []

    def begin(*arguments: object, **environment: str) -> Session:
        changed = scrim_environment | {"TERM": "dumb", "PYTHONWARNINGS": "error"} | environment
        session = Session([str(argument) for argument in arguments], changed)
        sessions.append(session)
        return session

    try:
        yield begin
    finally:
        for session in sessions:
            session.close()


def test_from_the_first_question_to_the_written_file(
    start: Start, make_mosquitto: Callable[..., object], tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("# Mine.\n[camera]\nwidth = 640  # small\nheight = 480\n")
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "desk", "not-to-be-seen"],
        check=True,
        capture_output=True,
    )
    broker = make_mosquitto("allow_anonymous false", f"password_file {passwords}")
    session = start("--config", file, TERM="xterm")
    session.answer("Which camera?", "demo:")
    session.expect("RTSP")
    session.answer("Serve it?", "n")
    session.expect("Effect")
    session.answer("Which?", "3")
    session.expect("Page")
    session.answer("Serve it?", "y")
    session.answer("TCP port?")
    session.answer("Who may open it?", "2")
    session.secret("Password", "page-password")
    session.secret("Once more", "page-password")
    session.answer("Connect to an MQTT broker?", "y")
    session.answer("Name of this device", "Desk")
    session.answer("Broker's name", "127.0.0.1")
    session.answer("TLS?", "n")
    session.answer("TCP port, 0", str(broker.port))  # type: ignore[attr-defined]
    session.answer("User", "desk")
    session.secret("Password", "not-to-be-typed")
    session.secret("Once more", "not-to-be-typed")
    session.answer("Try the connection now?", "y")
    session.answer("Answer these questions again?", "y")
    assert "ot authorized" in session.screen
    session.answer("Connect to an MQTT broker?", "y")
    for question in ("Name of", "Broker's", "TLS?", "TCP port", "User"):
        session.answer(question)
    session.secret("Password", "not-to-be-seen")
    session.secret("Once more", "not-to-be-seen")
    session.answer("Try the connection now?", "y")
    session.expect("takes device")
    session.answer(f"Write this to {file}?", "y")
    session.expect("written: ")
    assert session.end() == 0
    assert "not-to-be" not in session.screen
    assert "page-password" not in session.screen
    assert "\x1b" not in session.screen
    assert file.read_text().startswith(
        '# Mine.\n[camera]\nwidth = 640  # small\nheight = 480\nsource = "demo:"\n'
    )
    settings = load(file)
    assert settings.background_blur.strength == "high"
    assert settings.mqtt.password_file == str(tmp_path / "mqtt-password")
    for name, password in (("mqtt-password", "not-to-be-seen"), ("web-password", "page-password")):
        assert (tmp_path / name).read_text() == f"{password}\n"
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (
        tmp_path / "mine.toml.bak"
    ).read_text() == "# Mine.\n[camera]\nwidth = 640  # small\nheight = 480\n"


@pytest.mark.parametrize("questions", [0, 1, 2])
def test_ctrl_c_leaves_everything_as_it_was(start: Start, tmp_path: Path, questions: int) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[web]\nport = 8081\n")
    before = sorted(tmp_path.rglob("*"))
    session = start("--config", file)
    answers = [("Which camera?", "demo:"), ("Serve it?", "n"), ("Which?", "1")]
    for question, line in answers[:questions]:
        session.answer(question, line)
    session.expect(answers[questions][0])
    session.press(b"\x03")
    # Python misses a signal that comes between the question and its wait for the answer.
    assert session.end(b"\x03") == 130
    assert "nothing was changed" in session.screen
    assert "Traceback" not in session.screen
    assert file.read_text() == "[web]\nport = 8081\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_no_at_the_end_writes_nothing(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    session = start("--config", file)
    session.answer("Which camera?", "demo:")
    for question in ("Serve it?", "Which?", "Serve it?", "TCP port?", "Who may", "Connect to"):
        session.answer(question)
    session.answer("Write this", "n")
    assert session.end() == 0
    assert not file.exists()


def test_without_a_terminal_it_says_what_to_use(scrim, tmp_path: Path) -> None:
    result = scrim("setup", "--config", tmp_path / "mine.toml")
    assert result.returncode == 1
    assert "--answers FILE.json or --defaults" in result.stderr
    assert scrim("setup", "--json").returncode == 2


def test_programs_give_answers_and_get_json(scrim, tmp_path: Path) -> None:
    file, answers = tmp_path / "new" / "folder" / "mine.toml", tmp_path / "answers.json"
    answers.write_text(json.dumps({"cameraSource": 1, "camera": {"source": "demo:"}}))
    refused = scrim("setup", "--config", file, "--answers", answers, "--json")
    assert refused.returncode == 78
    assert "camera_source" in refused.stderr
    assert not file.exists()

    answers.write_text(json.dumps({"camera": {"source": "demo:"}, "passwords": {"web": "page-password"}}))
    answers.chmod(0o644)
    assert "chmod 600" in scrim("setup", "--config", file, "--answers", answers).stderr
    answers.chmod(0o600)
    dry = json.loads(scrim("setup", "--config", file, "--answers", answers, "--json", "--dry-run").stdout)
    assert dry["is_written"] is False
    assert not file.exists()

    result = scrim("setup", "--config", file, "--answers", answers, "--json")
    told = json.loads(result.stdout)
    assert "page-password" not in result.stdout + result.stderr
    assert told == dry | {"is_written": True}
    assert [change["key"] for change in told["changes"]] == ["camera.source", "web.password_file"]
    assert load(file).camera.source == "demo:"
    assert (file.parent / "web-password").read_text() == "page-password\n"

    again = scrim("setup", "--config", file, "--defaults")
    assert (again.returncode, re.findall("nothing was changed", again.stdout)) == (0, ["nothing was changed"])


def test_a_wrong_file_is_not_touched(scrim, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[web]\nport = 'x'\n")
    result = scrim("setup", "--config", file, "--defaults")
    assert (result.returncode, "web.port" in result.stderr) == (78, True)
    assert file.read_text() == "[web]\nport = 'x'\n"
    nowhere = scrim("setup", "--config", "/proc/scrim.toml", "--defaults")
    assert nowhere.returncode == 1
    assert "Traceback" not in nowhere.stderr

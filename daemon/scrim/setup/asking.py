"""How questions are asked: at any terminal, line by line, by keyboard only; or not at all, for programs."""

import getpass
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from scrim.errors import ConfigError, SetupError

Answer = TypeVar("Answer")

_WIDEST = 100
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose.

    Attributes:
        value: what it stands for.
        words: what it is, for people.
    """

    value: str
    words: str


class Asker(Protocol):
    """Gets answers.

    Attributes:
        is_person: whether somebody is there who waits and reads.
    """

    is_person: bool

    def say(self, text: str) -> None:
        """Tell something."""

    def choose(self, question: str, choices: Sequence[Choice], default: str) -> str:
        """The value of one choice."""

    def choose_many(
        self, question: str, choices: Sequence[Choice], default: Sequence[str]
    ) -> tuple[str, ...]:
        """The values of any number of choices, in the order in which they were named."""

    def text(self, question: str, default: str, take: Callable[[str], Answer]) -> Answer:
        """A line that ``take`` makes something of; asked again while that raises ConfigError.

        An empty line means ``default``, and ``-`` the empty text.
        """

    def confirm(self, question: str, *, default: bool) -> bool:
        """Yes or no."""

    def secret(self, question: str, check: Callable[[str], None], *, may_keep: bool) -> str | None:
        """A password that is not shown, typed twice; None to keep the one there is.

        Asked again while ``check`` raises ConfigError.
        """


class Defaults:
    """Takes the default of every question; what is told goes nowhere."""

    is_person = False

    def say(self, text: str) -> None:
        """Nothing."""

    def choose(self, _question: str, _choices: Sequence[Choice], default: str) -> str:
        """See ``Asker``."""
        return default

    def choose_many(
        self, _question: str, _choices: Sequence[Choice], default: Sequence[str]
    ) -> tuple[str, ...]:
        """See ``Asker``."""
        return tuple(default)

    def text(self, _question: str, default: str, take: Callable[[str], Answer]) -> Answer:
        """See ``Asker``."""
        return take(default)

    def confirm(self, _question: str, *, default: bool) -> bool:
        """See ``Asker``."""
        return default

    def secret(self, _question: str, _check: Callable[[str], None], *, may_keep: bool) -> str | None:
        """None: there is no password that everybody knows.

        Raises:
            SetupError: there is none yet.
        """
        if may_keep:
            return None
        raise SetupError("setup: a password is needed, and --defaults has none; give it with --answers")


class Terminal:
    """Asks a person, in plain lines: no colours, no cursor movements, so that any terminal will do.

    Args:
        read_line: shows a question and gives the line that was typed.
        read_secret: the same without showing it.
        write: shows a line.
    """

    is_person = True

    def __init__(
        self,
        read_line: Callable[[str], str] = input,
        read_secret: Callable[[str], str] = getpass.getpass,
        write: Callable[[str], object] = print,
    ) -> None:
        self._read_line = read_line
        self._read_secret = read_secret
        self._write = write
        self._width = max(20, min(shutil.get_terminal_size((80, 24)).columns, _WIDEST) - 1)

    def say(self, text: str) -> None:
        """Show text, wrapped; lines that are indented wrap with their indentation."""
        for line in text.splitlines() or [""]:
            indent = " " * (len(line) - len(line.lstrip()))
            wrapped = textwrap.wrap(
                line,
                self._width,
                subsequent_indent=indent + "  " * bool(indent),
                break_on_hyphens=False,
                break_long_words=False,
            )
            self._write("\n".join(wrapped))

    def choose(self, question: str, choices: Sequence[Choice], default: str) -> str:
        """See ``Asker``: by number or by value."""
        self._list(choices)
        preset = _number_of(choices, default)
        while True:
            line = self._line(f"{question} [{preset}] ") or preset
            if (value := _chosen(choices, line)) is not None:
                return value
            self.say(f"  {line}: is none of these (allowed: 1 to {len(choices)})")

    def choose_many(
        self, question: str, choices: Sequence[Choice], default: Sequence[str]
    ) -> tuple[str, ...]:
        """See ``Asker``: numbers or values with blanks or commas between, ``-`` for none."""
        self._list(choices)
        preset = " ".join(_number_of(choices, value) for value in default) or _NONE
        while True:
            words = (self._line(f"{question} [{preset}] ") or preset).replace(",", " ").split()
            if words == [_NONE]:
                return ()
            values = [_chosen(choices, word) for word in words]
            if words and None not in values:
                return tuple(dict.fromkeys(value for value in values if value is not None))
            wrong = " ".join(word for word, value in zip(words, values, strict=True) if value is None)
            allowed = f"1 to {len(choices)}, blanks between, or {_NONE} for none"
            self.say(f"  {wrong}: is none of these (allowed: {allowed})")

    def text(self, question: str, default: str, take: Callable[[str], Answer]) -> Answer:
        """See ``Asker``."""
        while True:
            line = self._line(f"{question} [{default or _NONE}] ")
            try:
                return take(default if not line else "" if line == _NONE else line)
            except ConfigError as error:
                self._tell(error)

    def confirm(self, question: str, *, default: bool) -> bool:
        """See ``Asker``."""
        while True:
            line = self._line(f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
            if not line:
                return default
            if line in ("y", "yes", "n", "no"):
                return line.startswith("y")
            self.say(f"  {line}: is no answer (allowed: y or n)")

    def secret(self, question: str, check: Callable[[str], None], *, may_keep: bool) -> str | None:
        """See ``Asker``."""
        hint = " (not shown; empty keeps the one there is): " if may_keep else " (not shown): "
        while True:
            password = self._hidden(f"{question}{hint}")
            if not password and may_keep:
                return None
            try:
                check(password)
            except ConfigError as error:
                self._tell(error)
                continue
            if self._hidden("Once more: ") == password:
                return password
            self.say("  the two are not the same")

    def _tell(self, error: ConfigError) -> None:
        for problem in error.problems:
            self.say(f"  {problem}")

    def _list(self, choices: Sequence[Choice]) -> None:
        for number, choice in enumerate(choices, 1):
            self.say(f"  {number}  {choice.words}")

    def _line(self, question: str) -> str:
        return self._ended(lambda: self._read_line(question)).strip()

    def _hidden(self, question: str) -> str:
        return self._ended(lambda: self._read_secret(question))

    def _ended(self, read: Callable[[], str]) -> str:
        try:
            return read()
        except EOFError:
            raise SetupError("setup: the input ended before the last question; nothing was changed") from None


def terminal() -> Terminal:
    """This process's terminal.

    Raises:
        SetupError: it has none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SetupError(
            "setup: asks questions, and there is no terminal; use --answers FILE.json or --defaults"
        )
    return Terminal()


def _number_of(choices: Sequence[Choice], value: str) -> str:
    return str([choice.value for choice in choices].index(value) + 1)


def _chosen(choices: Sequence[Choice], word: str) -> str | None:
    if word.isascii() and word.isdecimal() and 0 < int(word[:9]) <= len(choices):
        return choices[int(word) - 1].value
    return next((choice.value for choice in choices if choice.value == word), None)

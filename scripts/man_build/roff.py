"""Text as man(7) wants it: see man(7) and groff_man(7)."""

import textwrap
from collections.abc import Iterable, Iterator

RELEASED = "2026-11-21"
"""When the version that the pages tell of was made; docs/release.md says when to change it."""

_GLYPHS = {
    "\\": "\\e",
    "-": "\\-",
    "^": "\\(ha",
    "~": "\\(ti",
    "`": "\\(ga",
    "'": "\\(aq",
    '"': "\\(dq",
}


_WIDEST = 72


def escaped(text: str) -> str:
    """Text that comes out as it is here, character by character, and breaks no line of roff.

    Raises:
        ValueError: it has a character outside ASCII, which not every terminal can show.
    """
    if not text.isascii():
        raise ValueError(f"not ASCII: {text!r}")
    return "".join(_GLYPHS.get(character, character) for character in text)


def page(lines: Iterable[str]) -> str:
    """The whole page; a paragraph needs no beginning where a heading has just made one."""
    kept: list[str] = []
    for line in lines:
        if line != ".PP" or not kept[-1].startswith((".SH", ".SS")):
            kept.append(line)
    return "\n".join(kept) + "\n"


def title(name: str, section: int, version: str) -> str:
    """The first line of a page."""
    return f'.TH {escaped(name)} {section} "{RELEASED}" "scrim {escaped(version)}"'


def heading(text: str) -> str:
    """A part of the page."""
    return f".SH {escaped(text).upper()}"


def subheading(text: str) -> str:
    """A part of a part."""
    return f'.SS "{escaped(text)}"'


def paragraph(text: str) -> Iterator[str]:
    """Words that are filled into lines."""
    yield ".PP"
    yield from _lines(text)


def item(term: str, text: str) -> Iterator[str]:
    """A term, and indented below it what it means."""
    yield ".TP"
    yield f".B {escaped(term)}"
    yield from _lines(text)


def literal(lines: Iterable[str]) -> Iterator[str]:
    """Lines that stay as they are."""
    yield from (".PP", ".nf", ".RS 4")
    for line in lines:
        yield _guarded(escaped(line))
    yield from (".RE", ".fi")


def _lines(text: str) -> Iterator[str]:
    """Short lines, and a new one for each sentence, so that differences are easy to read."""
    for sentence in " ".join(text.split()).replace(". ", ".\n").splitlines():
        for line in textwrap.wrap(sentence, _WIDEST, break_on_hyphens=False, break_long_words=False):
            yield _guarded(escaped(line))


def _guarded(line: str) -> str:
    """A line that begins with a dot or a quote would be taken as a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line

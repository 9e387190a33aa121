"""What was found, and what would mend it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from scrim.errors import ScrimError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        is_good: whether it works.
        found: what was seen.
        mend: what to do about it; empty when it works.
    """

    name: str
    is_good: bool
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judged(name: str, found: str, mend: str, *, is_good: bool) -> Finding:
    """A finding whose mend is told only where it is needed."""
    return Finding(name, is_good, found, "" if is_good else mend)


def attempt(name: str, mend: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What ``look`` finds; an error is a finding too.

    Args:
        name: of the finding that an error becomes.
        mend: for an error that does not say itself what would help.
        look: yields findings.
    """
    try:
        yield from look()
    except ScrimError as error:
        found, _, own_mend = str(error).partition("; ")
        yield Finding(name, False, found, own_mend or mend)


def table(findings: list[Finding]) -> str:
    """The findings for people."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.is_good else 'FAIL'} {finding.name:{width}}  {finding.found}")
        if finding.mend:
            lines.append(f"     {'':{width}}  mend: {finding.mend}")
    return "\n".join(lines)

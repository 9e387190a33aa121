"""``scripts/audit``: known vulnerabilities of the locked packages, each explained or an error."""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from supply.locks import RELEASES, ROOT, lock_file

NOT_ASKED = 3
"""Exit status where the service did not know the packages, or could not be reached: nothing is known then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One that somebody has looked at.

    Attributes:
        id: as the service calls it.
        package: where it is.
        until: the day on which it is looked at again.
        why: it is no danger here.
    """

    id: str
    package: str
    until: date
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an audit.

    Attributes:
        problems: lines; none when all is well.
        explained: lines, for the record.
        unasked: packages of which nothing is known.
        looked_at: how many were looked up.
    """

    problems: tuple[str, ...]
    explained: tuple[str, ...]
    unasked: tuple[str, ...]
    looked_at: int

    @property
    def status(self) -> int:
        """Exit status: 0 clean or explained, 1 problems, 3 not all could be asked."""
        if self.problems:
            return 1
        return NOT_ASKED if self.unasked or not self.looked_at else 0


def findings(text: str) -> list[Finding]:
    """What ``requirements/findings.toml`` says."""
    return [Finding(**row) for row in tomllib.loads(text).get("finding", [])]


def judge(reports: Iterable[Mapping[str, Any]], known: Sequence[Finding], today: date) -> Verdict:
    """Hold what pip-audit reports against what is explained.

    Args:
        reports: pip-audit's JSON, one for each lock. A package that it skipped counts as not asked: pip-audit
            itself says "No known vulnerabilities found" when it could ask of none.
        known: explanations.
        today: explanations whose day has come count no more.
    """
    entries = [entry for report in reports for entry in report["dependencies"]]
    asked = [entry for entry in entries if "skip_reason" not in entry]
    unasked = {entry["skip_reason"].rpartition(": ")[2] for entry in entries if "skip_reason" in entry}
    problems, explained, seen = [], [], set[str]()
    for entry, vulnerability in ((one, each) for one in asked for each in one["vulns"]):
        words = f"{entry['name']} {entry['version']}: {vulnerability['id']}"
        names = {vulnerability["id"], *vulnerability.get("aliases", ())}
        match = next((one for one in known if one.id in names and one.package == entry["name"]), None)
        if match is None:
            fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version"
            problems.append(f"{words}: not explained; {fixed} mends it: scripts/lock")
        elif match.until <= today:
            problems.append(f"{words}: to be looked at again since {match.until}")
        else:
            explained.append(f"{words}: {match.why}")
        seen |= names
    if not unasked:
        gone = [one for one in known if one.id not in seen]
        problems += [f"{one.package}: {one.id}: not found any more; take it out" for one in gone]
    return Verdict(_once(problems), _once(explained), tuple(sorted(unasked)), len(asked))


def _once(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))


def reports(pip_audit: str) -> Iterator[dict[str, Any]]:
    """What pip-audit says of each lock.

    Raises:
        RuntimeError: it could not ask.
    """
    for release in RELEASES:
        command = [pip_audit, "-r", str(lock_file(release)), "--disable-pip", "--require-hashes"]
        command += ["--progress-spinner", "off", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            yield json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"{release}: {done.stderr.strip()[-500:]}") from None


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Returns:
        Exit status: see ``Verdict.status``.
    """
    parser = argparse.ArgumentParser(prog="scripts/audit", description=__doc__)
    parser.add_argument("--pip-audit", default="pip-audit", metavar="PROGRAM", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    known = findings((ROOT / "requirements" / "findings.toml").read_text())
    try:
        verdict = judge(reports(options.pip_audit), known, datetime.now(UTC).date())
    except RuntimeError as error:
        print(f"audit: could not ask: {error}", file=sys.stderr)
        return NOT_ASKED
    for line in (*verdict.explained, *verdict.problems):
        print(f"audit: {line}")
    if verdict.unasked:
        print(f"audit: the service knows nothing of {len(verdict.unasked)}: {', '.join(verdict.unasked)}")
    counts = f"{len(verdict.explained)} explained, {len(verdict.problems)} problems"
    print(f"audit: {verdict.looked_at} looked up, {counts}")
    return verdict.status


if __name__ == "__main__":
    sys.exit(main())

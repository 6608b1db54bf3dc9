"""Rows, what they find, and the table of it."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import fake_work
from runs import check_whole, here, record

from synth4d.run import plan

SHOTS = 13


@dataclass
class Found:
    """What a row has tried and what it saw."""

    tries: int = 0
    violations: list[str] = field(default_factory=list)
    skipped: str = ""
    """Why the row could not be tried here."""
    note: str = ""

    def expect(self, held: object, said: str) -> None:
        if not held:
            self.violations.append(said)

    def clean(self, out: Path, said: str, shots: int = SHOTS) -> None:
        """The dataset is whole and has the digest of an undisturbed run."""
        try:
            check_whole(out)
        except Exception as broken:  # whatever it is, it is what we are looking for
            self.violations.append(f"{said}: {type(broken).__name__} {str(broken)[:200]}")
            return
        self.expect(record(out).digest == golden(shots), f"{said}: another digest")


Disturb = Callable[[Path, int, Found], None]


@dataclass(frozen=True)
class Row:
    number: str
    what: str
    short: int
    """Tries within the tests; 0: only in the long form."""
    long: int
    disturb: Disturb


ROWS: list[Row] = []


def row(number: str, what: str, *, short: int, long: int) -> Callable[[Disturb], Disturb]:
    """Declare a row by the function that disturbs runs in a folder, so many times."""

    def declare(disturb: Disturb) -> Disturb:
        ROWS.append(Row(number, what, short, long, disturb))
        return disturb

    return declare


@functools.cache
def golden(shots: int = SHOTS) -> str:
    """The digest of an undisturbed run."""
    plan.code_versions = fake_work.versions
    with tempfile.TemporaryDirectory() as folder:
        return here(Path(folder) / "out", shots=shots).record.digest


def run(row: Row, tries: int, folder: Path) -> tuple[Found, float]:
    """A row's findings and the seconds it took."""
    plan.code_versions = fake_work.versions
    found, start = Found(), time.monotonic()
    try:
        row.disturb(folder, tries, found)
    except Exception as broken:  # such as a run that could not begin: the other rows go on
        found.violations.append(f"{type(broken).__name__}: {broken}"[:400])
    return found, time.monotonic() - start


def line(row: Row, found: Found, seconds: float) -> str:
    """A row of the table in Markdown."""
    what = row.what + (f" ({found.note})" if found.note else "")
    if found.skipped:
        return f"| {row.number} | {what} | not tried: {found.skipped} | | |"
    return f"| {row.number} | {what} | {found.tries} | {len(found.violations)} | {seconds:.0f} |"


HEAD = "| row | fault | tries | violations | seconds |\n|---|---|---|---|---|"

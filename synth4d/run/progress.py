"""What a person sees while a run works: a bar per stage on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from synth4d.run.work import STAGES, Totals

LINE_SECONDS = 10.0
COMMIT = "commit"


class Tally:
    """Running counts of shots and questions; `tick` reads what the workers have noted since."""

    def __init__(self, total: int, log: Path) -> None:
        self.total = total
        self.stages = dict.fromkeys(STAGES, 0)
        self.committed = 0
        self.quarantined = 0
        self.kept = 0
        self.rejected = 0
        self._log = log
        self._at = log.stat().st_size if log.exists() else 0
        self._rest = b""

    def known(self, totals: Totals, quarantined: int) -> None:
        """Shots that an earlier run has already finished."""
        for stage in self.stages:
            self.stages[stage] += totals.shots
        self.add(totals, quarantined)

    def boxed(self) -> None:
        """A shot of an earlier run that only lacks its questions."""
        for stage in STAGES[:-1]:
            self.stages[stage] += 1

    def asked(self, totals: Totals) -> None:
        """A shot that has its questions now."""
        self.stages[STAGES[-1]] += 1
        self.add(totals, 0)

    def add(self, totals: Totals, quarantined: int) -> None:
        """Shots that are finished now."""
        self.committed += totals.shots
        self.quarantined += quarantined
        for stage in self.stages:  # a shot that was given up is past all of them
            self.stages[stage] = min(self.total, self.stages[stage] + quarantined)
        self.kept += totals.kept
        self.rejected += totals.rejected

    def tick(self) -> None:
        if not self._log.exists():
            return
        with self._log.open("rb") as f:
            f.seek(self._at)
            new = f.read()
        self._at += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            name = line.decode(errors="replace")
            if name in self.stages:
                self.stages[name] = min(self.total, self.stages[name] + 1)

    @property
    def finished(self) -> int:
        return self.committed + self.quarantined

    def share(self) -> str:
        asked = self.kept + self.rejected
        return f"{100 * self.kept / asked:.0f}% kept" if asked else ""


class Display(Protocol):
    def update(self, tally: Tally) -> None: ...
    def close(self) -> None: ...


class Bars:
    """One bar a stage, and one for what is committed."""

    def __init__(self, total: int, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:>9}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            refresh_per_second=4,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._bars.add_task(name, total=total, note="") for name in (*STAGES, COMMIT)
        }
        self._bars.start()

    def update(self, tally: Tally) -> None:
        for name, done in tally.stages.items():
            self._bars.update(self._tasks[name], completed=done)
        quarantined = f"{tally.quarantined} quarantined" if tally.quarantined else ""
        self._bars.update(self._tasks["filter"], note=tally.share())
        self._bars.update(self._tasks[COMMIT], completed=tally.finished, note=quarantined)

    def close(self) -> None:
        self._bars.stop()


class Lines:
    """A line every few seconds, for logs."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._start = self._last = time.monotonic()
        self._first: int | None = None

    def update(self, tally: Tally) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = tally.finished
        if now - self._last < LINE_SECONDS:
            return
        self._last = now
        print(self._line(tally, now - self._start), file=self._out, flush=True)

    def _line(self, tally: Tally, seconds: float) -> str:
        made = tally.finished - (self._first or 0)
        left = tally.total - tally.finished
        parts = [f"{tally.finished}/{tally.total} shots", tally.share()]
        parts += [f"{tally.quarantined} quarantined"] if tally.quarantined else []
        parts += [f"ETA {left * seconds / made:.0f} s"] if made else [f"{seconds:.0f} s"]
        stages = " ".join(f"{name} {done}" for name, done in tally.stages.items())
        return " · ".join(filter(None, parts)) + f" ({stages})"

    def close(self) -> None:
        pass


class Quiet:
    def update(self, tally: Tally) -> None:
        pass

    def close(self) -> None:
        pass


def display(total: int, quiet: bool) -> Display:
    """Bars on a terminal, lines elsewhere; all of it goes to stderr."""
    if quiet:
        return Quiet()
    console = Console(stderr=True)
    return Bars(total, console) if console.is_terminal else Lines(sys.stderr)

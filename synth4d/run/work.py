"""One shot through all stages, in a worker; what it makes, or why it can't be made, ends as a box on disk."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from synth4d.config import RunConfig
from synth4d.errors import CannotHappen, SceneError, ShardError
from synth4d.llm import Talk
from synth4d.records import JSON, Quarantine, Question, Record, Reject, dump
from synth4d.run import bounds, box
from synth4d.run.plan import SceneRef
from synth4d.types import Shot

STAGES = ("simulate", "render", "annotate", "ask", "filter")


class Totals(Record):
    """What shots took and gave, one or many; for people, outside every digest."""

    shots: int = 0
    """Samples; a quarantined shot counts none, only its seconds."""
    attempts: int = 0
    frames: int = 0
    kept: int = 0
    rejected: int = 0
    seconds: dict[str, float] = Field(default_factory=dict)
    model: dict[str, JSON] = Field(default_factory=dict)
    """By kind of call to a model: asked, answered, rejected by fault, all faults of replies, tokens."""
    clips: dict[str, int] = Field(default_factory=dict)
    """Attempts taken as they were kept, made, damaged (and made anew), not kept (run/kept.py)."""

    def plus(self, other: Totals) -> Totals:
        return Totals(
            shots=self.shots + other.shots,
            attempts=self.attempts + other.attempts,
            frames=self.frames + other.frames,
            kept=self.kept + other.kept,
            rejected=self.rejected + other.rejected,
            seconds=added(self.seconds, other.seconds),
            model=added(self.model, other.model),
            clips=added(self.clips, other.clips),
        )


def added(a: JSON, b: JSON) -> JSON:
    """Counts together, however deep."""
    total = dict(a)
    for key, value in b.items():
        if isinstance(value, dict):
            total[key] = added(total.get(key, {}), value)
        else:
            total[key] = round(total.get(key, 0) + value, 6)
    return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class Made:
    """What the stages make of a shot."""

    members: dict[str, bytes]
    """All members of the sample, by suffix."""
    rejects: list[Question]
    frames: int
    kept: int
    open: dict[str, bytes] = field(default_factory=dict)
    """Where a model takes part: what the talk about the shot needs besides. Its questions are still missing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How a talk about a shot ends."""

    kept: list[Question]
    rejects: list[Reject]


class Clock:
    """Processor seconds per stage, counts, and a line in a file at the end of each stage for the progress bars."""

    def __init__(self, log: Path | None) -> None:
        self.seconds: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self._log = log

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        first = name not in self.seconds
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start
        if first and self._log is not None:
            with self._log.open("ab", buffering=0) as f:
                f.write(f"{name}\n".encode())

    def passed(self, *names: str) -> None:
        """Stages that there was no need of."""
        for name in names:
            with self.stage(name):
                pass

    def count(self, name: str) -> None:
        self.counts[name] += 1


Make = Callable[[Shot, RunConfig, SceneRef, int, Clock], Made]
"""(shot, config, its scene, attempt, clock) → Made. After CannotHappen the next attempt is called."""
Finish = Callable[[Shot, RunConfig, dict[str, bytes]], Talk[Judged]]
"""(shot, config, members and open parts) → the talk that gives the shot its questions. Runs in the driver."""


@dataclass(frozen=True, slots=True)
class Job:
    """A shot on its way to a worker."""

    shot: Shot
    config: RunConfig
    scene: SceneRef
    plan: str
    folder: Path
    make: Make

    @property
    def path(self) -> Path:
        return self.folder / f"{self.shot.key}.shot"

    @property
    def overdue(self) -> Path:
        """There while a process is at it; holds its number, and a trace once its watchdog has ended it."""
        return self.folder / f"{self.shot.key}.overdue"


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended. `done`: a box lies at Job.path. `failed`: an error that may be the shot's own.
    `died`: the worker's process ended. `fatal`: nothing can be written; the run must stop."""

    key: str
    end: Literal["done", "failed", "died", "fatal"]
    reason: str = ""
    trace: str = ""
    stats: Totals | None = None
    """Of a sample that was made; None where there is none."""
    open: bool = False
    """The box is not finished: its questions are to be asked."""


# ---- The box of a finished shot ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a shot: its sample's members, or its quarantine."""

    stats: Totals
    members: dict[str, bytes] = field(default_factory=dict)
    rejects: bytes = b""
    """Rows of rejects.jsonl."""
    quarantine: Quarantine | None = None
    open: dict[str, bytes] = field(default_factory=dict)
    """As Made.open; empty once the shot has its questions."""

    def save(self, path: Path, plan: str) -> None:
        parts = {f"member/{k}": v for k, v in self.members.items()} | {"rejects": self.rejects}
        parts |= {f"open/{k}": v for k, v in self.open.items()}
        if self.quarantine is not None:
            parts["quarantine"] = dump(self.quarantine)
        # Three and a half times as many empty shots a second (41, 148); a damaged box is seen by its digest.
        box.write(path, {"plan": plan, "stats": self.stats.model_dump(mode="json")}, parts, lasting=False)


def finished(path: Path, plan: str) -> Finished | None:
    """The box at a path; None when it is missing, damaged or of another plan: make the shot anew."""
    found = box.read(path)
    if found is None or found[0]["plan"] != plan:
        return None
    head, parts = found
    return Finished(
        Totals.model_validate(head["stats"]),
        {k.removeprefix("member/"): v for k, v in parts.items() if k.startswith("member/")},
        parts["rejects"],
        Quarantine.model_validate_json(parts["quarantine"]) if "quarantine" in parts else None,
        {k.removeprefix("open/"): v for k, v in parts.items() if k.startswith("open/")},
    )


def rejected(rejects: list[Reject]) -> bytes:
    """Rows of rejects.jsonl."""
    return b"".join(dump(r) + b"\n" for r in rejects)


def give_up(job: Job, reason: str, attempts: int, clock: Clock) -> Finished:
    """The end of a shot that can't be made."""
    row = Quarantine(key=job.shot.key, scene=job.shot.scene, reason=reason[:500], attempts=attempts)
    return Finished(Totals(attempts=attempts, seconds=clock.seconds, clips=dict(clock.counts)), quarantine=row)


# ---- In the worker -------------------------------------------------------------------------------


def perform(job: Job, bounded: bool = True) -> Result:
    """Make a shot and leave its box at job.path. Never raises but for what ends the process."""
    clock = Clock(job.folder / "stages.log")
    try:
        with bounds.bounded(job.config.limits, job.overdue) if bounded else nullcontext(), bounds.seldom_collected():
            end = _attempts(job, clock)
    except SceneError as e:
        return Result(job.shot.key, "fatal", one_line(e))
    except Exception as e:
        if isinstance(e, OSError) and str(e.filename or "").startswith(str(job.folder)):
            return Result(job.shot.key, "fatal", f"can't write {e.filename}: {e.strerror}; mend that and run again")
        return Result(job.shot.key, "failed", one_line(e), traceback.format_exc())
    try:
        end.save(job.path, job.plan)
    except ShardError as e:
        return Result(job.shot.key, "fatal", one_line(e))
    return Result(job.shot.key, "done", stats=None if end.quarantine else end.stats, open=bool(end.open))


def _attempts(job: Job, clock: Clock) -> Finished:
    reason = ""
    for attempt in range(job.config.max_attempts):
        try:
            made = job.make(job.shot, job.config, job.scene, attempt, clock)
        except CannotHappen as e:
            reason = one_line(e)
            continue
        rows = rejected([Reject(key=job.shot.key, question=q) for q in made.rejects])
        stats = Totals(
            shots=1,
            attempts=attempt + 1,
            seconds={k: round(v, 4) for k, v in clock.seconds.items()},
            frames=made.frames,
            kept=made.kept,
            rejected=len(made.rejects),
            clips=dict(clock.counts),
        )
        return Finished(stats, made.members, rows, open=made.open)
    return give_up(job, f"can't happen: {reason}", job.config.max_attempts, clock)


def one_line(e: BaseException) -> str:
    """An error as one line; the class is named unless it is one of ours."""
    text = " ".join(str(e).split())[:400]
    ours = type(e).__module__.startswith("synth4d.")
    return text if ours and text else f"{type(e).__name__}: {text}" if text else type(e).__name__

"""The run: plan, keep the workers busy, commit in plan order, publish. Stops and goes on at any point."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from synth4d import disk, report
from synth4d.config import RunConfig
from synth4d.errors import SynthError
from synth4d.records import DatasetRecord, dump
from synth4d.run import cluster, commit, fit, publish, remote, shelf, stages, talks
from synth4d.run.folder import Folder, opened
from synth4d.run.plan import SceneRef, make
from synth4d.run.progress import Display, Tally, display
from synth4d.run.work import Clock, Finish, Finished, Job, Make, Result, Totals, finished, give_up
from synth4d.types import Shot

ERROR_TRIES = 2
"""An exception of a stage is tried once more, for what was the machine's fault."""
DEATH_TRIES = 3
"""A worker may be killed by anybody; a shot that kills three is given up."""
BEAT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run ended with."""

    out: Path | str
    record: DatasetRecord
    redone: int
    """Shots that this run made; the others were there already."""
    seconds: float
    clips: dict[str, int] = field(default_factory=dict)
    """As work.Totals.clips, over all runs that made it."""

    @property
    def exit_code(self) -> int:
        return 3 if self.record.quarantined else 0


class Stopped(KeyboardInterrupt):
    """A signal asked the run to stop. (Of this type asyncio lets through what is raised within it.)"""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}; the same command goes on from here")
        self.exit_code = 128 + signum


def dataset(
    config: RunConfig,
    out: Path | str,
    *,
    workers: int,
    ray_address: str | None = None,
    work: Make | None = None,
    finish: Finish | None = None,
    scenes: tuple[SceneRef, ...] | None = None,
    page: Callable[[Path], object] | None = None,
    quiet: bool = False,
) -> Outcome:
    """Make the dataset of a config in a folder or beneath an fsspec URL, or finish the one that was begun there.

    The digest depends on the config, the scenes and the code alone: not on workers, order, signals or kills.
    `work`, `finish` and `scenes` stand in for the stages and their scenes in tests; `page` writes report.PAGE.
    """
    start = time.monotonic()
    config = fit.settled(config, quiet, here=ray_address is None)
    plan = make(config, fit.fitted(config, scenes if scenes is not None else stages.scenes(config.scenes), quiet))
    for scene in plan.scenes:
        if scene.broken and not quiet:
            print(f"warning: scene {scene.name}: {scene.broken}; its shots are quarantined", file=sys.stderr)
    place = remote.opened(str(out), plan) if "://" in str(out) else opened(Path(out).absolute(), plan)
    fields = {Path(s.field) for s in plan.scenes if s.field}
    with _stoppable(), shelf.held(*fields), place as folder:
        record, redone, clips = folder.finished(), 0, dict[str, int]()
        if record is None:
            folder.begin()
            run = _Run(folder, work or stages.make, finish or stages.finish, display(len(plan), quiet))
            try:
                run.shots(workers, ray_address)
                run.talks()
            finally:
                run.display.close()
            record, totals = commit.publish(folder, run.committer.names)
            redone, clips = run.redone, totals.clips
            wall = round(time.monotonic() - start, 3)
            cost = publish.RunRecord(
                seconds=wall,
                workers=workers,
                cpus=publish.cpus(),
                made=redone,
                totals=totals,
                failures=run.failures,
                model=talks.accounts(folder.work, totals),
            )
            publish.write(folder.out, record, cost)
            folder.share(*(folder.out / name for name in publish.LISTS))
            disk.write_atomic(folder.out / disk.DATASET, dump(record) + b"\n")
            folder.share(folder.out / disk.DATASET)
            if page is not None:
                page(folder.out)
                folder.share(folder.out / report.PAGE)
        folder.clear()
        return Outcome(out, record, redone, time.monotonic() - start, clips)


@dataclass
class _Run:
    """The state of one run: what is on its way, and what became of the rest."""

    folder: Folder
    work: Make
    finish: Finish
    display: Display
    tally: Tally = field(init=False)
    committer: commit.Committer = field(init=False)
    jobs: dict[str, Job] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Traces of the shots that were given up, for run.json."""
    open: list[int] = field(default_factory=list)
    """Positions of the shots that only lack their questions."""
    redone: int = 0

    def __post_init__(self) -> None:
        self.tally = Tally(len(self.folder.plan), self.folder.work / "stages.log")
        self.committer = commit.Committer(self.folder, self.tally)

    def shots(self, workers: int, address: str | None) -> None:
        """Finish every shot of the plan."""
        missing = self._missing()
        first = next(missing, None)
        if first is None:
            return
        with _pool(workers, address, self.folder.plan.config.llm.key_env) as pool:
            self._submit(pool, first)
            more = True
            while self.jobs or more:
                while more and len(self.jobs) < pool.width:
                    shot = next(missing, None)
                    more = shot is not None
                    if shot is not None:
                        self._submit(pool, shot)
                result = pool.next(BEAT_SECONDS)
                if result is not None:
                    self._take(pool, result)
                self.tally.tick()
                self.display.update(self.tally)

    def talks(self) -> None:
        """Ask the questions of the shots that a model takes part in."""
        if self.open or self.committer.unguessed:
            talks.hold_all(self.folder, sorted(self.open), self.finish, self._asked, self.committer)

    def _asked(self, shot: Shot, stats: Totals) -> None:
        self.redone += 1
        self.tally.asked(stats)
        self.committer.finish(shot.key)
        self.display.update(self.tally)

    def _missing(self) -> Iterator[Shot]:
        """The shots that no run has finished yet, in plan order; what is found finished is committed."""
        plan = self.folder.plan
        for shot in plan:
            if self.committer.deal(shot) is None:
                continue
            end = finished(self._job(shot).path, plan.digest) or self._without_scene(shot)
            if end is None:
                yield shot
            elif end.open:
                self.tally.boxed()
                self.open.append(shot.index)
            else:
                self.tally.known(end.stats, int(end.quarantine is not None))
                self.committer.finish(shot.key)
        self.committer.all_dealt()

    def _without_scene(self, shot: Shot) -> Finished | None:
        """The end of a shot whose scene can't be loaded, on disk as any other."""
        scene, job = self._scene(shot), self._job(shot)
        if not scene.broken:
            return None
        end = give_up(job, scene.broken, 0, Clock(None))
        end.save(job.path, job.plan)
        return end

    def _scene(self, shot: Shot) -> SceneRef:
        return next(s for s in self.folder.plan.scenes if s.name == shot.scene)

    def _job(self, shot: Shot) -> Job:
        plan = self.folder.plan
        return Job(shot, plan.config, self._scene(shot), plan.digest, self.folder.work, self.work)

    def _submit(self, pool: cluster.Pool, shot: Shot) -> None:
        self.jobs[shot.key] = self._job(shot)
        pool.submit(self.jobs[shot.key])

    def _take(self, pool: cluster.Pool, result: Result) -> None:
        job = self.jobs[result.key]
        if result.end == "fatal":
            raise SynthError(result.reason)
        if result.end != "done":
            tries = self.tries[result.key] = self.tries.get(result.key, 0) + 1
            if tries < (DEATH_TRIES if result.end == "died" else ERROR_TRIES):
                pool.submit(job)
                return
            self.failures[result.key] = result.trace or result.reason
            give_up(job, result.reason, tries, Clock(None)).save(job.path, job.plan)
        del self.jobs[result.key]
        self.tries.pop(result.key, None)
        if result.open:
            self.open.append(job.shot.index)
            return
        self.redone += 1
        self.tally.add(result.stats or Totals(), int(result.stats is None))
        self.committer.finish(result.key)


@contextmanager
def _pool(workers: int, address: str | None, secret: str) -> Iterator[cluster.Pool]:
    pool = cluster.open_pool(workers, address, secret)
    with _stoppable():  # Ray has put a handler of its own in place of ours
        try:
            yield pool
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # closing is bounded; a second Ctrl-C must not orphan workers
            pool.close()


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into Stopped; from then on they are ignored, so that the end is orderly.

    Where an event loop runs it is raised by the loop, in none of its tasks, so that these are cancelled.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)

    came = list[int]()

    def stop(signum: int, frame: FrameType | None) -> None:
        came.append(signum)
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise Stopped(signum) from None
        loop.call_soon_threadsafe(_raise, Stopped(signum))

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except Stopped:
        raise
    except KeyboardInterrupt:  # what Ray's core makes of a Stopped that was raised within it
        if came:
            raise Stopped(came[0]) from None
        _restore(before)
        raise
    except BaseException:
        _restore(before)
        raise
    else:
        _restore(before)


def _raise(error: BaseException) -> None:
    raise error


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)

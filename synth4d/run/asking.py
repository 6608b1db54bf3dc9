"""What a run asks of a model, through files: the requests that an unfinished run still needs, and their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from synth4d import seeds
from synth4d.errors import ConfigError
from synth4d.llm import Call, Door, Outcome, Store, Talk, batch, hold
from synth4d.run import stages, talks
from synth4d.run.blind import Blocks
from synth4d.run.folder import Folder, opened, unfinished
from synth4d.run.work import Finish, finished


def write(out: Path, path: Path, finish: Finish = stages.finish) -> int:
    """Write the requests that the run in a folder still needs; how many. 0: it can be finished."""
    plan = unfinished(out)
    if not plan.config.needs_a_model:
        raise ConfigError(f"{out}: its questions are the templates'; no model is asked")
    with opened(out.absolute(), plan) as folder, _door(folder) as door:
        return batch.write(_calls(folder, door, finish), door.endpoint, door.store, path)


def read(out: Path, path: Path) -> batch.Taken:
    """Take the results of a batch into the store of the run in a folder."""
    plan = unfinished(out)
    with opened(out.absolute(), plan) as folder, Store(folder.replies) as store:
        return batch.read(path, store)


def _door(folder: Folder) -> Door:
    return Door(folder.plan.config.llm.endpoint, folder.replies, rng=seeds.rng("waits", folder.plan.digest))


def _calls(folder: Folder, door: Door, finish: Finish) -> Iterator[Call[Any]]:
    """The next calls of every boxed shot, in plan order; a window of them in memory."""
    plan, said = folder.plan, list[Call[Any]]()

    def ask(calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        said.extend(calls)
        return door.known(calls)

    for start in range(0, len(plan), plan.config.llm.window):
        window = [plan.shot(i) for i in range(start, min(start + plan.config.llm.window, len(plan)))]
        paths = {shot.key: folder.work / f"{shot.key}.shot" for shot in window}
        open_ = [s for s in window if (end := finished(paths[s.key], plan.digest)) is not None and end.open]
        hold([talks.opened(folder, shot, finish) for shot in open_], ask)
        yield from said
        said.clear()
    for talk in _guesses(folder):
        hold([talk], ask)
        yield from said
        said.clear()


def _guesses(folder: Folder) -> Iterator[Talk[Any]]:
    """Of the blind probe, for blocks of which every shot is finished."""
    plan = folder.plan
    if plan.config.blind.probe != "openai":
        return
    blocks = Blocks(folder)
    for shot in plan:
        blocks.deal(shot)
        end = finished(folder.work / f"{shot.key}.shot", plan.digest)
        if end is not None and not end.open:
            blocks.finish(shot)
    yield from map(blocks.talk, blocks.ready)

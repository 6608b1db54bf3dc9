"""The part of a run that a model takes part in: one door, one budget, one store, and so the driver's own.

Shots lie boxed, but for their questions. They are taken in plan order, a window at a time: the talks of a window are
held together, so that hundreds of calls are in flight, and memory is that of a window however long the plan is. A
shot whose calls have all been answered is boxed anew, finished. Last, where a model is the blind probe, it guesses the
questions that are left, a block of shots at a time. What was stored is never asked again: a run that ends
here, however it ends, goes on from there.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from synth4d import disk, seeds
from synth4d.errors import ShardError, TryLater
from synth4d.llm import Answer, Door, Heard, Pending, Talk, hold
from synth4d.llm.ledger import Tally
from synth4d.records import JSON, dump
from synth4d.run.commit import Committer
from synth4d.run.folder import Folder
from synth4d.run.work import Finish, Finished, Judged, Totals, added, finished, rejected
from synth4d.types import Shot

NEEDED = ("facts.json", "camera.json")
"""Members that a talk reads; the others are large."""
FAILURES = ("connection", "timeout", "garbled")
"""Of requests, besides HTTP errors; all other faults are of replies."""
Took = Callable[[Shot, Totals], None]


def hold_all(folder: Folder, shots: Sequence[int], finish: Finish, took: Took, committer: Committer) -> None:
    """Finish the boxes at these positions of the plan; `took` is told of each. Then have the blocks guessed that wait
    for it. TryLater where some must wait."""
    llm = folder.plan.config.llm
    # The rng spreads waits between tries; no byte depends on it.
    door = Door(
        llm.endpoint, folder.replies, rng=seeds.rng("waits", folder.plan.digest), budget=llm.budget, offline=llm.offline
    )
    only_known = llm.batch and not llm.offline
    ask = door.known if only_known else door.ask
    with door, _Money(folder.work, door) as money:
        late = 0
        for start in range(0, len(shots), llm.window):
            window = [folder.plan.shot(i) for i in shots[start : start + llm.window]]
            ends = hold([_counted(opened(folder, shot, finish)) for shot in window], ask)
            money.keep()
            for shot, end in zip(window, ends, strict=True):
                if isinstance(end, Pending):
                    late += 1
                else:
                    took(shot, _close(folder, shot, *end))
        if late:
            raise TryLater(_waiting(folder, door, f"{late} shots", only_known))
        unguessed = committer.unguessed
        for number in unguessed:
            [drops] = hold([committer.guessing(number)], ask)
            money.keep()
            if isinstance(drops, Pending):
                late += 1
            else:
                committer.guessed(number, drops)
        if late:
            raise TryLater(_waiting(folder, door, f"{late} blocks of the blind probe", only_known))


def _waiting(folder: Folder, door: Door, what: str, batch: bool) -> str:
    requests = sum(t.pending for t in door.ledger.kinds.values())
    if batch:
        return f"{requests} requests of {what} wait: synth4d ask {folder.out} --batch-out FILE"
    return f"{requests} requests of {what} were not answered; the same command goes on from here"


def opened(folder: Folder, shot: Shot, finish: Finish) -> Talk[Judged]:
    """The talk about a boxed shot."""
    end = _box(folder, shot)
    needed = (*NEEDED, "mp4") if folder.plan.config.votes.frames else NEEDED
    parts = {k: v for k, v in end.members.items() if k in needed} | end.open
    return finish(shot, folder.plan.config, parts)


def _close(folder: Folder, shot: Shot, end: Judged, counts: dict[str, JSON]) -> Totals:
    box = _box(folder, shot)
    stats = box.stats.model_copy(update={"kept": len(end.kept), "rejected": len(end.rejects), "model": counts})
    whole = Finished(stats, box.members | {"qa.json": dump(end.kept)}, rejected(end.rejects))
    whole.save(folder.work / f"{shot.key}.shot", folder.plan.digest)
    return stats


def _box(folder: Folder, shot: Shot) -> Finished:
    path = folder.work / f"{shot.key}.shot"
    end = finished(path, folder.plan.digest)
    if end is None or not end.open:
        raise ShardError(f"{path}: vanished or was altered during the run; run the same command again")
    return end


# ---- What it cost --------------------------------------------------------------------------------


def _counted(talk: Talk[Judged]) -> Talk[tuple[Judged, dict[str, JSON]]]:
    """A talk, and what came of its calls, by kind. Counted with its end, so that a run that is killed counts none."""
    counts: dict[str, JSON] = {}
    heard: Sequence[Heard] | None = None
    while True:
        try:
            calls = next(talk) if heard is None else talk.send(heard)
        except StopIteration as end:
            return end.value, counts
        heard = yield calls
        for call, outcome in zip(calls, heard, strict=True):
            counts[call.kind] = added(counts.get(call.kind, {}), _row(outcome))


def _row(outcome: Heard) -> JSON:
    answered = isinstance(outcome, Answer)
    faults = dict(Counter(outcome.faults))
    rejected = {} if answered else {outcome.faults[-1]: 1}
    return {"asked": 1, "answered": int(answered), "rejected": rejected, "faults": faults, **asdict(outcome.tokens)}


class _Money:
    """Keeps what a run has sent and paid on disk, a file a run, so that the last run can add them up."""

    def __init__(self, work: Path, door: Door) -> None:
        self._path, self._door = work / f"model-{secrets.token_hex(8)}.json", door

    def __enter__(self) -> _Money:
        return self

    def __exit__(self, *_: object) -> None:
        self.keep()

    def keep(self) -> None:
        rows = {kind: _paid(tally) for kind, tally in self._door.ledger.kinds.items()}
        disk.write_atomic(self._path, dump(rows))


def _paid(tally: Tally) -> JSON:
    failures = {f: n for f, n in tally.faults.items() if f.startswith("http ") or f in FAILURES}
    return {"hits": tally.hits, "usd": tally.usd, "usd_lost": tally.usd_lost, "failures": failures}


def accounts(work: Path, totals: Totals) -> dict[str, JSON]:
    """By kind of call: what came of it, and what all runs have sent and paid for it."""
    total: JSON = totals.model
    for path in sorted(work.glob("model-*.json")):
        total = added(total, json.loads(path.read_bytes()))
    return total

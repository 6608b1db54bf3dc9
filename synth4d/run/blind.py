"""The blind probe of a run: blocks of shots in the order of the plan, judged when the last of their boxes is in.

A model guesses when all shots are in (talks.py): through the run's one door, when no worker waits.

Between finished boxes and committed shards: a chunk waits for the blocks that its shots are of. What a block's
questions are judged by is the block alone, so the same questions are dropped whatever finished first; its verdict is a
box of its own, and while one that a committed chunk needed is damaged, that chunk counts as not committed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from synth4d import dataset, seeds
from synth4d.errors import ShardError
from synth4d.filter import blind, blind_model, prune
from synth4d.llm import Talk
from synth4d.records import JSON, Question, Reject, Verdict, dump
from synth4d.run import box
from synth4d.run.folder import Folder
from synth4d.run.work import Finished, finished
from synth4d.types import Shot

Drops = dict[str, str]
"""Ids of questions to the reasons why they are dropped."""
KEPT = 4
"""Verdicts in memory."""


@dataclass(slots=True)
class _Block:
    shots: list[Shot] = field(default_factory=list)
    waiting: int = 0


class Blocks:
    """Deals shots to blocks and judges each block once."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._settings = folder.plan.config.blind
        self._open: dict[int, _Block] = {}
        self._judged: dict[int, dict[str, Drops]] = {}

    def of(self, shot: Shot) -> int:
        return shot.index // self._settings.block

    def deal(self, shot: Shot) -> None:
        """Every shot of the plan, in its order."""
        number = self.of(shot)
        if number not in self._open and not self.judged(number):
            first = number * self._settings.block
            self._open[number] = _Block(waiting=min(self._settings.block, len(self._folder.plan) - first))
        if number in self._open:
            self._open[number].shots.append(shot)

    def finish(self, shot: Shot) -> bool:
        """A shot's box lies in the work folder; True where that ended its block."""
        number = self.of(shot)
        block = self._open.get(number)
        if block is None:
            return False
        block.waiting -= 1
        if block.waiting or self._settings.probe == "openai":
            return False
        self.close(number, self._by_words(number, self._pool(block.shots)))
        return True

    @property
    def ready(self) -> list[int]:
        """Blocks of which every shot is in and that nobody has judged: those that a model must guess."""
        return sorted(number for number, block in self._open.items() if not block.waiting)

    def talk(self, number: int) -> Talk[Drops]:
        """A model's guesses of a block, and what is dropped for them."""
        pool = self._pool(self._open[number].shots)
        items = blind.items(pool)
        guesses = yield from blind_model.guess(items)
        known = {(item.id, item.question): guess for item, guess in zip(items, guesses, strict=True)}
        return prune.prune_known(pool, known, gap=self._settings.gap / 100, least=self._settings.least)

    def close(self, number: int, dropped: Drops) -> None:
        """Keep a block's verdict: the dropped questions' ids within the dataset, and why."""
        drops: dict[str, Drops] = {}
        for id, reason in sorted(dropped.items()):
            key, _, question = id.partition("/")
            drops.setdefault(key, {})[question] = reason
        self._write(number, drops)
        self._open.pop(number, None)

    def judged(self, number: int) -> bool:
        return self._verdict(number) is not None

    def without(self, shot: Shot, end: Finished) -> Finished:
        """What is left of a finished shot, its dropped questions among the rejects."""
        verdict = self._verdict(self.of(shot))
        if verdict is None:
            raise ShardError(f"{self._path(self.of(shot))}: vanished during the run; run the same command again")
        drops = verdict.get(shot.key)
        return dropped(shot.key, end, drops) if drops else end

    # ---- One block -------------------------------------------------------------------------------

    def _pool(self, shots: list[Shot]) -> list[blind.Asked]:
        pool: list[blind.Asked] = []
        for shot in shots:
            end = finished(self._folder.work / f"{shot.key}.shot", self._folder.plan.digest)
            if end is None:
                raise ShardError(f"{shot.key}.shot: vanished or was altered during the run; run the same command again")
            if end.quarantine is None:
                for question in dataset.parse(list[Question], end.members["qa.json"], f"{shot.key} qa.json"):
                    pool += blind.asked(shot.key, f"{shot.scene}/{shot.layout}", question)
        return pool

    def _by_words(self, number: int, pool: list[blind.Asked]) -> Drops:
        s, seed = self._settings, seeds.seed(self._folder.plan.config.seed, "blind", number)
        return prune.prune(pool, seed=seed, gap=s.gap / 100, folds=s.folds, least=s.least)

    def _write(self, number: int, drops: dict[str, Drops]) -> None:
        box.write(self._path(number), {"block": number}, {"drops": dump(drops)})
        self._folder.share(self._path(number))
        self._keep(number, drops)

    def _verdict(self, number: int) -> dict[str, Drops] | None:
        if number not in self._judged and number not in self._open:
            found = box.read(self._path(number))
            if found is None:
                return None
            self._keep(number, json.loads(found[1]["drops"]))
        return self._judged.get(number)

    def _keep(self, number: int, drops: dict[str, Drops]) -> None:
        """The last few verdicts in memory; a chunk of a rare split may want an old one, and reads it."""
        self._judged[number] = drops
        for old in list(self._judged)[:-KEPT]:
            del self._judged[old]

    def _path(self, number: int) -> Path:
        return self._folder.work / f"block-{number:06d}.blind"


def dropped(key: str, end: Finished, drops: Drops) -> Finished:
    """A finished shot with some of its questions moved to its rejects."""
    questions: list[Question] = dataset.parse(list[Question], end.members["qa.json"], f"{key} qa.json")
    rows = [Reject(key=key, question=_rejected(q, drops[q.id])) for q in questions if q.id in drops]
    kept = [q for q in questions if q.id not in drops]
    stats = end.stats.model_copy(update={"kept": len(kept), "rejected": end.stats.rejected + len(rows)})
    rejects = end.rejects + b"".join(dump(row) + b"\n" for row in rows)
    return Finished(stats, {**end.members, "qa.json": dump(kept)}, rejects)


def _rejected(question: Question, reason: str) -> Question:
    said: JSON = question.verdict.witnesses if question.verdict else {}
    return question.model_copy(update={"verdict": Verdict(keep=False, reason=reason, witnesses=said)})

"""A dataset in numbers, read from its own files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from synth4d import dataset, disk
from synth4d.dataset import Where
from synth4d.records import DatasetRecord, Facts, Quarantine, Question

LETTERS = "ABCDEFGH"
OF_CHANGE = ("state", "change", "time", "cause")
"""Families of questions that ask about what happens."""


@dataclass(frozen=True, slots=True)
class KindRow:
    """Questions of one kind."""

    kind: str
    family: str
    kept: int
    rejected: int


@dataclass(frozen=True, slots=True)
class ModelRow:
    """What a model was asked for questions of one kind, and what it cost; over all runs that made the dataset."""

    kind: str
    """What for, and the questions' kind: author space.distance."""
    asked: int
    answered: int
    rejected: dict[str, int]
    """By what was wrong with the last reply."""
    faults: dict[str, int]
    """Of all replies, and of requests that failed."""
    hits: int
    """Requests sent."""
    prompt: int
    completion: int
    """Tokens."""
    usd: float
    """At most: replies that were lost on their way count at their worst."""


@dataclass(slots=True)
class Summary:
    """Counts over a whole dataset."""

    record: DatasetRecord
    bytes: int = 0
    shot_kinds: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(family, kind) → questions"""
    answers: Counter[str] = field(default_factory=Counter)
    """Types of answers."""
    yes_no: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    """Where the right choice stands."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why questions were rejected."""
    quarantine: list[Quarantine] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Processor seconds of each stage over all shots; empty where run.json is missing."""
    model: list[ModelRow] = field(default_factory=list)
    """Empty where no model was asked; the last row is the sum."""
    workers: int = 0
    wall_seconds: float = 0.0

    def rows(self) -> list[KindRow]:
        """Questions by family and kind."""
        return [KindRow(k, f, self.kept[f, k], self.rejected[f, k]) for f, k in sorted(self.kept | self.rejected)]

    def families(self) -> dict[str, int]:
        out: Counter[str] = Counter()
        for (family, _), count in sorted(self.kept.items()):
            out[family] += count
        return dict(out)

    def kept_share(self) -> float:
        asked = self.record.questions + self.record.rejected
        return self.record.questions / asked if asked else 0.0

    def change_share(self) -> float:
        """Share of the kept questions that ask about what happens; dialogues and captions, which do both, apart."""
        total = sum(n for (family, _), n in self.kept.items() if family not in ("dialogue", "caption"))
        return sum(n for (family, _), n in self.kept.items() if family in OF_CHANGE) / total if total else 0.0

    def frames_per_core_second(self) -> float:
        """Labelled frames a second on one core, all stages counted."""
        total = sum(self.seconds.values())
        return self.record.frames / total if total else 0.0

    def ask(self, question: Question) -> None:
        """Count a kept question."""
        self.kept[question.family, question.kind] += 1
        for turn in question.turns:
            self.answers[turn.answer.type] += 1
            if turn.answer.type == "bool":
                self.yes_no["yes" if turn.answer.value else "no"] += 1
            if turn.correct is not None:
                self.letters[f"{LETTERS[turn.correct]} of {len(turn.choices or [])}"] += 1


def summarise(folder: Where) -> Summary:
    """Read all facts and questions of a dataset; ShardError where its files are not what it says."""
    summary = Summary(dataset.read_dataset(folder), quarantine=dataset.read_quarantine(folder))
    for row in dataset.read_manifest(folder):
        summary.bytes += row.bytes
        with dataset.open_shard(folder, row, check="size") as shard:
            for number, key in enumerate(shard.index.keys):
                members = shard.read(number, ["facts.json", "qa.json"])
                _count(summary, members, f"{row.name} {key}")
    for reject in dataset.each_reject(folder):
        summary.rejected[reject.question.family, reject.question.kind] += 1
        summary.reasons[reject.question.verdict.reason if reject.question.verdict else "none"] += 1
    if (folder / "run.json").exists():
        cost: dict[str, Any] = disk.read_json(folder / "run.json")
        summary.seconds = {str(k): float(v) for k, v in cost["totals"]["seconds"].items()}
        summary.model = _model(cost.get("model", {}))
        summary.workers, summary.wall_seconds = int(cost["workers"]), float(cost["seconds"])
    return summary


def _model(rows: dict[str, dict[str, Any]]) -> list[ModelRow]:
    found = [_row(kind, row) for kind, row in sorted(rows.items())]
    if not found:
        return []
    names = ("asked", "answered", "hits", "prompt", "completion", "usd")
    sums = {name: sum(getattr(row, name) for row in found) for name in names}
    rejected, faults = (sum((Counter(getattr(r, n)) for r in found), Counter[str]()) for n in ("rejected", "faults"))
    return [*found, ModelRow("all", rejected=dict(rejected), faults=dict(faults), **sums)]


def _row(kind: str, row: dict[str, Any]) -> ModelRow:
    counts = {name: row.get(name, 0) for name in ("asked", "answered", "hits", "prompt", "completion")}
    faults = Counter(row.get("faults", {})) + Counter(row.get("failures", {}))
    usd = row.get("usd", 0.0) + row.get("usd_lost", 0.0)
    return ModelRow(kind, rejected=row.get("rejected", {}), faults=dict(faults), usd=usd, **counts)


def _count(summary: Summary, members: dict[str, bytes], where: str) -> None:
    facts: Facts = dataset.parse(Facts, members["facts.json"], where)
    summary.shot_kinds[facts.kind] += 1
    summary.events.update(event.kind for event in facts.events)
    for question in dataset.parse(list[Question], members["qa.json"], where):
        summary.ask(question)

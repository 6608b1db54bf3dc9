"""Whether what is trained on tells what is tested: layouts and questions that stand in two splits.

Splits are dealt out by layout, so none should be in two. This looks at what was made, not at the plan: rooms whose
things lie in the same places at the start, and questions of the same words, options and answer about the same rooms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from synth4d import dataset
from synth4d.dataset import Where
from synth4d.records import Facts, Question, at, dump

NEAR_M = 0.02
"""Two layouts are the same when every prop of one has a like one in the other this near; ours: contact noise of the
same draw is below a millimetre, and two draws are decimetres apart."""


@dataclass(slots=True)
class Leaks:
    layouts: list[str] = field(default_factory=list)
    """Pairs of samples of two splits whose rooms are the same."""
    questions: list[str] = field(default_factory=list)
    """Questions of such rooms that are asked in both splits."""
    repeated: int = 0
    """Questions whose words, options and answer stand in another split about another room: not a leak, but what a
    model could know by heart."""
    samples: int = 0
    asked: int = 0


@dataclass(frozen=True, slots=True)
class _Room:
    split: str
    key: str
    places: tuple[tuple[str, tuple[float, ...]], ...]
    """Category and first place of each prop."""
    said: frozenset[bytes]


def find(folders: Iterable[Where]) -> Leaks:
    """Compare every split of some datasets with every other; two datasets' splits of one name are two."""
    leaks, rooms = Leaks(), defaultdict[tuple[str, tuple[str, ...]], list[_Room]](list)
    owners = defaultdict[bytes, set[str]](set)
    for scene, room in _rooms(list(folders)):
        leaks.samples += 1
        leaks.asked += len(room.said)
        for words in room.said:
            owners[words].add(room.split)
        group = rooms[scene, tuple(category for category, _ in room.places)]
        for other in group:
            if other.split != room.split and _same(other, room):
                leaks.layouts.append(f"{other.split}:{other.key} = {room.split}:{room.key}")
                leaks.questions += [f"{room.key}: {len(both)}" for both in [other.said & room.said] if both]
        group.append(room)
    leaks.repeated = sum(len(splits) > 1 for splits in owners.values())
    return leaks


def _rooms(folders: list[Where]) -> Iterator[tuple[str, _Room]]:
    for folder in folders:
        for row in dataset.read_manifest(folder):
            split = row.split if len(folders) == 1 else f"{folder}/{row.split}"
            for sample in dataset.read_shard(folder, row):
                facts = dataset.parse(Facts, sample.members["facts.json"], f"{folder}: {sample.key}: facts.json")
                asked = dataset.parse(list[Question], sample.members["qa.json"], f"{folder}: {sample.key}: qa.json")
                yield facts.scene, _Room(split, sample.key, _places(facts), frozenset(map(_words, asked)))


def _places(facts: Facts) -> tuple[tuple[str, tuple[float, ...]], ...]:
    boxes = ((o.category, at(o.box, 0)) for o in facts.objects if o.role == "prop")
    return tuple(sorted((category, tuple(box[:3])) for category, box in boxes if box is not None))


def _words(question: Question) -> bytes:
    turns = [[t.question.en, t.answer.text.en, sorted(c.en for c in t.choices or [])] for t in question.turns]
    return dump(turns)


def _same(a: _Room, b: _Room) -> bool:
    """Every prop has a like one near; both have the same categories, sorted."""
    left = list(b.places)
    for category, place in a.places:
        near = [
            p for p in left if p[0] == category and max(abs(x - y) for x, y in zip(place, p[1], strict=True)) < NEAR_M
        ]
        if not near:
            return False
        left.remove(near[0])
    return bool(a.places)


def _apart(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))

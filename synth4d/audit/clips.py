"""The clips of a dataset as its filter saw them, made again from the bytes on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from synth4d import codec, dataset
from synth4d.annotate import identity, pixels
from synth4d.dataset import Where
from synth4d.filter import Absent, Bench
from synth4d.records import CameraRecord, Facts, Label, Question
from synth4d.types import U8


@dataclass(frozen=True, slots=True)
class Judged:
    """A clip's facts by both witnesses, and what was asked about it."""

    key: str
    world: Facts
    pixels: Facts
    camera: CameraRecord
    rgb: U8
    kept: list[Question]
    rejected: list[Question]
    absent: Absent

    def bench(self) -> Bench:
        return Bench(self.world, self.pixels, self.camera, self.absent)


def clips(folder: Where) -> Iterator[Judged]:
    """Each sample of a dataset; the pixels witness looks at the stored clip once more."""
    dataset.read_dataset(folder)
    rejected: dict[str, list[Question]] = {}
    for reject in dataset.read_rejects(folder):
        if not reject.question.turns:
            continue  # what a model said that could not be made a question
        rejected.setdefault(reject.key, []).append(reject.question)
    absent = labels(folder)
    for row in dataset.read_manifest(folder):
        for sample in dataset.read_shard(folder, row):
            where = f"{folder / row.name}: {sample.key}"
            world = dataset.parse(Facts, sample.members["facts.json"], where)
            camera = dataset.parse(CameraRecord, sample.members["camera.json"], where)
            kept = dataset.parse(list[Question], sample.members["qa.json"], where)
            clip = codec.decode(sample.members)
            viewed = pixels.facts(identity.strip(world), clip)
            yield Judged(sample.key, world, viewed, camera, clip.rgb, kept, rejected.get(sample.key, []), absent)


def labels(folder: Where) -> list[tuple[str, Label]]:
    """The words of all categories of props in a dataset: of what one clip lacks, another says the name."""
    found: dict[str, Label] = {}
    for row in dataset.read_manifest(folder):
        for sample in dataset.read_shard(folder, row):
            facts: Facts = dataset.parse(Facts, sample.members["facts.json"], f"{row.name}: {sample.key}")
            found |= {o.category: o.label for o in facts.objects if o.role == "prop"}
    return sorted(found.items())

"""The questions of a dataset on disk as the blind probe has them."""

from __future__ import annotations

from collections.abc import Iterator

from synth4d import dataset
from synth4d.dataset import Where
from synth4d.filter.blind import Asked, asked
from synth4d.records import DatasetRecord, Facts, Question


def read(folder: Where) -> tuple[list[Asked], list[Asked]]:
    """What was kept, and what the probe had dropped."""
    record = dataset.read_dataset(folder)
    layouts: dict[str, str] = {}
    kept = list(_kept(folder, record, layouts))
    dropped = []
    for row in dataset.read_rejects(folder):
        verdict = row.question.verdict
        if verdict is not None and verdict.reason.startswith("blind: ") and row.key in layouts:
            dropped += asked(row.key, layouts[row.key], row.question)
    return kept, dropped


def _kept(folder: Where, record: DatasetRecord, layouts: dict[str, str]) -> Iterator[Asked]:
    for row in dataset.read_manifest(folder):
        with dataset.open_shard(folder, row, check="size") as shard:
            for number, key in enumerate(shard.index.keys):
                members = shard.read(number, ["facts.json", "qa.json"])
                facts: Facts = dataset.parse(Facts, members["facts.json"], f"{row.name} {key}")
                layouts[key] = _layout(facts, record)
                for question in dataset.parse(list[Question], members["qa.json"], f"{row.name} {key}"):
                    yield from asked(key, layouts[key], question)


def _layout(facts: Facts, record: DatasetRecord) -> str:
    """A twin has its sibling's; what is drawn by a radiance field has the one it was fitted to."""
    drawn_by = [record.config.get(name) for name in ("static_renderer", "renderer")]
    field = drawn_by[0] == "nerf" if drawn_by[0] != "same" else drawn_by[1] == "nerf"
    own = "field" if field and facts.kind == "static" else facts.twin_of or facts.key
    return f"{facts.scene}/{own}"

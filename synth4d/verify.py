"""A dataset's own proof: all that it says is derived again from the bytes on disk, with nothing else at hand.

Files against the manifest, the manifest against dataset.json, every member against its schema; then, of each
sample, visible boxes from the id image, 3D boxes projected onto it, and every answer program run anew. A
problem is one line: shard, key, member, field, and what is wrong. The sample's own part is in proof.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from synth4d import dataset, disk, proof, tar
from synth4d.dataset import Where
from synth4d.errors import ShardError
from synth4d.records import DatasetRecord, ShardRow


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, and every problem found."""

    counts: dict[str, int]
    """shards, samples, frames, questions, programs, boxes2d, boxes3d, rejected, quarantined"""
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problems


def verify(folder: Where, *, deep: bool = True) -> Report:
    """Check a dataset; `deep` False: only files, digests and counts, no sample is opened. Over http it stays unseen
    whether there are shards that no manifest row names; the indexes beside remote shards, which nobody reads, too.

    ShardError only where there is no dataset.json that can be read; all else is a problem in the report.
    """
    record = dataset.read_dataset(folder)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    try:
        rows = dataset.read_manifest(folder)
    except ShardError as error:
        return Report({}, [dataset.said(folder, str(error))])
    problems += _files(folder, record, rows)
    for row in rows:
        found = _shard(folder, row, deep)
        counts.update(found.counts)
        problems += found.problems
    problems += _lists(folder, record, rows, counts)
    if deep:
        problems += _equal(folder, ("frames", record.frames, counts["frames"]))
        problems += _equal(folder, ("questions", record.questions, counts["questions"]))
    return Report(dict(counts), [dataset.said(folder, problem) for problem in problems])


# ---- Files ---------------------------------------------------------------------------------------


def _files(folder: Where, record: DatasetRecord, rows: list[ShardRow]) -> Iterator[str]:
    try:
        found = disk.digest((folder / disk.MANIFEST).parent)
        if found != record.digest:
            yield f"{folder / disk.DATASET}: field digest is {record.digest}, the files have {found}"
    except ShardError as error:
        yield str(error)
    unnamed = (dataset.tars(folder) or set()) - {row.name for row in rows}
    yield from (f"{folder / name}: no manifest row names it" for name in sorted(unnamed))
    yield from _twice(f"{folder / disk.MANIFEST}: shard", [row.name for row in rows])
    yield from _twice(f"{folder / disk.MANIFEST}: sample", [key for row in rows for key in row.keys])
    splits = {row.split: sorted(r.name for r in rows if r.split == row.split) for row in rows}
    if {split: sorted(names) for split, names in record.splits.items() if names} != splits:
        yield f"{folder / disk.DATASET}: field splits is not that of the manifest"


def _shard(folder: Where, row: ShardRow, deep: bool) -> Report:
    counts: Counter[str] = Counter(shards=1)
    problems: list[str] = []
    try:
        named = disk.TAR_NAME.fullmatch(row.name)
        if not named or named[1] != row.split or row.samples != len(row.keys):
            return Report(counts, [f"{folder / disk.MANIFEST}: row {row.name!r}: name, split or samples is wrong"])
        with dataset.open_shard(folder, row) as opened:
            counts["samples"] += row.samples
            problems += _index(folder / row.name, row)
            for i, key in enumerate(row.keys if deep else ()):
                found = proof.sample(key, opened.read(i))
                counts.update(found.counts)
                problems += [f"{folder / row.name}: {key}: {problem}" for problem in found.problems]
    except ShardError as error:
        problems.append(str(error))
    return Report(counts, problems)


def _index(path: Path, row: ShardRow) -> Iterator[str]:
    index = disk.index_path(path)
    if index.exists() and tar.read_index(index, row.sha256) is None:
        yield f"{index}: it is damaged or of another shard; remove it, it is made again when it is missing"


# ---- Counts --------------------------------------------------------------------------------------


def _lists(folder: Where, record: DatasetRecord, rows: list[ShardRow], counts: Counter[str]) -> Iterator[str]:
    """Every planned shot is committed once or quarantined, and every list is as long as dataset.json says."""
    committed = {key for row in rows for key in row.keys}
    try:
        quarantined = dataset.read_quarantine(folder)
        counts.update(rejected=0, quarantined=len(quarantined))
        rejects = list(_rejects(folder, committed, counts))
    except ShardError as error:
        yield str(error)
        return
    yield from _twice(f"{folder / disk.QUARANTINE}: shot", [row.key for row in quarantined])
    for row in quarantined:
        if row.key in committed:
            yield f"{folder / disk.QUARANTINE}: shot {row.key} is committed too"
    yield from rejects
    yield from _equal(folder, ("committed", record.committed, sum(row.samples for row in rows)))
    yield from _equal(folder, ("quarantined", record.quarantined, len(quarantined)))
    yield from _equal(folder, ("rejected", record.rejected, counts["rejected"]))
    yield from _equal(folder, ("shots", record.shots, record.committed + record.quarantined))


def _rejects(folder: Where, committed: set[str], counts: Counter[str]) -> Iterator[str]:
    for reject in dataset.each_reject(folder):
        counts["rejected"] += 1
        verdict = reject.question.verdict
        if reject.key not in committed:
            yield f"{folder / disk.REJECTS}: {reject.key}: no such sample"
        if verdict is None or verdict.keep:
            yield f"{folder / disk.REJECTS}: {reject.key}: {reject.question.id}: verdict is no rejection"


def _equal(folder: Where, field: tuple[str, int, int]) -> Iterator[str]:
    name, said, found = field
    if said != found:
        yield f"{folder / disk.DATASET}: field {name} is {said}, there are {found}"


def _twice(what: str, names: list[str]) -> Iterator[str]:
    yield from (f"{what} {name} is there {n} times" for name, n in sorted(Counter(names).items()) if n > 1)

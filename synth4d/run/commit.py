"""From finished shots to shards to a dataset, in the order of the plan, whatever order they finish in.

A shard holds fixed positions of the plan: the k-th `shard_samples` shots of its split, less those that were
quarantined. So each shard is written as soon as its shots are finished, and never again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from synth4d import disk
from synth4d.errors import ShardError
from synth4d.records import DatasetRecord, ShardRow, dump
from synth4d.run import box
from synth4d.run.folder import Folder
from synth4d.run.plan import Plan
from synth4d.run.progress import Tally
from synth4d.run.work import Finished, Totals, finished
from synth4d.types import Sample, Shot


@dataclass(slots=True)
class Chunk:
    """The shots of one shard to be."""

    split: str
    number: int
    keys: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    closed: bool = False
    """No more shots will join it."""

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:06d}"


@dataclass(frozen=True, slots=True)
class Done:
    """What the committed chunk leaves for the lists at the end."""

    row: ShardRow | None
    """None: all its shots were quarantined, there is no tar."""
    rejects: bytes
    quarantine: bytes
    totals: Totals


class Committer:
    """Deals shots to chunks and writes each chunk's shard when the last of its shots is in."""

    def __init__(self, folder: Folder, tally: Tally) -> None:
        self._folder = folder
        self._tally = tally
        self._plan: Plan = folder.plan
        self._open: dict[str, Chunk] = {}
        self._of_key: dict[str, Chunk] = {}
        self._dealt: dict[str, int] = {}
        self.names: list[tuple[str, int]] = []
        """Split and number of every chunk of the plan so far."""

    def deal(self, shot: Shot) -> Chunk | None:
        """Add a shot to its chunk; None when that chunk was committed by an earlier run."""
        size, count = self._plan.config.shard_samples, self._dealt.get(shot.split, 0)
        self._dealt[shot.split] = count + 1
        at = (shot.split, count // size)
        if count % size == 0:
            self._begin(at)
        chunk = self._open.get(shot.split)
        if chunk is None:
            return None
        chunk.keys.append(shot.key)
        chunk.waiting.add(shot.key)
        self._of_key[shot.key] = chunk
        chunk.closed = len(chunk.keys) == size
        return chunk

    def _begin(self, at: tuple[str, int]) -> None:
        self.names.append(at)
        if (end := done(self._folder, at, check=True)) is None:
            self._open[at[0]] = Chunk(*at)
        else:
            self._open.pop(at[0], None)
            self._tally.known(end.totals, end.quarantine.count(b"\n"))

    def finish(self, key: str) -> None:
        """A shot's box lies in the work folder."""
        chunk = self._of_key.pop(key)
        chunk.waiting.discard(key)
        self._maybe(chunk)

    def all_dealt(self) -> None:
        """The plan is at its end: the last chunk of each split is as full as it will be."""
        for split, chunk in sorted(self._open.items()):
            if not chunk.closed:
                chunk.closed = True
                self._maybe(chunk)
            self._open.pop(split, None)

    def _maybe(self, chunk: Chunk) -> None:
        if chunk.closed and not chunk.waiting:
            _commit(self._folder, chunk)


def _commit(folder: Folder, chunk: Chunk) -> None:
    from synth4d import shard

    boxes = {key: folder.work / f"{key}.shot" for key in chunk.keys}
    rejects, quarantine, totals, keys = list[bytes](), list[bytes](), Totals(), list[str]()
    for key, path in boxes.items():
        end = _box(path, folder.plan)
        rejects.append(end.rejects)
        totals = totals.plus(end.stats)
        if end.quarantine is None:
            keys.append(key)
        else:
            quarantine.append(dump(end.quarantine) + b"\n")
    path = folder.out / disk.tar_name(chunk.split, chunk.number)
    samples = (Sample(key, _box(boxes[key], folder.plan).members) for key in sorted(keys))
    row = shard.write_shard(path, samples) if keys else None
    head = {"row": row.model_dump(mode="json") if row else None, "totals": totals.model_dump(mode="json")}
    parts = {"rejects": b"".join(rejects), "quarantine": b"".join(quarantine)}
    mark = _done_path(folder, chunk.split, chunk.number)
    box.write(mark, head, parts)
    folder.share(*([path, disk.index_path(path)] if row else []), mark)
    for path in boxes.values():
        disk.remove(path)


def _box(path: Path, plan: Plan) -> Finished:
    end = finished(path, plan.digest)
    if end is None:
        raise ShardError(f"{path}: vanished or was altered during the run; run the same command again")
    return end


# ---- Committed chunks ----------------------------------------------------------------------------


def _done_path(folder: Folder, split: str, number: int) -> Path:
    return folder.work / f"{split}-{number:06d}.done"


def done(folder: Folder, at: tuple[str, int], check: bool) -> Done | None:
    """A committed chunk; None: it must be made anew. `check`: its shard must be on disk as it was written."""
    found = box.read(_done_path(folder, *at))
    if found is None:
        return None
    head, parts = found
    row = ShardRow.model_validate(head["row"]) if head["row"] else None
    if check and row is not None:
        folder.recall(row.name, row.bytes)
        if not _intact(folder.out / row.name, row):
            return None
    return Done(row, parts["rejects"], parts["quarantine"], Totals.model_validate(head["totals"]))


def _intact(path: Path, row: ShardRow) -> bool:
    return path.exists() and path.stat().st_size == row.bytes and disk.file_sha256(path) == row.sha256


def publish(folder: Folder, names: list[tuple[str, int]]) -> tuple[DatasetRecord, Totals]:
    """Write the lists of the dataset and give its record, which the caller writes last of all."""
    totals, rows, quarantined = Totals(), list[ShardRow](), 0
    with (
        disk.atomic(folder.out / disk.MANIFEST) as manifest,
        disk.atomic(folder.out / disk.REJECTS) as rejects,
        disk.atomic(folder.out / disk.QUARANTINE) as quarantine,
    ):
        for at in sorted(names):
            end = done(folder, at, check=False)
            if end is None:
                raise ShardError(f"{_done_path(folder, *at)}: vanished during the run; run the same command again")
            if end.row is not None:
                manifest.write(dump(end.row) + b"\n")
                rows.append(end.row)
            rejects.write(end.rejects)
            quarantine.write(end.quarantine)
            totals = totals.plus(end.totals)
            quarantined += end.quarantine.count(b"\n")
    return _record(folder, rows, totals, quarantined), totals


def _record(folder: Folder, rows: list[ShardRow], totals: Totals, quarantined: int) -> DatasetRecord:
    plan = folder.plan
    if totals.shots + quarantined != len(plan):
        raise ShardError(
            f"{folder.out}: {totals.shots} committed and {quarantined} quarantined shots are not the "
            f"{len(plan)} planned; this is a fault of the program, please report it"
        )
    return DatasetRecord(
        digest=disk.digest(folder.out),
        plan=plan.digest,
        config=plan.record(),
        versions=plan.versions,
        shots=len(plan),
        committed=totals.shots,
        quarantined=quarantined,
        frames=totals.frames,
        questions=totals.kept,
        rejected=totals.rejected,
        splits={s: [r.name for r in rows if r.split == s] for s in sorted(plan.config.splits)},
    )

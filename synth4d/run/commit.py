"""From finished shots to shards to a dataset, in the order of the plan, whatever order they finish in.

A shard holds fixed positions of the plan: the k-th `shard_samples` shots of its split, less those that were
quarantined. So each shard is written as soon as its shots are finished (with a blind probe: and the blocks that they
are of are judged), and never again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from synth4d import disk
from synth4d.errors import ShardError
from synth4d.llm import Talk
from synth4d.records import DatasetRecord, ShardRow, dump
from synth4d.run import box
from synth4d.run.blind import Blocks, Drops
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
    shots: list[Shot] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)
    """Blocks of the blind probe that its shots are of."""
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
    blocks: tuple[int, ...]


class Committer:
    """Deals shots to chunks and writes each chunk's shard when the last of its shots is in."""

    def __init__(self, folder: Folder, tally: Tally) -> None:
        self._folder = folder
        self._tally = tally
        self._plan: Plan = folder.plan
        self._open: dict[str, Chunk] = {}
        self._of_key: dict[str, tuple[Chunk, Shot]] = {}
        self._blocks = Blocks(folder) if self._plan.config.blind.probe != "none" else None
        self._unjudged: list[Chunk] = []
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
        if self._blocks:
            self._blocks.deal(shot)
        chunk = self._open.get(shot.split)
        if chunk is None:
            return None
        chunk.shots.append(shot)
        chunk.waiting.add(shot.key)
        if self._blocks:
            chunk.blocks.add(self._blocks.of(shot))
        self._of_key[shot.key] = (chunk, shot)
        chunk.closed = len(chunk.shots) == size
        return chunk

    def _begin(self, at: tuple[str, int]) -> None:
        self.names.append(at)
        end = done(self._folder, at, check=True)
        if end is None or (self._blocks and not all(map(self._blocks.judged, end.blocks))):
            self._open[at[0]] = Chunk(*at)
        else:
            self._open.pop(at[0], None)
            self._tally.known(end.totals, end.quarantine.count(b"\n"))

    def finish(self, key: str) -> None:
        """A shot's box lies in the work folder."""
        chunk, shot = self._of_key.pop(key)
        chunk.waiting.discard(key)
        if self._blocks and self._blocks.finish(shot):
            self._again()
        self._maybe(chunk)

    @property
    def unguessed(self) -> list[int]:
        """Blocks that wait for a model's guesses."""
        return self._blocks.ready if self._blocks else []

    def guessing(self, number: int) -> Talk[Drops]:
        assert self._blocks is not None
        return self._blocks.talk(number)

    def guessed(self, number: int, dropped: Drops) -> None:
        """A block is judged; chunks that waited for it are committed."""
        assert self._blocks is not None
        self._blocks.close(number, dropped)
        self._again()

    def _again(self) -> None:
        waited, self._unjudged = self._unjudged, []
        for chunk in waited:
            self._maybe(chunk)

    def all_dealt(self) -> None:
        """The plan is at its end: the last chunk of each split is as full as it will be."""
        for split, chunk in sorted(self._open.items()):
            if not chunk.closed:
                chunk.closed = True
                self._maybe(chunk)
            self._open.pop(split, None)

    def _maybe(self, chunk: Chunk) -> None:
        if not chunk.closed or chunk.waiting:
            return
        if self._blocks is None or all(map(self._blocks.judged, chunk.blocks)):
            _commit(self._folder, chunk, self._blocks)
        else:
            self._unjudged.append(chunk)


def _commit(folder: Folder, chunk: Chunk, blocks: Blocks | None) -> None:
    from synth4d import shard

    def box_of(shot: Shot) -> Finished:
        end = _box(folder.work / f"{shot.key}.shot", folder.plan)
        return blocks.without(shot, end) if blocks and end.quarantine is None else end

    ends: dict[str, Finished] = {}

    def samples() -> Iterator[Sample]:
        """Each box is read once; what is large of it is not kept."""
        for shot in sorted(chunk.shots, key=lambda s: s.key):
            end = box_of(shot)
            ends[shot.key] = replace(end, members={})
            if end.quarantine is None:
                yield Sample(shot.key, end.members)

    path, found = folder.out / disk.tar_name(chunk.split, chunk.number), samples()
    first = next(found, None)
    row = shard.write_shard(path, chain([first], found)) if first is not None else None
    rejects, quarantine, totals = list[bytes](), list[bytes](), Totals()
    for end in (ends[shot.key] for shot in chunk.shots):
        rejects.append(end.rejects)
        totals = totals.plus(end.stats)
        if end.quarantine is not None:
            quarantine.append(dump(end.quarantine) + b"\n")
    head = {
        "row": row.model_dump(mode="json") if row else None,
        "totals": totals.model_dump(mode="json"),
        "blocks": sorted(chunk.blocks),
    }
    parts = {"rejects": b"".join(rejects), "quarantine": b"".join(quarantine)}
    mark = _done_path(folder, chunk.split, chunk.number)
    box.write(mark, head, parts)
    folder.share(*([path, disk.index_path(path)] if row else []), mark)
    for shot in chunk.shots:
        disk.remove(folder.work / f"{shot.key}.shot")


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
    totals, blocks = Totals.model_validate(head["totals"]), tuple(head.get("blocks", ()))
    return Done(row, parts["rejects"], parts["quarantine"], totals, blocks)


def _intact(path: Path, row: ShardRow) -> bool:
    return path.exists() and path.stat().st_size == row.bytes and disk.file_sha256(path) == row.sha256


def publish(folder: Folder, names: list[tuple[str, int]]) -> tuple[DatasetRecord, Totals]:
    """Write the lists of the dataset and give its record, which the caller writes last of all."""
    totals, quarantined = Totals(), 0
    shards: dict[str, list[str]] = {split: [] for split in sorted(folder.plan.config.splits)}
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
                shards[end.row.split].append(end.row.name)
            rejects.write(end.rejects)
            quarantine.write(end.quarantine)
            totals = totals.plus(end.totals)
            quarantined += end.quarantine.count(b"\n")
    return _record(folder, shards, totals, quarantined), totals


def _record(folder: Folder, shards: dict[str, list[str]], totals: Totals, quarantined: int) -> DatasetRecord:
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
        splits=shards,
    )

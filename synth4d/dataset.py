"""Reading a dataset from its folder: the rows of its files as records, its samples as bytes.

For the tools and exporters; the training side is stream.py, which needs no pydantic.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from synth4d import disk, tar
from synth4d.errors import ShardError
from synth4d.records import DatasetRecord, Quarantine, Record, Reject, ShardRow
from synth4d.types import Sample

R = TypeVar("R", bound=Record)


def read_dataset(folder: Path) -> DatasetRecord:
    path = folder / disk.DATASET
    if not path.exists():
        raise ShardError(f"{folder} has no {disk.DATASET}, so it is no whole dataset: run its command again")
    record: DatasetRecord = parse(DatasetRecord, disk.read_bytes(path), str(path))
    return record


def read_manifest(folder: Path) -> list[ShardRow]:
    return _rows(folder / disk.MANIFEST, ShardRow)


def read_rejects(folder: Path) -> list[Reject]:
    return _rows(folder / disk.REJECTS, Reject)


def read_quarantine(folder: Path) -> list[Quarantine]:
    return _rows(folder / disk.QUARANTINE, Quarantine)


def read_shard(folder: Path, row: ShardRow, *, check: str = "full") -> Iterator[Sample]:
    """The samples of a shard, in order; ShardError before the first where the file is not its row's."""
    with open_shard(folder, row, check=check) as opened:
        for i, key in enumerate(opened.index.keys):
            yield Sample(key, opened.read(i))


def open_shard(folder: Path, row: ShardRow, *, check: str = "full") -> tar.Tar:
    """A shard opened for reading single members; see tar.Tar for what is checked."""
    return tar.Tar(folder / row.name, size=row.bytes, sha256=row.sha256, keys=row.keys, check=check)


def parse(model: Any, data: bytes, where: str) -> Any:
    """JSON bytes as a record (or a list of records); ShardError names the place, the field and the fault."""
    try:
        return TypeAdapter(model).validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ShardError(f"{where}: field {field or '(whole)'}: {first['msg']}") from None


def _rows(path: Path, model: type[R]) -> list[R]:
    """One record a line; a file whose last line has no end is cut off."""
    data = disk.read_bytes(path)
    if data and not data.endswith(b"\n"):
        raise ShardError(f"{path} ends within a line: it is cut off; make the dataset again")
    return [parse(model, line, f"{path} line {i}") for i, line in enumerate(data.split(b"\n")[:-1], 1)]

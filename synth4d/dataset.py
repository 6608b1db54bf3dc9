"""Reading a dataset from its folder or URL: the rows of its files as records, its samples as bytes.

For the tools and exporters; the training side is stream.py, which needs no pydantic.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from synth4d import disk, tar
from synth4d.errors import ShardError
from synth4d.records import DatasetRecord, Quarantine, Record, Reject, ShardRow
from synth4d.source import Source
from synth4d.types import Sample

R = TypeVar("R", bound=Record)
BESIDE = "run.json"
"""What need not be there."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A dataset beneath an fsspec URL, its lists in a folder here. Stands where a dataset's folder does."""

    source: Source
    folder: Path
    keep: bool
    """Whether a shard stays here once it was opened, for who reads it again."""

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def __str__(self) -> str:
        return self.source.url


Where = Path | Remote


@contextmanager
def opened(place: str | Path, *, keep: bool = False) -> Iterator[Where]:
    """A dataset's folder, or what lies beneath a URL while this lasts. Shards are fetched when they are opened, held
    against the manifest, and removed at once unless they are to be kept."""
    if "://" not in str(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="synth4d-") as name:
        source = Source(str(place), Path(name))
        for extra in (disk.DATASET, *([BESIDE] if source.has(BESIDE) else [])):
            disk.write_atomic(source.folder / extra, source.read(extra))
        remote = Remote(source, source.folder, keep)
        try:
            yield remote
        except ShardError as error:
            raise ShardError(said(remote, str(error))) from None


def said(where: Where, message: str) -> str:
    """A message about a dataset that names its URL, not the folder that its files are fetched into."""
    return message if isinstance(where, Path) else message.replace(str(where.folder), str(where))


def tars(where: Where) -> set[str] | None:
    """Names of the shards that lie there; None where nobody can know, as over http."""
    if isinstance(where, Path):
        return {path.name for path in where.glob("*.tar*")}
    names = where.source.names()
    return None if names is None else {name for name in names if ".tar" in name}


def read_dataset(folder: Where) -> DatasetRecord:
    path = folder / disk.DATASET
    if not path.exists():
        raise ShardError(f"{folder} has no {disk.DATASET}, so it is no whole dataset: run its command again")
    data = disk.read_bytes(path)
    disk.parse_dataset(data, str(path))
    record: DatasetRecord = parse(DatasetRecord, data, str(path))
    return record


def read_manifest(folder: Where) -> list[ShardRow]:
    return list(_rows(folder / disk.MANIFEST, ShardRow))


def each_reject(folder: Where) -> Iterator[Reject]:
    """One after another: there may be millions."""
    return _rows(folder / disk.REJECTS, Reject)


def read_rejects(folder: Where) -> list[Reject]:
    return list(each_reject(folder))


def read_quarantine(folder: Where) -> list[Quarantine]:
    return list(_rows(folder / disk.QUARANTINE, Quarantine))


def read_shard(folder: Where, row: ShardRow, *, check: str = "full") -> Iterator[Sample]:
    """The samples of a shard, in order; ShardError before the first where the file is not its row's."""
    with open_shard(folder, row, check=check) as opened:
        for i, key in enumerate(opened.index.keys):
            yield Sample(key, opened.read(i))


def open_shard(folder: Where, row: ShardRow, *, check: str = "full") -> tar.Tar:
    """A shard opened for reading single members; see tar.Tar for what is checked."""
    if not disk.TAR_NAME.fullmatch(row.name):
        raise ShardError(f"{folder / disk.MANIFEST} names a shard {row.name!r}: names are <split>-<six digits>.tar")
    path = folder / row.name
    if isinstance(folder, Remote):
        path = folder.source.path(row.name, row.sha256)
    try:
        return tar.Tar(path, size=row.bytes, sha256=row.sha256, keys=row.keys, check=check)
    finally:
        if isinstance(folder, Remote) and not folder.keep:
            path.unlink()
            disk.index_path(path).unlink(missing_ok=True)


def parse(model: Any, data: bytes, where: str) -> Any:
    """JSON bytes as a record (or a list of records); ShardError names the place, the field and the fault."""
    try:
        return TypeAdapter(model).validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ShardError(f"{where}: field {field or '(whole)'}: {first['msg']}") from None


def _rows(path: Path, model: type[R]) -> Iterator[R]:
    """One record a line; a file whose last line has no end is cut off."""
    try:
        with open(path, "rb") as file:
            for i, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    raise ShardError(f"{path} ends within a line: it is cut off; make the dataset again")
                yield parse(model, line[:-1], f"{path} line {i}")
    except OSError as error:
        raise ShardError(f"can't read {path}: {error.strerror or error}") from None

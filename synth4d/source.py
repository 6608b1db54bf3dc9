"""Where a dataset's files come from, and which shards it has; for training, so without pydantic."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth4d import disk
from synth4d.errors import ConfigError, ShardError


class Source:
    """Where a dataset's files come from: a folder, or an fsspec URL whose files are fetched into a cache.

    A fetched file is kept under the dataset's digest, and only where its sha256 is the one expected, so an
    interrupted or altered transfer is never read, now or later.
    """

    def __init__(self, url: str, cache: Path | None = None) -> None:
        self.url, self.remote = url.rstrip("/"), "://" in url
        self.folder = Path(url)
        if self.remote:
            if cache is None:
                raise ConfigError(f"{url} is not a folder: give cache=, a local folder for what is fetched")
            self.record = disk.parse_object(self._read(disk.DATASET), f"{url}/{disk.DATASET}")
            self.folder = cache / hashlib.sha256(str(self.record.get("digest")).encode()).hexdigest()[:24]
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in (disk.MANIFEST, disk.REJECTS, disk.QUARANTINE):
                disk.write_atomic(self.folder / name, self._read(name))
        elif (self.folder / disk.DATASET).is_file():
            self.record = disk.read_json(self.folder / disk.DATASET)
        else:
            raise ShardError(f"{url} has no {disk.DATASET}, so it is no whole dataset: make it with synth4d dataset")

    def path(self, name: str, sha256: str) -> Path:
        """A local path of the file; fetched first where it is not here yet."""
        path = self.folder / name
        if self.remote and not path.exists():
            total = hashlib.sha256()
            with disk.atomic(path) as file, self._open(name) as remote:
                while chunk := self._some(remote, 1 << 20):
                    total.update(chunk)
                    file.write(chunk)
                if total.hexdigest() != sha256:
                    raise ShardError(f"{self.url}/{name} came with another sha256 than its manifest's: try again")
        return path

    def _read(self, name: str) -> bytes:
        with self._open(name) as file:
            return self._some(file, -1)

    def _some(self, file: Any, size: int) -> bytes:
        try:
            data: bytes = file.read(size)
        except OSError as error:
            raise ShardError(f"{self.url}: the connection broke, try again: {error}") from None
        return data

    def _open(self, name: str) -> Any:
        import fsspec

        try:
            return fsspec.open(f"{self.url}/{name}", "rb").open()
        except (OSError, ValueError, ImportError) as error:
            raise ShardError(f"can't read {self.url}/{name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the manifest."""

    name: str
    bytes: int
    sha256: str
    keys: tuple[str, ...]


def load_rows(source: Source, split: str, *, proved: bool) -> tuple[str, tuple[Row, ...]]:
    """The dataset's digest and the split's rows, in the order of their names."""
    record, manifest = source.record, source.folder / disk.MANIFEST
    try:
        if record["version"] != 1:
            raise ConfigError(f"{source.url} is of version {record['version']}, this synth4d reads 1: upgrade it")
        digest, splits = str(record["digest"]), dict(record["splits"])
        if proved and disk.digest(source.folder) != digest:
            raise ShardError(f"{manifest} or a file beside it is not what {disk.DATASET} says: make it again")
        if split not in splits:
            raise ConfigError(f"{source.url} has no split {split!r}: choose one of {', '.join(sorted(splits))}")
        rows = [
            Row(str(row["name"]), int(row["bytes"]), str(row["sha256"]), tuple(row["keys"]))
            for row in disk.read_jsonl(manifest)
            if row["split"] == split
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ShardError(f"{source.url}: dataset.json or manifest.jsonl lacks a field: {error!r}") from None
    rows.sort(key=lambda row: row.name)
    if [row.name for row in rows] != sorted(splits[split]):
        raise ShardError(f"{manifest} lists other {split} shards than {disk.DATASET}: make the dataset again")
    for row in rows:
        if not disk.TAR_NAME.fullmatch(row.name):
            raise ShardError(f"{manifest} names a shard {row.name!r}: names are <split>-<six digits>.tar")
    return digest, tuple(rows)

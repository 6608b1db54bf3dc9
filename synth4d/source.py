"""Where a dataset's files come from, and which shards it has; for training, so without pydantic."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth4d import disk
from synth4d.errors import ConfigError, ShardError

TRIES = 6
"""How often a transfer is begun again while it makes no headway: 5 waits, 6.2 s in all."""
FIRST_WAIT_S, CHUNK = 0.2, 1 << 20


class Source:
    """Where a dataset's files come from: a folder, or an fsspec URL whose files are fetched into a cache.

    A fetched file is kept under the dataset's digest, and only where its sha256 is the one expected, so an
    interrupted or altered transfer is never read, now or later. A transfer that breaks goes on where it stood; one
    that ends with other bytes is fetched once more from its start.
    """

    def __init__(self, url: str, cache: Path | None = None) -> None:
        self.url, self.remote = url.rstrip("/"), "://" in url
        self.folder = Path(url)
        if self.remote:
            if cache is None:
                raise ConfigError(f"{url} is not a folder: give cache=, a local folder for what is fetched")
            self.record = disk.parse_dataset(self.read(disk.DATASET), f"{url}/{disk.DATASET}")
            self.folder = cache / hashlib.sha256(str(self.record.get("digest")).encode()).hexdigest()[:24]
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in (disk.MANIFEST, disk.REJECTS, disk.QUARANTINE):
                disk.write_atomic(self.folder / name, self.read(name))
        elif (self.folder / disk.DATASET).is_file():
            path = self.folder / disk.DATASET
            self.record = disk.parse_dataset(disk.read_bytes(path), str(path))
        else:
            raise ShardError(f"{url} has no {disk.DATASET}, so it is no whole dataset: make it with synth4d dataset")

    def path(self, name: str, sha256: str) -> Path:
        """A local path of the file; fetched first where it is not here yet."""
        path = self.folder / name
        if self.remote and not path.exists():
            with disk.atomic(path) as file:
                for again in (True, False):
                    total = hashlib.sha256()
                    file.seek(0)
                    file.truncate()
                    for chunk in self._chunks(name):
                        total.update(chunk)
                        file.write(chunk)
                    if total.hexdigest() == sha256:
                        break
                    if not again:
                        raise ShardError(f"{self.url}/{name} came with another sha256 than its manifest's, twice")
        return path

    def read(self, name: str) -> bytes:
        """A file's bytes, from where it lies."""
        return b"".join(self._chunks(name))

    def has(self, name: str) -> bool:
        return bool(self._system().exists(f"{self.url}/{name}"))

    def names(self) -> list[str] | None:
        """What lies beneath the URL; None over http, where there are no listings."""
        if self.url.startswith("http"):
            return None
        return [path.rpartition("/")[2] for path in self._system().ls(self.url, detail=False)]

    def _chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, over as many connections as it takes; ShardError when none makes headway."""
        url, system, passing = f"{self.url}/{name}", self._system(), _passing(self.url)
        done, failures = 0, 0
        while True:
            try:
                with _opened(system, url, done) as file:
                    while chunk := file.read(CHUNK):
                        yield chunk
                        done += len(chunk)
                        failures = 0
                return
            except FileNotFoundError:
                raise ShardError(f"{url} is not there: the dataset is not whole, or the address is wrong") from None
            except passing as error:
                failures += 1
                if failures == TRIES:
                    said = f"{type(error).__name__}: {error}".rstrip(": ")
                    raise ShardError(f"can't read {url} beyond byte {done} in {TRIES} tries: {said}") from None
                time.sleep(FIRST_WAIT_S * 2 ** (failures - 1))

    def _system(self) -> Any:
        """The file system of the URL."""
        import fsspec

        try:
            return fsspec.url_to_fs(self.url)[0]
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"can't read {self.url}: {error}; `pip install 'synth4d[remote]'` has s3 and http"
            ) from None


def _passing(url: str) -> tuple[type[Exception], ...]:
    """Errors of a transfer that may pass."""
    if not url.startswith("http"):
        return (OSError, ValueError)
    import aiohttp

    return (OSError, ValueError, aiohttp.ClientError)


def _opened(system: Any, url: str, begin: int) -> Any:
    """A file opened to be read on from a byte; by reading what is before it where a server takes no ranges."""
    if not url.startswith("http"):
        file = system.open(url, "rb")
        file.seek(begin)
        return file
    # In one stream; a size that is given spares fsspec the question for it.
    file = system.open(url, "rb", block_size=0, size=1, headers={"Range": f"bytes={begin}-"} if begin else {})
    left = begin if file.r.status != 206 else 0
    while left and (before := file.read(min(left, CHUNK))):
        left -= len(before)
    return file


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

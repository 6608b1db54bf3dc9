"""Samples into tars: equal samples give equal bytes whatever the machine, the time, the number of workers.

A tar is visible under its name only when it is whole. Reading is the business of dataset.py and stream.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from synth4d import disk, tar
from synth4d.errors import ShardError
from synth4d.records import ShardRow
from synth4d.types import Sample


def write_shard(path: Path, samples: Iterable[Sample]) -> ShardRow:
    """Write samples, in the order of their keys, as one tar and its index beside it.

    Samples are taken one at a time, so an iterator that loads them keeps memory flat. The tar appears when it
    is whole. ShardError: a malformed, repeated or unsorted key, members unlike the first sample's, no sample.
    """
    split = _split(path)
    keys: list[str] = []
    suffixes: tuple[str, ...] = ()
    sizes: list[list[int]] = []
    with disk.atomic(path) as file, _Hashed(file) as out:
        for sample in samples:
            names = tuple(sorted(sample.members))
            _check(path, sample.key, names, keys[-1] if keys else None, suffixes or names)
            out.write(_block(sample, names))
            keys.append(sample.key)
            suffixes = names
            sizes.append([len(sample.members[name]) for name in names])
        if not keys:
            raise ShardError(f"no samples for {path}: an empty shard is not written")
        index = tar.Index(tuple(keys), suffixes, np.array(sizes, np.int64))
        out.write([bytes(index.end() - int(tar.steps(index.sizes).sum()))])
    sha256 = out.total.hexdigest()
    disk.write_atomic(disk.index_path(path), tar.dump_index(index, sha256))
    return ShardRow(name=path.name, split=split, bytes=index.end(), sha256=sha256, samples=len(keys), keys=keys)


class _Hashed:
    """Writes a file and takes its sha256 on a second core meanwhile, AT_ONCE bytes or a sample behind."""

    AT_ONCE = 1 << 18

    def __init__(self, file: BinaryIO) -> None:
        self.total = hashlib.sha256()
        self._file, self._parts, self._size = file, list[bytes](), 0
        self._thread, self._hashed = ThreadPoolExecutor(1), Future[None]()
        self._hashed.set_result(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._thread.shutdown()

    def write(self, parts: list[bytes]) -> None:
        self._parts += parts
        self._size += sum(map(len, parts))
        if self._size >= self.AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        block = b"".join(self._parts)
        self._parts, self._size = [], 0
        self._hashed.result()
        self._hashed = self._thread.submit(self.total.update, block)
        self._file.write(block)


def _split(path: Path) -> str:
    found = disk.TAR_NAME.fullmatch(path.name)
    if not found:
        raise ShardError(f"shard name {path.name!r} is not <split>-<six digits>.tar: use disk.tar_name")
    return found[1]


def _block(sample: Sample, names: tuple[str, ...]) -> list[bytes]:
    """A sample's part of the tar."""
    parts: list[bytes] = []
    for name in names:
        data = sample.members[name]
        parts += tar.header(f"{sample.key}.{name}", len(data)), data, bytes(-len(data) % tar.BLOCK)
    return parts


def _check(path: Path, key: str, names: tuple[str, ...], last: str | None, first: tuple[str, ...]) -> None:
    if not tar.KEY.fullmatch(key):
        raise ShardError(f"sample key {key!r} for {path} is malformed: keys are [a-z0-9_-], 1 to 100 long")
    if last is not None and key <= last:
        raise ShardError(f"sample key {key} after {last} in {path}: keys must increase; sort the samples")
    if names != first or not names:
        raise ShardError(f"sample {key} has members {names}, the first of {path} {first}: give all the same")
    for name in names:
        if not tar.SUFFIX.fullmatch(name):
            raise ShardError(f"member {name!r} of sample {key} is malformed: a suffix is [a-z0-9] with dots between")

"""A dataset's folder: names, atomic files, and the digest. Standard library only.

A file appears under its name whole or not at all: written beside it, flushed to the device, renamed, and
the folder flushed. A temporary file of a killed writer keeps its unique name until `sweep` removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from synth4d.errors import ShardError

DATASET = "dataset.json"
VERSION = 1
"""Of what dataset.json and the files beside it mean; others are not read."""
MANIFEST = "manifest.jsonl"
REJECTS = "rejects.jsonl"
QUARANTINE = "quarantine.jsonl"
TAR_NAME = re.compile(r"([a-z0-9_]+)-([0-9]{6,})\.tar")
TEMPORARY = ".tmp-"


def tar_name(split: str, number: int) -> str:
    """`train-000000.tar`"""
    name = f"{split}-{number:06d}.tar"
    if not TAR_NAME.fullmatch(name):
        raise ShardError(f"shard name {name!r} is malformed: a split is [a-z0-9_]+, a number at least 0")
    return name


def index_path(tar: Path) -> Path:
    """Where the offsets of a tar's members are kept."""
    return tar.with_suffix(".idx")


@contextmanager
def atomic(path: Path, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """A file that appears at `path` whole when the block ends, and not at all when it raises.

    `lasting` False: a power cut may undo it or leave it damaged, which its reader must see by itself.
    """
    temporary = path.with_name(f"{path.name}{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if lasting:
            sync_folder(path.parent)
    except OSError as error:
        raise ShardError(f"can't write {path}: {error.strerror or error}; make room or choose another --out") from error
    finally:
        # Gone after the rename; still there when anything above failed.
        with suppress(OSError):
            temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    with atomic(path) as file:
        file.write(data)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ShardError(f"can't remove {path}: {error.strerror or error}; mend that and run again") from error


def sweep(folder: Path) -> int:
    """Remove what killed writers left; only while no other run writes there. How many files it was."""
    left = [p for p in sorted(folder.iterdir()) if TEMPORARY in p.name and p.is_file()]
    for path in left:
        path.unlink()
    return len(left)


def digest(folder: Path) -> str:
    """sha256 over manifest, rejects and quarantine, each preceded by its name and length."""
    total = hashlib.sha256()
    for name in (MANIFEST, REJECTS, QUARANTINE):
        path = folder / name
        try:
            with open(path, "rb") as file:
                total.update(f"{name} {os.fstat(file.fileno()).st_size}\n".encode())
                while chunk := file.read(1 << 20):
                    total.update(chunk)
        except OSError as error:
            raise ShardError(f"can't read {path}: {error.strerror or error}") from None
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ShardError(f"can't read {path}: {error.strerror or error}") from None


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ShardError(f"can't read {path}: {error.strerror or error}") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; ShardError where it is none."""
    return parse_object(read_bytes(path), str(path))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """One JSON object a line, the last line ended too; ShardError names the line that is none."""
    data = read_bytes(path)
    if data and not data.endswith(b"\n"):
        raise ShardError(f"{path} ends within a line: it is cut off; make the dataset again")
    return [parse_object(line, f"{path} line {i}") for i, line in enumerate(data.split(b"\n")[:-1], 1)]


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ShardError(f"{where} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ShardError(f"{where} is no JSON object")
    return value


def parse_dataset(data: bytes, where: str) -> dict[str, Any]:
    """A dataset.json of the one version that is read; else ShardError."""
    record = parse_object(data, where)
    if record.get("version") != VERSION:
        raise ShardError(
            f"{where} is of version {record.get('version')!r:.20}, this synth4d reads version {VERSION}: "
            "use the one that made it, or make it again"
        )
    return record

"""Plain ustar files that are a function of their members: headers, index of offsets, strict reader.

Headers are made by hand (three times as fast as tarfile) and read by comparing with the one header that
`header` makes of the same name and size, so links, devices, folders, long-name and pax records, compression
and altered fields are all refused by one test. All samples of a tar have the same members.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from synth4d.disk import index_path, write_atomic
from synth4d.errors import ShardError

KEY = re.compile(r"[a-z0-9_-]{1,100}")
SUFFIX = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*")
BLOCK, RECORD = 512, 10240
_MID = b"0000644\0" + b"0000000\0" * 2
_TAIL = b" 0" + b"\0" * 100 + b"ustar\x0000"
# A checksum counts its own eight bytes as spaces: six digits, NUL, space.
_FIXED = sum(_MID) + 11 * ord("0") + sum(_TAIL) + 7 * ord(" ")
_ZEROS = bytes(BLOCK)
_KINDS = {
    b"1": "a link",
    b"2": "a link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
}


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where the members of a tar lie. Offsets follow from the sizes, since nothing else is in the file."""

    keys: tuple[str, ...]
    suffixes: tuple[str, ...]
    sizes: NDArray[np.int64]
    """(samples, suffixes) bytes"""

    def offsets(self) -> NDArray[np.int64]:
        """(samples, suffixes): where each member's bytes begin."""
        return (np.cumsum(steps(self.sizes)) - steps(self.sizes).ravel() + BLOCK).reshape(self.sizes.shape)

    def end(self) -> int:
        """Size of the file in bytes."""
        return -(-(int(steps(self.sizes).sum()) + 2 * BLOCK) // RECORD) * RECORD


def steps(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes that members take with their headers and padding."""
    return BLOCK + (sizes + BLOCK - 1) // BLOCK * BLOCK


def header(name: str, size: int) -> bytes:
    """The one ustar header of a regular file: mode 0644, owner 0, time 0."""
    raw, digits = name.encode("ascii"), b"%011o" % size
    if len(raw) > 100 or len(digits) > 11:
        raise ShardError(f"member {name} of {size} bytes does not fit ustar: name up to 100 bytes, size to 8 GiB")
    checksum = b"%06o\0" % (_FIXED + sum(raw) + sum(digits))
    fields = (raw.ljust(100, b"\0"), _MID, digits, b"\0", b"0" * 11, b"\0", checksum, _TAIL)
    return b"".join(fields).ljust(BLOCK, b"\0")


# ---- Reading -------------------------------------------------------------------------------------


class Tar:
    """An open tar that is what its manifest says; its members by sample number.

    check: `full` compares the sha256 of every byte and reads every header, `size` the length and the index
    beside it, `off` only the index.
    """

    def __init__(self, path: Path, *, size: int, sha256: str, keys: Sequence[str], check: str = "full") -> None:
        self.path = path
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise ShardError(f"can't open shard {path}: {error.strerror or error}") from None
        try:
            self.index = self._checked(size, sha256, check)
            if list(self.index.keys) != list(keys):
                raise ShardError(f"{path} holds other samples than its manifest names: make the dataset again")
        except BaseException:
            self._file.close()
            raise
        self._offsets = self.index.offsets()

    def _checked(self, size: int, sha256: str, check: str) -> Index:
        found = os.fstat(self._file.fileno()).st_size
        if check != "off" and found != size:
            raise ShardError(f"{self.path} has {found} bytes, its manifest says {size}: it is cut off or replaced")
        if check != "full":
            return load_index(self.path, sha256)
        actual = hashlib.file_digest(self._file, "sha256").hexdigest()
        if actual != sha256:
            raise ShardError(f"{self.path} has sha256 {actual}, its manifest says {sha256}: it is damaged or replaced")
        return scan(self._file, str(self.path))

    def read(self, sample: int, suffixes: Iterable[str] | None = None) -> dict[str, bytes]:
        """Members of a sample (all, or those named): suffix → bytes."""
        wanted = self.index.suffixes if suffixes is None else suffixes
        out = {}
        for suffix in wanted:
            column = self._column(suffix)
            size = int(self.index.sizes[sample, column])
            offset = int(self._offsets[sample, column])
            out[suffix] = os.pread(self._file.fileno(), size, offset)
            if len(out[suffix]) != size:
                raise ShardError(f"{self.path} ends before byte {offset + size}: it was cut off while it was read")
        return out

    def _column(self, suffix: str) -> int:
        try:
            return self.index.suffixes.index(suffix)
        except ValueError:
            has = ", ".join(self.index.suffixes)
            raise ShardError(f"{self.path} has no member {suffix}: its samples have {has}") from None

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def scan(file: BinaryIO | FileIO, where: str) -> Index:
    """The index of a tar from its headers; ShardError names the offset of the first thing amiss."""
    handle = file.fileno()
    length = os.fstat(handle).st_size
    keys: list[str] = []
    sizes: list[list[int]] = []
    suffixes: list[list[str]] = []
    offset = 0
    while (block := os.pread(handle, BLOCK, offset)) != _ZEROS:
        key, suffix, size = _parse(block, f"{where} at byte {offset}")
        step = BLOCK + -(-size // BLOCK) * BLOCK
        if offset + step > length:
            raise ShardError(f"{where} at byte {offset}: member of {size} bytes reaches past the end, {length}")
        if any(os.pread(handle, step - BLOCK - size, offset + BLOCK + size)):
            raise ShardError(f"{where} at byte {offset + BLOCK + size}: padding is not zero")
        if not keys or key != keys[-1]:
            if keys and key < keys[-1]:
                raise ShardError(f"{where} at byte {offset}: sample {key} after {keys[-1]}, keys must increase")
            keys.append(key)
            sizes.append([])
            suffixes.append([])
        sizes[-1].append(size)
        suffixes[-1].append(suffix)
        offset += step
    for key, names in zip(keys, suffixes, strict=True):
        if names != suffixes[0] or names != sorted(set(names)):
            raise ShardError(f"{where}: sample {key} has members {names}, the first {suffixes[0]}")
    if not keys:
        raise ShardError(f"{where} holds no sample")
    index = Index(tuple(keys), tuple(suffixes[0]), np.array(sizes, np.int64))
    if length != index.end() or any(os.pread(handle, length - offset, offset)):
        raise ShardError(f"{where} at byte {offset}: it must end there with zeros up to {index.end()} bytes")
    return index


def _parse(block: bytes, where: str) -> tuple[str, str, int]:
    """(key, suffix, size) of a header; ShardError where `header` would not have made it."""
    if len(block) < BLOCK:
        raise ShardError(f"{where}: the file ends within a header; it is cut off")
    if block[257:263] != b"ustar\0":
        raise ShardError(f"{where}: no ustar header (compressed, overwritten or another format)")
    kind = block[156:157]
    if kind != b"0":
        raise ShardError(f"{where}: member is {_KINDS.get(kind, f'of type {kind!r}')}, only regular files are read")
    name, digits = block[:100].rstrip(b"\0").decode("latin-1"), block[124:135]
    key, _, suffix = name.partition(".")
    if not (KEY.fullmatch(key) and SUFFIX.fullmatch(suffix)):
        raise ShardError(f"{where}: member name {name!r} is not key.suffix with a key of [a-z0-9_-]")
    if not re.fullmatch(rb"[0-7]{11}", digits) or header(name, int(digits, 8)) != block:
        raise ShardError(f"{where}: header of {name} is altered: it is not the one of its name and size")
    return key, suffix, int(digits, 8)


# ---- The index beside a tar ----------------------------------------------------------------------


def dump_index(index: Index, sha256: str) -> bytes:
    record = {"keys": index.keys, "sha256": sha256, "sizes": index.sizes.tolist(), "suffixes": index.suffixes}
    body = json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


def load_index(path: Path, sha256: str) -> Index:
    """The index of the tar with that sha256, from beside it; made again where missing, stale or damaged."""
    index = read_index(index_path(path), sha256)
    if index is None:
        with open(path, "rb", buffering=0) as file:
            index = scan(file, str(path))
        # A folder that can't be written to only costs the next reader the same scan.
        with suppress(ShardError):
            write_atomic(index_path(path), dump_index(index, sha256))
    return index


def read_index(path: Path, sha256: str) -> Index | None:
    """The index in an .idx file, or None unless it is whole and of the tar with that sha256."""
    try:
        body, check, _ = path.read_bytes().split(b"\n")
    except (OSError, ValueError):
        return None
    if hashlib.sha256(body).hexdigest().encode() != check:
        return None
    record = json.loads(body)
    if record["sha256"] != sha256:
        return None
    return Index(tuple(record["keys"]), tuple(record["suffixes"]), np.array(record["sizes"], np.int64))

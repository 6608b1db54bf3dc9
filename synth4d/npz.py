"""An npz of one uint16 (T,H,W) array, with the same bytes wherever it is made."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib

import numpy as np

from synth4d.errors import ShardError
from synth4d.types import U16

MAX_VALUES = 1 << 31
"""Largest T·H·W that is decoded, so that a forged header can't ask for all memory."""

_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<u2', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\), \} *\n",
    re.S,
)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """Header of a little-endian uint16 npy file, format 1.0, as every numpy writes it."""
    text = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def pack(name: str, array: U16) -> bytes:
    """An npz of one uint16 (T,H,W) array, without the date that numpy's own writer puts in.

    A zip archive (APPNOTE 6.3.3) of one file, written by hand: the standard library's takes no stream of others.
    """
    from synth4d._packing import deflate

    member = f"{name}.npy".encode()
    body = _npy_header(array.shape) + np.ascontiguousarray(array, "<u2").tobytes()
    packed = deflate(body)
    # Version 2.0, no flags, deflated, midnight of 1980-01-01; then checksum and sizes, and no extra field.
    about = struct.pack("<5H3I2H", 20, 0, 8, 0, 33, zlib.crc32(body), len(packed), len(body), len(member), 0)
    local = b"PK\3\4" + about + member + packed
    # Made by version 2.0 on Unix; no comment, disk 0, no inner attributes, a file with mode 644, at offset 0.
    entry = b"PK\1\2\x14\3" + about + struct.pack("<3H2I", 0, 0, 0, 0o644 << 16, 0) + member
    return local + entry + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 1, 1, len(entry), len(local), 0)


def unpack(data: bytes, member: str, name: str) -> U16:
    """The array, read-only; numpy's own reader copies it in pieces and takes 1.4 times as long."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.namelist() != [f"{name}.npy"]:
                raise ValueError(f"it holds {archive.namelist()[:3]}")
            if archive.getinfo(f"{name}.npy").file_size > 2 * MAX_VALUES:
                raise ValueError("it is too large")
            raw = archive.read(f"{name}.npy")
        found = _NPY.match(raw)
        if not found:
            raise ValueError(f"its npy header is {raw[:80]!r}")
        shape = tuple(int(n) for n in found.groups())
        return np.frombuffer(raw, "<u2", offset=len(_npy_header(shape))).reshape(shape)
    except (ValueError, KeyError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ShardError(f"{member} is no npz of one uint16 (T,H,W) array {name}: {error}") from None
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ShardError(f"{member} is damaged: {error}") from None

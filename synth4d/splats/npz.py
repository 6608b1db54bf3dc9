"""Arrays out of somebody's .npz: nothing is unpickled, and sizes are known before anything is allocated."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError

MAX_MEMBERS = 64
SMALL = 64 << 20
"""Bytes that may be declared whatever the compressed size; beyond them the ratio counts."""
MAX_RATIO = 100
"""Gaussians compress to a half or a third; constant ones to a thousandth, and so do bombs."""
_npy: Any = np.lib.format


def read_npz(
    path: Path, names: Iterable[str], *, max_values: int, optional: Iterable[str] = ()
) -> dict[str, NDArray[Any]]:
    """The named arrays of a file, as little-endian numbers; SceneError where one is missing, huge or not numbers."""
    with _refused(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        size, packed = sum(m.file_size for m in members), os.path.getsize(path)
        if size > max(SMALL, MAX_RATIO * packed):
            raise SceneError(f"{path} says {size} bytes from {packed} compressed: refused as a bomb")
        if len(members) > MAX_MEMBERS or len({m.filename for m in members}) < len(members):
            raise SceneError(f"{path}: {len(members)} members, some maybe of one name; at most {MAX_MEMBERS} are read")
        found = {m.filename.removesuffix(".npy"): m for m in members}
        if missing := [name for name in names if name not in found]:
            raise SceneError(f"{path} lacks {missing[0]}; it has {', '.join(sorted(found)) or 'nothing'}")
        wanted = [*names, *(name for name in optional if name in found)]
        return {name: _array(path, archive, found[name], name, max_values) for name in wanted}


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SceneError(f"can't read {path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise SceneError(f"{path} is no whole npz: {error}") from None


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, max_values: int) -> NDArray[Any]:
    with archive.open(member) as file:
        version = _npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise SceneError(f"{path}: {name} is of npy version {version}, 1.0 and 2.0 are read")
        header = _npy.read_array_header_1_0 if version == (1, 0) else _npy.read_array_header_2_0
        shape, fortran, dtype = header(file, max_header_size=10_000)
        if dtype.kind not in "fiub" or dtype.itemsize > 8:
            raise SceneError(f"{path}: {name} is of type {dtype}, only numbers are read")
        values = 1
        for side in shape:
            values *= side
        if values > max_values or any(side < 0 for side in shape):
            raise SceneError(f"{path}: {name} of shape {shape} has more than {max_values} values")
        size = values * dtype.itemsize
        if file.tell() + size != member.file_size:
            raise SceneError(
                f"{path}: {name} of shape {shape} takes {size} bytes from byte {file.tell()}, "
                f"its member ends at {member.file_size}"
            )
        flat = np.empty(values, dtype)
        view, start = flat.view(np.uint8).data, 0
        while start < size:
            chunk = file.read(min(size - start, 1 << 24))
            if not chunk:
                raise SceneError(f"{path}: {name} ends {size - start} bytes early")
            view[start : start + len(chunk)] = chunk
            start += len(chunk)
        return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="), copy=False)

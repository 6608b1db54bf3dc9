"""One file of Gaussians, told by its first bytes, whatever it is called."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError
from synth4d.splats import compressed, spz
from synth4d.splats.ply import read_ply
from synth4d.splats.splats import MAX_GAUSSIANS, SH_C0, Notes, OnBad, Raw, Splats, finish
from synth4d.splats.table import read_header

_ELSEWHERE = {
    b"PK\x03\x04": "a zip: a params.npz is read as motion, a .sog after `splat-transform in.sog out.ply`",
    b"glTF": "a GLB: a mesh, or Gaussians after `splat-transform in.glb out.ply`",
    b"{": "JSON: cameras are read as transforms.json, not as Gaussians",
}
_RECORD = np.dtype([("means", "<f4", 3), ("scales", "<f4", 3), ("rgba", "u1", 4), ("rot", "u1", 4)])


def read(path: Path | str, *, on_bad: OnBad = "refuse") -> Splats:
    """The Gaussians in a file, in its own axes and units: 3DGS PLY, compressed PLY, SPZ 2 to 4, or .splat.

    on_bad: "refuse" raises a SceneError that names the first value that is no number or absurd, "drop" leaves those
    Gaussians out and counts them in notes.dropped. SceneError also says what a file is that can't be read.
    """
    source = str(path)
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise SceneError(
                f"{source} is {'a folder: of frames, read it as motion' if stat.S_ISDIR(mode) else 'no file'}"
            )
        with open(path, "rb", buffering=0) as file:
            length = os.fstat(file.fileno()).st_size
            first = file.read(4)
            if first.startswith((b"ply\n", b"ply\r")):
                header = read_header(file, source, length)
                reader = compressed.read_compressed if compressed.is_compressed(header) else read_ply
                return reader(file, header, source, on_bad)
            if first.startswith(spz.GZIP) or first == spz.MAGIC:
                return spz.read_spz(file, source, on_bad)
            for start, what in _ELSEWHERE.items():
                if first.startswith(start):
                    raise SceneError(f"{source} is {what}")
            if not length or length % _RECORD.itemsize:
                found = f"begins with {first!r}" if length else "is empty"
                raise SceneError(
                    f"{source} {found}: no PLY or SPZ, and its {length} bytes are not rows of {_RECORD.itemsize} "
                    "(.splat); export it as one of these"
                )
            return _read_splat(file, length // _RECORD.itemsize, source, on_bad)
    except OSError as error:
        raise SceneError(f"can't read {source}: {error.strerror or error}") from None


def _read_splat(file: FileIO, count: int, source: str, on_bad: OnBad) -> Splats:
    """.splat (antimatter15/splat): rows of position, linear scale, RGBA bytes, wxyz bytes of q · 128 + 128."""
    if count > MAX_GAUSSIANS:
        raise SceneError(f"{source}: {count} Gaussians, at most {MAX_GAUSSIANS} are read")
    notes = Notes(source, ".splat")
    file.seek(0)
    if on_bad == "refuse":
        finish(_raw(np.fromfile(file, _RECORD, 4096)), notes, on_bad)  # gigabytes of something else are refused here
        file.seek(0)
    return finish(_raw(np.fromfile(file, _RECORD, count)), notes, on_bad)


def _raw(rows: NDArray[Any]) -> Raw:
    rgba = rows["rgba"] / np.float32(255)
    rot = (rows["rot"].astype(np.float32) - 128) / 128
    f_dc = (rgba[:, :3] - np.float32(0.5)) / np.float32(SH_C0)
    means, scales = np.ascontiguousarray(rows["means"]), np.ascontiguousarray(rows["scales"])
    return Raw(means, rot, scales, np.ascontiguousarray(rgba[:, 3]), f_dc)

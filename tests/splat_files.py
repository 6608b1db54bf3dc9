"""Gaussians and hand-made files for the tests of readers: written here byte by byte, apart from our writers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from synth4d.splats import Notes, Splats
from synth4d.types import Gaussians

C0 = 0.28209479177387814
PARTS = ("means", "quats_wxyz", "scales", "opacities", "colours")


def some(n: int = 300, k: int = 15, seed: int = 0, owner: bool = True) -> Splats:
    """Gaussians as a capture has them, within what every format can hold."""
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(n, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    parts = (rng.normal(0, 3, (n, 3)), quats, np.exp(rng.uniform(-7, -1, (n, 3))), rng.uniform(0, 1, n))
    colours = rng.uniform(0, 1, (n, 3))
    sh = np.clip(rng.normal(0, 0.2, (n, k, 3)), -0.9, 0.9).astype(np.float32) if k else None
    g = Gaussians(*(a.astype(np.float32) for a in (*parts, colours)), np.zeros(n, np.uint16), sh)
    ids = rng.integers(0, 5, n).astype(np.uint32) if owner else None
    return Splats(g, Notes("made", "3DGS PLY", {0: 0, 3: 1, 8: 2, 15: 3}[k]), ids)


def trained(splats: Splats) -> dict[str, np.ndarray]:
    """The columns that 3DGS would save, as float64."""
    g = splats.gaussians
    out = {name: g.means[:, i].astype(float) for i, name in enumerate("xyz")}
    out |= {f"f_dc_{i}": (g.colours[:, i].astype(float) - 0.5) / C0 for i in range(3)}
    if g.sh is not None:
        k = g.sh.shape[1]
        out |= {f"f_rest_{c * k + i}": g.sh[:, i, c].astype(float) for c in range(3) for i in range(k)}
    p = np.clip(g.opacities.astype(float), 1e-7, 1 - 1e-7)
    out["opacity"] = np.log(p / (1 - p))
    out |= {f"scale_{i}": np.log(g.scales[:, i].astype(float)) for i in range(3)}
    return out | {f"rot_{i}": 1.7 * g.quats_wxyz[:, i].astype(float) for i in range(4)}


TYPES = {"float": "f4", "double": "f8", "uchar": "u1", "uint": "u4", "int": "i4", "short": "i2"}


def ply(
    columns: dict[str, np.ndarray],
    order: str = "<",
    types: dict[str, str] | None = None,
    comments: tuple[str, ...] = (),
    newline: str = "\n",
) -> bytes:
    """A PLY of one element, vertex; float where `types` says nothing; order `a` is ascii."""
    types, n = types or {}, len(next(iter(columns.values())))
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "a": "ascii"}[order]
    lines = ["ply", f"format {form} 1.0", *(f"comment {c}" for c in comments), f"element vertex {n}"]
    lines += [f"property {types.get(name, 'float')} {name}" for name in columns]
    head = newline.join([*lines, "end_header", ""]).encode()
    if order == "a":
        rows = (" ".join(repr(float(v)) for v in row) for row in zip(*columns.values(), strict=True))
        return head + "\n".join(rows).encode() + b"\n"
    table = np.empty(n, [(name, order + TYPES[types.get(name, "float")]) for name in columns])
    for name, column in columns.items():
        table[name] = column
    return head + table.tobytes()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def spz_head(version: int, n: int, degree: int = 0, bits: int = 12, flags: int = 0) -> bytes:
    return struct.pack("<4sIIBBBB", b"NGSP", version, n, degree, bits, flags, 0)

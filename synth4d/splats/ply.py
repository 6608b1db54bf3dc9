"""Gaussians in PLY as 3D Gaussian splatting writes them, by property name.

`x y z`, log `scale_0..2` (or 0..1: 2DGS), quaternion `rot_0..3` = wxyz of any length, logit `opacity`, and colour as
`f_dc_0..2` with `f_rest_*` (all coefficients of red, then green, then blue) or as uchar `red green blue`. Sources:
exporters of gsplat and nerfstudio; header comments as splat-transform reads them. Ours adds `uint object_id`.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.disk import atomic
from synth4d.errors import SceneError
from synth4d.splats.splats import SH_C0, Column, Notes, OnBad, Raw, Splats, finish
from synth4d.splats.table import Element, Header, blocks
from synth4d.types import F32

_XYZ, _ROT = ("x", "y", "z"), ("rot_0", "rot_1", "rot_2", "rot_3")
_DC, _RGB, _NORMAL = ("f_dc_0", "f_dc_1", "f_dc_2"), ("red", "green", "blue"), ("nx", "ny", "nz")
_REST = (0, 9, 24, 45)
_MODES = {"default": "default", "mip": "mip", "2dgs": "2dgs", "0": "default", "1": "mip"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which properties of the vertices are what."""

    scales: tuple[str, ...]
    colour: tuple[str, ...]
    rest: tuple[str, ...]
    extra: tuple[str, ...]


def read_ply(file: FileIO, header: Header, source: str, on_bad: OnBad) -> Splats:
    """Gaussians of an open PLY whose header has been read; SceneError names what is missing or bad."""
    vertex = header.element("vertex")
    if vertex is None or not vertex.count:
        raise SceneError(f"{source} has no vertices, so no Gaussians")
    layout = _layout(vertex.properties, source)
    if layout.colour is _RGB and any(vertex.row[name] != np.uint8 for name in _RGB):
        raise SceneError(f"{source}: red, green and blue must be uchar where there is no f_dc_0")
    raw = _empty(vertex, layout)
    columns = _columns(raw, layout)
    notes = _notes(header, layout, source)
    raw.antialiased = render_mode(header.comments) == "mip"
    with np.errstate(over="ignore"):  # a double beyond float's range becomes inf, which is refused by name
        for element, start, rows in blocks(file, header, source):
            if element is vertex:
                for name, column in columns.items():
                    column[start : start + len(rows)] = rows[name]
                part = raw.take(slice(start, start + len(rows)))
                _activate(part, layout)
                if not start and on_bad == "refuse":
                    finish(part, notes, on_bad)  # gigabytes of zeros are refused here
    raw.object_id = raw.extra.pop("object_id", None)
    return finish(raw, notes, on_bad)


def _notes(header: Header, layout: Layout, source: str) -> Notes:
    remarks: tuple[str, ...] = ()
    if render_mode(header.comments) == "2dgs" and len(layout.scales) == 3:
        remarks = ("the header says 2dgs, but there is a scale_2: taken as 3D",)
    return Notes(source, "3DGS PLY", vertical_axis=vertical_axis(header.comments), remarks=remarks)


def _empty(vertex: Element, layout: Layout) -> Raw:
    n, k = vertex.count, len(layout.rest) // 3

    def floats(*shape: int) -> F32:
        return np.empty((n, *shape), np.float32)

    extra = {name: np.empty(n, vertex.row[name].newbyteorder("=")) for name in layout.extra}
    sh = floats(k, 3) if k else None
    return Raw(floats(3), floats(4), floats(len(layout.scales)), floats(), floats(3), sh, extra=extra)


def _columns(raw: Raw, layout: Layout) -> dict[str, Column]:
    """Where each property goes, as views."""
    columns = raw.extra | {"opacity": raw.opacities}
    for names, part in (
        (_XYZ, raw.means),
        (_ROT, raw.quats_wxyz),
        (layout.scales, raw.scales),
        (layout.colour, raw.f_dc),
    ):
        columns |= {name: part[:, i] for i, name in enumerate(names)}
    if raw.sh is not None:
        k = raw.sh.shape[1]
        columns |= {name: raw.sh[:, i % k, i // k] for i, name in enumerate(layout.rest)}
    return columns


def _layout(properties: tuple[str, ...], source: str) -> Layout:
    have = set(properties)
    scales = ("scale_0", "scale_1", "scale_2") if "scale_2" in have else ("scale_0", "scale_1")
    colour = _RGB if have.issuperset(_RGB) and not have.intersection(_DC) else _DC
    rest = sum(name.startswith("f_rest_") for name in properties)
    if rest not in _REST:
        raise SceneError(
            f"{source}: {rest} f_rest properties; spherical harmonics of degree 0 to 3 have 0, 9, 24 or 45"
        )
    names = tuple(f"f_rest_{i}" for i in range(rest))
    needed = (*_XYZ, "opacity", *scales, *_ROT, *colour, *names)
    if missing := [name for name in needed if name not in have]:
        also = "; a mesh or a point cloud is no Gaussians" if missing[0] in ("opacity", "scale_0") else ""
        raise SceneError(f"{source}: its vertices lack the property {missing[0]}{also}")
    return Layout(scales, colour, names, tuple(p for p in properties if p not in {*needed, *_NORMAL}))


def _activate(raw: Raw, layout: Layout) -> None:
    """From what is trained to what is drawn, in place. An infinite logit, as decompressors write, is 0 or 1."""
    np.exp(raw.scales, out=raw.scales)
    np.negative(raw.opacities, out=raw.opacities)
    np.exp(raw.opacities, out=raw.opacities)
    raw.opacities += 1
    np.reciprocal(raw.opacities, out=raw.opacities)
    if layout.colour is _RGB:
        raw.f_dc /= np.float32(255)
        raw.f_dc -= np.float32(0.5)
        raw.f_dc /= np.float32(SH_C0)


def render_mode(comments: tuple[str, ...]) -> str:
    """`default`, `mip` or `2dgs`: Brush's `SplatRenderMode: …` and Postshot's `antialiased 0|1`; the last wins."""
    mode = "default"
    for comment in comments:
        words = comment.lower().replace(":", " ").split()
        if len(words) == 2 and words[0] in ("splatrendermode", "antialiased"):
            mode = _MODES.get(words[1], mode)
    return mode


def vertical_axis(comments: tuple[str, ...]) -> str | None:
    found = [c.partition(":")[2].strip() for c in comments if c.lower().startswith("vertical axis:")]
    return found[-1] if found else None


# ---- Writing -------------------------------------------------------------------------------------

_NAMES = {
    "i1": "char",
    "u1": "uchar",
    "i2": "short",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint",
    "f4": "float",
    "f8": "double",
}


def write_ply(splats: Splats, path: Path) -> None:
    """Write a 3DGS PLY, binary little-endian, with object_id and the other columns where there are any."""
    g, notes = splats.gaussians, splats.notes
    columns: list[tuple[str, NDArray[Any]]] = list(zip(_XYZ, g.means.T, strict=True))
    columns += [(name, (g.colours[:, i] - np.float32(0.5)) / np.float32(SH_C0)) for i, name in enumerate(_DC)]
    if g.sh is not None:
        flat = g.sh.transpose(0, 2, 1).reshape(len(g.sh), -1)
        columns += [(f"f_rest_{i}", flat[:, i]) for i in range(flat.shape[1])]
    columns += [("opacity", _logit(g.opacities))]
    columns += [(f"scale_{i}", np.log(g.scales[:, i])) for i in range(2 if notes.flat else 3)]
    columns += list(zip(_ROT, g.quats_wxyz.T, strict=True))
    if splats.object_id is not None:
        columns.append(("object_id", splats.object_id))
    columns += list(splats.extra.items())
    for name, column in columns:
        if column.dtype.str[1:] not in _NAMES:
            raise SceneError(f"{path}: the column {name} of type {column.dtype} has no type in PLY")
    row = np.dtype([(name, column.dtype.newbyteorder("<")) for name, column in columns])
    with atomic(path) as file:
        file.write(_header(columns, len(g.means), splats))
        for start in range(0, len(g.means), 1 << 14):
            rows = np.empty(len(g.means[start : start + (1 << 14)]), row)
            for name, column in columns:
                rows[name] = column[start : start + len(rows)]
            file.write(rows.tobytes())


def _logit(opacities: F32) -> F32:
    """Kept within ±20, where float32 rounds to the same opacity."""
    with np.errstate(divide="ignore"):
        p = opacities.astype(float)
        logits: F32 = np.clip(np.log(p) - np.log1p(-p), -20, 20).astype(np.float32)
    return logits


def _header(columns: list[tuple[str, Column]], count: int, splats: Splats) -> bytes:
    mode = "2dgs" if splats.notes.flat else "mip" if splats.gaussians.antialiased else "default"
    lines = ["ply", "format binary_little_endian 1.0", f"comment SplatRenderMode: {mode}"]
    if splats.notes.vertical_axis:
        lines.append(f"comment Vertical Axis: {splats.notes.vertical_axis}")
    lines.append(f"element vertex {count}")
    lines += [f"property {_NAMES[column.dtype.str[1:]]} {name}" for name, column in columns]
    return "\n".join([*lines, "end_header", ""]).encode()

"""Compressed PLY (SuperSplat): vertices packed into 16 bytes, within the bounds of their chunk of 256.

Source: playcanvas/splat-transform, decompress-ply.ts. 11-10-11 bits of position and of log scale between the chunk's
bounds; a quaternion without its largest component (2 bits say which, 3×10 bits within ±1/√2); 8-8-8-8 bits of colour
(between bounds, in the form with 18 chunk properties) and opacity; harmonics as a byte, (b + ½)/256 of ±4.
"""

from __future__ import annotations

from io import FileIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError
from synth4d.splats.ply import render_mode, vertical_axis
from synth4d.splats.splats import SH_C0, Notes, OnBad, Raw, Splats, finish
from synth4d.splats.table import Element, Header, blocks
from synth4d.types import F32

CHUNK = 256
_PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_POSITION, _SCALE, _COLOUR = ("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b")
_REST = (9, 24, 45)

Columns = dict[str, NDArray[Any]]


def is_compressed(header: Header) -> bool:
    vertex = header.element("vertex")
    return vertex is not None and "packed_position" in vertex.properties


def read_compressed(file: FileIO, header: Header, source: str, on_bad: OnBad) -> Splats:
    """Gaussians of an open compressed PLY whose header has been read; SceneError names what is missing or bad."""
    tables = {e.name: _empty(e) for e in header.elements}
    _check(header, source)
    for element, start, rows in blocks(file, header, source):
        for name, column in tables[element.name].items():
            column[start : start + len(rows)] = rows[name]
    vertex, chunk, sh = tables.pop("vertex"), tables.pop("chunk"), tables.pop("sh", None)
    packed = [vertex.pop(name) for name in _PACKED]
    colour = _unpack(packed[3], 8, 8, 8, 8)
    rgb = _between(chunk, _COLOUR, colour[:, :3]) if "min_r" in chunk else colour[:, :3]
    with np.errstate(invalid="ignore", over="ignore"):  # bounds that are no numbers are refused by finish
        raw = Raw(
            _between(chunk, _POSITION, _unpack(packed[0], 11, 10, 11)),
            _quaternion(packed[1]),
            np.exp(_between(chunk, _SCALE, _unpack(packed[2], 11, 10, 11))),
            np.ascontiguousarray(colour[:, 3]),
            (rgb - np.float32(0.5)) / np.float32(SH_C0),
            None if sh is None else _harmonics(sh),
            render_mode(header.comments) == "mip",
            vertex.pop("object_id", None),
            vertex,
        )
    return finish(raw, Notes(source, "compressed PLY", vertical_axis=vertical_axis(header.comments)), on_bad)


def _empty(element: Element) -> Columns:
    return {p: np.empty(element.count, element.row[p].newbyteorder("=")) for p in element.properties}


def _check(header: Header, source: str) -> None:
    vertex, chunk, sh = header.element("vertex"), header.element("chunk"), header.element("sh")
    if vertex is None or not vertex.count:
        raise SceneError(f"{source} has no vertices, so no Gaussians")
    if chunk is None or chunk.count != -(-vertex.count // CHUNK):
        have = 0 if chunk is None else chunk.count
        raise SceneError(
            f"{source}: {vertex.count} packed vertices need {-(-vertex.count // CHUNK)} chunks, it has {have}"
        )
    bounds = [f"{end}_{name}" for name in (*_POSITION, *_SCALE) for end in ("min", "max")]
    if any(f"{end}_{name}" in chunk.properties for name in _COLOUR for end in ("min", "max")):
        bounds += [f"{end}_{name}" for name in _COLOUR for end in ("min", "max")]
    _has(chunk, bounds, "f4", source)
    _has(vertex, list(_PACKED), "u4", source)
    if sh is not None:
        if len(sh.properties) not in _REST or sh.count != vertex.count:
            raise SceneError(
                f"{source}: {len(sh.properties)} f_rest properties in {sh.count} rows of sh; "
                f"degree 1 to 3 have 9, 24 or 45, in as many rows as there are vertices, {vertex.count}"
            )
        _has(sh, [f"f_rest_{i}" for i in range(len(sh.properties))], "u1", source)


def _has(element: Element, names: list[str], code: str, source: str) -> None:
    for name in names:
        if name not in element.properties:
            raise SceneError(f"{source}: its {element.name} rows lack the property {name}")
        if element.row[name].str[1:] != code:
            raise SceneError(f"{source}: {name} of {element.name} is of type {element.row[name]}, not {np.dtype(code)}")


def _unpack(packed: NDArray[np.uint32], *bits: int) -> F32:
    """(N,) words → (N,parts) of 0..1, the first part in the highest bits."""
    out = np.empty((len(packed), len(bits)), np.float32)
    shift = 32
    for i, width in enumerate(bits):
        shift -= width
        out[:, i] = ((packed >> np.uint32(shift)) & np.uint32((1 << width) - 1)) / np.float32((1 << width) - 1)
    return out


def _between(chunk: Columns, names: tuple[str, ...], share: F32) -> F32:
    """(N,3) values from shares between their chunk's bounds."""
    out = np.empty_like(share)
    for i, name in enumerate(names):
        low, high = (np.repeat(chunk[f"{end}_{name}"], CHUNK)[: len(share)] for end in ("min", "max"))
        out[:, i] = low * (1 - share[:, i]) + high * share[:, i]
    return out


def _quaternion(packed: NDArray[np.uint32]) -> F32:
    """(N,4) wxyz: the two high bits say which is the largest, the others follow in order."""
    three = (_unpack(packed, 2, 10, 10, 10)[:, 1:] - np.float32(0.5)) * np.float32(np.sqrt(2))
    square = three[:, 0] ** 2 + three[:, 1] ** 2 + three[:, 2] ** 2
    largest = np.sqrt(np.maximum(1 - square, 0))
    which = packed >> np.uint32(30)
    out = np.empty((len(packed), 4), np.float32)
    for i in range(4):
        before, after = three[:, min(i, 2)], three[:, max(i - 1, 0)]
        out[:, i] = np.where(which == i, largest, np.where(which > i, before, after))
    return out


def _harmonics(sh: Columns) -> F32:
    """(N,K,3) from bytes; 0 and 255 stand for the ends of the range."""
    k = len(sh) // 3
    value = (np.arange(256, dtype=np.float32) + np.float32(0.5)) / 256
    value[[0, 255]] = 0, 1
    value = (value - np.float32(0.5)) * 8
    out = np.empty((len(sh["f_rest_0"]), k, 3), np.float32)
    for i in range(3 * k):
        out[:, i % k, i // k] = value[sh[f"f_rest_{i}"]]
    return out

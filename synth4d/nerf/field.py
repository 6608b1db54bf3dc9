"""A fitted radiance field: every number that its picture follows from, in one file.

The architecture is nerfacto's (Tancik et al. 2023) in nerfstudio 1.1.5's torch implementation, so that fields
fitted here and checkpoints of `ns-train nerfacto` are the same thing:

    p      = normalised position of a sample in 0..1: in `aabb`, or contracted (`contracts`)
    h      = base(grid(p));  density = init_density · exp(h[0]), 0 where p is not within (0,1);  g = h[1:]
    rgb    = sigmoid(colour(concat(SH16((d + 1) / 2), g, appearance)))
    logits = semantics(g), one per entry of `ids`

Samples come from the proposal grids in turn (piecewise or uniform first, then by the histogram of weights).
Positions, distances and densities are in model units; `T_world_model` and `scale` lead to metres.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d import disk
from synth4d.errors import SceneError
from synth4d.types import F32, F64, U16, Vec3

FORMAT = 1
MAX_BYTES = 4 << 30
"""Largest array that is read, so that a forged header can't ask for all memory."""


@dataclass(frozen=True, slots=True, eq=False)
class HashGrid:
    """A multiresolution hash encoding (Müller et al. 2022), every level hashed, as nerfstudio's HashEncoding.

    Level l scales a position by resolutions[l]; the corner (x,y,z) lies in row
    (x ^ y·2654435761 ^ z·805459861) mod S of its level, S = rows / levels, in 64-bit integers. The corners are
    floor and *ceil* of the scaled position, blended linearly.
    """

    table: F32
    """(L·S, F) features, level by level."""
    resolutions: F32
    """(L,) whole numbers: floor(least · growth^l)"""

    @property
    def levels(self) -> int:
        return len(self.resolutions)

    @property
    def size(self) -> int:
        """S, rows of one level; a power of two."""
        return len(self.table) // self.levels

    @property
    def width(self) -> int:
        """L·F, length of the encoding."""
        return self.levels * self.table.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Mlp:
    """Linear layers with ReLU between them and nothing after the last."""

    weights: tuple[F32, ...]
    """(out,in) each"""
    biases: tuple[F32, ...]
    """(out,) each"""

    @property
    def width_in(self) -> int:
        return int(self.weights[0].shape[1])

    @property
    def width_out(self) -> int:
        return int(self.weights[-1].shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A grid with a network: one number (before exp) of a proposal, 1 + G of a field's base."""

    grid: HashGrid
    mlp: Mlp


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    base: Density
    colour: Mlp
    """16 + G + A → 3"""
    semantics: Mlp | None
    """G → C logits; None = the field knows no instances (all ids 0)."""
    ids: U16
    """(C,) instance id of each logit"""
    appearance: F32
    """(A,) the embedding that the colour network is given (mean over the views, or zeros); A may be 0."""
    proposals: tuple[Density, ...]
    samples: tuple[int, ...]
    """Samples a ray: one count for each proposal, then the field's."""
    uniform: bool
    """First samples: uniform in near..far, else nerfstudio's piecewise (uniform to distance 1, then in disparity)."""
    near: float
    far: float
    aabb: F32
    """(2,3) box that positions are normalised by, unless the field contracts."""
    contracts: bool
    """Mip-NeRF 360's contraction in the maximum norm, then (x + 2) / 4."""
    init_density: float
    background: Vec3 | None
    """Colour behind everything, 0..1; None = the colour of the last sample."""
    T_world_model: F64
    """(4,4) rigid; x_world = T_world_model · (x_model / scale)"""
    scale: float
    """Model units a metre."""

    def __post_init__(self) -> None:
        for place, complaint in _complaints(self):
            raise SceneError(f"field: {place}: {complaint}; fit or import it again")

    @property
    def geometry_width(self) -> int:
        """G"""
        return self.base.mlp.width_out - 1


def _complaints(f: Field) -> Iterator[tuple[str, str]]:
    """What does not fit together, with its place."""
    outs = {"base": f.base.mlp.width_out, **{f"proposals[{i}]": 1 for i in range(len(f.proposals))}}
    for (name, out), density in zip(outs.items(), (f.base, *f.proposals), strict=True):
        grid = density.grid
        if grid.levels == 0 or len(grid.table) % grid.levels or grid.size & (grid.size - 1) or grid.size == 0:
            yield name, f"a table of {len(grid.table)} rows can't be {grid.levels} levels of a power of two each"
        yield from _of_network(name, density.mlp, grid.width, out)
    G = f.geometry_width
    yield from _of_network("colour", f.colour, 16 + G + len(f.appearance), 3)
    if f.semantics is not None:
        yield from _of_network("semantics", f.semantics, G, len(f.ids))
    if len(f.samples) != len(f.proposals) + 1 or min(f.samples) < 1:
        yield "samples", f"need {len(f.proposals) + 1} positive counts, got {f.samples}"
    if not 0 <= f.near < f.far or not f.scale > 0:
        yield "near, far, scale", f"need 0 <= near < far and scale > 0, got {f.near}, {f.far}, {f.scale}"
    if f.aabb.shape != (2, 3) or not (f.aabb[0] < f.aabb[1]).all():
        yield "aabb", f"need low corner below high corner, got {f.aabb.tolist()}"
    for name, array in _arrays(f).items():
        if array.dtype not in (np.float32, np.float64, np.uint16):
            yield name, f"holds {array.dtype}"
        elif not np.isfinite(array).all():
            yield name, "holds numbers that are not finite"


def _of_network(name: str, mlp: Mlp, width_in: int, width_out: int) -> Iterator[tuple[str, str]]:
    widths = [width_in, *(len(w) for w in mlp.weights)]
    shapes = [(b, a) for a, b in pairwise(widths)]
    if [w.shape for w in mlp.weights] != shapes or [b.shape for b in mlp.biases] != [(s[0],) for s in shapes]:
        yield name, f"layers {[w.shape for w in mlp.weights]} do not follow from {width_in} inputs"
    elif widths[-1] != width_out:
        yield name, f"gives {widths[-1]} numbers, not {width_out}"


# ---- One .npz a field ----------------------------------------------------------------------------


PLAIN = ("samples", "uniform", "near", "far", "contracts", "init_density", "background", "scale")
"""Members of a Field that are written as JSON."""


def save(field: Field, path: Path, **about: Any) -> None:
    """Write a field, and with it any JSON values `about` it. The same field gives the same bytes."""
    plain = {name: getattr(field, name) for name in PLAIN}
    networks = {n: len(m.weights) for n, m in _networks(field).items()}
    head = {"format": FORMAT, "field": plain, "networks": networks, "about": about}
    arrays = _arrays(field) | {"head": np.frombuffer(json.dumps(head, sort_keys=True).encode(), np.uint8)}
    with disk.atomic(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name in sorted(arrays):
            raw = io.BytesIO()
            np.save(raw, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), raw.getvalue())


def load(path: Path) -> Field:
    """The field of a file. SceneError where it is none."""
    return read(path)[0]


def read(path: Path) -> tuple[Field, dict[str, Any]]:
    """The field of a file and what `save` was told about it. SceneError where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {i.filename.removesuffix(".npy"): _array(archive, i) for i in archive.infolist()}
        head = json.loads(bytes(arrays["head"]))
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this synth4d reads {FORMAT}")
        return _field(head, arrays), dict(head["about"])
    except SceneError as error:
        raise SceneError(f"{path}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SceneError(f"{path}: is no field of synth4d: {error}; fit or import it again") from None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.file_size > MAX_BYTES or info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is {info.file_size} bytes or compressed")
    array: NDArray[Any] = np.load(io.BytesIO(archive.read(info)), allow_pickle=False)
    return array


def _field(head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Field:
    def mlp(name: str) -> Mlp:
        layers = range(int(head["networks"][name]))
        weights, biases = (tuple(arrays[f"{name}/{k}{i}"] for i in layers) for k in ("weight", "bias"))
        return Mlp(weights, biases)

    def density(name: str) -> Density:
        return Density(HashGrid(arrays[f"{name}/table"], arrays[f"{name}/resolutions"]), mlp(name))

    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in head["field"].items()}
    if set(plain) != set(PLAIN):
        raise ValueError(f"its members are {sorted(plain)}")
    members: dict[str, Any] = {k: arrays[k] for k in ("ids", "appearance", "aabb", "T_world_model")}
    return Field(
        base=density("base"),
        colour=mlp("colour"),
        semantics=mlp("semantics") if "semantics" in head["networks"] else None,
        proposals=tuple(density(f"proposal{i}") for i in range(len(plain["samples"]) - 1)),
        **members,
        **plain,
    )


def _networks(f: Field) -> dict[str, Mlp]:
    networks = {"base": f.base.mlp, "colour": f.colour}
    networks |= {} if f.semantics is None else {"semantics": f.semantics}
    return networks | {f"proposal{i}": p.mlp for i, p in enumerate(f.proposals)}


def _arrays(f: Field) -> dict[str, NDArray[Any]]:
    """Every array of a field by the name it has in the file."""
    arrays: dict[str, NDArray[Any]] = {
        "ids": f.ids, "appearance": f.appearance, "aabb": f.aabb, "T_world_model": f.T_world_model,
    }  # fmt: skip
    for name, density in {"base": f.base, **{f"proposal{i}": p for i, p in enumerate(f.proposals)}}.items():
        arrays |= {f"{name}/table": density.grid.table, f"{name}/resolutions": density.grid.resolutions}
    for name, network in _networks(f).items():
        for i, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            arrays |= {f"{name}/weight{i}": w, f"{name}/bias{i}": b}
    return arrays

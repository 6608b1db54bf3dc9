"""What every reader here returns, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError
from synth4d.types import F32, Gaussians

MAX_GAUSSIANS = 50_000_000
"""More is refused before anything is allocated: 50 M Gaussians of degree 3 take 12 GB."""
SH_C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 √π): colour = 0.5 + SH_C0 · f_dc."""
SH_DEGREE = {0: 0, 3: 1, 8: 2, 15: 3}
"""Degree of a colour with so many coefficients a channel beside the constant one."""

OnBad = Literal["refuse", "drop"]
Column = NDArray[Any]

_MAX_COORDINATE = 1e7
_MAX_SCALE = float(np.exp(20.0)) * 1.001
_MAX_COLOUR = 1e4
_FLAT = 1e-3
"""Thickness of a flat (2DGS) splat, as a share of its smaller side."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a file says of itself, or what had to be done to read it."""

    source: str
    format: str
    """`3DGS PLY`, `compressed PLY`, `SPZ 3`, `.splat`, `Dynamic3DGaussians` …"""
    sh_degree: int = 0
    flat: bool = False
    """2DGS: the file has two scales; the third was made thin."""
    axes: str | None = None
    """Where the file fixes them: directions of +x +y +z, e.g. `RUB` = right, up, back (SPZ)."""
    vertical_axis: str | None = None
    """The header comment `Vertical Axis: …`, as it stands."""
    dropped: int = 0
    """Gaussians left out by on_bad="drop"."""
    remarks: tuple[str, ...] = ()
    """One line each: what of the file was not used, and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Splats:
    """Somebody's Gaussians in the axes and units of their file ("asset axes"); all ids are 0."""

    gaussians: Gaussians
    notes: Notes
    object_id: NDArray[np.uint32] | None = None
    """(N,) which object each belongs to, 0 = none; None = the file doesn't say."""
    extra: Mapping[str, Column] = field(default_factory=dict)
    """Other columns of the file by name, (N,) each."""


@dataclass(slots=True, eq=False)
class Raw:
    """Gaussians just decoded, with linear scales and opacities but otherwise unchecked."""

    means: F32
    quats_wxyz: F32
    """(N,4) of any length"""
    scales: F32
    """(N,3), or (N,2) for flat ones"""
    opacities: F32
    f_dc: F32
    """(N,3) constant SH coefficients"""
    sh: F32 | None = None
    """(N,K,3)"""
    antialiased: bool = False
    object_id: Column | None = None
    extra: dict[str, Column] = field(default_factory=dict)

    def take(self, which: slice | NDArray[np.bool_]) -> Raw:
        """Some of the rows; of a slice they are views."""
        sh = None if self.sh is None else self.sh[which]
        owner = None if self.object_id is None else self.object_id[which]
        extra = {name: column[which] for name, column in self.extra.items()}
        means, quats, scales = self.means[which], self.quats_wxyz[which], self.scales[which]
        return Raw(means, quats, scales, self.opacities[which], self.f_dc[which], sh, self.antialiased, owner, extra)


def finish(raw: Raw, notes: Notes, on_bad: OnBad) -> Splats:
    """Checked Splats; SceneError names the first bad property and row, or with "drop" bad rows are left out."""
    with np.errstate(over="ignore", invalid="ignore"):
        bad = _bad_rows(raw, notes.source, on_bad)
    dropped = 0
    if bad is not None:
        dropped = int(bad.sum())
        if dropped == len(bad):
            raise SceneError(f"{notes.source}: every one of its {dropped} Gaussians is bad, so nothing is left")
        raw = raw.take(~bad)
    n = len(raw.means)
    scales = raw.scales
    if flat := scales.shape[1] == 2:
        scales = np.concatenate([scales, scales.min(1, keepdims=True) * np.float32(_FLAT)], 1)
    colours = np.float32(0.5) + np.float32(SH_C0) * raw.f_dc
    # With view-dependent terms the constant one may lie outside: only their sum is a colour.
    if raw.sh is None:
        np.clip(colours, 0, 1, out=colours)
    q = raw.quats_wxyz
    quats = q / np.sqrt(q[:, 0:1] ** 2 + q[:, 1:2] ** 2 + q[:, 2:3] ** 2 + q[:, 3:4] ** 2)
    ids = np.zeros(n, np.uint16)
    gaussians = Gaussians(raw.means, quats, scales, raw.opacities, colours, ids, raw.sh, raw.antialiased)
    degree = SH_DEGREE[0 if raw.sh is None else raw.sh.shape[1]]
    notes = replace(notes, sh_degree=degree, flat=flat, dropped=dropped)
    return Splats(gaussians, notes, _object_id(raw.object_id, notes.source), raw.extra)


def _bad_rows(raw: Raw, source: str, on_bad: OnBad) -> NDArray[np.bool_] | None:
    """(N,) rows with a value that is no number or absurd; None = there are none."""
    bad: NDArray[np.bool_] | None = None
    for names, values, low, high in _bounds(raw):
        if values.min() >= low and values.max() <= high:  # false for NaN
            continue
        wrong = ~((values >= low) & (values <= high))
        if on_bad == "refuse":
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            raise SceneError(
                f"{source}: {names[column]} of Gaussian {row} is {values[row, column]:g} as drawn, not within {low:g} "
                f"to {high:g}; repair the file, or leave bad Gaussians out (on_bad: drop; of an import --on-bad drop)"
            )
        rows = wrong.any(1)
        bad = rows if bad is None else bad | rows
    return bad


def _bounds(raw: Raw) -> Iterator[tuple[Sequence[str], F32, float, float]]:
    """(names of the columns, (N,C) values, least, greatest) of each property, by the names of a PLY."""
    yield "xyz", raw.means, -_MAX_COORDINATE, _MAX_COORDINATE
    yield [f"scale_{i}" for i in range(3)], raw.scales, 1 / _MAX_SCALE, _MAX_SCALE
    norm = (raw.quats_wxyz * raw.quats_wxyz).sum(1, keepdims=True)
    yield ["squared length of rot_0..3"], norm, 1e-12, 1e12
    yield ["opacity"], raw.opacities[:, None], 0.0, 1.0
    yield [f"f_dc_{i}" for i in range(3)], raw.f_dc, -_MAX_COLOUR, _MAX_COLOUR
    if raw.sh is not None:
        n, k, _ = raw.sh.shape
        names = [f"f_rest_{colour * k + i}" for i in range(k) for colour in range(3)]
        yield names, raw.sh.reshape(n, 3 * k), -_MAX_COLOUR, _MAX_COLOUR


def _object_id(column: Column | None, source: str) -> NDArray[np.uint32] | None:
    if column is None:
        return None
    whole = column == np.floor(column) if column.dtype.kind == "f" else np.ones(len(column), bool)
    good = whole & (column >= 0) & (column <= np.iinfo(np.uint32).max)
    if not good.all():
        row = int(np.argmin(good))
        raise SceneError(f"{source}: object_id of Gaussian {row} is {column[row]}: ids are whole numbers from 0")
    return column.astype(np.uint32)

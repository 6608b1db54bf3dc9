"""What a capture says of itself: where its floor is, how large the room, and whether axes and units can be right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from synth4d.geometry import rotmat
from synth4d.types import F64, Gaussians

SOLID = 0.5
"""Opacity from which a Gaussian counts as surface."""
BIN_M = 0.02
LEVEL = 0.9
"""Cosine with +z from which a flat Gaussian lies level."""
TALL_M, LOW_M = 5.5, 0.4
"""Heights that rooms and tables of things stay between: 2.4 m read as feet are 7.9."""


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """Of what is opaque, in the upright frame, metres."""

    low: F64
    high: F64
    """Without the farthest half percent on each side."""
    floor: float
    """Height of the lowest broad level surface."""
    level_above: float
    """Share of the level surfaces' area in the upper half of the height."""


def extent(g: Gaussians) -> Extent:
    """Measure a capture in its upright frame."""
    solid = np.flatnonzero(g.opacities >= SOLID) if (g.opacities >= SOLID).any() else np.arange(len(g.means))
    means = g.means[solid].astype(float)
    low, high = np.percentile(means, 0.5, axis=0), np.percentile(means, 99.5, axis=0)
    scales = g.scales[solid].astype(float)
    thin = np.argmin(scales, 1)
    normal = np.take_along_axis(rotmat(g.quats_wxyz[solid].astype(float))[:, 2], thin[:, None], 1)[:, 0]
    area = np.prod(scales, 1) / np.maximum(scales.min(1), 1e-9)
    inside = ((means >= low) & (means <= high)).all(1)
    flat = inside & (np.abs(normal) > LEVEL) & (scales.min(1) < 0.5 * np.median(scales, axis=1))
    if not flat.any():
        return Extent(low, high, float(low[2]), 0.0)
    z, weight = means[flat, 2], area[flat]
    place = np.floor((z - low[2]) / BIN_M).astype(int)
    total = np.bincount(place, weight)
    smooth = np.convolve(total, np.ones(3), "same")
    broad = np.flatnonzero(smooth >= 0.3 * smooth.max())
    mine = np.abs(place - broad[0] - 1) <= 2
    above = float(weight[z > (low[2] + high[2]) / 2].sum() / weight.sum())
    return Extent(low, high, float(np.average(z[mine], weights=weight[mine])) if mine.any() else float(low[2]), above)


def doubts(e: Extent) -> Iterator[str]:
    """What is odd about a room, a line each."""
    size = e.high - e.low
    if size[2] > TALL_M:
        hint = "feet" if size[2] * 0.3048 <= 2 * TALL_M else "centimetres or millimetres"
        yield f"it is {size[2]:.0f} m high: are its units {hint}? give `units`, or `scale`"
    elif size.max() < LOW_M:
        yield f"it is {size.max() * 100:.0f} cm across: give `units`, or `scale`"
    if size[2] > 1.5 * max(size[0], size[1]):
        yield f"it is higher ({size[2]:.1f} m) than wide ({max(size[:2]):.1f} m): is another axis up? give `axes`"
    elif e.level_above > 0.75:
        yield "most level surfaces are in its upper half: is it upside down? try `axes` y-down, or y-up if it is that"

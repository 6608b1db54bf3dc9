"""Seeds vary the patterns of surfaces: where the grain of a wood falls, how wide the tiles are. Colours stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth4d.types import Body

SCALE = (0.8, 1.25)
_LAID_OUT = frozenset({"plain", "label", "book", "stripes"})
"""Patterns that fit their body, or that show no difference."""


def varied(body: Body, rng: np.random.Generator) -> Body:
    """A body whose patterns begin elsewhere and are larger or smaller: all alike on one body."""
    phase, scale = float(rng.uniform(0, 1)), float(np.exp(rng.uniform(*np.log(SCALE))))
    if not any(s.material.texture not in _LAID_OUT for s in body.surfaces):
        return body
    surfaces = tuple(
        replace(s, material=replace(s.material, texture_phase=phase, texture_size_m=s.material.texture_size_m * scale))
        if s.material.texture not in _LAID_OUT and s.material.image is None
        else s
        for s in body.surfaces
    )
    return replace(body, surfaces=surfaces)

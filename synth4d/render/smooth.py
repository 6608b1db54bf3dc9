"""Averages over the edges of a light mesh, as wide as ambient light there is alike: noise goes, contacts stay.

Shadows are averaged over short sides alone: where they are uneven the mesh is fine, elsewhere it would widen them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.render import _light
from synth4d.render.bind import LightMesh
from synth4d.types import F32

Bool = NDArray[np.bool_]

_SHARE = 0.3
"""Ambient light is alike within this share of the harmonic mean distance to what a point sees, which bounds its
gradient (Ward, Rubinstein and Clear 1988, A ray tracing solution for diffuse interreflection)."""
_EDGE_M = 0.03
"""Length of the sides of triangles over which the steps of a shadow's edge are evened out."""


def smoother(mesh: LightMesh, distance: F32, buried: Bool) -> _light.Smoother:
    """Buried points take their neighbours' light, lest the dark inside of a solid reach out of it. `distance` (V,) is
    the harmonic mean distance of what a point sees."""
    return _light.Smoother(mesh.points, mesh.faces, np.float32(_SHARE) * distance, buried, _EDGE_M)

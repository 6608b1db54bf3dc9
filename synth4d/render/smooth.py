"""Averages over the edges of a light mesh, as wide as ambient light there is alike: noise goes, contacts stay.

Shadows are averaged over short sides alone: where they are uneven the mesh is fine, elsewhere it would widen them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.render.bind import LightMesh
from synth4d.types import F32, F64

Bool = NDArray[np.bool_]

_SHARE = 0.3
"""Ambient light is alike within this share of the harmonic mean distance to what a point sees, which bounds its
gradient (Ward, Rubinstein and Clear 1988, A ray tracing solution for diffuse interreflection)."""
_EDGE_M = 0.03
"""Length of the sides of triangles over which the steps of a shadow's edge are evened out."""


class Smoother:
    """Buried points take their neighbours' light, lest the dark inside of a solid reach out of it."""

    def __init__(self, mesh: LightMesh, distance: F32, buried: Bool) -> None:
        """`distance` (V,) is the harmonic mean distance of what a point sees."""
        from scipy.sparse import csr_matrix, diags

        f = mesh.faces
        sides = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
        a, b = np.concatenate([sides, sides[:, ::-1]]).T
        far = np.sqrt(np.sum((mesh.points[a] - mesh.points[b]) ** 2, 1))
        alike = np.exp(-((far / (_SHARE * np.minimum(distance[a], distance[b]))) ** 2))

        def mean(weight: F64) -> Any:
            weight = np.where(buried[b], 0, np.where(buried[a], 1, weight)).astype(np.float32)
            links = csr_matrix((weight, (a, b)), shape=(len(buried), len(buried)))
            total = np.asarray(links.sum(1)).ravel()
            own = np.where(buried & (total > 0), 0.0, 1.0)
            return (diags(1 / (own + total)) @ (links + diags(own))).astype(np.float32).tocsr()

        self._ambient, self._shadow = mean(alike), mean(np.exp(-((far / _EDGE_M) ** 2)) / 4)

    def smooth(self, columns: F32) -> tuple[F32, F32]:
        """Ambient (V,) and shares of emitters (V,L) out of columns (V,1+L)."""
        ambient: F32 = self._ambient @ (self._ambient @ np.ascontiguousarray(columns[:, 0]))
        return ambient, self._shadow @ columns[:, 1:]

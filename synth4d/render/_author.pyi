"""The extension built from render/author_kernel: which triangles some camera sees, and points on them.

B bodies, F triangles of their meshes, M of them cut to the size in which light varies, S = F outlines, G groups of
frames, C cameras, L levels. All in the bodies' frames, metres.
"""

from numpy import int64, uint8
from numpy.typing import NDArray

from synth4d.types import F32, F64, I32

I64 = NDArray[int64]

LINES: int

class Eyes:
    """Views of all bodies: eyes (ΣG,3), axes (ΣG,3,3), shift, turn (ΣG,), begin (B+1,), spread, focal."""

    def __init__(
        self, eyes: F64, axes: F64, shift: F64, turn: F64, begin: I64, spread: tuple[float, float], focal: float
    ) -> None: ...
    def reach(self, body: int, points: F64, radius: float) -> F64:
        """(N,) nearest z-depth at which a sphere about each point (N,3) is in any frame; inf = in none."""
    def facing(self, points: F64, normals: F64, body: I32) -> F64:
        """(N,2) sine of the greatest height of any eye over the plane through a point, never less than the truth, and
        of the least, never more."""

class Depths:
    """cameras (C,4,4), depth (C,h,w) of each cell, K (3,3), reach (L,) cells that grow as in hidden.py, cells that a
    point moves between cameras, slack metres; world axes."""

    def __init__(self, cameras: F64, depth: F32, K: F64, reach: list[int], between: float, slack: float) -> None: ...
    def sees(self, points: F64, radius: F64) -> NDArray[uint8]: ...

def ready(
    surfaces: list[tuple[F64, I32, bool]],
) -> tuple[F64, F64, F64, I64, F64, F64, F64, F64, F64, F64, I32, I32, F64]:
    """From vertices (V,3), faces (F,3) and whether normals are smooth: corners (N,3,3), normals at them, flat ones
    (N,3); begin, lines, widths, beyond, across, strip and bend as in surface.Outlines; surface and face (N,), and the
    bounds of the surfaces (P,2,3)."""

def turned(vectors: F64, body: I32, rotation: F64, shift: F64) -> F64:
    """(N,3) vectors rotated by their body's rotation (B,3,3), then moved by its shift (B,3)."""

def refine(
    corners: F64,
    normals: F64,
    flat: F64,
    slack: F64,
    body: I32,
    eyes: Eyes,
    depths: Depths,
    still: NDArray[uint8],
    contact: NDArray[uint8],
    rotation: F64,
    place: F64,
    near: I64,
    nearer: I64,
    limits: tuple[float, float, float, float, float, float, float],
) -> tuple[I32, F64, F64, F64, F64]:
    """Source row (M,), corners (M,3,3), normals at them, corners as barycentric coordinates of the source, and metres
    a pixel at the nearest (M,)."""

def cover(
    corners: F64,
    flat: F64,
    body: I32,
    source: I32,
    joined: NDArray[uint8],
    room: F64,
    begin: I64,
    lines: F64,
    widths: F64,
    beyond: F64,
    across: F64,
    strip: F64,
    bend: F64,
    eyes: Eyes,
    depths: Depths,
    still: NDArray[uint8],
    rotation: F64,
    place: F64,
    spacing_px: list[float],
    chunk: float,
    levels: list[int],
    bounds: tuple[float, float],
    slant: float,
    joint: float,
) -> tuple[I32, F32, F32, F32, F32]:
    """Row of the triangle (N,), barycentric (N,3), means (N,3), metres between neighbours and metres a pixel (N,)."""

"""The extension built from tracer: N rays against triangles, by Embree. `alike` rays in a row take about one way."""

from numpy import bool_, int64
from numpy.typing import NDArray

from synth4d.types import F32, F64, I32, U8, U16

I64 = NDArray[int64]

class Tracer:
    def __init__(self, module: str, corners: F32) -> None:
        """Corners (3M,3) of M triangles; `module` is a library that is linked to Embree's."""

    def first(self, origins: F32, ways: F32, far: F32, triangle: I32, alike: bool) -> None:
        """`far` (N,): from how far each ray reaches to where it hits; `triangle` (N,) or (0,): what; −1 = none."""

    def blocked(self, origins: F32, ways: F32, far: F32, hit: NDArray[bool_], alike: bool) -> None:
        """`hit` (N,): whether anything is hit before `far` (N,)."""

    def depths(self, T_world_cam: F64, ways: F64, most: float, depth: F32) -> None:
        """`depth` (h,w): z-depth of what the rays of a camera meet first, of `ways` (3,h,w) in its axes, or of their
        ends at a distance of `most`."""

    def openings(
        self,
        points: F32,
        normals: F32,
        pattern: U8,
        patterns: F32,
        motion: F32,
        bounds: F32,
        opening: F32,
        reach: float,
    ) -> tuple[I64, F32]:
        """Rows (R,) of points (V,3) whose rays, of the patterns (256,K,3) about their normals, meet something nearer
        than `opening` (V,K), and the distances (R,K); `motion` (3,4) leads to the frame of the triangles and their
        bounds (2,3)."""

    def shadows(self, points: F32, targets: F32, motion: F32, bounds: F32, known: U16, first: int) -> tuple[I64, U16]:
        """Rows (R,) of points that lose some of the targets (L,S,3) beyond those `known` (V,L), and bits (R,L)."""

    def shown(
        self, bounds: F32, eyes: F32, motions: F64, lens: F64, boxes: F64, ids: U16, depth: F32, own: int,
        behind: float, most: float,
    ) -> I64:  # fmt: skip
        """(M,3) frame, id and count of the pixels, on a grid of about `most` over each box (T,4), at which the clip
        shows the id where the triangles placed by `motions` T_cam_body (T,4,4) would be; `eyes` (T,3) and their
        `bounds` (2,3) in their frame. What is another thing, not `own`, and more than `behind` farther is not
        counted."""

def extents(vertices: F64, faces: I64, motions: F64, lens: F64, near: float, boxes: F64) -> None:
    """`boxes` (T,4), which come as NaN: those of triangles placed by T_cam_body (T,4,4), as far as they are beyond
    `near`, before a camera of lens (fx, fy, cx, cy); not cut at the frame."""

class Solid:
    """Triangles (M,3,3) with their owners' ids and whether both sides are seen (M,); `bounds` (2,3) hold them."""

    def __init__(self, tracer: Tracer, corners: F32, owner: U16, both: NDArray[bool_], bounds: F32) -> None: ...

def bounds(corners: F32) -> F32:
    """(2,3) lowest and highest of corners (N,3); 1e30 and -1e30 where there are none."""

def settle(
    solids: list[Solid], motions: F32, lens: F64, T_world_cam: F64, certain: NDArray[bool_], depth: F32, ids: U16
) -> None:
    """Depths and ids (H,W), in place, of the pixels at borders between things whose ids are `certain` (65536,): what
    the rays of a lens (fx, fy, cx, cy) meet among solids, each in the frame that its motion (M,3,4) leads to."""

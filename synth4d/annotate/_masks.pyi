"""The extension built from annotate/masks: what the id images (T,H,W) of a clip show of N objects.

`rank` (65536,) is the place of an id among the objects, N where it is none of them.
"""

from numpy import int64
from numpy.typing import NDArray

from synth4d.types import F32, F64, U8, U16

I64 = NDArray[int64]

def visible(ids: U16, rank: U16, counts: F64, boxes: F64) -> None:
    """Zeros (T,N) become pixel counts, NaN (T,N,4) tight boxes where there are any."""

def deepest(ids: U16, rank: U16, size: int, found: F64) -> None:
    """NaN (T,N,3) become [x, y, r] of the place deepest inside, in blocks of `size` pixels."""

def sample(ids: U16, rank: U16, count: int, inner: int, border: int) -> I64:
    """(M,3) frame, object and flat pixel: of each of `count` objects at most `inner` pixels inside and `border` of
    its outline, where a neighbour is another's or none, a frame."""

def points(
    ids: U16, depth: F32, rows: I64, count: int, lens: F64, T_world_cam: F64
) -> tuple[I64, I64, I64, F64, F64, F64, U8, U8, U8, I64, I64]:
    """The fields of pixels_cloud.Points of sampled pixels (M,3) of `count` objects, without those whose depth is none
    or agrees with no neighbour's, and the rows (N,2) that those of each object fill; `lens`: fx, fy, cx, cy."""

def looked_for(
    ids: U16,
    depth: F32,
    frames: I64,
    world: F64,
    own: U16,
    slack: F64,
    lens: F64,
    T_cam_world: F64,
    lag: int,
    counts: I64,
) -> None:
    """`counts` (T,2), in place, at the earlier frame: how many of the points (M,) are gone, and stay, `lag` frames
    later: what is seen there is farther, or is the same thing at the same depth, give or take `slack` (M,)."""

def extents(plan: F64, ways: F64, rank: int, share: float, out: F64) -> None:
    """`out` (2,N): extents of points (M,2) along and across headings with cosine and sine `ways` (N,2), from the
    percentile `rank` + `share` places from the low end to that from the high one."""

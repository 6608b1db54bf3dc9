"""The extension built from annotate/masks: what the id images (T,H,W) of a clip show of N objects.

`rank` (65536,) is the place of an id among the objects, N where it is none of them.
"""

from numpy import bool_, int64
from numpy.typing import NDArray

from synth4d.types import F64, U16

Bool = NDArray[bool_]

def outline(ids: U16, out: Bool) -> None:
    """Pixels (T,H,W) with a neighbour of another id, and those at the frame's edge, in place."""

def visible(ids: U16, rank: U16, counts: F64, boxes: F64) -> None:
    """Zeros (T,N) become pixel counts, NaN (T,N,4) tight boxes where there are any."""

def deepest(ids: U16, rank: U16, size: int, found: F64) -> None:
    """NaN (T,N,3) become [x, y, r] of the place deepest inside, in blocks of `size` pixels."""

def sample(ids: U16, outline: Bool, rank: U16, count: int, inner: int, border: int) -> NDArray[int64]:
    """(M,3) frame, object and flat pixel: of each of `count` objects at most `inner` and `border` ones a frame."""

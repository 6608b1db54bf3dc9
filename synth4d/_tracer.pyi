"""The extension built from tracer: N rays against triangles, by Embree. `alike` rays in a row take about one way."""

from numpy import bool_
from numpy.typing import NDArray

from synth4d.types import F32, I32

class Tracer:
    def __init__(self, module: str, corners: F32) -> None:
        """Corners (3M,3) of M triangles; `module` is a library that is linked to Embree's."""

    def first(self, origins: F32, ways: F32, far: F32, triangle: I32, alike: bool) -> None:
        """`far` (N,): from how far each ray reaches to where it hits; `triangle` (N,) or (0,): what; −1 = none."""

    def blocked(self, origins: F32, ways: F32, far: F32, hit: NDArray[bool_], alike: bool) -> None:
        """`hit` (N,): whether anything is hit before `far` (N,)."""

"""The extension built from render/kernel; render/splat.py is its only caller."""

from numpy import int64
from numpy.typing import NDArray

from synth4d.types import F32, U8, U16

MAX_SIDE: int

def builds() -> list[str]: ...

class Rasteriser:
    def __init__(self, threads: int, isa: str) -> None: ...
    @property
    def isa(self) -> str: ...
    def load(
        self, means: F32, quats_wxyz: F32, scales: F32, opacities: F32, rgb: F32, ids: U16, filtered: U8, sh: F32
    ) -> None: ...
    def update(self, rows: NDArray[int64], means: F32, quats_wxyz: F32, sh: F32) -> None: ...
    def recolour(self, rows: NDArray[int64], rgb: F32) -> None: ...
    def render(
        self,
        view: F32,
        eye: F32,
        fx: float,
        fy: float,
        cx: float,
        cy: float,
        done: float,
        rgb: F32,
        depth: F32,
        expected: F32,
        alpha: F32,
        ids: U16,
    ) -> None: ...

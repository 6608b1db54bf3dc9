"""The extension built from nerf/march; nerf/march.py is its only caller."""

from numpy import uint32
from numpy.typing import NDArray

from synth4d.types import F32, U16

def builds() -> list[str]: ...

class Marcher:
    def __init__(self, isa: str) -> None: ...
    @property
    def isa(self) -> str: ...
    def add_network(
        self,
        table: F32,
        resolutions: F32,
        weights: list[F32],
        biases: list[F32],
        density_scale: float,
        samples: int,
    ) -> None: ...
    def set_heads(self, cw: list[F32], cb: list[F32], sw: list[F32], sb: list[F32]) -> None: ...
    def set_space(self, contracted: bool, aabb: F32, uniform: bool, near: float, far: float) -> None: ...
    def set_background(self, last_sample: bool, r: float, g: float, b: float) -> None: ...
    def set_pruning(self, stop: float, least_weight: float) -> None: ...
    def set_occupied(self, round: int, cells: int, words: NDArray[uint32]) -> None: ...
    def march(
        self,
        origins: F32,
        directions: F32,
        threads: int,
        rgb: F32,
        median: F32,
        expected: F32,
        alpha: F32,
        classes: U16,
    ) -> None: ...
    def densities(self, round: int, positions: F32, threads: int, out: F32) -> None: ...
    def heads(self, geometry: F32, directions: F32, rgb: F32, logits: F32) -> None: ...

"""Captured Gaussians of one body."""

from __future__ import annotations

from dataclasses import dataclass

from synth4d.physics import Geom
from synth4d.types import Gaussians, Vec3


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """What a body has of a capture, in the body's frame."""

    gaussians: Gaussians | None
    size: Vec3
    """Of its box, which stands on the body's origin."""
    proxies: tuple[Geom, ...]
    """Shapes that stand for it in light and shadow; they are not drawn."""

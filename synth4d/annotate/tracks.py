"""Tracks in facts: rounded, constant ones collapsed to one entry."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F64

T = TypeVar("T")


def collapse(track: list[T]) -> list[T]:
    """One entry where all are equal, else the track itself."""
    return track[:1] if all(v == track[0] for v in track) else track


def numbers(values: F64, decimals: int = 6) -> list[float | None]:
    """(T,) → track of rounded numbers; NaN becomes null."""
    return collapse([v if known else None for v, known in zip(_rounded(values, decimals), _known(values), strict=True)])


def vectors(values: F64, decimals: int = 6) -> list[list[float] | None]:
    """(T,n) → track of rounded lists; a row with NaN becomes null."""
    known = _known(values).all(axis=1)
    return collapse([row if ok else None for row, ok in zip(_rounded(values, decimals), known, strict=True)])


def poses(values: F64) -> list[list[float] | None]:
    """(T,7) xyz + wxyz → track with w ≥ 0, so that one rotation has one spelling."""
    flip = np.where(values[:, 3:4] < 0, -1.0, 1.0)
    return vectors(np.concatenate([values[:, :3], values[:, 3:] * flip], axis=1))


def _known(values: F64) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(values))


def _rounded(values: F64, decimals: int) -> list[Any]:
    """Nested lists; adding zero turns -0.0, which JSON would write, into 0.0."""
    return list((np.round(np.asarray(values, float), decimals) + 0.0).tolist())

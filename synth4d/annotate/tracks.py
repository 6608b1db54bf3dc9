"""Tracks in facts: rounded, constant ones collapsed to one entry."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F64

T = TypeVar("T")


def collapse(track: list[T]) -> list[T]:
    """One entry where all are equal, else the track itself."""
    return track[:1] if all(v == track[0] for v in track) else track


def numbers(values: F64, decimals: int = 6) -> list[float | None]:
    """(T,) → track of rounded numbers; NaN becomes null."""
    return collapse([None if np.isnan(v) else v for v in _rounded(values, decimals)])


def vectors(values: F64, decimals: int = 6) -> list[list[float] | None]:
    """(T,n) → track of rounded lists; a row with NaN becomes null."""
    rows = _rounded(values, decimals)
    known = np.isfinite(values).all(axis=1).tolist()
    return collapse([row if ok else None for row, ok in zip(rows, known, strict=True)])


def poses(values: F64) -> list[list[float] | None]:
    """(T,7) xyz + wxyz → track with w ≥ 0, so that one rotation has one spelling."""
    flip = np.where(values[:, 3:4] < 0, -1.0, 1.0)
    return vectors(np.concatenate([values[:, :3], values[:, 3:] * flip], axis=1))


def ids(values: NDArray[np.integer[object] | np.float64], unknown: int = -1) -> list[int | None]:  # type: ignore[type-var]
    """(T,) → track of ids; `unknown` becomes null."""
    return collapse([None if v == unknown else int(v) for v in values.tolist()])


def _rounded(values: F64, decimals: int) -> list[object]:
    """Nested lists; adding zero turns -0.0, which JSON would write, into 0.0."""
    return (np.round(np.asarray(values, float), decimals) + 0.0).tolist()

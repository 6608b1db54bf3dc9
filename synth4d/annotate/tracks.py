"""Tracks in facts: rounded, constant ones collapsed to one entry."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from synth4d.types import F64

T = TypeVar("T")


def collapse(track: list[T]) -> list[T]:
    """One entry where all are equal, else the track itself."""
    return track[:1] if track and track.count(track[0]) == len(track) else track


def numbers(values: F64, decimals: int = 6) -> list[float | None]:
    """(T,) → track of rounded numbers; NaN becomes null."""
    known = np.isfinite(values).tolist()
    return collapse([v if ok else None for v, ok in zip(_rounded(values, decimals), known, strict=True)])


def vectors(values: F64, decimals: int = 6) -> list[list[list[float] | None]]:
    """(T,N,n) → N tracks of rounded lists; one with NaN becomes null. All in one go: one takes as long."""
    known = np.isfinite(values).all(axis=2)
    rows = _rounded(np.moveaxis(values, 1, 0), decimals)
    for k, t in np.argwhere(~known.T).tolist():
        rows[k][t] = None
    return [collapse(track) for track in rows]


def poses(values: F64) -> list[list[list[float] | None]]:
    """(T,N,7) xyz + wxyz → N tracks with w ≥ 0, so that one rotation has one spelling."""
    flip = np.where(values[..., 3:4] < 0, -1.0, 1.0)
    return vectors(np.concatenate([values[..., :3], values[..., 3:] * flip], axis=-1))


def joined(each: list[F64], frames: int, numbers: int) -> F64:
    """N of (T,n) → (T,N,n)."""
    return np.moveaxis(np.reshape(each, (-1, frames, numbers)), 0, 1)


def _rounded(values: F64, decimals: int) -> list[Any]:
    """Nested lists; adding zero turns -0.0, which JSON would write, into 0.0."""
    return list((np.round(np.asarray(values, float), decimals) + 0.0).tolist())

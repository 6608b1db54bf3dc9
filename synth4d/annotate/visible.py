"""What an id image shows of each object: how many pixels, in which box, and which lies deepest inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synth4d.annotate import _masks
from synth4d.types import F64, U16

BLOCKS = 192
"""Depths inside masks are measured in blocks of pixels, at least so many across the picture."""


class Seen(NamedTuple):
    """What `visible` and `deepest` find."""

    counts: F64
    """(T,N)"""
    boxes: F64
    """(T,N,4)"""
    inner: F64
    """(T,N,3)"""


def look(ids: U16, table: Sequence[int]) -> Seen:
    """ids (T,H,W) → what both find of the N ids in `table`."""
    return Seen(*visible(ids, table), deepest(ids, table))


def visible(ids: U16, table: Sequence[int]) -> tuple[F64, F64]:
    """ids (T,H,W) → pixel counts (T,N) and tight boxes (T,N,4) [x0,y0,x1,y1) of the ids in `table`.

    Boxes of objects without a pixel are NaN.
    """
    counts, boxes = np.zeros((len(ids), len(table))), np.full((len(ids), len(table), 4), np.nan)
    _masks.visible(np.ascontiguousarray(ids), ranks(table), counts, boxes)
    return counts, boxes


def deepest(ids: U16, table: Sequence[int]) -> F64:
    """ids (T,H,W) → (T,N,3) [x, y, r]: the pixel deepest inside each object's mask; all pixels no more than r
    columns and rows from it are the object's too. NaN where what is seen is thinner than two blocks."""
    found = np.full((len(ids), len(table), 3), np.nan)
    _masks.deepest(np.ascontiguousarray(ids), ranks(table), max(1, ids.shape[2] // BLOCKS), found)
    return found


def ranks(table: Sequence[int]) -> U16:
    """(65536,) place of each id in `table`, N where it is not there."""
    rank = np.full(65536, len(table), np.uint16)
    rank[list(table)] = np.arange(len(table), dtype=np.uint16)
    return rank

"""What is read off id images by runs agrees with looking at every pixel."""

from __future__ import annotations

import numpy as np
import pytest

from synth4d.annotate import pixels_cloud
from synth4d.annotate.visible import deepest, visible
from synth4d.types import U16


def _images(seed: int, blocks: int) -> U16:
    """(3,22,31) ids in patches of `blocks` pixels: runs of all lengths, some that reach from edge to edge."""
    ids = np.random.default_rng(seed).choice([0, 3, 7, 900, 65535], (3, -(-22 // blocks), -(-31 // blocks)))
    return ids.repeat(blocks, 1).repeat(blocks, 2)[:, :22, :31].astype(np.uint16)


@pytest.mark.parametrize("blocks", [1, 4, 40])
@pytest.mark.parametrize("table", [[], [7], [900, 3, 65535, 41]])
def test_counts_and_boxes_are_those_of_the_pixels(blocks: int, table: list[int]) -> None:
    ids = _images(blocks, blocks)
    counts, boxes = visible(ids, table)
    for t in range(len(ids)):
        for k, id in enumerate(table):
            y, x = np.nonzero(ids[t] == id)
            assert counts[t, k] == len(x)
            want = (x.min(), y.min(), x.max() + 1, y.max() + 1) if len(x) else (np.nan,) * 4
            np.testing.assert_array_equal(boxes[t, k], want)


@pytest.mark.parametrize("blocks", [1, 4, 40])
def test_sampled_pixels_are_evenly_spaced_among_an_objects_own(blocks: int) -> None:
    ids, table = _images(blocks, blocks), [900, 3, 41, 65535]
    want = []
    for t, image in enumerate(ids):
        around = np.pad(image.astype(int), 1, constant_values=-1)
        border = np.any([np.roll(around, step, axis) != around for step in (-1, 1) for axis in (0, 1)], 0)[1:-1, 1:-1]
        for k, id in enumerate(table):
            for group, most in ((~border, pixels_cloud.INNER), (border, pixels_cloud.OUTLINE)):
                own = np.flatnonzero((image == id) & group)
                take = min(len(own), most)
                want += [[t, k, int(own[n * (len(own) - 1) // max(take - 1, 1)])] for n in range(take)]
    assert pixels_cloud._sample(ids, table).tolist() == want


@pytest.mark.parametrize("blocks", [4, 9])
@pytest.mark.parametrize("scale", [1, 13])
def test_the_deepest_pixel_is_in_a_square_of_its_own(blocks: int, scale: int) -> None:
    """At one pixel a block and at two: the square is the object's, and no other of its pixels has a larger one."""
    ids, table = _images(blocks, blocks).repeat(scale, 1).repeat(scale, 2), [900, 3, 7, 65535]
    size = max(1, ids.shape[2] // 192)
    found = deepest(ids, table)
    assert np.isfinite(found).any()
    for t, image in enumerate(ids):
        for k, id in enumerate(table):
            own = np.pad(image == id, 1)[1:-1, 1:-1]
            squares = [r for r in range(image.shape[0]) if _fits(own, r)]
            if np.isnan(found[t, k, 0]):
                assert max(squares, default=0) <= 2 * size
                continue
            x, y, r = found[t, k].astype(int)
            assert own[y - r : y + r + 1, x - r : x + r + 1].all() and min(x, y) >= r
            assert max(squares) - r <= 2 * size


def _fits(own: np.ndarray, r: int) -> bool:
    """Whether some square of 2r+1 pixels lies within a mask."""
    if min(own.shape) < 2 * r + 1:
        return False
    total = np.pad(own.astype(int).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    n = 2 * r + 1
    return bool((total[n:, n:] - total[:-n, n:] - total[n:, :-n] + total[:-n, :-n] == n * n).any())

"""How fast the splat rasteriser is, as a ratio to the plain reference that its tests use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

from synth4d.bench.room import orbit, room
from synth4d.render import reference
from synth4d.render.splat import Picture, Rasteriser

SIDE = 512
REPEATS = 3
REFERENCE_COUNT = 20_000


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def run() -> dict[str, dict[str, object]]:
    """Milliseconds a frame (RGB, both depths, alpha, ids) on one thread: median over the orbit's views.

    The ratio is one view of a smaller room, reference over kernel, both measured here.
    """
    K, poses = orbit(SIDE, SIDE)
    small = room(REFERENCE_COUNT, np.random.Generator(np.random.Philox(0)))
    kernel, out = Rasteriser(), Picture.empty(SIDE, SIDE)
    kernel.load(small)
    kernel.render(K, poses[0], SIDE, SIDE, out=out)
    ours = median(_seconds(lambda: kernel.render(K, poses[0], SIDE, SIDE, out=out)) for _ in range(9))
    ratio = _seconds(lambda: reference.render(small, K, poses[0], SIDE, SIDE)) / ours
    results: dict[str, dict[str, object]] = {}
    for name, count in (("raster_100k", 100_000), ("raster_500k", 500_000)):
        kernel.load(room(count, np.random.Generator(np.random.Philox(0))))
        times = [_seconds(partial(kernel.render, K, T, SIDE, SIDE, out=out)) for T in poses * REPEATS]
        results[name] = {
            "value": round(1000 * median(times[len(poses) :]), 2),
            "unit": "ms",
            "against": f"reference (numpy), {REFERENCE_COUNT // 1000}k Gaussians",
            "ratio": round(ratio, 1),
        }
    return results

"""How fast other people's Gaussians are read and checked, as a ratio to reading the same bytes and doing nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from synth4d.splats import Notes, Splats, read, write_ply, write_spz
from synth4d.types import F32, Gaussians

COUNT = 1_000_000
REPEATS = 5


def run() -> dict[str, dict[str, object]]:
    """Seconds for a million Gaussians with the file in the page cache: the least of some interleaved turns."""
    results: dict[str, dict[str, object]] = {}
    with TemporaryDirectory() as folder:
        for name, k, write in (
            ("import_ply_sh3", 15, write_ply),
            ("import_ply_sh0", 0, write_ply),
            ("import_spz_sh3", 15, write_spz),
        ):
            path = Path(folder) / name
            write(_made(k), path)
            ours, plain = _least(partial(read, path), partial(np.fromfile, path, np.uint8))
            results[name] = {
                "value": round(ours, 3),
                "unit": "s",
                "against": f"np.fromfile of the same {path.stat().st_size / 1e6:.0f} MB",
                "ratio": round(ours / plain, 1),
            }
            path.unlink()
    return results


def _made(k: int) -> Splats:
    rng = np.random.Generator(np.random.Philox(0))

    def normal(*shape: int) -> F32:
        return rng.standard_normal(shape, np.float32)

    quats, sh = normal(COUNT, 4), normal(COUNT, k, 3) * np.float32(0.1) if k else None
    quats /= np.sqrt((quats * quats).sum(1, keepdims=True))
    parts = (normal(COUNT, 3), quats, np.exp(normal(COUNT, 3) - 5), rng.random(COUNT, np.float32))
    colours, ids = rng.random((COUNT, 3), np.float32), np.zeros(COUNT, np.uint16)
    return Splats(Gaussians(*parts, colours, ids, sh), Notes("made", "3DGS PLY"))


def _least(*works: Callable[[], object]) -> list[float]:
    """Least seconds of each, in turns, so that a busy machine slows them alike."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for work, seconds in zip(works, times, strict=True):
            start = perf_counter()
            work()
            seconds.append(perf_counter() - start)
    return [min(seconds) for seconds in times]

"""How fast the splat rasteriser is: against the plain reference that its tests use, and what each feature costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np

from synth4d.bench.room import orbit, room
from synth4d.render import reference
from synth4d.render.splat import Picture, Rasteriser
from synth4d.types import F64, Gaussians

SIDE = 512
ROUNDS = 5
REFERENCE_COUNT = 20_000
COUNT = 500_000
Row = dict[str, object]


def _rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(0))


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _loaded(gaussians: Gaussians, threads: int = 1) -> Rasteriser:
    rasteriser = Rasteriser(threads=threads)
    rasteriser.load(gaussians)
    return rasteriser


def _orbits(rasterisers: dict[str, Rasteriser], K: F64, poses: list[F64]) -> dict[str, float]:
    """Seconds a frame of each, mean over the orbit's views, least of the rounds in which they take turns."""
    out, rounds = Picture.empty(SIDE, SIDE), {name: [0.0] * ROUNDS for name in rasterisers}
    for r in rasterisers.values():
        r.render(K, poses[0], SIDE, SIDE, out=out)  # the first frame pays for its memory
    for k in range(ROUNDS):
        for name, r in rasterisers.items():
            for T in poses:
                rounds[name][k] += _seconds(partial(r.render, K, T, SIDE, SIDE, out=out)) / len(poses)
    return {name: min(times) for name, times in rounds.items()}


def _row(seconds: float, against: str, ratio: float) -> Row:
    return {"value": round(1000 * seconds, 2), "unit": "ms", "against": against, "ratio": round(ratio, 2)}


def run() -> dict[str, Row]:
    """Milliseconds a frame (RGB, both depths, alpha, ids) at 512×512, on one thread unless the name says otherwise."""
    K, poses = orbit(SIDE, SIDE)
    few, many = room(REFERENCE_COUNT, _rng()), room(COUNT, _rng())
    harmonics = _rng().normal(0, 0.1, (COUNT, 15, 3)).astype(np.float32)
    times = _orbits(
        {
            "few": _loaded(few),
            "raster_100k": _loaded(room(100_000, _rng())),
            "raster_500k": _loaded(many),
            "raster_500k_2_threads": _loaded(many, threads=2),
            "raster_500k_antialiased": _loaded(replace(many, antialiased=True)),
            "raster_500k_sh_degree_3": _loaded(replace(many, sh=harmonics)),
        },
        K,
        poses,
    )
    plain, speed = times.pop("few"), _seconds(lambda: reference.render(few, K, poses[0], SIDE, SIDE))
    name, whole = f"reference (numpy) over kernel, {REFERENCE_COUNT // 1000}k Gaussians", times["raster_500k"]
    rows = {key: _row(times.pop(key), name, speed / plain) for key in ("raster_100k", "raster_500k")}
    return rows | {key: _row(t, "raster_500k", t / whole) for key, t in times.items()} | _moves(many, whole)


def _moves(gaussians: Gaussians, frame: float) -> dict[str, Row]:
    """What a frame pays for a body of 5,000 Gaussians that moves, and for new colours of all."""
    r, rows = _loaded(gaussians), np.arange(5000)
    move = min(_seconds(lambda: r.update(rows, gaussians.means[rows], gaussians.quats_wxyz[rows])) for _ in range(9))
    colour = min(_seconds(lambda: r.recolour(gaussians.colours)) for _ in range(9))
    return {
        "raster_move_5k": _row(move, "a frame, raster_500k", move / frame),
        "raster_recolour_500k": _row(colour, "a frame, raster_500k", colour / frame),
    }

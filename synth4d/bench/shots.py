"""Labelled frames a second on one core, all stages counted, and what each stage takes."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

import numpy as np

from synth4d import config, seeds
from synth4d.bench import cast
from synth4d.errors import CannotHappen
from synth4d.types import CameraPath, Shot, Timeline, World

Filmed = tuple[Shot, World, Timeline, CameraPath, np.random.Generator]
SHOTS = 6
WARM_UP = 1
"""The first shot of a process pays for imports and caches; a worker makes hundreds."""


def planned(scene: str, count: int, **values: int | str) -> list[Shot]:
    """The first dynamic shots of a run of a scene with the default config, some values replaced."""
    from synth4d.run import plan, stages

    run_config = config.load(None, {"scenes": [scene], "shots": 4 * count, **values})
    shots = plan.make(run_config, stages.scenes([scene]))
    return [s for s in shots if s.kind == "dynamic"][:count]


def filmed(scene: str, count: int, **values: int) -> Iterator[Filmed]:
    """Dynamic shots that can happen, simulated and with a camera, ready to be rendered."""
    return film(scene, planned(scene, count, **values))


def film(scene: str, shots: list[Shot]) -> Iterator[Filmed]:
    """Those of the shots that can happen, likewise."""
    from synth4d.motion import camera, simulate
    from synth4d.scene import build, load

    for shot in shots:
        for attempt in range(8):
            try:
                world = build.build(load.load(scene), shot)
                timeline = simulate.simulate(world, shot, attempt=attempt)
                path = camera.film(world, timeline, shot, attempt=attempt)
            except CannotHappen:
                continue
            yield shot, world, timeline, path, seeds.rng(shot.run_seed, shot.scene, shot.key, "render", attempt)
            break


def run() -> dict[str, dict[str, object]]:
    """CPU seconds of this process over whole shots of the kitchen, failed attempts included; the baseline is
    ray casting depth and ids alone of the same frames."""
    from synth4d.run import bounds, stages, work

    run_config = config.load(None, {"scenes": ["kitchen"], "shots": 4 * SHOTS}, ("cache.max_gb=0",))
    (kitchen,) = stages.scenes(["kitchen"])
    clock, frames, spent = work.Clock(None), 0, 0.0
    with bounds.seldom_collected():
        for n, shot in enumerate(planned("kitchen", SHOTS + WARM_UP)):
            if n == WARM_UP:
                clock.seconds.clear()
                spent, frames = process_time(), 0
            for attempt in range(run_config.max_attempts):
                try:
                    frames += stages.make(shot, run_config, kitchen, attempt, clock).frames
                    break
                except CannotHappen:
                    continue
    spent = process_time() - spent
    rate = frames / spent
    _, world, timeline, path, _ = next(filmed("kitchen", 1))
    start = process_time()
    cast.clip(world, timeline, path)
    bare = len(timeline.times_s) / (process_time() - start)
    row = {"unit": "frames/s", "against": "depth and ids alone by ray casting", "ratio": round(rate / bare, 3)}
    results: dict[str, dict[str, object]] = {"labelled_frames": {"value": round(rate, 2), **row}}
    for stage, seconds in clock.seconds.items():
        share = 100 * seconds / sum(clock.seconds.values())
        results[f"share_{stage}"] = {"value": round(share, 1), "unit": "%", "against": "of a shot", "ratio": None}
    return results

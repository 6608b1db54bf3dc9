"""Labelled frames a second on one core, all stages counted, and what each stage takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import process_time

import numpy as np

from synth4d import config, seeds
from synth4d.bench.room import orbit, room
from synth4d.errors import CannotHappen
from synth4d.types import CameraPath, Shot, Timeline, World

Filmed = tuple[Shot, World, Timeline, CameraPath, np.random.Generator]
PASSES = 3
SHOTS = 6
WARM_UP = 1
"""The first shot of a process pays for imports and caches; a worker makes hundreds."""
BARE_FRAMES = 12


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
    """Frames a CPU second of one process over whole shots of the kitchen, failed attempts included. The baseline are
    frames of the benchmark room without light, motion and facts; both take turns, for processors vary in speed.

    Of each the least time of PASSES counts, each pass in a new process: what else the machine does only ever adds."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        passes = [fresh.submit(_pass).result() for _ in range(PASSES)]
    frames, spent, bare = passes[0].frames, _least(p.shots for p in passes), _least(p.bare for p in passes)
    rate, ratio = frames / spent, frames / spent * bare / (SHOTS * BARE_FRAMES)
    row = {"unit": "frames/s", "against": "500k Gaussians at 512×512, splatted and encoded alone"}
    results: dict[str, dict[str, object]] = {
        "labelled_frames": {"value": round(rate, 2), **row, "ratio": round(ratio, 3)}
    }
    stages = min(passes, key=lambda p: sum(p.shots)).stages
    for stage, seconds in stages.items():
        share = 100 * seconds / sum(stages.values())
        results[f"share_{stage}"] = {"value": round(share, 1), "unit": "%", "against": "of a shot", "ratio": None}
    return results


def _least(passes: Iterable[list[float]]) -> float:
    """The seconds of all shots, of each those of its fastest pass."""
    return sum(map(min, zip(*passes, strict=True)))


@dataclass(frozen=True, slots=True)
class _Pass:
    """CPU seconds of each shot and of a clip of the bare room beside it; of each stage, all shots together."""

    frames: int
    shots: list[float]
    bare: list[float]
    stages: dict[str, float]


def _pass() -> _Pass:
    from synth4d.run import bounds, stages, work

    run_config = config.load(None, {"scenes": ["kitchen"], "shots": 4 * SHOTS}, ("cache.max_gb=0",))
    (kitchen,) = stages.scenes(["kitchen"])
    clock, frames, spent, bare, room = work.Clock(None), list[int](), list[float](), list[float](), _Bare()
    with bounds.seldom_collected():
        for n, shot in enumerate(planned("kitchen", SHOTS + WARM_UP)):
            if n == WARM_UP:
                clock.seconds.clear()
            bare.append(room.clip())
            start = process_time()
            for attempt in range(run_config.max_attempts):
                try:
                    frames.append(stages.make(shot, run_config, kitchen, attempt, clock).frames)
                    break
                except CannotHappen:
                    continue
            spent.append(process_time() - start)
    return _Pass(sum(frames[WARM_UP:]), spent[WARM_UP:], bare[WARM_UP:], clock.seconds)


class _Bare:
    """Clips of the benchmark room: splatted and encoded, with nothing to tell."""

    def __init__(self) -> None:
        from synth4d.render.splat import Rasteriser

        self.rasteriser = Rasteriser()
        self.rasteriser.load(room(500_000, np.random.Generator(np.random.Philox(0))))
        K, poses = orbit(512, 512, views=64)
        self.camera = CameraPath(512, 512, K, np.stack(poses[:BARE_FRAMES]), 24.0)

    def clip(self) -> float:
        """CPU seconds of one."""
        from synth4d import codec
        from synth4d.render import clip

        start, out, camera = process_time(), clip.blank(self.camera), self.camera
        for frame, T_world_cam in enumerate(camera.T_world_cam):
            p = self.rasteriser.render(camera.K, T_world_cam, camera.width, camera.height)
            clip.take(p, out, frame, covered=1.0)
        codec.encode(out)
        return process_time() - start

"""How fast gsplat draws on a GPU, and how many shots an hour a GPU makes with all stages counted."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from synth4d import config
from synth4d.bench.room import orbit, room
from synth4d.bench.shots import planned
from synth4d.errors import CannotHappen
from synth4d.render import gpu
from synth4d.render.splat import Rasteriser
from synth4d.types import CameraPath, Gaussians

COUNTS = {"500k": 500_000, "5M": 5_000_000}
SIDES = (512, 1024)
VIEWS = 64
SHOTS = 8
Row = dict[str, object]


def run() -> dict[str, Row]:
    """Frames a second of a still scene, 8-bit colour, depth and ids copied to the host, as a ratio to the CPU's on one
    thread; shots an hour of one process. No figures, and a line that says why, without a GPU."""
    reason = gpu.why_not()
    if reason:
        print(f"  splat-cuda is not measured: {reason}")
        return {}
    rows = {}
    for name, count in COUNTS.items():
        gaussians = room(count, np.random.Generator(np.random.Philox(0)))
        for side in SIDES:
            rows[f"cuda_{name}_{side}"] = _frames(gaussians, side)
    return rows | {"cuda_shots": _shots()}


def _frames(gaussians: Gaussians, side: int) -> Row:
    from synth4d.render import cuda

    K, poses = orbit(side, side, VIEWS)
    on_gpu = cuda.Device(CameraPath(side, side, K, np.array(poses), 8.0), cuda.kernels(), "cuda")
    on_gpu.load(gaussians)
    for warm in (True, False):
        start = perf_counter()
        for T in poses[: cuda.VIEWS] if warm else poses:
            on_gpu.look(T)
        for p in on_gpu.pictures():
            for part in cuda.quantise(p, 1.0):
                part.cpu()
    rate = VIEWS / (perf_counter() - start)
    on_cpu = Rasteriser()
    on_cpu.load(gaussians)
    on_cpu.render(K, poses[0], side, side)
    start = perf_counter()
    on_cpu.render(K, poses[0], side, side)
    ratio = rate * (perf_counter() - start)
    return {"value": round(rate, 1), "unit": "frames/s", "against": "the CPU, one thread", "ratio": round(ratio, 1)}


def _shots() -> Row:
    """Shots of the kitchen an hour, failed attempts included, one process and one GPU."""
    from synth4d.run import stages, work

    run_config = config.load(None, {"scenes": ["kitchen"], "shots": 4 * SHOTS}, ("cache.max_gb=0",))
    (kitchen,) = stages.scenes(["kitchen"])
    rates = {}
    for renderer in ("splat", "splat-cuda"):
        start, made = perf_counter(), 0
        for shot in planned("kitchen", SHOTS, renderer=renderer):
            for attempt in range(run_config.max_attempts):
                try:
                    stages.make(shot, run_config, kitchen, attempt, work.Clock(None))
                    made += 1
                    break
                except CannotHappen:
                    continue
        rates[renderer] = 3600 * made / (perf_counter() - start)
    value, ratio = rates["splat-cuda"], rates["splat-cuda"] / rates["splat"]
    return {"value": round(value), "unit": "shots/h", "against": "the same on the CPU", "ratio": round(ratio, 2)}

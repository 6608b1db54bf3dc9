"""Our renderer of radiance fields against the straightforward nerfstudio loop on the same field, and the fit itself."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from synth4d.config import Nerf
from synth4d.errors import SynthError
from synth4d.nerf.field import load
from synth4d.nerf.march import Marcher
from synth4d.run import fit, stages
from synth4d.run.views import views

ROUNDS = 3


def run() -> dict[str, dict[str, object]]:
    """Rays a second on one held-out view of the kitchen (200×200), both on studio.THREADS threads, best of three
    interleaved rounds; PSNR and depth error are those of the fit's record, over all held-out
    views. No figures, and a line that says why, without torch and nerfstudio."""
    try:
        from synth4d.nerf import studio, train
    except SynthError as e:
        print(f"  nerf is not measured: {e}")
        return {}
    (scene,) = stages.scenes(["kitchen"])
    settings = Nerf()
    path, record = fit.fit(scene, settings, 0)
    made = load(path)
    camera = views(scene.path, settings.model_copy(update={"views": 4}), 0)[1].camera
    marcher, loop = Marcher(made, threads=studio.THREADS), studio.Loop(studio.restore(made), made)
    T = camera.T_world_cam[0]
    ways = train.pixel_rays(camera)[0].reshape(-1, 3).astype(np.float64)
    way = np.asarray(sum(ways[:, k, None] * T[None, :3, k] for k in range(3)))
    eyes = np.broadcast_to(T[:3, 3], way.shape)
    times = [(_seconds(lambda: marcher.rays(eyes, way)), _seconds(lambda: loop.rays(eyes, way))) for _ in range(ROUNDS)]
    ours, theirs = (min(column) for column in zip(*times, strict=True))
    against = "nerfstudio's sampler, fields and renderers on the same field"
    return {
        "nerf_rays": row(len(way) / ours, "rays/s", against, theirs / ours),
        "nerf_psnr": row(record.psnr_db, "dB", "held-out views"),
        "nerf_depth": row(1000 * record.depth_m, "mm", "held-out views, median error"),
        "nerf_ids": row(100 * record.ids, "%", "held-out views, right ids"),
        "nerf_fit": row(record.seconds, "s", f"fit of {record.steps} steps, views drawn and judged"),
    }


def row(value: float, unit: str, against: str, ratio: float | None = None) -> dict[str, object]:
    return {"value": round(value, 2), "unit": unit, "against": against, "ratio": ratio and round(ratio, 1)}


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start

"""What the driver itself can do: plan, schedule and commit shots that take no time, and the memory that takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synth4d.config import RunConfig
from synth4d.run.plan import SceneRef
from synth4d.run.work import Clock, Made
from synth4d.types import Shot

SIZES = (1_000, 10_000)
"""`python -m synth4d.bench.scale 100000 0` measures any other: shots, workers."""
SCHEDULED = 1_000


def nothing(shot: Shot, config: RunConfig, scene: SceneRef, attempt: int, clock: Clock) -> Made:
    """A shot of 6 kB that is made at once."""
    members = {name: shot.key.encode() * 60 for name in ("facts.json", "mp4", "qa.json")}
    return Made(members, [], shot.frames, 0)


def measured(shots: int, workers: int) -> dict[str, float]:
    """A run in this process: shots a second, processor seconds of the driver a shot, most memory in MB."""
    from synth4d import config, run

    settings = config.load(None, {"scenes": ["toy"], "shots": shots}, ("shard_samples=256", "static_renderer=same"))
    scene = (SceneRef("toy", "0" * 64, "toy"),)
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), time.process_time()
        run.dataset(settings, Path(folder) / "out", workers=workers, work=nothing, scenes=scene, quiet=True)
        wall, cpu = time.perf_counter() - start, time.process_time() - used
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return {"rate": shots / wall, "driver": 1e3 * cpu / shots, "mb": int(peak) / 1024}


def _apart(shots: int, workers: int) -> dict[str, float]:
    """The same in a process of its own, whose memory is that run's alone."""
    command = [sys.executable, "-m", "synth4d.bench.scale", str(shots), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run() -> dict[str, dict[str, object]]:
    small, large = (_apart(n, 0) for n in SIZES)
    ray = _apart(SCHEDULED, 1)
    against = f"{SIZES[0]:,} shots"
    return {
        "shots_committed": {
            "value": round(large["rate"], 1), "unit": f"shots/s of {SIZES[1]:,}, in one process",
            "against": against, "ratio": round(large["rate"] / small["rate"], 2),
        },
        "shots_scheduled": {
            "value": round(ray["rate"], 1), "unit": "shots/s with a Ray worker, start included",
            "against": "in one process", "ratio": round(ray["rate"] / small["rate"], 2),
        },
        "driver_time": {
            "value": round(ray["driver"], 2), "unit": "ms of the driver's processor a shot with Ray",
            "against": "in one process, the shots too", "ratio": round(ray["driver"] / small["driver"], 2),
        },
        "driver_memory": {
            "value": round(large["mb"], 1), "unit": f"MB for {SIZES[1]:,} shots",
            "against": against, "ratio": round(large["mb"] / small["mb"], 3),
        },
    }  # fmt: skip


if __name__ == "__main__":
    from synth4d.bench import scale  # noqa: PLW0406  (so that workers find `nothing` by its name)

    print(json.dumps(scale.measured(int(sys.argv[1]), int(sys.argv[2]))))

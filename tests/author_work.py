"""Runs with a scripted author: shots of made-up kitchens, cheap to make, whose questions are asked in earnest.

As a process: python author_work.py OUT WORKERS URL [KEY=VALUE…].
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_work
from facts_maker import kitchen

from synth4d import config, disk, machine, run, seeds
from synth4d.ask import ask
from synth4d.config import RunConfig
from synth4d.errors import SynthError
from synth4d.records import Label, dump
from synth4d.run import plan
from synth4d.run.work import Clock, Made
from synth4d.types import Shot

HERE = Path(__file__).parent
ABSENT = [("teapot", Label(en="teapot", zh="茶壶", measure="个", plural="teapots"))]
SETS = ("shard_samples=3", "questions=14", "llm.model=m", "llm.window=2", "llm.timeout_s=10", "author=openai")


def make(shot: Shot, config: RunConfig, scene: str, attempt: int, clock: Clock) -> Made:
    """A kitchen that follows from the shot's position, its templates' questions, and what its pixels witness knows."""
    for stage in ("simulate", "render", "annotate"):
        with clock.stage(stage):
            pass
    with clock.stage("ask"):
        facts, camera, viewed = kitchen(shot.index, "control" if shot.kind == "control" else "dynamic")
        rng = seeds.rng(shot.run_seed, shot.key, "ask")
        asked = ask(facts, camera, rng=rng, total=config.questions, absent=ABSENT)
    words = [[category, label.model_dump(mode="json")] for category, label in ABSENT]
    members = {"mp4": shot.key.encode() * 99, "facts.json": dump(facts), "camera.json": dump(camera)}
    open_ = {"asked": dump(asked), "absent": dump(words), "pixels": dump(viewed)}
    return Made(members, [], shot.frames, 0, open_)


def settings(url: str, *sets: str, shots: int = 7) -> RunConfig:
    return config.load(None, {"scenes": ["toy"], "shots": shots}, (*SETS, f"llm.base_url={url}", *sets))


def here(out: Path, url: str, *sets: str, shots: int = 7, workers: int = 0) -> run.Outcome:
    """A run in this process."""
    made = settings(url, *sets, shots=shots)
    return run.dataset(made, out, workers=workers, work=make, scenes=fake_work.SCENES, quiet=True)


def process(out: Path, url: str, *sets: str, workers: int = 0, **env: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    command = [sys.executable, str(HERE / "author_work.py"), str(out), str(workers), url, *sets]
    environment = os.environ | {"PYTHONPATH": path} | env
    if not machine.settled():  # a plugin of pytest imported numpy: the process shall compute as this one does
        environment.pop("NPY_DISABLE_CPU_FEATURES", None)
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cost(out: Path) -> dict[str, Any]:
    """run.json's account of the model, all kinds together."""
    rows = disk.read_json(out / "run.json")["model"].values()
    names = ("asked", "answered", "hits", "prompt", "completion")
    total = {name: sum(row[name] for row in rows) for name in names}
    return total | {"rejected": sum(sum(row["rejected"].values()) for row in rows)}


if __name__ == "__main__":
    plan.code_versions = fake_work.versions
    out, workers, url, *sets = sys.argv[1:]
    try:
        end = here(Path(out), url, *sets, workers=int(workers))
    except (SynthError, run.Stopped) as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    print(json.dumps({"digest": end.record.digest, "redone": end.redone}))
    sys.exit(end.exit_code)

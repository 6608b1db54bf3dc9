"""Helpers of the tests that run the driver with a stand-in for the stages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fake_work

from synth4d import config, dataset, disk, run
from synth4d.records import DatasetRecord
from synth4d.run import plan

HERE = Path(__file__).parent
PATH = os.pathsep.join([str(HERE), str(HERE.parent)])


def here(out: Path | str, *sets: str, shots: int = 13, workers: int = 0) -> run.Outcome:
    """A run in this process."""
    settings = config.load(None, {"scenes": ["toy"], "shots": shots}, ("shard_samples=4", "max_attempts=3", *sets))
    return run.dataset(settings, out, workers=workers, work=fake_work.make, scenes=fake_work.SCENES, quiet=True)


def process(
    out: Path | str,
    workers: int | str = 0,
    *,
    seconds: float = 0,
    fake: str = "",
    shots: int = 13,
    limit: int = 60,
    sets: tuple[str, ...] = (),
) -> subprocess.Popen[str]:
    """A run as a process; `limit` is what a shot may take, generous since other work may crowd this machine."""
    env = os.environ | {"PYTHONPATH": PATH, "FAKE": fake, "FAKE_SECONDS": str(seconds)}
    command = [
        sys.executable,
        str(HERE / "run_fake.py"),
        str(out),
        str(workers),
        f"shots={shots}",
        f"limits.shot_seconds={limit}",
        *sets,
    ]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Until the condition holds; fails when the process ends before."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def record(out: Path) -> DatasetRecord:
    return DatasetRecord.model_validate_json((out / disk.DATASET).read_bytes())


def check_whole(out: Path) -> None:
    """Every planned shot is committed once or quarantined, each shard is as listed, nothing is left over."""
    about, rows = record(out), dataset.read_manifest(out)
    settings = config.RunConfig.model_validate(about.config)
    keys = [key for row in rows for key in row.keys] + [q.key for q in dataset.read_quarantine(out)]
    planned = [s.key for s in plan.make(settings, fake_work.SCENES)]
    assert sorted(keys) == sorted(planned)
    for row in rows:
        assert row.keys == [s.key for s in dataset.read_shard(out, row)]
    assert about.digest == disk.digest(out)
    assert not [p.name for p in out.iterdir() if p.name in (".work", ".lock") or disk.TEMPORARY in p.name]

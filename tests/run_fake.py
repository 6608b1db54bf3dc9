"""A run with the stand-in for the stages, as a process: python run_fake.py OUT WORKERS|HOST:PORT [KEY=VALUE…]."""

from __future__ import annotations

import sys

import fake_work

from synth4d import config, run
from synth4d.errors import SynthError
from synth4d.run import plan

if __name__ == "__main__":
    plan.code_versions = fake_work.versions
    out, workers, *sets = sys.argv[1:]
    settings = config.load(None, {"scenes": ["toy"]}, ("shard_samples=4", "max_attempts=3", *sets))
    try:
        address = workers if ":" in workers else None
        count = 1 if address else int(workers)
        end = run.dataset(
            settings, out, workers=count, ray_address=address, work=fake_work.make, scenes=fake_work.SCENES
        )
    except (SynthError, run.Stopped) as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    print(f"{end.record.digest} {end.redone}")
    sys.exit(end.exit_code)

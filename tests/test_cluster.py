"""Ray as a guest: what befalls one shot stays with it, and nothing is left behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import fake_work
import pytest
from runs import check_whole, here, process, wait_for

from synth4d import config, dataset, run
from synth4d.errors import ConfigError, SynthError
from synth4d.run import stages

pytestmark = pytest.mark.usefixtures("same_code")


def of_session(pid: int) -> list[str]:
    """Command lines of the Ray processes that belong to a run."""
    marks = []
    for entry in Path("/proc").iterdir():
        try:
            if f"SYNTH4D_SESSION=/tmp/s4d-{pid}-".encode() in (entry / "environ").read_bytes():
                marks.append((entry / "cmdline").read_text())
        except (OSError, ValueError):
            continue
    return marks


def test_two_workers_give_the_bytes_of_one_and_bad_shots_end_alone(tmp_path: Path) -> None:
    """A segfault, a hang, a hunger for memory, a killed driver: each ends its own shot at most."""
    fake = "2:segfault,3:hang,4:memory,5:never"
    first = process(tmp_path, 2, fake=fake, seconds=0.2, limit=3)
    wait_for(lambda: len(list(tmp_path.glob(".work/*/*.shot"))) > 1, first)
    first.kill()
    first.communicate()
    second = process(tmp_path, 2, fake=fake, limit=3)  # at once: workers of the first are alive still
    _, stderr = second.communicate(timeout=120)
    assert second.returncode == 3, stderr
    check_whole(tmp_path)
    reasons = {int(q.key.split("-")[1]): q.reason for q in dataset.read_quarantine(tmp_path)}
    assert sorted(reasons) == [2, 3, 4, 5]
    assert "worker died" in reasons[2] and "longer than 3 s" in reasons[3] and "MemoryError" in reasons[4]
    assert of_session(second.pid) == [] and not list(Path("/tmp").glob(f"s4d-{first.pid}-*"))


def test_ctrl_c_ends_the_workers_and_the_rest_is_made_later(tmp_path: Path, golden: str) -> None:
    first = process(tmp_path, 2, seconds=0.3)
    wait_for(lambda: list(tmp_path.glob(".work/*/*.shot")), first)
    start = time.monotonic()
    first.send_signal(signal.SIGINT)
    _, stderr = first.communicate()
    assert first.returncode == 130, stderr
    assert time.monotonic() - start < 10  # the contract with users, not a speed
    assert of_session(first.pid) == []
    assert here(tmp_path).record.digest == golden


def test_a_ray_address_where_nobody_listens_fails_soon(tmp_path: Path) -> None:
    settings = config.load(None, {"scenes": ["toy"]})
    with pytest.raises(SynthError, match="nobody answers"):
        run.dataset(
            settings,
            tmp_path,
            workers=1,
            ray_address="127.0.0.1:1",
            work=fake_work.make,
            scenes=fake_work.SCENES,
            quiet=True,
        )


def test_the_real_stages_load_every_scene_before_any_work() -> None:
    with pytest.raises(ConfigError, match="unknown scene"):
        stages.scenes(["no_such_scene"])

"""The output folder: one run at a time, one plan, nobody else's files; whatever stands in the way is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fake_work
import pytest
from runs import HERE, PATH, here, process, wait_for

from synth4d import disk
from synth4d.errors import ConfigError, SynthError
from synth4d.run import folder, plan

pytestmark = pytest.mark.usefixtures("same_code")


def test_a_second_run_in_the_same_folder_is_refused_at_once(tmp_path: Path, golden: str) -> None:
    first = process(tmp_path, seconds=0.3)
    wait_for(lambda: list(tmp_path.glob(".work/*/*.shot")), first)
    with pytest.raises(SynthError, match=f"another run .pid {first.pid} on"):
        here(tmp_path)
    first.kill()
    first.communicate()
    assert here(tmp_path).record.digest == golden  # the dead owner's lock holds nothing


def test_a_folder_of_another_plan_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    here(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ConfigError, match="seed: 0 there, 1 here"):
        here(tmp_path, "seed=1")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_an_unfinished_run_of_another_plan_is_never_mixed_in(tmp_path: Path, golden: str) -> None:
    first = process(tmp_path, seconds=0.3)
    wait_for(lambda: list(tmp_path.glob(".work/*/*.shot")), first)
    first.kill()
    first.communicate()
    with pytest.raises(ConfigError, match="questions: 24 there, 9 here"):
        here(tmp_path, "questions=9")
    assert here(tmp_path, "limits.shot_seconds=9").record.digest == golden  # limits are no part of the plan


def test_changed_code_is_another_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here(tmp_path)
    monkeypatch.setattr(plan, "code_versions", lambda: {"code": "changed"})
    with pytest.raises(ConfigError, match="code: fake there, changed here"):
        here(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "train-000000.tar", ".hidden", "README.md", "数据"])
def test_a_folder_with_foreign_files_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="holds"):
        here(tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(name, "mine")]


def test_a_foreign_file_beside_a_dataset_is_refused_too(tmp_path: Path) -> None:
    here(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        here(tmp_path)


def test_out_that_is_a_file_or_beneath_one_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(ConfigError, match="can't be written"):
            here(out)


def test_a_folder_with_any_name_works(tmp_path: Path, golden: str) -> None:
    assert here(tmp_path / "数据 🍲.v2" / ("x" * 150)).record.digest == golden


def test_a_folder_deleted_in_the_middle_is_an_error_not_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear, made = folder.Folder.clear, fake_work.make

    def remove(shot, *rest):  # type: ignore[no-untyped-def]
        if shot.index == 6:
            clear(folder.Folder(tmp_path, plan.make(rest[0], fake_work.SCENES)))
        return made(shot, *rest)

    monkeypatch.setattr(fake_work, "make", remove)
    with pytest.raises(SynthError):
        here(tmp_path)
    assert not (tmp_path / disk.DATASET).exists()


def test_the_environment_does_not_reach_the_bytes(tmp_path: Path, golden: str) -> None:
    env = {
        "LANG": "C",
        "TZ": "Asia/Kathmandu",
        "PYTHONHASHSEED": "5",
        "PYTHONPATH": PATH,
        "PATH": os.environ["PATH"],
    }
    command = f"umask 077; cd /; exec {sys.executable} {HERE}/run_fake.py {tmp_path / 'out'} 0 shots=13"
    done = subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == golden


def test_a_full_disk_stops_the_run_with_one_line(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": PATH}
    command = f"ulimit -f 8; exec {sys.executable} {HERE}/run_fake.py {tmp_path / 'out'} 0 shots=13"
    done = subprocess.run(["/bin/bash", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "can't write" in done.stderr
    assert here(tmp_path / "out").record.committed == 13

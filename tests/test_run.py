"""Nothing lost and same bytes: runs with a stand-in for the stages, killed and disturbed in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fake_work
import pytest

from synth4d import config, dataset, disk, run
from synth4d.errors import ConfigError, SynthError
from synth4d.records import DatasetRecord
from synth4d.run import box, folder, plan, stages

HERE = Path(__file__).parent
PATH = os.pathsep.join([str(HERE), str(HERE.parent)])


@pytest.fixture(autouse=True)
def same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As run_fake.py does: someone may edit the code while its tests run."""
    monkeypatch.setattr(plan, "code_versions", fake_work.versions)


def here(out: Path, *sets: str, shots: int = 13, workers: int = 0) -> run.Outcome:
    """A run in this process."""
    settings = config.load(None, {"scenes": ["toy"], "shots": shots}, ("shard_samples=4", *sets))
    return run.dataset(
        settings, out, workers=workers, work=fake_work.make, scenes=fake_work.SCENES, quiet=True
    )


def process(
    out: Path, workers: int = 0, *, seconds: float = 0, fake: str = "", shots: int = 13
) -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": PATH, "FAKE": fake, "FAKE_SECONDS": str(seconds)}
    command = [
        sys.executable,
        str(HERE / "run_fake.py"),
        str(out),
        str(workers),
        f"shots={shots}",
        "limits.shot_seconds=3",
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
    """Every planned shot is committed once or quarantined; each shard is what the manifest says; nothing is left."""
    about, rows = record(out), dataset.read_manifest(out)
    settings = config.RunConfig.model_validate(about.config)
    keys = [key for row in rows for key in row.keys] + [q.key for q in dataset.read_quarantine(out)]
    planned = [s.key for s in plan.make(settings, fake_work.SCENES)]
    assert sorted(keys) == sorted(planned)
    for row in rows:
        assert row.keys == [s.key for s in dataset.read_shard(out, row)]
    assert about.digest == disk.digest(out)
    assert not [p.name for p in out.iterdir() if p.name in (".work", ".lock") or disk.TEMPORARY in p.name]


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("golden") / "out"
    end = here(out)
    check_whole(out)
    return end.record.digest


# ---- Resume --------------------------------------------------------------------------------------


def test_a_finished_dataset_is_left_as_it_is(tmp_path: Path, golden: str) -> None:
    here(tmp_path)
    before = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in tmp_path.iterdir()}
    again = here(tmp_path)
    assert (again.record.digest, again.redone, again.exit_code) == (golden, 0, 0)
    assert {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("after", [1, 5, 9, 12])
def test_killed_at_any_shot_it_goes_on_with_what_is_missing(tmp_path: Path, golden: str, after: int) -> None:
    first = process(tmp_path, seconds=0.03)
    log = tmp_path / ".work"
    wait_for(lambda: sum(p.read_bytes().count(b"filter") for p in log.glob("*/stages.log")) >= after, first)
    first.kill()
    first.communicate()
    assert not (tmp_path / disk.DATASET).exists()
    committed = {p.name: p.stat().st_ino for p in tmp_path.glob("*.tar")}
    end = here(tmp_path)
    assert end.record.digest == golden
    assert end.redone <= 13 - after + 1
    assert committed.items() <= {p.name: p.stat().st_ino for p in tmp_path.glob("*.tar")}.items()
    check_whole(tmp_path)


def damage_box(work: Path) -> None:
    path = min(work.glob("*.shot"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def damage_shard(work: Path) -> None:
    path = min(work.parents[1].glob("*.tar"))
    path.write_bytes(path.read_bytes()[:-1] + b"\1")


def lose_shard(work: Path) -> None:
    min(work.parents[1].glob("*.tar")).unlink()


def cut_done(work: Path) -> None:
    path = min(work.glob("*.done"))
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("damage", [damage_box, damage_shard, lose_shard, cut_done])
def test_damage_between_two_runs_is_found_and_mended(
    tmp_path: Path, golden: str, damage: Callable[[Path], None]
) -> None:
    first = process(tmp_path, seconds=0.03)
    wait_for(lambda: list(tmp_path.glob(".work/*/*.done")) and list(tmp_path.glob(".work/*/*.shot")), first)
    first.kill()
    first.communicate()
    damage(next((tmp_path / ".work").iterdir()))
    assert here(tmp_path).record.digest == golden
    check_whole(tmp_path)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_its_exit_code_and_one_line(tmp_path: Path, golden: str, signum: int) -> None:
    first = process(tmp_path, seconds=0.2)
    wait_for(lambda: list(tmp_path.glob(".work/*/*.shot")), first)
    first.send_signal(signum)
    _, stderr = first.communicate(timeout=10)
    assert first.returncode == 128 + signum
    assert stderr.count("\n") == 1 and "same command" in stderr
    assert here(tmp_path).record.digest == golden


# ---- Shots that fail -----------------------------------------------------------------------------


def test_a_shot_that_cannot_happen_is_replanned_then_quarantined(
    tmp_path: Path, golden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "2:once,5:never,6:raise")
    end = here(tmp_path)
    check_whole(tmp_path)
    rows = {q.key.split("-")[1]: q for q in dataset.read_quarantine(tmp_path)}
    assert end.exit_code == 3 and end.record.digest != golden
    assert sorted(rows) == ["000005", "000006"]
    assert (rows["000005"].reason, rows["000005"].attempts) == (
        "can't happen: the door is blocked at attempt 2",
        3,
    )
    assert rows["000006"].reason == "ValueError: a fault of a stage"
    assert end.record.quarantined == 2 and end.record.committed == 11
    assert "a fault" in json.loads((tmp_path / "run.json").read_text())["failures"][rows["000006"].key]


def test_a_dataset_whose_every_shot_failed_is_whole_and_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", ",".join(f"{i}:never" for i in range(5)))
    end = here(tmp_path, shots=5)
    check_whole(tmp_path)
    assert (end.exit_code, end.record.committed, list(tmp_path.glob("*.tar"))) == (3, 0, [])


def test_rejects_are_kept_with_the_key_of_their_shot(tmp_path: Path) -> None:
    here(tmp_path)
    rejects = dataset.read_rejects(tmp_path)
    assert len(rejects) == 13
    assert all(int(r.key.split("-")[1]) == r.question.turns[0].answer.value for r in rejects)


# ---- The folder ----------------------------------------------------------------------------------


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


# ---- Boxes ---------------------------------------------------------------------------------------


def test_a_box_comes_back_as_it_was_put_and_any_changed_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.box"
    parts = {"empty": b"", "lines": b"a\nb\n", "zeros": bytes(50)}
    box.write(path, {"plan": "x"}, parts)
    assert box.read(path) == ({"plan": "x"}, parts)
    raw = path.read_bytes()
    for i in range(len(raw)):
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 4]) + raw[i + 1 :])
        assert box.read(path) is None
        path.write_bytes(raw[:i])
        assert box.read(path) is None


# ---- Ray -----------------------------------------------------------------------------------------


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
    first = process(tmp_path, 2, fake=fake, seconds=0.2)
    wait_for(lambda: len(list(tmp_path.glob(".work/*/*.shot"))) > 1, first)
    first.kill()
    first.communicate()
    second = process(tmp_path, 2, fake=fake)  # at once: workers of the first are alive still
    stdout, stderr = second.communicate(timeout=120)
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

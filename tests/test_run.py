"""Nothing lost and same bytes: a run goes on after any kill, and each shot ends committed or quarantined."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import fake_work
import pytest
from runs import check_whole, here, process, wait_for

from synth4d import config, dataset, disk, run
from synth4d.run.plan import SceneRef

pytestmark = pytest.mark.usefixtures("same_code")


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
    # A shard is committed once its `.done` lies in the work folder; the same bytes may be written again before.
    committed = {p.name: p.stat().st_ino for p in tmp_path.glob("*.tar") if [*log.glob(f"*/{p.stem}.done")]}
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


def test_a_dataset_whose_every_shot_failed_is_whole_and_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE", ",".join(f"{i}:never" for i in range(5)))
    end = here(tmp_path, shots=5)
    check_whole(tmp_path)
    assert (end.exit_code, end.record.committed, list(tmp_path.glob("*.tar"))) == (3, 0, [])


def test_rejects_are_kept_with_the_key_of_their_shot(tmp_path: Path) -> None:
    here(tmp_path)
    rejects = dataset.read_rejects(tmp_path)
    assert len(rejects) == 13
    assert all(int(r.key.split("-")[1]) == r.question.turns[0].answer.value for r in rejects)


def test_a_scene_that_cannot_be_loaded_is_said_at_once_and_costs_its_own_shots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = SceneRef("bad", "1" * 64, "bad", broken="scene.yaml:3: walls: unknown")
    settings = config.load(None, {"scenes": ["toy", "bad"], "shots": 8}, ())
    end = run.dataset(settings, tmp_path / "out", workers=0, work=fake_work.make, scenes=(*fake_work.SCENES, bad))
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "warning: scene bad: scene.yaml:3: walls: unknown; its shots are quarantined"
    assert (end.exit_code, end.record.committed, end.record.quarantined) == (3, 4, 4)

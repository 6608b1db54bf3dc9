"""The blind probe in a run: the same bytes whatever happens, and every question kept or rejected once."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import check_whole, here, process, wait_for

from synth4d import dataset, disk
from synth4d.records import Question

pytestmark = pytest.mark.usefixtures("same_code")
SHOTS = 90
SETS = ("blind.probe=text", "blind.block=40", "blind.folds=3", "shard_samples=7")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> str:
    return here(tmp_path_factory.mktemp("golden"), *SETS, shots=SHOTS).record.digest


def questions(out: Path) -> list[Question]:
    samples = [s for row in dataset.read_manifest(out) for s in dataset.read_shard(out, row)]
    return [q for s in samples for q in dataset.parse(list[Question], s.members["qa.json"], s.key)]


def test_guessed_questions_are_rejected_and_the_counts_add_up(tmp_path: Path) -> None:
    end = here(tmp_path, *SETS, shots=SHOTS)
    check_whole(tmp_path)
    kept, rejects = questions(tmp_path), dataset.read_rejects(tmp_path)
    blind = [r.question for r in rejects if r.question.verdict and r.question.verdict.reason.startswith("blind: ")]
    assert len(kept) + len(blind) == 3 * SHOTS and len(rejects) == len(blind) + SHOTS
    assert (end.record.questions, end.record.rejected) == (len(kept), len(rejects))
    assert len(blind) > SHOTS and sum(q.kind == "state.where" for q in blind) > 0.9 * len(blind)
    assert len({(r.key, r.question.id) for r in rejects}) == len(rejects)
    assert sum(q.kind == "space.side" for q in kept) > 0.9 * SHOTS


def test_blocks_not_shards_decide_what_is_dropped(tmp_path: Path, golden: str) -> None:
    here(tmp_path / "a", *SETS, shots=SHOTS)
    here(tmp_path / "b", *SETS, "shard_samples=30", shots=SHOTS)
    dropped = [sorted((r.key, r.question.id) for r in dataset.read_rejects(tmp_path / n)) for n in "ab"]
    assert dropped[0] == dropped[1]


@pytest.mark.parametrize("after", [10, 45, 85])
def test_killed_at_any_shot_it_ends_with_the_same_digest(tmp_path: Path, golden: str, after: int) -> None:
    first = process(tmp_path, seconds=0.01, shots=SHOTS, sets=SETS)
    log = tmp_path / ".work"
    wait_for(lambda: sum(p.read_bytes().count(b"filter") for p in log.glob("*/stages.log")) >= after, first)
    first.kill()
    first.communicate()
    assert here(tmp_path, *SETS, shots=SHOTS).record.digest == golden
    check_whole(tmp_path)


@pytest.mark.parametrize("damage", ["verdict", "shard", "both"])
def test_damage_between_two_runs_is_found_and_mended(tmp_path: Path, golden: str, damage: str) -> None:
    first = process(tmp_path, seconds=0.02, shots=SHOTS, sets=SETS)
    wait_for(lambda: list(tmp_path.glob(".work/*/*.done")) and list(tmp_path.glob(".work/*/*.blind")), first)
    first.kill()
    first.communicate()
    assert not (tmp_path / disk.DATASET).exists()
    if damage != "shard":
        verdict = min(tmp_path.glob(".work/*/*.blind"))
        verdict.write_bytes(verdict.read_bytes()[:-3])
    if damage != "verdict":
        min(tmp_path.glob("*.tar")).unlink()
    assert here(tmp_path, *SETS, shots=SHOTS).record.digest == golden
    check_whole(tmp_path)


def test_two_workers_make_the_same_bytes(tmp_path: Path, golden: str) -> None:
    end = process(tmp_path, 2, shots=SHOTS, sets=SETS)
    stdout, stderr = end.communicate()
    assert end.returncode == 0, stderr
    assert stdout.split()[0] == golden


def test_quarantined_shots_have_nothing_to_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE", "3:never,44:raise")
    end = here(tmp_path, *SETS, shots=SHOTS)
    check_whole(tmp_path)
    assert end.record.quarantined == 2

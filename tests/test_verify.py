"""A true dataset passes, and every lie about its files and counts is found."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sound import SAMPLE, make_dataset

from synth4d import disk
from synth4d.errors import ShardError
from synth4d.records import dump
from synth4d.verify import verify


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "whole"
    make_dataset(folder)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_a_true_dataset_passes_and_all_of_it_was_looked_at(whole: Path) -> None:
    report = verify(whole)
    assert report.problems == []
    assert report.whole
    counts = dict(report.counts)
    assert counts.pop("boxes2d") == counts.pop("boxes3d") > 100
    assert counts == {
        "shards": 2, "samples": 3, "frames": 24, "questions": 21, "programs": 21, "rejected": 1, "quarantined": 1,
    }  # fmt: skip
    assert verify(whole, deep=False).counts["samples"] == 3


def test_where_there_is_no_dataset_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"dataset\.json"):
        verify(tmp_path)


def test_a_problem_says_shard_key_member_and_field(tmp_path: Path) -> None:
    questions = json.loads(SAMPLE.members["qa.json"])
    questions[0]["turns"][0]["answer"]["value"] = 3.0
    make_dataset(tmp_path / "d", SAMPLE.members | {"qa.json": dump(questions)})
    (line,) = verify(tmp_path / "d").problems
    assert line.startswith(f"{tmp_path / 'd' / 'train-000000.tar'}: toy-0000: qa.json: open: turn 0: answer:")


# ---- Lies about files and counts -----------------------------------------------------------------


def test_every_truncation_is_found(copy: Path) -> None:
    path = copy / "test-000000.tar"
    data = path.read_bytes()
    for cut in range(0, len(data), 512):
        path.write_bytes(data[:cut])
        assert any("test-000000.tar" in line for line in verify(copy, deep=False).problems)


def test_every_bit_flip_is_found(copy: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("train-000000.tar", "train-000000.idx", disk.MANIFEST, disk.REJECTS, disk.QUARANTINE):
        path = copy / name
        data = path.read_bytes()
        for bit in rng.integers(0, 8 * len(data), 60):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(damaged)
            assert not verify(copy, deep=False).whole, (name, bit)
        path.write_bytes(data)
    assert verify(copy, deep=False).whole


FIELDS = ("shots", "committed", "quarantined", "rejected", "frames", "questions")


@pytest.mark.parametrize("field", FIELDS)
def test_counts_that_do_not_add_up_are_found(copy: Path, field: str) -> None:
    record = json.loads((copy / disk.DATASET).read_bytes())
    record[field] += 1
    disk.write_atomic(copy / disk.DATASET, dump(record))
    assert any(f"field {field} is {record[field]}" in line for line in verify(copy).problems)


def _sealed(folder: Path, rows: list[dict[str, Any]]) -> None:
    disk.write_atomic(folder / disk.MANIFEST, b"".join(dump(row) + b"\n" for row in rows))
    record = json.loads((folder / disk.DATASET).read_bytes()) | {"digest": disk.digest(folder)}
    disk.write_atomic(folder / disk.DATASET, dump(record))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.append(rows[0]), "2 times"),
        (lambda rows: rows.pop(), "no manifest row|splits"),
        (lambda rows: rows[0].update(split="valid"), "row"),
        (lambda rows: rows[0].update(name="../evil-000000.tar"), "row"),
        (lambda rows: rows[0].update(samples=7), "samples"),
        (lambda rows: rows[0].update(keys=["toy-0009"]), "other samples"),
        (lambda rows: rows[1].update(sha256="0" * 64), "sha256"),
        (lambda rows: rows[1].update(bytes=1), "bytes"),
    ],
)
def test_a_false_manifest_under_a_true_digest_is_found(copy: Path, change: Any, message: str) -> None:
    rows = disk.read_jsonl(copy / disk.MANIFEST)
    change(rows)
    _sealed(copy, rows)
    assert any(re.search(message, line) for line in verify(copy, deep=False).problems)


def test_extra_missing_and_swapped_shards_are_found(copy: Path) -> None:
    shutil.copy(copy / "train-000000.tar", copy / "train-000001.tar")
    assert "no manifest row" in verify(copy, deep=False).problems[0]
    (copy / "train-000001.tar").unlink()
    (copy / "train-000000.tar").rename(copy / "kept")
    assert any("can't open" in line for line in verify(copy, deep=False).problems)
    shutil.copy(copy / "test-000000.tar", copy / "train-000000.tar")
    assert any("train-000000.tar has" in line for line in verify(copy, deep=False).problems)


def test_a_shot_is_committed_or_quarantined_and_a_reject_belongs_to_a_sample(copy: Path) -> None:
    for name, key in ((disk.QUARANTINE, "toy-0001"), (disk.REJECTS, "toy-0009")):
        row = disk.read_jsonl(copy / name)[0] | {"key": key}
        disk.write_atomic(copy / name, dump(row) + b"\n")
    _sealed(copy, disk.read_jsonl(copy / disk.MANIFEST))
    lines = verify(copy, deep=False).problems
    assert len(lines) == 2 and "committed too" in lines[0] and "no such sample" in lines[1]


def test_a_missing_index_is_no_problem(copy: Path) -> None:
    for path in copy.glob("*.idx"):
        path.unlink()
    assert verify(copy).whole

"""A dataset of the first version stays readable; one of a version that is not known is refused.

tests/golden/dataset_1 was made by `synth4d dataset toy --config pipelines/smoke.yaml --shots 2 --workers 0 --set
frames=2 fps=1 questions=3 'mix={dynamic: 0, twin: 0, static: 1, control: 1}'`. It is not made anew:
where a change to the records no longer reads it, the version in disk.py has to change too.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from synth4d import cli, dataset, disk
from synth4d.errors import ShardError
from synth4d.records import Facts, Question
from synth4d.stream import Shards

STORED = Path(__file__).parent / "golden" / "dataset_1"


def test_the_first_version_is_read_and_proves_itself() -> None:
    record, samples = dataset.read_dataset(STORED), []
    for split in record.splits:
        samples += list(Shards(STORED, split=split, shuffle=False))
    assert len(samples) == record.committed == 2
    assert sum(len(s["qa"]) for s in samples) == record.questions > 0
    for sample in samples:
        Facts.model_validate(sample["facts"])
        assert sample["rgb"].shape == (2, 144, 192, 3) and sample["depth_z_m"].shape == (2, 144, 192)
        assert all(Question.model_validate(q).verdict.keep for q in sample["qa"])
    assert dataset.read_rejects(STORED) and cli.run(["verify", str(STORED)]) == 0


@pytest.mark.parametrize("version", [0, 2, "1", None, "9" * 5000])
def test_another_version_is_refused_in_one_line(
    version: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = shutil.copytree(STORED, tmp_path / "there")
    record = json.loads((there / disk.DATASET).read_bytes()) | {"version": version}
    (there / disk.DATASET).write_text(json.dumps(record))
    for read in (dataset.read_dataset, Shards):
        with pytest.raises(ShardError, match=r"is of version .* reads version 1: use") as refused:
            read(there)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 300
    assert cli.run(["verify", str(there)]) == 1
    assert "is of version" in capsys.readouterr().err

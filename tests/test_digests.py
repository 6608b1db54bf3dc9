"""A committed file of digests tells which shot, member and field of another making differs first."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest

from synth4d import cli, codec, config, dataset, digests, disk, leaks, run
from synth4d.errors import ConfigError
from synth4d.records import dump
from synth4d.types import Sample

PIPELINES = Path(__file__).parents[1] / "pipelines"
Capture = pytest.CaptureFixture[str]


def remade(source: Path, folder: Path, change: Callable[[Sample], dict[str, bytes]]) -> Path:
    """A copy whose samples went through `change`; its manifest is true of it."""
    shutil.copytree(source, folder)
    shards = {
        row.name: [Sample(s.key, change(s)) for s in dataset.read_shard(source, row)]
        for row in dataset.read_manifest(source)
    }
    clips.dataset(folder, shards)
    return folder


@pytest.fixture(scope="module")
def committed(toy_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digests") / "toy.digests"
    digests.write(path, digests.of(toy_dataset))
    return path


def test_the_same_bytes_have_no_difference(toy_dataset: Path, committed: Path, capsys: Capture) -> None:
    assert digests.compare(digests.read(committed), toy_dataset) is None
    assert cli.run(["digest", str(toy_dataset), "--against", str(committed)]) == 0
    assert capsys.readouterr().out.strip() == dataset.read_dataset(toy_dataset).digest


def json_change(member: str, edit: Callable[[Any], None]) -> Callable[[Sample], dict[str, bytes]]:
    def change(sample: Sample) -> dict[str, bytes]:
        value = json.loads(sample.members[member])
        edit(value)
        return {**sample.members, member: dump(value)}

    return change


def depth_change(sample: Sample) -> dict[str, bytes]:
    clip = codec.decode(sample.members)
    clip.depth_z_m[5:] += np.float32(0.001)
    return {**sample.members, "depth.npz": codec.encode(clip)["depth.npz"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            json_change("facts.json", lambda f: f["objects"][2]["pixels"].reverse()),
            r"facts\.json: field objects\[2\]\.pixels",
        ),
        (json_change("camera.json", lambda c: c.update(fps=5.0)), r"camera\.json: field fps"),
        (json_change("qa.json", lambda q: q[1]["evidence"]["objects"].append(9)), r"qa\.json: field \[1\]\.evidence"),
        (depth_change, r"depth\.npz: field frame 5 differs first \(7 in all\)"),
        (lambda s: {**s.members, "jpg": s.members["jpg"] + b"x"}, r"member jpg: its bytes differ"),
    ],
)
def test_the_first_difference_is_named(
    toy_dataset: Path, committed: Path, tmp_path: Path, change: Callable[[Sample], dict[str, bytes]], says: str
) -> None:
    there = remade(toy_dataset, tmp_path / "there", change)
    said = digests.compare(digests.read(committed), there)
    first = min(key for row in dataset.read_manifest(toy_dataset) for key in row.keys)
    assert said is not None and said.startswith(f"shot {first}: member ") and "\n" not in said
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(said)


def test_a_missing_shot_and_other_surroundings_are_named(toy_dataset: Path, committed: Path, tmp_path: Path) -> None:
    expected = digests.read(committed)
    key = sorted(expected.samples)[0]
    other = digests.Digests({**expected.about, "digest": "0"}, {**expected.samples, "zzz-new": {}})
    assert "shot zzz-new is missing" in str(digests.compare(other, toy_dataset))
    lacks = digests.Digests({**expected.about, "digest": "0"}, {k: v for k, v in expected.samples.items() if k != key})
    assert f"shot {key} is not among" in str(digests.compare(lacks, toy_dataset))
    versions = {**expected.about["versions"], "numpy": "9.9"}
    elsewhere = digests.Digests({**expected.about, "digest": "0", "versions": versions}, expected.samples)
    assert "versions numpy was '9.9'" in str(digests.compare(elsewhere, toy_dataset))


def test_what_is_no_file_of_digests_is_one_line(tmp_path: Path) -> None:
    for text in ("", "{}", "[1]\n", '{"a": 1}\n{"b": 2}\n'):
        (tmp_path / "d").write_text(text)
        with pytest.raises(ConfigError, match="no file of digests") as caught:
            digests.read(tmp_path / "d")
        assert "\n" not in str(caught.value)


# ---- Leaks ---------------------------------------------------------------------------------------


def test_a_dataset_does_not_leak_into_itself(toy_dataset: Path, capsys: Capture) -> None:
    assert cli.run(["leaks", str(toy_dataset)]) == 0
    assert "0 layouts" in capsys.readouterr().out


def test_a_copy_leaks_every_room_even_where_contact_has_moved_things(
    toy_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    def nudge(facts: Any) -> None:
        for o in facts["objects"]:
            o["box"] = [b and [b[0] + 0.005, *b[1:]] for b in o["box"]]

    there = remade(toy_dataset, tmp_path / "there", json_change("facts.json", nudge))
    found = leaks.find([toy_dataset, there])
    samples = sum(row.samples for row in dataset.read_manifest(toy_dataset))
    assert len({pair.partition(" = ")[2] for pair in found.layouts}) == samples and found.questions
    assert cli.run(["leaks", str(toy_dataset), str(there)]) == 1
    assert "the same layout in two splits" in capsys.readouterr().err
    assert disk.digest(there)  # still a dataset


def test_the_first_shots_of_the_benchmark_are_those_committed(tmp_path: Path) -> None:
    """All but their questions, which depend on those of the other shots: those that are guessed blindly are dropped."""
    settings = config.load(PIPELINES / "benchmark.yaml", {"shots": 2}, ("blind.probe=none",))
    run.dataset(settings, tmp_path / "out", workers=0, quiet=True)
    found, committed = digests.of(tmp_path / "out"), digests.read(PIPELINES / "benchmark.digests")
    for key, members in found.samples.items():
        expected = committed.samples.get(key, {})
        other = [m for m, digest in members.items() if m != "qa.json" and expected.get(m) != digest]
        assert not other, (
            f"{key}: {', '.join(other)} not as in pipelines/benchmark.digests. If that is meant: make benchmark; "
            ".venv/bin/synth4d digest out/benchmark --write pipelines/benchmark.digests"
        )
    assert len(found.samples) == 2

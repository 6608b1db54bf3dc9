"""Shards gives out samples of whole files only: cut, damaged, swapped and broken off ones are errors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import KEYS

from synth4d import disk
from synth4d.errors import ConfigError, ShardError
from synth4d.stream import Shards


def keys(shards: Shards) -> list[str]:
    return [sample["key"] for sample in shards]


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "copy"))


def test_a_folder_without_dataset_json_is_refused(copy: Path) -> None:
    (copy / disk.DATASET).unlink()
    with pytest.raises(ShardError, match=r"dataset\.json") as caught:
        Shards(copy)
    assert "\n" not in str(caught.value)


def test_every_truncation_of_a_shard_is_detected_before_its_first_sample(copy: Path) -> None:
    path = copy / "train-000000.tar"
    whole = path.read_bytes()
    for cut in range(0, len(whole), 512):
        path.write_bytes(whole[:cut])
        for verify in ("full", "size"):
            with pytest.raises(ShardError, match=r"train-000000\.tar"):
                next(iter(Shards(copy, shuffle=False, decode=False, verify=verify)))  # type: ignore[arg-type]


def test_every_bit_flip_in_shard_or_manifest_is_detected(copy: Path) -> None:
    rng = np.random.default_rng(0)
    for name, count in (("train-000000.tar", 200), (disk.MANIFEST, 100)):
        path = copy / name
        whole = path.read_bytes()
        for bit in rng.integers(0, 8 * len(whole), count):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(damaged)
            with pytest.raises(ShardError):
                next(iter(Shards(copy, shuffle=False, decode=False)))
        path.write_bytes(whole)


def test_a_damaged_dataset_json_is_an_error_or_changes_nothing_here(copy: Path) -> None:
    path = copy / disk.DATASET
    whole = path.read_bytes()
    for bit in np.random.default_rng(2).integers(0, 8 * len(whole), 200):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        try:
            found = keys(Shards(copy, shuffle=False, decode=False))
        except (ShardError, ConfigError):
            continue
        assert found == KEYS


def test_missing_swapped_and_stale_shards_are_detected(copy: Path) -> None:
    a, b = copy / "train-000000.tar", copy / "train-000001.tar"
    kept = a.read_bytes()
    for replacement in (b.read_bytes(), kept[:-1] + b"x", None):
        a.unlink()
        if replacement is not None:
            a.write_bytes(replacement)
        with pytest.raises(ShardError, match=r"train-000000\.tar"):
            keys(Shards(copy, shuffle=False, decode=False))
    a.write_bytes(kept)
    shards = Shards(copy, shuffle=False, decode=False)
    assert len(keys(shards)) == 31


def test_a_shard_replaced_while_it_is_read_is_never_mixed_in(copy: Path, plain: Path) -> None:
    """An opened shard goes on from the old file; one opened later is refused."""
    stream = iter(Shards(copy, shuffle=False, decode=False))
    first = [next(stream) for _ in range(2)]
    for name in ("train-000000.tar", "train-000001.tar"):
        disk.write_atomic(copy / name, (plain / "test-000000.tar").read_bytes())
    first += [next(stream) for _ in range(2)]
    assert first == list(Shards(plain, shuffle=False, decode=False))[:4]
    with pytest.raises(ShardError, match=r"train-000001\.tar"):
        next(stream)


def test_a_shard_that_is_opened_again_is_compared_again_if_it_changed(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth4d.stream.OPEN_TARS", 1)
    shards = Shards(copy, shuffle=False, decode=False)
    assert keys(shards) == KEYS == keys(shards)
    damaged = bytearray((copy / "train-000001.tar").read_bytes())
    damaged[600] ^= 1
    disk.write_atomic(copy / "train-000001.tar", bytes(damaged))
    with pytest.raises(ShardError, match=r"train-000001\.tar has sha256"):
        keys(shards)


def test_a_folder_that_cannot_be_written_to_is_read_without_an_index(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in copy.glob("*.idx"):
        index.unlink()

    def refuse(_: int) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(disk.os, "fsync", refuse)
    assert len(keys(Shards(copy, decode=False, verify="size"))) == 31
    assert not list(copy.glob("*.idx"))


@pytest.mark.parametrize(
    "wrong",
    [{"split": "valid"}, {"rank": 2, "world_size": 2}, {"worker": (2, 2)}, {"verify": "maybe"}, {"rank": -1}],
)
def test_wrong_use_is_said_in_one_line(plain: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        Shards(plain, **wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_url_is_fetched_and_checked_on_the_way(plain: Path, tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    for file in plain.iterdir():
        store.pipe_file(f"/ds/{file.name}", file.read_bytes())
    with pytest.raises(ConfigError, match="cache"):
        Shards("memory://ds")
    there = Shards("memory://ds", seed=3, decode=False, cache=tmp_path)
    assert keys(there) == Shards(plain, seed=3).order()
    store.pipe_file("/ds/train-000001.tar", b"changed")
    assert keys(Shards("memory://ds", seed=3, decode=False, cache=tmp_path)) == there.order()
    for file in tmp_path.rglob("*.tar"):
        file.unlink()
    for _ in range(2):
        with pytest.raises(ShardError, match=r"train-000001\.tar"):
            keys(Shards("memory://ds", seed=3, decode=False, cache=tmp_path))
    store.pipe_file("/ds/train-000001.tar", (plain / "train-000001.tar").read_bytes())
    assert keys(Shards("memory://ds", seed=3, decode=False, cache=tmp_path)) == there.order()


@pytest.mark.parametrize("verify", ["full", "size"])
def test_corrupt_shards_can_be_left_out_whole_and_are_counted(copy: Path, verify: Any) -> None:
    whole = Shards(copy, seed=2).order()
    lost = set(KEYS[4:20])
    path = copy / "train-000001.tar"
    path.write_bytes(path.read_bytes()[:-512])
    shards = Shards(copy, seed=2, decode=False, verify=verify, on_corrupt="skip")
    with pytest.warns(UserWarning, match=r"train-000001\.tar") as said:
        assert keys(shards) == [key for key in whole if key not in lost]
    assert len(said) == 1 and list(shards.corrupt) == ["train-000001.tar"] and shards.skipped == 16
    # Over ranks and workers the same samples come, once each.
    got: list[str] = []
    for rank in range(3):
        reader = Shards(copy, seed=2, decode=False, verify=verify, on_corrupt="skip", rank=rank, world_size=3)
        with pytest.warns(UserWarning):
            got += keys(reader)
    assert sorted(got) == sorted(set(KEYS) - lost)


def test_an_epoch_that_leaves_samples_out_is_resumed_where_it_stood(copy: Path) -> None:
    (copy / "train-000002.tar").unlink()

    def reader() -> Shards:
        return Shards(copy, seed=2, decode=False, on_corrupt="skip")

    with pytest.warns(UserWarning):
        whole = keys(reader())
        for cut in range(1, len(whole)):
            first, rest = reader(), reader()
            head = [s["key"] for _, s in zip(range(cut), first, strict=False)]
            rest.load_state_dict(first.state_dict())
            assert head + keys(rest) == whole

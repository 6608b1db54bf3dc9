"""Datasets on an object store: the same promise as in a folder, held against an S3 server on loopback."""

from __future__ import annotations

import time
from pathlib import Path

import fsspec
import pytest
from runs import here, process, wait_for

from synth4d import disk
from synth4d.errors import ConfigError, ShardError, SynthError
from synth4d.run import remote
from synth4d.stream import Shards

pytestmark = pytest.mark.usefixtures("same_code")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of this test's own: another one is another machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine"))


def names(url: str) -> list[str]:
    return remote.Store(url).names()


def whole(url: str, golden: str, tmp_path: Path) -> None:
    """The dataset of an undisturbed run, every shard as its manifest says, nothing else beneath the URL."""
    record = remote.Store(url).read(disk.DATASET)
    assert record is not None and f'"digest":"{golden}"'.encode() in record
    for split in ("train", "val", "test"):
        for sample in Shards(url, split, decode=False, cache=tmp_path / "read"):
            assert sample["mp4"]
    assert not [n for n in names(url) if n.startswith((".", ".work/"))]


def test_a_dataset_lies_there_whole_and_its_record_came_last(
    s3_url: str, golden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []
    real = remote.Store.put
    monkeypatch.setattr(remote.Store, "put", lambda self, local, name: (put.append(name), real(self, local, name)))
    end = here(s3_url)
    assert end.record.digest == golden
    whole(s3_url, golden, tmp_path)
    assert put[-1] == disk.DATASET and put.index(disk.MANIFEST) > max(
        i for i, n in enumerate(put) if n.endswith(".tar")
    )
    assert not (tmp_path / "machine" / "synth4d" / "runs").exists() or not list(
        (tmp_path / "machine" / "synth4d" / "runs").iterdir()
    )
    put.clear()
    assert here(s3_url).redone == 0 and put == []


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same machine", "another machine"])
def test_killed_it_goes_on_from_what_was_put(
    s3_url: str, golden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    first = process(s3_url, 0, seconds=0.1)
    wait_for(lambda: any(n.endswith(".done") for n in names(s3_url)), first)
    first.kill()
    first.communicate()
    assert disk.DATASET not in names(s3_url)
    monkeypatch.setattr(remote, "STALE_S", 0.0)
    if elsewhere:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    end = here(s3_url)
    assert end.redone < 13
    whole(s3_url, golden, tmp_path)


def test_a_second_run_is_refused_while_the_first_says_that_it_lives(
    s3_url: str, golden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = process(s3_url, 0, seconds=0.2)
    wait_for(lambda: remote.LOCK in names(s3_url), first)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    with pytest.raises(SynthError, match=rf"another run \(pid {first.pid} on ") as caught:
        here(s3_url)
    assert "\n" not in str(caught.value)
    first.communicate(timeout=60)
    assert first.returncode == 0
    whole(s3_url, golden, tmp_path)


def test_an_owner_that_was_taken_for_dead_ends_itself(
    s3_url: str, golden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BEAT_S", 0.01)
    lease = remote.Lease(remote.Store(s3_url))
    remote.Store(s3_url).write(remote.LOCK, b"pid 1 on elsewhere, x")
    deadline = time.monotonic() + 30
    with pytest.raises(SynthError, match="took this one for dead"):
        while time.monotonic() < deadline:
            lease.check()
    lease.release()
    assert remote.Store(s3_url).read(remote.LOCK) == b"pid 1 on elsewhere, x"


def test_what_is_not_this_runs_is_refused_and_untouched(s3_url: str) -> None:
    here(s3_url)
    with pytest.raises(ConfigError, match=r"another plan \(seed: 0 there, 5 here\)"):
        here(s3_url, "seed=5")
    fsspec.filesystem("s3").pipe_file(f"{s3_url}-foreign/letters.txt", b"mine")
    with pytest.raises(ConfigError, match=r"letters\.txt"):
        here(f"{s3_url}-foreign")
    assert names(f"{s3_url}-foreign") == ["letters.txt"]


@pytest.mark.parametrize("number", range(1, 16, 2))
def test_a_store_that_fails_at_any_put_is_an_error_and_the_rerun_finishes(
    s3_url: str, golden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real, left = remote.Store.put, [number]

    def put(self: remote.Store, local: Path, name: str) -> None:
        left[0] -= 1
        if not left[0]:
            with self._said(name):
                raise OSError("503 Slow Down")
        real(self, local, name)

    with monkeypatch.context() as broken:
        broken.setattr(remote.Store, "put", put)
        with pytest.raises(ShardError, match="503 Slow Down") as caught:
            here(s3_url)
    assert "\n" not in str(caught.value) and (disk.DATASET not in names(s3_url))
    here(s3_url)
    whole(s3_url, golden, tmp_path)


def test_a_url_of_no_known_kind_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't write to nowhere://x"):
        here("nowhere://x/y")

"""Shards from an HTTP store that breaks off, lies and ignores ranges, and from an S3 server on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import clips
import http_store
import numpy as np
import pytest

from synth4d import source
from synth4d.errors import ShardError
from synth4d.stream import Shards

SHARDS = 200


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FIRST_WAIT_S", 0.0)


@pytest.fixture
def store(plain: Path) -> Iterator[http_store.Store]:
    with http_store.serve(plain) as served:
        yield served


def keys(url: str, cache: Path) -> list[str]:
    return [s["key"] for s in Shards(url, seed=3, decode=False, cache=cache)]


@pytest.mark.parametrize("fault", http_store.FAULTS)
def test_a_transfer_that_fails_once_is_mended(store: http_store.Store, plain: Path, tmp_path: Path, fault: str) -> None:
    store.faults.extend([fault, "", fault])
    assert keys(store.url, tmp_path) == Shards(plain, seed=3).order()


def test_a_broken_transfer_goes_on_where_it_stood(store: http_store.Store, plain: Path, tmp_path: Path) -> None:
    store.faults.extend(["cut", "cut", "cut", "cut", ""] * 3)
    assert keys(store.url, tmp_path) == Shards(plain, seed=3).order()
    # What comes with the cut may be lost, so not every connection begins farther on; but some do, and none before.
    begun = {name: [begin for n, begin in store.log if n == name] for name, _ in store.log}
    assert all(begins == sorted(begins) for begins in begun.values()) and any(b for _, b in store.log)


@pytest.mark.parametrize(
    ("fault", "says"),
    [("503", "in 6 tries.*503"), ("no ranges and cut", "in 6 tries"), ("flip", "twice"), ("short", "twice")],
)
def test_one_that_stays_broken_is_an_error_and_leaves_nothing(
    store: http_store.Store, tmp_path: Path, fault: str, says: str
) -> None:
    store.faults.extend([fault] * 99)
    with pytest.raises(ShardError, match=says) as caught:
        keys(store.url, tmp_path)
    assert "\n" not in str(caught.value)
    assert not [p for p in tmp_path.rglob("*") if ".tar" in p.name]
    assert len(store.log) <= 2 * source.TRIES


def test_what_is_not_there_is_said_at_once(store: http_store.Store, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="is not there"):
        Shards(f"{store.url}/elsewhere", cache=tmp_path)


def test_a_port_where_nobody_listens_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ShardError, match="in 6 tries"):
        Shards(f"http://127.0.0.1:{port}", cache=tmp_path)


def test_two_hundred_shards_over_a_bad_line_are_all_whole(tmp_path: Path) -> None:
    """A third of all transfers goes wrong in one of the ways; no altered byte is accepted."""
    names = [f"k{i:03d}" for i in range(SHARDS)]
    there = tmp_path / "there"
    there.mkdir()
    clips.dataset(there, {f"train-{i:06d}.tar": [clips.plain(name)] for i, name in enumerate(names)})
    rng = np.random.default_rng(5)
    drawn = rng.choice([*http_store.FAULTS, ""], 2 * SHARDS, p=[*[1 / 21] * 7, 2 / 3])
    with http_store.serve(there) as store:
        store.faults.extend(map(str, drawn))
        # Twice in a row other bytes than the manifest's are an error; the same call then goes on.
        got: list[str] = []
        for _ in range(20):
            try:
                got = keys(store.url, tmp_path / "cache")
                break
            except ShardError:
                continue
    assert sorted(got) == names
    fetched = next((tmp_path / "cache").iterdir())
    assert all((fetched / p.name).read_bytes() == p.read_bytes() for p in there.glob("*.tar"))


def test_an_s3_bucket(plain: Path, tmp_path: Path, s3_url: str) -> None:
    import fsspec

    fs = fsspec.filesystem("s3")
    for file in plain.iterdir():
        fs.pipe_file(f"{s3_url}/{file.name}", file.read_bytes())
    assert keys(s3_url, tmp_path / "a") == Shards(plain, seed=3).order()
    fs.pipe_file(f"{s3_url}/train-000001.tar", b"other bytes")
    with pytest.raises(ShardError, match=r"train-000001\.tar"):
        keys(s3_url, tmp_path / "b")

"""Tars as bytes: written whole or not at all, equal for equal samples, and nothing else is read."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import SAMPLES, write
from hypothesis import given, settings
from hypothesis import strategies as st

from synth4d import dataset, disk, shard, tar
from synth4d.errors import ShardError
from synth4d.records import ShardRow
from synth4d.types import Sample

# ---- What is written -----------------------------------------------------------------------------


def test_samples_come_back_and_the_row_is_true(tmp_path: Path) -> None:
    path, row = write(tmp_path)
    data = path.read_bytes()
    assert row == ShardRow(
        name="train-000000.tar",
        split="train",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        samples=4,
        keys=[s.key for s in SAMPLES],
    )
    back = list(dataset.read_shard(tmp_path, row))
    assert [(s.key, s.members) for s in back] == [(s.key, s.members) for s in SAMPLES]


def test_tarfile_reads_the_same_and_would_write_the_same_headers(tmp_path: Path) -> None:
    """The standard library as the judge of the format."""
    path, _ = write(tmp_path)
    data = path.read_bytes()
    with tarfile.open(path) as judge:
        found = {m.name: judge.extractfile(m).read() for m in judge.getmembers()}  # type: ignore[union-attr]
        for m in judge.getmembers():
            assert m.tobuf(tarfile.USTAR_FORMAT) == data[m.offset : m.offset + 512]
            assert (m.mtime, m.uid, m.gid, m.mode, m.uname, m.gname) == (0, 0, 0, 0o644, "", "")
    assert found == {f"{s.key}.{k}": v for s in SAMPLES for k, v in s.members.items()}
    assert len(data) % 10240 == 0


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True),
        st.tuples(st.binary(max_size=1300), st.binary(max_size=1300)),
        min_size=1,
        max_size=5,
    )
)
def test_any_samples_survive(tmp_path_factory: pytest.TempPathFactory, content: dict[str, tuple[bytes, bytes]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    samples = [Sample(key, {"a.json": a, "mp4": b}) for key, (a, b) in sorted(content.items())]
    path, row = write(folder, samples)
    assert [s.members for s in dataset.read_shard(folder, row)] == [s.members for s in samples]
    with open(path, "rb", buffering=0) as file:
        scanned = tar.scan(file, "x")
    kept = tar.load_index(path, row.sha256)
    assert scanned.keys == kept.keys and np.array_equal(scanned.offsets(), kept.offsets())


SCRIPT = """
import sys
sys.path.insert(0, "tests")
import clips
from pathlib import Path
from synth4d import shard
samples = [clips.plain(f"toy-{i:06d}", 700 * i) for i in range(4)]
print(shard.write_shard(Path(sys.argv[1]), iter(samples)).sha256)
"""


def test_bytes_do_not_depend_on_time_zone_umask_or_hash_seed(tmp_path: Path) -> None:
    path, row = write(tmp_path)
    other = tmp_path / "elsewhere" / "train-000000.tar"
    other.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(other)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"TZ": "America/Caracas", "PYTHONHASHSEED": "99", "LANG": "C"},
        umask=0o077,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == row.sha256
    for name in ("train-000000.tar", "train-000000.idx"):
        assert (tmp_path / name).read_bytes() == (other.parent / name).read_bytes()
    os.utime(path, (1, 1))
    assert write(tmp_path)[1] == row


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "no samples"),
        ([SAMPLES[1], SAMPLES[0]], "must increase"),
        ([SAMPLES[0], SAMPLES[0]], "must increase"),
        ([Sample("kitchen.v2", {"mp4": b""})], "malformed"),
        ([Sample("../evil", {"mp4": b""})], "malformed"),
        ([Sample("Key", {"mp4": b""})], "malformed"),
        ([Sample("厨房", {"mp4": b""})], "malformed"),
        ([Sample("a\n", {"mp4": b""})], "malformed"),
        ([Sample("", {"mp4": b""})], "malformed"),
        ([Sample("a", {"MP4": b""})], "malformed"),
        ([Sample("a", {"x/y": b""})], "malformed"),
        ([Sample("a", {})], "same"),
        ([SAMPLES[0], Sample("zz", {"mp4": b""})], "same"),
        ([Sample("a" * 99, {"mp4": b""})], "does not fit"),
    ],
)
def test_malformed_samples_are_refused_and_nothing_appears(tmp_path: Path, samples: list[Sample], message: str) -> None:
    with pytest.raises(ShardError, match=message):
        write(tmp_path, samples)
    assert list(tmp_path.iterdir()) == []


def test_shard_names_are_checked(tmp_path: Path) -> None:
    assert disk.tar_name("train", 7) == "train-000007.tar"
    for name in ("Train-000000.tar", "train.tar", "train-1.tar", "train-000000.zip"):
        with pytest.raises(ShardError):
            shard.write_shard(tmp_path / name, SAMPLES)
    with pytest.raises(ShardError):
        disk.tar_name("../x", 0)


# ---- Faults while writing ------------------------------------------------------------------------

STEPS = ("write", "fsync", "replace", "sync_folder")


def _die_at(step: str, count: int, folder: Path) -> int:
    """Write a shard in a child that is gone at its count-th `step`; the child's exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [count]

    def dying(real):  # type: ignore[no-untyped-def]
        def call(*args):  # type: ignore[no-untyped-def]
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
            return real(*args)

        return call

    try:
        if step == "write":
            shard._block = dying(shard._block)
        elif step == "sync_folder":
            disk.sync_folder = dying(disk.sync_folder)
        else:
            setattr(os, step, dying(getattr(os, step)))
        write(folder)
        os._exit(0)
    except BaseException:
        os._exit(1)


@pytest.mark.parametrize("step", STEPS)
def test_a_writer_killed_at_any_step_leaves_all_or_nothing(tmp_path: Path, step: str) -> None:
    (tmp_path / "golden").mkdir()
    golden, row = write(tmp_path / "golden")
    whole, count = golden.read_bytes(), 0
    while True:
        count += 1
        folder = tmp_path / f"{step}-{count}"
        folder.mkdir()
        code = _die_at(step, count, folder)
        assert code in (0, 9)
        visible = sorted(p.name for p in folder.iterdir() if disk.TEMPORARY not in p.name)
        assert visible in ([], ["train-000000.tar"], ["train-000000.idx", "train-000000.tar"])
        if visible:
            assert (folder / "train-000000.tar").read_bytes() == whole
            with dataset.open_shard(folder, row, check="size") as opened:
                assert opened.read(0) == SAMPLES[0].members
        assert disk.sweep(folder) <= (code != 0)
        assert not [p for p in folder.iterdir() if disk.TEMPORARY in p.name]
        assert write(folder)[1] == row
        if code == 0:
            break
    assert count > 2


def test_an_error_of_the_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ShardError, match=r"train-000000.tar: No space left") as caught:
        write(tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_size_limit_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            write(tmp_path)
        except ShardError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_of_samples_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Sample]:
        yield SAMPLES[0]
        raise ShardError("the spool is damaged")

    with pytest.raises(ShardError, match="spool"):
        shard.write_shard(tmp_path / "train-000000.tar", failing())
    assert list(tmp_path.iterdir()) == []

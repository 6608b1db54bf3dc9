"""Reading tars: what is not byte for byte one of ours is refused, whatever it pretends to be."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from clips import SAMPLES, scan, write

from synth4d import dataset, disk, shard, tar
from synth4d.errors import ShardError


def test_every_truncation_is_detected(tmp_path: Path) -> None:
    path, row = write(tmp_path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 512):
        path.write_bytes(whole[:cut])
        for check in ("full", "size"):
            with pytest.raises(ShardError, match="bytes"):
                list(dataset.read_shard(tmp_path, row, check=check))
        with pytest.raises(ShardError, match="at byte"):
            scan(whole[:cut], tmp_path)


def test_every_bit_flip_is_detected(tmp_path: Path) -> None:
    path, row = write(tmp_path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for bit in rng.integers(0, 8 * len(whole), 400):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(ShardError):
            list(dataset.read_shard(tmp_path, row))


def test_every_flip_in_a_header_is_seen_without_the_hash(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    whole = path.read_bytes()
    for bit in range(0, 8 * 512, 7):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(ShardError):
            assert scan(bytes(damaged), tmp_path).keys == tuple(s.key for s in SAMPLES)
            raise AssertionError(f"bit {bit} of the header went unseen")


def test_a_damaged_stale_or_missing_index_is_made_again(tmp_path: Path) -> None:
    path, row = write(tmp_path)
    index = disk.index_path(path)
    whole = index.read_bytes()
    for bit in np.random.default_rng(1).integers(0, 8 * len(whole), 100):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        index.write_bytes(damaged)
        assert tar.read_index(index, row.sha256) is None
        with dataset.open_shard(tmp_path, row, check="size") as opened:
            assert [opened.read(i) for i in range(4)] == [s.members for s in SAMPLES]
        assert index.read_bytes() == whole
    index.unlink()
    dataset.open_shard(tmp_path, row, check="off").close()
    assert index.read_bytes() == whole
    other = shard.write_shard(tmp_path / "train-000001.tar", SAMPLES[:2])
    disk.index_path(tmp_path / other.name).rename(index)
    dataset.open_shard(tmp_path, row, check="size").close()
    assert index.read_bytes() == whole


def test_a_row_of_another_shard_is_refused(tmp_path: Path) -> None:
    _, row = write(tmp_path)
    for change in (
        {"bytes": row.bytes + 1},
        {"sha256": "0" * 64},
        {"keys": row.keys[::-1]},
        {"name": "train-000001.tar"},
    ):
        with pytest.raises(ShardError):
            dataset.open_shard(tmp_path, row.model_copy(update=change))


def _tar(*members: tuple[str, bytes, dict[str, object]], format: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as file:
        for name, data, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _with_size(field: bytes) -> bytes:
    """A header whose size field is forged, with a right checksum."""
    block = bytearray(tar.header("a.mp4", 5))
    block[124:136] = field.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(10240 - 512)


GOOD = ("a.mp4", b"12345", {})
HOSTILE = {
    "symbolic link": _tar(("a.mp4", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"})),
    "hard link": _tar(GOOD, ("b.mp4", b"", {"type": tarfile.LNKTYPE, "linkname": "a.mp4"})),
    "device": _tar(("a.mp4", b"", {"type": tarfile.CHRTYPE})),
    "folder": _tar(("a.mp4", b"", {"type": tarfile.DIRTYPE})),
    "pipe": _tar(("a.mp4", b"", {"type": tarfile.FIFOTYPE})),
    "old regular type": _tar(("a.mp4", b"", {"type": tarfile.AREGTYPE})),
    "parent folder": _tar(("../a.mp4", b"", {})),
    "absolute": _tar(("/a.mp4", b"", {})),
    "upper case": _tar(("A.mp4", b"", {})),
    "no suffix": _tar(("a", b"", {})),
    "unicode": _tar(("厨房.mp4", b"", {})),
    "pax": _tar(("a.mp4", b"", {"pax_headers": {"comment": "x"}}), format=tarfile.PAX_FORMAT),
    "pax long name": _tar(("a" * 200 + ".mp4", b"", {}), format=tarfile.PAX_FORMAT),
    "gnu long name": _tar(("a" * 200 + ".mp4", b"", {}), format=tarfile.GNU_FORMAT),
    "duplicate member": _tar(GOOD, GOOD),
    "duplicate key": _tar(GOOD, ("b.mp4", b"", {}), GOOD),
    "descending keys": _tar(("b.mp4", b"", {}), GOOD),
    "unsorted members": _tar(("a.mp4", b"", {}), ("a.json", b"", {})),
    "unlike members": _tar(GOOD, ("b.mp4", b"", {}), ("b.json", b"", {})),
    "owner": _tar(("a.mp4", b"", {"uid": 7})),
    "date": _tar(("a.mp4", b"", {"mtime": 7})),
    "mode": _tar(("a.mp4", b"", {"mode": 0o4755})),
    "gzip": gzip.compress(_tar(GOOD)),
    "gzip bomb": gzip.compress(bytes(50_000_000)),
    "zip": b"PK\x03\x04" + bytes(10236),
    "one TB": _with_size(b"16000000000000"[:11]),
    "negative": _with_size(b"-0000000001"),
    "base 256": _with_size(b"\x80" + bytes(10) + b"\x05"),
    "spaces": _with_size(b"          5"),
    "NUL in the name": tar.header("a.mp4", 0).replace(b"a.mp4\0", b"a\0mp4\0") + bytes(9728),
    "bytes after the end": _tar(GOOD) + b"x" * 10240,
    "zeros after the end": _tar(GOOD) + bytes(10240),
    "a second archive": _tar(GOOD) * 2,
    "no end": _tar(GOOD)[:1024],
    "padding in use": _tar(GOOD)[:600] + b"x" + _tar(GOOD)[601:],
    "empty": _tar(),
    "nothing": b"",
    "noise": bytes(np.random.default_rng(3).integers(0, 256, 20480, dtype=np.uint8)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tars_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ShardError, match=r"hostile\.tar") as caught:
        scan(HOSTILE[name], tmp_path)
    assert "\n" not in str(caught.value)


def test_the_plain_one_among_them_is_read(tmp_path: Path) -> None:
    assert scan(_tar(GOOD), tmp_path).keys == ("a",)

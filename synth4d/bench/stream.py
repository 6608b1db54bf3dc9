"""How fast tars are written and read: ratios to webdataset and tarfile, all on the same samples in one run."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from synth4d import codec, disk, shard
from synth4d.records import DatasetRecord, ShardRow, dump
from synth4d.stream import Shards
from synth4d.types import CameraPath, Clip, Sample

SAMPLES, TARS, SIZES, ROUNDS = 2000, 2, (40_960, 9_216, 800), 9
"""As measured for other formats: a picture, a depth map and some text a sample."""


def run() -> dict[str, dict[str, object]]:
    """Samples a second (reading, writing: bytes only, warm cache) and milliseconds a clip (codec)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [shard.write_shard(path, samples) for path, samples in _shards(folder)]
        _publish(folder, rows)
        paths = [folder / row.name for row in rows]
        writing = _rounds(
            {
                "ours": lambda: [shard.write_shard(path, samples) for path, samples in _shards(folder)],
                "tarfile": lambda: [_write_tarfile(path, samples) for path, samples in _shards(folder / "t")],
                "tarfile, flushed": lambda: [_flushed(_write_tarfile(path, of)) for path, of in _shards(folder / "t")],
            }
        )
        reading = _rounds(
            {
                "ours": lambda: _count(Shards(folder, shuffle=False, decode=False, verify="size")),
                "shuffled": lambda: _count(Shards(folder, decode=False, verify="size")),
                "full": lambda: _count(Shards(folder, decode=False, verify="full")),
                "webdataset": lambda: _count(_webdataset(paths)),
                "tarfile": lambda: _count(_tarfile(paths)),
            }
        )
    results = {
        "write_shard": _rate(writing, "ours", "tarfile"),
        "write_shard_flushed": _rate(writing, "ours", "tarfile, flushed"),
        "read_in_order": _rate(reading, "ours", "webdataset"),
        "read_in_order_tarfile": _rate(reading, "ours", "tarfile"),
        "read_shuffled": _rate(reading, "shuffled", "webdataset"),
        "read_verified": _rate(reading, "full", "webdataset"),
    }
    return results | _codec()


def _rounds(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each, taken in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = perf_counter()
            work()
            seconds[name].append(perf_counter() - start)
    return {name: median(times) for name, times in seconds.items()}


def _rate(seconds: dict[str, float], ours: str, against: str) -> dict[str, object]:
    ratio = round(seconds[against] / seconds[ours], 2)
    return {"value": round(SAMPLES / seconds[ours]), "unit": "samples/s", "against": against, "ratio": ratio}


# ---- The samples ---------------------------------------------------------------------------------


def _shards(folder: Path) -> Iterator[tuple[Path, Iterator[Sample]]]:
    folder.mkdir(exist_ok=True)
    each, samples = SAMPLES // TARS, _samples()
    for t in range(TARS):
        yield folder / disk.tar_name("train", t), iter(samples[t * each : (t + 1) * each])


@cache
def _samples() -> list[Sample]:
    """Made once: what is timed is the writing."""
    noise = np.random.Generator(np.random.Philox(0)).bytes(1 << 20)
    return [_sample(i, noise) for i in range(SAMPLES)]


def _sample(i: int, noise: bytes) -> Sample:
    at = 101 * i % (len(noise) - max(SIZES))
    return Sample(f"s-{i:06d}", {s: noise[at : at + n] for s, n in zip(("bin", "dep", "txt"), SIZES, strict=True)})


def _publish(folder: Path, rows: list[ShardRow]) -> None:
    disk.write_atomic(folder / disk.MANIFEST, b"".join(dump(row) + b"\n" for row in rows))
    for name in (disk.REJECTS, disk.QUARANTINE):
        disk.write_atomic(folder / name, b"")
    counts = dict.fromkeys(("shots", "committed"), SAMPLES)
    counts |= dict.fromkeys(("quarantined", "frames", "questions", "rejected"), 0)
    splits = {"train": [row.name for row in rows]}
    record = DatasetRecord.model_validate(
        {"digest": disk.digest(folder), "plan": "", "config": {}, "versions": {}, "splits": splits} | counts
    )
    disk.write_atomic(folder / disk.DATASET, dump(record))


# ---- The others ----------------------------------------------------------------------------------


def _count(samples: Iterator[object] | Shards) -> None:
    found = sum(1 for _ in samples)
    if found != SAMPLES:
        raise AssertionError(f"{found} of {SAMPLES} samples were read")


def _webdataset(paths: list[Path]) -> Iterator[object]:
    import webdataset

    return iter(webdataset.WebDataset([str(path) for path in paths], shardshuffle=False))


def _tarfile(paths: list[Path]) -> Iterator[object]:
    for path in paths:
        members: dict[str, bytes] = {}
        with tarfile.open(path, "r|") as file:
            for info in file:
                data = file.extractfile(info)
                members[info.name.partition(".")[2]] = data.read() if data else b""
                if len(members) == len(SIZES):
                    yield members
                    members = {}


def _flushed(path: Path) -> Path:
    """To the disk, as our shards are."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return path


def _write_tarfile(path: Path, samples: Iterator[Sample]) -> Path:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as file:
        for sample in samples:
            for name in sorted(sample.members):
                info = tarfile.TarInfo(f"{sample.key}.{name}")
                info.size = len(sample.members[name])
                file.addfile(info, io.BytesIO(sample.members[name]))
    return path


# ---- The codec -----------------------------------------------------------------------------------


def _codec() -> dict[str, dict[str, object]]:
    """A clip of 24 frames at 384×288; the baseline for depth is numpy's own compressed archive."""
    clip = _clip(24, 384, 288)
    members = codec.encode(clip)
    seconds = _rounds(
        {
            "encode": lambda: codec.encode(clip),
            "decode": lambda: codec.decode(members),
            "savez": lambda: np.savez_compressed(io.BytesIO(), d=codec.quantise_depth(clip.depth_z_m)),
            "defaults": lambda: _defaults(members),
        }
    )
    return {
        "encode_clip": _milliseconds(seconds, "encode", "savez", "np.savez_compressed of the depth alone"),
        "decode_clip": _milliseconds(seconds, "decode", "defaults", "PyAV and np.load as they come"),
    }


def _milliseconds(seconds: dict[str, float], ours: str, other: str, against: str) -> dict[str, object]:
    ratio = round(seconds[other] / seconds[ours], 2)
    return {"value": round(1000 * seconds[ours], 1), "unit": "ms", "against": against, "ratio": ratio}


def _defaults(members: dict[str, bytes]) -> object:
    import av

    with av.open(io.BytesIO(members["mp4"]), "r") as container:
        rgb = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    depth = np.load(io.BytesIO(members["depth.npz"]))["depth_z_mm"].astype(np.float32) / 1000
    return rgb, depth, np.load(io.BytesIO(members["ids.npz"]))["ids"]


def _clip(frames: int, width: int, height: int) -> Clip:
    """A textured, noisy wall that slides by: harder than a rendered room."""
    rng = np.random.Generator(np.random.Philox(1))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grain = rng.normal(0, 6, (height, width + frames)).astype(np.float32)
    rgb = np.stack(
        [128 + 60 * np.sin((x + t) / 40) + 30 * np.cos(y / 25) + grain[:, t : t + width] for t in range(frames)]
    )
    depth = np.stack([2 + 0.3 * np.sin((x + t) / 90) + y / 400 + grain[:, t : t + width] / 4000 for t in range(frames)])
    ids = np.stack([((x + t) // 48 + 8 * (y // 48)).astype(np.uint16) for t in range(frames)])
    poses = np.broadcast_to(np.eye(4), (frames, 4, 4))
    camera = CameraPath(width, height, np.array([[400.0, 0, width / 2], [0, 400, height / 2], [0, 0, 1]]), poses, 12.0)
    colours = np.clip(np.stack([rgb, rgb * 0.8, rgb * 0.6], -1), 0, 255).astype(np.uint8)
    return Clip(colours, depth.astype(np.float32), ids, camera)

"""Small clips and datasets of made-up samples, for the tests of what is written and read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from synth4d import codec, disk, shard, tar
from synth4d.geometry import intrinsics, look_at
from synth4d.records import DatasetRecord, ShardRow, dump
from synth4d.types import CameraPath, Clip, Sample


def clip(frames: int = 3, width: int = 32, height: int = 24, seed: int = 0) -> Clip:
    """A disc that crosses a slanted, coloured wall."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    rgb, depth, ids = [], [], []
    tint = rng.uniform(60, 200, 3)
    for t in range(frames):
        disc = (x - width * (t + 1) / (frames + 1)) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2
        wall = tint + 30 * np.sin(x / width * 6)[..., None] + 20 * np.cos(y / height * 4)[..., None]
        rgb.append(np.where(disc[..., None], [200.0, 60.0, 40.0], wall))
        depth.append(np.where(disc, 1.2345, 2 + 0.01 * x + 0.02 * y))
        ids.append(np.where(disc, 300 + seed % 7, 1))
    depth[0][:2] = 0
    ids[0][:2] = 0
    eyes = [look_at((1.0 + 0.1 * t, -2.0, 1.5), (0, 0, 0.5)) for t in range(frames)]
    camera = CameraPath(width, height, intrinsics(width, height, 1.0), np.stack(eyes), 8.0)
    return Clip(
        np.clip(np.rint(rgb), 0, 255).astype(np.uint8),
        np.asarray(depth, np.float32),
        np.asarray(ids, np.uint16),
        camera,
    )


def encoded(key: str, seed: int = 0) -> Sample:
    """A sample that decodes; its facts and questions are placeholders."""
    rest = {"facts.json": dump({"key": key}), "qa.json": dump([])}
    return Sample(key, codec.encode(clip(seed=seed)) | rest)


def plain(key: str, size: int = 700) -> Sample:
    """A sample of two members with bytes that follow from the key."""
    noise = hashlib.sha256(key.encode()).digest() * (size // 32 + 1)
    return Sample(key, {"facts.json": json.dumps({"key": key}).encode(), "mp4": noise[:size]})


def dataset(folder: Path, shards: dict[str, list[Sample]]) -> list[ShardRow]:
    """A whole dataset of shards by name, its counts made up."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [shard.write_shard(folder / name, samples) for name, samples in sorted(shards.items())]
    disk.write_atomic(folder / disk.MANIFEST, b"".join(dump(row) + b"\n" for row in rows))
    disk.write_atomic(folder / disk.REJECTS, b"")
    disk.write_atomic(folder / disk.QUARANTINE, b"")
    seal(folder, rows)
    return rows


def seal(folder: Path, rows: list[ShardRow], **fields: object) -> None:
    """Write dataset.json for what lies in the folder."""
    count = sum(row.samples for row in rows)
    splits = {row.split: [r.name for r in rows if r.split == row.split] for row in rows}
    record = {
        "digest": disk.digest(folder),
        "plan": "0" * 64,
        "config": {},
        "versions": {},
        "shots": count,
        "committed": count,
        "quarantined": 0,
        "frames": 3 * count,
        "questions": 0,
        "rejected": 0,
        "splits": splits,
    }
    disk.write_atomic(folder / disk.DATASET, dump(DatasetRecord.model_validate(record | fields)))


SAMPLES = [plain(f"toy-{i:06d}", 700 * i) for i in range(4)]


def write(folder: Path, samples: list[Sample] = SAMPLES) -> tuple[Path, ShardRow]:
    path = folder / "train-000000.tar"
    return path, shard.write_shard(path, samples)


def scan(data: bytes, folder: Path) -> tar.Index:
    path = folder / "hostile.tar"
    path.write_bytes(data)
    with open(path, "rb", buffering=0) as file:
        return tar.scan(file, "hostile.tar")


KEYS = [f"toy-{i:06d}" for i in range(31)]

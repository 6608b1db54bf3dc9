"""A dataset's digests in one file, fit to be committed, and the first place where another making of it differs.

The file is a JSON line that says what was made and in what surroundings, then a line a sample: its key and, for each
member, the first 16 hex digits of its sha256 and four hex digits for each field, in order. A field is a value at most
three steps deep in a JSON member (`objects[3].box`) or a frame of a video, depth or id member, so that a mismatch
names the shot, the member and the field that differ first without the dataset it was made from.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth4d import codec, dataset, disk
from synth4d.dataset import Where
from synth4d.errors import ConfigError, ShardError
from synth4d.records import dump

STEPS = 3
"""How deep a field of a JSON member lies at most."""
WHOLE, PART = 16, 4
"""Hex digits kept of a member's digest and of a field's: what decides is the member's, 64 bits."""


@dataclass(frozen=True, slots=True)
class Digests:
    about: dict[str, Any]
    """digest, plan, config and versions of dataset.json, and the machine."""
    samples: dict[str, dict[str, str]]
    """key → member → its digests, `<whole>:<parts>`."""


# ---- Making them ---------------------------------------------------------------------------------


def of(folder: Where) -> Digests:
    """The digests of a dataset, from its bytes."""
    record = dataset.read_dataset(folder)
    about = {
        "digest": record.digest, "plan": record.plan, "config": record.config, "versions": record.versions,
        "machine": machine(),
    }  # fmt: skip
    samples = {}
    for row in dataset.read_manifest(folder):
        for sample in dataset.read_shard(folder, row):
            samples[sample.key] = {name: _member(name, data) for name, data in sorted(sample.members.items())}
    return Digests(about, samples)


def machine() -> dict[str, str]:
    """What of this machine might reach the bytes: its processor and its C library."""
    models = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith(("model name", "flags"))]
    flags = set(models[-1].split()) if len(models) > 1 else set()
    best = next((name for name in ("avx512f", "avx2", "sse4_2") if name in flags), "none of avx2, avx512f")
    return {"processor": f"{platform.machine()} {best}", "libc": " ".join(platform.libc_ver())}


def _cpuinfo() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    return text.partition("\n\n")[0].splitlines()


def _member(name: str, data: bytes) -> str:
    parts = "".join(hashlib.sha256(part).hexdigest()[:PART] for _, part in _fields(name, data))
    return f"{hashlib.sha256(data).hexdigest()[:WHOLE]}:{parts}"


def _fields(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The fields of a member, in order: name and bytes."""
    if name.endswith(".json"):
        for path, value in _leaves(json.loads(data), "", STEPS):
            yield path, dump(value)
    elif name in _FRAMES:
        for i, frame in enumerate(_FRAMES[name](data)):
            yield f"frame {i}", np.ascontiguousarray(frame).tobytes()


_FRAMES: dict[str, Callable[[bytes], Any]] = {
    "mp4": codec.decode_video,
    "depth.npz": codec.decode_depth,
    "ids.npz": codec.decode_ids,
}


def _leaves(value: Any, path: str, steps: int) -> Iterator[tuple[str, Any]]:
    if steps and isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _leaves(value[key], f"{path}.{key}".lstrip("."), steps - 1)
    elif steps and isinstance(value, list) and value and isinstance(value[0], Mapping):
        for i, item in enumerate(value):
            yield from _leaves(item, f"{path}[{i}]", steps - 1)
    else:
        yield path or "(whole)", value


# ---- The file ------------------------------------------------------------------------------------


def write(path: Path, digests: Digests) -> None:
    rows = [dump(digests.about), *(dump({"key": key} | members) for key, members in sorted(digests.samples.items()))]
    disk.write_atomic(path, b"".join(row + b"\n" for row in rows))


def read(path: Path) -> Digests:
    """A file of digests; ConfigError where it is none."""
    try:
        about, *rows = disk.read_jsonl(path)
        return Digests(about, {row.pop("key"): row for row in rows})
    except (ShardError, KeyError, ValueError) as error:
        raise ConfigError(f"{path}: is no file of digests ({error}); `synth4d digest DIR --write` makes one") from None


# ---- Comparing -----------------------------------------------------------------------------------


def compare(expected: Digests, folder: Where) -> str | None:
    """None where a dataset has the digests expected; else one line: which shot, member and field differ first."""
    found = of(folder)
    if found.about["digest"] == expected.about["digest"]:
        return None
    return f"{_where(expected, found, folder)}{_why(expected.about, found.about)}"


def _where(expected: Digests, found: Digests, folder: Where) -> str:
    for key in sorted(expected.samples.keys() | found.samples.keys()):
        if key not in found.samples or key not in expected.samples:
            return f"shot {key} is {'missing' if key not in found.samples else 'not among those expected'}"
        old, new = expected.samples[key], found.samples[key]
        for member in sorted(old.keys() | new.keys()):
            if old.get(member) != new.get(member):
                return f"shot {key}: member {member}: {_field(old.get(member), new.get(member), folder, key, member)}"
    return "the samples are the same, their lists differ (rejects.jsonl, quarantine.jsonl or the shards' sizes)"


def _field(old: str | None, new: str | None, folder: Where, key: str, member: str) -> str:
    if old is None or new is None:
        return "it is missing" if new is None else "it was not there"
    names = [name for name, _ in _fields(member, _read(folder, key, member))]
    parts = [text.partition(":")[2] for text in (old, new)]
    before, after = ([p[i : i + PART] for i in range(0, len(p), PART)] for p in parts)
    for i, name in enumerate(names):
        if i >= len(before) or before[i] != after[i]:
            return f"field {name} differs first ({sum(a != b for a, b in zip(before, after, strict=False))} in all)"
    return f"it ends after {len(after)} of {len(before)} fields" if len(before) > len(after) else "its bytes differ"


def _read(folder: Where, key: str, member: str) -> bytes:
    for row in dataset.read_manifest(folder):
        if key in row.keys:
            with dataset.open_shard(folder, row) as shard:
                return shard.read(row.keys.index(key), [member])[member]
    raise ShardError(f"{folder}: no sample {key}")


def _why(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """What else is not the same: config, versions or machine."""
    for part in ("config", "versions", "machine"):
        old, new = expected.get(part, {}), found[part]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                return f"; {part} {name} was {str(old.get(name))[:60]!r}, here it is {str(new.get(name))[:60]!r}"
    return "; config, versions and machine are the same"

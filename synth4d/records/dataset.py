"""The files of a dataset beside its shards: manifest.jsonl, quarantine.jsonl, dataset.json."""

from __future__ import annotations

from typing import Literal

from synth4d.records.base import JSON, Record


class ShardRow(Record):
    """A row of manifest.jsonl."""

    name: str
    split: str
    bytes: int
    sha256: str
    samples: int
    keys: list[str]


class Quarantine(Record):
    """A row of quarantine.jsonl."""

    key: str
    scene: str
    reason: str
    attempts: int


class DatasetRecord(Record):
    """dataset.json, written last: without it there is no dataset."""

    version: Literal[1] = 1
    digest: str
    """sha256 over manifest.jsonl, rejects.jsonl and quarantine.jsonl."""
    plan: str
    """sha256 of the plan: same plan, same bytes."""
    config: JSON
    versions: dict[str, str]
    shots: int
    committed: int
    quarantined: int
    frames: int
    questions: int
    rejected: int
    splits: dict[str, list[str]]
    """Split name to its shard names."""

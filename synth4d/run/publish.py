"""What lies beside the shards for people: run.json, dataset card and report page. Outside the digest."""

from __future__ import annotations

import os
from pathlib import Path

from synth4d import disk
from synth4d.records import DatasetRecord, Record, dump
from synth4d.run.work import Totals

RUN = "run.json"


class RunRecord(Record):
    """run.json: what the making cost, and the traces of what went wrong. Differs from run to run."""

    seconds: float
    """Wall time of the run that finished the dataset."""
    workers: int
    cpus: int
    made: int
    """Shots that this run made; the rest was there from earlier runs."""
    totals: Totals
    """Over all runs that made this dataset; `seconds` is processor time of each stage."""
    failures: dict[str, str]


def write(out: Path, record: DatasetRecord, run: RunRecord) -> None:
    disk.write_atomic(out / RUN, dump(run) + b"\n")
    disk.write_atomic(out / "README.md", card(record).encode())


def cpus() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def card(record: DatasetRecord) -> str:
    """The dataset card: what it is, how to read it, how to make it again."""
    scenes = ", ".join(record.config["scenes"])
    shards = "\n".join(f"| {split} | {len(names)} |" for split, names in sorted(record.splits.items()))
    config = record.config
    return f"""---
pretty_name: synth4d {scenes}
language: [en, zh]
task_categories: [visual-question-answering, video-text-to-text]
tags: [synthetic, webdataset, spatial, video, depth]
---
# synth4d: {scenes}

{record.committed} clips of {config["frames"]} frames at {config["width"]}×{config["height"]}, {config["fps"]:g} a second, with metric
depth, instance ids, 9-DoF boxes and {record.questions} questions in English and Chinese. Every answer was computed by a
program over the scene's facts and confirmed by what the pixels show; {record.rejected} questions where the two did
not agree are in `rejects.jsonl`. {record.quarantined} of {record.shots} planned clips could not be made; `quarantine.jsonl` says why.

| split | shards |
|---|---|
{shards}

Read it: `for sample in synth4d.stream.Shards("DIR", split="train"): ...`, or with plain
`webdataset.WebDataset("train-000000.tar")`. Prove it: `synth4d verify DIR`. Look at it: `report.html`.
The record of a question: `synth4d schema qa`.

- digest `{record.digest}`
- plan `{record.plan}`
- made with {", ".join(f"{name} {version}" for name, version in sorted(record.versions.items()))}
"""

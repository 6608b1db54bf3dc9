"""What lies beside the shards for people: run.json, dataset card and report page. Outside the digest."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from synth4d import disk, report
from synth4d.records import JSON, DatasetRecord, Record, dump
from synth4d.run.work import Totals

RUN = "run.json"
LISTS = (disk.MANIFEST, disk.REJECTS, disk.QUARANTINE, RUN, "README.md")
"""What is written at the end, before dataset.json."""


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
    model: dict[str, JSON] = Field(default_factory=dict)
    """By kind of call, over all runs: what a model was asked, what came of it, tokens and dollars."""


def write(out: Path, record: DatasetRecord, run: RunRecord) -> None:
    disk.write_atomic(out / RUN, dump(run) + b"\n")
    disk.write_atomic(out / "README.md", report.card(record).encode())


def cpus() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))

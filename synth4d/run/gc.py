"""What `synth4d gc` removes of what this machine keeps between runs: the unused, the too much and the left behind.

Nothing that a live run uses is touched: fields are held by their runs (shelf.held), folders by their locks, sessions by
their owners; a clip is read whole at once, and its use makes it the youngest.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from synth4d.errors import SynthError
from synth4d.run import folder, session, shelf


@dataclass(slots=True)
class Freed:
    """What of one kind there was, and what of it was removed."""

    name: str
    count: int = 0
    bytes: int = 0
    removed: int = 0
    freed: int = 0
    held: int = 0
    """Due, but in use."""

    def due(self, size: int, gone: bool) -> None:
        self.removed += gone
        self.freed += size if gone else 0
        self.held += not gone


def collect(older_than_s: float, max_bytes: int | None, dry: bool = False) -> list[Freed]:
    """Remove what was unused for so long, then what is over so many bytes of clips and fits, oldest use first.

    `dry`: only count it."""
    since = time.time() - older_than_s
    return [*_kept(since, max_bytes, dry), _runs(since, dry), _sessions(dry)]


def _kept(since: float, max_bytes: int | None, dry: bool) -> Iterator[Freed]:
    found = {
        "clips": shelf.entries(shelf.place("clips")),
        "fits": shelf.entries(shelf.place("nerf"), ".npz", (".json",)),
    }
    young = [entry for entries in found.values() for entry in entries if entry.used >= since]
    too_much = set(shelf.over(young, max_bytes)) if max_bytes is not None else set()
    for name, entries in found.items():
        freed = Freed(name, len(entries), sum(entry.bytes for entry in entries))
        for entry in entries:
            if entry.used < since or entry in too_much:
                freed.due(entry.bytes, entry.remove(dry))
        yield freed


def _runs(since: float, dry: bool) -> Freed:
    """Local folders of unfinished runs that write to an object store; what they have put there stays."""
    freed = Freed("unfinished runs")
    for run in sorted(shelf.place("runs").glob("*")):
        size, used = _of(run)
        freed.count, freed.bytes = freed.count + 1, freed.bytes + size
        if used >= since:
            continue
        try:
            with folder.locked(run):
                if not dry:
                    shutil.rmtree(run)
            freed.due(size, True)
        except SynthError:
            freed.due(size, False)
    return freed


def _sessions(dry: bool) -> Freed:
    """Temporary folders of runs that were killed."""
    freed = Freed("dead sessions")
    for left in session.left():
        size = _of(left)[0]
        freed.count, freed.bytes = freed.count + 1, freed.bytes + size
        if not dry:
            session.remove(left)
        freed.due(size, True)
    return freed


def _of(place: Path) -> tuple[int, float]:
    """Bytes of the files beneath a folder, and when the youngest of them was written; its lock tells nothing."""
    about = list[os.stat_result]()
    for path in place.rglob("*"):
        with suppress(FileNotFoundError):  # a run is at work there
            if path.name != ".lock" and not path.is_dir():
                about.append(path.lstat())
    return sum(s.st_size for s in about), max((s.st_mtime for s in about), default=0.0)

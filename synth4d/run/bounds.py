"""What a shot may take of the process that makes it."""

from __future__ import annotations

import faulthandler
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synth4d.config import Limits


@contextmanager
def bounded(limits: Limits, overdue: Path) -> Iterator[None]:
    """Bound the time and memory of a shot.

    The watchdog is a thread of the interpreter's core that ends the process even inside a C loop; it leaves
    a stack trace in `overdue`, beneath the process's number, which tells the driver why the worker died.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    used = next(int(line.split()[1]) for line in _status() if line.startswith("VmData")) * 1024
    bound = used + limits.memory_mb * (1 << 20)
    if before[1] != resource.RLIM_INFINITY:
        bound = min(bound, before[1])
    with overdue.open("wb") as trace:
        trace.write(b"%d\n" % os.getpid())
        trace.flush()
        resource.setrlimit(resource.RLIMIT_DATA, (bound, before[1]))
        faulthandler.dump_traceback_later(limits.shot_seconds, exit=True, file=trace)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            resource.setrlimit(resource.RLIMIT_DATA, before)
    overdue.unlink(missing_ok=True)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Scenes and libraries outlive every shot, and what a shot lets go of holds hardly a cycle: looking for those
    takes 30 ms of a shot by the interpreter's own measure, 5 ms by this one. Over 30 shots a worker grows no more."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def at_work(overdue: Path) -> tuple[int, bool] | None:
    """The process that is at a job, by its file, and whether its watchdog has ended it; None: nobody has begun."""
    try:
        first, _, trace = overdue.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    return (int(first), bool(trace)) if first.isdigit() else None


def _status() -> list[str]:
    return Path(f"/proc/{os.getpid()}/status").read_text().splitlines()

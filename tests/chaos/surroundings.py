"""Rows 9 to 12 and 23 to 27: what befalls shots in their workers, and what surrounds a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from runs import HERE, PATH, process, record

from chaos.steps import end, session
from chaos.table import SHOTS, Found, golden, row
from synth4d import dataset

MONITOR = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "50"}
CLOCK = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@row("9", "Ray's memory monitor kills every worker: quarantined after 3 attempts, within 60 s", short=0, long=2)
def memory_monitor(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out = folder / f"m{n}"
        os.environ |= MONITOR
        try:
            code, stderr = end(process(out, 2, seconds=5, shots=2), found, "out of memory", 90)
        finally:
            for name in MONITOR:
                del os.environ[name]
        found.expect(code == 3, f"out of memory: exit {code} {stderr[-200:]}")
        rows = dataset.read_quarantine(out) if code == 3 else []
        found.expect(len(rows) == 2 and all("memory" in r.reason and r.attempts <= 3 for r in rows), f"reasons: {rows}")
        found.tries += 1


@row("10–12", "shots that eat memory, crash or hang: quarantined alone, the rest is made", short=0, long=3)
def bad_shots(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out = folder / f"b{n}"
        faults = {n: "memory", n + 4: "segfault", n + 8: "hang"}
        run = process(out, 2, fake=",".join(f"{i}:{fault}" for i, fault in faults.items()), limit=5)
        code, stderr = end(run, found, "bad shots")
        found.expect(code == 3, f"bad shots: exit {code} {stderr[-200:]}")
        said = {int(r.key.split("-")[1]): r.reason for r in dataset.read_quarantine(out)} if code == 3 else {}
        found.expect(sorted(said) == sorted(faults) and record(out).committed == SHOTS - 3, f"quarantine: {said}")
        found.expect(not session(run.pid), "a process is left")
        found.tries += 1


def plainly(
    out: Path, env: dict[str, str], found: Found, said: str, before: str = "", workers: int = 0,
    within: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """A run in that environment has the digest of every other."""
    command = f"{before} exec {sys.executable} {HERE}/run_fake.py '{out}' {workers} shots={SHOTS}"
    done = subprocess.run(
        [*within, "/bin/sh", "-c", command], env={"PATH": os.environ["PATH"], "PYTHONPATH": PATH} | env,
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    same = done.returncode == 0 and done.stdout.split()[0] == golden()
    found.expect(same, f"{said}: exit {done.returncode} {done.stdout[-80:]} {done.stderr[-200:]}")
    found.tries += 1


@row("23", "clocks 20 years back, 400 days ahead, an hour back amid the run", short=0, long=4)
def clocks(folder: Path, tries: int, found: Found) -> None:
    if not Path(CLOCK).exists():
        found.skipped = "libfaketime is not installed"
        return
    for n, shift in enumerate(("-20y", "+400d", "-1h", "+1h x60")[:tries]):
        env = {"LD_PRELOAD": CLOCK, "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        if n == 2:
            env = {"LD_PRELOAD": CLOCK, "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_NO_CACHE": "1"}
            (folder / "clock").write_text("+0h\n")
            before = f"(sleep 0.7; echo -1h > {folder / 'clock'}) &"
            plainly(folder / f"c{n}", env | {"FAKE_SECONDS": "0.1"}, found, shift, before)
            continue
        plainly(folder / f"c{n}", env, found, shift)


@row("24", "1, 2, 4, 8 workers", short=0, long=4)
def worker_counts(folder: Path, tries: int, found: Found) -> None:
    for workers in (1, 2, 4, 8)[:tries]:
        plainly(folder / f"n{workers}", {"HOME": str(folder)}, found, f"{workers} workers", workers=workers)


@row("25", "locale, time zone, umask, long path, other folder, hash seed, no HOME", short=3, long=7)
def environments(folder: Path, tries: int, found: Found) -> None:
    cases: list[tuple[dict[str, str], str, str]] = [
        ({"LANG": "C", "LC_ALL": "C"}, "", "e0"),
        ({"TZ": "Asia/Kathmandu"}, "", "e1"),
        ({}, "umask 077;", "e2"),
        ({}, "", "x" * 100 + "/" + "y" * 100),
        ({}, "cd /;", "e4"),
        ({"PYTHONHASHSEED": "12345"}, "", "e5"),
        ({"HOME": "/nonexistent"}, "", "厨房 🍳"),
    ]
    for env, before, name in cases[:tries]:
        plainly(folder / name, env, found, f"{env} {before}", before)


@row("27", "temporary folders whose names are long or not ASCII", short=0, long=2)
def temporary_folders(folder: Path, tries: int, found: Found) -> None:
    for n, name in enumerate(("a-name-that-is-far-too-long-for-a-socket-of-ray", "临时文件夹")[:tries]):
        at = Path("/tmp") / name
        at.mkdir(exist_ok=True)
        plainly(folder / f"t{n}", {"TMPDIR": str(at)}, found, name, workers=1)
        shutil.rmtree(at, ignore_errors=True)

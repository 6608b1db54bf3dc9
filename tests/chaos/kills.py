"""Rows 1–8: processes that are killed, stopped and told to end, at random points."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from runs import here, process, wait_for

from chaos.steps import begun, boxes, end, finishes, one_line, session, workers
from chaos.table import Found, row

MORE = 25
"""Shots of a run in which several workers are killed."""


def at_shots(out: Path) -> dict[int, str]:
    """The processes that are at a shot: pid → which."""
    notes = {path: path.read_bytes().partition(b"\n")[0] for path in out.glob(".work/*/*.overdue")}
    return {int(pid): path.stem for path, pid in notes.items() if pid.isdigit()}


def blows(out: Path, run: subprocess.Popen[str], most: int, chance: random.Random) -> int:
    """Kill a worker after every second shot, never twice at the same one: a shot that three die of is given up. How
    often there was one to be killed."""
    hit = set[str]()
    for n in range(most):
        before = boxes(out)
        try:
            wait_for(lambda before=before: boxes(out) > before + 1 and at_shots(out), run)  # type: ignore[misc]
            pid, shot = chance.choice([(p, s) for p, s in sorted(at_shots(out).items()) if s not in hit])
            os.kill(pid, signal.SIGKILL)
        except (AssertionError, IndexError, ProcessLookupError, FileNotFoundError):
            return n  # it ended, or the worker did, before the blow
        hit.add(shot)
    return most


@row("1", "kill -9 of workers", short=0, long=30)
def worker_kills(folder: Path, tries: int, found: Found) -> None:
    chance, done = random.Random(1), 0
    while done < tries:
        out = folder / f"w{done}"
        run = process(out, 2, seconds=0.2, shots=MORE)
        done += blows(out, run, min(5, tries - done), chance)
        finishes(run, out, found, "worker killed", MORE)
    found.tries = done


@row("2", "kill -9 of the driver, then again", short=2, long=20)
def driver_kills(folder: Path, tries: int, found: Found) -> None:
    chance = random.Random(2)
    for n in range(tries):
        out = folder / f"d{n}"
        run = begun(out, seconds=0.02)
        time.sleep(chance.uniform(0, 0.3))
        run.kill()
        run.communicate()
        committed = [out / f"{p.stem}.tar" for p in out.glob(".work/*/*.done")]
        tars = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in committed if p.exists()}
        here(out)
        found.expect(
            all((p.stat().st_mtime_ns, p.stat().st_ino) == was for p, was in tars.items()),
            "a committed shard was written again",
        )
        found.clean(out, "driver killed")
        found.tries += 1


@row("3", "kill -9 of the driver, again at once while its workers live", short=0, long=20)
def immediate_reruns(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out = folder / f"i{n}"
        first = begun(out, 2, seconds=0.15)
        first.kill()
        second = process(out, 2)
        first.communicate()
        finishes(second, out, found, "rerun at once")
        found.expect(not session(second.pid) and not session(first.pid), "a Ray process is left")
        found.tries += 1


def node_kills(folder: Path, tries: int, found: Found, name: str, seconds: float) -> None:
    for n in range(tries):
        out = folder / f"n{n}"
        run = begun(out, 2, seconds=0.15)
        for pid, command in session(run.pid).items():
            if f"/{name} " in command:
                os.kill(pid, signal.SIGKILL)
        code, stderr = end(run, found, f"{name} killed", seconds)
        if code:
            one_line(found, stderr, f"{name} killed")
        here(out)
        found.clean(out, f"{name} killed")
        found.expect(not session(run.pid), "a Ray process is left")
        found.tries += 1


@row("4", "kill -9 of the raylet: an error within 30 s, then again", short=0, long=5)
def raylet_kills(folder: Path, tries: int, found: Found) -> None:
    node_kills(folder, tries, found, "raylet", 45)


@row("5", "kill -9 of the GCS: done, or an error within 90 s, then again", short=0, long=3)
def gcs_kills(folder: Path, tries: int, found: Found) -> None:
    node_kills(folder, tries, found, "gcs_server", 105)


@row("7", "SIGTERM, Ctrl-C, double Ctrl-C: stopped within 10 s, then again", short=3, long=20)
def signals(folder: Path, tries: int, found: Found) -> None:
    ways = [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGINT, 2)]
    for n in range(tries):
        out, (number, times) = folder / f"s{n}", ways[n % 3]
        run = begun(out, 2 if n % 4 == 3 else 0, seconds=0.1)
        start = time.monotonic()
        for _ in range(times):
            run.send_signal(number)
            time.sleep(0.02)
        code, stderr = end(run, found, "told to stop", 30)
        found.expect(time.monotonic() - start < 10, "it took more than 10 s to stop")
        found.expect(code in (128 + number, 0), f"told to stop: exit {code}")
        if code:
            one_line(found, stderr, "told to stop")
        here(out)
        found.clean(out, "told to stop")
        found.expect(not session(run.pid), "a Ray process is left")
        found.tries += 1


@row("8", "SIGSTOP of a worker: given up after its time, its late result harmless", short=0, long=5)
def stopped_workers(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out = folder / f"z{n}"
        run = begun(out, 2, seconds=0.3, limit=10)
        wait_for(lambda run=run: workers(run.pid), run)  # type: ignore[misc]
        os.kill(workers(run.pid)[0], signal.SIGSTOP)
        finishes(run, out, found, "worker stopped")
        found.tries += 1

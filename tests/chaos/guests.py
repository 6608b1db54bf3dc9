"""Rows 49 to 51: other clusters and takers of ports beside us, little shared memory, many runs one after the other."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runs import here, process

from chaos.steps import end, finishes, session
from chaos.surroundings import plainly
from chaos.table import Found, row

USUAL_PORTS = (6379, 8265, 8076, 10001, 44217)
"""Of Ray's GCS, dashboard, object manager, client and metrics."""
FOREIGN = """
import sys, ray
ray.init(address="local", num_cpus=0, include_dashboard=False)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""
"""A cluster of somebody else, in which nothing can ever be run: who joins it waits for ever."""


@contextmanager
def environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def foreign_cluster() -> Iterator[str]:
    """Its address; `ray.init()` without one would join it."""
    cluster = subprocess.Popen(
        [sys.executable, "-c", FOREIGN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert cluster.stdin is not None and cluster.stdout is not None
    try:
        yield next(line.strip() for line in cluster.stdout if ":" in line)
    finally:
        cluster.stdin.close()
        cluster.wait(60)


@row("49", "a foreign cluster, a dead RAY_ADDRESS, ports taken, 4 runs at once: an own cluster each", short=0, long=4)
def beside_others(folder: Path, tries: int, found: Found) -> None:
    with foreign_cluster() as address:
        for n, given in enumerate(({}, {"RAY_ADDRESS": address})):
            with environment(**given):
                finishes(process(folder / f"f{n}", 1), folder / f"f{n}", found, f"beside a cluster {given}")
    with environment(RAY_ADDRESS="127.0.0.1:1"):
        finishes(process(folder / "d", 1), folder / "d", found, "RAY_ADDRESS leads nowhere")
    with ExitStack() as held:
        for port in USUAL_PORTS:
            taken = held.enter_context(socket.socket())
            try:
                taken.bind(("0.0.0.0", port))
                taken.listen()
            except OSError:
                continue  # somebody has it already, which is as good
        finishes(process(folder / "p", 1), folder / "p", found, "the usual ports are taken")
    start, (code, stderr) = time.monotonic(), end(process(folder / "n", "127.0.0.1:1"), found, "nobody there")
    said = [line for line in stderr.splitlines() if line.startswith("error:")]
    found.expect(
        code == 1 and len(said) == 1 and time.monotonic() - start < 60, f"nobody there: {code} {stderr[-200:]}"
    )
    runs = {folder / f"r{n}": process(folder / f"r{n}", 1) for n in range(4)}
    for out, run in runs.items():
        finishes(run, out, found, "four at once")
        found.expect(not session(run.pid), "a Ray process is left")
    found.tries = 9


@row("50", "/dev/shm of 64 MB", short=0, long=1)
def little_shared_memory(folder: Path, tries: int, found: Found) -> None:
    if os.getuid() or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        found.skipped = "a file system can be mounted by root only"
        return
    small = "mount -t tmpfs -o size=64m tmpfs /dev/shm &&"
    plainly(folder / "s", {"HOME": str(folder)}, found, "64 MB", small, workers=2, within=("unshare", "-m"))


@row("51", "runs one after the other: memory, open files and the temporary folder stay as they are", short=40, long=300)
def soak(folder: Path, tries: int, found: Found) -> None:
    """Those of one process without Ray; every hundredth is a process with it."""
    for n in range(tries):
        if n == tries // 4:  # by then everything is imported and cached
            held, files = resident(), len(os.listdir("/proc/self/fd"))
        here(folder / f"s{n}")
        if n % 100 == 99:
            run = process(folder / f"r{n}", 1)
            finishes(run, folder / f"r{n}", found, "amid the others")
            found.expect(not list(Path("/tmp").glob(f"s4d-{run.pid}-*")), "Ray's folder is left in /tmp")
        found.tries += 1
    found.expect(resident() < 1.05 * held, f"{held >> 20} MiB before, {resident() >> 20} MiB after")
    found.expect(len(os.listdir("/proc/self/fd")) == files, f"{files} open files before, more after")


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

"""Row 43: files that nobody should have given us, through the commands that a person would give them to."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hostile import CANARIES, CASES, Case
from runs import PATH

from chaos.table import Found, row
from synth4d import cli

MEMORY, GROWTH, SECONDS = 1 << 30, 500 << 20, 2.0
"""What a command may map beyond what it has, what it may come to hold of it (bytes), and the processor's time."""
FOREIGN = frozenset({
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "socket.bind",
    "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "urllib.Request", "webbrowser.open",
})  # fmt: skip
"""Audit events (PEP 578) of what no file may bring about: another program, another machine."""
CAUGHT = 99


@dataclass(frozen=True)
class End:
    code: int
    said: str
    seconds: float
    grown: int


def warm() -> None:
    """Import what the commands do, for every child, and what starts programs of its own when it is first used."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for command in ("import no.ply --out no", "dataset no", "fit --nerf no", "doctor toy"):
            cli.run(command.split())


def pages(field: int) -> int:
    """Bytes that this process maps (0) or holds (1)."""
    return int(Path("/proc/self/statm").read_text().split()[field]) * resource.getpagesize()


def forked(case: Case, folder: Path) -> End:
    """The command in a child of this process, which has everything imported: 40 ms instead of a second."""
    held, (read, write) = pages(1), os.pipe()
    pid = os.fork()
    if not pid:
        _child(case, folder, write)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status, used = os.wait4(pid, 0)
    grown = used.ru_maxrss * 1024 - held
    return End(os.waitstatus_to_exitcode(status), said, used.ru_utime + used.ru_stime, grown)


def _child(case: Case, folder: Path, errors: int) -> None:
    try:
        os.chdir(folder)
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        mapped = pages(0) + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (mapped, mapped))
        sys.addaudithook(lambda event, _: os._exit(CAUGHT) if event in FOREIGN else None)
        code = cli.run(list(case.door))
        sys.stderr.flush()
        os._exit(code)
    finally:
        os._exit(1)


def started(case: Case, folder: Path) -> End:
    """The command as a person starts it."""
    command = "ulimit -v 4194304; exec " + sys.executable + ' -c "from synth4d.cli import main; main()" "$@"'
    done = subprocess.run(
        ["/bin/bash", "-c", command, "synth4d", *case.door], cwd=folder, env=os.environ | {"PYTHONPATH": PATH},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    return End(done.returncode, done.stderr, 0, 0)


def meet(name: str, case: Case, found: Found, by: str) -> None:
    with tempfile.TemporaryDirectory(prefix="hostile-") as at:
        folder = Path(at)
        case.write(folder)
        before = sorted(folder.rglob("*"))
        end = {"forked": forked, "started": started}[by](case, folder)
        left = sorted(set(folder.rglob("*")) - set(before))
    errors = [line for line in end.said.splitlines() if line.startswith("error:")]
    refused = len(errors) == 1 and re.search(case.says, errors[0]) and len(errors[0]) < 700
    found.expect(end.code == 2 and refused, f"{name}: exit {end.code} {end.said[-300:]!r}, not {case.says!r}")
    found.expect(end.seconds < SECONDS, f"{name}: {end.seconds:.1f} s")
    found.expect(end.grown < GROWTH, f"{name}: {end.grown >> 20} MiB")
    found.expect(not left, f"{name}: left {[p.name for p in left]}")
    found.expect(not any(Path(c).exists() for c in CANARIES), f"{name}: was executed")
    found.tries += 1


@row("43", "hostile captures, models, scenes and configs: one line each, nothing executed", short=1, long=2)
def hostile_files(folder: Path, tries: int, found: Found) -> None:
    """Once in children of this process; the second time as commands of their own."""
    warm()
    for by in ("forked", "started")[:tries]:
        for name, case in CASES.items():
            meet(name, case, found, by)
    found.note = f"{len(CASES)} files"

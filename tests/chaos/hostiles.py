"""Row 43: files that nobody should have given us, through the commands that a person would give them to."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
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
CAUGHT, HELD = 99, 0
"""How a child ends that was about to do so; what it held when it began."""


@dataclass(frozen=True)
class End:
    code: int
    said: str
    seconds: float = 0
    """Of the processor."""
    grown: int = 0
    """Bytes that the process holds more than when it began."""


Meet = Callable[[Case, Path], End]


def pages(field: int) -> int:
    """Bytes that this process maps (0) or holds (1)."""
    return int(Path("/proc/self/statm").read_text().split()[field]) * resource.getpagesize()


def here(case: Case, folder: Path) -> End:
    """The command in this process."""
    errors, start, before = io.StringIO(), time.process_time(), Path.cwd()
    os.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = cli.run(list(case.door))
    os.chdir(before)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - HELD
    return End(code, errors.getvalue(), time.process_time() - start, grown)


def started(case: Case, folder: Path) -> End:
    """The command as a person starts it."""
    command = "ulimit -v 4194304; exec " + sys.executable + ' -c "from synth4d.cli import main; main()" "$@"'
    done = subprocess.run(
        ["/bin/bash", "-c", command, "synth4d", *case.door], cwd=folder, env=os.environ | {"PYTHONPATH": PATH},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, timeout=300,
    )  # fmt: skip
    return End(done.returncode, done.stderr)


def meet(name: str, case: Case, by: Meet, found: Found) -> None:
    with tempfile.TemporaryDirectory(prefix="hostile-") as at:
        folder = Path(at)
        case.write(folder)
        before = sorted(folder.rglob("*"))
        end = by(case, folder)
        left = sorted(set(folder.rglob("*")) - set(before))
    errors = [line for line in end.said.splitlines() if line.startswith("error:")]
    refused = len(errors) == 1 and re.search(case.says, errors[0]) and len(errors[0]) < 700
    found.expect(end.code == 2 and refused, f"{name}: exit {end.code} {end.said[-300:]!r}, not {case.says!r}")
    found.expect(end.seconds < SECONDS, f"{name}: {end.seconds:.1f} s")
    found.expect(end.grown < GROWTH, f"{name}: {end.grown >> 20} MiB more")
    found.expect(not left, f"{name}: left {[p.name for p in left]}")
    found.expect(not any(Path(c).exists() for c in CANARIES), f"{name}: was executed")
    found.tries += 1


def warm() -> None:
    """Import what the commands do, and start what starts programs of its own when it is first used."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for command in ("import no.ply --out no", "dataset no", "fit --nerf no", "doctor toy"):
            cli.run(command.split())


def bounded(pipe: int) -> None:
    """All of them one after the other in a child with little memory, which ends at the first foreign deed. A line of
    JSON each; a child that dies has not said the last."""
    global HELD
    HELD, mapped = pages(1), pages(0) + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (mapped, mapped))
    sys.addaudithook(lambda event, _: os._exit(CAUGHT) if event in FOREIGN else None)
    for name, case in CASES.items():
        found = Found()
        meet(name, case, here, found)
        os.write(pipe, json.dumps(found.violations).encode() + b"\n")


def in_a_child(found: Found) -> None:
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            bounded(write)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        ends = [json.loads(line) for line in pipe]
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    found.violations += [violation for end in ends for violation in end]
    found.expect(len(ends) == len(CASES), f"{[*CASES, ''][len(ends)]}: ended the process ({code})")
    found.tries += len(ends)


@row("43", "hostile captures, models, scenes and configs: one line each, nothing executed", short=1, long=2)
def hostile_files(folder: Path, tries: int, found: Found) -> None:
    """All in one process with little memory; the second time each as a command of its own."""
    warm()
    in_a_child(found)
    for name, case in CASES.items() if tries > 1 else ():
        meet(name, case, started, found)
    found.note = f"{len(CASES)} files"

"""What rows do to runs: begin them, look at their processes, see how they end."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from runs import process, wait_for

from chaos.table import SHOTS, Found
from synth4d import dataset


def session(driver: int) -> dict[int, str]:
    """The Ray processes of a run: pid → command line."""
    mark, found = f"SYNTH4D_SESSION=/tmp/s4d-{driver}-".encode(), {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return {pid: command for pid, command in found.items() if command}


def workers(driver: int) -> list[int]:
    """Those that are at a shot."""
    return sorted(pid for pid, command in session(driver).items() if command.startswith("ray::perform"))


def boxes(out: Path) -> int:
    """Shots finished so far, whether committed or not."""
    return len(list(out.glob(".work/*/*.shot"))) + 4 * len(list(out.glob(".work/*/*.done")))


def begun(out: Path, workers: int = 0, **how: Any) -> subprocess.Popen[str]:
    """A run that has finished its first shot."""
    run = process(out, workers, **how)
    wait_for(lambda: boxes(out), run)
    return run


def killed(out: Path, workers: int = 0, **how: Any) -> subprocess.Popen[str]:
    """A run that was killed after its first shot."""
    run = begun(out, workers, **how)
    run.kill()
    run.communicate()
    return run


def end(run: subprocess.Popen[str], found: Found, said: str, seconds: float = 300) -> tuple[int, str]:
    """How a run ended; a run that does not is a violation, and is ended."""
    try:
        _, stderr = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        run.kill()
        _, stderr = run.communicate()
        found.violations.append(f"{said}: still running after {seconds:g} s")
    return run.returncode, stderr


def one_line(found: Found, stderr: str, said: str) -> None:
    errors = [text for text in stderr.splitlines() if text.startswith("error:")]
    found.expect(len(errors) == 1 and "Traceback" not in stderr, f"{said}: stderr is {stderr[-300:]!r}")


def finishes(run: subprocess.Popen[str], out: Path, found: Found, said: str, shots: int = SHOTS) -> None:
    """A run comes to its end by itself, with every shot made."""
    code, stderr = end(run, found, said)
    why = [q.reason for q in dataset.read_quarantine(out)] if code == 3 else stderr[-200:]
    found.expect(code == 0, f"{said}: exit {code} {why}")
    found.clean(out, said, shots)

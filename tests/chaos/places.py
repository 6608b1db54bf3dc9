"""Rows 14, 15, 17 to 22: disks that are full, folders that vanish, two runs in one folder, locks of the dead."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runs import HERE, PATH, here, process

from chaos.steps import begun, end, killed, one_line
from chaos.table import Found, row
from synth4d.errors import ConfigError, SynthError
from synth4d.run import plan


@contextmanager
def small_disk(at: Path, kib: int) -> Iterator[None]:
    """A file system of so many KiB; PermissionError where this user may not mount."""
    at.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(at)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError("a file system can be mounted by root only")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=False)


def resize(at: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(at)], check=True)


@row("14", "disk full at different levels, then with room again", short=3, long=10)
def full_disk(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        at = folder / f"f{n}"
        try:
            with small_disk(at, 8 + 12 * n):
                code, stderr = end(process(at / "out", 0), found, "disk full", 60)
                found.expect(code == 1, f"disk full at {8 + 12 * n} KiB: exit {code}")
                one_line(found, stderr, "disk full")
                found.expect(str(at) in stderr, f"the error names no file: {stderr[-200:]}")
                found.expect(not (at / "out" / "dataset.json").exists(), "a dataset is visible")
                resize(at, "size=32m")
                here(at / "out")
                found.clean(at / "out", "room again")
        except PermissionError as why:
            found.skipped = str(why)
            return
        found.tries += 1


@row("15", "Ray's temporary folder on a full disk: no hang beyond 60 s, then again", short=0, long=3)
def full_temporary(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        at, out = Path(f"/tmp/full{n}"), folder / f"t{n}"
        try:
            with small_disk(at, 64 << (2 * n)):
                os.environ["TMPDIR"] = str(at)
                try:
                    code, stderr = end(process(out, 2), found, "temporary folder full", 90)
                finally:
                    del os.environ["TMPDIR"]
                if code:
                    one_line(found, stderr, f"temporary folder of {64 << (2 * n)} KiB")
        except PermissionError as why:
            found.skipped = str(why)
            return
        finally:
            shutil.rmtree(at, ignore_errors=True)
        here(out)
        found.clean(out, "temporary folder full")
        found.tries += 1


@row("17", "limits of file size and of open files, a read-only disk", short=3, long=9)
def limits(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out, limit = folder / f"l{n}", (f"ulimit -f {4 * (n + 1)}", f"ulimit -n {8 + n}", "read-only")[n % 3]
        command = f"{limit}; exec {sys.executable} {HERE}/run_fake.py {out} 0 shots=13"
        if limit == "read-only":
            try:
                with small_disk(out, 1024):
                    resize(out, "ro")
                    _refused(f"exec {sys.executable} {HERE}/run_fake.py {out} 0 shots=13", found)
                    resize(out, "rw")
                    here(out)
                    found.clean(out, limit)
            except PermissionError as why:
                found.note = f"not read-only: {why}"
                continue
        else:
            _refused(command, found)
            here(out)
            found.clean(out, limit)
        found.tries += 1


def _refused(command: str, found: Found) -> None:
    env = os.environ | {"PYTHONPATH": PATH}
    done = subprocess.run(["/bin/bash", "-c", command], env=env, capture_output=True, text=True, check=False)
    if done.returncode:  # a limit may be wide enough
        found.expect(done.returncode in (1, 2), f"{command[:20]}: exit {done.returncode}")
        # With hardly any files python itself can't start.
        if "ulimit -n" not in command:
            one_line(found, done.stderr, command[:20])


# ---- Two runs, one folder ------------------------------------------------------------------------


@row("18", "two drivers started together in one folder", short=2, long=50)
def double_starts(folder: Path, tries: int, found: Found) -> None:
    chance = random.Random(18)
    for n in range(tries):
        out = folder / f"p{n}"
        first = process(out, 0, seconds=0.03)
        time.sleep(chance.uniform(0, 0.01))
        second = process(out, 0, seconds=0.03)
        ends = [end(run, found, "double start", 60) for run in (first, second)]
        codes = sorted(code for code, _ in ends)
        found.expect(codes in ([0, 1], [0, 0]), f"double start: exits {codes}")
        for code, stderr in ends:
            if code:
                found.expect("another run (pid" in stderr, f"the owner is not named: {stderr[-200:]}")
        found.clean(out, "double start")
        found.tries += 1


@row("19", "another config in a folder at work, begun or finished: refused", short=1, long=10)
def other_config(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out = folder / f"c{n}"
        run = begun(out, seconds=0.02)
        for state in ("at work", "begun", "finished"):
            if state == "begun":
                run.kill()
                run.communicate()
            elif state == "finished":
                here(out)
            try:
                here(out, f"seed={n + 1}")
                found.violations.append(f"another seed was taken: {state}")
            except (SynthError, ConfigError) as error:
                found.expect("\n" not in str(error), "more than a line")
        found.clean(out, "other config")
        found.tries += 1


@row("20", "locks of dead, reused and foreign owners: taken over", short=3, long=20)
def stale_locks(folder: Path, tries: int, found: Found) -> None:
    owners = (
        f"pid {2**22 - 1} on {socket.gethostname()}\n",
        f"pid {os.getppid()} on here\n",
        "pid 1 on elsewhere\n",
        "",
    )
    for n in range(tries):
        out = folder / f"k{n}"
        out.mkdir(parents=True)
        (out / ".lock").write_text(owners[n % 4])
        here(out)
        found.clean(out, "stale lock")
        found.tries += 1


@row("21", "the folder is deleted or renamed amid the run", short=2, long=20)
def vanished(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out = folder / f"v{n}"
        run = begun(out, seconds=0.03)
        if n % 2:
            shutil.rmtree(out, ignore_errors=True)
        else:
            out.rename(folder / f"moved{n}")
        code, stderr = end(run, found, "folder gone", 60)
        found.expect(code == 1, f"folder gone: exit {code}")
        one_line(found, stderr, "folder gone")
        found.expect(not (out / "dataset.json").exists(), "false success")
        found.tries += 1


@row("22", "code or scene changed between run and resume: refused", short=1, long=10)
def changed(folder: Path, tries: int, found: Found) -> None:
    for n in range(tries):
        out, before = folder / f"g{n}", plan.code_versions
        killed(out, seconds=0.02)
        plan.code_versions = lambda n=n: {"code": f"changed {n}"}  # type: ignore[misc]
        try:
            here(out)
            found.violations.append("changed code went on with the old one's shots")
        except ConfigError as error:
            found.expect("code" in str(error), f"what differs is not said: {error}")
        finally:
            plan.code_versions = before
        here(out)
        found.clean(out, "changed back")
        found.tries += 1

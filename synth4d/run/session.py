"""The temporary folder of a Ray session of ours and its processes: none of either is left behind.

A folder's name says whose it is, and every process of the session carries the folder in its environment, so that what
a killed run left is found again and nobody else's is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

MARK = "SYNTH4D_SESSION"
"""Carried by every process of our own cluster, so that none is left behind and no other is touched."""


def own_folder() -> Path:
    """A temporary folder short enough for Ray's socket names (107 bytes in all), named by its owner's pid."""
    for folder in left():
        remove(folder)
    return Path(tempfile.mkdtemp(prefix=f"s4d-{os.getpid()}-", dir=_root()))


def left() -> list[Path]:
    """The folders of runs that were killed and could not remove them themselves."""
    return [folder for folder in _root().glob("s4d-*-*") if _ours(folder) and not _owned(folder)]


def _ours(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.getuid()
    except FileNotFoundError:  # another run is sweeping too
        return False


def _owned(folder: Path) -> bool:
    pid = folder.name.split("-")[1]
    return not pid.isdigit() or Path(f"/proc/{pid}").exists()


def remove(folder: Path) -> None:
    """End a session's processes and remove its folder."""
    _end_processes(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    root = Path(tempfile.gettempdir())
    return root if len(str(root)) <= 24 and str(root).isascii() else Path("/tmp")


def _end_processes(folder: Path, seconds: float = 5.0) -> None:
    """End Ray's processes of one session, known by the mark in their environment."""
    deadline = time.monotonic() + seconds
    while alive := pids_of(folder):
        late = time.monotonic() > deadline
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, 9)
        if late:
            print(f"warning: processes {alive} of {folder} would not end", file=sys.stderr)
            return
        time.sleep(0.05)


def pids_of(folder: Path) -> list[int]:
    """The processes of a session but for this one."""
    mark = f"{MARK}={folder}".encode()
    others = (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and int(p.name) != os.getpid())
    return [pid for pid in others if mark in _read(f"/proc/{pid}/environ").split(b"\0")]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""

"""What is kept between runs on this machine: a folder of boxes by key, no larger than it may be.

A box appears whole or not at all and proves its own bytes, so any number of workers and runs may use a shelf at once,
and any of them may remove any box: it is made again. The time of a box is that of its last use; what was not used for
the longest goes first.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synth4d import disk
from synth4d.errors import ShardError, SynthError
from synth4d.records import JSON
from synth4d.run import box

Found = tuple[JSON, dict[str, bytes]]
"""Head and parts of a box."""
SPARE_BYTES = 1 << 30
"""Nothing is kept where less than this would be left on the disk: it is the dataset's."""
SLACK = 32
"""A worker looks at the shelf's size when it has put there one so-manieth of what may be."""
FORGOTTEN_S = 86_400.0
"""No file is written for so long: a temporary one that old is of a killed writer."""


def place(name: Literal["clips", "nerf", "runs"]) -> Path:
    """The folder of this machine that such things are kept in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synth4d" / name


class Shelf:
    """Boxes beneath a folder."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max = folder, max_bytes
        self._put = max_bytes
        """Since the size was last looked at; the first box that is put has it looked at."""

    def path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.box"

    def take(self, key: str) -> Found | Literal["missing", "damaged"]:
        """The box of a key, if it is there and its bytes are those that were put."""
        path = self.path(key)
        try:
            found = box.unpacked(path.read_bytes())
        except FileNotFoundError:
            return "missing"
        except OSError:
            return "damaged"
        if found is None:
            return "damaged"
        with suppress(OSError):  # removed since, or of a folder that is only read
            os.utime(path)
        return found

    def put(self, key: str, head: JSON, parts: dict[str, bytes]) -> bool:
        """Keep a box; False where there is no room for it, or it can't be written. It can be made again."""
        path, size = self.path(key), sum(map(len, parts.values()))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < size + SPARE_BYTES:
                return False
            box.write(path, head, parts, lasting=False)
        except (OSError, ShardError):
            return False
        self._put += size
        if self._put >= self._max // SLACK:
            self._put = 0
            for old in over(entries(self._folder), self._max - self._max // SLACK):
                old.remove()
        return True


# ---- What lies there -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """Something kept: a file, and what lies beside it and is of no use without it."""

    path: Path
    bytes: int
    used: float
    """When it was last used; seconds since 1970."""
    beside: tuple[Path, ...] = ()

    def remove(self, dry: bool = False) -> bool:
        """False where a live run holds it (`held`). `dry`: only say so."""
        try:
            with _locked(self.path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for path in () if dry else (self.path, *self.beside):
                    path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            pass
        return True


def entries(folder: Path, suffix: str = ".box", beside: tuple[str, ...] = ()) -> list[Entry]:
    """What is kept beneath a folder, with the temporary files that killed writers left there."""
    found = list[Entry]()
    for path in folder.glob("**/*"):
        forgotten = disk.TEMPORARY in path.name
        if path.suffix != suffix and not forgotten:
            continue
        others = () if forgotten else tuple(path.with_suffix(s) for s in beside)
        try:
            about = path.stat()
        except FileNotFoundError:
            continue
        if forgotten and time.time() - about.st_mtime < FORGOTTEN_S:
            continue
        found.append(Entry(path, about.st_size, 0.0 if forgotten else about.st_mtime, others))
    return found


def over(found: list[Entry], max_bytes: int) -> Iterator[Entry]:
    """Those unused for longest, until the rest are no more than so many bytes."""
    total = sum(entry.bytes for entry in found)
    for entry in sorted(found, key=lambda e: (e.used, e.path)):
        if total <= max_bytes:
            return
        total -= entry.bytes
        yield entry


# ---- What a run uses -----------------------------------------------------------------------------


@contextmanager
def held(*paths: Path) -> Iterator[None]:
    """Nobody removes these files meanwhile; the hold ends with this process, however it ends."""
    with ExitStack() as stack:
        try:
            for path in paths:
                stack.enter_context(_locked(path, fcntl.LOCK_SH))
        except FileNotFoundError as error:
            raise SynthError(f"{error.filename}: was removed meanwhile; run the same command again") from None
        yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    """A lock on a file that is there under its name."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, how)
        if path.stat().st_ino != os.fstat(handle).st_ino:
            raise FileNotFoundError(2, "replaced", str(path))
        yield
    finally:
        os.close(handle)

"""Row 6 and 16: a fault at the N-th operation on files, for every N until none is met.

Each try is a forked child in which one function of the system is replaced; the parent then runs undisturbed.
"""

from __future__ import annotations

import builtins
import errno
import itertools
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs import here

from chaos.table import Found, row
from synth4d import disk
from synth4d.errors import SynthError

UNMET, REFUSED, ESCAPED = 77, 78, 79
"""How a child ends: the fault never came; it ended in one line; something else escaped."""
OPERATIONS = ("open", "write", "fsync", "replace", "unlink", "mkdir")
ERRORS = (errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EDQUOT, errno.ENOSPC, errno.EFBIG)


class Fault:
    """Strikes at the N-th call of an operation."""

    def __init__(self, number: int, act: str | int) -> None:
        self.left, self.act, self.met = number, act, False

    def around(self, real: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left:
            return real(*args, **more)
        self.met = True
        if isinstance(self.act, int):
            raise OSError(self.act, os.strerror(self.act))
        try:
            if self.act == "after":
                real(*args, **more)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)


class Slow:
    """A file whose writes are counted, and cut in half by the blow."""

    def __init__(self, file: Any, fault: Fault) -> None:
        self._file, self._fault = file, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        if self._fault.left == 1:
            self._file.write(data[: len(data) // 2])
            self._file.flush()
        count: int = self._fault.around(self._file.write, data)
        return count

    def writelines(self, lines: list[bytes]) -> None:
        for data in lines:
            self.write(data)


def strike(operation: str, fault: Fault) -> None:
    """Replace an operation in this process; only files of the run's folder are written by `disk`."""
    if operation in ("open", "write"):

        def opened(path: Any, mode: str = "r", **more: Any) -> Any:
            if "x" not in mode:
                return builtins.open(path, mode, **more)
            if operation == "open":
                return fault.around(builtins.open, path, mode, **more)
            return Slow(builtins.open(path, mode, **more), fault)

        disk.open = opened  # type: ignore[attr-defined]
        return
    real = getattr(os, operation)
    setattr(os, operation, lambda *args, **more: fault.around(real, *args, **more))


def child(out: Path, operation: str, number: int, act: str | int) -> int:
    """The exit status of a run that meets the fault."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    code, fault = ESCAPED, Fault(number, act)
    try:
        strike(operation, fault)
        here(out)
        code = 0 if fault.met else UNMET
    except SynthError as error:
        code = REFUSED if "\n" not in str(error) else ESCAPED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def every(folder: Path, found: Found, operation: str, act: str | int, stride: int) -> None:
    for number in itertools.count(1, stride):
        out = folder / f"{operation}-{act}-{number}"
        status = child(out, operation, number, act)
        said = f"{operation} {number} {act}"
        code = os.waitstatus_to_exitcode(status)
        found.expect(code != ESCAPED, f"{said}: no error of ours")
        if code != UNMET:
            found.tries += 1
            found.expect(code == -signal.SIGKILL if isinstance(act, str) else code in (0, REFUSED), f"{said}: {code}")
        here(out)
        found.clean(out, said)
        if code == UNMET:
            return


@row("6", "killed before and after the N-th open, write, fsync, rename, unlink, mkdir, for every N", short=19, long=1)
def every_operation(folder: Path, tries: int, found: Found) -> None:
    """`tries` is the stride: 1 is every N."""
    for operation in OPERATIONS:
        for act in ("before", "after"):
            every(folder, found, operation, act, tries)


@row("16", "EIO, EROFS, EACCES, EMFILE, EDQUOT, ENOSPC, EFBIG at random operations", short=8, long=200)
def errors_of_the_system(folder: Path, tries: int, found: Found) -> None:
    chance = random.Random(16)
    for n in range(tries):
        out = folder / f"e{n}"
        operation, act, number = chance.choice(OPERATIONS), chance.choice(ERRORS), chance.randrange(1, 30)
        code = os.waitstatus_to_exitcode(child(out, operation, number, act))
        said = f"{operation} {number} {errno.errorcode[act]}"
        found.expect(code in (0, REFUSED, UNMET), f"{said}: exit {code}")
        here(out)
        found.clean(out, said)
        found.tries += code != UNMET

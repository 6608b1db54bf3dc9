"""The output folder of a run: its lock, what may already lie there, and where unfinished work is kept."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from synth4d import disk
from synth4d.config import RunConfig
from synth4d.errors import ConfigError, SynthError
from synth4d.records import JSON, DatasetRecord, dump
from synth4d.run.plan import Plan, SceneRef

OURS = re.compile(
    r"((dataset|run)\.json|(manifest|rejects|quarantine)\.jsonl|report\.html|README\.md|\.work|[a-z0-9_]+-\d{6,}\.(tar|idx))"
    rf"({re.escape(disk.TEMPORARY)}.*)?|replies\.sqlite(-wal|-shm)?"
)
"""What a run leaves in its folder, finished or killed."""
REPLIES = "replies.sqlite"
"""What a model said: it was paid for, and stays where all else is made anew."""


class Folder:
    """An output folder that this process alone writes to, for one plan."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out = out
        self.plan = plan
        self.work = out / ".work" / plan.digest[:16]

    @property
    def replies(self) -> Path:
        """Where a model's replies are kept."""
        named = self.plan.config.llm.store
        return Path(named) if named else self.out / REPLIES

    def finished(self) -> DatasetRecord | None:
        """The dataset.json of this very plan, if the folder is complete."""
        return _dataset(self.out)

    def begin(self) -> None:
        """Make room for unfinished shots and say which plan they belong to."""
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            disk.sweep(self.out)
            disk.sweep(self.work)
            disk.write_atomic(self.work / "plan.json", dump(_plan_record(self.plan)))
        except OSError as e:
            raise ConfigError(f"{self.out}: can't be written: {e.strerror}") from None

    def share(self, *paths: Path) -> None:
        """What is committed is where it is read: nothing more to do."""

    def recall(self, name: str, size: int) -> None:
        """Have a committed shard here, as `share` left it."""

    def clear(self) -> None:
        """Remove the unfinished work; a worker of a killed run may still write there, hence the tries."""
        for _ in range(5):
            shutil.rmtree(self.out / ".work", ignore_errors=True)
            if not (self.out / ".work").exists():
                return
        raise SynthError(f"{self.out / '.work'}: can't be removed; delete it by hand")


@contextmanager
def opened(out: Path, plan: Plan) -> Iterator[Folder]:
    """Lock the folder, refuse one that is not ours, and release it at the end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"{out}: can't be written: {e.strerror}; choose another --out") from None
    with locked(out):
        _refuse_foreign(out, plan)
        yield Folder(out, plan)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of a folder; SynthError where another run does."""
    try:
        handle = _lock(out)
    except OSError as e:
        raise ConfigError(f"{out}: can't be written: {e.strerror}; choose another --out") from None
    try:
        yield
    finally:
        # Left behind it holds nobody up: the lock itself ends with its handle.
        with suppress(OSError):
            (out / ".lock").unlink()
        os.close(handle)


def _lock(out: Path) -> int:
    """Take the folder's lock, which dies with this process; the file only says who holds it."""
    path = out / ".lock"
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 200, 0).decode(errors="replace").strip() or "an unknown process"
            os.close(handle)
            raise SynthError(
                f"{out}: another run ({owner}) is writing here; wait for it or choose another --out"
            ) from None
        # The former owner unlinks the file when it leaves: a lock on an unlinked file holds nothing.
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            break
        os.close(handle)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return handle


def _refuse_foreign(out: Path, plan: Plan) -> None:
    names = sorted(e.name for e in out.iterdir() if e.name != ".lock")
    ours = disk.DATASET in names or ".work" in names
    for name in names:
        if not OURS.fullmatch(name) or not (ours or name.startswith(REPLIES)):
            raise ConfigError(f"{out}: holds {name!r}, which is no dataset's; choose an empty folder for --out")
    found = _dataset(out)
    if found is not None:
        refuse_other(str(out), "the dataset", found.model_dump(), plan)
    for work in sorted((out / ".work").glob("*")) if found is None else []:
        if work.name != plan.digest[:16] and (other := _read_plan(work)) is not None:
            refuse_other(str(out), "an unfinished run", other, plan)


def refuse_other(where: str, what: str, found: JSON, plan: Plan) -> None:
    """ConfigError where what was found, a record with plan, config and versions, is of another plan."""
    if found["plan"] != plan.digest:
        why = _difference(found["config"], found["versions"], plan)
        raise ConfigError(f"{where}: holds {what} of another plan ({why}); choose another --out or delete it")


def _dataset(out: Path) -> DatasetRecord | None:
    path = out / disk.DATASET
    try:
        return DatasetRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise ConfigError(f"{path}: is not a dataset.json of synth4d; choose another --out") from None


def _plan_record(plan: Plan) -> JSON:
    """`run` is the whole config, with what is only of this run: for `synth4d ask`."""
    run = plan.config.model_dump(mode="json")
    return {"plan": plan.digest, "config": plan.record(), "versions": plan.versions, "run": run}


def unfinished(out: Path) -> Plan:
    """The plan of the run that was begun in a folder; ConfigError where there is none."""
    found = [r for r in map(_read_plan, sorted((out / ".work").glob("*"))) if r is not None]
    if len(found) != 1:
        raise ConfigError(f"{out}: holds no unfinished run; `synth4d dataset … --out {out}` begins one")
    try:
        config = RunConfig.model_validate(found[0]["run"])
        scenes = tuple(SceneRef(name, "", "") for name in found[0]["config"]["scenes"])
        return Plan(config, scenes, found[0]["versions"], found[0]["plan"])
    except (ValidationError, KeyError) as error:
        raise ConfigError(f"{out}/.work: is of another version of synth4d ({type(error).__name__})") from None


def _read_plan(work: Path) -> JSON | None:
    try:
        record: JSON = json.loads((work / "plan.json").read_bytes())
        return record
    except FileNotFoundError:
        return None  # killed before it had begun: nothing of that run is here


def _difference(config: JSON, versions: dict[str, str], plan: Plan) -> str:
    """The first thing that differs between that run and this one."""
    for old, new in ((config, plan.record()), (versions, plan.versions)):
        for key in sorted((old.keys() | new.keys()) - {"limits"}):
            if old.get(key) != new.get(key):
                return f"{key}: {_short(old.get(key))} there, {_short(new.get(key))} here"
    return "it differs"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."

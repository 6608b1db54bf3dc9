"""A dataset written to an object store: data first, then the lists, dataset.json last; nothing there is renamed.

The run works in a local folder as ever, and puts what it has committed beneath the URL: each shard and its index, then
its record of commitment. Whoever gives the same command goes on from those records, here or on another machine. The
store's lock is an object that its owner writes anew every few seconds; one that has stood still is taken over.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synth4d import disk
from synth4d.errors import ConfigError, ShardError, SynthError
from synth4d.records import DatasetRecord
from synth4d.run import folder as folders
from synth4d.run import shelf
from synth4d.run.folder import Folder
from synth4d.run.plan import Plan

BEAT_S, STALE_S = 10.0, 60.0
"""How often the owner of a lock says that it lives, and after how long without that it is taken for dead."""
LOCK = ".lock"
RECORDS = (".done", ".blind")
"""Of what was committed, and of what the blind probe dropped: small, and enough to go on from elsewhere."""


class Store:
    """What lies beneath a URL, by name. ShardError where the store fails."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url.rstrip("/")
        try:
            self._fs, self._root = fsspec.url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"can't write to {url}: {error}; `pip install 'synth4d[remote]'` has s3") from None

    @contextmanager
    def _said(self, name: str) -> Iterator[str]:
        try:
            yield f"{self._root}/{name}"
        except FileExistsError:
            raise
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise ShardError(f"{self.url}/{name}: the store failed ({said}); run the same command again") from None

    def read(self, name: str) -> bytes | None:
        with self._said(name) as path, suppress(FileNotFoundError):
            data: bytes = self._fs.cat_file(path)
            return data
        return None

    def write(self, name: str, data: bytes, *, new: bool = False) -> None:
        """Put an object; `new`: FileExistsError where there is one."""
        with self._said(name) as path:
            if new and self._fs.exists(path):  # for stores that know no conditional write
                raise FileExistsError(path)
            self._fs.pipe_file(path, data, mode="create" if new else "overwrite")

    def put(self, local: Path, name: str) -> None:
        with self._said(name) as path:
            self._fs.put_file(str(local), path)

    def fetch(self, name: str, local: Path) -> None:
        with self._said(name) as path, disk.atomic(local) as file, self._fs.open(path, "rb") as there:
            while chunk := there.read(1 << 20):
                file.write(chunk)

    def names(self, under: str = "") -> list[str]:
        with self._said(under) as path:
            try:
                found = self._fs.find(path.rstrip("/"))
            except FileNotFoundError:
                return []
        return sorted(p[len(self._root) + 1 :] for p in found)

    def size(self, name: str) -> int | None:
        with self._said(name) as path, suppress(FileNotFoundError):
            return int(self._fs.info(path)["size"])
        return None

    def changed(self, name: str) -> float | None:
        """When an object was written, seconds of the store's own clock."""
        with self._said(name) as path, suppress(FileNotFoundError):
            return float(self._fs.modified(path).timestamp())
        return None

    def remove(self, name: str) -> None:
        with self._said(name) as path, suppress(FileNotFoundError):
            self._fs.rm_file(path)


# ---- The lock ------------------------------------------------------------------------------------


class Lease:
    """The store's lock, held until `release`. `check` raises once another run has taken it over."""

    def __init__(self, store: Store) -> None:
        self._store, self._token = store, f"pid {os.getpid()} on {socket.gethostname()}, {secrets.token_hex(8)}"
        self._lost, self._over = False, threading.Event()
        self._take()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        try:
            self._store.write(LOCK, self._token.encode(), new=True)
            return
        except FileExistsError:
            owner = (self._store.read(LOCK) or b"").decode(errors="replace")
        age = self._age()
        if age is not None and age < STALE_S:
            raise SynthError(
                f"{self._store.url}: another run ({owner.partition(',')[0]}) is writing here, it said so {age:.0f} s "
                f"ago; wait for it (if it is dead, for {STALE_S:.0f} s) or choose another --out"
            )
        self._store.write(LOCK, self._token.encode())
        if self._store.read(LOCK) != self._token.encode():
            raise SynthError(f"{self._store.url}: another run took the lock at the same time; run the command again")

    def _age(self) -> float | None:
        """Seconds since the lock was written, by the store's own clock."""
        probe = f"{LOCK}-{secrets.token_hex(4)}"
        self._store.write(probe, b"")
        now, then = self._store.changed(probe), self._store.changed(LOCK)
        self._store.remove(probe)
        return None if now is None or then is None else now - then

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            try:
                if self._store.read(LOCK) != self._token.encode():
                    self._lost = True
                    return
                self._store.write(LOCK, self._token.encode())
            except ShardError:
                continue  # the store is away: the run itself will say so

    def check(self) -> None:
        if self._lost:
            raise SynthError(
                f"{self._store.url}: another run took this one for dead and goes on here; it is left to that"
            )

    def release(self) -> None:
        self._over.set()
        self._thread.join()
        with suppress(ShardError):
            if self._store.read(LOCK) == self._token.encode():
                self._store.remove(LOCK)


# ---- The folder of a run -------------------------------------------------------------------------


class RemoteFolder(Folder):
    """A run's local folder, what is committed in which is put beneath a URL."""

    def __init__(self, out: Path, plan: Plan, store: Store, lease: Lease) -> None:
        super().__init__(out, plan)
        self._store, self._lease = store, lease
        self._there = f".work/{plan.digest[:16]}"

    def finished(self) -> DatasetRecord | None:
        raw = self._store.read(disk.DATASET)
        return None if raw is None else DatasetRecord.model_validate_json(raw)

    def begin(self) -> None:
        super().begin()
        there = {name for name in self._store.names(self._there) if name.endswith(RECORDS)}
        here = {f"{self._there}/{path.name}" for path in self.work.iterdir() if path.name.endswith(RECORDS)}
        for name in here - there:  # what was not put is not committed
            disk.remove(self.out / name)
        for name in sorted(there - here):
            self._store.fetch(name, self.out / name)
        self._store.put(self.work / "plan.json", f"{self._there}/plan.json")

    def share(self, *paths: Path) -> None:
        self._lease.check()
        for path in paths:
            self._store.put(path, str(path.relative_to(self.out)))

    def recall(self, name: str, size: int) -> None:
        """Have a shard here that was put there, for the page and for the next look at it."""
        if not (self.out / name).exists() and self._store.size(name) == size:
            self._store.fetch(name, self.out / name)

    def clear(self) -> None:
        for name in self._store.names(self._there):
            self._store.remove(name)
        super().clear()


@contextmanager
def opened(url: str, plan: Plan) -> Iterator[RemoteFolder]:
    """Lock what lies beneath the URL, refuse what is not this plan's, and go on from what is there."""
    store = Store(url)
    _refuse_foreign(store, plan)
    lease = Lease(store)
    try:
        with folders.opened(local(url), plan) as folder:
            yield RemoteFolder(folder.out, plan, store, lease)
        shutil.rmtree(local(url), ignore_errors=True)
    finally:
        lease.release()


def local(url: str) -> Path:
    """The local folder of a run that writes there."""
    return shelf.place("runs") / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:24]


def _refuse_foreign(store: Store, plan: Plan) -> None:
    names = store.names()
    for name in names:
        if not folders.OURS.fullmatch(name.partition("/")[0]) and not name.startswith(LOCK):
            raise ConfigError(f"{store.url}: holds {name!r}, which is no dataset's; choose an empty prefix for --out")
    if (raw := store.read(disk.DATASET)) is not None:
        folders.refuse_other(store.url, "the dataset", DatasetRecord.model_validate_json(raw).model_dump(), plan)
    for work in sorted({n.split("/")[1] for n in names if n.startswith(".work/")} - {plan.digest[:16]}):
        if raw is None and (other := store.read(f".work/{work}/plan.json")) is not None:
            folders.refuse_other(store.url, "an unfinished run", json.loads(other), plan)

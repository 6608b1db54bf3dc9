"""Every reply that was ever paid for, under the hash of its request: sqlite, one file.

A reply is on the device before anyone sees it (WAL, `synchronous=FULL`); replies that arrive together share one
commit. Each row carries the sha256 of its key and its bytes: a row that doesn't match is taken out and asked again.
Several processes of one machine may share a file: the first reply to a request stands, and all of them use it.
WAL needs a disk of this machine, not of the network (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from synth4d.errors import ModelError
from synth4d.llm.reply import Reply
from synth4d.records import dump

TABLE = """CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, status INTEGER NOT NULL, reply BLOB NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID"""
# A reply that says the request is wrong gives way: the server may have been mended since.
PUT = """INSERT INTO replies VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET status = excluded.status, reply = excluded.reply, digest = excluded.digest WHERE replies.status <> 200"""
BUSY_S = 60.0


class Store:
    """The reply store at `path`, created where there is none; with `offline` it is only read."""

    def __init__(self, path: Path, *, offline: bool = False) -> None:
        self.path, self.offline = path, offline
        self.damaged = 0
        """Rows that didn't match their digest."""
        self._waiting: list[tuple[str, Reply, asyncio.Future[Reply]]] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="reply-store")
        self._writing: asyncio.Future[list[Reply]] | None = None
        with self._errors():
            self._read = self._connect()
            self._write = self._read if offline else self._connect()

    def _connect(self) -> sqlite3.Connection:
        if not self.offline:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            mode = "rwc"
        else:
            # In a folder that can't be written to there is no place for the files of a WAL.
            mode = "ro" if os.access(self.path.parent, os.W_OK) else "ro&immutable=1"
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        base = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        if not self.offline:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = FULL")
            base.execute(TABLE)
        return base

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = "it must be there to replay" if self.offline else "make room, or move a damaged file away"
            raise ModelError(f"the reply store {self.path} can't be used: {error}; {hint}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is being written, and let go of the file."""
        self._writer.shutdown()
        self._read.close()
        self._write.close()

    # ---- Reading ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        with self._errors():
            return int(self._read.execute("SELECT count(*) FROM replies").fetchone()[0])

    def get(self, key: str, *, only_good: bool = False) -> Reply | None:
        """The reply of a request. `only_good`: not one that says the request is wrong, so that it is asked again."""
        with self._errors():
            row = self._read.execute("SELECT reply, digest FROM replies WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            if (reply := _checked(key, *row)) is None:
                self.damaged += 1
                if not self.offline:
                    self._read.execute("DELETE FROM replies WHERE key = ? AND digest IS ?", (key, row[1]))
                return None
        return None if only_good and reply.status != 200 else reply

    # ---- Writing ---------------------------------------------------------------------------------

    def put_all(self, rows: Sequence[tuple[str, Reply]]) -> list[Reply]:
        """Store replies in one commit; the ones that stand, which are another's where it was there first."""
        with self._errors():
            self._write.execute("BEGIN IMMEDIATE")
            try:
                standing = [self._put(key, reply) for key, reply in rows]
                self._write.execute("COMMIT")
            except BaseException:
                if self._write.in_transaction:
                    self._write.execute("ROLLBACK")
                raise
        return standing

    def _put(self, key: str, reply: Reply) -> Reply:
        data = dump(reply)
        changed = self._write.execute(PUT, (key, reply.status, data, _digest(key, data))).rowcount
        if changed:
            return reply
        row = self._write.execute("SELECT reply, digest FROM replies WHERE key = ?", (key,)).fetchone()
        return _checked(key, *row) or reply

    async def put(self, key: str, reply: Reply) -> Reply:
        """Store a reply together with all others that wait; it is on the device when this returns."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, reply, future))
        if self._writing is None:
            self._start()
        # A caller that is cancelled leaves its reply to be stored.
        return await asyncio.shield(future)

    async def flushed(self) -> None:
        """Wait until nothing waits to be stored."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _start(self) -> None:
        """Have the writer's thread store what waits. By callbacks: a loop that stops cancels every task, even one
        that has not begun, and what came from the server would be lost."""
        now, self._waiting = self._waiting, []
        rows = [(key, reply) for key, reply, _ in now]
        self._writing = asyncio.get_running_loop().run_in_executor(self._writer, self.put_all, rows)
        self._writing.add_done_callback(partial(self._written, [future for *_, future in now]))

    def _written(self, futures: Sequence[asyncio.Future[Reply]], written: asyncio.Future[list[Reply]]) -> None:
        self._writing = None
        if (error := written.exception()) is not None:
            for future in futures:
                future.set_exception(error)
                future.exception()  # seen, even if its caller has gone
        else:
            for future, standing in zip(futures, written.result(), strict=True):
                future.set_result(standing)
        if self._waiting:
            self._start()


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + data).digest()


def _checked(key: str, data: object, digest: object) -> Reply | None:
    if not isinstance(data, bytes) or _digest(key, data) != digest:
        return None
    return Reply.model_validate_json(data)

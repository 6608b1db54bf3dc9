"""The same calls through files: lines of OpenAI's Batch API out, its results in, in as many rounds as it takes.

A round writes the next request of every call that has no outcome yet; what comes back goes into the store; the next
round writes what was missing, failed, or has to be asked anew. A live run, or an offline one, then finds it all there.
Format: https://platform.openai.com/docs/guides/batch (vLLM's `run_batch` reads the same).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synth4d import disk
from synth4d.errors import ModelError
from synth4d.llm.call import Call, Request, go_on, walk
from synth4d.llm.faults import WRONG_REQUEST
from synth4d.llm.reply import Garbled, Reply, from_object, refused
from synth4d.llm.settings import Endpoint
from synth4d.llm.store import Store
from synth4d.records import dump

URL = "/v1/chat/completions"
KEY = re.compile(r"[0-9a-f]{64}")
TOGETHER = 1000
"""Rows of one commit."""


@dataclass(slots=True)
class Taken:
    """What a file of results held."""

    stored: int = 0
    again: Counter[str] = field(default_factory=Counter)
    """Lines that hold no reply, by reason; the next round asks for them again."""


def write(calls: Iterable[Call[Any]], endpoint: Endpoint, store: Store, path: Path) -> int:
    """Write the requests that stand between these calls and their outcomes; how many it was. 0: all have one."""
    written = set[str]()
    with disk.atomic(path) as file:
        for call in calls:
            found = go_on(walk(call, endpoint), None, lambda request: store.get(request.key))
            if isinstance(found, Request) and found.key not in written:
                line = {"custom_id": found.key, "method": "POST", "url": URL, "body": found.body}
                file.write(dump(line) + b"\n")
                written.add(found.key)
    return len(written)


def read(path: Path, store: Store) -> Taken:
    """Take a file of results, or of errors, into the store: in any order, incomplete, with lines that failed."""
    taken = Taken()
    rows: list[tuple[str, Reply]] = []
    for line in _lines(path):
        try:
            rows.append(_row(line))
        except _NoReply as reason:
            taken.again[str(reason)] += 1
        if len(rows) == TOGETHER:
            taken.stored += _store(rows, store)
            rows = []
    taken.stored += _store(rows, store)
    return taken


class _NoReply(Exception):
    pass


def _lines(path: Path) -> Iterable[bytes]:
    try:
        with open(path, "rb") as file:
            yield from (line for line in file if line.strip())
    except OSError as error:
        raise ModelError(f"can't read the batch's results {path}: {error.strerror or error}") from None


def _row(line: bytes) -> tuple[str, Reply]:
    """A line as the store has it; _NoReply says why it is asked again."""
    try:
        result = json.loads(line)
        key, response, error = result["custom_id"], result.get("response"), result.get("error")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _NoReply("damaged line") from None
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise _NoReply("foreign custom_id")
    if not isinstance(response, dict):
        code = error.get("code") if isinstance(error, dict) else None
        raise _NoReply(str(code or "no response")[:60])
    status, body = response.get("status_code"), response.get("body")
    if status in WRONG_REQUEST:
        return key, refused(status, _message(body))
    if status != 200:
        raise _NoReply(f"http {status}"[:60])
    try:
        return key, from_object(body)
    except Garbled:
        raise _NoReply("garbled") from None


def _message(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else json.dumps(body)[:1000]


def _store(rows: list[tuple[str, Reply]], store: Store) -> int:
    """How many of the rows are new."""
    fresh = {key: reply for key, reply in reversed(rows) if store.get(key) is None}
    store.put_all(list(fresh.items()))
    return len(fresh)

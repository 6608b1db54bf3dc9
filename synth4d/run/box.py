"""A box: named parts in one file that appears whole or not at all and proves its own bytes.

Layout: `synth4d-box 1 <sha256>\\n`, then a JSON line {"head": …, "parts": [[name, size], …]}, then the parts.
The sha256 covers everything after the first line.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from synth4d import disk
from synth4d.records import JSON, dump

MAGIC = b"synth4d-box 1 "


def write(path: Path, head: JSON, parts: dict[str, bytes], *, lasting: bool = True) -> None:
    """`lasting` False: what a power cut would lose is made again, so it is not waited for."""
    names = sorted(parts)
    body = [
        dump({"head": head, "parts": [[n, len(parts[n])] for n in names]}),
        b"\n",
        *(parts[n] for n in names),
    ]
    digest = hashlib.sha256()
    for chunk in body:
        digest.update(chunk)
    with disk.atomic(path, lasting=lasting) as file:
        file.writelines([MAGIC + digest.hexdigest().encode() + b"\n", *body])


def read(path: Path) -> tuple[JSON, dict[str, bytes]] | None:
    """Head and parts, or None when there is no such file or its bytes are not what was written."""
    try:
        return unpacked(path.read_bytes())
    except FileNotFoundError:
        return None


def unpacked(raw: bytes) -> tuple[JSON, dict[str, bytes]] | None:
    """Head and parts of a box's bytes, or None when they are not what was written."""
    begin = raw.find(b"\n") + 1
    if raw[:begin] != MAGIC + hashlib.sha256(memoryview(raw)[begin:]).hexdigest().encode() + b"\n":
        return None
    at = raw.index(b"\n", begin) + 1
    table = json.loads(raw[begin:at])
    parts = dict[str, bytes]()
    for name, size in table["parts"]:
        parts[name] = raw[at : at + size]
        at += size
    return table["head"], parts

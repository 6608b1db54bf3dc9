"""Rows that tests of their own hold: each is run, and its failures are its violations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from runs import HERE, PATH

from chaos.table import Found, row

HELD = {
    "13": ("a renderer gives NaN, black or wrong sizes: refused with the reason", "test_render_choose.py"),
    "31": ("hostile tars", "test_tar.py -k hostile"),
    "35": ("a store that resets, lies, ignores ranges; 200 shards", "test_stream_remote.py"),
    "36–40": (
        "a model's server on bad days: faults, limits, outages, unfit replies",
        "test_llm_outage.py test_llm_door.py",
    ),
    "41": ("kill -9 while a model is asked: only what was in flight is asked again", "test_llm_outage.py -k killed"),
    "42": ("offline replay: no socket, a miss is an error", "test_llm_door.py -k offline"),
    "46": (
        "ties, refusals, one vote, a contradicting world: counts add up",
        "test_filter.py test_votes.py",
    ),
    "47": ("no key in any file, log, error or process", "test_llm_door.py test_author_run.py -k key"),
    "48": ("hostile words in reports and prompts", "test_cli.py test_votes.py -k hostile_words or labels_are"),
    "52": ("a dataset of the first version is read, of another refused", "test_upgrade.py"),
}


def held(number: str, what: str, tests: str) -> None:
    @row(number, what, short=0, long=1)
    def tested(folder: Path, tries: int, found: Found) -> None:
        files, _, words = tests.partition(" -k ")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *(f"{HERE}/{f}" for f in files.split())]
        command += ["-k", words] if words else []
        env = os.environ | {"PYTHONPATH": PATH}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        counts = {what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|error|skipped)", done.stdout)}
        found.tries = sum(counts.get(w, 0) for w in ("passed", "failed", "error"))
        found.violations += [text for text in done.stdout.splitlines() if text.startswith(("FAILED", "ERROR"))]
        found.expect(found.tries, f"no test ran: {done.stdout[-200:]}")
        found.note = f"`{tests}`" + (f", {counts['skipped']} skipped" if "skipped" in counts else "")


for number, (what, tests) in HELD.items():
    held(number, what, tests)

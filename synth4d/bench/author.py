"""A model as author, of whose replies half are malformed, hostile or say one thing and compute another: none is kept.

The author is the tests' script (`tests/llm_author.py`), behind a server on loopback, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

LOAD = Path(__file__).resolve().parents[2] / "tests" / "author_load.py"
ASKED = 1000


def run() -> dict[str, dict[str, object]]:
    """No figures, and a line that says why, without the llm extra or outside a checkout."""
    missing = [name for name in ("openai", "aiohttp") if find_spec(name) is None]
    if missing or not LOAD.is_file():
        print(f"  the author is not measured: {missing[0] if missing else LOAD} is missing")
        return {}
    done = subprocess.run([sys.executable, str(LOAD), str(ASKED)], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    print(f"  rejected: {', '.join(f'{reason} {count}' for reason, count in found['reasons'].items())}")
    asked = f"of {found['asked']}"
    return {
        "author_kept": _row(found["kept"], asked),
        "author_rejected": _row(found["rejected"], asked),
        "author_lies_kept": _row(found["lies_kept"] + found["false_kept"], f"of {found['lies_told']} told"),
        "author_bad_replies": _row(found["bad_replies"], f"of {found['replies']}"),
        "author_speed": _row(found["asked"] / found["seconds"], "questions/s"),
        "author_memory": _row(found["mb"], "MB"),
    }


def _row(value: float, unit: str) -> dict[str, object]:
    return {"value": round(value, 2), "unit": unit, "against": None, "ratio": None}

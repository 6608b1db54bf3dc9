from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from chaos import contents, guests, held, hostiles, kills, operations, places, shards, surroundings  # noqa: F401  (declare the rows)
from chaos.table import HEAD, ROWS, line, run

INTRODUCTION = """# What is done to runs, and what they make of it

`make chaos` disturbs runs, readers and files in every way below and counts what was not as promised: every planned shot
committed once or quarantined with its reason, every shard as its manifest says, the digest of an undisturbed run, one
line of error, no process and no temporary file left. The numbers of the rows are only names. With 0 violations in N
tries the chance of one is below 3/N with 95 % confidence. Rows with few tries are also in `make test`, in a short form.

"""


def order(number: str) -> int:
    return int(number.partition("–")[0])


def write(path: Path, number: str, said: str) -> None:
    """Put a row's line into the table of a file; those of rows that were not run stay."""
    old = path.read_text().splitlines() if path.exists() else []
    lines = {text.split("|")[1].strip(): text for text in old if text[:3].removeprefix("| ").isdigit()}
    lines[number] = said
    rows = [lines[n] for n in sorted(lines, key=order)]
    path.write_text(INTRODUCTION + "\n".join([HEAD, *rows]) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description="disturb runs in every way of the fault matrix")
    parser.add_argument("rows", nargs="*", help="numbers of rows; all if none is given")
    parser.add_argument("--short", action="store_true", help="few tries, as in the tests")
    parser.add_argument("--write", type=Path, help="put the rows into the table of this file")
    given = parser.parse_args()
    rows = [r for r in sorted(ROWS, key=lambda r: order(r.number)) if not given.rows or r.number in given.rows]
    if unknown := sorted(set(given.rows) - {r.number for r in rows}):
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(r.number for r in rows)}")
    print(HEAD, flush=True)
    broken = 0
    for row in rows:
        tries = row.short if given.short else row.long
        if not tries:
            continue
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            found, seconds = run(row, tries, Path(folder))
        print(said := line(row, found, seconds), flush=True)
        if given.write:
            write(given.write, row.number, said)
        broken += len(found.violations)
        for violation in found.violations[:10]:
            print(f"  row {row.number}: {violation}", file=sys.stderr, flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""`synth4d stats DIR --blind`: what is guessed from the text alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from synth4d import dataset
from synth4d.filter import blind, pool

LETTERS = "ABCDEFGH"


def report(folder: Path, to: Path | None) -> int:
    """Print a row a kind; the guesser's folds are drawn from the dataset's own seed, apart from the run's."""
    kept, dropped = pool.read(folder)
    seed = int(dataset.read_dataset(folder).config["seed"]) + 1
    after = blind.measure(kept, seed=seed)
    before = {(r.kind, r.form): r for r in (blind.measure(kept + dropped, seed=seed) if dropped else after)}
    table = Table("kind", "answered by", "n", "chance", "guessed", "95 %", "gap", "gap before", "right option",
                  box=None, pad_edge=False)  # fmt: skip
    for row in after:
        was = before[row.kind, row.form]
        table.add_row(
            row.kind, row.form, str(row.n), _percent(row.chance), _percent(row.guessed),
            f"{_percent(row.low)}–{_percent(row.high)}", _gap(row), _gap(was), _places(row),
            style="bold" if row.leaks else "",
        )  # fmt: skip
    Console(highlight=False, width=150).print(table)
    print("bold: guessed more often than by chance, beyond doubt. Few questions: wide intervals.")
    if to is not None:
        rows = [_json(r, before[r.kind, r.form]) for r in after]
        to.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    return 0


def _json(row: blind.Row, before: blind.Row) -> dict[str, Any]:
    was = {"n_before": before.n, "guessed_before": before.guessed, "gap_before": before.gap}
    return {**asdict(row), "gap": row.gap, **was}


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _gap(row: blind.Row) -> str:
    return f"{100 * row.gap:+.1f}"


def _places(row: blind.Row) -> str:
    """Shares of the letters of the right option, and of its rank among numbers."""
    said = []
    for names, counts in ((LETTERS, row.letters), ("1234567", row.ranks)):
        total = sum(counts)
        if total:
            said.append(" ".join(f"{n} {100 * c / total:.0f}" for n, c in zip(names, counts, strict=False)))
    return " · ".join(said)

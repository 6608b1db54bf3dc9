"""`synth4d stats DIR --blind text|openai`: what is guessed from the text alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from synth4d import dataset, seeds
from synth4d.dataset import Where
from synth4d.errors import ConfigError, TryLater
from synth4d.filter import blind, blind_model, pool
from synth4d.filter.guess import Guess, Item

LETTERS = "ABCDEFGH"


def by_words(folder: Where, to: Path | None) -> int:
    """By the classifier; its folds are drawn from the dataset's own seed, apart from the run's."""
    seed = int(dataset.read_dataset(folder).config["seed"])
    return _report(folder, to, blind.by_words(seeds.seed(seed, "stats")))


def by_model(folder: Where, to: Path | None, model: str, base_url: str, replies: Path) -> int:
    """By a model that has the words only."""
    from synth4d.llm import Door, Endpoint, hold

    if not model:
        raise ConfigError("--blind openai needs --model, and --base-url unless it is OpenAI's")
    try:
        endpoint = Endpoint(model=model, base_url=base_url)
    except ValidationError as error:
        raise ConfigError(f"--base-url: {error.errors()[0]['msg']}") from None
    with Door(endpoint, replies, rng=seeds.rng("blind", "waits")) as door:

        def guessing(items: Sequence[Item]) -> list[list[Guess]]:
            found = [end for end in hold([blind_model.guess(items)], door.ask) if isinstance(end, list)]
            if not found:
                raise TryLater(f"{base_url}: no reply to some questions; the same command goes on from {replies}")
            return [[g] for g in found[0]]

        return _report(folder, to, guessing)


def _report(folder: Where, to: Path | None, guessing: blind.Guessing) -> int:
    """Print a row a kind."""
    kept, dropped = pool.read(folder)
    after = blind.measure(kept, guessing)
    before = {(r.kind, r.form): r for r in (blind.measure(kept + dropped, guessing) if dropped else after)}
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

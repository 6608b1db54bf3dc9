"""Runs the benchmark modules of this package and prints their figures."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

import synth4d.bench
from synth4d.errors import ConfigError

Results = dict[str, dict[str, Any]]
"""{name: {"value", "unit", "against", "ratio"}}; `against` names the baseline that `ratio` is a ratio to."""


def modules() -> dict[str, Callable[[], Results]]:
    """Every module here with a `run()`, by name."""
    found = {}
    for info in pkgutil.iter_modules(synth4d.bench.__path__):
        if info.name == "main":
            continue
        module = importlib.import_module(f"synth4d.bench.{info.name}")
        if hasattr(module, "run"):
            found[info.name] = module.run
    return found


def measure(names: tuple[str, ...]) -> Results:
    """Run the named modules (all if none) and print a row a figure as it comes."""
    benches = modules()
    if unknown := sorted(set(names) - benches.keys()):
        raise ConfigError(f"unknown benchmark {unknown[0]!r}; choices: {', '.join(sorted(benches))}")
    console, results = Console(highlight=False), Results()
    for name in sorted(names or benches):
        console.print(f"[dim]{name} …[/]")
        found = benches[name]()
        results |= found
        table = Table(box=None, show_header=False, pad_edge=False)
        for figure, row in found.items():
            ratio = row.get("ratio")
            against = f"{ratio:g} × {row['against']}" if ratio is not None else str(row.get("against") or "")
            table.add_row(f"  {figure}", f"{row['value']:g} {row['unit']}", against)
        console.print(table)
    return results

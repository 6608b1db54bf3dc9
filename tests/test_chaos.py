"""The fault matrix in its short form; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import contents, guests, held, hostiles, kills, operations, places, shards, surroundings  # noqa: F401  (declare the rows)
from chaos.table import ROWS, Row, line, run

from synth4d.run import plan


@pytest.mark.parametrize("row", [r for r in ROWS if r.short], ids=lambda r: f"row-{r.number}")
def test_a_row_has_no_violation(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "code_versions", plan.code_versions)  # the row's own version ends with the test
    found, seconds = run(row, row.short, tmp_path)
    if found.skipped:
        pytest.skip(found.skipped)
    print(line(row, found, seconds))
    assert not found.violations
    assert found.tries

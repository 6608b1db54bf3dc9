"""What a person sees: counts that end where they should, on a terminal and in a log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from synth4d.run import progress
from synth4d.run.progress import Bars, Lines, Tally
from synth4d.run.work import STAGES, Clock, Totals


def through(log: Path, times: int = 1) -> None:
    """What a worker notes of a shot that passes every stage, some of them again at a later attempt."""
    clock = Clock(log)
    for _ in range(times):
        for stage in STAGES:
            with clock.stage(stage):
                pass


def test_every_stage_ends_at_the_number_of_shots_whatever_became_of_them(tmp_path: Path) -> None:
    tally = Tally(4, tmp_path / "log")
    tally.known(Totals(shots=1, kept=3, rejected=1), 0)  # of an earlier run
    through(tmp_path / "log", times=3)
    tally.add(Totals(shots=1, kept=5, rejected=1), 0)
    tally.add(Totals(), 1)  # quarantined
    through(tmp_path / "log")
    tally.add(Totals(shots=1), 0)
    tally.tick()
    assert tally.finished == 4
    assert set(tally.stages.values()) == {4}
    assert tally.share() == "80% kept"


def test_a_line_cut_by_reading_too_early_is_counted_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tally = Tally(9, log)
    for part in (b"simu", b"late\nren", b"der\n", b"nonsense\n\xff\n"):
        with log.open("ab") as f:
            f.write(part)
        tally.tick()
    assert (tally.stages["simulate"], tally.stages["render"]) == (1, 1)


def test_lines_say_shots_share_and_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    out = io.StringIO()
    tally, lines = Tally(4, tmp_path / "log"), Lines(out)
    lines.update(tally)
    tally.add(Totals(shots=1, kept=3, rejected=1), 1)
    lines.update(tally)
    said = out.getvalue().splitlines()
    assert said[0].startswith("0/4 shots") and "ETA" not in said[0]
    assert said[1].startswith("2/4 shots · 75% kept · 1 quarantined · ETA")


def test_bars_show_one_row_a_stage_and_the_commit(tmp_path: Path) -> None:
    out = io.StringIO()
    bars = Bars(4, Console(file=out, force_terminal=True, width=120))
    tally = Tally(4, tmp_path / "log")
    tally.add(Totals(shots=3, kept=3, rejected=1), 1)
    bars.update(tally)
    bars.close()
    shown = out.getvalue()
    assert all(name in shown for name in (*STAGES, "commit", "4/4", "75% kept", "1 quarantined"))

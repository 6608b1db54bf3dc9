"""Every kind has an example, and says which margins it keeps; the commands print it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facts_maker import kitchen

from synth4d import cli
from synth4d.ask import KINDS, ask, catalogue
from synth4d.program import margins, parse, rules


def test_every_kind_has_an_example() -> None:
    """After a new kind run tests/golden/regenerate.py: it chooses clips that have it."""
    assert set(catalogue.examples()) == set(KINDS)


def test_the_command_prints_every_kind_in_two_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ask", "--kinds"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in KINDS) and "no example" not in said
    assert said.count("\n  en  ") == said.count("\n  zh  ") >= len(KINDS)
    assert cli.run(["ask"]) == 2


END = {"op": "end"}
NEAREST = {"op": "nearest", "to": {"op": "camera"}, "of": {"op": "filter"}, "at": END}
SEEN = {"op": "count", "of": {"op": "visible", "of": {"op": "filter"}, "at": END}}


@pytest.mark.parametrize(
    ("program", "names"),
    [
        (NEAREST, {"NEARER_M", "NEARER_SHARE"}),
        (SEEN, {"VISIBLE_SHARE", "VISIBLE_PIXELS", "OCCLUDED"}),
        ({"op": "count", "of": {"op": "filter"}}, set()),
    ],
)
def test_margins_are_read_off_the_operations(program: object, names: set[str]) -> None:
    assert set(rules.margins_of(parse(program))) == names


def test_every_margin_is_explained() -> None:
    unsaid = {name for name in vars(margins) if name.isupper()} - set(rules.said())
    assert all(name.startswith("AGREE") for name in unsaid)


def test_a_wider_margin_refuses_only_where_it_is_consulted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A margin that a kind does not list has no say in its answers."""
    facts, camera, _ = kitchen(0, "dynamic")
    questions = ask(facts, camera, rng=np.random.default_rng(0), total=30)
    from synth4d.program import execute

    for name in ("NEARER_M", "SECTOR_DEG", "DEPTH_GAP_M", "PICTURE_SHARE", "SIZE_SHARE"):
        monkeypatch.setattr(margins, name, 40.0)
        for q in questions:
            if name not in rules.margins_of(parse(q.turns[0].program)):
                assert getattr(execute(q.turns[0].program, facts, camera), "value", None) == q.turns[0].answer.value
        monkeypatch.undo()


def test_blind_stats_of_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from synth4d import run
    from synth4d.config import load

    sets = ("shots=3", "frames=8", "width=96", "height=64", "questions=10", "blind.probe=text", "renderer=splat")
    run.dataset(load(None, {"scenes": ["toy"]}, sets), tmp_path / "d", workers=0, quiet=True)
    assert cli.run(["stats", str(tmp_path / "d"), "--blind", "text", "--json", str(tmp_path / "rows.json")]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())
    said = capsys.readouterr().out
    assert rows and all(row["kind"] in said and 0 <= row["low"] <= row["high"] <= 1.0001 for row in rows)
    assert cli.run(["stats", str(tmp_path / "d"), "--json", str(tmp_path / "x.json")]) == 2
    assert cli.run(["stats", str(tmp_path / "d"), "--blind", "openai"]) == 2

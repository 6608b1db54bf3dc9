"""A config is what its file and options say, or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth4d import config
from synth4d.errors import ConfigError

PIPELINES = Path(__file__).parents[1] / "pipelines"


def refused(tmp_path: Path, text: str | bytes, *sets: str) -> str:
    path = tmp_path / "run.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, {}, sets)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    assert caught.value.exit_code == 2
    return message


@pytest.mark.parametrize("path", sorted(PIPELINES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_pipeline_is_a_valid_config(path: Path) -> None:
    assert config.load(path, {}).scenes


def test_options_win_over_the_file_and_set_over_both(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("shots: 3\nseed: 5\nmix: {dynamic: 2, twin: 1}\n")
    got = config.load(path, {"shots": 7}, ("shots=9", "mix.twin=0"))
    assert (got.shots, got.seed, got.mix.dynamic, got.mix.twin) == (9, 5, 2, 0)


def test_an_unknown_key_names_file_line_and_choices(tmp_path: Path) -> None:
    message = refused(tmp_path, "seed: 1\nshotz: 3\n")
    assert "run.yaml:2" in message and "shotz" in message and "shots" in message


def test_a_nested_unknown_key_names_the_choices_of_its_place(tmp_path: Path) -> None:
    message = refused(tmp_path, "mix:\n  dynamic: 1\n  twins: 1\n")
    assert "run.yaml:3" in message and "control, dynamic, static, twin" in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("shots: 0\n", "run.yaml:1"),
        ("shots: '16'\n", "integer"),
        ("shots: true\n", "integer"),
        ("fps: .nan\n", "finite"),
        ("fps: .inf\n", "finite"),
        ("width: 385\n", "multiple of 2"),
        ("renderer: vulkan\n", "'auto'"),
        ("mix: {dynamic: 0, static: 0, control: 0, twin: 0}\n", "at least one"),
        ("mix: {dynamic: 1, twin: 2}\n", "twin"),
        ("splits: {train: 0.5}\n", "add up to 1"),
        ("splits: {'../x': 1.0}\n", "splits"),
        ("[1, 2]\n", "map"),
        ("just words\n", "map"),
    ],
)
def test_a_wrong_value_is_one_line(tmp_path: Path, text: str, part: str) -> None:
    assert part in refused(tmp_path, text)


@pytest.mark.parametrize("text", ["shots", "=3", "shots=0", "shots=[", "mix=&a 1", "a.b.c=1", "seed.x=1", "Shots=1"])
def test_a_wrong_set_names_itself(text: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        config.load(None, {}, (text,))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        config.load(tmp_path / "none.yaml", {})
